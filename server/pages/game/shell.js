/**
 * What every game's page is: a stage with things at its edges, a way into a room, and words for when
 * that fails. A game fills the stage and says what it knows better:
 *
 * ```js
 * const shell = new Shell({ game: "arena", title: "Arena", about: "…", keys: [["Space", "fire"]], touch: "…", rename });
 * shell.stage.append(canvas);
 * const room = await shell.enter(canvas);
 * ```
 *
 * In the browser's console, `tickwire` is the room and the link to it.
 */

import { CommandError, JoinError, join } from "/client/index.js";
import { Chat } from "./chat.js";
import { button, dialog, ways } from "./dialog.js";
import { element, write } from "./element.js";
import { Link } from "./link.js";
import { NAME_CHARS_MAX, playerName, recall, remember, tidyName } from "./memory.js";
import { Meter } from "./meter.js";
import { Panel } from "./panel.js";
import { BAD_ADDRESS, endOf, linkTo, troubleOf, wishOf } from "./seat.js";
import { Banner } from "./status.js";

/**
 * @template {import("/client/index.js").Game} G
 * @typedef {import("/client/index.js").Room<G>} Room
 */

/**
 * @template {import("/client/index.js").Game} G
 * @typedef {object} Plan what a game says of itself
 * @property {string} game its name at the server
 * @property {string} title
 * @property {string} about what it is about, in a few sentences
 * @property {[keys: string, what: string][]} keys
 * @property {string} touch how it is played without keys
 * @property {(room: Room<G>, name: string) => Promise<string>} rename gives the name as it is then
 */

/** @template {import("/client/index.js").Game} G the types of the game */
export class Shell {
  link = new Link();
  panel = new Panel(this.link);
  #banner = new Banner();
  #name = button("Name", () => this.#askName(), "quiet");
  #invite = button("Invite", () => this.#showInvite(), "quiet");
  /** @type {Room<G> | null} */
  #room = null;
  /** @type {Meter | null} */
  #meter = null;
  /** What has the focus while one plays. @type {HTMLElement} */
  #focus = document.body;

  stage = element("main", { class: "stage" });
  side = element("div", { class: "side" });
  center = element("div", { class: "center" });
  foot = element("div", { class: "foot" });
  corner = element("div", { class: "corner" });
  /** The buttons of the menu. */
  items = element("div", { class: "items" });
  edges;

  /** @param {Plan<G>} plan */
  constructor(plan) {
    this.plan = plan;
    this.chat = new Chat((text) => this.#say(text), () => this.#focus.focus());
    const menu = element("nav", { class: "menu", "aria-label": "Menu" });
    const open = (/** @type {boolean} */ it) => {
      menu.classList.toggle("open", it);
      opener.setAttribute("aria-expanded", String(it));
    };
    const opener = button("Menu", () => open(!menu.classList.contains("open")), "quiet opener");
    opener.setAttribute("aria-expanded", "false");
    this.items.addEventListener("click", () => open(false));
    this.chat.toggle.classList.add("chat-toggle");
    this.items.append(
      element("a", { class: "button quiet", href: "/" }, "All games"),
      this.#invite,
      this.#name,
      this.panel.toggle,
      button("Help", () => this.#showHelp(), "quiet"),
    );
    menu.append(opener, this.chat.toggle, this.items);
    this.edges = element(
      "div",
      { class: "edges" },
      menu,
      this.side,
      this.panel.element,
      this.center,
      this.chat.element,
      this.foot,
      this.corner,
    );
    const heading = element("h1", { class: "seen-by-readers" }, plan.title);
    this.stage.append(heading);
    document.body.append(this.stage, this.edges, this.#banner.element);
    window.addEventListener("keydown", (event) => this.#key(event));
    // Whoever has pressed something with a mouse goes on playing; keys stay where they are.
    menu.addEventListener("click", (event) => event.detail > 0 && !document.querySelector("dialog") && this.#focus.focus());
    window.addEventListener("hashchange", () => {
      if (location.hash.slice(1) !== this.#room?.id) location.reload();
    });
  }
  /**
   * Joins the room that the address names. Comes back when the player is in it; what fails meanwhile
   * is said, and tried again if the player wants.
   *
   * @param {HTMLElement} focus where keys belong while one plays
   * @returns {Promise<Room<G>>}
   */
  async enter(focus) {
    this.#focus = focus;
    for (;;) {
      const wish = wishOf(this.plan.game, location.hash);
      this.#banner.show(wish ? "Joining …" : "");
      try {
        if (!wish) throw BAD_ADDRESS;
        /** @type {Room<G>} */
        const room = await join(location.origin, { ...wish, name: playerName(), WebSocket: this.link.Socket });
        this.#entered(room, "private" in wish);
        return room;
      } catch (error) {
        this.#banner.show("");
        if (error !== BAD_ADDRESS && !(error instanceof JoinError)) throw error;
        await this.#explain(error instanceof JoinError ? troubleOf(error) : BAD_ADDRESS);
      }
    }
  }

  /** @param {Room<G>} room @param {boolean} isNew */
  #entered(room, isNew) {
    this.#room = room;
    this.#meter = new Meter(room);
    Object.assign(window, { tickwire: { room, link: this.link } });
    const say = (/** @type {import("/client/index.js").ChatMessage} */ line) => {
      this.chat.add(line, line.player === room.player);
    };
    room.chat.lines.forEach(say);
    room.chat.onLine(say);
    room.onState((status) => this.#changed(room, status));
    // Who goes away gives up the seat: nobody should have to look at an empty ship.
    window.addEventListener("pagehide", () => void room.leave());
    window.addEventListener("pageshow", (event) => event.persisted && location.reload());
    this.#focus.focus();
    if (isNew) this.#showInvite();
    else if (recall("helped") === "") this.#showHelp();
  }

  /** @param {Room<G>} room @param {import("/client/index.js").Status} status */
  #changed(room, { phase, cause }) {
    // So that the address can be shared, and a reload comes back here. It changes if the room
    // is gone and the player was led to another.
    if (phase === "joined") history.replaceState(null, "", `#${room.id}`);
    if (phase !== "ended" || cause?.kind === "left") return;
    this.#banner.show("");
    this.#explain(endOf(cause)).then(() => location.reload());
  }

  /** Says what went wrong; comes back if it shall be tried again. @param {import("./seat.js").Trouble} trouble */
  #explain({ title, text, way }) {
    return new Promise((again) => {
      const leave = element("a", { class: "button", href: "/" }, "All games");
      const other = button("Another room", () => {
        history.replaceState(null, "", location.pathname);
        shown.close();
      }, "first");
      const same = button("Try again", () => shown.close(), "first");
      const on = { again: [same, leave], other: [other, leave], none: [leave] }[way];
      const shown = dialog(title, [element("p", {}, text), ways(...on)], () => again(undefined));
    });
  }

  /** @param {string} text */
  #say(text) {
    this.#room?.chat.send(text);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const typing = event.target instanceof Element && event.target.closest("input, button, a, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !this.#room) return;
    if (event.key === "Enter") this.chat.focus();
    else if (event.key === "?") this.#showHelp();
    else return;
    event.preventDefault();
  }

  #showHelp() {
    const { title, about, keys, touch } = this.plan;
    const all = [...keys, ["Enter", "chat"], ["?", "this help"]];
    const list = element("dl", { class: "keys" });
    for (const [names = "", what = ""] of all) {
      const caps = names.split(" ").flatMap((name) => [element("kbd", {}, name), " "]);
      list.append(element("dt", {}, ...caps), element("dd", {}, what));
    }
    const hands = matchMedia("(pointer: coarse)").matches ? element("p", {}, touch) : list;
    const shown = dialog(title, [
      element("p", {}, about),
      hands,
      ways(button("Play", () => shown.close(), "first")),
    ], () => {
      remember("helped", "yes");
      this.#focus.focus();
    });
  }

  #showInvite() {
    const link = linkTo(this.#room?.id ?? "");
    const field = element("input", { class: "field", readonly: true, value: link, "aria-label": "Address of this room" });
    const said = element("p", { class: "soft small", role: "status" });
    const copy = button("Copy", async () => {
      try {
        await navigator.clipboard.writeText(link);
        write(said, "Copied.");
      } catch {
        // Not allowed here: it can be copied by hand.
        field.select();
        write(said, "Selected: copy it with your keyboard or menu.");
      }
    }, "first");
    const shown = dialog("Invite others", [
      element("p", {}, "Whoever has this address can join this room."),
      field,
      said,
      ways(copy, button("Close", () => shown.close())),
    ], () => this.#focus.focus());
  }

  #askName() {
    const room = this.#room;
    if (!room) return;
    const field = element("input", { class: "field", id: "new-name", maxlength: NAME_CHARS_MAX, value: playerName(), autocomplete: "nickname" });
    const said = element("p", { class: "small", role: "alert" });
    const form = element("form", { class: "stack" }, element("label", { for: "new-name" }, "Others see it."), field, said,
      ways(element("button", { class: "button first" }, "Change"), button("Close", () => shown.close())));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        remember("name", await this.plan.rename(room, tidyName(field.value)));
        shown.close();
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        write(said, error.refusal?.text ?? "The server did not answer. Try again.");
      }
    });
    const shown = dialog("Your name", [form], () => this.#focus.focus());
    field.select();
  }
  /**
   * In each picture: what the connection does, in words and numbers.
   *
   * @param {() => Record<string, string>} [more] facts of the game's own, when they are shown
   */
  show(more) {
    if (!this.#room || !this.#meter) return;
    this.#banner.watch(this.#room.status.phase, this.#meter.silentMs);
    this.panel.show(this.#meter, more);
  }
}
