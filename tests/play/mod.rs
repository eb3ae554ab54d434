//! A server with a small game, and a client for it that speaks bytes.
//!
//! Every wait is under the guard of [`crate::wire`]; nothing depends on how long
//! anything takes.

#![allow(dead_code, reason = "each test binary uses the part that it needs")]

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value as Json, json};
use tickwire::config::{Config, SecretKey};
use tickwire::game::{Cx, Game, Inputs as Controls, Leave, PlayerId, Refusal};
use tickwire::net::Stays;
use tickwire::pages::Pages;
use tickwire::server::{Handle, Place, Server, Wish};
use tickwire::token::Signer;
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::message::{ClientMessage, Hello, Inputs, ServerMessage, VERSION};
use tickwire_protocol::{Entity, Id, Message, Table, Tick, World};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, LocalSet};

use crate::wire::{BINARY, CLOSE, PING, RawClient, frame, guard};

/// The key of the servers in these tests.
pub(crate) const KEY: [u8; 32] = [7; 32];

/// What a client sees.
#[derive(World, Debug)]
pub(crate) struct Board {
    pub(crate) marks: Table<Mark>,
}

/// The steps of the room.
#[derive(Entity, Clone, PartialEq, Debug)]
pub(crate) struct Mark {
    pub(crate) steps: u32,
}

/// What a client may ask for.
#[derive(Message, Clone, PartialEq, Debug)]
pub(crate) enum Ask {
    Nothing,
    Panic,
    Lock,
    End,
    Burn,
}

#[derive(Message, Clone, PartialEq, Default, Debug)]
pub(crate) struct Nothing {}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    #[serde(default)]
    title: String,
    #[serde(default)]
    refuse: bool,
    #[serde(default)]
    panic: bool,
}

/// Titles of the rooms that were told of their end.
pub(crate) static DISPOSED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Counts its steps; a room of two seats.
pub(crate) struct Tally {
    mark: Id<Mark>,
    /// Each step takes longer than there is time for it.
    burns: bool,
}

impl Game for Tally {
    const NAME: &'static str = "tally";
    const TICK_HZ: u32 = 100;
    const SEATS_MAX: usize = 2;
    type World = Board;
    type Input = Nothing;
    type Command = Ask;
    type Reply = Nothing;
    type Event = Nothing;
    type Options = Options;

    fn create(options: Options, cx: &mut Cx<Self>) -> Result<Self, Refusal> {
        assert!(!options.panic, "this room was asked to panic");
        if options.refuse {
            return Err(Refusal::new(100, "not like this"));
        }
        cx.listing.title = options.title;
        Ok(Tally { mark: cx.world.marks.spawn(Mark { steps: 0 }), burns: false })
    }

    fn join(&mut self, _: &mut Cx<Self>, _: PlayerId) -> Result<(), Refusal> {
        Ok(())
    }

    fn step(&mut self, cx: &mut Cx<Self>, _: &Controls<Nothing>) {
        let begun = Instant::now();
        while self.burns && begun.elapsed() < Duration::from_millis(15) {}
        if let Some(mark) = cx.world.marks.get_mut(self.mark) {
            mark.steps += 1;
        }
    }

    fn leave(&mut self, _: &mut Cx<Self>, _: PlayerId, _: Leave) {}

    fn command(
        &mut self,
        cx: &mut Cx<Self>,
        _: PlayerId,
        command: Ask,
    ) -> Result<Nothing, Refusal> {
        match command {
            Ask::Nothing => {}
            Ask::Panic => panic!("the game was asked to panic"),
            Ask::Lock => cx.listing.locked = true,
            Ask::End => cx.end(),
            Ask::Burn => self.burns = true,
        }
        Ok(Nothing {})
    }

    fn dispose(&mut self, cx: &mut Cx<Self>) {
        DISPOSED.lock().unwrap().push(cx.listing.title.clone());
    }
}

/// The settings of most tests.
pub(crate) fn config() -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        workers: 1,
        secret_key: Some(SecretKey(KEY)),
        // Few of these clients answer a goodbye.
        drain: Duration::ZERO,
        ..Config::default()
    }
}

/// Signs as the servers do.
pub(crate) fn signer() -> Signer {
    Signer::new(&KEY)
}

/// A server that runs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    shutdown: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(config: Config) -> Running {
        Running::start_with(config, Pages::default()).await
    }

    pub(crate) async fn start_with(config: Config, pages: Pages) -> Running {
        let server = Server::builder().game::<Tally>().pages(pages).config(config);
        let server = server.bind().await.unwrap();
        let (shutdown, stop) = oneshot::channel();
        Running {
            address: server.addr(),
            handle: server.handle(),
            shutdown,
            done: tokio::spawn(server.run_until(async { drop(stop.await) })),
        }
    }

    /// Stops in order, and waits for the end.
    pub(crate) async fn stop(self) {
        let _ = self.shutdown.send(());
        guard(self.done).await.unwrap();
    }

    /// Asks to stop; the end is to be awaited.
    pub(crate) fn begin_to_stop(self) -> JoinHandle<()> {
        let _ = self.shutdown.send(());
        self.done
    }

    pub(crate) async fn raw(&self) -> RawClient<TcpStream> {
        RawClient::new(guard(TcpStream::connect(self.address)).await.unwrap())
    }

    /// Status and body of a request without one.
    pub(crate) async fn get(&self, path: &str) -> (u16, Json) {
        let (status, _, body) = self.request("GET", path, "", "").await;
        (status, serde_json::from_str(&body).unwrap())
    }

    /// Status and body of a request to join.
    pub(crate) async fn join(&self, body: Json) -> (u16, Json) {
        let kind = "Content-Type: application/json\r\n";
        let (status, _, body) = self.request("POST", "/api/join", kind, &body.to_string()).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    /// The token for a seat, and its room.
    pub(crate) async fn seat(&self, body: Json) -> (String, String) {
        let (status, answer) = self.join(body).await;
        assert_eq!(status, 200, "{answer}");
        let text = |field: &str| answer[field].as_str().unwrap().to_owned();
        (text("token"), text("room"))
    }

    /// Status, head and body of a request.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, String, String) {
        let mut client = self.raw().await;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: play.test:1234\r\nConnection: close\r\n\
             Content-Length: {length}\r\n{headers}\r\n{body}"
        );
        client.send(request.as_bytes()).await;
        let head = client.read_response().await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = String::from_utf8(client.read_to_end().await).unwrap();
        (status, head, body)
    }

    /// A client that has said hello with this token.
    pub(crate) async fn connect(&self, token: &str) -> Player<TcpStream> {
        Player::over(TcpStream::connect(self.address).await.unwrap(), token).await
    }

    /// A client with a seat in any room.
    pub(crate) async fn player(&self) -> (Player<TcpStream>, String) {
        self.player_of(json!({"game": "tally"})).await
    }

    pub(crate) async fn player_of(&self, wish: Json) -> (Player<TcpStream>, String) {
        let (token, room) = self.seat(wish).await;
        let mut player = self.connect(&token).await;
        player.welcome().await;
        (player, room)
    }
}

/// Runs a test with a server on this thread, whose time stands still until all wait.
pub(crate) async fn simulated<F>(config: Config, test: impl FnOnce(Handle) -> F)
where
    F: Future<Output = ()>,
{
    let local = Server::builder().game::<Tally>().config(config).local().unwrap();
    let handle = local.handle();
    let (shutdown, stop) = oneshot::channel::<()>();
    let set = LocalSet::new();
    let worker = set.spawn_local(local.run_until(async { drop(stop.await) }));
    set.run_until(test(handle)).await;
    drop(shutdown);
    set.run_until(worker).await.unwrap();
}

/// The client's end of a stream that the server has accepted.
pub(crate) fn stream(handle: &Handle) -> DuplexStream {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let handle = handle.clone();
    tokio::spawn(async move { handle.serve(Stays(server)).await });
    client
}

/// A wish for a seat in any room.
pub(crate) fn any_room() -> Wish {
    let place = Place::Game { name: "tally".to_owned(), options: json!(null), private: false };
    Wish { place, name: "Ann".to_owned() }
}

/// A handshake that the server accepts.
pub(crate) fn handshake(more: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: play.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: tickwire.1\r\n{more}\r\n"
    )
}

/// The bytes of a Hello.
pub(crate) fn hello(token: &str, applied: Option<Tick>) -> Vec<u8> {
    let mut bytes = Vec::new();
    ClientMessage::Hello(Hello { version: VERSION, schema: None, token, applied })
        .write(&mut bytes);
    bytes
}

/// A client with a WebSocket.
pub(crate) struct Player<S> {
    pub(crate) raw: RawClient<S>,
    /// For the next connection.
    pub(crate) token: String,
    /// The last tick that was seen.
    pub(crate) tick: Tick,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Player<S> {
    /// Upgrades a stream.
    pub(crate) async fn upgraded(stream: S) -> Player<S> {
        let mut raw = RawClient::new(stream);
        raw.send(handshake("").as_bytes()).await;
        let response = raw.read_response().await;
        assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
        Player { raw, token: String::new(), tick: Tick(0) }
    }

    /// Upgrades a stream and says hello.
    pub(crate) async fn over(stream: S, token: &str) -> Player<S> {
        let mut player = Player::upgraded(stream).await;
        player.raw.send(&frame(BINARY, &hello(token, None))).await;
        player
    }

    pub(crate) async fn say(&mut self, message: &ClientMessage<'_>) {
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        self.raw.send(&frame(BINARY, &bytes)).await;
    }

    pub(crate) async fn ask(&mut self, ask: Ask) {
        let mut body = Vec::new();
        ask.encode(&mut body);
        self.say(&ClientMessage::Command { id: 1, body: &body }).await;
    }

    /// The next message; pings of the server are passed over.
    pub(crate) async fn message(&mut self) -> Vec<u8> {
        loop {
            let (first, payload) = self.raw.read_frame().await;
            match first {
                BINARY => return payload,
                PING => {}
                other => panic!("not a message but {other:#x}: {payload:?}"),
            }
        }
    }

    /// The Welcome that must come first.
    pub(crate) async fn welcome(&mut self) -> u32 {
        let message = self.message().await;
        match ServerMessage::read(&message) {
            Ok(ServerMessage::Welcome(welcome)) => {
                assert_eq!((welcome.game, welcome.tick_hz), ("tally", 100));
                self.token = welcome.token.to_owned();
                welcome.player
            }
            other => panic!("not a welcome: {other:?}"),
        }
    }

    /// The tick of the next frame, which is acknowledged.
    pub(crate) async fn next_frame(&mut self) -> Tick {
        loop {
            let message = self.message().await;
            if let ServerMessage::Frame(frame) = ServerMessage::read(&message).unwrap() {
                self.tick = frame.tick_after(self.tick);
                self.say(&ClientMessage::Input(Inputs::ack(self.tick))).await;
                return self.tick;
            }
        }
    }

    /// The reason that the server gives in its last message and its close frame;
    /// nothing comes after.
    pub(crate) async fn ending(mut self) -> CloseReason {
        let mut said = None;
        loop {
            let (first, payload) = self.raw.read_frame().await;
            match first {
                BINARY => {
                    if let ServerMessage::Bye { reason, .. } =
                        ServerMessage::read(&payload).unwrap()
                    {
                        assert_eq!(said.replace(reason), None, "one goodbye is enough");
                    }
                }
                PING => {}
                CLOSE => {
                    let (code, text) = payload.split_at(2);
                    let code = u16::from_be_bytes([code[0], code[1]]);
                    let reason = CloseReason::from_code(code, std::str::from_utf8(text).unwrap());
                    assert_eq!(said.unwrap_or(reason), reason, "message and close frame agree");
                    self.raw.send_until_closed(&frame(CLOSE, &payload[..2])).await;
                    let mut rest = Vec::new();
                    // A reset after the close frame is an end as well.
                    let _ = guard(self.raw.stream.read_to_end(&mut rest)).await;
                    assert_eq!(rest, b"", "something follows the close frame");
                    return reason;
                }
                other => panic!("{other:#x}: {payload:?}"),
            }
        }
    }
}

/// The tick that a frame leads to.
trait TickAfter {
    fn tick_after(&self, last: Tick) -> Tick;
}

impl TickAfter for tickwire_protocol::frame::Frame<'_> {
    fn tick_after(&self, last: Tick) -> Tick {
        match self.header.step {
            tickwire_protocol::frame::Step::Full(tick) => tick,
            tickwire_protocol::frame::Step::Advance(by) => last.after(by),
        }
    }
}
