//! What the server logs, at every level, for tests that look at it.
//!
//! One log for the whole test binary, whose tests run at once: what is looked for
//! must be of the test's own, such as the id of its room.

#![allow(dead_code, reason = "each test binary uses the part that it needs")]

use std::io::{self, Write};
use std::sync::{Mutex, Once};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

static TEXT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Capture;

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TEXT.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Capture {
    type Writer = Capture;

    fn make_writer(&'a self) -> Capture {
        Capture
    }
}

/// From now on everything is kept, of all threads.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let log = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
        log.with_writer(|| Capture).init();
    });
}

/// The lines that have all of these words.
pub(crate) fn lines(words: &[&str]) -> Vec<String> {
    let text = String::from_utf8(TEXT.lock().unwrap().clone()).unwrap();
    assert!(!text.is_empty(), "nothing is captured");
    let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
    text.lines().filter(has_all).map(str::to_owned).collect()
}

/// Fails if a secret is in the log, or bytes of a client in any of the ways in
/// which a program shows bytes.
pub(crate) fn assert_silent_about(secret: &str) {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{bytes:?}");
    let list = list.trim_matches(['[', ']']);
    for shown in [secret, &hex, list] {
        let found = lines(&[shown]);
        assert!(found.is_empty(), "the log tells of {shown}: {found:?}");
    }
}
