/** The colours of the space, out of the page's style: they follow its light and dark. */

/** How far apart the hues of two players with neighbouring numbers are, in degrees. */
const GOLDEN_ANGLE = 137.508;

const NAMES = /** @type {const} */ ([
  "space", "mark", "star", "rock", "rock-edge", "own", "flame", "shot", "foe-shot", "text", "halo", "shield", "lost",
]);

/** @typedef {Record<typeof NAMES[number], string> & { foe: (player: number) => string }} Palette */

/** @param {Element} element @returns {Palette} */
export function paletteOf(element) {
  const style = getComputedStyle(element);
  const value = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
  const colours = Object.fromEntries(NAMES.map((name) => [name, value(`arena-${name}`)]));
  const tone = value("arena-foe-tone");
  const foe = (/** @type {number} */ player) => `hsl(${Math.round(player * GOLDEN_ANGLE + 190) % 360} ${tone})`;
  return /** @type {Palette} */ ({ ...colours, foe });
}
