//! The lists: games, and the rooms that anybody may see.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::error::ApiError;
use super::json;
use crate::directory::RoomEntry;
use crate::room::RoomId;
use crate::server::Node;

/// Rooms of one answer; the fullest.
pub(super) const ROOMS_MAX: usize = 200;

#[derive(Serialize)]
struct Games {
    games: Vec<GameShown>,
}

#[derive(Serialize)]
struct GameShown {
    name: &'static str,
    tick_hz: u32,
    send_every: u32,
    seats_max: usize,
    /// The hash of its schema: 16 hexadecimal digits.
    schema: String,
    /// Where it can be played in a browser, if it can.
    page: Option<String>,
}

pub(super) async fn games(State(node): State<Arc<Node>>) -> Response<Body> {
    let games = node.games.values().map(|game| {
        let info = game.entry.info;
        GameShown {
            name: info.name,
            tick_hz: info.tick_hz,
            send_every: info.send_every,
            seats_max: info.seats_max,
            schema: format!("{:016x}", info.schema),
            page: node.pages.of_game(info.name),
        }
    });
    json(StatusCode::OK, &Games { games: games.collect() })
}

#[derive(Serialize)]
struct Rooms {
    rooms: Vec<RoomShown>,
}

#[derive(Serialize)]
struct RoomShown {
    id: String,
    game: &'static str,
    title: String,
    players: usize,
    seats_max: usize,
    locked: bool,
}

impl RoomShown {
    fn of((id, entry): (RoomId, RoomEntry)) -> RoomShown {
        let title = if entry.title.is_empty() { entry.game.to_owned() } else { entry.title };
        RoomShown {
            id: id.to_string(),
            game: entry.game,
            title,
            players: entry.players,
            seats_max: entry.seats_max,
            locked: entry.locked,
        }
    }
}

pub(super) async fn rooms(
    State(node): State<Arc<Node>>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, ApiError> {
    let mut game = None;
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "game" if game.is_none() => game = Some(value.into_owned()),
            "game" => return Err(ApiError::field("game", "only one game can be named")),
            _ => return Err(ApiError::bad_request("the only parameter is `game`")),
        }
    }
    if game.as_deref().is_some_and(|game| !node.games.contains_key(game)) {
        return Err(ApiError::no_such_game());
    }
    let rooms = node.common.directory.listed(game.as_deref(), ROOMS_MAX);
    let rooms = rooms.into_iter().map(RoomShown::of).collect();
    Ok(json(StatusCode::OK, &Rooms { rooms }))
}
