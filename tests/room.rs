//! A room as its worker and its clients see it, without sockets.

#[path = "room/dots.rs"]
mod dots;
#[path = "room/events.rs"]
mod events;
#[path = "room/frames.rs"]
mod frames;
#[path = "room/hall.rs"]
mod hall;
#[path = "room/life.rs"]
mod life;
#[path = "room/seats.rs"]
mod seats;
#[path = "room/slow.rs"]
mod slow;
#[path = "room/talk.rs"]
mod talk;
