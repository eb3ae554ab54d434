/** Clock, input margin, render position, tracks, prediction, and when to come back. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock, InputLead } from "../src/clock.js";
import { DELAY_MAX, DELAY_MIN, Playhead, Track, lerp, lerpAround } from "../src/interpolate.js";
import { PENDING_MAX, Predictor, Smoother } from "../src/predict.js";
import { PATIENCE, Reconnect } from "../src/reconnect.js";
import { TableLayout } from "../src/schema/layout.js";
import { shipsSchema } from "../bench/ships.js";

const TICK = 33_333;

/** xorshift32, even over 0 to 1 @param {number} seed */
function dice(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** The server's clock: 100 ppm fast, and 7 s ahead. @param {number} now */
const server = (now) => 7_000_000 + now + now / 10_000;

/**
 * @param {Clock} clock
 * @param {number} sent
 * @param {number} up
 * @param {number} down
 * @param {number} [jump]
 */
function pong(clock, sent, up, down, jump = 0) {
  const stamp = server(sent + up) + jump;
  return clock.sample(sent, sent + up + down, { tick: Math.floor(stamp / TICK), micros: Math.floor(stamp % TICK) });
}

test("the clock converges within a tick under jitter and drift, and never goes back", () => {
  for (let seed = 1; seed < 20; seed++) {
    const random = dice(seed);
    const clock = new Clock(TICK);
    let [last, snaps] = [0, 0];
    for (let round = 0; round < 200; round++) {
      const sent = round * 500_000;
      const adjusted = pong(clock, sent, 35_000 + 30_000 * random(), 35_000 + 30_000 * random());
      snaps += adjusted === "snapped" ? 1 : 0;
      for (let frame = 0; frame < 20; frame++) {
        const now = sent + 150_000 + frame * 16_000;
        const tick = clock.serverTick(now) ?? NaN;
        assert.ok(tick >= last);
        last = tick;
        if (round > 10) assert.ok(Math.abs(tick - server(now) / TICK) < 1, `${tick} at ${now}`);
      }
    }
    assert.equal(snaps, 1);
  }
});

test("the clock snaps when the server's has jumped, and ignores what cannot be", () => {
  const clock = new Clock(TICK);
  assert.equal(clock.serverTick(5), undefined);
  assert.equal(clock.sample(2, 1, { tick: 5, micros: 0 }), "ignored");
  assert.equal(clock.sample(0, 11_000_000, { tick: 5, micros: 0 }), "ignored");
  assert.equal(pong(clock, 0, 10_000, 10_000), "snapped");
  assert.equal(pong(clock, 500_000, 10_000, 10_000), "slewed");
  assert.equal(pong(clock, 1_000_000, 40_000, 40_000, -3_000_000), "snapped");
});

test("the input margin grows until nothing is late, shrinks when the link calms, and is bounded", () => {
  const [clock, lead] = [new Clock(TICK), new InputLead(TICK)];
  /** @param {number} from @param {number} least @param {number} most */
  const drive = (from, least, most) => {
    const [random, reports] = [dice(from), /** @type {[number, number][]} */ ([])];
    let [late, last] = [0, 0];
    for (let step = 0; step < 1200; step++) {
      const now = from + step * TICK;
      if (step % 8 === 0) pong(clock, now - 60_000, 30_000, 30_000);
      const stamp = lead.stamp(clock, now) ?? NaN;
      assert.ok(stamp >= last);
      last = stamp;
      const arrives = now + least + random() * (most - least);
      const depth = stamp - (Math.floor(server(arrives) / TICK) + 1);
      late += depth < 0 && step > 600 ? 1 : 0;
      reports.push([arrives + 30_000, depth]);
      while (reports.length > 0 && reports[0][0] <= now) lead.depthReported(clock, reports.shift()?.[1] ?? 0, now);
    }
    return late;
  };
  assert.ok(drive(1_000_000, 30_000, 150_000) <= 3);
  assert.ok(lead.margin >= 4 * TICK && lead.margin <= 8 * TICK, `${lead.margin}`);
  assert.equal(drive(60_000_000, 30_000, 31_000), 0);
  assert.ok(lead.margin >= TICK && lead.margin <= 4 * TICK, `${lead.margin}`);
  for (let n = 0; n < 100; n++) lead.depthReported(clock, -(2 ** 31), 200_000_000 + n * 1_000_000);
  assert.equal(lead.margin, 16 * TICK);
});

test("the render position never goes back, stays behind, and follows what is late", () => {
  const random = dice(9);
  const playhead = new Playhead(50_000, 50_000);
  assert.equal(playhead.position(0), undefined);
  let last = 0;
  for (let tick = 1; tick < 600; tick++) {
    const isBad = tick > 200 && tick < 400;
    playhead.frameApplied(tick, tick * 50_000 + 30_000 + (isBad ? 80_000 * random() : 0));
    for (let step = 0; step < 6; step++) {
      const position = playhead.position(tick * 50_000 + 110_000 + step * 8_000) ?? NaN;
      assert.ok(position >= last && position <= tick + 2);
      last = position;
    }
    assert.ok(playhead.delay >= DELAY_MIN && playhead.delay <= DELAY_MAX);
    if (tick === 399) assert.ok(playhead.delay > 90_000, `${playhead.delay}`);
  }
  assert.ok(playhead.delay < 80_000, "the delay was given back");
});

/**
 * A track of ships' motion: x, y, heading.
 *
 * @param {...[tick: number, x: number, previous: number | undefined]} samples
 */
function trackOf(...samples) {
  const layout = new TableLayout(shipsSchema().tables[0]);
  const track = new Track(layout);
  for (const [tick, x, previous] of samples) track.push(Float64Array.of(0, x, 0, 250, 0, 0, 0), 0, tick, previous);
  return track;
}

test("a track blends, holds, cuts and goes on for two ticks", () => {
  const track = trackOf([10, 0, undefined], [11, 100, 10], [14, 400, 13]);
  assert.equal(track.sample(0, 10.5, 14), 50);
  assert.equal(track.sample(0, 12, 14), 100, "it rested until the frame before");
  assert.equal(track.sample(0, 13.5, 14), 250);
  assert.equal(track.sample(0, 5, 14), 0, "before the oldest");
  assert.equal(track.sample(0, 15, 14), 700, "it was moving");
  assert.equal(track.sample(0, 99, 14), 1000, "for two ticks");
  assert.equal(track.sample(0, 15, 15), 400, "it rested in the newest frame");
  const cut = trackOf([10, 0, undefined], [12, 900, undefined]);
  assert.equal(cut.sample(0, 11.9, 12), 0);
  assert.equal(cut.sample(0, 13, 12), 900);
  const ring = trackOf([1, 32760, undefined], [2, -32760, 1]);
  assert.equal(ring.sample(0, 1.5, 2), -32768, "the short way around");
  assert.equal(trackOf().sample(0, 1, 1), undefined);
});

test("a track remembers sixteen samples, and ignores older ticks", () => {
  const track = trackOf(...Array.from({ length: 40 }, (_, n) => /** @type {[number, number, number]} */ ([n, n, n - 1])));
  assert.equal(track.sample(0, 3, 39), 24);
  track.push(Float64Array.of(0, 999, 0, 0, 0, 0, 0), 0, 5, 4);
  assert.equal(track.sample(0, 39, 40), 39);
});

test("blends are exact at the ends", () => {
  assert.deepEqual([lerp(1, 3, 0), lerp(1, 3, 1), lerp(0.1, 0.1, 0.3)], [1, 3, 0.1]);
  assert.deepEqual([lerpAround(350, 10, 0.5, 0, 360), lerpAround(10, 350, 0.5, 0, 360)], [0, 0]);
});

const rules = {
  step: (/** @type {{ x: number, speed: number }} */ body, /** @type {number} */ push) => {
    body.speed = Math.trunc(((body.speed + push) * 7) / 8);
    body.x += body.speed;
  },
  isSame: (/** @type {{ x: number, speed: number }} */ a, /** @type {{ x: number, speed: number }} */ b) =>
    a.x === b.x && a.speed === b.speed,
};

/** The server's state after each tick from 0 on. @param {number[]} inputs */
function truth(inputs) {
  const states = [{ x: 0, speed: 0 }];
  for (const input of inputs) {
    const body = { ...states[states.length - 1] };
    rules.step(body, input);
    states.push(body);
  }
  return states;
}

test("a wrong prediction is corrected once, and shown from where it was", () => {
  const random = dice(4);
  const inputs = Array.from({ length: 200 }, () => Math.floor(random() * 200) - 100);
  const theirs = [...inputs];
  // This one came late: the server repeated the one before.
  theirs[99] = theirs[98];
  const states = truth(theirs);
  const predictor = new Predictor(rules, 0, states[0]);
  const corrections = /** @type {[number, number][]} */ ([]);
  inputs.forEach((input, index) => {
    const shown = predictor.push(index + 1, input);
    if (index < 5) return;
    const told = predictor.reconcile(index - 4, states[index - 4]);
    if (told.result === "corrected") {
      assert.equal(told.before, shown);
      corrections.push([index - 4, told.replayed]);
    } else assert.equal(told.result, "confirmed");
    if (index - 4 >= 100) assert.deepEqual(predictor.state, states[index + 1]);
  });
  assert.deepEqual(corrections, [[100, 5]]);
});

test("skipped ticks repeat the held input, and a silent server bounds the work", () => {
  const states = truth([5, 5, 5, 9, 9, 9, 1]);
  const predictor = new Predictor(rules, 0, states[0]);
  predictor.push(1, 5);
  predictor.push(4, 9);
  assert.deepEqual([predictor.pending, predictor.state], [4, states[4]]);
  assert.equal(predictor.reconcile(4, states[4]).result, "confirmed");
  assert.equal(predictor.reconcile(4, states[4]).result, "stale");
  assert.deepEqual(predictor.push(7, 1), states[7], "what is held outlives its acknowledgement");
  predictor.push(2 ** 32 - 1, 0);
  assert.equal(predictor.pending, PENDING_MAX);
  assert.equal(predictor.reconcile(2 ** 31, states[1]).result, "adopted");
});

test("a correction is hidden and dies away; a teleport is not", () => {
  const smoother = new Smoother(100, 10);
  assert.deepEqual(smoother.offset(5), []);
  smoother.corrected([4, -2], 1000);
  assert.deepEqual(smoother.offset(1000), [4, -2]);
  const [x, y] = smoother.offset(1100);
  assert.ok(Math.abs(x - 4 * 0.3679) < 0.01 && Math.abs(y + 2 * 0.3679) < 0.01);
  smoother.corrected([1, 0], 1100);
  assert.deepEqual(smoother.offset(1100), [x + 1, y]);
  smoother.corrected([100, 0], 1100);
  assert.deepEqual(smoother.offset(1100), [0, 0]);
  smoother.corrected([NaN, 0], 1200);
  assert.deepEqual(smoother.offset(1200), [0, 0]);
});

test("delays double up to the cap, are even from zero, and end", () => {
  const bounds = () => {
    const reconnect = new Reconnect({ ...PATIENCE, attemptsMax: 9 });
    return Array.from({ length: 10 }, () => reconnect.lost(0, 0, 1));
  };
  assert.deepEqual(bounds(), [250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000, undefined].map((ms) => ms && ms * 1000));
  assert.equal(new Reconnect(PATIENCE).lost(7, 0, 0), 7);
  assert.equal(new Reconnect(PATIENCE).lost(0, 3_000_000, 0.5), 3_125_000, "jitter comes on top of what was asked for");
  assert.equal(new Reconnect(PATIENCE).lost(0, 1e15, 0), undefined, "that is longer than an outage may last");
});

test("only a connection that held ends the outage", () => {
  const reconnect = new Reconnect(PATIENCE);
  for (let n = 0; n < 6; n++) {
    reconnect.connected(0);
    reconnect.lost(1_000_000, 0, 1);
  }
  assert.equal(reconnect.attempts, 6);
  reconnect.connected(2_000_000);
  assert.equal(reconnect.lost(12_000_000, 0, 1), 12_250_000);
});
