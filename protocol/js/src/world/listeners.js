/**
 * Functions that wait for something.
 *
 * @module
 */

/**
 * @template {any[]} A
 */
export class Listeners {
  /** @type {Set<(...args: A) => void>} */
  #all = new Set();

  get isEmpty() {
    return this.#all.size === 0;
  }

  /**
   * @param {(...args: A) => void} listener
   * @returns {() => void} what takes it away again
   */
  add(listener) {
    this.#all.add(listener);
    return () => void this.#all.delete(listener);
  }

  /** Calls all of them. @param {A} args */
  call(...args) {
    for (const listener of this.#all) guarded(listener, ...args);
  }
}

/**
 * Calls a function of the application. What it throws becomes an uncaught error,
 * as in an event handler of the platform, and harms neither the others nor the room.
 *
 * @template {any[]} A
 * @param {(...args: A) => void} listener
 * @param {A} args
 */
export function guarded(listener, ...args) {
  try {
    listener(...args);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
