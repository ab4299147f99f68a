"""Memory stays bounded however many tenants there are, and comes to rest when they do."""

import os
import re
import time

from probes import metrics, wait_until
from support import CREDIT, DEADLINE_S, Background, Server, new_id

LONG = bool(os.environ.get("TOLLGATE_LONG"))
TENANTS = 100_000 if LONG else 3_000
LOAD_S = 120 if LONG else 10
# What is waited for at the end: steps of many tenants gather a minute before they are written.
REST_S = 900
KIB = 1 << 10
MIB = 1 << 20
# What memory is made of, as ARCHITECTURE.md says it.
BARE_BYTES = 80 * MIB
TENANT_BYTES = 4 * KIB
OPEN_SHARDS, SHARD_BYTES = 1_024, 320 * KIB
REMEMBERED_STEPS = 65_536
# Of a step that its shard does not have, and of one that memory remembers.
STEP_BYTES = 1 * KIB
PENDING_STEPS = 1_200_000
# How long a stop may take.
STOP_S = 10


def bound(tenants, pending):
    """What the server's memory must stay below with so many tenants, and so many steps that their shards do not have."""
    shards = min(OPEN_SHARDS, tenants) * SHARD_BYTES
    return BARE_BYTES + tenants * TENANT_BYTES + shards + (REMEMBERED_STEPS + pending) * STEP_BYTES


def resident(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * KIB


def pending(server):
    return int(metrics(server.address)["tollgate_engine_pending_records"])


class Watch(Background):
    """Looks at the server's memory over and over, and keeps the most of it and of what was pending."""

    def __init__(self, server):
        self.server = server
        self.bytes = self.pending = 0
        super().__init__()

    def work(self):
        while not self.ends.wait(0.2):
            # What is pending grows until memory is looked at, so it is asked after that.
            now = resident(self.server)
            records = pending(self.server)
            self.bytes, self.pending = max(self.bytes, now), max(self.pending, records)
            most = bound(TENANTS, self.pending)
            assert now <= most, f"{now // MIB} MiB with {records:,} records pending, more than {most // MIB} MiB"


def bench(server, *arguments):
    done = server.run("bench", *arguments, "--address", server.address, "--tenants", str(TENANTS), timeout=1_800)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_all(server):
    """Has all shards written at once: a report waits for its tenant's."""
    from tollgate.v1 import credits_pb2 as cr

    credits = server.client().credits
    calls = []
    for n in range(TENANTS):
        request = cr.ListTransactionsRequest(page_size=1)
        calls.append(credits.ListTransactions.future(
            request, metadata=[("tollgate-tenant", name(n))], timeout=DEADLINE_S))
        if len(calls) == 100:
            for call in calls:
                call.result()
            calls = []


def name(n):
    return f"bench-{n:06}"


def test_memory_stays_bounded_under_many_tenants(binary, tmp_path, covered):
    server = Server(binary, tmp_path)
    try:
        server.start()
        bench(server, "prepare", "--concurrency", "256")
        watch = Watch(server)
        report = bench(server, "load", "--connections", "8", "--in-flight", "64", "--seconds", str(LOAD_S))
        watch.stop()
        steps = int(re.search(r"steps\s+([\d,]+) in", report).group(1).replace(",", ""))
        assert watch.pending <= PENDING_STEPS

        if not LONG:
            write_all(server)
        deadline = time.monotonic() + REST_S
        while pending(server):
            assert time.monotonic() < deadline, f"{pending(server):,} records are still pending"
            time.sleep(1)
        wait_until(lambda: resident(server) <= bound(TENANTS, 0), "memory comes to rest")
        rest = resident(server)

        # Killed with much pending, it takes steps as soon as it is back, and may be stopped at once.
        bench(server, "load", "--connections", "8", "--in-flight", "64", "--seconds", str(LOAD_S // 2))
        waiting = pending(server)
        server.kill()
        server.restart()
        started = resident(server)
        assert started <= bound(TENANTS, waiting)
        charge(server, 0)
        charge(server, TENANTS - 1)
        stop_s = stopped_after(server)
        covered(f"memory: {TENANTS:,} tenants, {steps:,} steps, at most {watch.bytes // MIB} MiB with {watch.pending:,} records "
                f"pending (bound {bound(TENANTS, watch.pending) // MIB} MiB), {rest // MIB} MiB at rest, {started // MIB} MiB after a "
                f"crash with {waiting:,} pending; stopped in {stop_s:.1f} s")
        if not LONG:
            server.verify()
    finally:
        server.end()


def charge(server, n):
    from tollgate.v1 import metering_pb2 as m

    request = m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT)
    server.client(tenant=name(n)).metering.Charge(request, timeout=DEADLINE_S)


def stopped_after(server):
    server.close_clients()
    began = time.monotonic()
    assert server.stop() == 0
    stop_s = time.monotonic() - began
    assert stop_s <= STOP_S, f"a stop took {stop_s:.1f} s"
    return stop_s
