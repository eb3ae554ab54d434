/** The session, without a network and without real time. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Session, closeCode } from "../src/session/session.js";
import { bye, frame, moved, newToken, Play, pong, refusal, reply, welcome } from "./support/peer.js";
import { schemaOf } from "./support/fixtures.js";

const play = () => new Play(Session);

// ------------------------------------------------------------------------- handshake

test("a session asks for a socket, says hello, and is joined by a welcome", () => {
  const it = play();
  assert.deepEqual(it.told("connect"), [{ what: "connect", address: "ws://a" }]);
  assert.deepEqual(it.said, [], "nothing before the socket is open");
  it.open();
  assert.deepEqual(it.heard("hello"), [{ version: 1, schema: undefined, token: "seat", applied: undefined }]);
  it.tell(welcome());
  assert.deepEqual(it.told("joined"), [{ what: "joined", player: 4, resumed: false }]);
  assert.deepEqual(it.heard("ping").length, 1);
  it.tell(frame({ full: 100 }));
  assert.deepEqual(it.told("frame"), [{ what: "frame", tick: 100 }]);
  assert.deepEqual(it.heard("input"), [{ applied: 100, inputs: [] }], "a full frame is acknowledged at once");
});

test("what a welcome must not say ends the connection", () => {
  const cases = /** @type {[Uint8Array, string, number, string][]} */ ([
    [welcome({ version: 2 }), "version", 1000, "end"],
    [welcome({ descriptor: null }), "no_descriptor", 4400, "reconnect"],
    [welcome({ hash: 5n }), "bad_descriptor", 4400, "reconnect"],
    [welcome({ descriptor: Uint8Array.of(9), hash: undefined }), "codec.Truncated", 4400, "reconnect"],
    [welcome({ baseline: 3 }), "bad_baseline", 4400, "reconnect"],
    [frame({ full: 1 }), "before_welcome", 4400, "reconnect"],
    [Uint8Array.of(9), "codec.BadTag", 4400, "reconnect"],
  ]);
  for (const [bytes, code, close, then] of cases) {
    const it = play().open().tell(bytes);
    const [closed] = it.told("closed");
    assert.deepEqual(closed.cause, { kind: "error", code });
    assert.equal(closeCode(closed.cause), close);
    assert.equal(closed.then.what, then);
  }
});

test("sockets that do not open and servers that do not answer are given up in time", () => {
  const it = play();
  it.pass(9_999);
  assert.deepEqual(it.told("closed"), []);
  it.pass(2);
  assert.equal(it.told("closed")[0].cause.kind, "not_opened");
  it.pass(200).open().pass(5_001);
  assert.equal(it.told("closed")[0].cause.kind, "not_welcomed");
});

test("the server may send elsewhere before it welcomes", () => {
  const it = play().open().tell(moved("ws://b", "there"));
  assert.equal(it.told("closed")[0].cause.kind, "moved");
  it.told("connect");
  it.pass(200);
  assert.deepEqual(it.told("connect"), [{ what: "connect", address: "ws://b" }]);
  it.heard("hello");
  it.open();
  assert.equal(it.heard("hello")[0].token, "there");
});

// ------------------------------------------------------------------ acknowledgements

test("every frame is acknowledged within 100 ms, and many by one", () => {
  const it = play().join();
  it.heard("input");
  for (let n = 0; n < 4; n++) it.pass(50).tell(frame({}));
  it.pass(100);
  const acks = it.heard("input").map((input) => input.applied);
  assert.deepEqual(acks, [102, 104]);
});

test("a frame that is late or stands for several is acknowledged at once", () => {
  const it = play().join();
  it.heard("input");
  it.pass(50).tell(frame({ step: 2 }));
  assert.deepEqual(it.heard("input"), [{ applied: 102, inputs: [] }]);
  it.pass(80).tell(frame({}));
  assert.deepEqual(it.heard("input"), [{ applied: 103, inputs: [] }]);
  assert.equal(it.session.counters.framesMerged, 1);
});

test("after a freeze one acknowledgement is enough for the server to go on", () => {
  const it = play().join();
  it.heard("input");
  // No timer ran for 30 s, and everything comes at once.
  it.now += 30_000;
  it.tell(...Array.from({ length: 5 }, () => frame({})));
  assert.deepEqual(it.heard("input").map((input) => input.applied), [101]);
  it.tell(frame({ step: 600 }));
  assert.deepEqual(it.heard("input").map((input) => input.applied), [705]);
  assert.equal(it.session.phase.is, "joined", "it was asked whether anybody is there, and somebody was");
});

test("a pace makes rarer frames the expected ones", () => {
  const it = play().join();
  it.heard("input");
  it.ask((session) => session.pace(3));
  assert.deepEqual(it.heard("pace"), [3]);
  it.pass(150).tell(frame({ step: 3 }));
  assert.deepEqual(it.heard("input"), []);
  assert.equal(it.session.counters.framesMerged, 0);
});

// ---------------------------------------------------------------------------- inputs

test("inputs are stamped, sent when they change, and once a tick at most", () => {
  const it = play().join();
  it.heard("input");
  const first = it.ask((session) => session.input(Uint8Array.of(1), it.micros));
  // The clock was 100 at the welcome, no time has passed, and the margin is 2 ticks.
  assert.deepEqual(first, { sequence: 0, tick: 102 });
  assert.deepEqual(it.heard("input")[0].inputs, [{ sequence: 0, tick: 102, body: [1] }]);
  assert.equal(it.ask((session) => session.input(Uint8Array.of(1), it.micros)), undefined);
  it.ask((session) => session.input(Uint8Array.of(2), it.micros));
  it.ask((session) => session.input(Uint8Array.of(3), it.micros));
  assert.deepEqual(it.heard("input"), [], "the tick has one on its way");
  it.pass(50);
  assert.deepEqual(it.heard("input")[0].inputs, [{ sequence: 1, tick: 103, body: [3] }]);
});

test("the input in force is sent again after a resume, under the next number", () => {
  const it = play().join();
  it.ask((session) => session.input(Uint8Array.of(7), it.micros));
  it.heard("input");
  it.session.handleClose(1006, "", it.micros);
  it.pass(300).open();
  it.tell(welcome({ baseline: 100, descriptor: null, tick: 110 }));
  assert.deepEqual(it.heard("input")[0].inputs.map((/** @type {any} */ input) => [input.sequence, input.body]), [[1, [7]]]);
});

test("depths that are too small raise the margin", () => {
  const it = play().join();
  const margin = it.session.timeline?.lead.margin ?? 0;
  it.tell(frame({ depth: -2, processed: 9 }));
  assert.equal((it.session.timeline?.lead.margin ?? 0) - margin, 3 * 50_000);
  assert.equal(it.session.processed, 9);
});

// -------------------------------------------------------------------------- commands

test("a command has exactly one outcome", () => {
  const it = play().join();
  for (const ms of [100, 50, 200, 300]) assert.equal(it.command(ms), undefined);
  assert.deepEqual(it.heard("command").map((command) => command.id), [0, 1, 2, 3]);
  it.pass(50);
  it.tell(reply(0, [7, 1]), refusal(2, 300, "no"), reply(1, [0, 0]));
  it.session.handleClose(1006, "", it.micros);
  assert.deepEqual(it.outcomes.map(([number, outcome]) => [number, outcome.is]),
    [[1, "timed_out"], [0, "reply"], [2, "refused"], [3, "connection_lost"]]);
  assert.deepEqual(it.outcomes[1][1], { is: "reply", value: { number: 7, paid: true } });
  assert.deepEqual(it.outcomes[2][1], { is: "refused", refusal: { code: 300, text: "no" } });
  assert.equal(it.session.counters.strays, 1, "the reply after the time-out");
  assert.equal(it.command(1), "not_joined");
});

test("too much is refused and nothing of it is kept", () => {
  const it = play().join();
  const nobody = () => assert.fail("nothing was queued");
  assert.equal(it.session.command(new Uint8Array(8193), 1000, 0, nobody), "too_long");
  for (let n = 0; n < 64; n++) assert.equal(it.session.command(Uint8Array.of(1), 1e6, 0, nobody), undefined);
  assert.equal(it.session.command(Uint8Array.of(1), 1000, 0, nobody), "busy");
  assert.equal(it.session.chat("x"), "busy");
  assert.equal(it.session.chat("ž".repeat(257)), "too_long");
  assert.throws(() => it.session.input(new Uint8Array(257), 0), RangeError);
});

test("a command that timed out is not sent any more", () => {
  const it = play().join();
  it.ask((session) => {
    session.command(Uint8Array.of(1), 0, it.micros, (outcome) => it.outcomes.push([0, outcome]));
    session.handleTimeout(it.micros);
  });
  assert.deepEqual(it.outcomes, [[0, { is: "timed_out" }]]);
  assert.deepEqual(it.heard("command"), []);
});

test("a malformed body of a reply or an event ends the connection", () => {
  const it = play().join();
  it.command(1000);
  it.tell(reply(0, [1, 2, 3, 4]));
  assert.equal(it.told("closed")[0].cause.code, "codec.BadBool");
  assert.deepEqual(it.outcomes, [[0, { is: "connection_lost" }]]);
  const other = play().join().tell(frame({ events: [{ tick: 101, body: [200] }] }));
  assert.equal(other.told("closed")[0].cause.code, "codec.BadTag");
  assert.deepEqual(other.told("event"), []);
});

test("events come after their frame, with their ticks", () => {
  const it = play().join().tell(frame({ events: [{ tick: 99, body: [0] }, { tick: 101, reliable: true, body: [0] }] }));
  assert.deepEqual(it.events.slice(-3).map((event) => event.what), ["frame", "event", "event"]);
  assert.deepEqual(it.told("event").map(({ tick, reliable, value }) => [tick, reliable, value]),
    [[99, false, { $: "over" }], [101, true, { $: "over" }]]);
});

// ----------------------------------------------------------------- losses and resuming

test("a lost connection resumes with the newest token, the schema and the applied tick", () => {
  const it = play().join().tell(frame({}), newToken("newest"));
  const { mirror } = it.session;
  it.session.handleClose(1006, "", it.micros);
  it.ask(() => {});
  const [closed] = it.told("closed");
  // Half of the first bound.
  assert.deepEqual(closed.then, { what: "reconnect", at: 125_000 });
  it.heard("hello");
  it.pass(125).open();
  assert.deepEqual(it.heard("hello"), [{ version: 1, schema: schemaOf("space").hash, token: "newest", applied: 101 }]);
  it.tell(welcome({ baseline: 101, descriptor: null, tick: 104 }), frame({ step: 3 }));
  assert.equal(it.session.mirror, mirror);
  assert.equal(mirror?.tick, 104);
  assert.equal(it.session.counters.resumes, 1);
});

test("without a baseline the first frame must be full, and the old state stays until then", () => {
  const it = play().join();
  const { mirror } = it.session;
  it.session.handleClose(1006, "", it.micros);
  it.pass(200).open().tell(welcome({ descriptor: null }));
  assert.equal(it.session.mirror, mirror);
  it.tell(frame({}));
  assert.equal(it.told("closed").at(-1).cause.code, "mirror.NoBaseline");
});

test("after an error of the server the state is given up, and the next hello has none", () => {
  const it = play().join();
  const { mirror } = it.session;
  it.tell(Uint8Array.of(0, 255));
  const [closed] = it.told("closed");
  assert.deepEqual(closed.cause, { kind: "error", code: "codec.BadTag" });
  assert.notEqual(it.session.mirror, mirror);
  it.heard("hello");
  it.pass(200).open();
  assert.equal(it.heard("hello")[0].applied, undefined);
});

test("close codes decide what follows", () => {
  const cases = /** @type {[number, string, string][]} */ ([
    [1000, "bye", "end"], [1012, "", "reconnect"], [4408, "too slow", "reconnect"], [1006, "", "reconnect"],
    [4408, "replaced by a newer connection", "end"], [4403, "", "end"], [4404, "", "need_seat"],
    [4401, "", "need_seat"], [1013, "", "need_seat"], [4777, "", "end"], [1005, "", "reconnect"], [3000, "", "reconnect"],
  ]);
  for (const [code, text, then] of cases) {
    const it = play().join();
    it.session.handleClose(code, text, it.micros);
    it.ask(() => {});
    assert.equal(it.told("closed")[0].then.what, then, `${code} ${text}`);
  }
  const it = play().join().tell(bye(1012, "the server restarts", 2000));
  assert.deepEqual(it.told("closed")[0].then, { what: "reconnect", at: 2_125_000 });
});

test("attempts end after their number or their time, and a new seat goes on", () => {
  const it = play();
  let attempts = 0;
  while (it.session.phase.is !== "ended") {
    it.session.handleClose(1006, "", it.micros);
    it.ask(() => {});
    attempts += 1;
    it.pass(15_000);
  }
  assert.equal(it.told("closed").at(-1).then.what, "give_up");
  assert.ok(attempts <= 21 && it.now <= 200_000, `${attempts} in ${it.now} ms`);
  assert.ok(it.session.rejoin("ws://c", "other", it.micros));
  it.ask(() => {});
  assert.equal(it.told("connect").at(-1).address, "ws://c");
});

test("silence is asked about before it is believed", () => {
  const it = play().join();
  it.pass(2000);
  it.heard("ping");
  it.pass(9_000);
  assert.ok(it.heard("ping").length > 0);
  assert.equal(it.session.phase.is, "joined");
  it.pass(4_000);
  assert.equal(it.told("closed")[0].cause.kind, "silent");
});

test("leaving says what is left, and bye", () => {
  const it = play().join();
  it.ask((session) => {
    session.chat("gg");
    session.leave();
  });
  assert.deepEqual(it.said.slice(-2), [{ chat: "gg" }, { bye: true }]);
  assert.deepEqual(it.told("closed"), [{ what: "closed", cause: { kind: "left" }, then: { what: "end" } }]);
});

test("a state that is not the server's is asked for again, at most every two seconds", () => {
  const it = play().join();
  for (let n = 0; n < 30; n++) it.pass(100).tell(frame({ step: 2, hash: 99 }));
  assert.equal(it.session.counters.diverged, 30);
  assert.equal(it.heard("refresh").length, 2);
});

test("a room that went back in time starts its clock anew", () => {
  const it = play().join({ tick: 5000 });
  const { timeline } = it.session;
  it.pass(100).heard("ping");
  it.tell(frame({ full: 40 }));
  assert.notEqual(it.session.timeline, timeline);
  const [stamp] = it.heard("ping");
  assert.equal(it.ask((session) => session.input(Uint8Array.of(1), it.micros)), undefined, "there is no clock");
  it.tell(pong(stamp, 40));
  assert.equal(it.heard("input").at(-1).inputs[0].tick, 42);
});

test("what is told may end the connection, and nothing of it is told after that", () => {
  const it = play().join();
  it.onEvent = ({ what }) => {
    if (what === "event") it.session.handleClose(1000, "", it.micros);
  };
  it.tell(frame({ events: [{ tick: 101, body: [0] }, { tick: 101, body: [0] }] }));
  assert.equal(it.told("event").length, 1);
  assert.equal(it.told("closed").length, 1);
});
