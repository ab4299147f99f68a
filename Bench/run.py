#!/usr/bin/env python3
"""`make bench`: Tollgate, its peers and the machine's limits, measured in turns. See README.md beside this file."""

import argparse
import dataclasses
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from harness import machine, plot, profile, report
from harness.plan import Plan, Run, say
from harness.sample import Results
from harness.systems import ROOT, Setup

FULL = Plan(
    rounds=5,
    seconds=60,
    short_seconds=10,
    peer_seconds=10,
    burst_seconds=10,
    sustained_seconds=60,
    warm_seconds=3,
    many_tenants=1_000,
    most_tenants=100_000,
    book_tenants=10_000,
    book_entries=100_000_000,
)
QUICK = Plan(
    rounds=1,
    seconds=2,
    short_seconds=1,
    peer_seconds=1,
    burst_seconds=1,
    sustained_seconds=2,
    warm_seconds=1,
    many_tenants=50,
    most_tenants=500,
    book_tenants=50,
    book_entries=50_000,
)
# One large book, one with 100,000 tenants, and what a round leaves until it ends.
FULL_DISK_GIB = 60
# For the estimate of the time alone.
BOOK_ENTRIES_PER_SECOND, TENANTS_PER_SECOND = 110_000, 200


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds each, to test the harness")
    parser.add_argument("--tollgate", default=ROOT / ".build/release/tollgate", help="the binary that is measured")
    parser.add_argument("--peers", default=ROOT / ".build/bench", help="where the peers were built")
    parser.add_argument("--out", default=ROOT / "Bench/results", help="where the results go")
    parser.add_argument("--dir", default="/var/tmp", help="where servers work; it must be on a real disk")
    parser.add_argument("--only", help="these turns alone, by comma: " + ", ".join(turn.name for turn in FULL.turns()))
    parser.add_argument(
        "--book", type=pathlib.Path, help="where the large book is: written once, and kept for later runs"
    )
    parser.add_argument("--no-profile", action="store_true", help="take no profile at the end")
    for field in dataclasses.fields(Plan):
        if field.type is int:
            parser.add_argument(
                "--" + field.name.replace("_", "-"), type=int, help=f"default {getattr(FULL, field.name)}"
            )
    return parser.parse_args()


def planned(options):
    plan = QUICK if options.quick else FULL
    given = {f.name: getattr(options, f.name) for f in dataclasses.fields(Plan) if f.type is int}
    return dataclasses.replace(plan, **{name: value for name, value in given.items() if value is not None})


def chosen(plan, only):
    turns = plan.turns()
    if not only:
        return turns
    wanted = only.split(",")
    unknown = set(wanted) - {turn.name for turn in turns}
    if unknown:
        sys.exit(f"no such turn: {', '.join(sorted(unknown))}")
    return [turn for turn in turns if turn.name in wanted]


def has_book(options):
    return options.book is not None and (options.book / "key").exists()


def announce(plan, turns, options):
    names = [turn.name for turn in turns]
    book = plan.book_entries / BOOK_ENTRIES_PER_SECOND if "book-full" in names and not has_book(options) else 0
    tenants = plan.most_tenants / TENANTS_PER_SECOND if "tollgate-most" in names else 0
    total = plan.rounds * sum(turn.seconds for turn in turns) + book + tenants
    say(f"{plan.rounds} round(s) of {len(turns)} turns: {', '.join(names)}.")
    say(
        f"About {total / 60:.0f} minutes, of which {(book + tenants) / 60:.0f} once, to write the large book and to "
        f"make {plan.most_tenants:,} tenants. Servers whose shards fall behind are waited for on top of that."
    )
    free = shutil.disk_usage(options.dir).free / 2**30
    if not options.quick and free < FULL_DISK_GIB:
        say(f"WARNING: {free:.0f} GiB are free in {options.dir}; the full form may need {FULL_DISK_GIB}.")
    if machine.file_system(options.dir) in ("tmpfs", "ramfs"):
        say(f"WARNING: {options.dir} is in memory: syncs cost nothing there, and no figure counts.")


def measure(setup, plan, turns, results):
    for number in range(plan.rounds):
        say(f"round {number + 1} of {plan.rounds}")
        # Each round begins elsewhere, so that nobody always follows the same neighbour.
        first = number * 5 % len(turns)
        for turn in turns[first:] + turns[:first]:
            turn.take(Run(setup, plan, results, is_last=number == plan.rounds - 1))


def commit():
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10"], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def write(out, results, plan, about):
    out.mkdir(parents=True, exist_ok=True)
    text = report.markdown(results, plan, about)
    (out / "table.md").write_text(text)
    (out / "results.json").write_text(report.as_json(results, plan, about))
    (out / "plot.svg").write_text(plot.svg(results, plan.tenants[:2]))
    return text


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, interrupted)
    options = arguments()
    plan = planned(options)
    turns = chosen(plan, options.only)
    out = pathlib.Path(options.out)
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    announce(plan, turns, options)
    results = Results()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-bench-", dir=options.dir))
    # PostgreSQL runs as another user, who must come through.
    directory.chmod(0o755)
    about = {
        "began": report.now(),
        "commit": commit(),
        "is_quick": options.quick,
        "machine": machine.describe(directory),
        "plan": dataclasses.asdict(plan),
        "turns": [turn.name for turn in turns],
    }
    setup = Setup(options.tollgate, options.peers, directory, options.book)
    began, was_interrupted = time.monotonic(), False
    try:
        measure(setup, plan, turns, results)
        out.mkdir(parents=True, exist_ok=True)
        if not options.no_profile:
            profile.take(setup, plan, results, out)
    except KeyboardInterrupt:
        was_interrupted = True
        say("interrupted; what was measured so far follows")
    finally:
        about["minutes"] = round((time.monotonic() - began) / 60, 1)
        machine.remove(directory)
        text = write(out, results, plan, about)
    say("\n" + text)
    say(f"{about['minutes']} minutes; {out}/table.md, results.json, plot.svg")
    if was_interrupted:
        sys.exit(130)


if __name__ == "__main__":
    main()
