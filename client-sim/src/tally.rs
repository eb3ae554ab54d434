//! What the bots of one thread saw, in numbers.
//!
//! Counters are kept for the second that is under way and handed over when it ends;
//! what is told by percentiles is kept for the whole run as well. Only one thread
//! writes to a tally.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Longest time that is told apart, in microseconds: an hour.
const MICROS_MAX: u64 = 3_600_000_000;
/// Sentences about errors that are kept; further kinds of them are only counted.
const EXAMPLES_MAX: usize = 20;
/// Characters of such a sentence.
const TEXT_MAX: usize = 200;

/// A measure with percentiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Measure {
    /// From one frame to the next.
    FrameInterval,
    /// The age of a state when it is applied.
    Staleness,
    /// From an input to the frame that says it was used.
    InputAck,
    /// From an input to the frame that shows it.
    InputEffect,
    /// From asking for a seat to having one.
    Join,
    /// From opening the socket to the first frame.
    Connect,
    /// From losing a connection to the first frame of the next.
    Resume,
}

impl Measure {
    pub(crate) const ALL: [Measure; 7] = [
        Measure::FrameInterval,
        Measure::Staleness,
        Measure::InputAck,
        Measure::InputEffect,
        Measure::Join,
        Measure::Connect,
        Measure::Resume,
    ];
}

/// Times in microseconds.
pub(crate) type Times = Histogram<u64>;

/// Times to three digits.
pub(crate) fn times() -> Times {
    Histogram::new_with_bounds(1, MICROS_MAX, 3).expect("the bounds are in order")
}

/// The times of the bots that are healthy, or of those that are not.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    times: [Times; Measure::ALL.len()],
    /// What went wrong for them.
    pub(crate) errors: u64,
}

impl Group {
    fn new() -> Group {
        Group { times: std::array::from_fn(|_| times()), errors: 0 }
    }

    pub(crate) fn of(&self, measure: Measure) -> &Times {
        &self.times[measure as usize]
    }

    pub(crate) fn record(&mut self, measure: Measure, time: Duration) {
        self.times[measure as usize].saturating_record(micros(time));
    }

    /// Records a time that should have been `expected`: one that is longer also
    /// stands for those that would have begun meanwhile.
    fn record_gap(&mut self, measure: Measure, time: Duration, expected: Duration) {
        record_gap(&mut self.times[measure as usize], time, expected);
    }

    pub(crate) fn add(&mut self, other: &Group) {
        for (mine, other) in self.times.iter_mut().zip(&other.times) {
            mine.add(other).expect("all times have the same bounds");
        }
        self.errors += other.errors;
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).clamp(1, MICROS_MAX)
}

fn record_gap<C: hdrhistogram::Counter>(
    times: &mut Histogram<C>,
    time: Duration,
    expected: Duration,
) {
    let recorded = times.record_correct(micros(time), micros(expected));
    recorded.expect("a time is brought within the bounds before");
}

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Failure {
    JoinFailed,
    JoinRefused,
    ConnectFailed,
    UpgradeFailed,
    NotWelcomed,
    Lost,
    Silent,
    Protocol,
    ClosedRestart,
    ClosedTooSlow,
    ClosedFailed,
    ClosedOther,
}

impl Failure {
    pub(crate) const ALL: [(Failure, &'static str); 12] = [
        (Failure::JoinFailed, "join_failed"),
        (Failure::JoinRefused, "join_refused"),
        (Failure::ConnectFailed, "connect_failed"),
        (Failure::UpgradeFailed, "upgrade_failed"),
        (Failure::NotWelcomed, "not_welcomed"),
        (Failure::Lost, "lost"),
        (Failure::Silent, "silent"),
        (Failure::Protocol, "protocol"),
        (Failure::ClosedRestart, "closed_restart"),
        (Failure::ClosedTooSlow, "closed_too_slow"),
        (Failure::ClosedFailed, "closed_failed"),
        (Failure::ClosedOther, "closed_other"),
    ];
}

macro_rules! counts {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What is counted in each second.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub(crate) struct Counts {
            $($(#[doc = $doc])+ pub(crate) $name: u64,)+
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, other: Counts) {
                $(self.$name += other.$name;)+
            }
        }
    };
}

counts! {
    /// Frames that were applied.
    frames,
    /// Those that stood for several.
    coalesced,
    /// Those that brought the whole state.
    full,
    /// Bytes of the messages that were frames.
    frame_bytes,
    /// Bytes that came from the sockets.
    wire_bytes,
    /// Inputs that went out.
    inputs,
    /// Events of the game.
    events,
    /// Frames with a hash that a bot compared.
    hash_checked,
    /// Those after which the bot had another state than the server.
    hash_mismatched,
    /// Seats that were resumed.
    resumed,
    /// Seats that were taken anew after another one.
    rejoined,
    /// Bots that left, as churn has it.
    left,
    /// What went wrong.
    errors,
    /// Bots that began to hang.
    stalls,
    /// Connections that were cut.
    cuts,
    /// Malformed messages that were sent.
    attacks,
}

/// A second of a thread's run.
#[derive(Clone, Debug)]
pub(crate) struct Second {
    pub(crate) counts: Counts,
    /// Of healthy bots.
    pub(crate) frame_interval: Histogram<u32>,
    /// Of healthy bots.
    pub(crate) staleness: Histogram<u32>,
    /// How things stand when it ends.
    pub(crate) gauges: Gauges,
    /// What went wrong, by kind.
    pub(crate) failures: BTreeMap<Failure, u64>,
    /// CPU time that the thread has used in it.
    pub(crate) cpu: Duration,
}

/// How things stand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauges {
    /// Bots that are in their rooms.
    pub(crate) connected: u64,
    /// Those of them that are healthy.
    pub(crate) healthy: u64,
    /// Bots that were in their rooms at some time.
    pub(crate) ever: u64,
    /// Bots that hang.
    pub(crate) stalled: u64,
}

impl Gauges {
    /// A bot came into its room, or is not there any more.
    pub(crate) fn moved(&mut self, came: bool, healthy: bool) {
        let healthy = u64::from(healthy);
        if came {
            self.connected += 1;
            self.healthy += healthy;
        } else {
            self.connected -= 1;
            self.healthy -= healthy;
        }
    }
}

impl AddAssign for Gauges {
    fn add_assign(&mut self, other: Gauges) {
        self.connected += other.connected;
        self.healthy += other.healthy;
        self.ever += other.ever;
        self.stalled += other.stalled;
    }
}

impl Second {
    pub(crate) fn new() -> Second {
        let times = || Histogram::new_with_bounds(1, MICROS_MAX, 2).expect("bounds in order");
        Second {
            counts: Counts::default(),
            frame_interval: times(),
            staleness: times(),
            gauges: Gauges::default(),
            failures: BTreeMap::new(),
            cpu: Duration::ZERO,
        }
    }

    pub(crate) fn add(&mut self, other: &Second) {
        self.counts += other.counts;
        self.gauges += other.gauges;
        self.cpu += other.cpu;
        add_failures(&mut self.failures, &other.failures);
        let bounds = "all seconds have the same bounds";
        self.frame_interval.add(&other.frame_interval).expect(bounds);
        self.staleness.add(&other.staleness).expect(bounds);
    }
}

/// Adds the counts of failures.
pub(crate) fn add_failures(to: &mut BTreeMap<Failure, u64>, other: &BTreeMap<Failure, u64>) {
    for (failure, count) in other {
        *to.entry(*failure).or_default() += count;
    }
}

/// What became of malformed messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hostile {
    pub(crate) sent: u64,
    /// Closes by the server, by their code.
    pub(crate) closed: BTreeMap<u16, u64>,
    /// Connections that ended without a close frame.
    pub(crate) dropped: u64,
    /// Messages that nothing followed.
    pub(crate) unanswered: u64,
}

impl Hostile {
    pub(crate) fn add(&mut self, other: &Hostile) {
        self.sent += other.sent;
        self.dropped += other.dropped;
        self.unanswered += other.unanswered;
        for (code, count) in &other.closed {
            *self.closed.entry(*code).or_default() += count;
        }
    }
}

/// What a whole thread saw.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) healthy: Group,
    pub(crate) faulty: Group,
    /// The second under way.
    pub(crate) second: Second,
    pub(crate) gauges: Gauges,
    pub(crate) failures: BTreeMap<Failure, u64>,
    /// Sentences about what went wrong, and how often.
    pub(crate) examples: BTreeMap<String, u64>,
    pub(crate) hostile: Hostile,
    /// How late the thread did what was due.
    pub(crate) late: Times,
    /// Transient events that others in the room got.
    pub(crate) events_lost: u64,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally {
            healthy: Group::new(),
            faulty: Group::new(),
            second: Second::new(),
            gauges: Gauges::default(),
            failures: BTreeMap::new(),
            examples: BTreeMap::new(),
            hostile: Hostile::default(),
            late: times(),
            events_lost: 0,
        }
    }

    pub(crate) fn group(&mut self, faulty: bool) -> &mut Group {
        if faulty { &mut self.faulty } else { &mut self.healthy }
    }

    pub(crate) fn counts(&mut self) -> &mut Counts {
        &mut self.second.counts
    }

    /// A frame came so long after the one before, where `expected` would do.
    pub(crate) fn frame_interval(&mut self, faulty: bool, gap: Duration, expected: Duration) {
        self.group(faulty).record_gap(Measure::FrameInterval, gap, expected);
        if !faulty {
            record_gap(&mut self.second.frame_interval, gap, expected);
        }
    }

    pub(crate) fn staleness(&mut self, faulty: bool, age: Duration) {
        self.group(faulty).record(Measure::Staleness, age);
        if !faulty {
            self.second.staleness.saturating_record(micros(age));
        }
    }

    pub(crate) fn late(&mut self, late: Duration) {
        self.late.saturating_record(micros(late));
    }

    pub(crate) fn failed(&mut self, faulty: bool, failure: Failure, text: String) {
        *self.failures.entry(failure).or_default() += 1;
        *self.second.failures.entry(failure).or_default() += 1;
        self.counts().errors += 1;
        self.group(faulty).errors += 1;
        // Some of it a server has said: it is not for the terminals of others.
        let text: String = text.chars().filter(|char| !char.is_control()).take(TEXT_MAX).collect();
        if let Some(count) = self.examples.get_mut(&text) {
            *count += 1;
        } else if self.examples.len() < EXAMPLES_MAX {
            self.examples.insert(text, 1);
        }
    }

    /// The second is over: gives it, and begins the next.
    pub(crate) fn turn(&mut self) -> Second {
        self.second.gauges = self.gauges;
        std::mem::replace(&mut self.second, Second::new())
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        self.healthy.add(&other.healthy);
        self.faulty.add(&other.faulty);
        self.gauges += other.gauges;
        self.hostile.add(&other.hostile);
        self.late.add(&other.late).expect("all times have the same bounds");
        self.events_lost += other.events_lost;
        add_failures(&mut self.failures, &other.failures);
        for (text, count) in &other.examples {
            *self.examples.entry(text.clone()).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_long_gap_counts_for_the_frames_that_did_not_come() {
        let mut tally = Tally::new();
        for _ in 0..90 {
            tally.frame_interval(false, 50 * MS, 50 * MS);
        }
        tally.frame_interval(false, 500 * MS, 50 * MS);
        let times = tally.healthy.of(Measure::FrameInterval);
        // 500, 450, … 50: ten more, not one.
        assert_eq!(times.len(), 100);
        assert!(times.value_at_quantile(0.95) >= 250_000, "{}", times.value_at_quantile(0.95));
        assert_eq!(tally.faulty.of(Measure::FrameInterval).len(), 0);
        assert_eq!(tally.second.frame_interval.len(), 100);
    }

    #[test]
    fn extreme_times_are_brought_within_the_bounds() {
        let mut tally = Tally::new();
        tally.frame_interval(true, Duration::MAX, Duration::MAX);
        tally.frame_interval(true, Duration::ZERO, Duration::ZERO);
        tally.staleness(false, Duration::MAX);
        tally.late(Duration::MAX);
        assert_eq!(tally.faulty.of(Measure::FrameInterval).len(), 2);
    }

    #[test]
    fn two_threads_add_up() {
        let (mut a, mut b) = (Tally::new(), Tally::new());
        a.failed(false, Failure::Lost, "gone".to_owned());
        b.failed(true, Failure::Lost, "gone".to_owned());
        b.hostile.closed.insert(4400, 2);
        a.add(&b);
        assert_eq!((a.failures[&Failure::Lost], a.examples["gone"]), (2, 2));
        assert_eq!((a.healthy.errors, a.faulty.errors, a.hostile.closed[&4400]), (1, 1, 2));
    }

    #[test]
    fn the_sentences_that_are_kept_are_bounded() {
        let mut tally = Tally::new();
        for n in 0..100 {
            tally.failed(false, Failure::Lost, format!("reason {n}"));
        }
        assert_eq!((tally.examples.len(), tally.failures[&Failure::Lost]), (EXAMPLES_MAX, 100));
    }
}
