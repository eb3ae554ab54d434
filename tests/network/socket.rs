//! The client's end of a connection, over the simulated network: a seat over
//! HTTP, and a WebSocket that a driver may cease to poll at any time.

use std::io;

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use turmoil::net::TcpStream;

use crate::wire::{BINARY, CLOSE, PING, PONG, frame};

pub(crate) const SERVER: &str = "server";
pub(crate) const PORT: u16 = 7777;

/// Asks for a seat in any room: its token, if there is one.
pub(crate) async fn seat() -> Option<String> {
    let body = r#"{"game": "ledger", "name": "Ann"}"#;
    let request = format!(
        "POST /api/join HTTP/1.1\r\nHost: {SERVER}:{PORT}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect((SERVER, PORT)).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.ok()?;
    let response = String::from_utf8(response).ok()?;
    let (head, body) = response.split_once("\r\n\r\n")?;
    let answer: Json = serde_json::from_str(body).ok()?;
    let granted = head.starts_with("HTTP/1.1 200 ");
    granted.then(|| answer["token"].as_str().map(str::to_owned)).flatten()
}

/// What came.
#[derive(Debug)]
pub(crate) enum Came {
    Message(Vec<u8>),
    Close(u16, String),
}

/// A WebSocket. All it does may be dropped unfinished and begun again.
pub(crate) struct Socket {
    read: ReadHalf<TcpStream>,
    write: WriteHalf<TcpStream>,
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

impl Socket {
    /// Connects and upgrades.
    pub(crate) async fn open() -> io::Result<Socket> {
        let mut stream = TcpStream::connect((SERVER, PORT)).await?;
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {SERVER}:{PORT}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: tickwire.1\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            response.push(stream.read_u8().await?);
        }
        if !response.starts_with(b"HTTP/1.1 101 ") {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (read, write) = tokio::io::split(stream);
        Ok(Socket { read, write, unread: Vec::new(), unsent: Vec::new() })
    }

    /// Queues a message.
    pub(crate) fn send(&mut self, message: &[u8]) {
        self.unsent.extend(frame(BINARY, message));
    }

    /// Reads at most so many bytes, and writes what is queued meanwhile.
    ///
    /// # Errors
    /// If the connection is lost.
    pub(crate) async fn carry(&mut self, bytes_max: usize) -> io::Result<()> {
        let mut piece = vec![0; bytes_max];
        loop {
            tokio::select! {
                biased;
                count = self.read.read(&mut piece) => {
                    let count = count?;
                    self.unread.extend_from_slice(&piece[..count]);
                    return if count > 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
                }
                count = self.write.write(&self.unsent), if !self.unsent.is_empty() => {
                    let count = count?;
                    self.unsent.drain(..count);
                }
            }
        }
    }

    /// The next message that has come; pings are answered.
    pub(crate) fn came(&mut self) -> Option<Came> {
        loop {
            let (first, payload) = self.next_frame()?;
            match first {
                BINARY => return Some(Came::Message(payload)),
                PING => self.unsent.extend(frame(PONG, &payload)),
                CLOSE => {
                    let (code, text) = payload.split_at(2);
                    let code = u16::from_be_bytes([code[0], code[1]]);
                    let text = String::from_utf8(text.to_vec()).expect("close texts are UTF-8");
                    return Some(Came::Close(code, text));
                }
                other => panic!("the server sent {other:#x}: {payload:?}"),
            }
        }
    }

    /// The first byte and the payload of a frame that is here as a whole.
    fn next_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (first, length) = (*self.unread.first()?, *self.unread.get(1)?);
        let extended = |bytes: usize| {
            let digits = self.unread.get(2..2 + bytes)?;
            let length = digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit));
            Some((2 + bytes, length))
        };
        let (head, length) = match length {
            126 => extended(2)?,
            127 => extended(8)?,
            short => (2, usize::from(short)),
        };
        let payload = self.unread.get(head..head + length)?.to_vec();
        self.unread.drain(..head + length);
        Some((first, payload))
    }
}
