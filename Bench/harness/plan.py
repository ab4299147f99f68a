"""What is measured, in turns: each turn starts servers, fills cells of the results, and leaves nothing behind."""

import dataclasses
import pathlib
import time
import traceback

from . import limits, machine
from .machine import Failed
from .peers import GRPC, Postgres, Redis
from .systems import JOURNAL, Tollgate

# (connections, calls in flight on each)
SHAPES = {"8x64": (8, 64), "8x8": (8, 8), "64x1": (64, 1), "8x1": (8, 1), "1x1": (1, 1)}
GOAL_SHAPES = ("8x64", "8x8", "64x1")
BATCH_SHAPE, METER_SHAPE = (4, 2), (8, 512)
# A little above the goal of 200,000, so that a load that is kept up with reads as more than it.
SUSTAINED_RATE = 205_000


BOOK_WARM_SECONDS = 10


@dataclasses.dataclass
class Plan:
    """How long and how large."""

    rounds: int
    seconds: int  # durable steps, at the shapes that have a goal
    short_seconds: int  # everything else
    peer_seconds: int
    burst_seconds: int  # Batch and Meter, the journal ahead of the shards
    sustained_seconds: int
    warm_seconds: int
    many_tenants: int
    most_tenants: int
    book_tenants: int
    book_entries: int

    @property
    def tenants(self):
        return 1, self.many_tenants, self.most_tenants

    def turns(self):
        one, many, most = self.tenants
        short, warm, long = self.short_seconds, self.warm_seconds, len(GOAL_SHAPES) * self.seconds
        peer = self.peer_seconds
        stream = warm + self.burst_seconds + self.sustained_seconds + 15
        turns = [
            Turn("echo", "echo", 5 * short + 2, echo_turn),
            Turn("nghttpd", "nghttpd", 2 * short + 2, nghttpd_turn),
            Turn("sync", "fdatasync/1/4096", short, sync_turn),
            Turn("ledger", "ledger", 5, ledger_turn),
        ]
        for name, tenants in (("one", one), ("many", many)):
            more = (4 if tenants == one else 2) * short
            turns += [
                Turn(f"tollgate-{name}", f"tollgate/{tenants}", warm + long + more + 15, tollgate_turn, tenants),
                Turn(f"postgres-{name}", f"postgres/{tenants}", warm + 3 * peer + 6, postgres_turn, tenants),
                Turn(f"redis-{name}", f"redis/{tenants}", warm + 5 * peer + 5, redis_turn, tenants),
                Turn(f"grpc-{name}", f"grpc/{tenants}", warm + 5 * peer + 5, grpc_turn, tenants),
            ]
        return turns + [
            Turn("tollgate-most", f"tollgate/{most}", warm + long + 60, tollgate_turn, most),
            Turn("batch", "batch", stream, stream_turn, "batch", BATCH_SHAPE, "--batch-size", "1000"),
            Turn("meter", "meter", stream, stream_turn, "meter", METER_SHAPE),
            Turn("book-full", "book/full", warm + 2 * short + 15, book_turn, "full"),
            Turn("book-empty", "book/empty", warm + 2 * short + 15, book_turn, "empty"),
        ]


class Turn:
    """A part of a round: its name, the cell that fails where it cannot even begin, and about how long it takes."""

    def __init__(self, name, cell, seconds, work, *arguments):
        self.name, self.cell, self.seconds, self.work, self.arguments = name, cell, seconds, work, arguments

    def take(self, run):
        """Measures; a failure is noted, and the next turn goes on."""
        say(f"  {self.name}")
        try:
            self.work(run, *self.arguments)
        except Exception as failure:
            run.failed(self.cell, failure)


class Run:
    """One round's access to the results: measures into a cell, and notes a failure instead of passing it on."""

    def __init__(self, setup, plan, results, is_last):
        self.setup, self.plan, self.results, self.is_last = setup, plan, results, is_last

    def into(self, cell, measure):
        """The sample, or None where it failed."""
        began = time.monotonic()
        try:
            sample = measure()
        except Exception as failure:
            self.failed(cell, failure)
            return None
        self.results.add(cell, sample)
        rate = f"{sample['steps_per_second']:>11,.0f}/s" if "steps_per_second" in sample else " " * 13
        p99 = f"p99 {sample['p99_us'] / 1_000:8.2f} ms" if sample.get("p99_us") else ""
        cpu = f"server {sample['server_cpu_us']:7.2f} µs" if "server_cpu_us" in sample else ""
        wrong = f"  {sample['errors']} ERRORS: {sample['first_error']}" if sample.get("errors") else ""
        say(f"    {cell:<34} {rate}  {p99}  {cpu}  ({time.monotonic() - began:.0f} s){wrong}")
        return sample

    def failed(self, cell, failure):
        """Whatever went wrong stands in the table; a fault of the harness does so with its kind and place."""
        reason = str(failure)
        if not isinstance(failure, Failed):
            place = traceback.extract_tb(failure.__traceback__)[-1]
            reason = f"{type(failure).__name__}: {failure} ({pathlib.Path(place.filename).name}:{place.lineno})"
        self.results.fail(cell, reason)
        say(f"    {cell:<34} failed: {reason}")


def say(text):
    print(text, flush=True)


def warm(system, seconds, *shape_and_more):
    """A run whose figures are dropped: connections, caches and loaded books as they will be."""
    system.load(*shape_and_more, seconds)
    machine.settle(system.server.pid)


def echo_turn(run):
    with limits.Echo(run.setup) as echo:
        for shape in ("8x64", "8x8", "8x1", "1x1"):
            run.into(f"echo/1/{shape}", lambda: echo.calls(SHAPES[shape], run.plan.short_seconds))
        run.into("h2load-echo/1/8x64", lambda: echo.h2load(SHAPES["8x64"], run.plan.short_seconds))


def nghttpd_turn(run):
    with limits.Nghttpd(run.setup) as nghttpd:
        for shape in ("8x64", "1x1"):
            run.into(f"nghttpd/1/{shape}", lambda: nghttpd.calls(SHAPES[shape], run.plan.short_seconds))


def sync_turn(run):
    run.into("fdatasync/1/4096", lambda: limits.sync(run.setup, run.plan.short_seconds))


def ledger_turn(run):
    run.into("ledger", lambda: limits.governed(run.setup))


def tollgate_turn(run, tenants):
    plan = run.plan
    one, _, most = plan.tenants
    # Making so many tenants takes long, so their directory is kept from round to round; it grows by little for each.
    with Tollgate(run.setup, tenants, f"-{tenants}", keeps=tenants == most) as server:
        server.prepare()
        warm(server, plan.warm_seconds, "steps", *SHAPES["8x64"])
        bytes_before = server.shard_bytes()
        samples = [
            run.into(f"tollgate/{tenants}/{shape}", lambda: server.steps(SHAPES[shape], plan.seconds))
            for shape in GOAL_SHAPES
        ]
        if any(samples):
            run.into(f"disk/{tenants}", lambda: disk_sample(server, bytes_before, samples))
        if tenants != most:
            for shape in ("8x1", "1x1"):
                run.into(f"tollgate/{tenants}/{shape}", lambda: server.steps(SHAPES[shape], plan.short_seconds))
        if tenants == one:
            run.into("balance/1/8x64", lambda: server.run("balance", *SHAPES["8x64"], plan.short_seconds))
            best = max((sample["steps_per_second"] for sample in samples if sample), default=0)
            rate = str(max(1, int(best / 2)))
            run.into("half/1/8x64", lambda: server.steps(SHAPES["8x64"], plan.short_seconds, "--rate", rate))
            if run.is_last:
                run.results.notes["proof"] = server.proved()


def disk_sample(server, bytes_before, samples):
    """What the runs so far left on the disk; the server is idle and has written all that it had to."""
    pairs = sum(sample["steps"] for sample in samples if sample) / 2
    return {
        "bytes_per_pair": (server.shard_bytes() - bytes_before) / pairs,
        "journal_bytes": server.journal_bytes(),
        "pairs": pairs,
        "memory_bytes": machine.memory_bytes(server.server.pid, "VmHWM"),
    }


def stream_turn(run, work, shape, *more):
    """Batch or Meter: a burst that the shards may fall behind, then a pace that they must keep."""
    plan = run.plan
    with Tollgate(run.setup, plan.tenants[0], f"-{work}") as server:
        server.prepare()
        warm(server, plan.warm_seconds, work, *shape)
        run.into(f"{work}/1/burst", lambda: server.run(work, *shape, plan.burst_seconds, *more))
        run.into(
            f"{work}/1/sustained",
            lambda: server.run(work, *shape, plan.sustained_seconds, "--rate", str(SUSTAINED_RATE), *more),
        )


def book_turn(run, kind):
    """The large book, or one as empty as can be with as many tenants. Both stay from round to round."""
    plan = run.plan
    system = Tollgate(run.setup, plan.book_tenants, f"-book-{kind}", keeps=True)
    if kind == "full":
        system.directory = run.setup.book or system.directory
        make_book(run, system.directory)
    with system as server:
        begin = {
            "start_seconds": server.server.start_seconds,
            "start_memory_bytes": machine.memory_bytes(server.server.pid, "VmRSS"),
        }
        if kind == "empty":
            server.prepare()
        # Long enough to load each of the books once.
        warm(server, max(plan.warm_seconds, BOOK_WARM_SECONDS), "steps", *SHAPES["8x64"])
        sample = run.into(f"book/{kind}/8x64", lambda: server.steps(SHAPES["8x64"], 2 * plan.short_seconds))
        if sample:
            sample.update(
                begin,
                most_memory_bytes=machine.memory_bytes(server.server.pid, "VmHWM"),
                shard_bytes=server.shard_bytes(),
            )


def make_book(run, directory):
    """Writes the large book once; the rounds then share it."""
    if (directory / "key").exists():
        return
    machine.remove(directory)
    directory.mkdir(parents=True)
    plan = run.plan
    say(f"    writing a book of {plan.book_entries:,} entries over {plan.book_tenants:,} tenants …")
    began = time.monotonic()
    report, cpu = machine.run_json(
        [
            run.setup.tollgate,
            "bench",
            "book",
            str(directory / "data"),
            "--tenants",
            str(plan.book_tenants),
            "--entries",
            str(plan.book_entries),
            "--json",
        ],
        7_200,
        allowed=(0,),
    )
    (directory / "key").write_text(report["key"])
    run.results.notes["book"] = {
        "seconds_to_write": time.monotonic() - began,
        "entries": plan.book_entries,
        "tenants": plan.book_tenants,
        "cpu_us_per_entry": cpu / plan.book_entries,
        "shard_bytes": machine.disk_bytes(directory / "data", without=(JOURNAL,)),
    }


def peer_turn(run, system, shapes):
    with system:
        system.steps(SHAPES[shapes[0]], run.plan.warm_seconds)
        for shape in shapes:
            run.into(
                f"{system.name}/{system.tenants}/{shape}", lambda: system.steps(SHAPES[shape], run.plan.peer_seconds)
            )


def postgres_turn(run, tenants):
    peer_turn(run, Postgres(run.setup, tenants), ("8x1", "64x1", "1x1"))


def redis_turn(run, tenants):
    peer_turn(run, Redis(run.setup, tenants), ("64x1", "8x64", "8x8", "8x1", "1x1"))


def grpc_turn(run, tenants):
    peer_turn(run, GRPC(run.setup, tenants), ("64x1", "8x64", "8x8", "8x1", "1x1"))
