//! From the recorded world to one client's frame.
//!
//! A chunk is made when the first client needs it, and shared by all that have
//! the same scope and baseline. What is a client's own is the header before it.

use std::hint::black_box;
use std::rc::Rc;

use bytes::Bytes;
use tickwire_protocol::frame::{Form, Header, Step, write_header};
use tickwire_protocol::limits::{
    EVENTS_PER_FRAME_MAX, SCOPES_WATCHED_MAX, SERVER_MESSAGE_BYTES_MAX,
};
use tickwire_protocol::schema::Schema;
use tickwire_protocol::{Scope, Tick, World};

use super::Counters;
use super::arena::Arena;
use crate::world::{Baseline, Ledger, ScopeMap};

/// Bytes of events in one frame. What is over it waits for the next frame if it
/// is reliable, and is dropped if it is not.
const EVENTS_BYTES_MAX: usize = 256 * 1024;

/// What the frames of one connection have shown, by the ticks and scopes of the
/// last two: all that is needed to say what the client has.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// The last frame's tick, or the one that the connection goes on from.
    sent: Option<Tick>,
    /// The tick of the frame before, if a straight line leads through both.
    before: Option<Tick>,
    /// The scopes that the client watches since the last frame, ascending.
    watched: Rc<[Scope]>,
    /// Those since the frame before.
    watched_before: Rc<[Scope]>,
}

impl View {
    /// A client that has nothing.
    pub(super) fn empty() -> View {
        let none: Rc<[Scope]> = Rc::new([]);
        View { sent: None, before: None, watched: none.clone(), watched_before: none }
    }

    /// A client that has `watched` as of `tick`.
    pub(super) fn resumed(tick: Tick, watched: Rc<[Scope]>) -> View {
        View { sent: Some(tick), watched, ..View::empty() }
    }

    /// A frame for `tick` is on its way, with `wants` in it.
    fn advance(&mut self, tick: Tick, wants: &Rc<[Scope]>, full: bool) {
        self.before = self.sent.filter(|_| !full);
        self.sent = Some(tick);
        if !self.is_settled(wants) {
            self.watched_before = std::mem::replace(&mut self.watched, wants.clone());
        }
    }

    /// Brings what the next frame needs into the processor's cache.
    pub(super) fn warm(&self) {
        black_box(self.watched.first().copied());
    }

    /// Whether the client has watched the same for as long as it matters.
    fn is_settled(&self, wants: &Rc<[Scope]>) -> bool {
        Rc::ptr_eq(&self.watched, wants) && Rc::ptr_eq(&self.watched_before, wants)
    }
}

/// The recorded world, and the frame under construction.
#[derive(Debug)]
pub(super) struct Replicator {
    ledger: Ledger,
    /// The chunks of this tick, and which is which.
    chunks: Vec<Bytes>,
    places: ScopeMap<(Scope, Baseline), usize>,
    /// The one that was asked for last: the next client asks for the same.
    recent: Option<(Scope, Baseline, usize)>,
    /// The state hashes of this tick's scopes that have rows, if somebody needs one.
    hashes: ScopeMap<Scope, u32>,
    hashed: bool,
    arena: Arena,
    scratch: Vec<u8>,
    /// The frame: its own part, its sections, and what follows.
    own: Vec<u8>,
    sections: Vec<(Scope, Form, usize)>,
    /// What follows, and perhaps the rest of the frame before: most frames share it, and
    /// whom bytes are shared with is counted.
    parts: Vec<Bytes>,
    parts_len: usize,
    /// Bytes of the finished frame.
    bytes: usize,
    step: Step,
    predicted: bool,
    hash: Option<u32>,
    events: usize,
    events_bytes: usize,
}

impl Replicator {
    pub(super) fn new(schema: &Schema, history_ticks: u32) -> Replicator {
        Replicator {
            ledger: Ledger::new(schema, history_ticks),
            chunks: Vec::new(),
            places: ScopeMap::default(),
            recent: None,
            hashes: ScopeMap::default(),
            hashed: false,
            arena: Arena::default(),
            scratch: Vec::new(),
            own: Vec::new(),
            sections: Vec::new(),
            parts: Vec::new(),
            parts_len: 0,
            bytes: 0,
            step: Step::Advance(0),
            predicted: false,
            hash: None,
            events: 0,
            events_bytes: 0,
        }
    }

    /// Records the state after the step of `tick`.
    pub(super) fn record<W: World>(&mut self, world: &mut W, tick: Tick) {
        self.chunks.clear();
        self.places.clear();
        self.recent = None;
        self.hashed = false;
        self.arena.begin();
        self.ledger.record(world, tick);
    }

    /// Whether a client can go on from `tick`.
    pub(super) fn reaches(&self, tick: Tick) -> bool {
        self.ledger.reaches(tick)
    }

    /// Starts a frame that leads from what the client has to the recorded state
    /// of `wants`; from nothing if it has to be `whole`, or cannot be otherwise.
    pub(super) fn begin(
        &mut self,
        view: &View,
        wants: &Rc<[Scope]>,
        whole: bool,
        with_hash: bool,
        counters: &mut Counters,
    ) {
        let now = self.ledger.tick().unwrap_or_default();
        let settled = view.is_settled(wants);
        let since = view.sent.filter(|&since| {
            // A frame that speaks of too many scopes at once starts anew.
            let few = || settled || union(&view.watched, wants) <= SCOPES_WATCHED_MAX;
            !whole && self.ledger.reaches(since) && few()
        });
        let line = since.zip(view.before).filter(|(since, before)| {
            // A line leads on from two ticks.
            self.ledger.predicts(*since, *before)
        });
        self.step = since.map_or(Step::Full(now), |since| Step::Advance(since.until(now)));
        self.predicted = line.is_some();
        (self.events, self.events_bytes) = (0, 0);
        self.sections.clear();
        self.parts_len = 0;
        match since {
            None => {
                for &scope in &wants[..] {
                    self.section(scope, Baseline::Nothing, counters);
                }
            }
            Some(since) if settled => {
                let baseline = line.map_or(Baseline::Plain(since), |(since, before)| {
                    Baseline::Predicted(since, Some(before))
                });
                for &scope in &wants[..] {
                    self.section(scope, baseline, counters);
                }
            }
            Some(since) => self.changes(view, wants, since, line, counters),
        }
        self.hash = with_hash.then(|| self.state_hash(wants));
    }

    /// The sections of a frame that goes on, in the order of their scopes.
    fn changes(
        &mut self,
        view: &View,
        wants: &[Scope],
        since: Tick,
        line: Option<(Tick, Tick)>,
        counters: &mut Counters,
    ) {
        let (mut had, mut has) = (view.watched.iter().peekable(), wants.iter().peekable());
        loop {
            let scope = match (had.peek(), has.peek()) {
                (None, None) => break,
                (Some(&&scope), None) | (None, Some(&&scope)) => scope,
                (Some(&&old), Some(&&new)) => old.min(new),
            };
            let (before, after) = (had.next_if_eq(&&scope), has.next_if_eq(&&scope));
            let baseline = match (before, line) {
                (Some(_), _) if after.is_none() => {
                    self.sections.push((scope, Form::Leave, 0));
                    continue;
                }
                (None, _) => Baseline::Nothing,
                (Some(_), None) => Baseline::Plain(since),
                (Some(_), Some((since, before))) => {
                    let also = view.watched_before.binary_search(&scope).is_ok();
                    Baseline::Predicted(since, also.then_some(before))
                }
            };
            self.section(scope, baseline, counters);
        }
    }

    /// Adds a scope's chunk; none if the client has it all.
    fn section(&mut self, scope: Scope, baseline: Baseline, counters: &mut Counters) {
        let whole = baseline == Baseline::Nothing;
        let place = match self.recent {
            Some((recent, of, place)) if recent == scope && of == baseline => place,
            _ if !whole && !self.ledger.concerned(scope, baseline) => return,
            _ => self.chunk(scope, baseline, counters),
        };
        let chunk = &self.chunks[place];
        if whole || !chunk.is_empty() {
            let form = if whole { Form::Whole } else { Form::Change };
            self.sections.push((scope, form, chunk.len()));
        }
        if !chunk.is_empty() {
            put_part(&mut self.parts, &mut self.parts_len, chunk);
        }
    }

    /// The place of a chunk, which is made if nobody has asked for it.
    fn chunk(&mut self, scope: Scope, baseline: Baseline, counters: &mut Counters) -> usize {
        let place = *self.places.entry((scope, baseline)).or_insert_with(|| {
            self.scratch.clear();
            self.ledger.chunk(scope, baseline, &mut self.scratch);
            counters.chunks_encoded += 1;
            self.chunks.push(self.arena.put(&self.scratch));
            self.chunks.len() - 1
        });
        self.recent = Some((scope, baseline, place));
        place
    }

    /// The hash of all rows in some scopes: the sum of the scopes' own. Those of all scopes
    /// are found together: clients get theirs in the same tick, and each has scopes of its own.
    fn state_hash(&mut self, scopes: &[Scope]) -> u32 {
        if !self.hashed {
            self.hashed = true;
            self.hashes.clear();
            self.ledger.hash_all(&mut self.hashes);
        }
        let known = scopes.iter().filter_map(|scope| self.hashes.get(scope));
        known.fold(0, |sum, hash| sum.wrapping_add(*hash))
    }

    /// Adds `count` encoded events, if there is place for them.
    pub(super) fn event(&mut self, bytes: &Bytes, count: usize) -> bool {
        if self.events + count > EVENTS_PER_FRAME_MAX
            || self.events_bytes + bytes.len() > EVENTS_BYTES_MAX
        {
            return false;
        }
        self.events += count;
        self.events_bytes += bytes.len();
        put_part(&mut self.parts, &mut self.parts_len, bytes);
        true
    }

    /// Completes the frame.
    pub(super) fn finish(&mut self, processed: Option<u32>, depth: Option<i32>) {
        let header = Header {
            step: self.step,
            predicted: self.predicted,
            processed,
            depth,
            hash: self.hash,
        };
        self.own.clear();
        write_header(&header, self.sections.iter().copied(), self.events, &mut self.own);
        let (own, shared) = self.parts();
        self.bytes = own.len() + shared.iter().map(Bytes::len).sum::<usize>();
    }

    /// Whether the finished frame is within the limit of a message.
    pub(super) fn fits(&self) -> bool {
        self.bytes <= SERVER_MESSAGE_BYTES_MAX
    }

    /// Whether it brings the whole state.
    pub(super) fn is_full(&self) -> bool {
        matches!(self.step, Step::Full(_))
    }

    /// The finished frame: its own part, and those that it shares.
    pub(super) fn parts(&self) -> (&[u8], &[Bytes]) {
        (&self.own, &self.parts[..self.parts_len])
    }

    /// The bytes of the finished frame.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The frame is on its way; whether it brought the whole state.
    pub(super) fn commit(&mut self, view: &mut View, wants: &Rc<[Scope]>) -> bool {
        let full = self.is_full();
        view.advance(self.ledger.tick().unwrap_or_default(), wants, full);
        full
    }

    /// There is no other frame now: nobody but links holds on to the shared parts.
    pub(super) fn rest(&mut self) {
        self.parts.clear();
    }
}

/// Adds a part to the first `len` of a frame, or leaves it where the frame before had it.
fn put_part(parts: &mut Vec<Bytes>, len: &mut usize, part: &Bytes) {
    if !parts.get(*len).is_some_and(|there| std::ptr::eq(&there[..], &part[..])) {
        parts.truncate(*len);
        parts.push(part.clone());
    }
    *len += 1;
}

/// How many scopes are in either of two ascending lists.
fn union(a: &[Scope], b: &[Scope]) -> usize {
    let both = a.iter().filter(|scope| b.binary_search(scope).is_ok()).count();
    a.len() + b.len() - both
}

#[cfg(test)]
mod tests {
    use tickwire_protocol::codec::Reader;
    use tickwire_protocol::frame::Frame;
    use tickwire_protocol::schema::Kind;
    use tickwire_protocol::{Entity, Table, World};

    use super::*;

    #[derive(Entity)]
    struct Dot {
        x: u8,
    }

    #[derive(World)]
    struct Dots {
        dots: Table<Dot>,
    }

    /// A replicator of a world with a dot in each scope up to 300.
    fn replicator() -> (Replicator, Dots) {
        let none = Kind::default;
        let schema = Schema::new(Dots::schema(), none(), none(), none(), none());
        let mut replicator = Replicator::new(&schema.expect("within the limits"), 60);
        let mut world = Dots::default();
        for scope in 0..300 {
            world.dots.spawn_in(Scope(scope), Dot { x: 1 });
        }
        replicator.record(&mut world, Tick(1));
        (replicator, world)
    }

    fn scopes(range: std::ops::Range<u32>) -> Rc<[Scope]> {
        range.map(Scope).collect()
    }

    /// The next frame of a view: its step, and the forms of its sections.
    fn frame(
        replicator: &mut Replicator,
        view: &mut View,
        wants: &Rc<[Scope]>,
        counters: &mut Counters,
    ) -> (Step, Vec<Form>) {
        replicator.begin(view, wants, false, true, counters);
        replicator.finish(None, None);
        assert!(replicator.fits());
        let (own, shared) = replicator.parts();
        let bytes = [own, &shared.concat()].concat();
        replicator.commit(view, wants);
        let mut r = Reader::new(&bytes);
        assert_eq!(r.u8(), Ok(0));
        let frame = Frame::read(r).expect("within the limits");
        (frame.header.step, frame.sections().map(|section| section.form).collect())
    }

    #[test]
    fn scopes_come_go_and_stay() {
        let (mut replicator, mut world) = replicator();
        let (mut view, mut counters) = (View::empty(), Counters::default());
        let mut next = |world: &mut Dots, tick, wants| {
            world.dots.iter_mut().for_each(|(_, dot)| dot.x += 1);
            replicator.record(world, Tick(tick));
            frame(&mut replicator, &mut view, &wants, &mut counters)
        };
        assert_eq!(next(&mut world, 2, scopes(0..2)), (Step::Full(Tick(2)), vec![Form::Whole; 2]));
        let changes = vec![Form::Leave, Form::Change, Form::Whole];
        assert_eq!(next(&mut world, 5, scopes(1..3)), (Step::Advance(3), changes));
    }

    #[test]
    fn too_many_scopes_at_once_start_anew() {
        let (mut replicator, mut world) = replicator();
        let (mut view, mut counters) = (View::empty(), Counters::default());
        frame(&mut replicator, &mut view, &scopes(0..256), &mut counters);
        replicator.record(&mut world, Tick(2));
        let (step, forms) = frame(&mut replicator, &mut view, &scopes(1..257), &mut counters);
        assert_eq!((step, forms.len()), (Step::Full(Tick(2)), 256));
    }

    #[test]
    fn hashes_are_those_of_what_is_watched_now() {
        let (mut replicator, mut world) = replicator();
        for tick in 2..5 {
            world.dots.retain(|id, _| id.slot() % 7 != tick);
            world.dots.iter_mut().for_each(|(_, dot)| dot.x += 1);
            replicator.record(&mut world, Tick(tick));
            for wants in [scopes(0..1), scopes(3..9), scopes(0..300), scopes(300..310)] {
                assert_eq!(replicator.state_hash(&wants), replicator.ledger.hash(&wants));
            }
        }
        let all = [scopes(0..150), scopes(150..300)].map(|half| replicator.state_hash(&half));
        assert_eq!(replicator.state_hash(&scopes(0..300)), all[0].wrapping_add(all[1]));
    }

    #[test]
    fn a_chunk_is_encoded_once_for_all_with_the_same_baseline() {
        let (mut replicator, mut world) = replicator();
        let mut counters = Counters::default();
        let mut views = vec![View::empty(); 50];
        for tick in 2..6 {
            world.dots.iter_mut().for_each(|(_, dot)| dot.x += 1);
            replicator.record(&mut world, Tick(tick));
            for view in &mut views {
                frame(&mut replicator, view, &scopes(0..3), &mut counters);
            }
        }
        assert_eq!(counters.chunks_encoded, 3 * 4);
    }
}
