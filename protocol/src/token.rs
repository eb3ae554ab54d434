//! Tokens as text: what a client shows to be let into a room.
//!
//! ```text
//! token := base64url, without padding, of 98 bytes (131 characters):
//!          u8 version 1   u8 kind: 1 seat, 2 resume
//!          16 bytes room   16 bytes seat   u64 expires, seconds since 1970
//!          u64 serial   16 bytes nonce   32 bytes signature over all before it
//! ```
//!
//! Integers are little-endian. A client passes a token on as it is. A server, or
//! a balancer that wants to know the room, reads it; only who has the key can
//! check the signature, and that is not done here.
//!
//! A token has one text: unused bits at the end must be zero.

/// Bytes before the signature.
pub const SIGNED_BYTES: usize = 66;
/// Bytes of the signature: HMAC-SHA256.
pub const SIGNATURE_BYTES: usize = 32;
/// Characters of a token.
pub const TOKEN_CHARS: usize = (SIGNED_BYTES + SIGNATURE_BYTES).div_ceil(3) * 4 - 1;

const VERSION: u8 = 1;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const _: () = assert!(TOKEN_CHARS <= crate::limits::TOKEN_BYTES_MAX);

/// What a token says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    /// What it is good for.
    pub kind: TokenKind,
    /// The room, 128 random bits.
    pub room: u128,
    /// The seat, 128 random bits.
    pub seat: u128,
    /// The last second, since 1970, in which it is good.
    pub expires_s: u64,
    /// Counts the tokens of the seat: only the newest is good.
    pub serial: u64,
    /// Makes it unlike any other.
    pub nonce: u128,
}

/// What a token is good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenKind {
    /// To take a seat, once.
    Seat,
    /// To come back to it.
    Resume,
}

/// The text is not a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadToken;

impl core::fmt::Display for BadToken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("not a token")
    }
}

impl core::error::Error for BadToken {}

impl Token {
    /// The bytes that a signature is over.
    pub fn signed_bytes(&self) -> [u8; SIGNED_BYTES] {
        let mut bytes = [0; SIGNED_BYTES];
        bytes[0] = VERSION;
        bytes[1] = match self.kind {
            TokenKind::Seat => 1,
            TokenKind::Resume => 2,
        };
        bytes[2..18].copy_from_slice(&self.room.to_le_bytes());
        bytes[18..34].copy_from_slice(&self.seat.to_le_bytes());
        bytes[34..42].copy_from_slice(&self.expires_s.to_le_bytes());
        bytes[42..50].copy_from_slice(&self.serial.to_le_bytes());
        bytes[50..66].copy_from_slice(&self.nonce.to_le_bytes());
        bytes
    }

    /// The token's text, with its signature.
    pub fn to_text(&self, signature: &[u8; SIGNATURE_BYTES]) -> String {
        let mut bytes = [0; SIGNED_BYTES + SIGNATURE_BYTES];
        bytes[..SIGNED_BYTES].copy_from_slice(&self.signed_bytes());
        bytes[SIGNED_BYTES..].copy_from_slice(signature);
        encode(&bytes)
    }

    /// The token and the signature that a text holds.
    pub fn from_text(text: &str) -> Result<(Token, [u8; SIGNATURE_BYTES]), BadToken> {
        let bytes = decode(text)?;
        let (signed, signature) = bytes.split_at(SIGNED_BYTES);
        let kind = match (signed[0], signed[1]) {
            (VERSION, 1) => TokenKind::Seat,
            (VERSION, 2) => TokenKind::Resume,
            _ => return Err(BadToken),
        };
        let long = |at: usize| u128::from_le_bytes(part(signed, at));
        let short = |at: usize| u64::from_le_bytes(part(signed, at));
        let token = Token {
            kind,
            room: long(2),
            seat: long(18),
            expires_s: short(34),
            serial: short(42),
            nonce: long(50),
        };
        Ok((token, part(signature, 0)))
    }
}

/// `N` bytes at a place that is inside.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    core::array::from_fn(|i| bytes[at + i])
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(TOKEN_CHARS);
    for group in bytes.chunks(3) {
        let word =
            group.iter().enumerate().fold(0u32, |w, (i, &b)| w | u32::from(b) << (16 - 8 * i));
        for i in 0..=group.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * i)) as usize & 63]));
        }
    }
    text
}

fn decode(text: &str) -> Result<[u8; SIGNED_BYTES + SIGNATURE_BYTES], BadToken> {
    let mut bytes = [0; SIGNED_BYTES + SIGNATURE_BYTES];
    if text.len() != TOKEN_CHARS {
        return Err(BadToken);
    }
    for (chars, group) in text.as_bytes().chunks(4).zip(bytes.chunks_mut(3)) {
        let mut word = 0u32;
        for (i, &char) in chars.iter().enumerate() {
            word |= u32::from(sextet(char).ok_or(BadToken)?) << (18 - 6 * i);
        }
        for (i, byte) in group.iter_mut().enumerate() {
            *byte = (word >> (16 - 8 * i)) as u8;
        }
        let used = 24 - 8 * group.len();
        if word & ((1 << used) - 1) != 0 {
            return Err(BadToken);
        }
    }
    Ok(bytes)
}

fn sextet(char: u8) -> Option<u8> {
    match char {
        b'A'..=b'Z' => Some(char - b'A'),
        b'a'..=b'z' => Some(char - b'a' + 26),
        b'0'..=b'9' => Some(char - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            kind: TokenKind::Resume,
            room: 0x0123_4567_89AB_CDEF_0011_2233_4455_6677,
            seat: u128::MAX,
            expires_s: 1_800_000_000,
            serial: 3,
            nonce: 42,
        }
    }

    #[test]
    fn a_token_returns_from_its_text() {
        let text = token().to_text(&[7; 32]);
        assert_eq!(text.len(), TOKEN_CHARS);
        assert_eq!(Token::from_text(&text), Ok((token(), [7; 32])));
    }

    #[test]
    fn no_two_texts_are_the_same_token() {
        let text = token().to_text(&[7; 32]);
        let original = Token::from_text(&text);
        for at in 0..text.len() {
            for char in 0u8..128 {
                let mut other = text.clone().into_bytes();
                if other[at] == char {
                    continue;
                }
                other[at] = char;
                let other = String::from_utf8(other).unwrap();
                assert_ne!(Token::from_text(&other), original, "{char} at {at}");
            }
        }
    }

    #[test]
    fn other_lengths_are_no_tokens() {
        let text = token().to_text(&[7; 32]);
        for end in 0..text.len() {
            assert_eq!(Token::from_text(&text[..end]), Err(BadToken));
        }
        assert_eq!(Token::from_text(&format!("{text}A")), Err(BadToken));
        assert_eq!(Token::from_text(&format!("{text}=")), Err(BadToken));
    }
}
