//! A server of two rooms on one worker: one to be abused, and one whose player
//! watches that nothing comes of it.

use std::net::SocketAddr;

use tickwire::config::Config;
use tickwire::game::Game;
use tickwire::metrics::GameMetrics;
use tickwire::room::RoomId;
use tickwire::server::{Handle, Place, Server, Wish};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::frame::Step;
use tickwire_protocol::message::{ClientMessage, ServerMessage};
use tickwire_protocol::{Message, Tick};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::game::{Ask, Mischief, Told};
use crate::log;
use crate::play::Player;
use crate::wire::{BINARY, CLOSE, PING, RawClient, frame, guard};

/// Frames that show that a room goes on.
const FRAMES: u32 = 20;

pub(crate) struct Yard {
    address: SocketAddr,
    pub(crate) handle: Handle,
    /// The room to be abused.
    pub(crate) room: RoomId,
    /// Frames that the bystander, in the other room, has had.
    seen: watch::Receiver<u32>,
    bystander: JoinHandle<()>,
    shutdown: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

impl Yard {
    pub(crate) async fn open(config: Config) -> Yard {
        log::capture();
        let server = Server::builder().game::<Mischief>().config(config).bind().await.unwrap();
        let (address, handle) = (server.addr(), server.handle());
        let (shutdown, stop) = oneshot::channel();
        let done = tokio::spawn(server.run_until(async { drop(stop.await) }));
        let room = handle.create_room(Mischief::NAME, ().into(), false).await.unwrap();
        let other = handle.create_room(Mischief::NAME, ().into(), false).await.unwrap();
        let mut player = player(address, &handle, other).await;
        let (counted, seen) = watch::channel(0);
        let bystander = tokio::spawn(async move {
            loop {
                player.next_frame().await;
                counted.send_modify(|count| *count += 1);
            }
        });
        Yard { address, handle, room, seen, bystander, shutdown, done }
    }

    /// A player of the room to be abused.
    pub(crate) async fn victim(&self) -> Player<TcpStream> {
        player(self.address, &self.handle, self.room).await
    }

    /// A player with a token, after the Welcome.
    pub(crate) async fn connect(&self, token: &str) -> Player<TcpStream> {
        connect(self.address, token).await
    }

    /// What happened in all rooms of the game.
    pub(crate) async fn counts(&self) -> GameMetrics {
        self.handle.metrics().await.game(Mischief::NAME)
    }

    /// Fails unless the log names the room to be abused, and its game, with these words.
    pub(crate) fn is_named(&self, words: &str) {
        let (room, game) = (self.room.to_string(), format!("game=\"{}\"", Mischief::NAME));
        assert!(!log::lines(&[&room, &game, words]).is_empty(), "the log does not say {words:?}");
    }

    /// The process is alive, and the other room goes on; then the server ends in order.
    pub(crate) async fn goes_on(self) {
        let Yard { address, mut seen, bystander, shutdown, done, .. } = self;
        let from = *seen.borrow_and_update();
        let frames = seen.wait_for(|count| *count >= from + FRAMES);
        guard(frames).await.expect("the bystander was disturbed");
        let mut client = RawClient::new(TcpStream::connect(address).await.unwrap());
        client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(client.read_response().await.starts_with("HTTP/1.1 200 "));
        bystander.abort();
        let _ = shutdown.send(());
        guard(done).await.unwrap();
        // Tokens of players, as text, begin like this; nothing else does.
        let tokens = log::lines(&["AQH"]);
        assert!(tokens.is_empty(), "{tokens:?}");
    }
}

async fn player(address: SocketAddr, handle: &Handle, room: RoomId) -> Player<TcpStream> {
    let wish = Wish { place: Place::Room(room), name: String::new() };
    let ticket = handle.join(wish).await.unwrap();
    connect(address, &ticket.token).await
}

async fn connect(address: SocketAddr, token: &str) -> Player<TcpStream> {
    let mut player = Player::over(TcpStream::connect(address).await.unwrap(), token).await;
    let message = player.message().await;
    match ServerMessage::read(&message) {
        Ok(ServerMessage::Welcome(welcome)) => player.token = welcome.token.to_owned(),
        other => panic!("not a welcome: {other:?}"),
    }
    player
}

/// Asks the game for something.
pub(crate) async fn ask(player: &mut Player<TcpStream>, ask: Ask) {
    let mut body = Vec::new();
    ask.encode(&mut body);
    player.say(&ClientMessage::Command { id: 1, body: &body }).await;
}

/// What the game has seen of the player.
pub(crate) async fn told(player: &mut Player<TcpStream>) -> Told {
    ask(player, Ask::Tell).await;
    loop {
        let message = player.message().await;
        if let Ok(ServerMessage::Reply { outcome, .. }) = ServerMessage::read(&message) {
            return Told::decode(outcome.unwrap()).unwrap();
        }
    }
}

/// A frame as far as these tests look into it.
pub(crate) struct Seen {
    pub(crate) full: bool,
    pub(crate) tick: Tick,
    pub(crate) processed: Option<u32>,
}

/// What a message says if it is a frame; `last` is the tick of the one before.
pub(crate) fn seen(message: &[u8], last: Tick) -> Option<Seen> {
    let Ok(ServerMessage::Frame(frame)) = ServerMessage::read(message) else { return None };
    let (full, tick) = match frame.header.step {
        Step::Full(tick) => (true, tick),
        Step::Advance(by) => (false, last.after(by)),
    };
    Some(Seen { full, tick, processed: frame.header.processed })
}

/// Everything that is left to read: how many frames, and why it ends.
pub(crate) async fn rest(mut player: Player<TcpStream>) -> (u32, CloseReason) {
    let mut frames = 0;
    loop {
        let (first, payload) = player.raw.read_frame().await;
        match first {
            BINARY => frames += u32::from(seen(&payload, Tick(0)).is_some()),
            PING => {}
            CLOSE => {
                let (code, text) = payload.split_at(2);
                let code = u16::from_be_bytes([code[0], code[1]]);
                player.raw.send_until_closed(&frame(CLOSE, &payload[..2])).await;
                return (frames, CloseReason::from_code(code, std::str::from_utf8(text).unwrap()));
            }
            other => panic!("{other:#x}: {payload:?}"),
        }
    }
}
