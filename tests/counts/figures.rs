//! The figures that were committed, and how they are held against what is counted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

/// How to commit what was counted.
pub(crate) const UPDATE: &str = "cargo bench -p tickwire --bench counts -- --update";
/// Room sizes whose frames are counted.
pub(crate) const SIZES: [usize; 3] = [8, 50, 200];
/// Ticks of them.
pub(crate) const BYTES_TICKS: u32 = 200;

/// `committed.json`.
#[derive(Serialize, Deserialize, Default)]
pub(crate) struct Figures {
    /// By players of the room; with the WebSocket's header.
    pub(crate) bytes_per_client_frame: BTreeMap<usize, f64>,
    pub(crate) system_calls: SystemCalls,
    pub(crate) instructions_per_client_frame: f64,
    /// Another compiler makes other instructions.
    pub(crate) compiler: String,
}

/// What a worker asks of the kernel.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct SystemCalls {
    /// For each client and tick.
    pub(crate) sends: f64,
    /// For each client and tick.
    pub(crate) receives: f64,
    /// Of all kinds, for each tick: 8 of them are the clock's that is turned by hand.
    pub(crate) others: f64,
}

impl Figures {
    fn path() -> PathBuf {
        // Of the package that this is built in.
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let places = package.ancestors().map(|dir| dir.join("tests/counts/committed.json"));
        places.into_iter().find(|path| path.exists()).expect("committed figures")
    }

    pub(crate) fn read() -> Figures {
        let path = Figures::path();
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    }

    #[allow(dead_code, reason = "the tests only read")]
    pub(crate) fn write(&self) {
        let text = serde_json::to_string_pretty(self).unwrap();
        fs::write(Figures::path(), text + "\n").unwrap();
    }
}

/// Which compiler builds this, and for what.
#[allow(dead_code, reason = "the tests do not depend on it")]
pub(crate) fn compiler() -> String {
    let told = Command::new("rustc").arg("-vV").output().expect("rustc can be run");
    let told = String::from_utf8(told.stdout).unwrap();
    let fact = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?");
    format!("rustc {} ({}), {}", fact("release: "), fact("commit-hash: "), fact("host: "))
}

/// Whether a count is the committed one, give or take this share of it. If not, it says
/// what to do.
pub(crate) fn agrees(what: &str, counted: f64, committed: f64, share: f64) -> Result<(), String> {
    // Figures are read as they were written but for the last digit.
    let margin = committed * share + 1e-6;
    if (counted - committed).abs() <= margin {
        return Ok(());
    }
    let counted = (counted * 1e6).round() / 1e6;
    let change = match committed {
        0.0 => String::new(),
        committed => format!(" ({:+.2} %)", (counted / committed - 1.0) * 100.0),
    };
    Err(format!(
        "{what}: {counted} is counted, {committed} is committed{change}. If that is wanted, \
         commit what `{UPDATE}` writes."
    ))
}
