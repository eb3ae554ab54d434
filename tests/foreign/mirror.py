"""The replicated state of one client: docs/PROTOCOL.md, section 7.

Takes frames, keeps rows, and says what became of each. Blending, clocks and the
prediction of a player's own entity are absent.
"""

import struct

from chunk import read_chunk, short_way
from codec import Malformed, need
from messages import read_frame
from schema import leaves, shown

MOST_STATE, ROW, CELL, TEXT = 64 << 20, 64, 8, 32
WORD = 0xFFFFFFFF


class Row:
    """One entity. `state` is one of section 7's four; `reason` says why it is doubted."""

    def __init__(self, generation):
        self.generation, self.state, self.reason = generation, "fresh", None
        self.values, self.was, self.past, self.mask, self.texts = [], [], {}, [], 0


class Table:
    def __init__(self, name, fields):
        self.name, self.fields, self.record, self.rows = name, fields, leaves(fields), {}
        self.motion = [at for at, (_, kind) in enumerate(self.record) if kind.motion]
        cells = sum(kind.cells() for _, kind in fields)
        self.weight = ROW + CELL * cells + CELL * len(self.motion)
        self.worded = any(holds_text(kind) for _, kind in self.record)


class Mirror:
    """Rows by table and slot, as of `tick`."""

    def __init__(self, schema):
        self.tables = [Table(name, fields) for name, _, fields in schema.tables]
        self.watched, self.tick, self.before = set(), None, None
        self.broken, self.weight = False, 0

    def resume(self):
        """A new connection goes on from here: no line reaches across."""
        self.before = None

    def apply(self, message):
        """Brings the state to the frame's tick. `changes` and `records` say what it did."""
        need(not self.broken, "mirror.Broken")
        try:
            return self.follow(read_frame(message))
        except Malformed:
            self.broken = True
            raise

    def follow(self, frame):
        self.removed, self.records = [], []
        tick, apart = self.step(frame)
        self.move(frame, apart)
        for scope, form, chunk in frame.sections:
            self.enter(scope, form)
            self.scope, self.record = scope, {}
            read_chunk(chunk, [table.record for table in self.tables], frame.predicted, self)
            self.records.append([{"table": self.tables[at].name, **of} for at, of in self.record.items()])
        self.changes = self.finish()
        self.before, self.tick = self.tick, tick
        return frame

    def step(self, frame):
        if frame.full:
            self.tick, self.watched = None, set()
            self.doubt(lambda row: True)
            return frame.step, 0
        need(self.tick is not None, "mirror.NoBaseline")
        need(self.tick + frame.step < 2**32, "mirror.BadTick")
        if not frame.predicted:
            return self.tick + frame.step, 0
        need(self.before is not None, "mirror.NoMotion")
        apart = self.tick - self.before
        need(1 <= apart <= 255 and frame.step <= 255, "mirror.NoMotion")
        return self.tick + frame.step, apart

    def move(self, frame, apart):
        for table in self.tables:
            for row in table.rows.values():
                row.was, row.mask, row.values = row.values, [], list(row.values)
                for at in table.motion:
                    earlier, later = row.past[at], row.values[at]
                    row.past[at] = later
                    if frame.predicted:
                        row.values[at] = predict(table.record[at][1], earlier, later, apart, frame.step)

    def enter(self, scope, form):
        here = scope in self.watched
        need(here or form == "whole" and len(self.watched) < 256, "mirror.BadScope")
        if form == "leave":
            self.watched.remove(scope)
        else:
            self.watched.add(scope)
        if here and form != "change":
            self.doubt(lambda row: row.scope == scope)

    def doubt(self, which):
        for table in self.tables:
            for row in table.rows.values():
                if row.state == "here" and which(row):
                    row.state, row.reason = "doubted", "departed"

    def finish(self):
        """Removes who is still doubted. The list of changes is sorted as the fixtures are."""
        changes = list(self.removed)
        for table in self.tables:
            for slot, row in list(table.rows.items()):
                if row.state == "doubted":
                    changes.append(self.drop(table, slot, row.reason))
                    continue
                changes += self.change(table, slot, row)
                row.state = "here"
        return sorted(changes, key=lambda it: (it["table"], it["slot"], it["generation"]))

    def drop(self, table, slot, reason):
        row = table.rows.pop(slot)
        self.weight -= table.weight + row.texts
        return told(table, slot, row, reason)

    def change(self, table, slot, row):
        if row.state == "fresh":
            return [told(table, slot, row, "added")]
        every = range(len(table.record))
        changed = [
            at for at in every
            if (row.values[at] != row.was[at] if at in table.motion else at in row.mask)
        ]
        if not changed and row.state == "here":
            return []
        names = [table.record[at][0] for at in (every if row.state == "arrived" else changed)]
        return [{**told(table, slot, row, "changed"), "leaves": names}]

    # What a chunk says about its scope's rows.

    def note(self, table, what, entry):
        self.record.setdefault(table, {}).setdefault(what, []).append(entry)

    def names(self, table, mask):
        return [self.tables[table].record[at][0] for at in mask]

    def despawn(self, table, slot):
        self.note(table, "despawns", slot)
        self.go(table, slot, "despawned")

    def depart(self, table, slot):
        self.note(table, "departures", slot)
        self.go(table, slot, "departed")

    def go(self, table, slot, reason):
        row = self.tables[table].rows.get(slot)
        need(row is not None, "chunk.NoSuchRow")
        if row.scope == self.scope:
            need(row.state == "here", "chunk.NoSuchRow")
            row.state, row.reason = "doubted", reason
        else:
            need(row.state in ("fresh", "arrived"), "chunk.NoSuchRow")

    def spawn(self, at, slot, generation):
        table = self.tables[at]
        row = table.rows.get(slot)
        if row is not None:
            elsewhere = row.state == "here" and row.scope != self.scope
            need(row.state == "doubted" or elsewhere, "chunk.RowTaken")
        if row is not None and row.generation != generation:
            self.removed.append(self.drop(table, slot, "despawned"))
            row = None
        if row is None:
            self.weight += table.weight
            need(self.weight <= MOST_STATE, "chunk.TooMuchState")
            row = table.rows[slot] = Row(generation)
        else:
            row.state = "arrived"
        row.scope = self.scope

    def update(self, table, slot):
        row = self.tables[table].rows.get(slot)
        need(row is not None and row.scope == self.scope and row.state == "here", "chunk.NoSuchRow")
        return row.values

    def write(self, at, slot, mask, values):
        table = self.tables[at]
        row = table.rows[slot]
        row.values, row.mask = values, mask
        entry = {"slot": slot, "leaves": self.names(at, mask)}
        if row.state == "here":
            self.note(at, "updates", entry)
        else:
            self.note(at, "spawns", {**entry, "generation": row.generation})
            row.past = {place: values[place] for place in table.motion}
        if table.worded:
            texts = sum(weigh(kind, value) for (_, kind), value in zip(table.record, values))
            self.weight += texts - row.texts
            row.texts = texts
            need(self.weight <= MOST_STATE, "chunk.TooMuchState")

    # What there is now.

    def hash(self):
        return sum(
            row_hash(at, slot, row, table)
            for at, table in enumerate(self.tables)
            for slot, row in table.rows.items()
        ) & WORD

    def state(self):
        """All rows by table, as the fixtures show them; tables without rows are left out."""
        out = {}
        for at, table in enumerate(self.tables):
            for slot, row in sorted(table.rows.items()):
                out.setdefault(table.name, []).append({
                    "slot": slot,
                    "generation": row.generation,
                    "scope": row.scope,
                    "hash": row_hash(at, slot, row, table),
                    "value": show_fields(table.fields, iter(row.values)),
                })
        return out


def told(table, slot, row, change):
    return {"table": table.name, "slot": slot, "generation": row.generation, "change": change}


def predict(kind, earlier, later, apart, ahead):
    """The cell `ahead` ticks after `later` on the line through both."""
    distance = short_way(kind, later - earlier)
    at = later + (distance if apart == ahead else distance * ahead // apart) - kind.low
    return kind.low + (at % (kind.span + 1) if kind.ring else min(max(at, 0), kind.span))


def mix(h, word):
    m = (h ^ word) * 0x9E3779B1 & WORD
    return m ^ m >> 15


def row_hash(at, slot, row, table):
    h = mix(mix(mix(0, at), slot), row.generation)
    for (_, kind), value in zip(table.record, row.values):
        h = mix_value(h, kind, value)
    h = (h ^ h >> 16) * 0x85EBCA6B & WORD
    h = (h ^ h >> 13) * 0xC2B2AE35 & WORD
    return h ^ h >> 16


def mix_value(h, kind, value):
    if kind.sort in ("text", "bytes"):
        h = mix(h, len(value))
        for at in range(0, len(value), 4):
            h = mix(h, int.from_bytes(value[at : at + 4], "little"))
        return h
    if kind.sort == "option":
        return mix(h, 0) if value is None else mix_value(mix(h, 1), kind.of, value[0])
    if kind.sort == "enum":
        return mix_record(mix(h, value[0]), kind.variants[value[0]][1], value[1])
    if kind.sort == "struct":
        return mix_record(h, kind.fields, value)
    if kind.sort in ("list", "array"):
        h = mix(h, len(value)) if kind.sort == "list" else h
        for element in value:
            h = mix_value(h, kind.of, element)
        return h
    return mix(mix(h, value & WORD), value >> 32 & WORD)


def mix_record(h, fields, values):
    for (_, kind), value in zip(leaves(fields), values):
        h = mix_value(h, kind, value)
    return h


def inside(kind):
    """The kinds of what a value holds."""
    of = [kind.of] if kind.of else []
    return of + [k for fields in [kind.fields, *(f for _, f in kind.variants)] for _, k in fields]


def holds_text(kind):
    return kind.sort in ("text", "bytes") or any(holds_text(k) for k in inside(kind))


def weigh(kind, value):
    """What the texts of a value count against the limit of the state."""
    if kind.sort in ("text", "bytes"):
        return TEXT + len(value)
    if kind.sort in ("list", "array"):
        return sum(weigh(kind.of, element) for element in value)
    if kind.sort == "option":
        return weigh(kind.of, value[0]) if value else 0
    if kind.sort in ("struct", "enum"):
        fields = kind.fields if kind.sort == "struct" else kind.variants[value[0]][1]
        values = value if kind.sort == "struct" else value[1]
        return sum(weigh(k, v) for (_, k), v in zip(leaves(fields), values))
    return 0


def show(kind, value):
    """A value of a row as the fixtures show it."""
    if kind.sort == "bool":
        return value == 1
    if kind.sort == "int":
        return shown(kind, value + kind.origin)
    if kind.sort == "float":
        size, form = (4, "<f") if kind.repr == "f32" else (8, "<d")
        return struct.unpack(form, value.to_bytes(size, "little"))[0]
    if kind.sort in ("quantised", "angle"):
        return kind.point(value + kind.origin)
    if kind.sort in ("text", "bytes"):
        return value.decode("utf-8") if kind.sort == "text" else value.hex()
    if kind.sort == "ref":
        return {"slot": value & WORD, "generation": value >> 32} if value else None
    if kind.sort == "option":
        return None if value is None else {"some": show(kind.of, value[0])}
    if kind.sort == "struct":
        return show_fields(kind.fields, iter(value))
    if kind.sort == "enum":
        name, fields = kind.variants[value[0]]
        return {name: show_fields(fields, iter(value[1]))}
    return [show(kind.of, element) for element in value]


def show_fields(fields, values):
    """Puts the leaves of a record back into their structs."""
    return {
        name: show_fields(kind.fields, values) if kind.sort == "struct" else show(kind, next(values))
        for name, kind in fields
    }
