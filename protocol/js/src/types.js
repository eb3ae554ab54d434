/**
 * The types of a game, as `tickwire schema GAME --ts` prints them, and what
 * follows from them.
 *
 * @module
 */

/**
 * @typedef {object} Game
 * @property {Record<string, any>} tables the entities of each table
 * @property {any} input a player's controls
 * @property {Record<string, any>} commands the fields of each command
 * @property {any} reply
 * @property {Record<string, any>} events the fields of each event
 */

/**
 * An entity with its fields, and what every entity has.
 *
 * @template E
 * @typedef {Readonly<E> & { readonly view: Readonly<E>, readonly ref: import("./value.js").Ref,
 *   readonly isHere: boolean }} EntityOf
 */

/**
 * @template {Game} G
 * @typedef {{ readonly [T in keyof G["tables"]]: import("./world/table.js").Table<EntityOf<G["tables"][T]>> }} Tables
 */

/**
 * A room with its tables by name. One whose name the room has for something else
 * is in `room.tables` only.
 *
 * @template {Game} G
 * @typedef {import("./room.js").Room<G> & Omit<Tables<G>, keyof import("./room.js").Room<G>>} RoomOf
 */

export {};
