"""The results as Markdown, for people, and as JSON, for programs."""

import datetime
import json

from . import goals
from .plan import SHAPES

SYSTEMS = {
    "tollgate": "Tollgate",
    "postgres": "PostgreSQL 15, PL/pgSQL",
    "redis": "Redis 7, Lua, AOF always",
    "grpc": "gRPC C++, SQLite",
    "echo": "bare echo (our HTTP/2)",
    "h2load-echo": "bare echo under h2load",
    "nghttpd": "nghttpd under h2load",
    "balance": "Tollgate, GetBalance",
    "half": "Tollgate at half its best",
    "batch": "Tollgate, Batch",
    "meter": "Tollgate, Meter",
    "book": "Tollgate, book",
}
VERDICTS = {True: "met", False: "**not met**", None: "—"}


def markdown(results, plan, about):
    """The whole report."""
    machine = about["machine"]
    parts = [
        "# Benchmark",
        "",
        f"{about['began']}, commit {about['commit']}; {machine['cores']} cores of {machine['cpu']} shared by server "
        f"and load generator, Linux {machine['kernel']}, {machine['file_system']}. Medians of {plan.rounds} "
        f"round{'s' if plan.rounds > 1 else ''} taken in turns, with the least and the most in parentheses. "
        f"Shapes are connections × calls in flight on each; {plan.seconds} s a run at the shapes with goals, "
        f"{plan.peer_seconds} s for peers, {plan.short_seconds} s for the rest.",
    ]
    if about["is_quick"]:
        parts += ["", "**A short run that only tests the harness: its figures mean nothing.**"]
    parts += ["", "## Goals", "", "| figure | goal | measured | |", "|---|---|---|---|"]
    parts += [
        f"| {cell(r.figure)} | {cell(r.goal)} | {cell(r.measured)} | {VERDICTS[r.met]} |"
        for r in goals.lines(results, plan)
    ]
    parts += ["", "## All systems", ""] + table(results)
    parts += ["", "## Server CPU by thread, µs per step", ""] + threads(results)
    parts += ["", "## Limits", ""] + limit_lines(results)
    parts += failures(results)
    return "\n".join(parts) + "\n"


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def order(name):
    system, *rest = name.split("/")
    tenants = int(rest[0]) if rest and rest[0].isdigit() else 0
    shape = rest[-1] if rest else ""
    rank = list(SHAPES).index(shape) if shape in SHAPES else len(SHAPES)
    systems = list(SYSTEMS)
    return systems.index(system) if system in systems else len(systems), tenants, rank, name


def table(results):
    rows = [
        "| system | tenants | in flight | steps/s | p50 ms | p99 ms | server µs/step | client µs/step "
        "| caught up after s | stolen % |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in sorted(set(results.samples) | set(results.failures), key=order):
        system, *rest = name.split("/")
        if system not in SYSTEMS or (name in results.samples and results.median(name) is None):
            continue
        shape = " ".join(part.replace("x", " × ") if part in SHAPES else part for part in rest[1:])
        first = rest[0] if rest else ""
        tenants = f"{int(first):,}" if first.isdigit() else first
        if name not in results.samples:
            rows.append(f"| {SYSTEMS[system]} | {tenants} | {shape} | failed: {cell(results.reason(name))} | | | | | | |")
            continue
        latency = [ranged(results, name, field, 1_000, ".2f") for field in ("p50_us", "p99_us")]
        cpu = [ranged(results, name, field, 1, ".2f") for field in ("server_cpu_us", "client_cpu_us")]
        wrong = f" ({results.errors(name):,.0f} errors)" if results.errors(name) else ""
        rate = ranged(results, name, "steps_per_second", 1, ",.0f")
        rows.append(
            f"| {SYSTEMS[system]} | {tenants} | {shape} | {rate}{wrong} | "
            + " | ".join(latency + cpu)
            + f" | {ranged(results, name, 'catch_up_seconds', 1, '.1f')}"
            + f" | {ranged(results, name, 'stolen_percent', 1, '.1f')} |"
        )
    return rows


def ranged(results, name, field, by, form):
    value = results.median(name, field)
    if value is None:
        return ""
    low, high = results.spread(name, field)
    middle = format(value / by, form)
    return middle if low == high else f"{middle} ({format(low / by, form)} to {format(high / by, form)})"


def threads(results):
    """CPU by thread, for our own server at the shapes with goals."""
    cells = [
        name
        for name in sorted(results.samples, key=order)
        if name.split("/")[0] in ("tollgate", "balance", "batch", "meter") and results.values(name, "threads")
    ]
    totals = {}
    for name in cells:
        for sample in results.values(name, "threads"):
            for thread, spent in sample.items():
                totals[thread] = max(totals.get(thread, 0.0), spent)
    shown = [thread for thread in sorted(totals, key=totals.get, reverse=True) if totals[thread] >= 0.01]
    if not shown:
        return ["Not measured."]
    rows = ["| run | " + " | ".join(shown) + " |", "|---|" + "---:|" * len(shown)]
    for name in cells:
        samples = results.values(name, "threads")
        middle = [sorted(s.get(thread, 0.0) for s in samples)[len(samples) // 2] for thread in shown]
        rows.append(f"| {name} | " + " | ".join(f"{spent:.2f}" for spent in middle) + " |")
    return rows


def limit_lines(results):
    rows = []
    sync = "fdatasync/1/4096"
    if results.median(sync, "p50_us") is not None:
        rows.append(
            f"- Overwriting 4 KiB in place with `fdatasync`: p50 {results.median(sync, 'p50_us'):.0f} µs, p99 "
            f"{results.median(sync, 'p99_us'):.0f} µs."
        )
    ours, theirs = (results.median(c, "client_cpu_us") for c in ("echo/1/8x64", "h2load-echo/1/8x64"))
    if ours is not None and theirs is not None:
        rows.append(
            f"- Load generator's CPU per call of the bare echo at 8 × 64: ours {ours:.2f} µs, h2load {theirs:.2f} µs. "
            f"Ours checks each body; it is {'at least as light' if ours <= theirs else 'heavier'}."
        )
    book = results.notes.get("book")
    if book:
        rows.append(
            f"- The book of {book['entries']:,} entries took {book['seconds_to_write']:.0f} s to write and "
            f"{book['shard_bytes'] / 2**30:.2f} GiB."
        )
    for name in sorted(results.samples):
        if name.startswith("disk/"):
            tenants = "1 tenant" if name == "disk/1" else f"{int(name[5:]):,} tenants"
            journal, memory = (results.median(name, field) / 2**20 for field in ("journal_bytes", "memory_bytes"))
            rows.append(
                f"- Disk, {tenants}: {results.median(name, 'bytes_per_pair'):,.0f} bytes a pair in the books, journal "
                f"{journal:,.0f} MiB; the server's memory was {memory:,.0f} MiB at most."
            )
    for profile in ("proof", "profile", "callgrind"):
        if results.notes.get(profile):
            rows.append(f"- {results.notes[profile]}")
    return rows or ["Not measured."]


def failures(results):
    if not results.failures:
        return []
    return ["", "## What failed", ""] + [
        f"- {name}: {cell('; '.join(reasons))}" for name, reasons in results.failures.items()
    ]


def as_json(results, plan, about):
    rows = [
        {"figure": r.figure, "goal": r.goal, "measured": r.measured, "met": r.met} for r in goals.lines(results, plan)
    ]
    return json.dumps({"about": about, "goals": rows, **results.json()}, indent=1, ensure_ascii=False) + "\n"


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
