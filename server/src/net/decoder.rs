//! Bytes of a client in, messages out. Pure: no socket, no clock.
//!
//! The [`Gate`] judges a frame; when it is complete, fastwebsockets reads it:
//! takes it apart and unmasks it. The reader is only polled when a whole frame is
//! waiting for it, so it never stops in the middle, reserves nothing for bytes
//! that are only announced, and need not be cancel-safe. What is absent: answers
//! to control frames.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use fastwebsockets::{Payload, Role, WebSocketRead, after_handshake_split};
use tokio::io::{AsyncRead, ReadBuf};

use super::bucket::Bucket;
use super::close::{Violation, parse_close};
use super::gate::{Admitted, Gate, Opcode};
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

/// Bytes between the socket and the reader.
#[derive(Debug, Default)]
struct Inlet {
    /// From the first byte that the reader has not taken.
    bytes: BytesMut,
    /// How many of `bytes` the gate has let through.
    passed: usize,
}

/// The reader's end of the [`Inlet`]. The lock joins no tasks: the reader keeps
/// its stream to itself, so this is the way to hand it bytes; it is never contended.
struct Outlet(Arc<Mutex<Inlet>>);

impl AsyncRead for Outlet {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let inlet = &mut *lock(&self.0);
        let taken = inlet.passed.min(buf.remaining());
        buf.put_slice(&inlet.bytes[..taken]);
        inlet.bytes.advance(taken);
        inlet.passed -= taken;
        Poll::Ready(Ok(()))
    }
}

fn lock(inlet: &Mutex<Inlet>) -> MutexGuard<'_, Inlet> {
    inlet.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The receiving half of a WebSocket. After a violation or a close frame it must
/// not be asked again.
pub(super) struct Decoder {
    mode: Mode,
    gate: Gate,
    inlet: Arc<Mutex<Inlet>>,
    reader: WebSocketRead<Outlet>,
    /// The fragments of the message that is open: at most the message cap.
    fragments: BytesMut,
    controls: Bucket,
    empties: Bucket,
    counts: Counts,
    /// Frames that were read; tells one frame's deadline from the next one's.
    frames: u64,
}

impl Decoder {
    pub(super) fn new(limits: &Limits) -> Self {
        let inlet = Arc::new(Mutex::new(Inlet::default()));
        let outlet = Outlet(Arc::clone(&inlet));
        let (mut reader, _) = after_handshake_split(outlet, tokio::io::empty(), Role::Server);
        reader.set_auto_close(false);
        reader.set_auto_pong(false);
        // The reader's limit excludes its value, and the gate has judged before it.
        reader.set_max_message_size(limits.message_bytes_max.max(125).saturating_add(1));
        Self {
            mode: limits.mode,
            gate: Gate::new(limits),
            inlet,
            reader,
            fragments: BytesMut::new(),
            controls: Bucket::new(limits.controls),
            empties: Bucket::new(limits.empties),
            counts: Counts::default(),
            frames: 0,
        }
    }

    /// Lets `fill` append bytes of the peer.
    pub(super) fn fill<T>(&mut self, fill: impl FnOnce(&mut BytesMut) -> T) -> T {
        fill(&mut lock(&self.inlet).bytes)
    }

    /// Whether a frame has begun that is not complete.
    pub(super) fn mid_frame(&self) -> bool {
        !lock(&self.inlet).bytes.is_empty()
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
        std::mem::take(&mut lock(&self.inlet).bytes).freeze()
    }

    /// The next thing that the peer sent, or nothing when more bytes are needed.
    /// `now` is the age of the connection; it is asked only when a rate is limited.
    pub(super) fn next(
        &mut self,
        now: impl Fn() -> Duration,
    ) -> Result<Option<Incoming>, Violation> {
        loop {
            let frame = {
                let inlet = &mut *lock(&self.inlet);
                let Some(frame) = self.gate.judge(&inlet.bytes)? else {
                    return Ok(None);
                };
                inlet.passed = frame.bytes;
                frame
            };
            let payload = self.read()?;
            self.give_back(frame);
            self.frames += 1;
            self.charge(frame, &now)?;
            if let Some(incoming) = self.accept(frame, payload)? {
                return Ok(Some(incoming));
            }
        }
    }

    /// Has the reader take the frame that the gate has let through.
    fn read(&mut self) -> Result<Bytes, Violation> {
        let mut unused_answer = |_| -> Ready<Result<(), Infallible>> { ready(Ok(())) };
        let reading = pin!(self.reader.read_frame(&mut unused_answer));
        match reading.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(frame)) => Ok(match frame.payload {
                Payload::Bytes(payload) => payload.freeze(),
                other => Bytes::copy_from_slice(&other),
            }),
            Poll::Ready(Err(_)) | Poll::Pending => Err(Violation::Malformed),
        }
    }

    /// Frees a read buffer that one long frame has made large.
    fn give_back(&mut self, frame: Admitted) {
        let inlet = &mut *lock(&self.inlet);
        if frame.bytes > KEEP_BYTES_MAX && inlet.bytes.is_empty() {
            inlet.bytes = BytesMut::new();
        }
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

    /// What a frame means; nothing for a pong, a fragment and a dropped message.
    fn accept(&mut self, frame: Admitted, payload: Bytes) -> Result<Option<Incoming>, Violation> {
        let payload = match frame.opcode {
            Opcode::Ping => return Ok(Some(Incoming::Ping(payload))),
            Opcode::Pong => return Ok(None),
            Opcode::Close => return Ok(Some(Incoming::Close(parse_close(&payload)?))),
            Opcode::Text | Opcode::Binary if frame.fin => payload,
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                self.fragments.extend_from_slice(&payload);
                if !frame.fin {
                    return Ok(None);
                }
                std::mem::take(&mut self.fragments).freeze()
            }
        };
        if payload.is_empty() && self.mode == Mode::Game {
            return Ok(None);
        }
        let message = if frame.text { Message::Text(payload) } else { Message::Binary(payload) };
        Ok(Some(Incoming::Message(message)))
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
