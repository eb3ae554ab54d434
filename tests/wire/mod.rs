//! A WebSocket client that speaks raw bytes, and a server for it to speak to.
//!
//! Every wait of the client is under one generous guard, so that a hanging server
//! fails a test; no test depends on how long anything takes.

#![allow(dead_code, reason = "each test binary uses the part that it needs")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use tickwire::net::{
    Ended, HttpLimits, Limits, Message, Origins, UpgradePolicy, WebSocket, accept_upgrade,
    serve_http,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a test waits for what must come.
const GUARD: Duration = Duration::from_secs(30);

/// The cap of the game socket in these tests.
pub(crate) const CAP: usize = 16 * 1024;

/// A handshake that the server of these tests accepts.
pub(crate) const HANDSHAKE: &str = "GET /play HTTP/1.1\r\n\
    Host: localhost\r\n\
    Connection: Upgrade\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: tickwire.test\r\n";

/// Fails the test when `future` hangs.
pub(crate) async fn guard<T>(future: impl Future<Output = T>) -> T {
    timeout(GUARD, future).await.expect("the server neither answers nor closes")
}

/// The limits of a game socket.
pub(crate) fn game() -> Limits {
    Limits::game(CAP, 1024 * 1024)
}

/// The limits of a socket for any client, with the same cap.
pub(crate) fn general() -> Limits {
    Limits::general(CAP, 1024 * 1024)
}

/// The policy of the server in these tests.
pub(crate) fn policy() -> UpgradePolicy {
    UpgradePolicy {
        origins: Origins::Only(["https://good.example".to_owned()].into()),
        origin_required: false,
        subprotocols: &["tickwire.test"],
        subprotocol_required: true,
    }
}

/// A server that sends each message back.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// How each WebSocket ended, in the order of their ends.
    endings: mpsc::UnboundedReceiver<Ended>,
}

impl Server {
    /// Listens with these limits.
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::with(limits, HttpLimits::default(), policy()).await
    }

    /// Listens with these limits and this policy.
    pub(crate) async fn with(limits: Limits, http: HttpLimits, policy: UpgradePolicy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ended, endings) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, limits, http, policy.clone(), ended.clone()));
            }
        });
        Self { address, endings }
    }

    /// How the next WebSocket ended.
    pub(crate) async fn ended(&mut self) -> Ended {
        guard(self.endings.recv()).await.unwrap()
    }

    /// A client whose handshake is done.
    pub(crate) async fn upgraded(&self) -> RawClient<TcpStream> {
        let mut client = self.connected().await;
        client.send(format!("{HANDSHAKE}\r\n").as_bytes()).await;
        let response = client.read_response().await;
        assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
        client
    }

    /// A client that has said nothing.
    pub(crate) async fn connected(&self) -> RawClient<TcpStream> {
        RawClient::new(TcpStream::connect(self.address).await.unwrap())
    }
}

async fn serve(
    stream: TcpStream,
    limits: Limits,
    http: HttpLimits,
    policy: UpgradePolicy,
    ended: mpsc::UnboundedSender<Ended>,
) {
    let service = hyper::service::service_fn(|mut request| {
        let response = match accept_upgrade::<TcpStream, _>(&mut request, &policy) {
            Ok((response, upgrading)) => {
                let ended = ended.clone();
                tokio::spawn(async move {
                    let upgraded = upgrading.stream().await.unwrap();
                    let socket = WebSocket::tcp(upgraded.stream, &upgraded.unread, &limits);
                    let _ = ended.send(echo(socket).await);
                });
                response
            }
            Err(refusal) => refusal.response(),
        };
        async { Ok::<_, Infallible>(response) }
    });
    // How HTTP ended is seen by the client.
    let _ = serve_http(stream, &http, service).await;
}

/// Sends each message back until there are no more.
pub(crate) async fn echo<R, W>(mut socket: WebSocket<R, W>) -> Ended
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let ended = loop {
        match socket.next().await {
            Ok(Message::Binary(bytes)) => socket.queue_binary(b"", &[bytes]).unwrap(),
            Ok(Message::Text(text)) => {
                socket.queue_text(std::str::from_utf8(&text).unwrap()).unwrap();
            }
            Err(ended) => break ended,
        }
        if let Err(ended) = socket.flush().await {
            break ended;
        }
    };
    socket.finish().await;
    ended
}

/// A client that says whatever a test wants.
pub(crate) struct RawClient<S> {
    pub(crate) stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> RawClient<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        guard(self.stream.write_all(bytes)).await.unwrap();
    }

    /// Sends as much as the server takes before it closes.
    pub(crate) async fn send_until_closed(&mut self, bytes: &[u8]) {
        let _ = guard(self.stream.write_all(bytes)).await;
    }

    /// The status line and headers of a response.
    pub(crate) async fn read_response(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(guard(self.stream.read_u8()).await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    /// Everything until the server closes.
    pub(crate) async fn read_to_end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        guard(self.stream.read_to_end(&mut rest)).await.unwrap();
        rest
    }

    /// The first byte and the payload of the next frame.
    pub(crate) async fn read_frame(&mut self) -> (u8, Vec<u8>) {
        let first = guard(self.stream.read_u8()).await.unwrap();
        let length = match guard(self.stream.read_u8()).await.unwrap() {
            126 => u64::from(guard(self.stream.read_u16()).await.unwrap()),
            127 => guard(self.stream.read_u64()).await.unwrap(),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        guard(self.stream.read_exact(&mut payload)).await.unwrap();
        (first, payload)
    }

    /// The code and text of the close frame that must come next, with nothing after it.
    pub(crate) async fn read_close(&mut self) -> (u16, String) {
        let (first, payload) = self.read_frame().await;
        assert_eq!(first, 0x88, "not a close frame: {payload:?}");
        assert_eq!(self.read_to_end().await, b"", "something follows the close frame");
        let (code, text) = payload.split_at(2);
        (u16::from_be_bytes([code[0], code[1]]), String::from_utf8(text.to_vec()).unwrap())
    }

    /// Only the code of [`read_close`](Self::read_close).
    pub(crate) async fn read_close_code(&mut self) -> u16 {
        self.read_close().await.0
    }
}

/// A masked frame of a client.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len() as u64);
    let mask = frame[frame.len() - 4..].to_vec();
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The header of a masked frame, which ends with the mask.
pub(crate) fn header(first: u8, length: u64) -> Vec<u8> {
    let mut header = vec![first];
    match length {
        0..126 => header.push(0x80 | length as u8),
        126..0x1_0000 => {
            header.push(0xfe);
            header.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            header.push(0xff);
            header.extend_from_slice(&length.to_be_bytes());
        }
    }
    header.extend_from_slice(&[0x12, 0x34, 0x56, 0x78]);
    header
}

pub(crate) const BINARY: u8 = 0x82;
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const FIRST_BINARY_FRAGMENT: u8 = 0x02;
pub(crate) const FIRST_TEXT_FRAGMENT: u8 = 0x01;
pub(crate) const MIDDLE_FRAGMENT: u8 = 0x00;
pub(crate) const LAST_FRAGMENT: u8 = 0x80;
