// Joins a server with its own client among a crowd, and watches: prints, as JSON,
// how many players it sees, how many of them moved, and how long an input took to
// show.
//
//   node verify.mjs ws|socketio|colyseus HOST:PORT
import { Client } from "@colyseus/sdk";
import { io } from "socket.io-client";
import WebSocket from "ws";
import { PLAYER_BYTES } from "./world.mjs";

const WATCH_MS = 1500;
const [peer, address] = process.argv.slice(2);

/** Where everybody is in a packed snapshot, by id. */
function unpack(bytes) {
  const places = new Map();
  for (let at = 4; at < bytes.length; at += PLAYER_BYTES) {
    places.set(bytes.readUInt16LE(at), {
      x: bytes.readUInt16LE(at + 2),
      y: bytes.readUInt16LE(at + 4),
      heading: bytes[at + 6],
    });
  }
  return places;
}

const clients = {
  ws(see, begin) {
    const socket = new WebSocket(`ws://${address}/`, { perMessageDeflate: false });
    let own;
    socket.on("open", () => begin((turn) => socket.send(Buffer.from([turn & 0xff]))));
    socket.on("message", (bytes) => {
      const places = unpack(bytes);
      own ??= Math.max(...places.keys());
      see(places, own);
    });
  },
  socketio(see, begin) {
    const socket = io(`http://${address}`, { transports: ["websocket"] });
    let own;
    socket.on("connect", () => begin((turn) => socket.emit("i", turn)));
    socket.on("s", (bytes) => {
      const places = unpack(Buffer.from(bytes));
      own ??= Math.max(...places.keys());
      see(places, own);
    });
  },
  async colyseus(see, begin) {
    const room = await new Client(`http://${address}`).joinOrCreate("race", {});
    begin((turn) => room.send("i", turn));
    room.onStateChange((state) => {
      const places = new Map();
      state.players.forEach(({ x, y, heading }, id) => places.set(id, { x, y, heading }));
      see(places, room.sessionId);
    });
  },
};

const moved = new Map();
const first = new Map();
const echoes = [];
let steered;
let last;

function see(places, own) {
  for (const [id, place] of places) {
    if (!first.has(id)) first.set(id, place);
    else if (first.get(id).x !== place.x || first.get(id).y !== place.y) moved.set(id, true);
  }
  const heading = places.get(own)?.heading;
  // It flies straight until its input shows.
  if (steered && heading !== undefined && last !== undefined && heading !== last) {
    echoes.push(performance.now() - steered);
    steered = undefined;
  }
  last = heading;
}

await clients[peer](see, (steer) => {
  let turn = false;
  setInterval(() => {
    turn = !turn;
    if (turn) steered = performance.now();
    steer(turn ? 3 : 0);
  }, 101);
});
setTimeout(() => {
  echoes.sort((a, b) => a - b);
  const quantile = (share) => echoes[Math.round((echoes.length - 1) * share)];
  const result = { seen: first.size, moved: moved.size, echo50: quantile(0.5), echo99: quantile(0.99) };
  console.log(JSON.stringify(result));
  process.exit(0);
}, WATCH_MS);
