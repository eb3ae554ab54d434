//! Every limit of the wire, in one place, related to each other at compile time.
//!
//! A decoder checks a limit before it allocates or loops. What is over a limit
//! is malformed: the peer that sent it is told so and disconnected.

/// Longest message from a client to the server, in bytes (one WebSocket message).
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Longest message from the server to a client, in bytes (one WebSocket message).
pub const SERVER_MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Tables in a world.
pub const TABLES_MAX: usize = 64;
/// Leaves (fields after flattening nested structs) in one record: a mask fits a `u64`.
pub const LEAVES_MAX: usize = 64;
/// Cells (64-bit words of quantised state) in one row.
pub const CELLS_MAX: usize = 1024;
/// Kinds nested inside each other.
pub const KIND_DEPTH_MAX: usize = 8;
/// Kinds in a whole schema: bounds what a descriptor can make a client allocate.
pub const KINDS_MAX: usize = 2048;
/// Variants of an enum.
pub const VARIANTS_MAX: usize = 256;
/// Elements of a list or an array.
pub const ELEMENTS_MAX: usize = 1024;
/// Bytes of one string or byte field.
pub const TEXT_BYTES_MAX: usize = 4096;
/// Bytes of a name (table, field, variant, game).
pub const NAME_BYTES_MAX: usize = 64;
/// Bytes of a schema descriptor.
pub const DESCRIPTOR_BYTES_MAX: usize = 64 * 1024;

/// Slots of a table: an entity's slot is below this.
pub const SLOTS_MAX: u32 = 65_536;
/// The largest number of a scope.
pub const SCOPE_MAX: u32 = (1 << 30) - 1;
/// Scopes that one client watches at a time.
pub const SCOPES_WATCHED_MAX: usize = 256;
/// Earlier texts of a chunk that a repeat can refer to.
pub const TEXT_WINDOW: usize = 64;
/// Ticks between two frames beyond which motion is not predicted.
pub const PREDICTED_TICKS_MAX: u32 = 255;
/// Bytes that a client's mirror may hold: cells of rows and their texts.
pub const MIRROR_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Events in one frame.
pub const EVENTS_PER_FRAME_MAX: usize = 1024;
/// Bytes of one event's body.
pub const EVENT_BYTES_MAX: usize = 8 * 1024;

/// Bytes of one input's body.
pub const INPUT_BYTES_MAX: usize = 256;
/// Inputs in one batch.
pub const INPUTS_PER_BATCH_MAX: usize = 16;
/// Bytes of one command's body.
pub const COMMAND_BYTES_MAX: usize = 8 * 1024;
/// Bytes of one reply's body.
pub const REPLY_BYTES_MAX: usize = 8 * 1024;
/// Bytes of one chat line.
pub const CHAT_BYTES_MAX: usize = 512;
/// Bytes of a player's display name.
pub const PLAYER_NAME_BYTES_MAX: usize = 64;
/// Bytes of a seat or resume token.
pub const TOKEN_BYTES_MAX: usize = 1024;
/// Bytes of an address in a `Moved`.
pub const ADDRESS_BYTES_MAX: usize = 512;
/// Bytes of the text that goes with a close reason: it must fit a WebSocket close frame.
pub const REASON_BYTES_MAX: usize = 120;

/// Largest credit a server may grant: frames sent and not yet acknowledged.
pub const CREDIT_MAX: u32 = 16;
/// Steps a second of a room.
pub const TICK_HZ_MAX: u32 = 240;

const _: () = {
    assert!(CREDIT_MAX >= 2, "one frame in flight and one being applied");
    assert!(LEAVES_MAX <= 64, "a mask is one u64");
    assert!(SLOTS_MAX.is_power_of_two() && SLOTS_MAX <= 1 << 24);
    assert!(TEXT_WINDOW.is_power_of_two());
    assert!(ELEMENTS_MAX <= CELLS_MAX);
    assert!(TEXT_BYTES_MAX <= EVENT_BYTES_MAX && TEXT_BYTES_MAX <= COMMAND_BYTES_MAX);
    assert!(EVENT_BYTES_MAX < SERVER_MESSAGE_BYTES_MAX);
    assert!(DESCRIPTOR_BYTES_MAX + 4096 < SERVER_MESSAGE_BYTES_MAX);
    assert!(REPLY_BYTES_MAX < SERVER_MESSAGE_BYTES_MAX);
    assert!(COMMAND_BYTES_MAX + 64 < CLIENT_MESSAGE_BYTES_MAX);
    assert!(INPUTS_PER_BATCH_MAX * (INPUT_BYTES_MAX + 16) + 64 < CLIENT_MESSAGE_BYTES_MAX);
    assert!(TOKEN_BYTES_MAX + 256 < CLIENT_MESSAGE_BYTES_MAX);
    assert!(CHAT_BYTES_MAX + PLAYER_NAME_BYTES_MAX + 64 < EVENT_BYTES_MAX);
    assert!(REASON_BYTES_MAX + 2 <= 125, "a WebSocket control frame holds 125 bytes");
    assert!(SERVER_MESSAGE_BYTES_MAX < MIRROR_BYTES_MAX);
};
