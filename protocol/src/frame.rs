//! Frames: what one client gets for one tick.
//!
//! ```text
//! frame   := u8 0                         the tag among server messages
//!            u8 flags
//!            u32 tick | u32 advance       with `full` the tick, else tick - last tick
//!            [u32 processed]              flag 4: sequence of the last input that was used
//!            [i32 depth]                  flag 8: by how many ticks the newest input was early
//!            [4 bytes hash]               flag 16: state hash, little-endian
//!            count { section }            scopes ascend
//!            [count]                      flag 32: number of events
//!            { chunk }                    of the sections that have one, in order
//!            { event }
//! section := u64 scope * 4 + form [u32 length]
//! form    := 0 change | 1 whole | 2 leave (no length, no chunk)
//! event   := u8 class  2 bytes tick  count bytes
//! class   := 0 transient | 1 reliable
//! ```
//!
//! All that is one client's own comes first; chunks and events are the shared
//! parts, and follow as they are. An event's tick is the low half of its number,
//! little-endian: the event is at most 65535 ticks older than the frame.

use crate::codec::{Error, Reader, Writer};
use crate::limits::{EVENT_BYTES_MAX, EVENTS_PER_FRAME_MAX, SCOPES_WATCHED_MAX};
use crate::limits::{SCOPE_MAX, SERVER_MESSAGE_BYTES_MAX};
use crate::table::Scope;
use crate::time::Tick;

/// The tag of a frame among server messages.
pub const TAG: u8 = 0;

const FULL: u8 = 1;
const PREDICTED: u8 = 2;
const PROCESSED: u8 = 4;
const DEPTH: u8 = 8;
const HASH: u8 = 16;
const EVENTS: u8 = 32;
const FLAGS: u8 = 63;

/// The part of a frame that is one client's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Which tick the frame leads to.
    pub step: Step,
    /// Whether motion goes on along straight lines where no chunk says otherwise.
    pub predicted: bool,
    /// The sequence number of the last input that was used, if it is news.
    pub processed: Option<u32>,
    /// By how many ticks the newest input was early when it came in, if one came
    /// since the last frame; negative if it was late.
    pub depth: Option<i32>,
    /// The hash of the state that the client now has.
    pub hash: Option<u32>,
}

/// From which state to which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// From nothing to a tick.
    Full(Tick),
    /// From the last applied frame's tick to the one this much later, at least 1.
    Advance(u32),
}

/// How a frame speaks of a scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// What changed since the last frame.
    Change,
    /// All of it: the client begins to watch it, or begins again.
    Whole,
    /// The client does not watch it any more.
    Leave,
}

/// A scope's part of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Section<'a> {
    /// Which scope.
    pub scope: Scope,
    /// What the chunk is.
    pub form: Form,
    /// Its bytes; empty for [`Form::Leave`].
    pub chunk: &'a [u8],
}

/// A one-off message of the game.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// The tick that it happened in.
    pub tick: Tick,
    /// Whether it would have waited for a client that fell behind.
    pub reliable: bool,
    /// The event itself, as its schema says.
    pub body: &'a [u8],
}

/// Appends the client's own part of a frame. The chunks of `sections` and the
/// bytes of `events` events ([`write_event`]) follow it in this order.
///
/// The slices of `sections` are only measured: `(scope, form, chunk length)`.
pub fn write_header(
    header: &Header,
    sections: impl ExactSizeIterator<Item = (Scope, Form, usize)>,
    events: usize,
    out: &mut Vec<u8>,
) {
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let (full, step) = match header.step {
        Step::Full(tick) => (true, tick.0),
        Step::Advance(ticks) => (false, ticks),
    };
    let mut w = Writer::new(out);
    w.u8(TAG);
    w.u8(flag(full, FULL)
        | flag(header.predicted, PREDICTED)
        | flag(header.processed.is_some(), PROCESSED)
        | flag(header.depth.is_some(), DEPTH)
        | flag(header.hash.is_some(), HASH)
        | flag(events > 0, EVENTS));
    w.u32(step);
    if let Some(processed) = header.processed {
        w.u32(processed);
    }
    if let Some(depth) = header.depth {
        w.i32(depth);
    }
    if let Some(hash) = header.hash {
        w.raw(&hash.to_le_bytes());
    }
    w.usize(sections.len());
    for (scope, form, length) in sections {
        w.u64(u64::from(scope.0) * 4 + form as u64);
        if form != Form::Leave {
            w.usize(length);
        }
    }
    if events > 0 {
        w.usize(events);
    }
}

/// Appends an event, ready to be shared by every client that gets it.
pub fn write_event(event: &Event<'_>, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    w.u8(u8::from(event.reliable));
    w.raw(&(event.tick.0 as u16).to_le_bytes());
    w.bytes(event.body);
}

/// A frame whose parts are known to lie inside the message.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// The client's own part.
    pub header: Header,
    heads: Reader<'a>,
    sections: usize,
    chunks: &'a [u8],
    events: Reader<'a>,
    events_left: usize,
}

impl<'a> Frame<'a> {
    /// Reads the frame after its tag. Everything but the chunks' insides is checked.
    pub fn read(mut r: Reader<'a>) -> Result<Frame<'a>, Error> {
        let flags = r.u8()?;
        if flags & !FLAGS != 0 {
            return Err(Error::BadTag);
        }
        let has = |bit: u8| flags & bit != 0;
        let step = r.u32()?;
        let step = if has(FULL) { Step::Full(Tick(step)) } else { Step::Advance(step) };
        if step == Step::Advance(0) || (has(FULL) && has(PREDICTED)) {
            return Err(Error::Invalid);
        }
        let processed = if has(PROCESSED) { Some(r.u32()?) } else { None };
        let depth = if has(DEPTH) { Some(r.i32()?) } else { None };
        let hash = match has(HASH) {
            true => {
                let raw = r.raw(4)?;
                Some(u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]))
            }
            false => None,
        };
        let header = Header { step, predicted: has(PREDICTED), processed, depth, hash };

        let sections = r.count(SCOPES_WATCHED_MAX)?;
        let heads = r.clone();
        let mut before = None;
        let mut length_sum = 0;
        for _ in 0..sections {
            let (scope, form, length) = read_head(&mut r)?;
            if before.is_some_and(|before| before >= scope) || (has(FULL) && form != Form::Whole) {
                return Err(Error::Invalid);
            }
            before = Some(scope);
            length_sum += length;
        }
        let events_left = if has(EVENTS) { r.count(EVENTS_PER_FRAME_MAX)? } else { 0 };
        if has(EVENTS) && events_left == 0 {
            return Err(Error::Invalid);
        }
        let chunks = r.raw(length_sum)?;
        let events = r.clone();
        for _ in 0..events_left {
            read_event(&mut r)?;
        }
        r.finish()?;
        Ok(Frame { header, heads, sections, chunks, events, events_left })
    }

    /// The scopes that the frame speaks of, in ascending order.
    pub fn sections(&self) -> impl Iterator<Item = Section<'a>> + use<'a> {
        let mut heads = self.heads.clone();
        let mut chunks = self.chunks;
        (0..self.sections).map_while(move |_| {
            let (scope, form, length) = read_head(&mut heads).ok()?;
            let (chunk, rest) = chunks.split_at_checked(length)?;
            chunks = rest;
            Some(Section { scope, form, chunk })
        })
    }

    /// The events, oldest first; `tick` is the frame's.
    pub fn events(&self, tick: Tick) -> impl Iterator<Item = Event<'a>> + use<'a> {
        let mut events = self.events.clone();
        (0..self.events_left).map_while(move |_| {
            let (reliable, low, body) = read_event(&mut events).ok()?;
            let age = (tick.0 as u16).wrapping_sub(low);
            Some(Event { tick: Tick(tick.0.saturating_sub(age.into())), reliable, body })
        })
    }
}

fn read_head(r: &mut Reader<'_>) -> Result<(Scope, Form, usize), Error> {
    let head = r.u64()?;
    let form = match head % 4 {
        0 => Form::Change,
        1 => Form::Whole,
        2 => Form::Leave,
        _ => return Err(Error::BadTag),
    };
    let scope = u32::try_from(head / 4).ok().filter(|&scope| scope <= SCOPE_MAX);
    let length = if form == Form::Leave { 0 } else { r.count(SERVER_MESSAGE_BYTES_MAX)? };
    Ok((Scope(scope.ok_or(Error::TooLong)?), form, length))
}

fn read_event<'a>(r: &mut Reader<'a>) -> Result<(bool, u16, &'a [u8]), Error> {
    let reliable = match r.u8()? {
        0 => false,
        1 => true,
        _ => return Err(Error::BadTag),
    };
    let low = r.raw(2)?;
    Ok((reliable, u16::from_le_bytes([low[0], low[1]]), r.bytes(EVENT_BYTES_MAX)?))
}
