"""The goals, each with what was measured and whether it is met."""

import dataclasses

from .plan import GOAL_SHAPES

GOAL_STEPS = {"8x64": 120_000, "8x8": 80_000, "64x1": 40_000}
GOAL_POSTGRES_TIMES = {"8x64": 30, "8x8": 20, "64x1": 20}
GOAL_REDIS_TIMES = 1.8
GOAL_SHARES = {"many": 0.8, "most": 0.5}
GOAL_BURST, GOAL_SUSTAINED = 600_000, 200_000
GOAL_ALONE_TIMES, GOAL_TAIL_TIMES = 1.3, 3.0
GOAL_HALF_P99_US = 3_000
GOAL_CPU_TIMES = 4.0
GOAL_BALANCE_SHARE = 0.6
GOAL_START_SECONDS, GOAL_MEMORY_MIB = 2.0, 512
GOAL_BOOK_SHARE = 0.10
GOAL_GOVERNED_TIMES = 2
GOAL_PAIR_BYTES = 250
# The shards keep up where what is left after the last answer is done within this share of the run, or so many seconds.
KEEPS_UP_SHARE, KEEPS_UP_SECONDS = 0.05, 2.0


@dataclasses.dataclass
class Line:
    """A row of the table. `met` is None where it could not be measured."""

    figure: str
    goal: str
    measured: str
    met: bool | None


def count(value):
    return f"{value:,.0f}"


def lines(results, plan):
    """All rows, in the order of the goals."""
    one, many, most = plan.tenants
    rows = []
    for shape in GOAL_SHAPES:
        rows += steps_lines(results, one, shape)
    rows += [redis_line(results, one)]
    for name, tenants in (("many", many), ("most", most)):
        for shape in GOAL_SHAPES:
            rows += share_lines(results, one, tenants, shape, GOAL_SHARES[name])
    rows += stream_lines(results, plan)
    rows += alone_lines(results, one)
    rows += [
        at_most(
            results,
            "p99 at half the best throughput",
            "half/1/8x64",
            "p99_us",
            GOAL_HALF_P99_US,
            milliseconds,
            note=lambda: f"at {count(results.median('half/1/8x64'))} steps/s; "
            f"the host kept {results.median('half/1/8x64', 'stolen_percent') or 0:.1f}% of the processors from it",
        ),
        cpu_line(results, one),
        balance_line(results),
    ]
    rows.append(
        at_most(
            results,
            "a reserve with 10,000 grants, 10,000 holds and 50 limits, × one in a new book",
            "ledger",
            "ratio",
            GOAL_GOVERNED_TIMES,
            lambda v: f"{v:.2f} ×",
        )
    )
    rows += book_lines(results, plan)
    rows.append(
        at_most(
            results,
            "bytes on disk per reserve–commit pair, settled",
            f"disk/{one}",
            "bytes_per_pair",
            GOAL_PAIR_BYTES,
            lambda v: f"{v:,.0f}",
        )
    )
    return rows


def milliseconds(us):
    return f"{us / 1_000:.2f} ms"


def microseconds(us):
    return f"{us:,.0f} µs"


def missing(results, figure, goal, *cells):
    reason = "; ".join(dict.fromkeys(results.reason(cell) for cell in cells if results.reason(cell)))
    return Line(figure, goal, f"failed: {reason}" if reason else "not measured", None)


def spread(results, cell, field, form):
    low, high = results.spread(cell, field)
    middle = form(results.median(cell, field))
    return middle if low == high else f"{middle} ({form(low)} to {form(high)})"


def flawless(results, cell):
    return results.errors(cell) == 0


def wrong(results, cell):
    return "" if flawless(results, cell) else f"; {count(results.errors(cell))} errors: {results.reason(cell)}"


def keeps_up(results, cell):
    """Whether the shards had little left to do when the load ended, and that in words."""
    behind, seconds = results.median(cell, "catch_up_seconds"), results.median(cell, "seconds")
    return behind <= max(KEEPS_UP_SECONDS, KEEPS_UP_SHARE * seconds), f"; caught up {behind:.1f} s after"


def steps_lines(results, tenants, shape):
    cell, goal = f"tollgate/{tenants}/{shape}", GOAL_STEPS[shape]
    figure = f"durable unary steps/s, {count(tenants)} tenant, {shape.replace('x', ' × ')}"
    times = GOAL_POSTGRES_TIMES[shape]
    _, postgres = results.best(f"postgres/{tenants}/")
    value = results.median(cell)
    if value is None:
        return [missing(results, figure, f"≥ {count(goal)}", cell)]
    kept, words = keeps_up(results, cell)
    rows = [
        Line(
            figure,
            f"≥ {count(goal)}, shards keeping up",
            spread(results, cell, "steps_per_second", count) + words + wrong(results, cell),
            value >= goal and kept and flawless(results, cell),
        )
    ]
    if postgres is None:
        rows.append(
            missing(
                results, "… against PostgreSQL's best", f"≥ {times} ×", f"postgres/{tenants}", f"postgres/{tenants}/8x1"
            )
        )
    else:
        rows.append(postgres_line("… against PostgreSQL's best", value, postgres, times))
        # PostgreSQL does best over few connections, which a fleet of callers does not have.
        connections = shape.split("x")[0]
        same = results.median(f"postgres/{tenants}/{connections}x1")
        if same is not None:
            rows.append(postgres_line("… against PostgreSQL over as many connections", value, same, times))
    return rows


def postgres_line(figure, value, postgres, times):
    return Line(figure, f"≥ {times} ×", f"{value / postgres:.1f} × {count(postgres)}", value >= times * postgres)


def redis_line(results, tenants):
    figure, goal = "best against Redis's best", f"≥ {GOAL_REDIS_TIMES} ×"
    (_, value), (cell, redis) = results.best(f"tollgate/{tenants}/"), results.best(f"redis/{tenants}/")
    if value is None or redis is None:
        return missing(results, figure, goal, f"redis/{tenants}", f"redis/{tenants}/8x64", f"tollgate/{tenants}")
    shape = cell.rsplit("/", 1)[1].replace("x", " × ")
    return Line(
        figure, goal, f"{value / redis:.2f} × {count(redis)} (Redis at {shape})", value >= GOAL_REDIS_TIMES * redis
    )


def share_lines(results, one, tenants, shape, share):
    cell, alone = f"tollgate/{tenants}/{shape}", results.median(f"tollgate/{one}/{shape}")
    figure = f"the same, {count(tenants)} tenants evenly, {shape.replace('x', ' × ')}"
    goal = f"≥ {share:.0%} of that goal: {count(share * GOAL_STEPS[shape])}"
    value = results.median(cell)
    if value is None:
        return [missing(results, figure, goal, cell, f"tollgate/{tenants}")]
    kept, words = keeps_up(results, cell)
    rows = [
        Line(
            figure,
            goal,
            spread(results, cell, "steps_per_second", count) + words + wrong(results, cell),
            value >= share * GOAL_STEPS[shape] and kept and flawless(results, cell),
        )
    ]
    if alone is not None:
        rows.append(
            Line("… of what 1 tenant measured", f"≥ {share:.0%}", f"{value / alone:.0%}", value >= share * alone)
        )
    return rows


def stream_lines(results, plan):
    rows = []
    for name, label in (("batch", "`Batch` of 1,000"), ("meter", "`Meter` stream")):
        for kind, goal, seconds in (
            ("burst", GOAL_BURST, plan.burst_seconds),
            ("sustained", GOAL_SUSTAINED, plan.sustained_seconds),
        ):
            cell = f"{name}/1/{kind}"
            figure, value = f"{label}, steps/s for {seconds} s", results.median(cell)
            if value is None:
                rows.append(missing(results, figure, f"≥ {count(goal)}", cell, name))
                continue
            kept, words = keeps_up(results, cell)
            kept = kept or kind == "burst"
            target = f"≥ {count(goal)}, " + ("then caught up" if kind == "burst" else "shards keeping up")
            rows.append(
                Line(
                    figure,
                    target,
                    spread(results, cell, "steps_per_second", count) + words + wrong(results, cell),
                    value >= goal and kept and flawless(results, cell),
                )
            )
    return rows


def alone_lines(results, tenants):
    cell = f"tollgate/{tenants}/1x1"
    p50, p99 = results.median(cell, "p50_us"), results.median(cell, "p99_us")
    echo, sync = results.median("echo/1/1x1", "p50_us"), results.median("fdatasync/1/4096", "p50_us")
    if p50 is None or echo is None or sync is None:
        return [
            missing(
                results,
                "p50 of one caller alone",
                f"≤ {GOAL_ALONE_TIMES} × (echo + fdatasync)",
                cell,
                "echo",
                "echo/1/1x1",
                "fdatasync/1/4096",
            )
        ]
    return [
        Line(
            "p50 of one caller alone",
            f"≤ {GOAL_ALONE_TIMES} × (echo {microseconds(echo)} + fdatasync {microseconds(sync)})",
            f"{spread(results, cell, 'p50_us', microseconds)}: {p50 / (echo + sync):.2f} ×",
            p50 <= GOAL_ALONE_TIMES * (echo + sync),
        ),
        Line(
            "p99 of one caller alone",
            f"≤ {GOAL_TAIL_TIMES:.0f} × p50",
            f"{spread(results, cell, 'p99_us', microseconds)}: {p99 / p50:.2f} ×",
            p99 <= GOAL_TAIL_TIMES * p50,
        ),
    ]


def at_most(results, figure, cell, field, bound, form, note=None):
    value = results.median(cell, field)
    goal = f"≤ {form(bound)}"
    if value is None:
        return missing(results, figure, goal, cell)
    words = f" {note()}" if note else ""
    return Line(
        figure,
        goal,
        spread(results, cell, field, form) + words + wrong(results, cell),
        value <= bound and flawless(results, cell),
    )


def cpu_line(results, tenants):
    figure, goal = "server CPU per unary step, 8 × 64", f"≤ {GOAL_CPU_TIMES:.0f} × the bare echo's"
    cell = f"tollgate/{tenants}/8x64"
    value, echo = results.median(cell, "server_cpu_us"), results.median("echo/1/8x64", "server_cpu_us")
    if value is None or not echo:
        return missing(results, figure, goal, cell, "echo", "echo/1/8x64")
    form = "{:.2f} µs".format
    return Line(
        figure,
        goal,
        f"{spread(results, cell, 'server_cpu_us', form)}: {value / echo:.2f} × {echo:.2f} µs",
        value <= GOAL_CPU_TIMES * echo,
    )


def balance_line(results):
    figure, goal = "`GetBalance`/s, 8 × 64", f"≥ {GOAL_BALANCE_SHARE:.0%} of the bare echo"
    value, echo = results.median("balance/1/8x64"), results.median("echo/1/8x64")
    if value is None or not echo:
        return missing(results, figure, goal, "balance/1/8x64", "echo", "echo/1/8x64")
    cell = "balance/1/8x64"
    return Line(
        figure,
        goal,
        f"{spread(results, cell, 'steps_per_second', count)}: {value / echo:.0%} of {count(echo)}"
        + wrong(results, cell),
        value >= GOAL_BALANCE_SHARE * echo and flawless(results, cell),
    )


def book_lines(results, plan):
    full, empty = "book/full/8x64", "book/empty/8x64"
    head = f"book of {count(plan.book_entries)} entries over {count(plan.book_tenants)} tenants"
    cpu = results.median(full, "server_cpu_us")
    if cpu is None:
        return [missing(results, head, "start-up, memory, cost of a step", full, "book/full")]
    start, memory = results.median(full, "start_seconds"), results.median(full, "most_memory_bytes")
    at_start = results.median(full, "start_memory_bytes") / 2**20
    rows = [
        Line(
            f"{head}: start-up to serving",
            f"≤ {GOAL_START_SECONDS:.0f} s",
            spread(results, full, "start_seconds", lambda v: f"{v:.2f} s"),
            start <= GOAL_START_SECONDS,
        ),
        Line(
            "… memory",
            f"≤ {GOAL_MEMORY_MIB} MiB",
            f"{at_start:,.0f} MiB when serving, {memory / 2**20:,.0f} MiB at most " "under load",
            memory / 2**20 <= GOAL_MEMORY_MIB,
        ),
    ]
    fresh = results.median(empty, "server_cpu_us")
    if not fresh:
        return rows + [missing(results, "… server CPU per step", "within 10 % of an empty book", empty, "book/empty")]
    rates = f"{count(results.median(full))} against {count(results.median(empty))} steps/s"
    rows.append(
        Line(
            "… server CPU per step",
            f"within {GOAL_BOOK_SHARE:.0%} of an empty book",
            f"{cpu:.2f} against {fresh:.2f} µs ({cpu / fresh - 1:+.0%}); {rates}",
            cpu <= (1 + GOAL_BOOK_SHARE) * fresh,
        )
    )
    return rows
