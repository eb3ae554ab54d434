//! What no client sends.

use tickwire_protocol::limits::CLIENT_MESSAGE_BYTES_MAX;

use crate::dice::Dice;

/// How something malformed is put on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Attack {
    /// As a message, in a good frame.
    Message(Vec<u8>),
    /// As it is.
    Raw(Vec<u8>),
}

/// Something that a server must answer with a close.
pub(super) fn attack(dice: &mut Dice) -> Attack {
    match dice.below(9) {
        // A tag that no message has.
        0 => Attack::Message(vec![200 + dice.below(56) as u8, 1, 2, 3]),
        // An input that ends in the middle.
        1 => Attack::Message(vec![1, 5, 3]),
        // A ping with something behind it.
        2 => Attack::Message(vec![4, 7, 7, 7]),
        // A length that is not there.
        3 => Attack::Message(vec![3, 253, 255, 255, 255, 255, 255, 255, 255, 255]),
        // A message over the limit.
        4 => Attack::Message(vec![0; CLIENT_MESSAGE_BYTES_MAX + 1]),
        // Text; without a mask; with reserved bits; a length of 2^63.
        5 => Attack::Raw(masked(0x81, b"hello")),
        6 => Attack::Raw(vec![0x82, 1, 7]),
        7 => Attack::Raw(masked(0xf2, &[7])),
        _ => Attack::Raw(vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
    }
}

/// A short frame with a mask of zeros.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickwire_protocol::message::ClientMessage;

    #[test]
    fn no_attack_is_a_message_that_a_server_takes() {
        let mut dice = Dice::new(1);
        let mut seen = Vec::new();
        for _ in 0..500 {
            let attack = attack(&mut dice);
            if let Attack::Message(bytes) = &attack {
                let good =
                    bytes.len() <= CLIENT_MESSAGE_BYTES_MAX && ClientMessage::read(bytes).is_ok();
                assert!(!good, "{bytes:?}");
            }
            if !seen.contains(&attack) {
                seen.push(attack);
            }
        }
        assert!(seen.len() >= 9);
    }
}
