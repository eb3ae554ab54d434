/**
 * A room of arena as it is seen: what the tables and events of the room become on the screen.
 *
 * Three times are drawn at once. The own ship is ahead of the server, by as much as controls need to
 * get there. Other ships are a little behind, between two frames that have come. What drifts can be
 * drawn in any time: see `shots.js`.
 */

import { Ahead } from "/game/ahead.js";
import { AMMO, SHOT_TICKS } from "./flight.js";
import { Feed } from "./hud.js";
import { Pilot } from "./pilot.js";
import { Spent, drifted, timeOf } from "./shots.js";
import { distance, way } from "./space.js";

const RELOAD_TICKS = 20;
/** A picture that comes later than this was not missed but not wanted: nothing is caught up. */
const PAUSE_MS = 250;
/** Pictures further apart are not seen as one motion. */
const SEEN_TICKS_MAX = 3;
/** Ticks of controls that are caught up with after a slow picture. */
const CATCH_UP_TICKS = 8;

/**
 * @typedef {object} Parts
 * @property {import("./view.js").View} view
 * @property {import("./effects.js").Effects} effects
 * @property {import("./controls.js").Controls} controls
 * @property {import("./radar.js").Radar} radar
 * @property {import("./sound.js").Sound} sound
 * @property {import("./hud.js").Gauges} gauges
 * @property {import("./hud.js").Leaderboard} leaders
 * @property {import("./hud.js").Feed} feed
 * @property {import("./hud.js").Wait} wait
 *
 * @typedef {import("./view.js").Scene} Scene
 */

export class Match {
  #ahead = new Ahead();
  #pilot = new Pilot();
  #spent = new Spent();
  /** The last tick that controls were given for. */
  #flown = -1;
  /** What was in force in it. @type {import("./flight.js").Steer} */
  #held = { turn: 0, thrust: false, fire: false };
  #position = NaN;
  #drawnAt = 0;
  /** Where the camera stays while there is no ship. */
  #camera = { x: 0, y: 0 };
  /** Why there is no ship. */
  #lostTo = "";
  /** What was drawn of the own ship last, to see whether it goes evenly. @type {NonNullable<ReturnType<Pilot["at"]>> & { position: number } | null} */
  #drawn = null;
  #uneven = 0;

  /**
   * @param {import("/game/shell.js").Room<import("./schema.d.ts").Arena>} room
   * @param {import("/game/shell.js").Shell<import("./schema.d.ts").Arena>} shell
   * @param {Parts} parts
   */
  constructor(room, shell, parts) {
    this.room = room;
    this.shell = shell;
    this.parts = parts;
    room.onFrame(() => this.#frame());
    room.on("explosion", (event) => this.#burst(event));
    room.on("fired", ({ player }) => this.#heard(player));
    room.on("kill", (event) => this.#killed(event));
    room.on("won", ({ who }) => {
      parts.feed.add(Feed.who(who.name, who.player === room.player), " has won. All begin again at 0.");
    });
    // A hidden page draws no pictures, and so gives no controls: what is held would go on.
    document.addEventListener("visibilitychange", () => document.hidden && this.#letGo());
    this.#frame();
  }

  #letGo() {
    this.#held = { turn: 0, thrust: false, fire: false };
    this.room.input(this.#held);
  }

  /** A frame was applied. */
  #frame() {
    const { room, parts } = this;
    const now = performance.now();
    const gear = this.#gear;
    const error = this.#pilot.frame(room.tick, this.#ship, gear, this.#position, now);
    this.shell.panel.corrected(error);
    if (gear && gear.launch_at > 0 && this.#lostTo === "") this.#lostTo = "Your ship is lost";
    this.#spent.forget(room.tick);
    parts.leaders.show([...room.scores].map(lineOf), room.player);
  }

  get #ship() {
    const { room } = this;
    return room.ships.find((ship) => ship.player === room.player);
  }

  /** The one row of gear that is shown is the own. */
  get #gear() {
    return this.room.gear.find(() => true);
  }

  // ------------------------------------------------------------------------ events

  /** @param {{ x: number, y: number, size: number }} event */
  #burst({ x, y, size }) {
    const { effects, sound } = this.parts;
    effects.burst(x, y, size);
    const away = distance(this.#camera, { x, y });
    sound.burst(away, size);
    if (away < 200) effects.jolt(size === 0 ? 9 : 2 + size);
  }

  /** @param {number} player who has fired */
  #heard(player) {
    // The own gun was heard when it fired here.
    if (player === this.room.player) return;
    const ship = this.room.ships.find((ship) => ship.player === player);
    if (ship) this.parts.sound.shot(distance(this.#camera, ship.view));
  }

  /** @param {{ killer: { player: number, name: string } | null, victim: { player: number, name: string } }} event */
  #killed({ killer, victim }) {
    const own = this.room.player;
    const loser = Feed.who(victim.name, victim.player === own);
    if (killer) this.parts.feed.add(Feed.who(killer.name, killer.player === own), " shot ", loser);
    else this.parts.feed.add(loser, " met a rock");
    if (victim.player === own) this.#lostTo = killer ? `Lost to ${killer.name}` : "Lost to a rock";
  }

  // ---------------------------------------------------------------------- pictures

  /** @param {number} now in milliseconds */
  draw(now) {
    const { room, parts, shell } = this;
    const seconds = Math.min(Math.max(now - this.#drawnAt, 0), PAUSE_MS) / 1000;
    this.#drawnAt = now;
    this.#position = this.#ahead.position(this.#inputPosition(), 1000 / room.tickHz, now);
    this.#fly();
    parts.effects.step(seconds);
    const scene = this.#scene(now, seconds);
    parts.view.draw(scene, now / 1000);
    parts.radar.draw(scene, parts.view.palette, parts.view.seen, now);
    this.#readings(scene);
    shell.show(() => this.#facts(scene));
  }

  /** For the network panel: the worst since it asked last. @param {Scene} scene */
  #facts({ own }) {
    const ship = this.#ship;
    const lead = own && ship ? distance(ship, own) : 0;
    const uneven = this.#uneven;
    this.#uneven = 0;
    return { "Own ship off its path": `${uneven.toFixed(2)} u`, "Own ship is ahead": `${lead.toFixed(0)} u` };
  }

  /** Where in time controls made now will be used, in ticks with their fraction. */
  #inputPosition() {
    const { serverTick, tickHz, network } = this.room;
    const { rtt, inputMargin } = network;
    return rtt && serverTick + ((rtt.smoothed / 2 + inputMargin) / 1000) * tickHz;
  }

  /** Gives the controls for each tick that has begun. */
  #fly() {
    const now = Math.floor(this.#position);
    if (Number.isNaN(now)) return;
    if (now - this.#flown > CATCH_UP_TICKS || now < this.#flown - CATCH_UP_TICKS) this.#flown = now - 1;
    while (this.#flown < now) {
      const tick = ++this.#flown;
      const steer = this.parts.controls.steer(this.#pilot.heading);
      const sent = this.room.input(steer);
      if (sent && sent.tick > tick) this.#pilot.fly(tick, this.#held);
      if (this.#pilot.fly(Math.max(sent?.tick ?? tick, tick), steer)) this.parts.sound.shot(0);
      this.#held = steer;
    }
  }

  /** @param {number} now @param {number} seconds since the last picture @returns {Scene} */
  #scene(now, seconds) {
    const { room, parts } = this;
    const newest = room.tick;
    const past = room.renderTick;
    // The own ship is drawn before the tick that its controls are for: see `Pilot.at`.
    const ahead = Number.isNaN(this.#position) ? newest : this.#position - 1;
    const rocks = [...room.rocks].map((rock) => ({ ...drifted(rock, ahead - newest), size: rock.size, seed: seedOf(rock.ref) }));
    const own = this.#own(now, seconds);
    if (own) this.#camera = { x: own.x, y: own.y };
    const names = new Map([...room.scores].map((score) => [score.player, score]));
    const ships = [];
    for (const ship of room.ships) {
      if (ship.player === room.player) continue;
      const { x, y, heading } = ship.view;
      const { thrust, safe, hp, player } = ship;
      const score = names.get(player);
      ships.push({ x, y, heading, thrust, safe, hp, player, name: score?.name ?? "", away: score?.away ?? false });
      if (thrust) parts.effects.trail(x, y, heading, seconds);
    }
    const shots = this.#shots(rocks, newest, past, ahead);
    return { camera: this.#camera, own, ships, rocks, shots, effects: parts.effects };
  }

  /** The own ship as it is drawn. @param {number} now @param {number} seconds */
  #own(now, seconds) {
    const { room, parts } = this;
    const ship = this.#ship;
    const at = this.#pilot.at(this.#position, now);
    this.#measure(at);
    if (!ship || !at) return null;
    const { thrust } = this.#held;
    if (thrust) parts.effects.trail(at.x, at.y, at.heading, seconds);
    const name = room.scores.find((score) => score.player === room.player)?.name ?? "";
    return { ...at, thrust, safe: ship.safe, hp: ship.hp, player: ship.player, name, away: false };
  }

  /**
   * How far the own ship is drawn from where its speed leads: what an eye calls a jitter.
   *
   * @param {ReturnType<Pilot["at"]>} at
   */
  #measure(at) {
    const before = this.#drawn;
    this.#drawn = at && { ...at, position: this.#position };
    if (!at || !before) return;
    const ticks = this.#position - before.position;
    // No eye has followed it over a gap between pictures.
    if (ticks > SEEN_TICKS_MAX) return;
    const x = way(before.x, at.x) - ((before.vx + at.vx) / 2) * ticks;
    const y = way(before.y, at.y) - ((before.vy + at.vy) / 2) * ticks;
    this.#uneven = Math.max(Math.hypot(x, y), this.#uneven);
  }

  /** @param {Scene["rocks"]} rocks @param {number} newest @param {number} past @param {number} ahead */
  #shots(rocks, newest, past, ahead) {
    const { room, parts } = this;
    /** @type {Scene["shots"]} */
    const shots = [];
    const spark = (/** @type {number} */ x, /** @type {number} */ y) => parts.effects.spark(x, y);
    for (const shot of room.shots) {
      const own = shot.player === room.player;
      const time = own ? ahead : timeOf(shot.until, past, ahead);
      const born = shot.until - SHOT_TICKS;
      if (time < born - 1 || time > shot.until) continue;
      const at = drifted(shot, time - newest);
      if (own && this.#spent.has(born, at, rocks, spark)) continue;
      shots.push({ ...at, vx: shot.vx, vy: shot.vy, own, player: shot.player });
    }
    for (const ghost of this.#pilot.ghosts.values()) {
      // Its place is that of before the tick of its birth, in which it moves already.
      const ticks = ahead - (ghost.born - 1);
      if (ticks < 0 || ahead > ghost.until) continue;
      const at = drifted(ghost, ticks);
      if (this.#spent.has(ghost.born, at, rocks, spark)) continue;
      shots.push({ ...at, vx: ghost.vx, vy: ghost.vy, own: true, player: room.player });
    }
    return shots;
  }

  /** What the pilot reads. @param {Scene} scene */
  #readings({ own }) {
    const { gauges, wait, sound } = this.parts;
    const gun = this.#pilot.gun;
    sound.engine(own !== null && own.thrust);
    gauges.element.hidden = !own || !gun;
    if (own && gun) {
      const tick = this.#flown;
      const loading = gun.ammo < AMMO ? Math.min(Math.max(1 - (gun.reload_at - tick) / RELOAD_TICKS, 0), 1) : 0;
      gauges.show(own.hp, gun.ammo, gun.ammo > 0 && tick >= gun.ready_at, loading);
      this.#lostTo = "";
      wait.hide();
    } else if (this.#lostTo !== "") {
      const left = (this.#gear?.launch_at ?? 0) - this.room.tick;
      wait.show(this.#lostTo, left / this.room.tickHz);
    }
  }
}

/** What makes a rock look as no other. @param {{ slot: number, generation: number }} ref */
function seedOf({ slot, generation }) {
  return slot * 131 + generation;
}

/** A line of the leaderboard, free of its row. @param {import("./schema.d.ts").Score} score @returns {import("./schema.d.ts").Score} */
function lineOf({ player, name, points, kills, deaths, away }) {
  return { player, name, points, kills, deaths, away };
}
