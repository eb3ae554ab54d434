/** Questions and answers in front of the game. */

import { element } from "./element.js";

/**
 * @param {string} title
 * @param {Node[]} body
 * @param {() => void} [closed] when it is closed, in any way
 */
export function dialog(title, body, closed = () => {}) {
  const heading = element("h2", { id: "dialog-title" }, title);
  const made = element("dialog", { class: "dialog stack", "aria-labelledby": heading.id, closedby: "any" }, heading, ...body);
  made.addEventListener("close", () => {
    made.remove();
    closed();
  });
  document.body.append(made);
  made.showModal();
  return made;
}

/** A row of ways on. @param {...HTMLElement} buttons */
export function ways(...buttons) {
  return element("p", { class: "row" }, ...buttons);
}

/** @param {string} text @param {() => void} press @param {string} [kind] */
export function button(text, press, kind = "") {
  return element("button", { class: `button ${kind}`.trim(), type: "button", click: press }, text);
}
