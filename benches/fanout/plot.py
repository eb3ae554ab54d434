#!/usr/bin/env python3
"""Draws how the cost of a client-frame grows, from the benchmark's own output.

    cargo bench --bench fanout -- --parts growth --out growth.json
    python3 benches/fanout/plot.py growth.json [more.json ...] docs/performance

Writes an SVG file for each curve that was measured: players of a room, rooms,
tick rate, entities. Points are medians, bars go from the least to the greatest.
"""
import json
import math
import statistics
import sys
from pathlib import Path

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 66, 58
SERVERS = ["tickwire", "ceiling"]
# Part of the benchmark: title, what stays the same, unit of x, and x of a setting.
PLOTS = {
    "players": ("Players of a room", "1000 clients at 20 Hz",
                "players in each room", lambda s: s["players"]),
    "rooms": ("Rooms", "50 players each, at 20 Hz",
              "rooms", lambda s: s["clients"] // s["players"]),
    "rate": ("Tick rate", "8 rooms of 50 players",
             "ticks a second (Hz)", lambda s: s["hz"]),
    "entities": ("Entities", "10 rooms of 50 players at 20 Hz",
                 "moving entities in each room, players included",
                 lambda s: s["npcs"] + s["players"]),
}
# The colours are from a palette that is told apart with any kind of colour vision,
# one step lighter where the page is dark.
STYLE = """<style>
  svg { --paper: #ffffff; --ink: #1f2328; --faint: #59636e; --grid: #d8dee4;
        --tickwire: #0b6fa4; --ceiling: #a4560b }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #0d1117; --ink: #e6edf3; --faint: #9198a1; --grid: #30363d;
          --tickwire: #58b6ea; --ceiling: #e8a25c }
  }
  text { fill: var(--ink); font-family: system-ui, sans-serif; font-size: 13px }
  .title { font-size: 16px; font-weight: 600 }
  .faint { fill: var(--faint) }
  .paper { fill: var(--paper) }
  .grid { stroke: var(--grid) }
  .axis { stroke: var(--faint) }
  .tickwire { stroke: var(--tickwire); color: var(--tickwire) }
  .ceiling { stroke: var(--ceiling); color: var(--ceiling) }
  .ceiling.line { stroke-dasharray: 6 4 }
  .line { fill: none; stroke-width: 2.5 }
  circle { fill: currentColor }
</style>"""


def points(rows, server, x):
    """Of a server: x, median, least and greatest, in the order of x."""
    found = []
    for row in rows:
        if row["setting"]["peer"] == server:
            good = [s for s in row["samples"] if s["steady"]] or row["samples"]
            costs = [sample["cpu_us"] for sample in good]
            found.append((x(row["setting"]), statistics.median(costs), min(costs), max(costs)))
    return sorted(found)


def round_step(top):
    """A step with a round number, for about five lines up to `top`."""
    rough = top / 5
    power = 10 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough)


def plot(title, same, unit, lines):
    xs = sorted({point[0] for line in lines.values() for point in line})
    step = round_step(max(point[3] for line in lines.values() for point in line))
    top = step * math.ceil(max(point[3] for line in lines.values() for point in line) / step)
    low, high = math.log(xs[0]), math.log(xs[-1])

    def at_x(x):
        return LEFT + 16 + (math.log(x) - low) / (high - low) * (WIDTH - LEFT - RIGHT - 32)

    def at_y(y):
        return HEIGHT - BOTTOM - y / top * (HEIGHT - BOTTOM - TOP)

    floor = HEIGHT - BOTTOM
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           f'width="{WIDTH}" height="{HEIGHT}" role="img">',
           f"<title>{title}: CPU time of a client-frame</title>", STYLE,
           '<rect class="paper" width="100%" height="100%"/>',
           f'<text class="title" x="16" y="26">{title}</text>',
           f'<text class="faint" x="16" y="46">CPU µs per client-frame; {same}</text>']
    for number in range(round(top / step) + 1):
        y = at_y(number * step)
        kind = "grid" if number else "axis"
        out.append(f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text class="faint" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
                   f"{number * step:g}</text>")
    out.append(f'<text class="faint" transform="translate(18 {(TOP + floor) / 2:.0f}) rotate(-90)" '
               'text-anchor="middle">µs</text>')
    for x in xs:
        out.append(f'<line class="axis" x1="{at_x(x):.1f}" x2="{at_x(x):.1f}" y1="{floor}" '
                   f'y2="{floor + 5}"/>')
        out.append(f'<text class="faint" x="{at_x(x):.1f}" y="{floor + 20}" '
                   f'text-anchor="middle">{x}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 12}" '
               f'text-anchor="middle">{unit}, logarithmic</text>')
    for number, (name, line) in enumerate(lines.items()):
        path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y, _, _ in line)
        out.append(f'<polyline class="line {name}" points="{path}"/>')
        for x, y, least, most in line:
            out.append(f'<line class="{name}" x1="{at_x(x):.1f}" x2="{at_x(x):.1f}" '
                       f'y1="{at_y(least):.1f}" y2="{at_y(most):.1f}"/>')
            out.append(f'<circle class="{name}" cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3"/>')
        legend = WIDTH - RIGHT - 220 + 116 * number
        out.append(f'<line class="line {name}" x1="{legend}" x2="{legend + 28}" y1="22" y2="22"/>')
        out.append(f'<text x="{legend + 34}" y="26">{name}</text>')
    return "\n".join(out + ["</svg>", ""])


def main():
    *files, folder = sys.argv[1:]
    if not files:
        sys.exit(__doc__)
    rows = [row for file in files for row in json.loads(Path(file).read_text())["rows"]]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = 0
    for name, (title, same, unit, x) in PLOTS.items():
        part = [row for row in rows if row["part"] == f"growth/{name}"]
        lines = {server: points(part, server, x) for server in SERVERS}
        if any(len(line) < 2 for line in lines.values()):
            print(f"{name}: not measured")
            continue
        (folder / f"{name}.svg").write_text(plot(title, same, unit, lines))
        drawn += 1
    if not drawn:
        sys.exit("nothing to draw: measure the part `growth` first")


if __name__ == "__main__":
    main()
