//! What a context gives to a game, without a room.

use super::*;
use crate::games::arena::Arena;

fn cx(seed: u64) -> Cx<Arena> {
    Cx::new(seed)
}

fn player(cx: &mut Cx<Arena>) -> PlayerId {
    let (id, private) = (PlayerId(1), cx.new_scope());
    cx.players.insert(id, Player { id, name: "Ada".to_owned(), connected: true, private });
    cx.watches.insert(id, Vec::new());
    id
}

#[test]
fn timers_come_due_at_their_tick_the_earliest_first_and_never_in_the_same_step() {
    let mut cx = cx(1);
    cx.begin(Tick(10));
    for (ticks, what) in [(3, 30), (1, 10), (3, 31), (0, 11), (2, 20)] {
        cx.timers.after(ticks, what);
    }
    let mut due = |tick| {
        cx.begin(Tick(tick));
        std::iter::from_fn(|| cx.timers.due()).collect::<Vec<_>>()
    };
    assert_eq!(due(10), [0; 0]);
    assert_eq!(due(11), [10, 11]);
    assert_eq!(due(15), [20, 30, 31], "none is lost by who did not ask");
    assert_eq!(due(99), [0; 0]);
}

#[test]
fn a_time_is_a_number_of_ticks() {
    let cx = cx(1);
    let ticks = |ms| cx.ticks(Duration::from_millis(ms));
    assert_eq!((ticks(0), ticks(1), ticks(1000), ticks(1001)), (1, 1, 30, 31));
}

#[test]
fn a_seed_rolls_the_same_numbers_everywhere() {
    let rolls = |seed| {
        let mut cx = cx(seed);
        let numbers: Vec<u32> = (0..4).map(|_| cx.random_below(1_000_000)).collect();
        (numbers, cx.random())
    };
    // As PCG's own description has it, worked out apart from the crate that is used.
    let golden = (vec![870_836, 199_878, 690_726, 260_321], 11_825_020.0 / 16_777_216.0);
    assert_eq!(rolls(1), golden);
    assert_ne!(rolls(2).0, rolls(1).0);
    let mut cx = cx(3);
    assert!((0..1000).all(|_| cx.random_below(7) < 7 && (0.0..1.0).contains(&cx.random())));
    assert_eq!(cx.random_below(0), 0);
}

#[test]
fn a_player_sees_the_room_their_own_and_so_many_scopes() {
    let mut cx = cx(1);
    let ada = player(&mut cx);
    let own = cx.players[&ada].private;
    assert!(cx.watch(ada, Scope::ROOM) && cx.watch(ada, own));
    let watched = (0..1000).filter(|_| {
        let scope = cx.new_scope();
        cx.watch(ada, scope)
    });
    assert_eq!(watched.count(), SCOPES_WATCHED_MAX - 2);
    let [first, last] = [cx.watches[&ada][0], Scope(2000)];
    assert!(cx.watch(ada, first), "what they see already they may see");
    assert!(!cx.watch(ada, last));
    cx.unwatch(ada, own);
    assert!(!cx.watch(ada, last), "their own stays");
    cx.unwatch(ada, first);
    assert!(cx.watch(ada, last));
    assert!(!cx.watch(PlayerId(2), first), "nobody");
}

#[test]
fn a_group_is_one_scope_and_no_scope_is_one_of_the_games_own() {
    let mut cx = cx(1);
    let (red, blue) = (cx.group("red"), cx.group("blue"));
    assert_ne!(red, blue);
    assert_eq!((cx.group("red"), cx.group("blue")), (red, blue));
    cx.scopes = OWN_SCOPES.start - 2;
    assert_eq!(cx.new_scope(), Scope(OWN_SCOPES.start - 1));
    assert_eq!(cx.new_scope(), Scope(OWN_SCOPES.end));
}
