#!/usr/bin/env python3
"""Draws where a server's time goes, from what `perf` has sampled.

    perf record -F 4000 -e cpu-clock --call-graph dwarf,8192 -p PID -o FILE
    perf script -i FILE -F comm,time,ip,sym,dso --no-inline | flame.py SECONDS > OUT.svg

Only the last SECONDS count: what comes before is the joining. Calls are above their
callers, as wide as their share of the time; the kernel is grey, the rest is coloured.
Beside it, on standard error, the shares in words.
"""

import html
import re
import sys
from collections import Counter

WIDTH, ROW, LEAST = 1200, 17, 0.004
HASH = re.compile(r"::h[0-9a-f]{16}$|\+0x[0-9a-f]+$")
GENERIC = re.compile(r"<[^<>]*>")


def short(symbol):
    """A name without its type arguments and the crates that everything is in."""
    name = HASH.sub("", symbol)
    trait = re.match(r"<(.+?) as .+?>::(\w+)$", name)
    if trait:
        name = f"{trait.group(1)}::{trait.group(2)}"
    while GENERIC.search(name):
        name = GENERIC.sub("", name)
    return "::".join(name.replace("::::", "::").split("::")[-2:])


def samples(lines):
    """Each sample's time, and its stack from the outermost call: name, of the kernel."""
    time, stack = None, []
    for line in lines:
        head = re.match(r"^\S.*?\s+([\d.]+):", line)
        call = re.match(r"^\s+[0-9a-f]+\s+(.*)\s+\((.*)\)$", line)
        if head:
            time, stack = float(head.group(1)), []
        elif call:
            symbol, file = call.groups()
            kernel = "kernel" in file or (file.startswith("[") and "vdso" not in file)
            stack.append((short(symbol), kernel))
        elif time is not None and stack:
            yield time, stack[::-1]
            time, stack = None, []
    if time is not None and stack:
        yield time, stack[::-1]


def tree(stacks):
    """A call: how often, and what it called."""
    root = [0, {}]
    for stack in stacks:
        root[0] += 1
        node = root
        for call in stack:
            node = node[1].setdefault(call, [0, {}])
            node[0] += 1
    return root


def draw(root):
    """The picture."""
    boxes, depth_max = [], 0

    def place(node, left, depth):
        nonlocal depth_max
        for (name, kernel), child in sorted(node[1].items(), key=lambda it: -it[1][0]):
            share = child[0] / root[0]
            if share >= LEAST:
                boxes.append((left, depth, share, name, kernel))
                depth_max = max(depth_max, depth)
                place(child, left, depth + 1)
            left += share

    place(root, 0.0, 0)
    height = (depth_max + 1) * ROW + 4
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
          'font-family="monospace" font-size="11">')
    print(f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>')
    for left, depth, share, name, kernel in boxes:
        x, y, width = left * WIDTH, height - (depth + 1) * ROW - 2, share * WIDTH
        colour = "#d0d4da" if kernel else "#f4a259"
        title = html.escape(f"{name} {share:.1%}")
        print(f'<g><title>{title}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" '
              f'height="{ROW - 1}" fill="{colour}" stroke="#fff" stroke-width="0.5"/>')
        letters = int(width / 6.8)
        if letters >= 3:
            print(f'<text x="{x + 2:.1f}" y="{y + 12}">{html.escape(name[:letters])}</text>')
        print("</g>")
    print("</svg>")


def tell(stacks):
    """The shares in words."""
    own, user = Counter(), 0
    for stack in stacks:
        name, kernel = stack[-1]
        user += not kernel
        own[("kernel " if kernel else "") + name] += 1
    total = len(stacks)
    print(f"{total} samples, {user / total:.1%} outside of the kernel", file=sys.stderr)
    for name, count in own.most_common(25):
        print(f"{count / total:6.1%} {name}", file=sys.stderr)


def main():
    seconds = float(sys.argv[1])
    taken = list(samples(sys.stdin.read().split("\n")))
    end = max(time for time, _ in taken)
    stacks = [stack for time, stack in taken if time > end - seconds]
    tell(stacks)
    draw(tree(stacks))


main()
