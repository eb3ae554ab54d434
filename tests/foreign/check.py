#!/usr/bin/env python3
"""Runs the decoder of this folder over protocol/fixtures; exits 1 at the first difference.

The decoder was written from docs/PROTOCOL.md, without a look at the other
implementations, so a difference is an error of the page, of the fixtures, or of this
folder. The page's own listing (section 10) runs beside it. Absent: the canonical `text`
of a schema, which is no part of the protocol.
"""

import json
import pathlib
import sys
from collections import Counter

from chunk import Bits, Mean, short_way
from codec import Malformed, Reader
from listing import Listing, rows_of
from messages import from_client, from_server
from mirror import Mirror, predict
from schema import Kind, Schema, read_body

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "protocol" / "fixtures"
READ_LIMIT = 512
# Messages up to here are tried with every shorter prefix; of longer ones only the first and last.
SHORT = 400
# The listing says that it does not bound its memory, nor remember that it has failed.
NOT_IN_LISTING = {"chunk.TooMuchState", "mirror.Broken"}


class Difference(Exception):
    """Where, what this decoder says, and what the fixture says."""


def load(name):
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


def same(where, ours, theirs):
    """Equal, as JSON: a number is not a truth value, and every member is there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        same(f"{where}, members", sorted(ours), sorted(theirs))
        for name in ours:
            same(f"{where}.{name}", ours[name], theirs[name])
    elif isinstance(ours, (list, tuple)) and isinstance(theirs, list):
        for at, (one, other) in enumerate(zip(ours, theirs)):
            same(f"{where}[{at}]", one, other)
        same(f"{where}, length", len(ours), len(theirs))
    elif isinstance(ours, bool) != isinstance(theirs, bool) or ours != theirs:
        raise Difference(f"{where}: {str(ours)[:300]!r} here, {str(theirs)[:300]!r} in the fixture")


def refused(where, error, decode, data):
    try:
        decode(data)
    except Malformed as malformed:
        same(where, str(malformed), error)
    else:
        same(where, None, error)


def edges(where, decode, data):
    """A valid message is malformed with a byte less or more."""
    lengths = range(len(data))
    for length in lengths if len(data) <= SHORT else [*lengths[:64], *lengths[-64:]]:
        refused(f"{where}, its first {length} bytes", "codec.Truncated", decode, data[:length])
    refused(f"{where}, and a byte", "codec.Trailing", decode, data + b"\0")


def primitive(name, data):
    r = Reader(data)
    value = {
        "bool": r.flag,
        "str": lambda: r.text(READ_LIMIT),
        "bytes": lambda: r.bytes(READ_LIMIT).hex(),
        "f32": lambda: r.float("f32"),
        "f64": lambda: r.float("f64"),
    }.get(name, lambda: r.integer(name))()
    r.end()
    return str(value) if name in ("u64", "i64") else value


def check_primitives(count):
    fixture = load("primitives")
    same("primitives.max", READ_LIMIT, fixture["max"])
    for kind in ("written", "read"):
        for vector in fixture[kind]:
            data, where = bytes.fromhex(vector["bytes"]), f"primitive {vector['type']} {vector['bytes']}"
            same(where, primitive(vector["type"], data), vector["value"])
            edges(where, lambda it: primitive(vector["type"], it), data)
            count[f"primitives, {kind}"] += 1


def from_bit_text(text):
    return Bits(int("0" + text[::-1], 2).to_bytes((len(text) + 7) // 8, "little"))


def check_codes(count):
    fixture = load("codes")
    for vector in fixture["bits"]:
        bits = Bits(bytes.fromhex(vector["bytes"]))
        same("bits", [[str(bits.take(width)), width] for _, width in vector["puts"]], vector["puts"])
        same("bits, the rest", (bits.left() < 8, bits.take(bits.left())), [True, 0])
    for vector in fixture["golomb"]:
        bits = from_bit_text(vector["bits"])
        value = bits.golomb(vector["order"], vector["escape"])
        where = f"golomb {vector}"
        same(where, None if value is None else str(value), vector["value"])
        same(f"{where}, bits used", bits.at, len(vector["bits"]))
    for vector in fixture["means"]:
        mean, orders = Mean(vector["start"]), []
        for value in vector["values"]:
            orders.append(mean.order())
            mean.count(int(value))
        same(f"mean {vector}", orders + [mean.order()], vector["orders"])
    for vector in fixture["grids"]:
        check_grid(vector)
    for vector in fixture["scalars"]:
        check_scalar(vector)
    for vector in fixture["lines"]:
        check_line(vector)
    count.update({f"codes, {name}": len(vectors) for name, vectors in fixture.items()})


def check_grid(vector):
    if "bits" in vector:
        kind = Kind("angle", repr="f64", bits=vector["bits"]).settle()
    else:
        has = {name: vector[name] for name in ("min", "max", "step", "ring")}
        kind = Kind("quantised", repr="f64", **has).settle()
    where = f"grid {({k: v for k, v in vector.items() if k not in ('values', 'cells')})}"
    same(where, [kind.low, kind.low + kind.span], [vector["lowest"], vector["highest"]])
    for cell, value in vector["values"]:
        same(f"{where}, cell {cell}", kind.point(cell + kind.origin), value)
    for value, cell in vector["cells"]:
        same(f"{where}, value {value}", kind.nearest(value) - kind.origin, cell)


def check_scalar(vector):
    has = dict(vector["kind"])
    if has["sort"] == "int":
        has.update(min=int(has["min"]), max=int(has["max"]))
    kind = Kind(**has).settle()
    coded = kind.code in ("near", "count")
    ours = {
        "code": kind.code,
        "lowest": str(kind.low),
        "span": str(kind.span),
        "width": kind.width,
        "order": min(Mean(kind.mean).order(), kind.width) if coded else None,
        "kind": vector["kind"],
    }
    same(f"scalar {vector['kind']}", ours, vector)


def check_line(vector):
    kind = Kind("int", ring=vector["ring"], low=vector["lowest"], span=vector["span"])
    cell = predict(kind, vector["earlier"], vector["later"], vector["apart"], vector["ahead"])
    same(f"line {vector}", cell, vector["cell"])
    same(f"line {vector}, back", short_way(kind, vector["later"] - cell), vector["back"])


def show_kind(kind):
    has = {name: getattr(kind, name) for name in ("entity", "bits", "len") if hasattr(kind, name)}
    if hasattr(kind, "repr"):
        has["repr"] = kind.repr
    if kind.sort in ("int", "quantised", "angle"):
        has["motion"] = kind.motion
    if kind.sort == "int":
        has.update(min=str(kind.min), max=str(kind.max))
    elif kind.sort == "quantised":
        has.update(min=kind.min, max=kind.max, step=kind.step, ring=kind.ring)
    elif kind.sort in ("text", "bytes", "list"):
        has["max"] = kind.max
    if kind.of:
        has["of"] = show_kind(kind.of)
    if kind.sort == "struct":
        has["fields"] = show_kinds(kind.fields)
    if kind.sort == "enum":
        has["variants"] = [{"name": name, "fields": show_kinds(f)} for name, f in kind.variants]
    return {"sort": kind.sort, **has}


def show_kinds(fields):
    return [{"name": name, "kind": show_kind(kind)} for name, kind in fields]


def check_schemas(count):
    schemas = {}
    for name, vector in load("schemas").items():
        data = bytes.fromhex(vector["descriptor"])
        schema = schemas[name] = Schema(data)
        ours = {message: show_kind(kind) for message, kind in schema.messages.items()}
        ours["hash"] = f"{schema.hash:016x}"
        ours["tables"] = [
            {"name": table, "entity": entity, "fields": show_kinds(fields)}
            for table, entity, fields in schema.tables
        ]
        theirs = {k: v for k, v in vector.items() if k not in ("text", "descriptor")}
        same(f"schema {name}", ours, theirs)
        edges(f"schema {name}", Schema, data)
        count["schemas"] += 1
    return schemas


def check_values(count, schemas):
    fixture = load("values")
    messages = schemas[fixture["schema"]].messages
    for kind in ("written", "read"):
        for vector in fixture[kind]:
            body, where = messages[vector["message"]], f"value {vector['name']!r}"
            data = bytes.fromhex(vector["bytes"])
            same(where, read_body(body, data), vector["value"])
            edges(where, lambda it: read_body(body, it), data)
            if kind == "read":
                same(f"{where}, written", read_body(body, bytes.fromhex(vector["written"])), vector["value"])
            count[f"values, {kind}"] += 1


def check_messages(count):
    for side, decode in (("client", from_client), ("server", from_server)):
        for vector in load(f"{side}_messages")["messages"]:
            where, data = f"{side} message {vector['name']!r}", bytes.fromhex(vector["bytes"])
            same(where, decode(data), vector["message"])
            edges(where, decode, data)
            count[f"{side} messages"] += 1


def check_stories(count, schemas):
    for story in load("stories")["stories"]:
        schema = schemas[story["schema"]]
        mirror, listing = Mirror(schema), Listing(schema)
        for step in story["steps"]:
            where = f"story {story['name']!r}, {step['about']!r}"
            if step["resume"]:
                mirror.resume()
                listing.resume()
            frame = mirror.apply(bytes.fromhex(step["bytes"]))
            same(f"{where}, frame", show_frame(frame, mirror, schema), step["frame"])
            same(f"{where}, after", show_after(frame, mirror), step["after"])
            listing.apply(bytes.fromhex(step["bytes"]))
            same(f"{where}, in the page's listing", listing.rows(), rows_of(mirror))
            count["frames of stories, also by the page's listing"] += 1
        count["stories"] += 1


def show_frame(frame, mirror, schema):
    events = frame.events_at(mirror.tick)
    for event in events:
        event["value"] = read_body(schema.messages["event"], bytes.fromhex(event["body"]))
    sections = [
        {"scope": scope, "form": form, "chunk": chunk.hex(), "records": records}
        for (scope, form, chunk), records in zip(frame.sections, mirror.records)
    ]
    return {"header": frame.header(), "sections": sections, "events": events}


def show_after(frame, mirror):
    return {
        "tick": mirror.tick,
        "scopes": sorted(mirror.watched),
        "state": mirror.state(),
        "hash": mirror.hash(),
        "hash_agrees": None if frame.hash is None else frame.hash == mirror.hash(),
        "changes": mirror.changes,
    }


def check_malformed(count, schemas):
    fixture = load("malformed")
    messages = schemas[fixture["schema"]].messages
    for vector in fixture["vectors"]:
        decoder, where = vector["decoder"], f"malformed {vector['decoder']} {vector['name']!r}"
        if decoder == "mirror":
            schema = schemas[vector.get("schema", fixture["schema"])]
            opening = fixture["opening"] if vector["opened"] else []
            check_refusals(where, Mirror(schema), opening, vector["frames"])
            if not {frame["error"] for frame in vector["frames"]} & NOT_IN_LISTING:
                listed = f"{where}, in the page's listing"
                check_refusals(listed, Listing(schema), opening, vector["frames"])
                count["malformed, mirror, also by the page's listing"] += 1
        else:
            decode = {
                "primitive": lambda it: primitive(vector["type"], it),
                "client_message": from_client,
                "server_message": from_server,
                "descriptor": Schema,
                "value": lambda it: read_body(messages[vector["message"]], it),
            }[decoder]
            data = bytes.fromhex(vector["bytes"]) + bytes(vector.get("zeros", 0))
            refused(where, vector["error"], decode, data)
        count[f"malformed, {decoder}"] += 1


def check_refusals(where, mirror, opening, frames):
    for frame in opening:
        mirror.apply(bytes.fromhex(frame))
    for at, frame in enumerate(frames):
        if frame.get("resume"):
            mirror.resume()
        refused(f"{where}, frame {at}", frame["error"], mirror.apply, bytes.fromhex(frame["bytes"]))


def main():
    count = Counter()
    try:
        check_primitives(count)
        check_codes(count)
        schemas = check_schemas(count)
        check_values(count, schemas)
        check_messages(count)
        check_stories(count, schemas)
        check_malformed(count, schemas)
    except (Difference, Malformed) as error:
        print(f"tests/foreign/check.py: {error}", file=sys.stderr)
        return 1
    for kind, vectors in count.items():
        print(f"{vectors:5} {kind}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
