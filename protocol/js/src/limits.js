/**
 * Every limit of the wire, in one place; the names and numbers are those of
 * `protocol/src/limits.rs`. A decoder checks a limit before it allocates or loops.
 *
 * @module
 */

/** Longest message from a client to the server, in bytes (one WebSocket message). */
export const CLIENT_MESSAGE_BYTES_MAX = 16 * 1024;
/** Longest message from the server to a client, in bytes (one WebSocket message). */
export const SERVER_MESSAGE_BYTES_MAX = 1024 * 1024;

/** Tables in a world. */
export const TABLES_MAX = 64;
/** Leaves (fields after flattening nested structs) in one record. */
export const LEAVES_MAX = 64;
/** Cells (numbers of quantised state) in one row. */
export const CELLS_MAX = 1024;
/** Kinds nested inside each other. */
export const KIND_DEPTH_MAX = 8;
/** Kinds in a whole schema: bounds what a descriptor can make a client allocate. */
export const KINDS_MAX = 2048;
/** Variants of an enum. */
export const VARIANTS_MAX = 256;
/** Elements of a list or an array. */
export const ELEMENTS_MAX = 1024;
/** Bytes of one string or byte field. */
export const TEXT_BYTES_MAX = 4096;
/** Bytes of a name (table, field, variant, game). */
export const NAME_BYTES_MAX = 64;
/** Bytes of a schema descriptor. */
export const DESCRIPTOR_BYTES_MAX = 64 * 1024;
/** Most steps of a grid. */
export const QUANTA_MAX = 4294967295;

/** Slots of a table: an entity's slot is below this. */
export const SLOTS_MAX = 65536;
/** The largest number of a scope. */
export const SCOPE_MAX = 2 ** 30 - 1;
/** Scopes that one client watches at a time. */
export const SCOPES_WATCHED_MAX = 256;
/** Earlier texts of a chunk that a repeat can refer to. */
export const TEXT_WINDOW = 64;
/** Ticks between two frames beyond which motion is not predicted. */
export const PREDICTED_TICKS_MAX = 255;
/** Bytes that a mirror may hold: cells of rows and their texts. */
export const MIRROR_BYTES_MAX = 64 * 1024 * 1024;

/** Events in one frame. */
export const EVENTS_PER_FRAME_MAX = 1024;
/** Bytes of one event's body. */
export const EVENT_BYTES_MAX = 8 * 1024;

/** Bytes of one input's body. */
export const INPUT_BYTES_MAX = 256;
/** Inputs in one batch. */
export const INPUTS_PER_BATCH_MAX = 16;
/** Bytes of one command's body. */
export const COMMAND_BYTES_MAX = 8 * 1024;
/** Bytes of one reply's body. */
export const REPLY_BYTES_MAX = 8 * 1024;
/** Bytes of one chat line. */
export const CHAT_BYTES_MAX = 512;
/** Bytes of a player's display name. */
export const PLAYER_NAME_BYTES_MAX = 64;
/** Bytes of a seat or resume token. */
export const TOKEN_BYTES_MAX = 1024;
/** Bytes of an address in a Moved. */
export const ADDRESS_BYTES_MAX = 512;
/** Bytes of the text that goes with a close reason. */
export const REASON_BYTES_MAX = 120;

/** Steps a second of a room. */
export const TICK_HZ_MAX = 240;
/** The largest tick. */
export const TICK_MAX = 2 ** 32 - 1;
