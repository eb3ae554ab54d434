// The state of a Colyseus room, as server and client know it.
import { schema, t } from "@colyseus/schema";

export const Player = schema({ x: t.uint16(), y: t.uint16(), heading: t.uint8() }, "Player");
export const State = schema({ players: t.map(Player) }, "State");
