#!/usr/bin/env python3
"""Draws how the cost of a client-frame grows, from the benchmark's own output.

    cargo bench --bench fanout -- --parts growth --out growth.json
    python3 benches/fanout/plot.py growth.json docs/performance

Writes four SVG files: players of a room, rooms, tick rate, entities.
"""
import json
import statistics
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 560, 320, 60, 50, 40, 20
COLOURS = {"tickwire": "#0b6fa4", "ceiling": "#8a8a8a"}
PLOTS = {
    "players": ("Players of a room (1000 clients, 20 Hz)", lambda r: r["players"],
                lambda r: r["clients"] == 1000 and r["hz"] == 20 and r["npcs"] == 0),
    "rooms": ("Rooms of 50 players (20 Hz)", lambda r: r["clients"] // r["players"],
              lambda r: r["players"] == 50 and r["hz"] == 20 and r["npcs"] == 0
              and r["clients"] not in (400, 500)),
    "rate": ("Ticks a second (rooms of 50; 400 clients, 1000 at 20 Hz)", lambda r: r["hz"],
             lambda r: r["players"] == 50 and r["npcs"] == 0
             and (r["clients"] == 400 or (r["hz"] == 20 and r["clients"] == 1000))),
    "entities": ("Moving entities of a room of 50 players (500 clients, 20 Hz)",
                 lambda r: r["npcs"] + r["players"],
                 lambda r: r["clients"] == 500 and r["hz"] == 20),
}


def points(rows, server, x, wanted):
    found = {}
    for row in rows:
        if row["server"] == server and wanted(row):
            found[x(row)] = statistics.median(row["cpu_us"])
    return sorted(found.items())


def plot(title, lines):
    xs = [x for line in lines.values() for x, _ in line]
    ys = [y for line in lines.values() for _, y in line]
    top = max(ys) * 1.15
    low, high = min(xs), max(xs)
    at_x = lambda x: LEFT + (x - low) / max(high - low, 1) * (WIDTH - LEFT - RIGHT)
    at_y = lambda y: HEIGHT - BOTTOM - y / top * (HEIGHT - BOTTOM - TOP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
           f'font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="{LEFT}" y="20" font-size="14">{title}: CPU µs per client-frame</text>']
    for step in range(5):
        y = top * step / 4
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at_y(y):.1f}" y2="{at_y(y):.1f}" '
                   'stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{at_y(y) + 4:.1f}" text-anchor="end">{y:.1f}</text>')
    for x in sorted(set(xs)):
        out.append(f'<text x="{at_x(x):.1f}" y="{HEIGHT - BOTTOM + 20}" '
                   f'text-anchor="middle">{x}</text>')
    for number, (name, line) in enumerate(lines.items()):
        path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in line)
        colour = COLOURS[name]
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3" fill="{colour}"/>'
                for x, y in line]
        out.append(f'<text x="{LEFT + 10 + 90 * number}" y="{HEIGHT - 10}" '
                   f'fill="{colour}">{name}</text>')
    return "\n".join(out + ["</svg>", ""])


def main():
    rows = json.loads(Path(sys.argv[1]).read_text())["rows"]
    rows = [row for row in rows if row["part"] == "growth"]
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, (title, x, wanted) in PLOTS.items():
        lines = {server: points(rows, server, x, wanted) for server in COLOURS}
        lines = {server: line for server, line in lines.items() if len(line) > 1}
        if not lines:
            sys.exit(f"no rows for the plot of {name}")
        (folder / f"{name}.svg").write_text(plot(title, lines))


if __name__ == "__main__":
    main()
