//! Counts that do not depend on the machine's mood, of the way from the bytes of inputs
//! to the bytes of frames. System calls and instructions are counted by
//! `cargo bench -p tickwire --bench counts`, which also commits figures anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "slow/client.rs"]
mod client;
#[path = "slow/clockwork.rs"]
mod clockwork;
#[path = "counts/crowd.rs"]
mod crowd;
mod dice;
#[path = "counts/figures.rs"]
mod figures;
#[path = "../benches/fanout/game.rs"]
mod game;

use figures::{BYTES_TICKS, Figures, SIZES, agrees};

/// Half a minute: whatever a server does now and then is within it.
const ALLOCATIONS_TICKS: u32 = 600;

#[test]
fn a_tick_allocates_nothing_from_bytes_to_bytes() {
    let played = crowd::play(50, ALLOCATIONS_TICKS);
    assert_eq!(
        played.allocations, 0,
        "the server's thread allocates in {ALLOCATIONS_TICKS} ticks of 50 players: no tick may, \
         once all buffers have their sizes"
    );
}

#[test]
fn a_frame_has_as_many_bytes_as_were_committed() {
    let committed = Figures::read().bytes_per_client_frame;
    let differ = SIZES.map(|players| {
        let counted = crowd::play(players, BYTES_TICKS).bytes_per_client_frame();
        let what = format!("bytes per client-frame, {players} players");
        agrees(&what, counted, committed[&players], 0.0)
    });
    let differ: Vec<_> = differ.into_iter().filter_map(Result::err).collect();
    assert!(differ.is_empty(), "\n{}", differ.join("\n"));
}
