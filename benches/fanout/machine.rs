//! The machine under the benchmark: its cores, and what processes use of it.

use std::fs;
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Where servers run.
pub(crate) const SERVER_CORE: usize = 0;
/// Where the load comes from.
pub(crate) const LOAD_CORE: usize = 1;
pub(crate) const ALL_CORES: [usize; 2] = [SERVER_CORE, LOAD_CORE];
const PAGE_BYTES: u64 = 4096;

/// Keeps this thread, and what it starts from now on, on some cores.
pub(crate) fn pin(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    Ok(sched_setaffinity(None, &set)?)
}

/// Allows as many open sockets as there can be.
pub(crate) fn raise_file_limit() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Milliseconds that each core takes for a fixed piece of integer work; the thread
/// stays on the load's core.
pub(crate) fn pace() -> io::Result<[f64; 2]> {
    let mut paces = [f64::INFINITY; 2];
    for (core, pace) in paces.iter_mut().enumerate() {
        pin(&[core])?;
        for _ in 0..3 {
            *pace = pace.min(fixed_work().as_secs_f64() * 1e3);
        }
    }
    pin(&[LOAD_CORE])?;
    Ok(paces)
}

fn fixed_work() -> Duration {
    let begun = Instant::now();
    let mut x = black_box(0x9E37_79B9_7F4A_7C15_u64);
    for _ in 0..4_000_000 {
        x ^= x << 13;
        x ^= x >> 7;
        x = x.wrapping_mul(0x2545_F491_4F6C_DD1D);
    }
    black_box(x);
    begun.elapsed()
}

/// How often the clock that `/proc` counts in ticks, in a second.
const CLOCK_HZ: f64 = 100.0;

/// What the cores have not worked so far, in seconds, summed up over some of them.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Spare {
    /// Nothing was to be done.
    pub(crate) idle: f64,
    /// The machine below this one did something else.
    pub(crate) stolen: f64,
}

impl Spare {
    pub(crate) fn of(cores: &[usize]) -> io::Result<Spare> {
        let stat = fs::read_to_string("/proc/stat")?;
        let mut spare = Spare::default();
        for core in cores {
            let name = format!("cpu{core} ");
            let line = stat.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or("");
            let ticks: Vec<f64> =
                line.split_whitespace().filter_map(|it| it.parse().ok()).collect();
            let seconds = |field: usize| ticks.get(field).copied().unwrap_or(0.0) / CLOCK_HZ;
            spare.idle += seconds(3) + seconds(4);
            spare.stolen += seconds(7);
        }
        Ok(spare)
    }

    pub(crate) fn since(self, before: Spare) -> Spare {
        Spare { idle: self.idle - before.idle, stolen: self.stolen - before.stolen }
    }
}

/// Time that a server has spent.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Cpu {
    /// All of it, by the scheduler's exact account, with `ksoftirqd` of its cores.
    pub(crate) all_ns: u64,
    /// Sampled at each timer interrupt: good for shares over a second or more.
    pub(crate) user_ticks: u64,
    pub(crate) system_ticks: u64,
}

impl Cpu {
    /// So far, of a process whose cores are `cores`.
    pub(crate) fn of(pid: u32, cores: &[usize]) -> io::Result<Cpu> {
        let mut cpu = Cpu::default();
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            cpu.all_ns += run_ns(&fs::read_to_string(thread?.path().join("schedstat"))?);
        }
        for core in cores {
            cpu.all_ns += softirq_ns(*core);
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may hold spaces; fields count from after it.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let field = |index: usize| {
            fields.split_whitespace().nth(index).and_then(|it| it.parse().ok()).unwrap_or(0)
        };
        (cpu.user_ticks, cpu.system_ticks) = (field(11), field(12));
        Ok(cpu)
    }

    pub(crate) fn since(self, before: Cpu) -> Cpu {
        Cpu {
            all_ns: self.all_ns - before.all_ns,
            user_ticks: self.user_ticks - before.user_ticks,
            system_ticks: self.system_ticks - before.system_ticks,
        }
    }
}

/// The first number of a `schedstat`: nanoseconds on a core.
fn run_ns(schedstat: &str) -> u64 {
    schedstat.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// What `ksoftirqd` of a core has run: packets that the server did not get to
/// deliver itself.
fn softirq_ns(core: usize) -> u64 {
    let name = format!("ksoftirqd/{core}");
    // Kernel threads are made early: the number is small.
    let pid = (1..200).find(|pid| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name)
    });
    let stat = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/schedstat")).ok());
    stat.map_or(0, |stat| run_ns(&stat))
}

/// Processor time of this thread so far.
pub(crate) fn own_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(run_ns(&stat))
}

/// Resident memory of a process, in bytes.
pub(crate) fn resident(pid: u32) -> io::Result<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages = statm.split_whitespace().nth(1).and_then(|it| it.parse::<u64>().ok());
    Ok(pages.unwrap_or(0) * PAGE_BYTES)
}

/// What the machine is, for the report.
pub(crate) fn description() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = model.trim_start_matches(['\t', ' ', ':']);
    format!("{cores} cores, {model}, Linux {}", kernel.trim())
}
