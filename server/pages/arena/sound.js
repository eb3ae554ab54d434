/** Sounds, made and not loaded. Off until somebody turns them on. */

import { recall, remember } from "/game/memory.js";
import { element } from "/game/element.js";

/** Beyond this distance nothing is heard, in units. */
const EARSHOT = 1400;

export class Sound {
  /** @type {AudioContext | null} */
  #audio = null;
  /** @type {GainNode | null} */
  #engine = null;
  /** @type {AudioBuffer | null} */
  #noise = null;
  #on = recall("sound") === "on";

  button = element("button", { class: "button quiet", type: "button", "aria-pressed": "false" }, "Sound");

  constructor() {
    this.#show();
    this.button.addEventListener("click", () => {
      this.#on = !this.#on;
      remember("sound", this.#on ? "on" : "off");
      this.#show();
      if (this.#on) this.#wake();
      else this.#audio?.suspend();
    });
    // A browser lets a page be heard only after it was touched.
    const wake = () => this.#on && this.#wake();
    for (const touch of ["pointerdown", "keydown"]) window.addEventListener(touch, wake, { once: true });
  }

  #show() {
    this.button.setAttribute("aria-pressed", String(this.#on));
  }

  #wake() {
    if (this.#audio) return void this.#audio.resume();
    const audio = new AudioContext();
    this.#audio = audio;
    const noise = audio.createBuffer(1, audio.sampleRate, audio.sampleRate);
    const samples = noise.getChannelData(0);
    for (let i = 0; i < samples.length; i++) samples[i] = Math.random() * 2 - 1;
    this.#noise = noise;

    const rumble = audio.createBufferSource();
    [rumble.buffer, rumble.loop] = [noise, true];
    const low = audio.createBiquadFilter();
    [low.type, low.frequency.value] = ["lowpass", 240];
    this.#engine = audio.createGain();
    this.#engine.gain.value = 0;
    rumble.connect(low).connect(this.#engine).connect(audio.destination);
    rumble.start();
  }

  /** @param {boolean} burns the own engine */
  engine(burns) {
    if (!this.#audio || !this.#engine) return;
    this.#engine.gain.setTargetAtTime(this.#on && burns ? 0.16 : 0, this.#audio.currentTime, 0.04);
  }

  /** @param {number} away in units */
  shot(away) {
    const near = this.#near(away);
    if (!this.#audio || near === 0) return;
    const [audio, now] = [this.#audio, this.#audio.currentTime];
    const tone = audio.createOscillator();
    tone.type = "triangle";
    tone.frequency.setValueAtTime(880, now);
    tone.frequency.exponentialRampToValueAtTime(180, now + 0.11);
    this.#fade(tone, 0.11 * near, 0.12);
    tone.start(now);
    tone.stop(now + 0.13);
  }

  /** @param {number} away in units @param {number} size of a rock; 0 for a ship */
  burst(away, size) {
    const near = this.#near(away);
    if (!this.#audio || !this.#noise || near === 0) return;
    const [audio, now] = [this.#audio, this.#audio.currentTime];
    const length = size === 0 ? 0.9 : 0.25 + 0.12 * size;
    const source = audio.createBufferSource();
    source.buffer = this.#noise;
    const low = audio.createBiquadFilter();
    low.type = "lowpass";
    low.frequency.setValueAtTime(size === 0 ? 1400 : 900, now);
    low.frequency.exponentialRampToValueAtTime(90, now + length);
    source.connect(low);
    this.#fade(low, (size === 0 ? 0.4 : 0.2) * near, length);
    source.start(now, Math.random() * 0.1);
    source.stop(now + length);
  }

  /** Lets a sound out that dies away. @param {AudioNode} node @param {number} loud @param {number} seconds */
  #fade(node, loud, seconds) {
    if (!this.#audio) return;
    const now = this.#audio.currentTime;
    const gain = this.#audio.createGain();
    gain.gain.setValueAtTime(loud, now);
    gain.gain.exponentialRampToValueAtTime(0.001, now + seconds);
    node.connect(gain).connect(this.#audio.destination);
  }

  /** How loud something is at a distance, 0 to 1. @param {number} away */
  #near(away) {
    if (!this.#on || this.#audio?.state !== "running") return 0;
    return Math.max(0, 1 - away / EARSHOT) ** 2;
  }
}
