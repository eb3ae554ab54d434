//! From the first event to the first frame.

use tickwire_protocol::client::session::{CONNECT_TIMEOUT, Config, HELLO_TIMEOUT};
use tickwire_protocol::client::{Cause, Phase, Session, SessionError, SessionEvent, Then};
use tickwire_protocol::close::CloseReason;
use tickwire_protocol::dynamic::Value;
use tickwire_protocol::message::{ClientMessage, ServerMessage, VERSION, Welcome};
use tickwire_protocol::{Tick, Time};

use crate::expect;
use crate::server::{Pair, Server, Ship, Space, arena, bytes, config, ms, sent};

fn greeting(config: Config) -> Session {
    let mut session = Session::new(config, Time(0));
    expect!(session, SessionEvent::Connect { address: "wss://one" });
    session.handle_open(Time(0));
    session
}

/// The bytes of Hello.
fn hello(session: &mut Session) -> Vec<u8> {
    let mut out = Vec::new();
    assert!(session.poll_transmit(&mut out));
    out
}

#[test]
fn a_client_with_the_servers_schema_needs_no_descriptor() {
    let mut session = greeting(config());
    let said = hello(&mut session);
    let ClientMessage::Hello(said) = ClientMessage::read(&said).unwrap() else { panic!() };
    assert_eq!((said.version, said.schema), (VERSION, Some(arena().hash())));
    assert_eq!((said.token, said.applied), ("seat", None));

    let mut server = Server::<Space>::new(arena());
    server.world.ships.spawn(Ship { x: 2.5, name: "Ada".into() });
    session.handle_message(&server.welcome(None, false), ms(20)).unwrap();
    expect!(session, SessionEvent::Joined { player: 3, resumed: false });
    session.handle_message(&server.full(), ms(30)).unwrap();
    expect!(session, SessionEvent::Frame { tick: Tick(100), merged: 1 });
    expect!(session, None::<SessionEvent<'_>>.unwrap_or_missing());
    assert_eq!((session.player(), session.game()), (Some(3), Some("arena")));
    let mirror = session.mirror().unwrap();
    let ship = mirror.table("ships").unwrap().next().unwrap();
    assert_eq!(ship.get("x"), Some(Value::Float(2.5)));
}
