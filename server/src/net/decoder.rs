//! Bytes of a client in, messages out. Pure: no socket, no clock.
//!
//! The [`Gate`] judges a frame; when it is complete, its payload is unmasked where
//! it lies. Messages are taken either from the decoder's own bytes, or without a
//! copy from an [`Intake`] that many sockets share. What is absent: answers to
//! control frames.

use std::ops::Range;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fastwebsockets::unmask;

use super::bucket::Bucket;
use super::close::{Violation, parse_close};
use super::gate::{Admitted, Gate, Opcode, SHORT_HEADER_BYTES, Short};
use super::intake::Intake;
use super::limits::{KEEP_BYTES_MAX, Limits, Mode};

/// A message from the peer. It shares its memory with the read buffer: decode it
/// at once, and keep what you need rather than the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Bytes.
    Binary(Bytes),
    /// Bytes that are UTF-8.
    Text(Bytes),
}

/// What the peer sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// A whole message.
    Message(Message),
    /// A ping, with the payload that its pong must carry.
    Ping(Bytes),
    /// The close handshake, with the peer's code if it gave one.
    Close(Option<u16>),
}

/// How often the peer sent what carries no data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ping frames.
    pub pings: u64,
    /// Pong frames.
    pub pongs: u64,
    /// Data frames without data.
    pub empties: u64,
}

/// A message in an [`Intake`], or put together from fragments.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// In the intake.
    There(Range<usize>),
    /// By itself.
    Joined(Bytes),
    /// A ping, with the payload that its pong must carry.
    Ping(Bytes),
    /// The close handshake, with the peer's code if it gave one.
    Close(Option<u16>),
}

/// What a frame means.
enum Meaning {
    /// Its payload is a message.
    Message,
    /// It ends a message of fragments.
    Joined,
    Ping,
    Close(Option<u16>),
    /// A pong, a fragment, or a message that is dropped.
    Nothing,
}

/// The receiving half of a WebSocket. After a violation or a close frame it must
/// not be asked again. What every frame touches comes first, side by side.
#[repr(C)]
pub(super) struct Decoder {
    mode: Mode,
    /// `rest` may hold whole frames.
    fresh: bool,
    /// Frames that were read; tells one frame's deadline from the next one's.
    frames: u64,
    /// From the first byte of the frame that was not taken.
    rest: BytesMut,
    gate: Gate,
    /// The fragments of the message that is open: at most the message cap.
    fragments: BytesMut,
    controls: Bucket,
    empties: Bucket,
    counts: Counts,
}

impl Decoder {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            mode: limits.mode,
            gate: Gate::new(limits),
            rest: BytesMut::new(),
            fresh: false,
            fragments: BytesMut::new(),
            controls: Bucket::new(limits.controls),
            empties: Bucket::new(limits.empties),
            counts: Counts::default(),
            frames: 0,
        }
    }

    /// Lets `fill` append bytes of the peer.
    pub(super) fn fill<T>(&mut self, fill: impl FnOnce(&mut BytesMut) -> T) -> T {
        self.fresh = true;
        fill(&mut self.rest)
    }

    /// Whether a frame has begun that is not complete.
    pub(super) fn mid_frame(&self) -> bool {
        !self.rest.is_empty()
    }

    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether fragments of a message have been taken and its end has not come.
    pub(super) fn mid_message(&self) -> bool {
        self.gate.mid_message()
    }

    /// The bytes from the first frame on that was not taken.
    pub(super) fn into_unread(self) -> Bytes {
        self.rest.freeze()
    }

    /// The next thing that the peer sent, or nothing when more bytes are needed.
    /// `now` is the age of the connection; it is asked only when a rate is limited.
    pub(super) fn next(
        &mut self,
        now: impl Fn() -> Duration,
    ) -> Result<Option<Incoming>, Violation> {
        loop {
            let mut rest = std::mem::take(&mut self.rest);
            let taken = self.take(&mut rest, &now);
            let Some((frame, meaning)) = taken? else {
                (self.rest, self.fresh) = (rest, false);
                return Ok(None);
            };
            let mut payload = rest.split_to(frame.bytes);
            let payload = payload.split_off(frame.bytes - frame.payload_bytes).freeze();
            // A read buffer that one long frame has made large is freed.
            let large = frame.bytes > KEEP_BYTES_MAX && rest.is_empty();
            self.rest = if large { BytesMut::new() } else { rest };
            let message = |bytes| match frame.text {
                true => Incoming::Message(Message::Text(bytes)),
                false => Incoming::Message(Message::Binary(bytes)),
            };
            return Ok(Some(match meaning {
                Meaning::Message => message(payload),
                Meaning::Joined => message(std::mem::take(&mut self.fragments).freeze()),
                Meaning::Ping => Incoming::Ping(payload),
                Meaning::Close(code) => Incoming::Close(code),
                Meaning::Nothing => continue,
            }));
        }
    }

    /// Puts what is left of an earlier time into an intake, for more bytes to follow;
    /// whether there may be something to find in it already.
    pub(super) fn begin(&mut self, intake: &mut Intake) -> bool {
        intake.begin(&self.rest);
        std::mem::take(&mut self.fresh)
    }

    /// [`next`](Self::next), from an intake.
    #[inline]
    pub(super) fn next_in(
        &mut self,
        intake: &mut Intake,
        now: impl Fn() -> Duration,
    ) -> Result<Option<Found>, Violation> {
        if intake.rest().is_empty() {
            return Ok(None);
        }
        if let Some(Short { payload_bytes, mask }) = self.gate.pass_short(intake.rest()) {
            let payload = intake.advance(SHORT_HEADER_BYTES + payload_bytes, payload_bytes);
            unmask(intake.at_mut(payload.clone()), mask);
            self.frames += 1;
            return Ok(Some(Found::There(payload)));
        }
        self.next_judged(intake, now)
    }

    /// The next thing in an intake that is no short message.
    #[inline(never)]
    fn next_judged(
        &mut self,
        intake: &mut Intake,
        now: impl Fn() -> Duration,
    ) -> Result<Option<Found>, Violation> {
        loop {
            let Some((frame, meaning)) = self.take(intake.rest(), &now)? else {
                return Ok(None);
            };
            let payload = intake.advance(frame.bytes, frame.payload_bytes);
            return Ok(Some(match meaning {
                Meaning::Message => Found::There(payload),
                Meaning::Joined => Found::Joined(std::mem::take(&mut self.fragments).freeze()),
                Meaning::Ping => Found::Ping(Bytes::copy_from_slice(intake.at(payload))),
                Meaning::Close(code) => Found::Close(code),
                Meaning::Nothing => continue,
            }));
        }
    }

    /// Keeps what an intake holds of a frame that is not complete.
    pub(super) fn keep(&mut self, intake: &mut Intake) {
        let rest = intake.rest();
        if rest.is_empty() {
            // Between two frames nothing is held.
            if self.rest.capacity() > 0 {
                self.rest = BytesMut::new();
            }
        } else {
            self.rest.clear();
            self.rest.extend_from_slice(rest);
        }
    }

    /// Takes the frame that `bytes` begin with, and unmasks its payload in place.
    fn take(
        &mut self,
        bytes: &mut [u8],
        now: &impl Fn() -> Duration,
    ) -> Result<Option<(Admitted, Meaning)>, Violation> {
        let Some(frame) = self.gate.judge(bytes)? else { return Ok(None) };
        let payload = &mut bytes[frame.bytes - frame.payload_bytes..frame.bytes];
        unmask(payload, frame.mask);
        self.frames += 1;
        self.charge(frame, now)?;
        let meaning = match frame.opcode {
            Opcode::Ping => Meaning::Ping,
            Opcode::Pong => Meaning::Nothing,
            Opcode::Close => Meaning::Close(parse_close(payload)?),
            Opcode::Text | Opcode::Binary if frame.fin => Meaning::Message,
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                self.fragments.extend_from_slice(payload);
                if frame.fin { Meaning::Joined } else { Meaning::Nothing }
            }
        };
        let empty = frame.payload_bytes == 0 && matches!(meaning, Meaning::Message);
        let dropped = empty && self.mode == Mode::Game;
        Ok(Some((frame, if dropped { Meaning::Nothing } else { meaning })))
    }

    /// Counts a frame that carries no data, and limits its rate.
    fn charge(&mut self, frame: Admitted, now: impl Fn() -> Duration) -> Result<(), Violation> {
        let (count, bucket, flood) = match frame.opcode {
            Opcode::Ping => (&mut self.counts.pings, &mut self.controls, Violation::ControlFlood),
            Opcode::Pong => (&mut self.counts.pongs, &mut self.controls, Violation::ControlFlood),
            Opcode::Continuation | Opcode::Text | Opcode::Binary if frame.payload_bytes == 0 => {
                (&mut self.counts.empties, &mut self.empties, Violation::EmptyFlood)
            }
            Opcode::Continuation | Opcode::Text | Opcode::Binary | Opcode::Close => return Ok(()),
        };
        *count += 1;
        if bucket.take(now()) { Ok(()) } else { Err(flood) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [1, 2, 4, 8];

    fn masked(payload: &[u8]) -> Vec<u8> {
        payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
    }

    /// A masked frame with a short payload.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap()];
        frame.extend_from_slice(&MASK);
        frame.extend_from_slice(&masked(payload));
        frame
    }

    fn binary(bytes: &'static [u8]) -> Result<Option<Incoming>, Violation> {
        Ok(Some(Incoming::Message(Message::Binary(Bytes::from_static(bytes)))))
    }

    fn next(decoder: &mut Decoder) -> Result<Option<Incoming>, Violation> {
        decoder.next(|| Duration::ZERO)
    }

    fn game() -> Decoder {
        Decoder::new(&Limits::game(16 * 1024, 0))
    }

    #[test]
    fn frames_come_out_one_by_one_wherever_the_reads_were_cut() {
        let bytes = [frame(0x82, b"one"), frame(0x89, b"two"), frame(0x82, b"three")].concat();
        for cut in 0..=bytes.len() {
            let mut decoder = game();
            let mut seen = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                decoder.fill(|buffer| buffer.extend_from_slice(part));
                while let Some(incoming) = next(&mut decoder).unwrap() {
                    seen.push(incoming);
                }
            }
            assert_eq!(seen.len(), 3);
            assert_eq!(seen[1], Incoming::Ping(Bytes::from_static(b"two")));
            assert_eq!(seen.pop().map(Some).map(Ok), Some(binary(b"three")));
            assert!(!decoder.mid_frame());
        }
    }

    #[test]
    fn an_intake_gives_the_same_wherever_the_reads_were_cut() {
        let bytes = [frame(0x82, b"one"), frame(0x89, b"two"), frame(0x82, b"three")].concat();
        let mut intake = Intake::new(1024);
        for cut in 0..=bytes.len() {
            let mut decoder = game();
            let mut seen = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                assert!(!decoder.begin(&mut intake));
                intake.put(part);
                while let Some(found) = decoder.next_in(&mut intake, || Duration::ZERO).unwrap() {
                    seen.push(match found {
                        Found::There(range) => intake.at(range).to_vec(),
                        Found::Ping(payload) => payload.to_vec(),
                        other => panic!("{other:?}"),
                    });
                }
                decoder.keep(&mut intake);
            }
            assert_eq!(seen, [&b"one"[..], b"two", b"three"]);
            assert!(!decoder.mid_frame());
        }
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        let mut decoder = game();
        let announced = [&[0x82, 0xfe, 0x40, 0x00], &MASK[..]].concat();
        decoder.fill(|buffer| buffer.extend_from_slice(&announced));
        assert_eq!(next(&mut decoder), Ok(None));
        assert!(decoder.mid_frame());
        assert!(decoder.fill(|buffer| buffer.capacity()) < 1024);
    }

    #[test]
    fn messages_before_a_violation_are_delivered() {
        let mut decoder = game();
        let bytes = [frame(0x82, b"good"), frame(0x83, b"bad")].concat();
        decoder.fill(|buffer| buffer.extend_from_slice(&bytes));
        assert_eq!(next(&mut decoder), binary(b"good"));
        assert_eq!(next(&mut decoder), Err(Violation::ReservedOpcode));
    }

    #[test]
    fn unread_bytes_can_be_taken_along() {
        let mut decoder = game();
        let bytes = [frame(0x82, b"hello"), frame(0x82, b"early")].concat();
        decoder.fill(|buffer| buffer.extend_from_slice(&bytes));
        assert_eq!(next(&mut decoder), binary(b"hello"));
        assert_eq!(decoder.into_unread(), frame(0x82, b"early"));
    }

    #[test]
    fn fragments_are_joined_around_control_frames() {
        let mut decoder = Decoder::new(&Limits::general(100, 0));
        let bytes = [frame(0x02, b"in "), frame(0x8a, b""), frame(0x80, b"two")].concat();
        decoder.fill(|buffer| buffer.extend_from_slice(&bytes));
        assert_eq!(next(&mut decoder), binary(b"in two"));
        assert_eq!(decoder.counts().pongs, 1);
    }

    #[test]
    fn empty_messages_are_dropped_on_a_game_socket_and_limited() {
        let mut decoder = game();
        let burst = Limits::game(0, 0).empties.burst;
        decoder.fill(|buffer| buffer.extend_from_slice(&frame(0x82, b"").repeat(burst as usize)));
        assert_eq!(next(&mut decoder), Ok(None));
        assert_eq!(decoder.counts().empties, u64::from(burst));
        decoder.fill(|buffer| buffer.extend_from_slice(&frame(0x82, b"")));
        assert_eq!(next(&mut decoder), Err(Violation::EmptyFlood));

        let mut decoder = Decoder::new(&Limits::general(100, 0));
        decoder.fill(|buffer| buffer.extend_from_slice(&frame(0x82, b"")));
        assert_eq!(next(&mut decoder), binary(b""));
    }

    #[test]
    fn long_frames_do_not_leave_a_long_buffer_behind() {
        let mut decoder = Decoder::new(&Limits::general(1 << 20, 0));
        let mut long = vec![0x82, 0xff];
        long.extend_from_slice(&(1u64 << 20).to_be_bytes());
        long.extend_from_slice(&[0; 4]);
        long.resize(long.len() + (1 << 20), 5);
        decoder.fill(|buffer| buffer.extend_from_slice(&long));
        assert!(next(&mut decoder).unwrap().is_some());
        assert_eq!(decoder.fill(|buffer| buffer.capacity()), 0);
    }
}
