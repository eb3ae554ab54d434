//! Row 31: random messages, for the decoders of both sides; and what the fuzzers
//! have kept.

use std::path::PathBuf;

use super::measure;
use super::vectors::{VECTORS, kind, long};
use crate::targets::world::{Command, Steer};
use crate::targets::{self, Client};

/// Random messages in all; each test takes a part of them.
fn messages() -> u64 {
    if long() { 10_000_000 } else { 100_000 }
}

/// splitmix64: the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.roll() % n.max(1) as u64) as usize
    }

    /// Mostly the numbers at which encodings change.
    fn byte(&mut self) -> u8 {
        const EDGES: [u8; 12] = [0, 1, 2, 3, 7, 127, 128, 250, 251, 252, 253, 255];
        match self.below(3) {
            0 => EDGES[self.below(EDGES.len())],
            1 => self.below(16) as u8,
            _ => self.roll() as u8,
        }
    }

    fn noise(&mut self) -> Vec<u8> {
        let length = [4, 16, 64, 300][self.below(4)];
        (0..self.below(length)).map(|_| self.byte()).collect()
    }

    /// One of `valid`, damaged in a few places, or nothing but noise.
    fn message(&mut self, valid: &[Vec<u8>]) -> Vec<u8> {
        if self.below(4) == 0 {
            return self.noise();
        }
        let mut raw = valid[self.below(valid.len())].clone();
        // Long runs of the same letter would only cost time.
        raw.truncate(1024);
        for _ in 0..1 + self.below(4) {
            let at = self.below(raw.len());
            match self.below(5) {
                0 if !raw.is_empty() => raw[at] = self.byte(),
                1 if !raw.is_empty() => raw[at] ^= 1 << self.below(8),
                2 => raw.truncate(at),
                3 => raw.insert(at, self.byte()),
                _ => {
                    let other = &valid[self.below(valid.len())];
                    let from = self.below(other.len().min(1024));
                    raw.truncate(at);
                    raw.extend(other[from..].iter().take(64));
                }
            }
        }
        raw
    }
}

// For the server's decoder.
#[test]
fn random_client_messages_do_no_harm() {
    let mut dice = Dice(1);
    for _ in 0..messages() / 4 {
        let raw = dice.message(&VECTORS.client);
        let _ = measure::client(&raw);
        targets::client_message(&raw);
    }
    let bodies: Vec<Vec<u8>> = VECTORS.values.iter().map(|(_, raw)| raw.clone()).collect();
    for _ in 0..messages() / 4 {
        let raw = dice.message(&bodies);
        let _ = measure::typed::<Steer>(&raw);
        let _ = measure::typed::<Command>(&raw);
        let _ = measure::dynamic(kind("command"), &raw);
        let _ = measure::dynamic(kind("event"), &raw);
        targets::client_message(&raw);
    }
}

// For the client's decoder: a frame often changes what the next one meets.
#[test]
fn random_server_messages_do_no_harm() {
    let mut dice = Dice(2);
    let mut valid = VECTORS.server.clone();
    let steps = VECTORS.stories.iter().flat_map(|story| &story.steps);
    valid.extend(steps.map(|step| step.bytes.clone()));
    let mut client = Client::new();
    for _ in 0..messages() * 3 / 8 {
        let raw = dice.message(&valid);
        if measure::server(&raw).is_err() {
            continue;
        }
        measure::apply(&mut Client::new().mirror, &raw);
        if !client.receive(&raw) {
            client = Client::new();
        }
    }
}

#[test]
fn random_descriptors_do_no_harm() {
    let mut dice = Dice(3);
    for _ in 0..messages() / 8 {
        let raw = dice.message(&VECTORS.descriptors);
        if measure::descriptor(&raw).is_ok() {
            targets::descriptor(&raw);
        }
    }
}

#[test]
fn what_the_fuzzers_have_kept_does_no_harm() {
    replay("client_message", targets::client_message);
    replay("server_frame", targets::server_frame);
    replay("descriptor", targets::descriptor);
    replay("token", targets::token);
}

/// Gives a target its committed corpus.
fn replay(name: &str, target: fn(&[u8])) {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fuzz", "corpus", name].iter().collect();
    let files = std::fs::read_dir(folder).expect("a committed corpus");
    let mut count = 0;
    for file in files {
        target(&std::fs::read(file.expect("an entry").path()).expect("a file"));
        count += 1;
    }
    assert!(count > 0, "the corpus of {name} is empty");
}
