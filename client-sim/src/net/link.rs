//! A connection, with what is wrong with the way to the server.
//!
//! ```text
//!  socket ─► [slow: a bucket] ─► frames ─► [lag: a queue] ─► messages
//!  socket ◄───────── unsent ◄─────────── [lag: a queue] ◄─ messages
//! ```
//!
//! Nothing here waits: the caller polls, and asks for the deadline.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tickwire_protocol::Time;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Breach, Came, FrameReader, Opcode, Opened, Stream, write_frame};
use crate::dice::Dice;
use crate::plan::Trouble;
use crate::settings::Delay;

/// A bot keeps no more memory than this for what is sent at once.
const KEPT_BYTES: usize = 1024;
/// A bucket that has less than this waits.
const SIP_BYTES: u64 = 64;
/// Bytes that lag holds back: at the limit the socket is not read.
const LAG_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a connection is of no use any more.
#[derive(Debug)]
pub(crate) enum Lost {
    /// It ended, or failed.
    Ended,
    /// The server breaks the rules of WebSocket.
    Breach(Breach),
}

/// A WebSocket that is open.
#[derive(Debug)]
pub(crate) struct Link {
    stream: Stream,
    reader: FrameReader,
    /// What came with the answer to the upgrade, and was not looked at.
    early: Bytes,
    /// What the kernel has not taken yet.
    unsent: Vec<u8>,
    way: Way,
    dice: Dice,
}

#[derive(Debug)]
enum Way {
    Direct,
    Slow(Bucket),
    Lag(Box<Lag>),
}

impl Link {
    pub(crate) fn new(opened: Opened, trouble: Option<Trouble>, dice: Dice, now: Time) -> Link {
        let way = match trouble {
            Some(Trouble::Slow(rate)) => Way::Slow(Bucket::new(rate.0, now)),
            Some(Trouble::Lag(delay)) => Way::Lag(Box::new(Lag::new(delay))),
            _ => Way::Direct,
        };
        let Opened { stream, early, reader } = opened;
        Link { stream, reader, early, unsent: Vec::new(), way, dice }
    }

    /// Reads once, and hands over the messages that are there by now, until `each`
    /// says that it is enough. Gives how many bytes came from the socket.
    pub(crate) fn receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        now: Time,
        mut each: impl FnMut(Came<'_>) -> bool,
    ) -> Poll<Result<usize, Lost>> {
        if let Way::Lag(lag) = &mut self.way {
            let went_on = lag.deliver(now, &mut each);
            if !went_on || lag.held >= LAG_BYTES_MAX {
                return Poll::Pending;
            }
        }
        let early = std::mem::take(&mut self.early);
        let came: &[u8] = if early.is_empty() {
            let most = match &mut self.way {
                Way::Slow(bucket) => bucket.allowance(now).min(buffer.len() as u64) as usize,
                _ => buffer.len(),
            };
            if most == 0 {
                return Poll::Pending;
            }
            let mut space = ReadBuf::new(&mut buffer[..most]);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space));
            read.map_err(|_| Lost::Ended)?;
            let read = space.filled().len();
            if read == 0 {
                return Poll::Ready(Err(Lost::Ended));
            }
            if let Way::Slow(bucket) = &mut self.way {
                bucket.take(read as u64);
            }
            &buffer[..read]
        } else {
            &early
        };
        self.take(came, now, each).map_err(Lost::Breach)?;
        Poll::Ready(Ok(came.len()))
    }

    fn take(
        &mut self,
        bytes: &[u8],
        now: Time,
        mut each: impl FnMut(Came<'_>) -> bool,
    ) -> Result<(), Breach> {
        let Link { reader, unsent, way, dice, .. } = self;
        reader.feed(bytes, |came| match (came, &mut *way) {
            (Came::Ping(payload), _) => {
                write_frame(Opcode::Pong, payload, dice, unsent);
                true
            }
            (came, Way::Lag(lag)) => {
                lag.hold(came, now, dice);
                true
            }
            (came, _) => each(came),
        })
    }

    /// Queues a message.
    pub(crate) fn send(&mut self, message: &[u8], now: Time) {
        match &mut self.way {
            Way::Lag(lag) => {
                let mut bytes = Vec::with_capacity(message.len() + 14);
                write_frame(Opcode::Binary, message, &mut self.dice, &mut bytes);
                lag.hold_back(bytes, now, &mut self.dice);
            }
            _ => write_frame(Opcode::Binary, message, &mut self.dice, &mut self.unsent),
        }
    }

    /// Queues bytes as they are, whatever they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// Queues the end.
    pub(crate) fn send_close(&mut self, code: u16) {
        write_frame(Opcode::Close, &code.to_be_bytes(), &mut self.dice, &mut self.unsent);
    }

    /// Gives the kernel what it takes; ready when all is with it.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>, now: Time) -> Poll<io::Result<()>> {
        if let Way::Lag(lag) = &mut self.way {
            lag.release(now, &mut self.unsent);
        }
        while !self.unsent.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.unsent))?;
            self.unsent.drain(..written);
        }
        if self.unsent.capacity() > KEPT_BYTES {
            self.unsent = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// When there is something to do that the socket does not tell of.
    pub(crate) fn deadline(&self) -> Option<Time> {
        match &self.way {
            Way::Direct => None,
            Way::Slow(bucket) => bucket.deadline(),
            Way::Lag(lag) => lag.deadline(),
        }
    }

    /// Ends the connection as a cable does that is pulled: no goodbye, and a reset.
    pub(crate) fn cut(self) {
        // Where it does not work, closing it is nearly the same.
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO));
    }
}

/// What may be read: refilled by time, up to a tenth of a second's worth.
#[derive(Debug)]
struct Bucket {
    rate: u64,
    bytes: u64,
    filled: Time,
    /// When it has enough again, if it has not.
    enough: Option<Time>,
}

impl Bucket {
    fn new(rate: u64, now: Time) -> Bucket {
        Bucket { rate, bytes: 0, filled: now, enough: None }
    }

    /// What may be read now; 0 if that is too little to be worth it.
    fn allowance(&mut self, now: Time) -> u64 {
        let gained = u128::from(now.0.saturating_sub(self.filled.0)) * u128::from(self.rate);
        let gained = (gained / 1_000_000) as u64;
        if gained > 0 {
            self.filled = now;
        }
        self.bytes = (self.bytes + gained).min((self.rate / 10).max(2 * SIP_BYTES));
        if self.bytes >= SIP_BYTES {
            self.enough = None;
            return self.bytes;
        }
        let missing = (SIP_BYTES - self.bytes) * 1_000_000 / self.rate;
        self.enough = Some(Time(self.filled.0 + missing + 1));
        0
    }

    fn take(&mut self, bytes: u64) {
        self.bytes -= bytes;
    }

    fn deadline(&self) -> Option<Time> {
        self.enough
    }
}

/// What is on its way, in both directions, oldest first.
#[derive(Debug)]
struct Lag {
    delay: Delay,
    coming: VecDeque<(Time, Held)>,
    going: VecDeque<(Time, Vec<u8>)>,
    /// Bytes in `coming`.
    held: usize,
}

#[derive(Debug)]
enum Held {
    Message(Vec<u8>),
    Close(u16, String),
}

impl Lag {
    fn new(delay: Delay) -> Lag {
        Lag { delay, coming: VecDeque::new(), going: VecDeque::new(), held: 0 }
    }

    /// When something that sets out now arrives: nothing overtakes.
    fn arrival(&self, last: Option<Time>, now: Time, dice: &mut Dice) -> Time {
        let Delay { base, jitter } = self.delay;
        let due = now + dice.time(base - jitter, base + jitter);
        last.map_or(due, |last| due.max(last))
    }

    fn hold(&mut self, came: Came<'_>, now: Time, dice: &mut Dice) {
        let held = match came {
            Came::Message(bytes) => Held::Message(bytes.to_vec()),
            Came::Close(code, text) => Held::Close(code, text.to_owned()),
            Came::Ping(_) => return,
        };
        if let Held::Message(bytes) = &held {
            self.held += bytes.len();
        }
        let due = self.arrival(self.coming.back().map(|it| it.0), now, dice);
        self.coming.push_back((due, held));
    }

    /// Hands over what has arrived; whether it may go on.
    fn deliver(&mut self, now: Time, each: &mut impl FnMut(Came<'_>) -> bool) -> bool {
        while let Some((_, held)) = self.coming.pop_front_if(|(due, _)| *due <= now) {
            let go_on = match &held {
                Held::Message(bytes) => {
                    self.held -= bytes.len();
                    each(Came::Message(bytes))
                }
                Held::Close(code, text) => each(Came::Close(*code, text)),
            };
            if !go_on {
                return false;
            }
        }
        true
    }

    fn hold_back(&mut self, bytes: Vec<u8>, now: Time, dice: &mut Dice) {
        let due = self.arrival(self.going.back().map(|it| it.0), now, dice);
        self.going.push_back((due, bytes));
    }

    fn release(&mut self, now: Time, unsent: &mut Vec<u8>) {
        while let Some((_, bytes)) = self.going.pop_front_if(|(due, _)| *due <= now) {
            unsent.extend_from_slice(&bytes);
        }
    }

    fn deadline(&self) -> Option<Time> {
        let coming = self.coming.front().map(|it| it.0);
        let going = self.going.front().map(|it| it.0);
        [coming, going].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_lets_through_its_rate_and_no_more() {
        let mut bucket = Bucket::new(20_000, Time(0));
        let mut read = 0;
        for ms in 1..=10_000 {
            let most = bucket.allowance(Time::from_millis(ms));
            bucket.take(most);
            read += most;
            assert!(most <= 2000 && (most == 0 || most >= SIP_BYTES));
        }
        assert!((198_000..=200_000).contains(&read), "{read}");
        assert_eq!(bucket.allowance(Time::from_millis(60_000)), 2000, "it does not save up");
    }

    #[test]
    fn a_bucket_says_when_it_has_enough() {
        let mut bucket = Bucket::new(1000, Time(0));
        assert_eq!(bucket.allowance(Time(0)), 0);
        let enough = bucket.deadline().unwrap();
        assert_eq!(bucket.allowance(Time(enough.0 - 1001)), 0);
        assert!(bucket.allowance(enough) >= SIP_BYTES, "{enough:?}");
    }

    #[test]
    fn lag_delays_and_never_reorders() {
        let delay = Delay { base: Duration::from_millis(100), jitter: Duration::from_millis(30) };
        let (mut lag, mut dice) = (Lag::new(delay), Dice::new(5));
        let (mut sent, mut seen) = (0u8, Vec::new());
        for ms in 0..1000 {
            let now = Time::from_millis(ms);
            if ms % 10 == 0 && sent < 80 {
                lag.hold(Came::Message(&[sent, (ms / 10) as u8]), now, &mut dice);
                sent += 1;
            }
            lag.deliver(now, &mut |came| {
                let Came::Message(bytes) = came else { return false };
                let age = ms - u64::from(bytes[1]) * 10;
                assert!((70..=131).contains(&age), "{age} ms");
                seen.push(bytes[0]);
                true
            });
        }
        assert_eq!(seen, (0..80).collect::<Vec<u8>>());
        assert_eq!((lag.held, lag.deadline()), (0, None));
    }
}
