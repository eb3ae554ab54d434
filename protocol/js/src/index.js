/**
 * The JavaScript client of Tickwire: joins a room and keeps its state.
 *
 *     const room = await join("http://localhost:7777", { game: "arena", name: "Ada" });
 *     room.ships.onAdd((ship) => …);
 *     room.input({ turn: -1, thrust: true, fire: false });
 *
 * @module
 */

export { join } from "./join.js";
export { JoinError, CommandError } from "./errors.js";
export { Predictor, Smoother } from "./predict.js";
export { lerp, lerpAround } from "./interpolate.js";

/**
 * @template {import("./types.js").Game} G
 * @typedef {import("./types.js").RoomOf<G>} Room
 */
/**
 * @template [T=any]
 * @typedef {import("./world/table.js").Table<T>} Table
 */
/**
 * @typedef {import("./types.js").Game} Game
 * @typedef {import("./room.js").Status} Status
 * @typedef {import("./join.js").JoinOptions} JoinOptions
 * @typedef {import("./world/table.js").Fields} Fields
 * @typedef {import("./chat.js").ChatMessage} ChatMessage
 * @typedef {import("./close.js").CloseReason} CloseReason
 * @typedef {import("./session/events.js").Cause} Cause
 * @typedef {import("./value.js").Ref} Ref
 */
