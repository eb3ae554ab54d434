//! The report: what a run comes to, with stable keys.
//!
//! All keys are explained in `docs/SWARM.md`, which a test holds against this file.
//! A key is never given another meaning; [`FORMAT`] counts up when one goes. A report that
//! was written before a key came has its default.

mod build;
mod compare;
mod keys;
mod page;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use build::{Ending, Findings, build};
pub(crate) use compare::table;
pub(crate) use keys::{Key, Unit, keys, value};
pub(crate) use page::{page, page_of_two};

/// The version of the keys.
pub(crate) const FORMAT: u32 = 1;

/// A run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    pub(crate) format: u32,
    /// What has to be known before anything else is read.
    pub(crate) verdict: Vec<String>,
    pub(crate) config: Config,
    pub(crate) run: Run,
    pub(crate) server: Server,
    pub(crate) bots: Bots,
    pub(crate) frames: Frames,
    pub(crate) events: Events,
    pub(crate) inputs: Inputs,
    pub(crate) healthy: Group,
    pub(crate) faulty: Group,
    pub(crate) hash: Hash,
    /// By kind; all kinds are there.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Sentences, and how often each was the reason.
    pub(crate) error_texts: BTreeMap<String, u64>,
    pub(crate) faults: Faults,
    pub(crate) hostile: Hostile,
    pub(crate) generator: Generator,
    pub(crate) assertions: Vec<Assertion>,
    pub(crate) series: Series,
    pub(crate) histograms: Histograms,
}

/// What was asked for.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// A command line that makes the same run.
    pub(crate) command: String,
    pub(crate) url: String,
    pub(crate) bots: u64,
    pub(crate) rooms: u64,
    pub(crate) room_options: serde_json::Value,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    pub(crate) ramp_per_s: f64,
    pub(crate) churn: String,
    pub(crate) resume: bool,
    pub(crate) behaviour: String,
    pub(crate) decode: String,
    pub(crate) stall: Option<String>,
    pub(crate) slow: Option<String>,
    pub(crate) lag: Option<String>,
    pub(crate) cut: Option<String>,
    pub(crate) hostile: Option<String>,
    pub(crate) threads: u64,
}

/// When it was.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Run {
    pub(crate) version: String,
    pub(crate) started_unix_ms: u64,
    pub(crate) seconds: f64,
    /// `time`, or `interrupted`.
    pub(crate) ended: String,
}

/// Who was loaded.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Server {
    pub(crate) game: String,
    pub(crate) tick_hz: u64,
    pub(crate) send_every: u64,
    pub(crate) schema: String,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Bots {
    pub(crate) requested: u64,
    pub(crate) arrived: u64,
    pub(crate) connected: u64,
    pub(crate) failed: u64,
    pub(crate) resumed: u64,
    pub(crate) rejoined: u64,
    pub(crate) left: u64,
    pub(crate) connected_at_end: u64,
    pub(crate) healthy_at_end: u64,
    pub(crate) healthy: u64,
    pub(crate) faulty: u64,
    pub(crate) decoding: u64,
    pub(crate) counting_only: u64,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Frames {
    pub(crate) received: u64,
    pub(crate) coalesced: u64,
    pub(crate) coalesced_share: f64,
    pub(crate) full: u64,
    pub(crate) bytes: u64,
    pub(crate) bytes_per_frame: f64,
    pub(crate) wire_bytes: u64,
    pub(crate) wire_bytes_per_s: f64,
    pub(crate) wire_bytes_per_bot_s: f64,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Events {
    pub(crate) received: u64,
    pub(crate) lost: u64,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Inputs {
    pub(crate) sent: u64,
}

/// What the healthy bots saw, or the others.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Group {
    pub(crate) errors: u64,
    pub(crate) frame_interval_ms: Percentiles,
    pub(crate) staleness_ms: Percentiles,
    pub(crate) input_ack_ms: Percentiles,
    pub(crate) input_effect_ms: Percentiles,
    pub(crate) join_ms: Percentiles,
    pub(crate) connect_ms: Percentiles,
    pub(crate) resume_ms: Percentiles,
}

impl Group {
    /// Title and percentiles of each measure.
    pub(crate) fn measures(&self) -> [(&'static str, &Percentiles); 7] {
        [
            ("frame interval", &self.frame_interval_ms),
            ("staleness", &self.staleness_ms),
            ("input to acknowledgement", &self.input_ack_ms),
            ("input to visible effect", &self.input_effect_ms),
            ("join request", &self.join_ms),
            ("connect", &self.connect_ms),
            ("resume", &self.resume_ms),
        ]
    }
}

/// Null where nothing was measured.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Percentiles {
    pub(crate) p50: Option<f64>,
    pub(crate) p90: Option<f64>,
    pub(crate) p99: Option<f64>,
    pub(crate) p999: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) count: u64,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Hash {
    pub(crate) checked: u64,
    pub(crate) mismatched: u64,
}

/// What was done to bots, and how many of them each fault has.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Faults {
    pub(crate) stall_bots: u64,
    pub(crate) slow_bots: u64,
    pub(crate) lag_bots: u64,
    pub(crate) cut_bots: u64,
    pub(crate) hostile_bots: u64,
    pub(crate) stalls: u64,
    pub(crate) cuts: u64,
}

/// What became of malformed messages.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Hostile {
    pub(crate) sent: u64,
    pub(crate) closed: u64,
    pub(crate) dropped: u64,
    pub(crate) unanswered: u64,
    /// By close code.
    pub(crate) closed_by_code: BTreeMap<String, u64>,
}

/// What the program itself took, and whether that was too much.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Generator {
    pub(crate) bottleneck: bool,
    pub(crate) cpu_seconds: f64,
    pub(crate) busy_max: f64,
    pub(crate) late_ms_p50: f64,
    pub(crate) late_ms_p99: f64,
    pub(crate) late_ms_max: f64,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) memory_bytes_per_bot: Option<u64>,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Assertion {
    pub(crate) text: String,
    pub(crate) value: Option<f64>,
    pub(crate) holds: bool,
}

/// One number for each second of the run; null where there is none.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Series {
    pub(crate) connected: Vec<u64>,
    pub(crate) frames: Vec<u64>,
    pub(crate) coalesced_share: Vec<f64>,
    pub(crate) full: Vec<u64>,
    pub(crate) wire_bytes: Vec<u64>,
    pub(crate) frame_interval_ms_p50: Vec<Option<f64>>,
    pub(crate) frame_interval_ms_p99: Vec<Option<f64>>,
    pub(crate) frame_interval_ms_max: Vec<Option<f64>>,
    pub(crate) staleness_ms_p50: Vec<Option<f64>>,
    pub(crate) staleness_ms_p99: Vec<Option<f64>>,
    pub(crate) staleness_ms_max: Vec<Option<f64>>,
    pub(crate) errors: Vec<u64>,
    pub(crate) resumed: Vec<u64>,
    pub(crate) left: Vec<u64>,
    pub(crate) stalled: Vec<u64>,
    pub(crate) stalls: Vec<u64>,
    pub(crate) cuts: Vec<u64>,
    pub(crate) attacks: Vec<u64>,
    pub(crate) generator_busy: Vec<f64>,
}

/// `[upper end in ms, count]` of each part that is not empty; eight to each doubling.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Histograms {
    pub(crate) healthy_frame_interval: Vec<(f64, u64)>,
    pub(crate) healthy_staleness: Vec<(f64, u64)>,
    pub(crate) faulty_frame_interval: Vec<(f64, u64)>,
    pub(crate) faulty_staleness: Vec<(f64, u64)>,
}
