//! A client of the least kind: it counts frames and acknowledges them.

use std::io;
use std::net::SocketAddr;

use tickwire_protocol::Tick;
use tickwire_protocol::frame::Step;
use tickwire_protocol::message::{ClientMessage, Hello, Inputs, ServerMessage, VERSION};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

/// What the kernel keeps for a client that will stop reading: little, so that the
/// server soon feels it.
const RECEIVE_BUFFER_BYTES: u32 = 4096;

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: play.test\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: tickwire.1\r\n\r\n";

const BINARY: u8 = 0x82;
const PING: u8 = 0x89;

/// A client with a WebSocket.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    /// The payload of the last frame of the WebSocket.
    payload: Vec<u8>,
    /// Bytes of the header before it.
    header_bytes: usize,
    /// The tick of the last frame.
    pub(crate) tick: Tick,
}

impl Client {
    /// Takes a seat.
    pub(crate) async fn join(address: SocketAddr, token: &str, narrow: bool) -> io::Result<Client> {
        let socket = TcpSocket::new_v4()?;
        if narrow {
            socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let stream = BufReader::new(stream);
        let mut client = Client { stream, payload: Vec::new(), header_bytes: 0, tick: Tick(0) };
        client.stream.write_all(HANDSHAKE.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.stream.read_u8().await?);
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()));
        }
        let hello = Hello { version: VERSION, schema: None, token, applied: None };
        client.say(&ClientMessage::Hello(hello)).await?;
        Ok(client)
    }

    /// Reads the Welcome: the game has seen the player.
    #[allow(dead_code, reason = "not every test cares in which order players come")]
    pub(crate) async fn welcome(&mut self) -> io::Result<()> {
        let first = self.read().await?;
        match ServerMessage::read(&self.payload) {
            Ok(ServerMessage::Welcome(_)) if first == BINARY => Ok(()),
            other => Err(io::Error::other(format!("{first:#x}: {other:?}"))),
        }
    }

    /// Reads until a frame of the room, and says how many ticks it brings the client on;
    /// nothing for the whole state.
    pub(crate) async fn frame(&mut self) -> io::Result<Option<u32>> {
        loop {
            let first = self.read().await?;
            if first == PING {
                continue;
            }
            let message = ServerMessage::read(&self.payload);
            match message {
                Ok(ServerMessage::Frame(frame)) if first == BINARY => {
                    return Ok(match frame.header.step {
                        Step::Full(tick) => {
                            self.tick = tick;
                            None
                        }
                        Step::Advance(by) => {
                            self.tick = self.tick.after(by);
                            Some(by)
                        }
                    });
                }
                Ok(ServerMessage::Welcome(_)) if first == BINARY => {}
                other => return Err(io::Error::other(format!("{first:#x}: {other:?}"))),
            }
        }
    }

    /// Bytes of the last frame, with the WebSocket's.
    #[allow(dead_code, reason = "not every test asks")]
    pub(crate) fn frame_bytes(&self) -> usize {
        self.header_bytes + self.payload.len()
    }

    /// Says that the last frame is applied.
    #[allow(dead_code, reason = "not every test only acknowledges")]
    pub(crate) async fn ack(&mut self) -> io::Result<()> {
        self.say(&ClientMessage::Input(Inputs::ack(self.tick))).await
    }

    /// Sends a message.
    pub(crate) async fn say(&mut self, message: &ClientMessage<'_>) -> io::Result<()> {
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        // A mask of zeros is a mask.
        let mut frame = vec![BINARY];
        match u16::try_from(bytes.len()) {
            Ok(short @ 0..126) => frame.push(0x80 | short as u8),
            Ok(length) => {
                frame.push(0x80 | 126);
                frame.extend(length.to_be_bytes());
            }
            Err(error) => return Err(io::Error::other(error)),
        }
        frame.extend([0; 4]);
        frame.extend(&bytes);
        self.stream.write_all(&frame).await
    }

    /// The first byte of the next frame of the WebSocket.
    async fn read(&mut self) -> io::Result<u8> {
        let first = self.stream.read_u8().await?;
        let (header_bytes, length) = match self.stream.read_u8().await? {
            126 => (4, u64::from(self.stream.read_u16().await?)),
            127 => (10, self.stream.read_u64().await?),
            short => (2, u64::from(short)),
        };
        self.header_bytes = header_bytes;
        self.payload.clear();
        let length = usize::try_from(length).map_err(io::Error::other)?;
        self.payload.resize(length, 0);
        self.stream.read_exact(&mut self.payload).await?;
        Ok(first)
    }
}
