#!/usr/bin/env python3
"""Plays against a running server for some seconds: `live.py HOST:PORT [GAME [SECONDS]]`.

Joins over HTTP, shakes hands, sends inputs without sense, follows every frame and compares
each state hash with the mirror's own; exits 1 if one differs or a message is malformed. Only
what that needs of a client is here: no TLS, no clock, no reconnecting.
"""

import base64
import hashlib
import http.client
import json
import os
import random
import socket
import struct
import sys
import time
import urllib.parse

from codec import Malformed, need
from messages import from_server
from mirror import Mirror
from schema import Schema, read_body

LARGEST = 1048576
# An input is new every so many frames, and for the tick after the next.
INPUT_EVERY, LEAD = 10, 2
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10


def varint(value):
    """An unsigned integer, as section 2 writes it."""
    if value <= 250:
        return bytes([value])
    if value < 1 << 16:
        return b"\xfb" + value.to_bytes(2, "little")
    if value < 1 << 32:
        return b"\xfc" + value.to_bytes(4, "little")
    return b"\xfd" + value.to_bytes(8, "little")


def any_value(kind):
    """Some value of a kind, as the body of a message has it. Texts, lists and options are empty."""
    if kind.sort == "struct":
        return b"".join(any_value(of) for _, of in kind.fields)
    if kind.sort == "bool":
        return bytes([random.getrandbits(1)])
    if kind.sort == "int":
        value = random.randint(kind.min, kind.max)
        if kind.repr in ("u8", "i8"):
            return value.to_bytes(1, "little", signed=kind.repr == "i8")
        return varint(value if kind.repr[0] == "u" else 2 * value if value >= 0 else -2 * value - 1)
    if kind.sort in ("quantised", "angle"):
        return varint(random.randint(0, kind.span))
    if kind.sort == "enum":
        variant = random.randrange(len(kind.variants))
        return varint(variant) + b"".join(any_value(of) for _, of in kind.variants[variant][1])
    if kind.sort == "array":
        return b"".join(any_value(kind.of) for _ in range(kind.len))
    return bytes({"float": 4 if getattr(kind, "repr", "") == "f32" else 8, "ref": 2}.get(kind.sort, 1))


def hello(token):
    raw = token.encode()
    return b"\0TKWR" + varint(1) + b"\0" + varint(len(raw)) + raw + b"\0"


def acknowledgement(tick):
    return b"\1" + varint(tick) + b"\0"


def one_input(tick, sequence, body):
    """An acknowledgement with an input for some ticks later."""
    return b"\1" + varint(tick) + varint(1) + varint(sequence) + varint(2 * LEAD) + varint(len(body)) + body


def join(host, game):
    connection = http.client.HTTPConnection(host, timeout=10)
    body = json.dumps({"game": game, "name": "foreign"})
    connection.request("POST", "/api/join", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    seat = json.load(answer)
    if answer.status != 200:
        raise SystemExit(f"no seat: {answer.status} {seat.get('code')}: {seat.get('message')}")
    return seat


class Socket:
    """A WebSocket of a client: whole binary messages, masked, and pongs."""

    def __init__(self, url):
        at = urllib.parse.urlsplit(url)
        self.stream = socket.create_connection((at.hostname, at.port or 80), timeout=10)
        self.file = self.stream.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.stream.sendall((
            f"GET {at.path} HTTP/1.1\r\nHost: {at.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: tickwire.1\r\n\r\n"
        ).encode())
        status = self.file.readline().decode().strip()
        lines = iter(lambda: self.file.readline().decode().strip(), "")
        headers = {name.lower(): value.strip() for name, _, value in (it.partition(":") for it in lines)}
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        accepted = headers.get("sec-websocket-accept") == base64.b64encode(digest).decode()
        if " 101" not in status or not accepted or headers.get("sec-websocket-protocol") != "tickwire.1":
            raise SystemExit(f"no WebSocket: {status}")

    def send(self, payload, opcode=BINARY):
        head = bytes([0x80 | opcode])
        if len(payload) < 126:
            head += bytes([0x80 | len(payload)])
        else:
            head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.stream.sendall(head + mask + masked)

    def receive(self):
        """The next message; None when the server closes."""
        while True:
            opcode, payload = self.frame()
            if opcode == BINARY:
                return payload
            if opcode == PING:
                self.send(payload, PONG)
            elif opcode == CLOSE:
                return None

    def frame(self):
        first, second = self.exactly(2)
        need(first & 0x70 == 0 and first & 0x80 and not second & 0x80, "websocket")
        length = second & 0x7F
        if length >= 126:
            length = int.from_bytes(self.exactly(2 if length == 126 else 8), "big")
        need(length <= LARGEST, "codec.TooLong")
        return first & 0x0F, self.exactly(length)

    def exactly(self, length):
        data = self.file.read(length)
        if len(data) < length:
            raise SystemExit("the server ended the connection")
        return data


class Play:
    """What came, and the state that it leads to."""

    def __init__(self, welcome):
        descriptor = bytes.fromhex(welcome["descriptor"])
        self.schema = Schema(descriptor)
        need(f"{self.schema.hash:016x}" == welcome["schema"], "the schema's hash")
        self.mirror = Mirror(self.schema)
        self.frames = self.predicted = self.hashes = self.differ = self.events = self.bytes = self.used = 0

    def take(self, message):
        """Follows a frame, and gives the tick to acknowledge; nothing for other messages."""
        if message[:1] != b"\0":
            from_server(message)
            return None
        frame = self.mirror.apply(message)
        self.used = max(self.used, frame.processed or 0)
        self.frames += 1
        self.bytes += len(message)
        self.predicted += frame.predicted
        for event in frame.events_at(self.mirror.tick):
            read_body(self.schema.messages["event"], bytes.fromhex(event["body"]))
            self.events += 1
        if frame.hash is not None:
            self.hashes += 1
            self.differ += frame.hash != self.mirror.hash()
        return self.mirror.tick

    def answer(self, tick):
        """What to say to a frame: mostly that it was applied."""
        if self.frames % INPUT_EVERY:
            return acknowledgement(tick)
        body = any_value(self.schema.messages["input"])
        return one_input(tick, self.frames // INPUT_EVERY, body)

    def report(self):
        rows = sum(len(table.rows) for table in self.mirror.tables)
        print(f"{self.frames} frames ({self.predicted} predicted) of {self.bytes} bytes, {self.events} events;")
        print(f"{self.used} of {self.frames // INPUT_EVERY} inputs used;")
        print(f"{self.hashes} state hashes, {self.differ} differ; {rows} rows at tick {self.mirror.tick}")


def main(host, game="arena", seconds="6"):
    seat = join(host, game)
    wire = Socket(seat["url"])
    wire.send(hello(seat["token"]))
    first = wire.receive()
    shown = from_server(first) if first else {}
    if "welcome" not in shown:
        raise SystemExit(f"no Welcome: {shown}")
    play, end = Play(shown["welcome"]), time.monotonic() + float(seconds)
    while time.monotonic() < end:
        message = wire.receive()
        if message is None:
            raise SystemExit("the server closed")
        tick = play.take(message)
        if tick is not None:
            wire.send(play.answer(tick))
    wire.send(b"\7")
    play.report()
    return 0 if play.hashes and not play.differ else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except Malformed as error:
        sys.exit(f"malformed: {error}")
