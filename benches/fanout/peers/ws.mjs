// `ws`: a packed snapshot, built once for each room and tick, to every client.
import { WebSocketServer } from "ws";
import { Rooms, every, ready, settings } from "./world.mjs";

const { players, hz } = settings();
const rooms = new Rooms(players, (room, phase) => {
  room.sockets = [];
  every(hz, phase, () => {
    room.step();
    const bytes = room.snapshot();
    for (const socket of room.sockets) socket.send(bytes);
  });
});
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (socket) => {
  const { room, player } = rooms.seat();
  room.sockets.push(socket);
  socket.on("message", (bytes) => {
    player.turn = bytes.readInt8(0);
  });
  socket.on("close", () => room.sockets.splice(room.sockets.indexOf(socket), 1));
  socket.on("error", () => {});
});
server.on("listening", () => ready(server.address().port));
