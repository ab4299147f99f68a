#!/usr/bin/env python3
"""`make bench-attacks`: what a caller that behaves well notices while somebody attacks the server.

The server has one CPU; the caller and the attacker share another, the attacker with the lowest priority, so that what it takes
of that CPU is not measured as the server's. The caller begins steps at an even pace, far below what the server can. It runs
alone, then beside each attack of Tests/Clients/attacks.py, in turns, several rounds. An attacker that is cut off connects
again at once. See README.md beside this file."""

import argparse
import os
import pathlib
import select
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests/Clients"))

import attacks
import probes
from harness import machine
from harness.systems import Setup, Tollgate, slack

SERVER_CPU, OTHER_CPU = 0, 1
RATE, CONNECTIONS = 500, 2
FRAMES, PIECE_BYTES, IDLE = 3_000, 1 << 16, 2_000
RECEIVED_BYTES = 1 << 18
ALONE = "alone"


class Counted:
    """Stands for a peer where its frames are made before it connects."""

    def __init__(self):
        self.next_stream = 1

    def stream(self):
        self.next_stream += 2
        return self.next_stream - 2


def repeated(make, frames=FRAMES, opens=False):
    """The bytes of so many frames, on a connection that begins with a stream where they need one."""
    def of(target):
        peer = Counted()
        first = attacks.headers(peer.stream(), target.block()) if opens else b""
        return first + b"".join(make(peer, target, number) for number in range(frames))
    return of


def constant(frame, **more):
    return repeated(lambda *_: frame, **more)


FLOODS = {
    "rapid reset": repeated(attacks.rapid_reset),
    "rapid reset with a key": repeated(attacks.keyed_rapid_reset, frames=20_000),
    "made you reset": repeated(attacks.made_you_reset(attacks.MADE_YOU_RESET["window overflow"])),
    "malformed requests": repeated(attacks.malformed_request(("connection", "x"))),
    "SETTINGS": constant(attacks.settings()),
    "PING": constant(attacks.frame(attacks.PING, 0, 0, bytes(8))),
    "empty DATA": constant(attacks.frame(attacks.DATA, 0, 1), opens=True),
    "WINDOW_UPDATE": constant(attacks.frame(attacks.WINDOW_UPDATE, 0, 0, attacks.word(1))),
    "unknown frames": constant(attacks.frame(0x77, payload=bytes(100))),
    "CONTINUATION": constant(attacks.headers(1, b"", 0) + attacks.frame(attacks.CONTINUATION, 0, 1) * 20),
    "header bombs": repeated(attacks.header_bomb, frames=50),
    "cookie crumbs": repeated(attacks.cookie_crumbs, frames=300),
    "refused requests": repeated(attacks.broken_base64, frames=900),
}


def flood(target, make):
    """Connects and sends, again and again; what the server says is read and thrown away."""
    payload = make(target)
    pieces = [payload[at:at + PIECE_BYTES] for at in range(0, len(payload), PIECE_BYTES)]
    print("begun", flush=True)
    while True:
        with attacks.Peer(target) as peer:
            for piece in pieces:
                if not peer.send(piece):
                    break
                if not drained(peer.socket):
                    break


def drained(connection):
    """Reads what there is; false at the connection's end."""
    while select.select([connection], [], [], 0)[0]:
        try:
            if not connection.recv(RECEIVED_BYTES):
                return False
        except OSError:
            return False
    return True


def hold(target, opening):
    """Connections that are opened and left alone."""
    peers = [attacks.Peer(target) for _ in range(IDLE if opening is None else 20)]
    for peer in peers if opening else []:
        peer.send(b"".join(opening(peer, target) for _ in range(200)))
    print("begun", flush=True)
    time.sleep(3_600)


HELD = {
    f"{IDLE:,} idle connections": None,
    "4,000 requests without an end": lambda peer, target: attacks.headers(peer.stream(), target.block()),
}


def attack(name, address, key, tenant):
    # A nice process still runs to the end of its turn, 4 ms, while the caller waits; an idle one never.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.sched_setaffinity(0, {OTHER_CPU})
    target = attacks.Target(address, key, tenant)
    if name in HELD:
        hold(target, HELD[name])
    flood(target, FLOODS[name])


class Attacker:
    """An attack in a process of its own, from here to the end of the block."""

    def __init__(self, name, server):
        self.command = [sys.executable, __file__, "--attack", name, server.address, server.key, "bench-000001"]

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, text=True, preexec_fn=machine.die_with_parent)
        assert self.process.stdout.readline() == "begun\n"
        return self

    def __exit__(self, *_):
        assert self.process.poll() is None, "the attacker ended by itself"
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def cuts(server):
    found = probes.metrics(server.address)
    return sum(count for reason, count in found["tollgate_http2_goaways_total"].items() if reason != "drain")


def measure(server, seconds):
    before, cpu, began = cuts(server), server.cpu_us(), time.monotonic()
    report, _ = machine.run_json(
        ["taskset", "-c", str(OTHER_CPU), server.setup.tollgate, "bench", "load", "--address", server.address, "--key",
         server.key, "--tenants", "1", "--connections", str(CONNECTIONS), "--in-flight", "64", "--rate", str(RATE),
         "--seconds", str(seconds), "--json"], slack(seconds))
    lasted = time.monotonic() - began
    assert not report["errors"], report["first_error"]
    return {
        "p50": report["latency_us"]["p50"] / 1e3, "p99": report["latency_us"]["p99"] / 1e3,
        "cuts": (cuts(server) - before) / lasted, "cpu": (server.cpu_us() - cpu) / 1e6 / lasted,
        "rss": machine.memory_bytes(server.server.pid, "VmRSS") / (1 << 20), "rate": report["steps_per_second"],
    }


def table(rows):
    base = statistics.median(sample["p99"] for sample in rows[ALONE])
    lines = ["| beside | p50 ms | p99 ms | of alone | answered/s | cut off/s | server's CPU | RSS MB |",
             "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for name, samples in rows.items():
        def middle(field):
            return statistics.median(sample[field] for sample in samples)

        p99 = [sample["p99"] for sample in samples]
        lines.append(
            f"| {name} | {middle('p50'):.2f} | {middle('p99'):.2f} ({min(p99):.2f} to {max(p99):.2f}) | "
            f"{middle('p99') / base:.2f} | {middle('rate'):,.0f} | {middle('cuts'):,.0f} | {middle('cpu'):.0%} | "
            f"{max(sample['rss'] for sample in samples):.0f} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tollgate", default=ROOT / ".build/release/tollgate", help="the binary that is measured")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="how long each run measures")
    parser.add_argument("--only", default="", help="attacks whose name has this in it")
    parser.add_argument("--dir", default="/var/tmp", help="where the server works; it must be on a real disk")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "Bench/results/attacks.md")
    parser.add_argument("--attack", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attack:
        return attack(*options.attack)
    names = [name for name in [*FLOODS, *HELD] if options.only in name]
    rows = {ALONE: []}
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="tollgate-attacks-") as directory:
        setup = Setup(options.tollgate, "", directory)
        with Tollgate(setup, 2, wrapper=("taskset", "-c", str(SERVER_CPU))) as server:
            server.prepare()
            for number in range(options.rounds):
                print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
                for name in names:
                    rows[ALONE].append(measure(server, options.seconds))
                    with Attacker(name, server):
                        rows.setdefault(name, []).append(measure(server, options.seconds))
                    print(f"{name}: {rows[name][-1]}", file=sys.stderr, flush=True)
        about = machine.describe(directory)
    text = "\n".join([
        "# Attacks", "",
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}; {about['cpu']}, one core for the server and one for caller and "
        f"attacker, Linux {about['kernel']}, {about['file_system']}. Medians of {options.rounds} round(s) of {options.seconds} s "
        f"runs, the caller alone before each attack; p99 with the least and the most. The caller begins {RATE} steps a second "
        f"on {CONNECTIONS} connections.", "", table(rows), ""])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
