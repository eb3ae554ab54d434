//! What happened in a room, in numbers.

/// Counts since the room was made. Plain numbers: a worker adds up those of its
/// rooms, and nobody else writes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "where the name does not say all, the field does")]
pub struct Counters {
    /// Steps of the game.
    pub ticks: u64,
    pub frames: u64,
    /// Frames with the whole state.
    pub frames_full: u64,
    /// Own parts and shared parts of all frames.
    pub frame_bytes: u64,
    /// Chunks that were encoded; the rest of those in frames were shared.
    pub chunks_encoded: u64,
    /// A client was due and got no frame: for want of credit, or its link was busy.
    pub coalesced: u64,
    /// Frames over the limit of a message; each ends a connection.
    pub frames_too_big: u64,
    /// Transient events that a client did not get, for each client.
    pub transient_dropped: u64,
    /// Events of the game over the limit, which nobody got.
    pub events_too_big: u64,
    /// Inputs that came after the tick that they were for.
    pub inputs_late: u64,
    pub inputs_duplicate: u64,
    /// Inputs that a newer one replaced before a step used them.
    pub inputs_folded: u64,
    /// Inputs for ticks beyond all reason.
    pub inputs_absurd: u64,
    /// Acknowledgements of what was never sent.
    pub acks_absurd: u64,
    /// Connections that fell silent and got neutral controls.
    pub neutral: u64,
    /// Messages over the rate.
    pub messages_dropped: u64,
    /// Messages without a byte.
    pub messages_empty: u64,
    pub commands_refused: u64,
    pub chat_dropped: u64,
    pub refreshes_refused: u64,
    pub joined: u64,
    pub resumed: u64,
    /// Resumes that went on with a difference.
    pub resumed_with_baseline: u64,
    pub replaced: u64,
    /// Hellos that were turned away, because their tokens were void or used up.
    pub tokens_refused: u64,
    /// Players whom the game did not let in.
    pub joins_refused: u64,
    pub closed_too_slow: u64,
    pub closed_bad_message: u64,
    pub closed_policy: u64,
}
