/**
 * The front page: the games of this server and their open rooms, asked for every few seconds while
 * somebody looks. Links lead into the games; the name is handed over by the browser's memory.
 */

import { byId, element, write } from "/game/element.js";
import { recall, remember, tidyName } from "/game/memory.js";

/** @typedef {{ name: string, tick_hz: number, seats_max: number, page: string | null }} Game */
/** @typedef {{ id: string, game: string, title: string, players: number, seats_max: number, locked: boolean }} Room */

const ASK_EVERY_MS = 2500;
/** A server that says nothing for so long is away. */
const ANSWER_WITHIN_MS = 5000;

const away = byId("away", HTMLElement);
const status = byId("status", HTMLElement);
const list = byId("games", HTMLElement);

/** @type {Map<string, GameCard>} by the game's name */
const cards = new Map();

class GameCard {
  /** @type {Map<string, RoomLine>} by the room's id */
  #lines = new Map();
  #rooms = element("ul", { class: "rooms" });
  #none = element("p", { class: "none" }, "No open room. Playing opens one.");

  /** @param {Game} game */
  constructor(game) {
    this.game = game;
    const title = game.name.charAt(0).toUpperCase() + game.name.slice(1);
    const facts = `${game.tick_hz} ticks a second, up to ${game.seats_max} players in a room`;
    const heading = element("h2", { id: `game-${game.name}` }, title);
    const page = game.page;
    const ways = page
      ? element(
          "p",
          { class: "row" },
          element("a", { class: "button first", href: page }, `Play ${title} now`),
          element("a", { class: "button", href: `${page}#private` }, "New private room"),
        )
      : element("p", { class: "soft" }, "It has no page: it is played with a client of its own.");
    this.element = element(
      "section",
      { class: "game", "aria-labelledby": heading.id },
      element("header", {}, heading, element("p", { class: "soft small" }, facts), ways),
      this.#rooms,
      this.#none,
    );
    this.#rooms.setAttribute("aria-label", `Open rooms of ${title}`);
  }

  /** @param {Room[]} rooms the fullest first */
  show(rooms) {
    const gone = new Set(this.#lines.keys());
    for (const [place, room] of rooms.entries()) {
      gone.delete(room.id);
      let line = this.#lines.get(room.id);
      if (!line) this.#lines.set(room.id, (line = new RoomLine(room, this.game.page)));
      line.show(room);
      // Moving a line takes the focus from it: only what is out of place moves.
      const there = this.#rooms.children[place];
      if (there !== line.element) this.#rooms.insertBefore(line.element, there ?? null);
    }
    for (const id of gone) {
      this.#lines.get(id)?.element.remove();
      this.#lines.delete(id);
    }
    this.#none.hidden = rooms.length > 0;
    this.#rooms.hidden = rooms.length === 0;
  }
}

class RoomLine {
  #title = element("span", { class: "title" });
  #count = element("span", { class: "figures" });
  #meter = element("meter", { min: 0, "aria-hidden": "true" });
  #join = element("a", { class: "button quiet" });

  /**
   * @param {Room} room
   * @param {string | null} page
   */
  constructor(room, page) {
    this.href = page && `${page}#${room.id}`;
    // Without an address it is still a link, one that leads nowhere now.
    this.#join.setAttribute("role", "link");
    const seats = element("span", { class: "seats" }, this.#count, this.#meter);
    this.element = element("li", {}, this.#title, seats, this.#join);
  }

  /** @param {Room} room */
  show(room) {
    const full = room.players >= room.seats_max;
    const why = room.locked ? "Locked" : full ? "Full" : "Join";
    const title = room.title === room.game ? `Room ${room.id.slice(0, 4)}` : room.title;
    write(this.#title, title);
    write(this.#count, `${room.players} of ${room.seats_max}`);
    [this.#meter.max, this.#meter.value] = [room.seats_max, room.players];
    write(this.#join, why);
    if (this.href && !full && !room.locked) {
      this.#join.href = this.href;
      this.#join.removeAttribute("aria-disabled");
      this.#join.setAttribute("aria-label", `Join ${title}, ${room.players} of ${room.seats_max} players`);
    } else {
      this.#join.removeAttribute("href");
      this.#join.removeAttribute("aria-label");
      this.#join.setAttribute("aria-disabled", "true");
    }
  }
}

/** @param {string} path */
async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  if (!response.ok) throw new Error(`${path} answers ${response.status}`);
  return response.json();
}

/** Asks for games and rooms, and shows them. */
async function refresh() {
  /** @type {[{ games: Game[] }, { rooms: Room[] }]} */
  const [{ games }, { rooms }] = await Promise.all([ask("/api/games"), ask("/api/rooms")]);
  if (games.some((game) => !cards.has(game.name)) || games.length !== cards.size) showGames(games);
  for (const [name, card] of cards) card.show(rooms.filter((room) => room.game === name));
  write(status, rooms.length === 1 ? "One open room" : `${rooms.length} open rooms`);
}

/** @param {Game[]} games */
function showGames(games) {
  cards.clear();
  for (const game of games) cards.set(game.name, new GameCard(game));
  const none = element("p", { class: "notice" }, "This server has no games.");
  const all = [...cards.values()].map((card) => card.element);
  list.replaceChildren(...(all.length > 0 ? all : [none]));
  list.setAttribute("aria-busy", "false");
}

let timer = 0;
/** One request at a time, also if somebody looks again while one is under way. */
let asking = false;

async function keepFresh() {
  clearTimeout(timer);
  if (asking) return;
  asking = true;
  try {
    await refresh();
    away.hidden = true;
  } catch {
    write(away, "The server does not answer. This page goes on asking.");
    away.hidden = false;
  }
  asking = false;
  if (document.visibilityState === "visible") timer = window.setTimeout(keepFresh, ASK_EVERY_MS);
}

const name = byId("name", HTMLInputElement);
name.value = recall("name");
name.addEventListener("input", () => remember("name", tidyName(name.value)));
byId("name-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  list.querySelector("a")?.focus();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") keepFresh();
});
keepFresh();
