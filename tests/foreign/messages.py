"""Messages of both sides, and frames down to their chunks: docs/PROTOCOL.md, sections 1, 3 and 7.

A message becomes what the fixtures show: an object of one member. What a chunk holds is
chunk.py's matter, and whether a message is one at this moment of a connection nobody's here.
"""

from codec import Reader, need

FULL, PREDICTED, PROCESSED, DEPTH, HASH, EVENTS = 1, 2, 4, 8, 16, 32
FORMS = ("change", "whole", "leave")
CLASSES = ("transient", "reliable")
LARGEST_CHUNK = 1048576
ADVICE = {
    "stop": (1000, 1002, 1003, 1007, 1009, 4400, 4403),
    "join": (1008, 1011, 1013, 4401, 4404, 4409, 4421),
    "resume": (1012, 1001, 1005, 1006, 1014, 1015),
}


def advice(code, text):
    """What a client does after a close code."""
    if code == 4408:
        return "stop" if text == "replaced by a newer connection" else "resume"
    listed = [name for name, codes in ADVICE.items() if code in codes]
    return listed[0] if listed else "resume" if code < 4000 else "stop"


def from_client(message):
    r = begin(message, 16384)
    name, read = CLIENT[pick(r, len(CLIENT))]
    shown = read(r)
    r.end()
    return {name: shown}


def from_server(message):
    r = begin(message, 1048576)
    name, read = SERVER[pick(r, len(SERVER))]
    shown = read(r)
    r.end()
    return {name: shown}


def begin(message, most):
    need(len(message) <= most, "codec.TooLong")
    return Reader(message)


def pick(r, tags):
    tag = r.byte()
    need(tag < tags, "codec.BadTag")
    return tag


def schema_hash(r):
    return f"{r.integer('u64'):016x}"


def hello(r):
    need(r.take(4) == b"TKWR", "codec.BadTag")
    return {
        "version": r.integer("u16"),
        "schema": r.option(lambda: schema_hash(r)),
        "token": r.text(1024),
        "applied": r.option(r.u32),
    }


def inputs(r):
    applied, count, out = r.u32(), r.count(16), []
    first = r.u32() if count else 0
    for i in range(count):
        tick, body = applied + r.integer("i32"), r.bytes(256)
        need(0 <= tick < 2**32, "codec.Invalid")
        out.append({"sequence": (first + i) % 2**32, "tick": tick, "body": body.hex()})
    return {"applied": applied, "inputs": out}


def pace(r):
    every = r.byte()
    need(every > 0, "codec.Invalid")
    return {"every": every}


CLIENT = (
    ("hello", hello),
    ("input", inputs),
    ("command", lambda r: {"id": r.u32(), "body": r.bytes(8192).hex()}),
    ("chat", lambda r: {"text": r.text(512)}),
    ("ping", lambda r: {"stamp": str(r.integer("u64"))}),
    ("pace", pace),
    ("refresh", lambda r: {}),
    ("bye", lambda r: {}),
)


def clock(r):
    return {"tick": r.u32(), "micros": r.u32()}


def welcome(r):
    out = {"version": r.integer("u16"), "player": r.u32(), "game": r.text(64)}
    out["tick_hz"], out["send_every"] = r.integer("u16"), r.byte()
    need(1 <= out["tick_hz"] <= 240 and out["send_every"] > 0, "codec.Invalid")
    out["clock"], out["token"], out["baseline"] = clock(r), r.text(1024), r.option(r.u32)
    out["schema"] = schema_hash(r)
    out["descriptor"] = r.option(lambda: r.bytes(65536).hex())
    return out


def reply(r):
    out = {"id": r.u32()}
    if pick(r, 2) == 0:
        return {**out, "body": r.bytes(8192).hex()}
    return {**out, "refusal": {"code": r.integer("u16"), "text": r.text(120)}}


def bye(r):
    out = {"code": r.integer("u16"), "text": r.text(120), "retry_after_ms": r.u32()}
    return {**out, "advice": advice(out["code"], out["text"])}


class Frame:
    """A frame's parts. Its chunks are bytes still, and its events' ticks as they were sent."""

    def __init__(self, r):
        flags = r.byte()
        need(flags & 0xC0 == 0, "codec.BadTag")
        self.full, self.predicted = flags & FULL != 0, flags & PREDICTED != 0
        self.step = r.u32()
        need(self.full or self.step > 0, "codec.Invalid")
        need(not (self.full and self.predicted), "codec.Invalid")
        self.processed = r.u32() if flags & PROCESSED else None
        self.depth = r.integer("i32") if flags & DEPTH else None
        self.hash = int.from_bytes(r.take(4), "little") if flags & HASH else None
        heads = self.heads(r)
        events = r.count(1024) if flags & EVENTS else None
        need(events != 0, "codec.Invalid")
        self.sections = [(scope, form, r.take(length)) for scope, form, length in heads]
        self.events = [self.event(r) for _ in range(events or 0)]

    def heads(self, r):
        heads, before = [], -1
        for _ in range(r.count(256)):
            scope, form = divmod(r.integer("u64"), 4)
            need(form < len(FORMS), "codec.BadTag")
            need(scope < 2**30, "codec.TooLong")
            need(scope > before, "codec.Invalid")
            need(not self.full or FORMS[form] == "whole", "codec.Invalid")
            length = 0 if FORMS[form] == "leave" else r.count(LARGEST_CHUNK)
            heads.append((scope, FORMS[form], length))
            before = scope
        return heads

    def event(self, r):
        return CLASSES[pick(r, len(CLASSES))], int.from_bytes(r.take(2), "little"), r.bytes(8192)

    def header(self):
        return {
            "step": {"full" if self.full else "advance": self.step},
            "predicted": self.predicted,
            "processed": self.processed,
            "depth": self.depth,
            "hash": self.hash,
        }

    def events_at(self, tick):
        """The events, with ticks as they are in a frame of this tick."""
        return [
            {"class": kind, "tick": max(0, tick - (tick - sent) % 65536), "body": body.hex()}
            for kind, sent, body in self.events
        ]


def frame_alone(r):
    frame = Frame(r)
    sections = [
        {"scope": scope, "form": form, "chunk": chunk.hex()} for scope, form, chunk in frame.sections
    ]
    return {"header": frame.header(), "sections": sections, "events": frame.events_at(frame.step)}


def read_frame(message):
    """A message that must be a frame, for a mirror."""
    r = begin(message, 1048576)
    need(r.byte() == 0, "codec.BadTag")
    frame = Frame(r)
    r.end()
    return frame


SERVER = (
    ("frame", frame_alone),
    ("welcome", welcome),
    ("reply", reply),
    ("chat", lambda r: {"player": r.u32(), "name": r.text(64), "tick": r.u32(), "text": r.text(512)}),
    ("pong", lambda r: {"stamp": str(r.integer("u64")), "clock": clock(r)}),
    ("bye", bye),
    ("moved", lambda r: {"address": r.text(512), "token": r.text(1024)}),
    ("token", lambda r: {"token": r.text(1024)}),
)
