// Socket.IO over WebSocket only, as its docs advise for performance: a packed
// snapshot as a binary event to a room.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { Rooms, every, ready, settings } from "./world.mjs";

const { players, hz } = settings();
const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });
// Its docs advise this for less memory: nobody asks for the request again.
io.engine.on("connection", (connection) => {
  connection.request = null;
});
const rooms = new Rooms(players, (room, phase) => {
  const name = String(room.number);
  every(hz, phase, () => {
    room.step();
    io.to(name).emit("s", room.snapshot());
  });
});
io.on("connection", (socket) => {
  const { room, player } = rooms.seat();
  socket.join(String(room.number));
  socket.on("i", (turn) => {
    player.turn = turn;
  });
});
http.listen(0, "127.0.0.1", () => ready(http.address().port));
