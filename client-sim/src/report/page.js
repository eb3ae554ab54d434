// The page of one run, or of two side by side.

const runs = JSON.parse(document.getElementById("data").textContent);
const two = runs.length === 2;
const page = document.getElementById("page");
const MEASURES = [
  ["frame_interval_ms", "Frame interval"], ["staleness_ms", "Staleness"],
  ["input_ack_ms", "Input to acknowledgement"], ["input_effect_ms", "Input to visible effect"],
  ["join_ms", "Join request"], ["connect_ms", "Connect, to the first frame"],
  ["resume_ms", "Resume, from the loss to the next frame"],
];
const RUN_COLORS = ["--c1", "--c2"];
const RUN_NAMES = ["A", "B"];

function dot(color) {
  return node("span", { class: "dot", style: `background:var(${color})` });
}

function date(run) {
  return new Date(run.run.started_unix_ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

function heading() {
  const about = runs.map((run, index) => {
    const { bots, server } = run;
    const line = `${bots.requested} bots in ${run.config.rooms} room${run.config.rooms === 1 ? "" : "s"} of `
      + `${server.game} at ${server.tick_hz} Hz, ${trim(run.run.seconds)} s, ${date(run)}`
      + (run.run.ended === "interrupted" ? ", ended early" : "");
    return node("p", { class: "sub" }, two ? dot(RUN_COLORS[index]) : null, two ? `${RUN_NAMES[index]}: ${line}` : line);
  });
  page.append(node("h1", {}, two ? "Two swarms compared" : "Swarm report"), ...about);
}

function verdict() {
  const list = node("ul", { class: "verdict" });
  runs.forEach((run, index) => {
    const name = two ? `${RUN_NAMES[index]}: ` : "";
    const items = run.verdict.map((line) => ["note", line]);
    for (const { text, value, holds } of run.assertions) {
      items.push([holds ? "good" : "bad", `${text} ${holds ? "holds" : "does not hold"}: ${value === null ? "nothing was measured" : `it is ${trim(value)}`}`]);
    }
    if (run.hash.mismatched > 0) items.forEach((item) => { if (item[1].startsWith("Bots disagreed")) item[0] = "bad"; });
    for (const [kind, line] of items) list.append(node("li", { class: kind }, name + line));
  });
  if (list.children.length === 0) {
    list.append(node("li", { class: "good" }, "Every bot got in, nothing went wrong, and no state differed from the server's."));
  }
  page.append(list);
}

function tile(label, values, more) {
  const lines = values.map(([text, unit], index) => node("div", { class: "value num" },
    two ? dot(RUN_COLORS[index]) : null, text, unit ? node("small", {}, unit) : null));
  return node("div", { class: "card tile" }, node("div", { class: "label" }, label), ...lines, more ? node("div", { class: "more" }, more) : null);
}

function time(value) {
  if (value === null || value === undefined) return ["–", ""];
  return value >= 10000 ? [trim(value / 1000), "s"] : [trim(value), "ms"];
}

function tiles() {
  const of = (read) => runs.map(read);
  const one = runs[0];
  const p = (measure) => one.healthy[measure];
  const again = (measure) => (two ? "healthy bots, p99" : `p50 ${time(p(measure).p50).join(" ")}, healthy bots`);
  page.append(node("div", { class: "tiles" },
    tile("Frame interval p99", of((run) => time(run.healthy.frame_interval_ms.p99)), again("frame_interval_ms")),
    tile("Staleness p99", of((run) => time(run.healthy.staleness_ms.p99)), again("staleness_ms")),
    tile("Input to effect p99", of((run) => time((run.healthy.input_effect_ms.count ? run.healthy.input_effect_ms : run.healthy.input_ack_ms).p99)),
      p("input_effect_ms").count ? again("input_effect_ms") : "to its acknowledgement"),
    tile("States that disagreed", of((run) => [String(run.hash.mismatched), `of ${short(run.hash.checked)}`]), "by the server's hash"),
    tile("Coalesced frames", of((run) => [trim(run.frames.coalesced_share * 100), "%"]), two ? null : `of ${short(one.frames.received)} frames`),
    tile("Traffic of a bot", of((run) => [short(run.frames.wire_bytes_per_bot_s), "B/s"]), two ? null : `${trim(one.frames.bytes_per_frame)} bytes a frame`),
  ));
}

// In a comparison each run has its colour; in one run each series has.
function lines(parts) {
  if (!two) return parts.map(([name, key, color, kind]) => ({ name, color, kind, values: runs[0].series[key] }));
  const [, key, , kind] = parts.at(-1);
  return runs.map((run, index) => ({
    name: RUN_NAMES[index], color: RUN_COLORS[index], kind: kind === "area" ? "line" : kind, values: run.series[key],
  }));
}

function charts() {
  const grid = node("div", { class: "charts" });
  const add = (chart) => grid.append(chart.root);
  const has = (...keys) => runs.some((run) => keys.some((key) => run.series[key].some((value) => value > 0)));
  const time = (title, note, unit, ...parts) => add(new TimeChart({ title, note, unit, series: lines(parts), top: unit === "%" ? 0.01 : 0 }));
  const p99 = two ? "p99" : null;
  time("Bots in their rooms", null, "", ["connected", "connected", "--c4", "area"]);
  time("Frame interval", p99 ?? "healthy bots", "ms", ["p50", "frame_interval_ms_p50", "--c1"], ["p99", "frame_interval_ms_p99", "--c2"]);
  time("Staleness: age of the state when it is applied", p99 ?? "healthy bots", "ms", ...(two ? [] : [["longest", "staleness_ms_max", "--c3"]]),
    ["p50", "staleness_ms_p50", "--c1"], ["p99", "staleness_ms_p99", "--c2"]);
  time("Traffic to the bots", "a second", "B", ["bytes", "wire_bytes", "--c1", "area"]);
  time("Coalesced share of frames", null, "%", ["coalesced", "coalesced_share", "--c5", "area"]);
  if (two) {
    time("Frames", "a second", "", ["frames", "frames", "--c1"]);
    time("Errors", "a second", "", ["errors", "errors", "--c3", "line"]);
  } else if (has("stalled", "cuts", "attacks", "resumed", "errors", "left")) {
    const parts = [["hang", "stalled", "--c2", "area"], ["cut", "cuts", "--c3", "bars"], ["resumed", "resumed", "--c4"],
      ["left", "left", "--c6"], ["malformed", "attacks", "--c5"], ["errors", "errors", "--bad"]];
    time("Faults and errors", "bots, or times a second", "", ...parts.filter(([, key]) => has(key)));
  } else {
    time("Frames", "a second", "", ["frames", "frames", "--c1", "area"]);
  }
  const spread = (title, key) => {
    const groups = two
      ? runs.map((run, index) => ({ name: RUN_NAMES[index], color: RUN_COLORS[index], buckets: run.histograms[`healthy_${key}`] }))
      : [["healthy", "--c1"], ["faulty", "--c2"]].map(([name, color]) => ({ name, color, buckets: runs[0].histograms[`${name}_${key}`] }));
    add(new Histogram({ title, note: two ? "healthy bots" : "share of all", series: groups }));
  };
  spread("How long frames were apart", "frame_interval");
  spread("How old states were", "staleness");
  page.append(node("h2", {}, "Over time"), grid);
}

function percentiles() {
  // On a phone there is room for three of them.
  const wide = { p90: "wide", "p99.9": "wide", count: "wide" };
  const head = node("tr", {}, ...["", "p50", "p90", "p99", "p99.9", "longest", "count"].map((text) => node("th", { class: wide[text] }, text)));
  const body = node("tbody");
  for (const [key, name, count] of [["healthy", "Healthy bots", "healthy"], ["faulty", "Bots with a fault", "faulty"]]) {
    if (runs.every((run) => run.bots[count] === 0)) continue;
    const counts = runs.map((run) => run.bots[count]).join(" and ");
    body.append(node("tr", { class: "part" }, node("td", { colspan: 7 }, `${name}: ${counts}`)));
    for (const [measure, title] of MEASURES) {
      runs.forEach((run, index) => {
        const times = run[key][measure];
        if (times.count === 0) return;
        const cells = ["p50", "p90", "p99", "p999", "max"].map((at) =>
          node("td", { class: at === "p90" || at === "p999" ? "num wide" : "num" }, time(times[at]).join(" ")));
        body.append(node("tr", {}, node("th", {}, two ? dot(RUN_COLORS[index]) : null, title), ...cells, node("td", { class: "num wide" }, short(times.count))));
      });
    }
  }
  const table = node("table", {}, node("thead", {}, head), body);
  page.append(node("h2", {}, "Times"), node("div", { class: "card scroll" }, table));
}

function facts(title, pairs) {
  const rows = pairs.map(([name, ...values]) => node("div", {}, node("span", {}, name),
    node("span", { class: "num" }, ...values.flatMap((value, index) => [index > 0 ? " / " : "", two ? dot(RUN_COLORS[index]) : "", value]))));
  return node("div", {}, node("h2", {}, title), node("div", { class: "card facts" }, ...rows));
}

function numbers() {
  const of = (name, read) => [name, ...runs.map((run) => String(read(run)))];
  const bots = facts("Bots and frames", [
    of("got in", (run) => `${run.bots.connected} of ${run.bots.requested}`),
    of("in their rooms at the end", (run) => run.bots.connected_at_end),
    of("seats resumed", (run) => run.bots.resumed),
    of("seats taken anew", (run) => run.bots.rejoined),
    of("decode the state", (run) => (run.bots.counting_only ? `${run.bots.decoding}; ${run.bots.counting_only} only count` : "all")),
    of("frames", (run) => short(run.frames.received)),
    of("whole states", (run) => short(run.frames.full)),
    of("inputs sent", (run) => short(run.inputs.sent)),
    of("events received, lost", (run) => `${short(run.events.received)}, ${short(run.events.lost)}`),
  ]);
  const errors = runs.flatMap((run) => Object.keys(run.errors)).filter((kind, index, all) => all.indexOf(kind) === index && runs.some((run) => run.errors[kind] > 0));
  const texts = runs.flatMap((run, index) => Object.entries(run.error_texts).map(([text, count]) => [two ? `${RUN_NAMES[index]}: ${text}` : text, ...runs.map((_, at) => (at === index ? `${count}` : "–"))]));
  const wrong = facts("What went wrong", [
    ...(errors.length ? errors.map((kind) => of(kind.replaceAll("_", " "), (run) => run.errors[kind])) : [["errors", ...runs.map(() => "none")]]),
    ...texts.slice(0, 8),
    ...(runs.some((run) => run.hostile.sent) ? [
      of("malformed messages", (run) => run.hostile.sent),
      of("closed for them, as expected", (run) => `${run.hostile.closed}${Object.keys(run.hostile.closed_by_code).length ? ` (${Object.entries(run.hostile.closed_by_code).map(([code, count]) => `${code}: ${count}`).join(", ")})` : ""}`),
      of("not answered", (run) => run.hostile.unanswered),
    ] : []),
  ]);
  const generator = facts("The generator itself", [
    of("was the bottleneck", (run) => (run.generator.bottleneck ? "yes" : "no")),
    of("CPU time", (run) => `${trim(run.generator.cpu_seconds)} s`),
    of("busiest second of a thread", (run) => short(run.generator.busy_max, "%")),
    of("late, p99", (run) => time(run.generator.late_ms_p99).join(" ")),
    of("memory of a bot", (run) => (run.generator.memory_bytes_per_bot === null ? "–" : `${trim(run.generator.memory_bytes_per_bot / 1024)} KiB`)),
  ]);
  page.append(node("div", { class: "pair" }, bots, node("div", {}, wrong, generator)));
}

function commands() {
  page.append(node("h2", {}, "The same run again"));
  runs.forEach((run, index) => {
    const button = node("button", { type: "button" }, "Copy");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(run.config.command);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select the text";
      }
    });
    const note = node("span", { class: "note" }, two ? RUN_NAMES[index] : `client-sim ${run.run.version}, report format ${run.format}`);
    page.append(node("div", { class: "card command", style: "margin-bottom:12px" }, node("div", { class: "head" }, note, button), node("pre", {}, run.config.command)));
  });
}

heading();
verdict();
tiles();
charts();
percentiles();
numbers();
commands();
