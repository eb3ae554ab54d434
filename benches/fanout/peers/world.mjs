// The game that every server here plays, the same as `game.rs` beside it: each
// player has a place and a heading, moves on every tick, and steers.

/** Sixteenths of a unit along x and y for each of 256 headings. */
const STEP = Array.from({ length: 256 }, (_, heading) => {
  const angle = (heading / 256) * 2 * Math.PI;
  return [Math.round(40 * Math.cos(angle)), Math.round(40 * Math.sin(angle))];
});

/** One tick of one player. */
export function move(player, turn) {
  player.heading = (player.heading + turn) & 0xff;
  const [x, y] = STEP[player.heading];
  player.x = (player.x + x) & 0xffff;
  player.y = (player.y + y) & 0xffff;
}

/** Where the player with a number begins. */
export function place(id) {
  return { x: (id * 7919) & 0xffff, y: (id * 104729) & 0xffff, heading: (id * 37) & 0xff };
}

/** Bytes of a player in a packed snapshot: id, x, y as u16, heading, turn. */
export const PLAYER_BYTES = 8;

/** A room that is sent as a packed snapshot: u32 tick, then 8 bytes a player. */
export class PackedRoom {
  tick = 0;
  players = [];

  join() {
    const player = { id: this.players.length, turn: 0, gone: false, ...place(this.players.length) };
    this.players.push(player);
    return player;
  }

  step() {
    this.tick += 1;
    for (const player of this.players) move(player, player.turn);
  }

  snapshot() {
    const bytes = Buffer.allocUnsafe(4 + PLAYER_BYTES * this.players.length);
    bytes.writeUInt32LE(this.tick, 0);
    let at = 4;
    for (const player of this.players) {
      bytes.writeUInt16LE(player.id, at);
      bytes.writeUInt16LE(player.x, at + 2);
      bytes.writeUInt16LE(player.y, at + 4);
      bytes[at + 6] = player.heading;
      bytes[at + 7] = player.turn;
      at += PLAYER_BYTES;
    }
    return bytes;
  }
}

/** Calls `step` at an exact rate: timers of Node count whole milliseconds. */
export function every(hz, phase, step) {
  const begun = performance.now() + (phase * 1000) / hz;
  let ticks = 0;
  const next = () => {
    ticks += 1;
    const due = begun + (ticks * 1000) / hz;
    setTimeout(next, Math.max(0, due - performance.now()));
    step();
  };
  setTimeout(next, Math.max(0, begun - performance.now()));
}

/** The settings on the command line: players of a room, and ticks a second. */
export function settings() {
  const [players, hz] = process.argv.slice(2).map(Number);
  if (!(players > 0 && hz > 0)) throw new Error("usage: node <server>.mjs PLAYERS HZ");
  return { players, hz };
}

/** Says where the server listens; it ends when its parent does. */
export function ready(port) {
  console.log(`ready 127.0.0.1:${port}`);
  process.stdin.on("end", () => process.exit(0));
  process.stdin.resume();
}

/** Rooms that fill up one after the other; each begins with its first player. */
export class Rooms {
  rooms = [];
  constructor(players, begin) {
    this.players = players;
    this.begin = begin;
  }

  seat() {
    let room = this.rooms.at(-1);
    if (!room || room.players.length >= this.players) {
      room = new PackedRoom();
      room.number = this.rooms.length;
      this.rooms.push(room);
      this.begin(room, (this.rooms.length * 0.6180339887) % 1);
    }
    return { room, player: room.join() };
  }
}
