//! A client and a server with two versions of one game, both ways.

use core::time::Duration;
use std::sync::Arc;

use tickwire_protocol::client::session::Config;
use tickwire_protocol::client::{
    Cause, GameTypes, NoReply, SendError, SessionError, SessionEvent, Then, TypedSession,
};
use tickwire_protocol::message::{ClientMessage, ServerMessage};
use tickwire_protocol::{Entity, Id, Message, Table, Tick, World};

use crate::server::{Answer, Arena, News, Order, Server, Ship, Space, Steer, body, bytes, ms};
use crate::tells;

/// The next version: fields in another order, some new, some gone; new variants first.
#[derive(Entity, Clone, PartialEq, Debug)]
struct Ship2 {
    shield: u8,
    name: String,
    #[net(min = -4096, max = 4096, step = 0.25, motion)]
    x: f64,
}

#[derive(Entity, Clone, PartialEq, Debug)]
struct Mine {
    armed: bool,
}

#[derive(World)]
struct Space2 {
    mines: Table<Mine>,
    ships: Table<Ship2>,
}

#[derive(Message, Clone, PartialEq, Debug)]
struct Steer2 {
    thrust: bool,
    turn: i16,
}

#[derive(Message, Clone, PartialEq, Debug)]
enum Order2 {
    Surrender,
    Buy { count: u8, item: u16 },
    Rename(String),
}

#[derive(Message, Clone, PartialEq, Debug)]
enum Answer2 {
    Later { tick: u32 },
    Cost(u64),
    Done,
}

#[derive(Message, Clone, PartialEq, Debug)]
enum News2 {
    Fog,
    Won(String),
    Bang { colour: u8, loudness: u8 },
}

struct Arena2;

impl GameTypes for Arena2 {
    type World = Space2;
    type Input = Steer2;
    type Command = Order2;
    type Reply = Answer2;
    type Event = News2;
}

/// A client that only looks on.
struct Spectator;

impl GameTypes for Spectator {
    type World = Space;
    type Input = ();
    type Command = ();
    type Reply = ();
    type Event = ();
}

/// A client that was built with `C` in a room of `S`.
struct Mixed<C: GameTypes, S: GameTypes> {
    session: TypedSession<C>,
    server: Server<S::World>,
}

impl<C: GameTypes, S: GameTypes> Mixed<C, S> {
    fn new() -> Mixed<C, S> {
        let server = Server::new(Arc::new(S::schema().unwrap()));
        let config = Config::new("wss://one", "seat", 7);
        Mixed { session: TypedSession::new(config, ms(1000)).unwrap(), server }
    }

    fn join(&mut self) -> Result<(), SessionError> {
        assert!(matches!(self.session.poll_event(), Some(SessionEvent::Connect { .. })));
        self.session.handle_open(ms(1000));
        let mut out = Vec::new();
        assert!(self.session.poll_transmit(&mut out));
        let ClientMessage::Hello(hello) = ClientMessage::read(&out).unwrap() else { panic!() };
        let describe = hello.schema != Some(self.server.schema.hash());
        self.session.handle_message(&self.server.welcome(None, describe), ms(1000))?;
        assert!(matches!(self.session.poll_event(), Some(SessionEvent::Joined { .. })));
        self.session.handle_message(&self.server.full(), ms(1000))?;
        assert!(matches!(self.session.poll_event(), Some(SessionEvent::Frame { .. })));
        Ok(())
    }

    /// The bodies of inputs and commands that the client sends.
    fn bodies(&mut self) -> Vec<Vec<u8>> {
        let (mut out, mut bodies) = (Vec::new(), Vec::new());
        while self.session.poll_transmit(&mut out) {
            match ClientMessage::read(&out).unwrap() {
                ClientMessage::Input(inputs) => {
                    bodies.extend(inputs.iter().map(|(_, _, body)| body.to_vec()));
                }
                ClientMessage::Command { body, .. } => bodies.push(body.to_vec()),
                _ => {}
            }
        }
        bodies
    }

    /// An event comes with a frame.
    fn event(&mut self, event: &S::Event, at_ms: u64) {
        self.server.events = vec![(true, body(event))];
        let frame = self.server.advance(1);
        self.session.handle_message(&frame, ms(at_ms)).unwrap();
        assert!(matches!(self.session.poll_event(), Some(SessionEvent::Frame { .. })));
    }

    /// A command goes, and a reply comes.
    fn ask(&mut self, command: &C::Command, reply: &S::Reply) {
        let id = self.session.command(command, Duration::from_secs(1), ms(1100)).unwrap();
        let reply = body(reply);
        let reply = bytes(&ServerMessage::Reply { id: id.0, outcome: Ok(&reply) });
        self.session.handle_message(&reply, ms(1110)).unwrap();
    }
}

#[test]
fn an_equal_version_needs_no_translation() {
    let mut mixed = Mixed::<Arena, Arena>::new();
    let id = mixed.server.world.ships.spawn(Ship { x: 1.5, name: "Ada".into() });
    mixed.session.input(&Steer { turn: -1, fire: true }, ms(1000)).unwrap();
    mixed.join().unwrap();
    assert_eq!(mixed.session.world().ships.get(id).unwrap().x, 1.5);
    assert_eq!(mixed.bodies(), [body(&Steer { turn: -1, fire: true })]);
    mixed.event(&News::Won("Ada".into()), 1050);
    tells!(mixed.session, SessionEvent::Event { body: News::Won(ref name), .. } if name == "Ada");
    mixed.ask(&Order::Buy { item: 3 }, &Answer::Cost(70));
    tells!(mixed.session, SessionEvent::Reply { outcome: Ok(Answer::Cost(70)), .. });
}

#[test]
fn an_old_client_plays_with_a_new_server() {
    let mut mixed = Mixed::<Arena, Arena2>::new();
    let ship = Ship2 { shield: 9, name: "Ada".into(), x: -3.25 };
    let id = mixed.server.world.ships.spawn(ship);
    mixed.server.world.mines.spawn(Mine { armed: true });
    // Said before the server's version is known.
    mixed.session.input(&Steer { turn: -5, fire: true }, ms(1000)).unwrap();
    mixed.join().unwrap();
    let own: Id<Ship> = Id::new(id.slot(), id.generation());
    let seen = mixed.session.world().ships.get(own).unwrap();
    assert_eq!(seen, &Ship { x: -3.25, name: "Ada".into() });
    assert_eq!(mixed.bodies(), [body(&Steer2 { thrust: false, turn: -5 })]);

    let rename = Order::Rename("Grace".into());
    mixed.ask(&rename, &Answer2::Cost(1 << 40));
    assert_eq!(mixed.bodies(), [body(&Order2::Rename("Grace".into()))]);
    tells!(mixed.session, SessionEvent::Reply { outcome: Ok(Answer::Cost(u32::MAX)), .. });
    mixed.ask(&Order::Buy { item: 7 }, &Answer2::Later { tick: 5 });
    assert_eq!(mixed.bodies(), [body(&Order2::Buy { count: 0, item: 7 })]);
    tells!(mixed.session, SessionEvent::Reply { outcome: Err(NoReply::Unknown), .. });

    mixed.event(&News2::Bang { colour: 1, loudness: 2 }, 1120);
    tells!(mixed.session, SessionEvent::Event { body: News::Bang { loudness: 2 }, .. });
    mixed.event(&News2::Fog, 1130);
    assert!(mixed.session.poll_event().is_none());
    assert_eq!(mixed.session.events_skipped(), 1);
}

#[test]
fn a_new_client_plays_with_an_old_server() {
    let mut mixed = Mixed::<Arena2, Arena>::new();
    let id = mixed.server.world.ships.spawn(Ship { x: 7.0625, name: "Ada".into() });
    mixed.join().unwrap();
    let own: Id<Ship2> = Id::new(id.slot(), id.generation());
    let seen = mixed.session.world().ships.get(own).unwrap();
    assert_eq!(seen, &Ship2 { shield: 0, name: "Ada".into(), x: 7.0 });
    mixed.server.world.ships.get_mut(id).unwrap().x = 8.0;
    let frame = mixed.server.advance(1);
    mixed.session.handle_message(&frame, ms(1050)).unwrap();
    assert_eq!(mixed.session.world().ships.get(own).unwrap().x, 8.0);
    tells!(mixed.session, SessionEvent::Frame { .. });

    mixed.session.input(&Steer2 { thrust: true, turn: 1000 }, ms(1060)).unwrap();
    assert_eq!(mixed.bodies(), [body(&Steer { turn: 127, fire: false })]);
    mixed.ask(&Order2::Buy { count: 2, item: 300 }, &Answer::Done);
    assert_eq!(mixed.bodies(), [body(&Order::Buy { item: 255 })]);
    tells!(mixed.session, SessionEvent::Reply { outcome: Ok(Answer2::Done), .. });
    let refused = mixed.session.command(&Order2::Surrender, Duration::from_secs(1), ms(1200));
    assert_eq!(refused, Err(SendError::Unknown));
    assert!(mixed.bodies().is_empty());
    mixed.event(&News::Bang { loudness: 4 }, 1210);
    tells!(mixed.session, SessionEvent::Event { body: News2::Bang { colour: 0, loudness: 4 }, .. });
}

#[test]
fn a_client_may_leave_out_what_it_has_no_use_for() {
    let mut mixed = Mixed::<Spectator, Arena>::new();
    mixed.server.world.ships.spawn(Ship { x: 1.0, name: "Ada".into() });
    mixed.join().unwrap();
    assert_eq!(mixed.session.world().ships.len(), 1);
    mixed.event(&News::Won("Ada".into()), 1050);
    assert!(mixed.session.poll_event().is_none());
}

#[test]
fn what_the_server_does_not_have_is_refused() {
    let mut mixed = Mixed::<Arena, Spectator>::new();
    mixed.join().unwrap();
    let steer = Steer { turn: 1, fire: false };
    assert_eq!(mixed.session.input(&steer, ms(1050)), Err(SendError::Unknown));
    let order = Order::Buy { item: 1 };
    let refused = mixed.session.command(&order, Duration::from_secs(1), ms(1050));
    assert_eq!(refused, Err(SendError::Unknown));
}

#[test]
fn a_name_with_another_meaning_is_named_at_the_welcome() {
    #[derive(Message, Debug)]
    enum Loud {
        Bang { loudness: String },
    }
    struct Odd;
    impl GameTypes for Odd {
        type World = Space;
        type Input = Steer;
        type Command = Order;
        type Reply = Answer;
        type Event = Loud;
    }
    let mut mixed = Mixed::<Odd, Arena>::new();
    let error = mixed.join().unwrap_err();
    let SessionError::Mismatch(mismatch) = &error else { panic!("{error}") };
    assert_eq!(mismatch.place, "event.Bang.loudness");
    tells!(
        mixed.session,
        SessionEvent::Closed { cause: Cause::Error(SessionError::Mismatch(_)), then: Then::End }
    );
}

#[test]
fn a_malformed_event_ends_the_connection_when_it_is_read() {
    let mut mixed = Mixed::<Arena, Arena>::new();
    mixed.join().unwrap();
    mixed.server.events = vec![(true, vec![77]), (true, body(&News::Bang { loudness: 1 }))];
    let frame = mixed.server.advance(1);
    mixed.session.handle_message(&frame, ms(1050)).unwrap();
    tells!(mixed.session, SessionEvent::Frame { .. });
    tells!(mixed.session, SessionEvent::Event { body: News::Bang { loudness: 1 }, .. });
    tells!(
        mixed.session,
        SessionEvent::Closed { cause: Cause::Error(SessionError::Malformed(_)), .. }
    );
}

#[test]
fn a_malformed_reply_is_the_commands_outcome_and_ends_the_connection() {
    let mut mixed = Mixed::<Arena, Arena>::new();
    mixed.join().unwrap();
    let order = Order::Buy { item: 1 };
    let id = mixed.session.command(&order, Duration::from_secs(1), ms(1000)).unwrap();
    let reply = bytes(&ServerMessage::Reply { id: id.0, outcome: Ok(&[9, 9]) });
    mixed.session.handle_message(&reply, ms(1010)).unwrap();
    tells!(mixed.session, SessionEvent::Reply { outcome: Err(NoReply::Unknown), .. });
    tells!(mixed.session, SessionEvent::Closed { .. });
    assert!(mixed.session.poll_event().is_none());
}

#[test]
fn the_world_outlives_an_error_and_a_change_of_the_servers_version() {
    let mut mixed = Mixed::<Arena, Arena>::new();
    let id = mixed.server.world.ships.spawn(Ship { x: 1.5, name: "Ada".into() });
    mixed.session.input(&Steer { turn: 1, fire: true }, ms(1000)).unwrap();
    mixed.join().unwrap();
    mixed.bodies();
    mixed.session.handle_message(&[99], ms(1050)).unwrap_err();
    assert!(mixed.session.world().ships.contains(id));
    tells!(mixed.session, SessionEvent::Closed { then: Then::Reconnect(_), .. });

    let at = mixed.session.deadline().unwrap();
    mixed.session.handle_timeout(at);
    let mut updated = Mixed::<Arena, Arena2> {
        session: mixed.session,
        server: Server::new(Arc::new(Arena2::schema().unwrap())),
    };
    let ship = Ship2 { shield: 1, name: "Grace".into(), x: 5.0 };
    updated.server.world.mines.spawn(Mine { armed: false });
    updated.server.tick = Tick(7);
    let new = updated.server.world.ships.spawn(ship);
    updated.join().unwrap();
    let ships: Vec<_> = updated.session.world().ships.iter().map(|(_, ship)| &ship.name).collect();
    assert_eq!(ships, ["Grace"]);
    assert_eq!(new.slot(), 0);
    assert_eq!(updated.bodies(), [body(&Steer2 { thrust: false, turn: 1 })]);
}
