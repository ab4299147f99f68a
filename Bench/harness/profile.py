"""Where the server's time goes: perf's samples by thread, and callgrind's instructions per step."""

import re
import shutil
import signal
import subprocess
import time

from . import machine
from .machine import Failed
from .plan import SHAPES, say, warm
from .sample import all_steps
from .systems import Setup, Tollgate

PERF_HZ = 999
TOP_SYMBOLS = 60
CALLGRIND_SHAPE = (8, 8)


def demangled(text):
    """Swift's names as people read them, where the tool chain is there."""
    if not shutil.which("swift-demangle") and not shutil.which("swift"):
        return text
    command = ["swift-demangle"] if shutil.which("swift-demangle") else ["swift", "demangle"]
    done = subprocess.run([*command, "--simplified"], input=text, capture_output=True, text=True, timeout=120)
    return done.stdout if done.returncode == 0 else text


def take(setup, plan, results, out):
    """Both profiles; what is not there is said, and stops nothing."""
    for name, work in (("profile", perf), ("callgrind", callgrind)):
        say(f"  {name}")
        try:
            results.notes[name] = work(setup, plan, out)
        except (Failed, OSError, subprocess.SubprocessError) as failure:
            results.notes[name] = f"{name} was not taken: {failure}"
        say(f"    {results.notes[name]}")


def perf(setup, plan, out):
    """`perf record` of the whole server during one run of 8 × 64."""
    if not shutil.which("perf"):
        raise Failed("perf is not installed (Debian's linux-perf)")
    samples = setup.directory / "perf.data"
    with Tollgate(setup, plan.tenants[0], "-perf") as server:
        server.prepare()
        warm(server, plan.warm_seconds, "steps", *SHAPES["8x64"])
        log = setup.directory / "perf.log"
        with open(log, "wb") as errors:
            recorder = subprocess.Popen(
                [
                    "perf",
                    "record",
                    "-F",
                    str(PERF_HZ),
                    "-g",
                    "-e",
                    "cpu-clock",
                    "-p",
                    str(server.server.pid),
                    "-o",
                    str(samples),
                ],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                preexec_fn=machine.die_with_parent,
            )
        try:
            time.sleep(0.5)
            report, _ = server.load("steps", *SHAPES["8x64"], plan.short_seconds)
        finally:
            recorder.send_signal(signal.SIGINT)
            recorder.wait(60)
        if not samples.exists() or samples.stat().st_size == 0:
            raise Failed(f"perf recorded nothing: {log.read_text().strip()[-200:]}")
        text = reports(samples)
    samples.unlink()
    head = (
        f"perf record -F {PERF_HZ} -g -e cpu-clock of `tollgate serve` under 8 × 64 steps of 1 tenant, "
        f"{report['steps_per_second']:,.0f} steps/s. Self time in percent of all "
        f"samples, the top {TOP_SYMBOLS} of each thread.\n\n"
    )
    (out / "profile.txt").write_text(head + demangled(text))
    return "A profile by thread is in `profile.txt`."


def reports(samples):
    """The shares of the threads, then each thread's own list."""
    base = ["perf", "report", "-i", str(samples), "--stdio", "--no-children", "-g", "none"]

    def shown(*more):
        text, _ = machine.run([*base, *more], 300)
        # Behind each symbol perf pads to the widest and prints two empty columns.
        return [
            re.sub(r"\s+-\s+-$", "", line.rstrip())
            for line in text.splitlines()
            if line.strip() and not line.startswith("#")
        ]

    threads = shown("--sort", "comm")
    parts = ["Threads", *threads]
    for line in threads:
        share, _, name = line.strip().partition("%")
        name = name.strip()
        if float(share) < 0.5:
            continue
        parts += ["", f"{name}: {share} % of all samples", *shown("--sort", "symbol", "--comms", name)[:TOP_SYMBOLS]]
    return "\n".join(parts) + "\n"


def callgrind(setup, plan, out):
    """Instructions per step, counted over a few thousand steps under valgrind."""
    if not shutil.which("valgrind"):
        raise Failed("valgrind is not installed")
    counts = setup.directory / "callgrind.out"
    # Valgrind gives up on some of what the compiler writes for debuggers; names of functions stay.
    plain = setup.directory / "tollgate-without-debug"
    machine.run(["strip", "--strip-debug", "-o", str(plain), setup.tollgate], 60)
    wrapper = [
        "valgrind",
        "--tool=callgrind",
        "--instr-atstart=no",
        "--fair-sched=yes",
        f"--callgrind-out-file={counts}",
    ]
    bare = Setup(plain, setup.peers, setup.directory)
    with Tollgate(bare, 1, "-callgrind", wrapper=wrapper) as server:
        server.prepare()
        server.load("steps", *CALLGRIND_SHAPE, 1)
        machine.settle(server.server.pid)
        machine.run(["callgrind_control", "-i", "on", str(server.server.pid)], 60)
        report, _ = server.load("steps", *CALLGRIND_SHAPE, 5)
        machine.settle(server.server.pid)
        machine.run(["callgrind_control", "-i", "off", str(server.server.pid)], 60)
    text, _ = machine.run(["callgrind_annotate", "--auto=no", "--threshold=90", str(counts)], 300)
    total = re.search(r"^\s*([\d,]+).*PROGRAM TOTALS", text, re.MULTILINE)
    if not total:
        raise Failed("callgrind counted nothing")
    steps = all_steps(report)
    per_step = int(total[1].replace(",", "")) / steps
    head = f"{per_step:,.0f} instructions per step, over {steps:,} steps of 8 × 8 callers, all threads.\n\n"
    (out / "callgrind.txt").write_text(head + demangled(text))
    return (
        f"{per_step:,.0f} instructions of user code per step (callgrind, {steps:,} steps at 8 × 8, flushes "
        "included); by function in `callgrind.txt`."
    )
