//! Whether clients really see everybody move: Tickwire's by the mirror of the
//! protocol, the others' by their own clients.

use std::io;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tickwire::game::schema_of;
use tickwire_protocol::client::mirror::Mirror;
use tickwire_protocol::message::ServerMessage;

use super::crowd::Crowd;
use super::game::Race;
use super::measure::Setting;
use super::server::{Peer, Server, node_folder};
use super::spread::quantile_ms;

/// A small room.
const PLAYERS: usize = 10;
const HZ: u32 = 20;
const WATCH: Duration = Duration::from_millis(1500);

/// Plays in a small room, and errs unless all players were seen to move.
pub(crate) fn everybody_moves(peer: Peer) -> io::Result<()> {
    // The one who watches with a client of Node is a player too.
    let crowd_size = if peer.in_node() { PLAYERS - 1 } else { PLAYERS };
    let setting = Setting::of(peer, PLAYERS, crowd_size, HZ);
    let mut server = Server::start(&setting)?;
    let mut crowd = Crowd::join(&mut server, &setting)?;
    let (moved, echo) = if peer.in_node() {
        let watcher = Command::new("node")
            .arg(node_folder().join("verify.mjs"))
            .args([peer.name(), &server.address.to_string()])
            .stdout(std::process::Stdio::piped())
            .spawn()?;
        crowd.play(WATCH * 2)?;
        let output = watcher.wait_with_output()?;
        let result: Value = serde_json::from_slice(&output.stdout)?;
        let echo = |name: &str| result[name].as_f64().unwrap_or(f64::NAN);
        (result["moved"].as_u64().unwrap_or(0) as usize, (echo("echo50"), echo("echo99")))
    } else if peer == Peer::Tickwire {
        crowd.keep_messages(0);
        let seen = crowd.play(WATCH)?;
        let moved = moved(&crowd.take_messages(0))?;
        (moved, (quantile_ms(&seen.echoes, 0.5), quantile_ms(&seen.echoes, 0.99)))
    } else {
        // The ceiling has no players.
        return Ok(());
    };
    println!(
        "checked {peer:<9} {moved} of {PLAYERS} players were seen to move; an input showed after \
         {:.0} ms (p50), {:.0} ms (p99)",
        echo.0, echo.1
    );
    if moved == PLAYERS { Ok(()) } else { Err(io::Error::other("somebody was not seen to move")) }
}

/// How many rows are not where they were when the client first saw them.
fn moved(messages: &[Vec<u8>]) -> io::Result<usize> {
    let schema = schema_of::<Race<HZ>>().map_err(|error| io::Error::other(error.to_string()))?;
    let mut mirror = Mirror::new(Arc::new(schema));
    let mut first = std::collections::BTreeMap::new();
    let mut moved = std::collections::BTreeSet::new();
    for message in messages {
        let message =
            ServerMessage::read(message).map_err(|error| io::Error::other(error.to_string()))?;
        let ServerMessage::Frame(frame) = message else { continue };
        mirror.apply(&frame).map_err(|error| io::Error::other(format!("{error:?}")))?;
        if frame.header.hash.is_some_and(|hash| hash != mirror.hash()) {
            return Err(io::Error::other("the client's state is not the server's"));
        }
        for row in mirror.rows(0) {
            let now = format!("{:?}", row.value());
            let slot = row.slot();
            let before = first.entry(slot).or_insert_with(|| now.clone());
            if *before != now {
                moved.insert(slot);
            }
        }
    }
    Ok(moved.len())
}
