"""Descriptors and the values of messages: docs/PROTOCOL.md, section 4.

A kind knows its cells; a record is the list of its leaves. Nothing here writes, and
nothing translates between two versions of a schema.
"""

import math
import re
import struct
import struct

from codec import FLOATS, INTEGERS, Reader, bounds, need

NAME = re.compile(r"[A-Za-z0-9_]{1,64}\Z")
TURN = 6.283185307179586
MOTION, RING = 1, 2


def away(value):
    """The nearest integer; halves go away from zero."""
    whole = math.trunc(value)
    return whole + (int(math.copysign(1, value)) if abs(value - whole) >= 0.5 else 0)


def as_float(repr, value):
    """What a number of binary64 becomes in the float type; infinite if it is too large."""
    if repr == "f64":
        return value
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


class Kind:
    """A node of a schema: `sort`, what its sort has, and for numbers the range of cells."""

    def __init__(self, sort, **has):
        self.sort, self.motion, self.ring = sort, False, False
        self.fields, self.variants, self.of = [], [], None
        self.__dict__.update(has)

    def range(self, low, span):
        """Fixes the cells from low to low + span, and with them the code (section 5)."""
        self.low, self.span, self.width = low, span, span.bit_length()
        whole = self.sort == "int" and (self.min, self.max) == bounds(self.repr)
        if span == 1:
            self.code = "flip"
        elif self.width <= 4 or self.sort == "float":
            self.code = "fixed"
        elif whole and self.repr not in ("u8", "i8"):
            self.code = "count"
        else:
            self.code = "near"
        self.mean = {"int": 2, "quantised": 8, "angle": 4}.get(self.sort, 0)

    def settle(self):
        """Ranges and grids, of a kind whose rules hold."""
        if self.sort == "bool":
            self.range(0, 1)
        elif self.sort == "int":
            self.origin = min(max(self.min, 0), self.max)
            self.range(self.min - self.origin, self.max - self.min)
        elif self.sort == "float":
            self.range(0, 2**32 - 1 if self.repr == "f32" else 2**64 - 1)
        elif self.sort == "angle":
            self.min, self.step, self.ring = 0.0, TURN / 2**self.bits, True
            self.grid(2**self.bits)
        elif self.sort == "quantised":
            self.grid(away((self.max - self.min) / self.step) + (0 if self.ring else 1))
        return self

    def grid(self, count):
        self.origin = min(max(away(-self.min / self.step), 0), count - 1)
        self.range(-self.origin, count - 1)

    def point(self, index):
        return as_float(self.repr, self.min + index * self.step)

    def nearest(self, value):
        """The index of the point nearest to a value."""
        if math.isnan(value):
            return self.origin
        i, count = (value - self.min) / self.step + 0.5, self.span + 1
        if 0 <= i < count:
            return int(i)
        if self.ring:
            return math.floor(min(max(i, -9e15), 9e15)) % count
        return 0 if i < 0 else count - 1

    def cells(self):
        """How many cells it takes in a row."""
        if self.sort == "struct":
            return sum(kind.cells() for _, kind in self.fields)
        if self.sort == "enum":
            return 1 + max(sum(k.cells() for _, k in fields) for _, fields in self.variants)
        if self.sort in ("option", "list"):
            return 1 + (1 if self.sort == "option" else self.max) * self.of.cells()
        return self.len * self.of.cells() if self.sort == "array" else 1


def leaves(fields, path=""):
    """The leaves of a record, as (dotted name, kind): structs are replaced by their fields."""
    out = []
    for name, kind in fields:
        out += leaves(kind.fields, f"{path}{name}.") if kind.sort == "struct" else [(path + name, kind)]
    return out


class Schema:
    """All that a descriptor says, and the hash of its bytes."""

    def __init__(self, descriptor):
        self.hash = 0xCBF29CE484222325
        for byte in descriptor:
            self.hash = (self.hash ^ byte) * 0x100000001B3 % 2**64
        need(len(descriptor) <= 65536, "codec.TooLong")
        parser = Parser(descriptor)
        self.tables = [parser.table() for _ in range(parser.r.count(64))]
        self.messages = {name: parser.kind(0) for name in ("input", "command", "reply", "event")}
        parser.r.end()
        check_schema(self, parser.deepest)


class Parser:
    """Takes a descriptor apart. Rules beyond the form are check_schema's."""

    def __init__(self, descriptor):
        self.r, self.kinds, self.deepest = Reader(descriptor), 0, 0

    def table(self):
        name, entity = self.r.text(64), self.r.text(64)
        return name, entity, self.fields(0)

    def fields(self, depth):
        return [(self.r.text(64), self.kind(depth)) for _ in range(self.r.count(64))]

    def one_more(self, depth):
        self.kinds += 1
        self.deepest = max(self.deepest, depth)
        need(self.kinds <= 2048, "codec.TooLong")

    def kind(self, depth):
        self.one_more(depth)
        need(depth <= 8, "codec.TooLong")
        r, tag = self.r, self.r.byte()
        if tag == 0:
            return Kind("bool")
        if tag == 1:
            repr, flags = self.among(INTEGERS), self.flags(MOTION)
            wide = "u64" if repr[0] == "u" else "i64"
            return Kind("int", repr=repr, **flags, min=r.integer(wide), max=r.integer(wide))
        if tag == 2:
            return Kind("float", repr=self.among(FLOATS))
        if tag == 3:
            repr, flags = self.among(FLOATS), self.flags(MOTION | RING)
            ends = {name: r.float("f64") for name in ("min", "max", "step")}
            return Kind("quantised", repr=repr, **flags, **ends)
        if tag == 4:
            return Kind("angle", repr=self.among(FLOATS), **self.flags(MOTION), bits=r.byte())
        if tag in (5, 6):
            return Kind("text" if tag == 5 else "bytes", max=r.u32())
        if tag == 7:
            return Kind("ref", entity=r.text(64))
        if tag == 8:
            return Kind("option", of=self.kind(depth + 1))
        if tag == 9:
            return Kind("struct", fields=self.fields(depth + 1))
        if tag == 10:
            return Kind("enum", variants=[self.variant(depth + 1) for _ in range(r.count(256))])
        if tag == 11:
            return Kind("list", max=r.u32(), of=self.kind(depth + 1))
        need(tag == 12, "codec.BadTag")
        return Kind("array", len=r.u32(), of=self.kind(depth + 1))

    def variant(self, depth):
        self.one_more(depth)
        return self.r.text(64), self.fields(depth)

    def among(self, names):
        tag = self.r.byte()
        need(tag < len(names), "codec.BadTag")
        return names[tag]

    def flags(self, known):
        flags = self.r.byte()
        need(flags & ~known == 0, "codec.BadTag")
        return {"motion": flags & MOTION != 0, "ring": flags & RING != 0}


def check_schema(schema, deepest):
    """The rules that a well-formed descriptor must keep too: all are `codec.Invalid`."""
    good = deepest <= 7 and distinct([name for name, _, _ in schema.tables])
    for name, entity, fields in schema.tables:
        good = good and NAME.match(name) and NAME.match(entity) and good_fields(fields)
        good = good and sum(kind.cells() for _, kind in fields) <= 1024
    need(good and all(good_kind(kind) for kind in schema.messages.values()), "codec.Invalid")


def distinct(names):
    return len(set(names)) == len(names) and all(NAME.match(name) for name in names)


def good_fields(fields):
    if not distinct([name for name, _ in fields]) or not all(good_kind(kind) for _, kind in fields):
        return False
    return sum(count_leaves(kind) for _, kind in fields) <= 64


def count_leaves(kind):
    if kind.sort == "struct" and kind.fields:
        return sum(count_leaves(inner) for _, inner in kind.fields)
    return 1


def good_kind(kind):
    if kind.sort in ("int", "quantised", "angle"):
        good = {"int": good_integer, "quantised": good_grid, "angle": lambda k: 1 <= k.bits <= 24}
        if not good[kind.sort](kind):
            return False
    elif kind.sort in ("text", "bytes"):
        return 1 <= kind.max <= 4096
    elif kind.sort == "ref":
        return NAME.match(kind.entity)
    elif kind.sort == "struct":
        return good_fields(kind.fields) and kind.cells() <= 1024
    elif kind.sort == "enum":
        good = kind.variants and distinct([name for name, _ in kind.variants])
        return good and all(good_fields(f) for _, f in kind.variants) and kind.cells() <= 1024
    elif kind.sort in ("option", "list", "array"):
        if not good_kind(kind.of):
            return False
        many = kind.sort == "option" or 1 <= (kind.max if kind.sort == "list" else kind.len) <= 1024
        return many and (kind.sort == "option" or kind.of.cells() >= 1) and kind.cells() <= 1024
    kind.settle()
    return True


def good_integer(kind):
    low, high = bounds(kind.repr)
    return low <= kind.min < kind.max <= high and not (kind.motion and kind.max - kind.min >= 2**32)


def good_grid(kind):
    if not (kind.min < kind.max and kind.step > 0):
        return False
    steps = (kind.max - kind.min) / kind.step
    if not (2 if kind.ring else 1) <= steps <= 2**32 - 1:
        return False
    kind.settle()
    return math.isfinite(as_float(kind.repr, kind.min)) and math.isfinite(kind.point(kind.span))


def read_value(kind, r):
    """A value in the body of a message, as the fixtures show it."""
    if kind.sort == "bool":
        return r.flag()
    if kind.sort == "int":
        return shown(kind, min(max(r.integer(kind.repr), kind.min), kind.max))
    if kind.sort == "float":
        return r.float(kind.repr)
    if kind.sort in ("quantised", "angle"):
        return kind.point(min(r.integer("u64"), kind.span))
    if kind.sort == "text":
        return r.text(kind.max)
    if kind.sort == "bytes":
        return r.bytes(kind.max).hex()
    if kind.sort == "ref":
        slot, generation = r.u32(), r.u32()
        need(slot < 65536 and (generation > 0 or slot == 0), "codec.Invalid")
        return {"slot": slot, "generation": generation} if generation else None
    if kind.sort == "option":
        return {"some": read_value(kind.of, r)} if r.flag() else None
    if kind.sort == "struct":
        return read_fields(kind.fields, r)
    if kind.sort == "enum":
        tag = r.u32()
        need(tag < len(kind.variants), "codec.BadTag")
        name, fields = kind.variants[tag]
        return {name: read_fields(fields, r)}
    count = r.count(kind.max) if kind.sort == "list" else kind.len
    return [read_value(kind.of, r) for _ in range(count)]


def read_fields(fields, r):
    return {name: read_value(kind, r) for name, kind in fields}


def read_body(kind, body):
    r = Reader(body)
    value = read_value(kind, r)
    r.end()
    return value


def shown(kind, number):
    """An integer in JSON: 64 bits are more than its numbers hold."""
    return str(number) if kind.repr in ("u64", "i64") else number

