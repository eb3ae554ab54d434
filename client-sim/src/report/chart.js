"use strict";
// Charts as SVG, drawn at the size that they are shown at, so that text stays readable.

const SVG = "http://www.w3.org/2000/svg";

function node(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function shape(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// 1, 2 or 5 times a power of ten, so that there are about `count` steps.
function niceStep(span, count) {
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= rough);
}

const SCALES = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];

function short(value, unit = "") {
  if (value === null || value === undefined) return "–";
  if (unit === "%") return `${trim(value * 100)} %`;
  if (unit === "ms" && value >= 10000) return `${trim(value / 1000)} s`;
  const scale = unit === "ms" ? undefined : SCALES.find(([factor]) => Math.abs(value) >= factor);
  const number = scale ? trim(value / scale[0]) : trim(value);
  return `${number}${scale && !unit ? scale[1] : ""}${unit ? ` ${scale ? scale[1] : ""}${unit}` : ""}`;
}

function trim(value) {
  const size = Math.abs(value);
  const digits = size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return String(Number(value.toFixed(digits)));
}

// The frame of every chart: title, legend, an SVG that follows the width, a tip.
class Chart {
  constructor(title, note, series) {
    this.series = series;
    this.box = null;
    this.legend = node("div", { class: "legend" });
    for (const { name, color } of series) {
      const dot = node("span", { class: "dot", style: `background:var(${color})` });
      this.legend.append(node("span", {}, dot, name));
    }
    this.tip = node("div", { class: "tip" });
    this.svg = shape("svg", { role: "img", "aria-label": title });
    const head = node("div", { class: "head" }, node("h3", {}, title), note && node("span", { class: "note" }, note));
    this.root = node("div", { class: "card chart" }, head, this.legend, this.svg, this.tip);
    new ResizeObserver(() => this.draw()).observe(this.root);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.leave());
  }

  // Begins anew at the present width.
  begin(left) {
    const width = Math.max(220, this.svg.clientWidth || 320);
    const height = width < 420 ? 170 : 200;
    this.svg.setAttribute("height", height);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren();
    this.box = { left, right: width - 8, top: 8, bottom: height - 22, width };
  }

  add(tag, attributes, text) {
    const element = shape(tag, attributes, text);
    this.svg.append(element);
    return element;
  }

  rows(top, unit) {
    const { left, right, top: high, bottom } = this.box;
    const step = niceStep(top, 4);
    for (let value = 0; value <= top * 1.0001; value += step) {
      const y = bottom - ((bottom - high) * value) / top;
      this.add("line", { x1: left, x2: right, y1: y, y2: y, class: value === 0 ? "axis" : "grid" });
      this.add("text", { x: left - 6, y: y + 3.5, "text-anchor": "end" }, short(value, unit));
    }
  }

  show(x, lines) {
    this.hair?.remove();
    const { top, bottom, width } = this.box;
    this.hair = this.add("line", { x1: x, x2: x, y1: top, y2: bottom, class: "hair" });
    this.tip.replaceChildren(...lines.map((line, index) => node("div", {}, index === 0 ? node("b", {}, line) : line)));
    this.tip.style.opacity = 1;
    const place = x > width / 2 ? x - this.tip.offsetWidth - 2 : x + 28;
    this.tip.style.left = `${Math.max(4, place)}px`;
    const above = this.svg.getBoundingClientRect().top - this.root.getBoundingClientRect().top;
    this.tip.style.top = `${above + 6}px`;
  }

  leave() {
    this.hair?.remove();
    this.tip.style.opacity = 0;
  }
}

// Values over the seconds of a run. A series is a line, an area or bars.
class TimeChart extends Chart {
  constructor({ title, note, unit = "", series, top }) {
    super(title, note, series);
    Object.assign(this, { unit, least: top ?? 0 });
    this.seconds = Math.max(1, ...series.map(({ values }) => values.length));
  }

  draw() {
    const all = this.series.flatMap(({ values }) => values).filter((value) => value !== null);
    const most = Math.max(this.least, ...all) || 1;
    const step = niceStep(most, 4);
    const top = Math.ceil((most * 1.02) / step) * step;
    this.begin(46 + (this.unit.length > 2 ? 14 : this.unit ? 6 : 0));
    this.rows(top, this.unit);
    const { left, right, top: high, bottom } = this.box;
    const slot = (right - left) / this.seconds;
    this.at = (second) => left + slot * (second + 0.5);
    const y = (value) => bottom - ((bottom - high) * value) / top;
    const ticks = niceStep(this.seconds, Math.max(2, Math.floor((right - left) / 80)));
    for (let second = 0; second <= this.seconds; second += Math.max(1, ticks)) {
      this.add("text", { x: left + slot * second, y: bottom + 15, "text-anchor": "middle" }, `${second} s`);
    }
    for (const series of this.series) this.drawSeries(series, slot, y, bottom);
  }

  drawSeries({ values, color, kind = "line" }, slot, y, bottom) {
    const paint = `var(${color})`;
    if (kind === "bars") {
      const width = Math.max(1, Math.min(14, slot * 0.7));
      values.forEach((value, second) => {
        if (!value) return;
        const height = Math.max(2, bottom - y(value));
        this.add("rect", { x: this.at(second) - width / 2, y: bottom - height, width, height, rx: Math.min(2, width / 3), fill: paint });
      });
      return;
    }
    let path = "";
    let begun = null;
    const areas = [];
    values.forEach((value, second) => {
      if (value === null || value === undefined) { begun = null; return; }
      const alone = (values[second - 1] ?? null) === null && (values[second + 1] ?? null) === null;
      if (alone) this.add("circle", { cx: this.at(second), cy: y(value), r: 2.5, fill: paint });
      path += `${begun === null ? "M" : "L"}${this.at(second).toFixed(1)} ${y(value).toFixed(1)}`;
      if (begun === null) { begun = second; areas.push([]); }
      areas.at(-1).push([this.at(second), y(value)]);
    });
    if (kind === "area") {
      for (const points of areas) {
        const edge = points.map(([x, at]) => `L${x.toFixed(1)} ${at.toFixed(1)}`).join("");
        this.add("path", { d: `M${points[0][0]} ${bottom}${edge}L${points.at(-1)[0]} ${bottom}Z`, fill: paint, opacity: 0.14 });
      }
    }
    if (path) this.add("path", { d: path, fill: "none", stroke: paint, "stroke-width": 1.8, "stroke-linejoin": "round", "stroke-linecap": "round" });
  }

  point(event) {
    const { left, right } = this.box;
    const x = event.clientX - this.svg.getBoundingClientRect().left;
    const second = Math.floor(((x - left) / (right - left)) * this.seconds);
    if (!(second >= 0) || second >= this.seconds) return this.leave();
    const values = this.series.map(({ name, values }) => `${name} ${short(values[second], this.unit)}`);
    this.show(this.at(second), [`second ${second + 1}`, ...values]);
  }
}

// Shorter times are shown as this long: eighths of a doubling from a millisecond on.
const SHORTEST = -32;

// A length of time.
function length(ms) {
  return ms >= 1000 ? `${trim(ms / 1000)} s` : `${trim(ms)} ms`;
}

// How often each length of time was: the x axis doubles, the y axis is a share.
class Histogram extends Chart {
  constructor({ title, note, series }) {
    super(title, note, series.filter(({ buckets }) => buckets.length > 0));
    this.shares = this.series.map(({ buckets }) => {
      const total = buckets.reduce((sum, [, count]) => sum + count, 0);
      const parts = new Map();
      for (const [upper, count] of buckets) {
        const eighth = Math.max(SHORTEST, Math.round(Math.log2(upper) * 8));
        parts.set(eighth, (parts.get(eighth) ?? 0) + count);
      }
      return [...parts].map(([eighth, count]) => [eighth, count / total, count]);
    });
  }

  draw() {
    this.begin(46);
    if (this.series.length === 0) return this.rows(1, "%");
    const logs = this.shares.flat().map(([eighth]) => eighth / 8);
    this.low = Math.min(...logs) - 0.25;
    this.high = Math.max(...logs) + 0.125;
    if (this.high - this.low < 2) { this.low -= 0.8; this.high += 0.8; }
    const most = Math.max(...this.shares.flat().map(([, share]) => share));
    const step = niceStep(most, 4);
    const top = Math.ceil((most * 1.02) / step) * step;
    this.rows(top, "%");
    const { left, right, top: high, bottom } = this.box;
    this.at = (log) => left + ((log - this.low) / (this.high - this.low)) * (right - left);
    const room = (right - left) / (this.high - this.low);
    // A decade is 3.3 doublings: more labels where there is room for them.
    const marks = room > 50 ? [1, 2, 5] : room > 36 ? [1, 3] : [1];
    for (let decade = -2; decade <= 6; decade += 1) {
      for (const ms of marks.map((mark) => mark * 10 ** decade)) {
        const log = Math.log2(ms);
        if (log < this.low || log > this.high) continue;
        this.add("line", { x1: this.at(log), x2: this.at(log), y1: bottom, y2: bottom + 4, class: "axis" });
        this.add("text", { x: this.at(log), y: bottom + 16, "text-anchor": "middle" }, length(ms));
      }
    }
    this.series.forEach(({ color }, index) => {
      for (const [eighth, share] of this.shares[index]) {
        const log = eighth / 8;
        const x = this.at(log - 0.125);
        const width = Math.max(1, this.at(log) - x - 1);
        const height = Math.max(1.5, ((bottom - high) * share) / top);
        this.add("rect", { x, y: bottom - height, width, height, fill: `var(${color})`, opacity: this.series.length > 1 ? 0.62 : 0.9, rx: 1 });
      }
    });
  }

  point(event) {
    if (this.series.length === 0) return;
    const { left, right } = this.box;
    const x = event.clientX - this.svg.getBoundingClientRect().left;
    if (x < left || x > right) return this.leave();
    const log = this.low + ((x - left) / (right - left)) * (this.high - this.low);
    const eighth = Math.ceil(log * 8);
    const lines = this.series.map(({ name }, index) => {
      const found = this.shares[index].find(([upper]) => upper === eighth);
      return `${name} ${found ? `${short(found[1], "%")} (${found[2]})` : "0"}`;
    });
    const from = eighth <= SHORTEST ? "up" : length(2 ** ((eighth - 1) / 8));
    this.show(this.at((eighth - 0.5) / 8), [`${from} to ${length(2 ** (eighth / 8))}`, ...lines]);
  }
}
