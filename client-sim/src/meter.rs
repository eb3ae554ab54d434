//! What the program itself takes: CPU time and memory, as far as the system tells.

use std::time::Duration;

/// CPU time that this thread has used.
pub(crate) fn thread_cpu() -> Duration {
    #[cfg(unix)]
    return cpu(rustix::time::ClockId::ThreadCPUTime);
    #[cfg(not(unix))]
    return Duration::ZERO;
}

/// CPU time that the program has used.
pub(crate) fn process_cpu() -> Duration {
    #[cfg(unix)]
    return cpu(rustix::time::ClockId::ProcessCPUTime);
    #[cfg(not(unix))]
    return Duration::ZERO;
}

#[cfg(unix)]
fn cpu(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

/// Bytes of memory that the program has now; none where the system does not tell.
pub(crate) fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
