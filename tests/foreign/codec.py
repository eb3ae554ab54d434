"""The primitives of docs/PROTOCOL.md, section 2: bytes to integers, floats and texts.

Reads only, and strictly: each value has one encoding. Writing is absent, but for
the few messages that live.py says.
"""

import math
import struct


class Malformed(Exception):
    """What was received breaks the protocol. Its text is the error's name (section 9)."""


def need(good, error):
    if not good:
        raise Malformed(error)


INTEGERS = ("u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64")
FLOATS = ("f32", "f64")
# By a varint's first byte: how many bytes follow, and the least value that needs them.
WIDE = {0xFB: (2, 251), 0xFC: (4, 1 << 16), 0xFD: (8, 1 << 32)}
SMALLEST_NORMAL = {"f32": 2.0**-126, "f64": 2.0**-1022}


def bounds(integer):
    """The least and the largest value of an integer type."""
    bits = int(integer[1:])
    return (0, 2**bits - 1) if integer[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


class Reader:
    """Takes values from the front of some bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        need(self.at + length <= len(self.data), "codec.Truncated")
        self.at += length
        return self.data[self.at - length : self.at]

    def left(self):
        return len(self.data) - self.at

    def end(self):
        need(self.left() == 0, "codec.Trailing")

    def byte(self):
        return self.take(1)[0]

    def flag(self):
        value = self.byte()
        need(value <= 1, "codec.BadBool")
        return value == 1

    def varint(self, bits):
        first = self.byte()
        if first <= 250:
            return first
        need(first in WIDE, "codec.BadInteger")
        length, least = WIDE[first]
        need(8 * length <= bits, "codec.BadInteger")
        value = int.from_bytes(self.take(length), "little")
        need(value >= least, "codec.BadInteger")
        return value

    def integer(self, name):
        bits = int(name[1:])
        if bits == 8:
            return int.from_bytes(self.take(1), "little", signed=name[0] == "i")
        value = self.varint(bits)
        if name[0] == "u":
            return value
        return value // 2 if value % 2 == 0 else -(value + 1) // 2

    def u32(self):
        return self.integer("u32")

    def float(self, name):
        value = struct.unpack("<f" if name == "f32" else "<d", self.take(4 if name == "f32" else 8))[0]
        need(math.isfinite(value), "codec.NotFinite")
        return value if abs(value) >= SMALLEST_NORMAL[name] else 0.0

    def count(self, most):
        value = self.varint(64)
        need(value <= most, "codec.TooLong")
        return value

    def bytes(self, most):
        return self.take(self.count(most))

    def text(self, most):
        try:
            return self.bytes(most).decode("utf-8")
        except UnicodeDecodeError:
            raise Malformed("codec.NotUtf8") from None

    def option(self, read):
        return read() if self.flag() else None
