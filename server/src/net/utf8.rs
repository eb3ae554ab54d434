//! UTF-8 that arrives in pieces: refused at the first byte that cannot be right.

/// The bytes are not UTF-8, whatever follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotUtf8;

/// The state between two pieces of one text.
#[derive(Debug, Default)]
pub(super) struct Utf8Check {
    /// The beginning of a character whose end has not come; always completable.
    begun: [u8; 4],
    /// How many bytes of `begun` count: at most three.
    begun_len: usize,
}

impl Utf8Check {
    /// Takes the next piece.
    pub(super) fn push(&mut self, mut piece: &[u8]) -> Result<(), NotUtf8> {
        while self.begun_len > 0 {
            let Some((&first, rest)) = piece.split_first() else {
                return Ok(());
            };
            piece = rest;
            self.begun[self.begun_len] = first;
            let begun_len = self.begun_len + 1;
            self.begun_len = match std::str::from_utf8(&self.begun[..begun_len]) {
                Ok(_) => 0,
                Err(error) if error.error_len().is_none() => begun_len,
                Err(_) => return Err(NotUtf8),
            };
        }
        let Err(error) = std::str::from_utf8(piece) else {
            return Ok(());
        };
        if error.error_len().is_some() {
            return Err(NotUtf8);
        }
        let tail = &piece[error.valid_up_to()..];
        self.begun[..tail.len()].copy_from_slice(tail);
        self.begun_len = tail.len();
        Ok(())
    }

    /// Ends the text; the next piece begins another.
    pub(super) fn finish(&mut self) -> Result<(), NotUtf8> {
        if std::mem::take(&mut self.begun_len) == 0 { Ok(()) } else { Err(NotUtf8) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: [&[u8]; 10] = [
        b"plain",
        "κόσμε \u{10ffff} \u{7ff}\u{800}\u{d7ff}\u{e000}".as_bytes(),
        b"",
        b"\xf0\x9f\x98",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"ok\xffok",
        b"\x80",
        b"\xe2\x82",
    ];

    #[test]
    fn pieces_and_the_whole_are_judged_alike() {
        for sample in SAMPLES {
            let whole = std::str::from_utf8(sample).is_ok();
            for first in 0..=sample.len() {
                for second in first..=sample.len() {
                    let mut check = Utf8Check::default();
                    let pieces = [&sample[..first], &sample[first..second], &sample[second..]];
                    let judged = pieces.iter().try_for_each(|piece| check.push(piece));
                    let judged = judged.and_then(|()| check.finish());
                    assert_eq!(judged.is_ok(), whole, "{sample:?} at {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn the_first_impossible_byte_is_refused_at_once() {
        let mut check = Utf8Check::default();
        assert_eq!(check.push(b"\xf4"), Ok(()));
        assert_eq!(check.push(b"\x90"), Err(NotUtf8));
    }
}
