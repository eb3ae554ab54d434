//! A client: the real session, over a blocking socket, that looks every few
//! milliseconds how old its state is.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tickwire_protocol::Time;
use tickwire_protocol::client::{Config, SessionEvent, TypedSession};

use crate::game::{Tide, now_us};

/// How often the age is looked at.
const SAMPLE_EVERY_US: u64 = 5_000;
/// Time before the first sample that counts: buffers have filled by then.
const WARM_US: u64 = 5_000_000;

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: play.test\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: tickwire.1\r\n\r\n";

/// What a client has seen.
pub(crate) struct Seen {
    /// The ages of its state, in microseconds, ascending.
    pub(crate) ages: Vec<u64>,
    /// Frames that it applied while it looked.
    pub(crate) frames: u64,
    /// Bytes that it read meanwhile.
    pub(crate) bytes: u64,
}

/// Plays for a time.
pub(crate) fn play(
    address: SocketAddr,
    token: &str,
    time: Duration,
) -> Result<Seen, Box<dyn Error>> {
    let origin = now_us();
    let now = || Time(now_us() - origin);
    let mut socket = Socket::open(address)?;
    let mut session = TypedSession::<Tide>::new(Config::new("ws://server/", token, 1), now())?;
    let mut seen = Seen { ages: Vec::new(), frames: 0, bytes: 0 };
    let end = WARM_US + u64::try_from(time.as_micros())?;
    let (mut next_sample, mut out) = (WARM_US, Vec::new());
    while now().0 < end {
        if let Some(bytes) = socket.read()? {
            seen.bytes += if now().0 >= WARM_US { bytes as u64 } else { 0 };
        }
        while let Some(message) = socket.next_message() {
            session.handle_message(&message, now())?;
        }
        session.handle_timeout(now());
        while let Some(event) = session.poll_event() {
            match event {
                SessionEvent::Connect { .. } => session.handle_open(now()),
                SessionEvent::Frame { merged, .. } if now().0 >= WARM_US => {
                    seen.frames += u64::from(merged);
                }
                SessionEvent::Closed { cause, .. } => return Err(cause.to_string().into()),
                _ => {}
            }
        }
        while session.poll_transmit(&mut out) {
            socket.send(&out)?;
        }
        let made = session.world().stamps.iter().next().map(|(_, stamp)| stamp.micros);
        while let Some(made) = made
            && next_sample <= now().0
        {
            seen.ages.push(now_us().saturating_sub(made));
            next_sample += SAMPLE_EVERY_US;
        }
    }
    seen.ages.sort_unstable();
    Ok(seen)
}

/// A WebSocket as far as this needs one.
struct Socket {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Socket {
    fn open(address: SocketAddr) -> io::Result<Socket> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.write_all(HANDSHAKE.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()));
        }
        stream.set_read_timeout(Some(Duration::from_millis(2)))?;
        Ok(Socket { stream, unread: Vec::new() })
    }

    /// Reads what is there; nothing if nothing comes for a moment.
    fn read(&mut self) -> io::Result<Option<usize>> {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.unread.extend_from_slice(&piece[..count]);
                Ok(Some(count))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The payload of the next frame that is here as a whole.
    fn next_message(&mut self) -> Option<Vec<u8>> {
        let (head, length) = match *self.unread.get(1)? {
            126 => {
                (4, usize::from(u16::from_be_bytes([*self.unread.get(2)?, *self.unread.get(3)?])))
            }
            // Frames of this game are shorter than 64 KB.
            short => (2, usize::from(short)),
        };
        let payload = self.unread.get(head..head + length)?.to_vec();
        self.unread.drain(..head + length);
        Some(payload)
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let mut frame = vec![0x82];
        match message.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            // What this client says is shorter than 64 KB.
            long => {
                frame.push(0x80 | 126);
                frame.extend((long as u16).to_be_bytes());
            }
        }
        // A mask of zeros is a mask.
        frame.extend([0; 4]);
        frame.extend_from_slice(message);
        self.stream.write_all(&frame)
    }
}
