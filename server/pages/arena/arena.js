/**
 * Arena's page. What every game's page has is the shell's; here the pieces of arena are put together:
 *
 * ```text
 *   controls ─► pilot (own ship, ahead) ─┐
 *   room ─► ships (a little behind) ─────┼─► scene ─► view, radar
 *        ─► rocks, shots (along lines) ──┘
 *        ─► scores, gear, events ─► leaderboard, gauges, feed, sound
 * ```
 */

import { element } from "/game/element.js";
import { Shell } from "/game/shell.js";
import { Controls } from "./controls.js";
import { Effects } from "./effects.js";
import { Feed, Gauges, Leaderboard, Wait } from "./hud.js";
import { Match } from "./match.js";
import { Radar } from "./radar.js";
import { Sound } from "./sound.js";
import { View } from "./view.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** @type {Shell<import("./schema.d.ts").Arena>} */
const shell = new Shell({
  game: "arena",
  title: "Arena",
  about: "Shoot rocks and ships: a rock is 1 point, a ship 5. A ship takes three hits; a large rock is three at once.",
  keys: [
    ["← →", "turn"],
    ["↑", "burn the engine"],
    ["Space", "fire, as fast as it loads"],
    ["A D W", "the same with the left hand"],
  ],
  touch: "Put a thumb anywhere and pull: the ship turns that way, and burns if you pull far. Fire is on the right.",
  async rename(room, name) {
    const reply = await room.command("rename", { name });
    return reply.name;
  },
});

const canvas = element("canvas", {
  class: "space",
  tabindex: 0,
  role: "application",
  "aria-label": "Arena. Left and right turn the ship, up burns the engine, space fires.",
});
shell.stage.append(canvas);

const parts = {
  view: new View(canvas, calm),
  effects: new Effects(calm),
  controls: new Controls(canvas),
  radar: new Radar(),
  sound: new Sound(),
  gauges: new Gauges(),
  leaders: new Leaderboard(),
  feed: new Feed(),
  wait: new Wait(),
};
shell.items.append(parts.sound.button);
shell.side.append(parts.leaders.element, parts.feed.element);
shell.center.append(parts.wait.element);
shell.foot.append(parts.gauges.element);
shell.corner.append(parts.radar.element);
shell.edges.append(parts.controls.element);

const room = await shell.enter(canvas);
const match = new Match(room, shell, parts);

/** @param {number} now */
function picture(now) {
  match.draw(now);
  requestAnimationFrame(picture);
}
requestAnimationFrame(picture);
