/** What a pilot reads: hull and shots, the leaderboard, who met whom, when the next ship comes. */

import { element, write } from "/game/element.js";
import { AMMO } from "./flight.js";

const HULL = 3;
const LEADERS = 8;
const FEED_LINES = 4;
const FEED_FOR_MS = 7000;

/** @typedef {{ player: number, name: string, points: number, kills: number, deaths: number, away: boolean }} Score */

/** Hull and shots of the own ship. */
export class Gauges {
  #hull = pips("hull", HULL);
  #ammo = pips("ammo", AMMO);
  #text = element("p", { class: "seen-by-readers" });
  element = element("div", { class: "gauges", hidden: true }, this.#hull, this.#ammo, this.#text);
  #shown = "";

  /**
   * @param {number} hp
   * @param {number} ammo
   * @param {boolean} ready whether it can fire
   * @param {number} loading how much of the next shot is loaded, 0 to 1
   */
  show(hp, ammo, ready, loading) {
    const shown = `${hp} ${ammo} ${ready} ${Math.floor(loading * 10)}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    fill(this.#hull, hp, 0);
    fill(this.#ammo, ammo, loading);
    this.#ammo.classList.toggle("ready", ready);
    write(this.#text, `Hull ${hp} of ${HULL}, ${ammo} of ${AMMO} shots`);
  }
}

/** @param {string} kind @param {number} count */
function pips(kind, count) {
  return element("div", { class: `pips ${kind}`, "aria-hidden": "true" }, ...Array.from({ length: count }, () => element("i")));
}

/** @param {HTMLElement} pips @param {number} full @param {number} part of the one after */
function fill(pips, full, part) {
  for (const [i, pip] of [...pips.children].entries()) {
    if (!(pip instanceof HTMLElement)) continue;
    const share = i < full ? 1 : i === full ? part : 0;
    pip.style.setProperty("--full", String(share));
  }
}

/** The best, and oneself. */
export class Leaderboard {
  #lines = element("tbody");
  #shown = "";
  element = element(
    "section",
    { class: "leaders", "aria-label": "Leaderboard" },
    element(
      "table",
      {},
      element(
        "thead",
        { class: "seen-by-readers" },
        element("tr", {}, ...["Place", "Pilot", "Points"].map((text) => element("th", { scope: "col" }, text))),
      ),
      this.#lines,
    ),
  );

  /** @param {Score[]} scores @param {number} own number of the player */
  show(scores, own) {
    const ranked = scores
      .toSorted((a, b) => b.points - a.points || b.kills - a.kills || a.deaths - b.deaths || a.player - b.player)
      .map((score, place) => ({ ...score, place: place + 1 }));
    const lines = ranked.slice(0, LEADERS);
    const self = ranked.find((score) => score.player === own);
    if (self && self.place > LEADERS) lines.push(self);
    const shown = JSON.stringify(lines);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#lines.replaceChildren(...lines.map((score) => line(score, own)));
  }
}

/** @param {Score & { place: number }} score @param {number} own */
function line({ place, name, points, away, player }, own) {
  const kind = [player === own ? "own" : "", away ? "away" : ""].join(" ").trim();
  return element(
    "tr",
    { class: kind, "data-player": player },
    element("td", { class: "figures soft" }, String(place)),
    element("th", { scope: "row" }, away ? `${name} (away)` : name),
    element("td", { class: "figures" }, String(points)),
  );
}

/** Who lost a ship, and to whom. */
export class Feed {
  element = element("ol", { class: "feed", "aria-label": "What happened" });

  /** @param {...(string | Node)} parts of a line */
  add(...parts) {
    const line = element("li", {}, ...parts);
    this.element.append(line);
    while (this.element.childElementCount > FEED_LINES) this.element.firstElementChild?.remove();
    setTimeout(() => line.remove(), FEED_FOR_MS);
  }

  /** @param {string} name @param {boolean} own */
  static who(name, own) {
    return element("b", { class: own ? "own" : "" }, name);
  }
}

/** Between two ships. */
export class Wait {
  #why = element("p", { class: "why" });
  #when = element("p", { class: "figures soft" });
  element = element("div", { class: "wait", role: "status", hidden: true }, this.#why, this.#when);

  /** @param {string} why @param {number} seconds until the next ship */
  show(why, seconds) {
    this.element.hidden = false;
    write(this.#why, why);
    // Whole seconds: a reader should not be told ten times a second.
    write(this.#when, `Next ship in ${Math.max(1, Math.ceil(seconds))} s`);
  }

  hide() {
    this.element.hidden = true;
  }
}
