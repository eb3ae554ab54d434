//! Rows 25, 26 and 27: lengths that lie, bytes after the end, what does not exist.

use tickwire_protocol::client::mirror::Mirror;
use tickwire_protocol::codec::Error;
use tickwire_protocol::limits::{
    CLIENT_MESSAGE_BYTES_MAX, DESCRIPTOR_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX,
};

use super::measure;
use super::vectors::{VECTORS, kind};
use crate::targets::Client;
use crate::targets::world::{Command, Steer};

/// 2^64 - 1 and 2^30, as lengths are written.
const HUGE: [&[u8]; 2] = [&[253, 255, 255, 255, 255, 255, 255, 255, 255], &[252, 0, 0, 0, 64]];

// Row 25, where the lengths are: in every variable field.
#[test]
fn a_length_that_lies_is_refused_and_costs_nothing() {
    let mut huge = 0;
    for vector in &VECTORS.malformed {
        let raw = &vector.bytes;
        let decode = || match vector.decoder.as_str() {
            "client_message" => Some(measure::client(raw)),
            "server_message" => Some(measure::server(raw)),
            "descriptor" => Some(measure::descriptor(raw).map(drop)),
            "value" => {
                let _ = measure::typed::<Command>(raw);
                Some(measure::dynamic(kind(&vector.message), raw).map(drop))
            }
            _ => None,
        };
        let is_huge = vector.name.contains("huge");
        let error = if is_huge { measure::strict(raw, decode) } else { decode() };
        let Some(error) = error else { continue };
        let error = error.map_err(|error| format!("codec.{error:?}"));
        assert_eq!(error.as_ref(), Err(&vector.error), "{}", vector.name);
        if is_huge {
            assert_eq!(vector.error, "codec.TooLong");
            huge += 1;
        }
    }
    assert!(huge >= 50, "{huge} lies in all");
}

// Row 25, where a length could be: in place of every byte of every message.
#[test]
fn a_huge_number_anywhere_costs_no_more_than_the_bytes_hold() {
    let spliced = |raw: &[u8], check: &mut dyn FnMut(&[u8])| {
        for at in 0..raw.len().min(2000) {
            for huge in HUGE {
                check(&[&raw[..at], huge, &raw[at + 1..]].concat());
                check(&[&raw[..at], huge].concat());
            }
        }
    };
    for raw in &VECTORS.client {
        spliced(raw, &mut |raw| _ = measure::client(raw));
    }
    for raw in &VECTORS.server {
        spliced(raw, &mut |raw| _ = measure::server(raw));
    }
    for raw in &VECTORS.descriptors {
        spliced(raw, &mut |raw| _ = measure::descriptor(raw));
    }
    for (message, raw) in &VECTORS.values {
        spliced(raw, &mut |raw| {
            let _ = measure::typed::<Command>(raw);
            let _ = measure::typed::<Steer>(raw);
            let _ = measure::dynamic(kind(message), raw);
        });
    }
    for story in &VECTORS.stories {
        for step in story.steps.iter().filter(|step| step.bytes.len() < 500) {
            spliced(&step.bytes, &mut |raw| {
                let mut mirror = Client::new().mirror;
                measure::apply(&mut mirror, raw);
                measure::apply(&mut Mirror::new(story.schema.clone()), raw);
            });
        }
    }
}

// Row 26.
#[test]
fn a_valid_message_with_bytes_after_it_is_none() {
    for tail in [&[0][..], &[255], &[0; 64]] {
        let and_more = |raw: &[u8]| [raw, tail].concat();
        for raw in VECTORS.client.iter().map(|raw| and_more(raw)) {
            assert_eq!(measure::client(&raw), Err(Error::Trailing));
        }
        for raw in VECTORS.server.iter().map(|raw| and_more(raw)) {
            assert_eq!(measure::server(&raw), Err(Error::Trailing));
        }
        for raw in VECTORS.descriptors.iter().map(|raw| and_more(raw)) {
            assert_eq!(measure::descriptor(&raw), Err(Error::Trailing));
        }
        for (message, raw) in &VECTORS.values {
            let raw = and_more(raw);
            assert_eq!(measure::dynamic(kind(message), &raw), Err(Error::Trailing));
            if message == "command" {
                assert_eq!(measure::typed::<Command>(&raw), Err(Error::Trailing));
            }
        }
    }
}

// Row 27. What else is not in the format is in the malformed vectors.
#[test]
fn a_message_that_does_not_exist_is_refused() {
    for tag in 8..=255 {
        for tail in [&[][..], &[0], &[1; 40]] {
            let raw = [&[tag], tail].concat();
            assert_eq!(measure::client(&raw), Err(Error::BadTag));
            assert_eq!(measure::server(&raw), Err(Error::BadTag));
        }
    }
}

// Row 16 for whoever does not sit behind a WebSocket.
#[test]
fn a_message_over_its_limit_is_not_looked_at() {
    let zeros = vec![0; SERVER_MESSAGE_BYTES_MAX + 1];
    let longest = &zeros[..CLIENT_MESSAGE_BYTES_MAX];
    assert_eq!(measure::client(longest), Err(Error::BadTag));
    assert_eq!(measure::client(&zeros[..longest.len() + 1]), Err(Error::TooLong));
    assert_eq!(measure::server(&zeros[1..]), Err(Error::Invalid));
    assert_eq!(measure::server(&zeros), Err(Error::TooLong));
    let longest = &zeros[..DESCRIPTOR_BYTES_MAX];
    assert_eq!(measure::descriptor(longest), Err(Error::Trailing));
    assert_eq!(measure::descriptor(&zeros[..longest.len() + 1]), Err(Error::TooLong));
}
