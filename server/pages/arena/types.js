/**
 * What the server sends of arena, and takes, as `server/src/games/arena.rs` has it.
 *
 * @typedef {{ player: number, x: number, y: number, heading: number, thrust: boolean, safe: boolean, hp: number }} Ship
 * @typedef {{ player: number, x: number, y: number, vx: number, vy: number, until: number }} Shot
 * @typedef {{ x: number, y: number, vx: number, vy: number, size: number }} Rock
 * @typedef {{ player: number, name: string, points: number, kills: number, deaths: number, away: boolean }} Score
 * @typedef {{ vx: number, vy: number, ammo: number, ready_at: number, reload_at: number, safe_until: number, launch_at: number }} Gear
 * @typedef {{ turn: number, thrust: boolean, fire: boolean }} Steer
 * @typedef {{ player: number, name: string }} Who
 *
 * @typedef {object} Arena
 * @property {{ ships: Ship, shots: Shot, rocks: Rock, scores: Score, gear: Gear }} tables
 * @property {Steer} input
 * @property {{ rename: { name: string } }} commands
 * @property {{ $: "renamed", name: string }} reply
 * @property {{ fired: { player: number }, explosion: { x: number, y: number, size: number },
 *   kill: { killer: Who | null, victim: Who }, won: { who: Who } }} events
 *
 * @typedef {import("/client/index.js").Room<Arena>} Room
 */

export {};
