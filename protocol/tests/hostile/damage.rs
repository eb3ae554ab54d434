//! Row 30: every truncation and every single-bit flip of every valid message.

use tickwire_protocol::client::mirror::Mirror;
use tickwire_protocol::codec::Error;
use tickwire_protocol::message::ServerMessage;

use super::measure;
use super::vectors::{Story, VECTORS, kind, long};
use crate::targets::world::{Command, Event, Receipt, Steer};
use crate::targets::{self, Client};

/// Bytes of a message whose bits are flipped, unless there is time for all. What
/// is longer is a long run of one letter, or the descriptor with 64 tables.
const FLIPPED_BYTES: usize = 3000;

fn flips(raw: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let bytes = if long() { raw.len() } else { raw.len().min(FLIPPED_BYTES) };
    (0..bytes * 8).map(|bit| {
        let mut flipped = raw.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

fn cuts(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..raw.len()).map(|length| &raw[..length])
}

// For the server's decoder.
#[test]
fn a_damaged_client_message_is_refused_or_valid() {
    for raw in &VECTORS.client {
        for cut in cuts(raw) {
            assert_eq!(measure::client(cut), Err(Error::Truncated));
        }
        for flipped in flips(raw) {
            let _ = measure::client(&flipped);
            targets::client_message(&flipped);
        }
    }
}

// For the client's decoder.
#[test]
fn a_damaged_server_message_is_refused_or_valid() {
    for raw in &VECTORS.server {
        for cut in cuts(raw) {
            assert_eq!(measure::server(cut), Err(Error::Truncated));
        }
        let mut client = Client::new();
        for flipped in flips(raw) {
            if measure::server(&flipped).is_ok() && !client.receive(&flipped) {
                client = Client::new();
            }
        }
    }
}

// For both: what a message carries for the game.
#[test]
fn a_damaged_body_is_refused_or_valid() {
    for (message, raw) in &VECTORS.values {
        let typed = |raw: &[u8]| match message.as_str() {
            "input" => measure::typed::<Steer>(raw).map(drop),
            "command" => measure::typed::<Command>(raw).map(drop),
            "reply" => measure::typed::<Receipt>(raw).map(drop),
            _ => measure::typed::<Event>(raw).map(drop),
        };
        for cut in cuts(raw) {
            assert_eq!(measure::dynamic(kind(message), cut), Err(Error::Truncated));
            assert_eq!(typed(cut), Err(Error::Truncated));
        }
        for flipped in flips(raw) {
            let dynamic = measure::dynamic(kind(message), &flipped).map(drop);
            assert_eq!(typed(&flipped), dynamic);
            targets::client_message(&flipped);
        }
    }
}

// For the client's decoder: what a welcome carries.
#[test]
fn a_damaged_descriptor_is_refused_or_valid() {
    for raw in &VECTORS.descriptors {
        for cut in cuts(raw) {
            assert_eq!(measure::descriptor(cut), Err(Error::Truncated));
        }
        for (bit, flipped) in flips(raw).enumerate() {
            // Most flips change a letter of a name.
            if measure::descriptor(&flipped).is_ok() && (long() || bit % 16 == 0) {
                targets::descriptor(&flipped);
            }
        }
    }
}

// For the client's decoder: what a frame does to what is there already.
#[test]
fn a_damaged_frame_is_refused_or_applied() {
    for story in &VECTORS.stories {
        for (at, step) in story.steps.iter().enumerate() {
            for cut in cuts(&step.bytes) {
                assert_eq!(measure::server(cut), Err(Error::Truncated));
            }
            for flipped in flips(&step.bytes) {
                let mut mirror = mirror_at(story, at);
                if measure::apply(&mut mirror, &flipped) == Some(true) {
                    mirror.check();
                }
                look(&mirror);
            }
        }
    }
}

// A chunk is cut where its frame says, so that it is the chunk that is cut.
#[test]
fn a_cut_chunk_is_refused_or_applied() {
    for story in &VECTORS.stories {
        for (at, step) in story.steps.iter().enumerate() {
            let Ok(ServerMessage::Frame(frame)) = ServerMessage::read(&step.bytes) else {
                continue;
            };
            for section in frame.sections() {
                for length in 0..section.chunk.len() {
                    let chunk = &section.chunk[..length];
                    let mut out = Vec::new();
                    let head = (section.scope, section.form, length);
                    tickwire_protocol::frame::write_header(
                        &frame.header,
                        core::iter::once(head),
                        0,
                        &mut out,
                    );
                    out.extend_from_slice(chunk);
                    let mut mirror = mirror_at(story, at);
                    let applied = measure::apply(&mut mirror, &out);
                    assert!(applied != Some(true) || length == 0, "a chunk ends where it says");
                    look(&mirror);
                }
            }
        }
    }
}

/// A mirror that has applied the steps before `at`.
fn mirror_at(story: &Story, at: usize) -> Mirror {
    let mut mirror = Mirror::new(story.schema.clone());
    for step in &story.steps[..at] {
        if step.resume {
            mirror.resume();
        }
        assert_eq!(measure::apply(&mut mirror, &step.bytes), Some(true));
    }
    if story.steps[at].resume {
        mirror.resume();
    }
    mirror
}

/// Everything can be read, also after an error.
fn look(mirror: &Mirror) {
    let _ = mirror.hash();
    for table in 0..mirror.schema().tables.len() {
        mirror.rows(table).for_each(|row| drop(row.value()));
    }
}
