/** Other players, so that there is something to see. They fly and fire as their number and the tick say. */

import { join } from "../../protocol/js/src/index.js";

const NAMES = ["Grace", "Edsger", "Barbara", "Tony", "Margaret", "Alan", "Frances", "Ken", "Radia", "Niklaus"];

/** @param {string} url of the server @param {object} wish the room, or the game @param {number} count */
export async function crowd(url, wish, count) {
  const rooms = await Promise.all(NAMES.slice(0, count).map((name) => join(url, { ...wish, name })));
  for (const [i, room] of rooms.entries()) {
    room.onFrame((tick) => {
      const beat = Math.floor(tick / 12) + 5 * i;
      room.input({ turn: [0, 1, 0, -1, -1][beat % 5], thrust: beat % 3 !== 0, fire: beat % 4 === 0 });
    });
  }
  return {
    rooms,
    leave: () => Promise.all(rooms.map((room) => room.leave())),
  };
}
