//! The page at `/`: what this server is, in plain HTML.

use std::fmt::{self, Write};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use super::lists::ROOMS_MAX;
use crate::server::Node;

pub(super) async fn front(State(node): State<Arc<Node>>) -> Response<Body> {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut page, &node);
    let mut response = Response::new(Body::from(page));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}

fn write(page: &mut String, node: &Node) -> fmt::Result {
    page.push_str(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Tickwire</title>\n\
         <h1>Tickwire</h1>\n<p>This is a real-time multiplayer game state server. Clients ask \
         <code>POST /api/join</code> for a seat and connect to <code>/ws</code>.</p>\n\
         <h2>Games</h2>\n<ul>\n",
    );
    for game in node.games.values().map(|game| game.entry.info) {
        let (name, hz, seats) = (Escaped(game.name), game.tick_hz, game.seats_max);
        writeln!(page, "<li>{name}: {hz} ticks a second, {seats} seats</li>")?;
    }
    page.push_str("</ul>\n<h2>Rooms</h2>\n<ul>\n");
    for (id, room) in node.common.directory.listed(None, ROOMS_MAX) {
        let title = if room.title.is_empty() { room.game } else { &room.title };
        let (players, seats) = (room.players, room.seats_max);
        let locked = if room.locked { ", locked" } else { "" };
        let title = Escaped(title);
        writeln!(page, "<li>{title}: {players} of {seats}{locked} <code>{id}</code></li>")?;
    }
    page.push_str("</ul>\n");
    Ok(())
}

/// Text that HTML takes for text.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_players_stays_text() {
        let text = Escaped("<script a=\"b\" c='d'>&").to_string();
        assert_eq!(text, "&lt;script a=&quot;b&quot; c=&#39;d&#39;&gt;&amp;");
    }
}
