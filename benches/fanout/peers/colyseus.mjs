// Colyseus: a schema of players in a map, patched at the tick rate.
import { createServer } from "node:http";
import { Room, Server } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { Player, State } from "./state.mjs";
import { move, place, ready, settings } from "./world.mjs";

const { players, hz } = settings();

class Race extends Room {
  maxClients = players;
  patchRate = 1000 / hz;
  turns = new Map();
  joined = 0;

  onCreate() {
    this.state = new State();
    this.onMessage("i", (client, turn) => this.turns.set(client.sessionId, turn));
    this.setTimestep(() => {
      this.state.players.forEach((player, id) => move(player, this.turns.get(id) ?? 0));
    }, 1000 / hz);
  }

  onJoin(client) {
    const player = new Player();
    Object.assign(player, place(this.joined++));
    this.state.players.set(client.sessionId, player);
  }

  onLeave(client) {
    this.state.players.delete(client.sessionId);
  }
}

const http = createServer();
const server = new Server({ transport: new WebSocketTransport({ server: http }), greet: false });
server.define("race", Race);
await server.listen(0, "127.0.0.1");
ready(http.address().port);
