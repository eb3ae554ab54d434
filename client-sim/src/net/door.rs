//! The server's door: what it offers, a seat in a room, and the WebSocket to it.

use std::fmt;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use fastwebsockets::handshake::generate_key;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tickwire_protocol::message::SUBPROTOCOL;
use tokio::time::timeout;

use super::http::{ANSWER_WITHIN, Answer, HttpError, Io, ask};
use super::stream::{Stream, connect};
use super::{Address, FrameReader};

/// Where to ask.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    url: Address,
}

/// A game that the server has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Game {
    pub(crate) name: String,
    pub(crate) tick_hz: u32,
    /// A frame every so many ticks.
    pub(crate) send_every: u32,
    pub(crate) schema: String,
}

/// Where a seat is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// In a room of its own, which others can be told of.
    New { game: &'a str, options: &'a Value },
    /// In this room.
    Room(&'a str),
}

/// A seat.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) room: String,
}

/// Why the server's door cannot be used at all.
#[derive(Debug)]
pub(crate) enum DoorError {
    /// Nobody answers.
    Http(HttpError),
    /// Somebody answers, who is not a Tickwire server.
    Stranger(String),
}

impl fmt::Display for DoorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DoorError::Http(error) => error.fmt(f),
            DoorError::Stranger(what) => write!(f, "not a Tickwire server: {what}"),
        }
    }
}

/// Why there is no seat.
#[derive(Debug)]
pub(crate) enum JoinError {
    Http(HttpError),
    /// The server said no.
    Refused {
        status: StatusCode,
        /// The server's word for the reason; empty if it gave none.
        code: String,
        message: String,
        retry_after: Option<Duration>,
    },
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Http(error) => error.fmt(f),
            JoinError::Refused { status, message, .. } if message.is_empty() => status.fmt(f),
            JoinError::Refused { status, message, .. } => {
                write!(f, "{message} ({})", status.as_u16())
            }
        }
    }
}

/// Why there is no WebSocket.
#[derive(Debug)]
pub(crate) enum OpenError {
    Connect(io::Error),
    /// The server did not switch protocols.
    Refused(StatusCode),
    Broken(String),
    Silent,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Connect(error) => error.fmt(f),
            OpenError::Refused(status) => write!(f, "the upgrade was answered with {status}"),
            OpenError::Broken(why) => write!(f, "the upgrade failed: {why}"),
            OpenError::Silent => f.write_str("the upgrade was not answered in time"),
        }
    }
}

/// A WebSocket.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    /// What came after the answer already.
    pub(crate) early: Bytes,
    pub(crate) reader: FrameReader,
}

impl Door {
    pub(crate) fn new(url: Address) -> Door {
        Door { url }
    }

    /// The games that the server has.
    pub(crate) async fn games(&self) -> Result<Vec<Game>, DoorError> {
        let answer = ask(&self.url, Method::GET, "/api/games", None).await;
        let Answer { status, body, .. } = answer.map_err(DoorError::Http)?;
        if status != StatusCode::OK {
            return Err(DoorError::Stranger(format!("/api/games was answered with {status}")));
        }
        let games = body["games"].as_array().and_then(|games| games.iter().map(game).collect());
        let strange = || DoorError::Stranger("/api/games is not a list of games".to_owned());
        games.ok_or_else(strange)
    }

    /// A seat.
    pub(crate) async fn join(&self, place: Place<'_>, name: &str) -> Result<Seat, JoinError> {
        let mut wish = Map::from_iter([("name".to_owned(), json!(name))]);
        match place {
            Place::New { game, options } => {
                wish.insert("game".to_owned(), json!(game));
                wish.insert("options".to_owned(), options.clone());
                wish.insert("private".to_owned(), json!(true));
            }
            Place::Room(room) => {
                wish.insert("room".to_owned(), json!(room));
            }
        }
        let answer = ask(&self.url, Method::POST, "/api/join", Some(&wish.into())).await;
        let Answer { status, retry_after, body } = answer.map_err(JoinError::Http)?;
        let text = |key: &str| body[key].as_str().map(str::to_owned);
        if status != StatusCode::OK {
            let (code, message) = (text("code"), text("message"));
            let (code, message) = (code.unwrap_or_default(), message.unwrap_or_default());
            return Err(JoinError::Refused { status, code, message, retry_after });
        }
        match (text("url"), text("token"), text("room")) {
            (Some(address), Some(token), Some(room)) => Ok(Seat { address, token, room }),
            _ => Err(JoinError::Http(HttpError::Broken("the answer has no seat".to_owned()))),
        }
    }
}

fn game(value: &Value) -> Option<Game> {
    let number = |key: &str| value[key].as_u64().and_then(|it| u32::try_from(it).ok());
    Some(Game {
        name: value["name"].as_str()?.to_owned(),
        tick_hz: number("tick_hz").filter(|hz| *hz > 0)?,
        send_every: number("send_every").filter(|every| *every > 0)?,
        schema: value["schema"].as_str()?.to_owned(),
    })
}

/// Opens a WebSocket to a seat's address; a narrow one has a small window.
pub(crate) async fn open(address: &str, narrow: bool) -> Result<Opened, OpenError> {
    let address: Address = address.parse().map_err(OpenError::Broken)?;
    let stream = connect(&address, narrow).await.map_err(OpenError::Connect)?;
    timeout(ANSWER_WITHIN, upgrade(stream, &address)).await.unwrap_or(Err(OpenError::Silent))
}

/// hyper's client asks, and gives the stream back with what came after the answer.
/// fastwebsockets' own `handshake::client` would print its errors to the terminal.
async fn upgrade(stream: Stream, address: &Address) -> Result<Opened, OpenError> {
    let broken = |error: &dyn fmt::Display| OpenError::Broken(error.to_string());
    let request = Request::builder()
        .uri(&address.path)
        .header(HOST, address.authority())
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, generate_key())
        .header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
        .body(Empty::<Bytes>::new())
        .map_err(|error| broken(&error))?;
    let io: Io = TokioIo::new(stream);
    let (mut sender, connection) = http1::handshake(io).await.map_err(|error| broken(&error))?;
    let mut connection = pin!(connection.without_shutdown());
    let mut parts = None;
    let response = {
        let mut asked = pin!(sender.send_request(request));
        loop {
            tokio::select! {
                biased;
                response = &mut asked => break response,
                ended = &mut connection, if parts.is_none() => {
                    parts = Some(ended.map_err(|error| broken(&error))?);
                }
            }
        }
    };
    let response = response.map_err(|error| broken(&error))?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(OpenError::Refused(response.status()));
    }
    let protocol = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
    if protocol.is_none_or(|protocol| protocol.as_bytes() != SUBPROTOCOL.as_bytes()) {
        return Err(OpenError::Broken(format!("it does not speak {SUBPROTOCOL}")));
    }
    drop((response, sender));
    let parts = match parts {
        Some(parts) => parts,
        None => connection.await.map_err(|error| broken(&error))?,
    };
    let (stream, early) = (parts.io.into_inner(), parts.read_buf);
    Ok(Opened { stream, early, reader: FrameReader::default() })
}
