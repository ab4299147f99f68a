#!/usr/bin/env python3
"""`make bench-overload`: what is left of the server's speed, and of one tenant's, when there is more load than it takes.

The server has one CPU and the load generator another, so that the load can be more than the server takes. Capacity is the
best of several closed loops. In open loops calls begin at a multiple of that, whatever becomes of those before: goodput is
what was answered with OK within the deadline, late what was answered after it or given up by the server because of it,
refused what the server turned away with UNAVAILABLE, unsent what found no stream that the server would let it open. Last, a modest tenant alone and beside one that floods. See README.md beside this file."""

import argparse
import itertools
import pathlib
import statistics
import sys
import tempfile
import time

from harness import machine
from harness.systems import ROOT, Setup, Tollgate, slack

SERVER_CPU, LOAD_CPU = 0, 1
CLOSED = ((8, 16), (8, 64), (8, 256), (32, 16))
OPEN_CONNECTIONS, OPEN_IN_FLIGHT = 32, 1_000
RATES = (0.5, 1.0, 1.5, 2.0, 3.0)
# Three times the callers of the largest closed loop.
CROWDS = ((24, 256),)
DEADLINE_MS = 500
MODEST_RATE = 200
# The rows whose goodput is compared with the best closed loop's.
COMPARED = ("closed loop", "open loop", "callers that")
FLOOD_OTHER, FLOOD_SAME = (8, 1_000), (1, 900)


class Server(Tollgate):
    """The server on a CPU of its own, and its load on another."""

    def load(self, connections, in_flight, seconds, *options):
        command = [
            "taskset", "-c", str(LOAD_CPU), self.setup.tollgate, "bench", "load", "--address", self.address, "--key",
            self.key, "--tenants", "1", "--connections", str(connections), "--in-flight", str(in_flight), "--seconds",
            str(seconds), "--json", *options]
        before, threads = self.cpu_us(), machine.thread_cpu_us(self.server.pid)
        report, _ = machine.run_json(command, slack(seconds))
        loop = sum(cpu - threads.get(name, 0) for name, cpu in machine.thread_cpu_us(self.server.pid).items()
                   if name.startswith("rpc-"))
        report["server_us"] = (self.cpu_us() - before) / max(1, report["steps_in_all"])
        report["loop_us"] = loop / max(1, report["steps_in_all"])
        machine.settle(self.server.pid)
        return report


def measure(server, seconds, rows, capacity_given):
    """One round: every row once, closed and open loops in turns, as a machine may change within minutes."""

    def note(name, report, **more):
        within = report.get("modest") or report
        rows.setdefault(name, []).append({
            "rate": report["steps_per_second"], "p50": within["latency_us"]["p50"] / 1e3,
            "p99": within["latency_us"]["p99"] / 1e3, "refused": report.get("refused", 0) / report["seconds"],
            "late": report.get("late", 0) / report["seconds"], "unsent": report.get("unsent", 0) / report["seconds"],
            "errors": report["errors"], "first_error": report.get("first_error"), "server_us": report["server_us"],
            "loop_us": report["loop_us"], "modest_refused": (report.get("modest") or {}).get("refused", 0), **more})
        say(f"{name}: {rows[name][-1]}")

    def closed_loop(shape):
        note(f"closed loop {shape[0]} x {shape[1]}", server.load(*shape, seconds))

    def open_loop(factor):
        rate = int(factor * (capacity_given or best(rows)))
        report = server.load(OPEN_CONNECTIONS, OPEN_IN_FLIGHT, seconds, *deadline, "--rate", str(rate))
        note(f"open loop, {factor:g} x capacity", report, offered=rate)

    deadline = ("--deadline-ms", str(DEADLINE_MS))
    for shape, factor in itertools.zip_longest(CLOSED, RATES):
        if shape:
            closed_loop(shape)
        if factor:
            open_loop(factor)
    for shape in CROWDS:
        note(f"callers that never wait, {shape[0]} x {shape[1]}", server.load(*shape, seconds, *deadline))
    modest = ("--modest-rate", str(MODEST_RATE))
    note("modest tenant alone", server.load(1, 64, seconds, "--rate", str(MODEST_RATE)))
    note("beside a flood on other connections",
         server.load(*FLOOD_OTHER, seconds, *deadline, *modest, "--modest-connection"))
    note("beside a flood on its own connection", server.load(*FLOOD_SAME, seconds, *deadline, *modest))


def best(rows):
    """Capacity: the best closed loop's median."""
    return max(
        statistics.median(sample["rate"] for sample in samples)
        for name, samples in rows.items() if name.startswith("closed loop"))


def table(rows):
    lines = ["| load | goodput/s | of the best | p50 ms | p99 ms | refused/s | late/s | unsent/s | server µs/step | loop µs/step |",
             "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    capacity = best(rows)
    for name, samples in sorted(rows.items(), key=lambda row: not row[0].startswith("closed loop")):
        part = statistics.median(sample["rate"] for sample in samples) / capacity

        def middle(field, form="{:,.0f}"):
            values = [sample[field] for sample in samples if field in sample]
            if not values:
                return ""
            text = form.format(statistics.median(values))
            return text if len(values) == 1 else f"{text} ({form.format(min(values))} to {form.format(max(values))})"

        lines.append(
            f"| {name} | {middle('rate')} | {f'{part:.0%}' if name.startswith(COMPARED) else ''} | {middle('p50', '{:.2f}')} | "
            f"{middle('p99', '{:.2f}')} | {middle('refused')} | {middle('late')} | {middle('unsent')} | "
            f"{middle('server_us', '{:.1f}')} | {middle('loop_us', '{:.1f}')} |")
    return "\n".join(lines)


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tollgate", default=ROOT / ".build/release/tollgate", help="the binary that is measured")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10, help="how long each run measures")
    parser.add_argument("--capacity", type=float, help="steps/s to take as capacity, instead of measuring it")
    parser.add_argument("--dir", default="/var/tmp", help="where the server works; it must be on a real disk")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "Bench/results/overload.md")
    options = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="tollgate-overload-") as directory:
        setup = Setup(options.tollgate, "", directory)
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds}")
            with Server(setup, 2, f"-{number}", wrapper=("taskset", "-c", str(SERVER_CPU))) as server:
                server.prepare()
                measure(server, options.seconds, rows, options.capacity)
        about = machine.describe(directory)
    wrong = [sample["first_error"] for samples in rows.values() for sample in samples if sample["errors"]]
    text = "\n".join([
        "# Overload", "",
        f"{time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}; {about['cpu']}, one core for the server and one for the load, "
        f"Linux {about['kernel']}, {about['file_system']}. Medians of {options.rounds} round(s) of {options.seconds} s runs, with "
        f"the least and the most. Open loops: {OPEN_CONNECTIONS} connections, at most {OPEN_IN_FLIGHT:,} in flight on each; "
        f"callers wait {DEADLINE_MS} ms. The modest tenant begins {MODEST_RATE} steps a second; its rows show its own latencies, "
        f"the flood is {FLOOD_OTHER[0]} x {FLOOD_OTHER[1]:,} on other connections, {FLOOD_SAME[0]} x {FLOOD_SAME[1]} on its own.",
        "", table(rows), ""])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(text)
    print(text)
    if wrong:
        sys.exit(f"wrong answers: {wrong[0]}")


if __name__ == "__main__":
    main()
