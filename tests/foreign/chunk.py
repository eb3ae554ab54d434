"""Chunks, from bits to cells: docs/PROTOCOL.md, sections 5 and 6.

Values are nested: a number is its cell, a text its bytes, an option None or a tuple of
one, an enum its variant and payload, a record, list or array a list. Which rows there
are is no matter of this module: it asks `rows` (mirror.py), and tells it what it read.
"""

from codec import Malformed, need
from schema import leaves

GENERATIONS, SLOTS = 2**32, 65536


class Bits:
    """Takes numbers from the least significant bit of each byte up."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return 8 * len(self.data) - self.at

    def take(self, n):
        need(n <= self.left(), "chunk.Truncated")
        first, last = self.at // 8, (self.at + n + 7) // 8
        number = int.from_bytes(self.data[first:last], "little") >> self.at % 8
        self.at += n
        return number & ((1 << n) - 1)

    def golomb(self, order, escape):
        """A value, or None for an escape."""
        zeros = 0
        while zeros < escape and not self.take(1):
            zeros += 1
        if zeros == escape:
            return None
        return (1 << order + zeros) + self.take(order + zeros) - (1 << order)

    def number(self, order, most):
        value = self.golomb(order, 32)
        need(value is not None or self.left() > 0, "chunk.Truncated")
        need(value is not None and value <= most, "chunk.TooLarge")
        return value


class Mean:
    """The running mean that gives a code its order."""

    def __init__(self, start):
        self.eighths = 8 * start

    def order(self):
        return max(1, self.eighths // 8).bit_length() - 1

    def count(self, value):
        self.eighths += min(value, 1 << 24) - self.eighths // 8


def default(kind):
    """The value whose cells are all 0."""
    if kind.sort in ("text", "bytes"):
        return b""
    if kind.sort == "option":
        return None
    if kind.sort == "struct":
        return defaults(kind.fields)
    if kind.sort == "enum":
        return 0, defaults(kind.variants[0][1])
    if kind.sort == "list":
        return []
    return [default(kind.of)] * kind.len if kind.sort == "array" else 0


def defaults(fields):
    return [default(kind) for _, kind in leaves(fields)]


def zigzag(z):
    return z // 2 if z % 2 == 0 else -(z + 1) // 2


def short_way(kind, distance):
    """A distance in a ring, not more than half of it."""
    around = kind.span + 1
    if kind.ring and abs(distance) > around // 2:
        return distance - around if distance > 0 else distance + around
    return distance


def read_chunk(data, records, predicted, rows):
    """Applies a chunk to `rows`. `records` are the leaves of each table."""
    if not data:
        return
    bits, texts, table = Bits(data), [], -1
    while bits.take(1):
        table += 1 + bits.number(0, 2**64)
        need(table < len(records), "chunk.NoSuchTable")
        for slot in slots(bits):
            rows.despawn(table, slot)
        for slot in slots(bits):
            rows.depart(table, slot)
        read_spawns(Section(bits, texts, records[table], False), table, rows)
        read_updates(Section(bits, texts, records[table], predicted), table, rows)
    need(bits.left() < 8 and bits.take(bits.left()) == 0, "chunk.Trailing")


def read_spawns(section, table, rows):
    base = [default(kind) for _, kind in section.record]
    for slot in slots(section.bits):
        generation = 1 + section.bits.number(1, GENERATIONS - 2)
        mask = section.next_mask()
        rows.spawn(table, slot, generation)
        rows.write(table, slot, mask, section.values(section.record, mask, base, True, True))


def read_updates(section, table, rows):
    for slot in slots(section.bits):
        mask = section.next_mask()
        base = rows.update(table, slot)
        rows.write(table, slot, mask, section.values(section.record, mask, base, False, True))


def slots(bits):
    """The slots of one section; what belongs to a slot is read between two of them."""
    if not bits.take(1):
        return
    slot, gaps = -1, Mean(0)
    for _ in range(1 + bits.number(3, SLOTS - 1)):
        gap = bits.number(gaps.order(), 2**64)
        gaps.count(gap)
        slot += 1 + gap
        need(slot < SLOTS, "chunk.TooLarge")
        yield slot


class Section:
    """The spawns or updates of one table: their masks and values, and the means of these."""

    def __init__(self, bits, texts, record, predicted):
        self.bits, self.texts, self.record = bits, texts, record
        self.predicted, self.means, self.mask = predicted, {}, []

    def next_mask(self):
        if not self.bits.take(1):
            self.mask = self.read_mask(len(self.record))
        return self.mask

    def read_mask(self, n):
        """The places of the leaves that have a value, in order."""
        groups = [range(at, min(at + 8, n)) for at in range(0, n, 8)]
        if n > 8:
            groups = [group for group in groups if self.bits.take(1)]
        return [place for group in groups for place in group if self.bits.take(1)]

    def values(self, record, mask, base, new, top=False):
        out = list(base)
        for place in mask:
            out[place] = self.value(record[place][1], base[place], new, top)
        return out

    def inner(self, fields, base, new):
        record = leaves(fields)
        return self.values(record, self.read_mask(len(record)), base, new)

    def maybe(self, kind, base, new):
        if kind.sort == "struct":
            return self.inner(kind.fields, base, new)
        return self.value(kind, base, new) if self.bits.take(1) else base

    def value(self, kind, base, new, top=False):
        if kind.sort in ("text", "bytes"):
            return self.text(kind)
        if kind.sort == "ref":
            if not self.bits.take(1):
                return 0
            slot = self.bits.take(16)
            return (1 + self.bits.number(1, GENERATIONS - 2)) << 32 | slot
        if kind.sort == "option":
            if not self.bits.take(1):
                return None
            new = new or base is None
            return (self.maybe(kind.of, default(kind.of) if base is None else base[0], new),)
        if kind.sort == "enum":
            return self.enum(kind, base, new)
        if kind.sort == "array":
            return [self.maybe(kind.of, element, new) for element in base]
        if kind.sort == "list":
            return self.list(kind, base, new)
        return self.number(kind, base, new, top)

    def enum(self, kind, base, new):
        variant = self.bits.take((len(kind.variants) - 1).bit_length())
        need(variant < len(kind.variants), "chunk.BadTag")
        fields = kind.variants[variant][1]
        if variant != base[0]:
            return variant, self.inner(fields, defaults(fields), True)
        return variant, self.inner(fields, base[1], new)

    def list(self, kind, base, new):
        length = self.bits.number(2, 2**64)
        need(length <= kind.max, "chunk.BadLength")
        out = [self.maybe(kind.of, element, new) for element in base[:length]]
        while len(out) < length:
            out.append(self.maybe(kind.of, default(kind.of), True))
        return out

    def number(self, kind, base, new, top):
        if kind.code == "flip":
            return kind.low + 1 if base == kind.low else kind.low
        if kind.code == "count" or kind.code == "near" and not new:
            z = self.difference(kind, top)
            if z is not None:
                return moved(kind, base, zigzag(z))
        at = self.bits.take(kind.width)
        need(at <= kind.span, "chunk.OutOfRange")
        if kind.sort == "float":
            exponent = 0xFF << 23 if kind.repr == "f32" else 0x7FF << 52
            need(at & exponent != exponent, "chunk.NotFinite")
        return kind.low + at

    def difference(self, kind, top):
        """The zigzag of a difference, or None for an escape. All elements share a mean."""
        start = 1 if self.predicted and top and kind.motion else kind.mean
        mean = self.means.setdefault(id(kind), Mean(start))
        order = min(mean.order(), kind.width)
        value = self.bits.golomb(order, (kind.width - order) // 2 + 1)
        if value is None:
            return None
        mean.count(value)
        return value + 1

    def text(self, kind):
        bits = self.bits
        if bits.take(1):
            place = bits.take(6)
            near = [n for n in range(len(self.texts))[-64:] if n % 64 == place]
            need(near, "chunk.BadLength")
            text = self.texts[near[0]]
            need(len(text) <= kind.max, "chunk.BadLength")
        else:
            length = bits.number(4, 2**64)
            need(length <= kind.max, "chunk.BadLength")
            text = bytes(bits.take(8) for _ in range(length))
            self.texts.append(text)
        if kind.sort == "text":
            try:
                text.decode("utf-8")
            except UnicodeDecodeError:
                raise Malformed("chunk.NotUtf8") from None
        return text


def moved(kind, base, distance):
    """The cell that is so far from the base."""
    at = base + distance - kind.low
    if kind.span >= 2**63:
        at %= 2**64
    elif kind.ring and at > kind.span:
        at -= kind.span + 1
    elif kind.ring and at < 0:
        at += kind.span + 1
    need(0 <= at <= kind.span, "chunk.OutOfRange")
    return kind.low + at
