//! Who may come in: signing tokens, and checking them.
//!
//! The text of a token is [`tickwire_protocol::token`]'s; here are the key and
//! the wall clock. A token is good if its signature is, and its time is not up;
//! whether it was used before is its room's to say.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tickwire_protocol::token::{BadToken, SIGNATURE_BYTES, Token};

/// Bytes of a signing key.
pub const KEY_BYTES: usize = 32;

/// The key that tokens are signed with. Servers with the same key trust each
/// other's tokens. It is never shown.
#[derive(Clone)]
pub struct Signer {
    /// HMAC-SHA256, keyed; cloned for each token.
    keyed: Hmac<Sha256>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(…)")
    }
}

impl Signer {
    /// Signs with this key.
    pub fn new(key: &[u8; KEY_BYTES]) -> Signer {
        Signer { keyed: Hmac::new_from_slice(key).expect("HMAC takes keys of any length") }
    }

    /// The text of a token.
    pub fn sign(&self, token: &Token) -> String {
        let signature: [u8; SIGNATURE_BYTES] =
            self.keyed.clone().chain_update(token.signed_bytes()).finalize().into_bytes().into();
        token.to_text(&signature)
    }

    /// The token that a text is, if this key signed it and its time is not up.
    /// Why it is not good is nobody's business.
    pub fn verify(&self, text: &str, now_s: u64) -> Result<Token, BadToken> {
        let (token, signature) = Token::from_text(text)?;
        let keyed = self.keyed.clone().chain_update(token.signed_bytes());
        keyed.verify(&signature.into()).map_err(|_| BadToken)?;
        if token.expires_s < now_s { Err(BadToken) } else { Ok(token) }
    }
}

/// The wall clock: seconds since 1970.
pub fn unix_seconds() -> u64 {
    // A clock before 1970 is wrong, and no token is good by it for long.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// 128 bits that nobody can guess.
///
/// # Errors
/// If the operating system has none.
pub fn unguessable() -> std::io::Result<u128> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
    Ok(u128::from_le_bytes(bytes))
}

/// A key that nobody can guess.
///
/// # Errors
/// If the operating system has no randomness.
pub fn random_key() -> std::io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(std::io::Error::from)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use tickwire_protocol::token::TokenKind;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn token() -> Token {
        Token { kind: TokenKind::Seat, room: 1, seat: 2, expires_s: NOW, serial: 0, nonce: 3 }
    }

    #[test]
    fn a_token_is_good_until_its_time_is_up() {
        let signer = Signer::new(&[7; KEY_BYTES]);
        let text = signer.sign(&token());
        assert_eq!(signer.verify(&text, NOW - 15), Ok(token()));
        assert_eq!(signer.verify(&text, NOW), Ok(token()));
        assert_eq!(signer.verify(&text, NOW + 1), Err(BadToken));
    }

    #[test]
    fn a_token_of_another_key_is_not_good() {
        let text = Signer::new(&[8; KEY_BYTES]).sign(&token());
        assert_eq!(Signer::new(&[7; KEY_BYTES]).verify(&text, NOW), Err(BadToken));
    }

    #[test]
    fn one_bit_flipped_anywhere_is_not_good() {
        let signer = Signer::new(&[7; KEY_BYTES]);
        let text = signer.sign(&token());
        for at in 0..text.len() {
            for bit in 0..7 {
                let mut other = text.clone().into_bytes();
                other[at] ^= 1 << bit;
                let other = String::from_utf8(other).unwrap();
                assert_eq!(signer.verify(&other, NOW), Err(BadToken), "bit {bit} at {at}");
            }
        }
    }

    #[test]
    fn a_signer_does_not_show_its_key() {
        assert_eq!(format!("{:?}", Signer::new(&[7; KEY_BYTES])), "Signer(…)");
    }
}
