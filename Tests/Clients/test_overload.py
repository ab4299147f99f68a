"""More load than a server takes: who floods is refused and told when to come back, others are served, nothing is lost."""

import contextlib
import json
import subprocess
import threading
import time

import grpc
import pytest
from book import assert_adds_up
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from probes import health, metrics
from silent_peer import SilentPeer
from support import CREDIT, DEADLINE_S, details, new_id

# What a server has under way at most; one tenant has as much of it as it leaves free.
CALLS_UNDER_WAY = 20_000
STREAMS = 1_000
FLOOD_SECONDS = 4
CALLERS = 8


def retry_seconds(error):
    """How long a refused caller is told to wait, by `RetryInfo`, and the same for gRPC's own retries; None where it is not."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        if detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            info = error_details_pb2.RetryInfo()
            detail.Unpack(info)
            return info.retry_delay.ToTimedelta().total_seconds()
    return None


def test_a_tenant_that_takes_its_share_is_refused_and_others_are_served(server, covered):
    from tollgate.v1 import metering_pb2 as m

    flood, modest = server.tenant("flood", credits=10), server.tenant("modest", credits=10)
    key = server.new_key("service", "flood").key
    with contextlib.ExitStack() as stack:
        for _ in range(CALLS_UNDER_WAY // 2 // STREAMS):
            peer = SilentPeer(server.address, key, "flood").greet()
            stack.callback(peer.close)
            peer.begin("/tollgate.v1.Metering/Charge", STREAMS)
        deadline = time.monotonic() + DEADLINE_S
        while metrics(server.address)["tollgate_rpc_calls"] < CALLS_UNDER_WAY // 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        extra = SilentPeer(server.address, key, "flood").greet()
        stack.callback(extra.close)
        extra.begin("/tollgate.v1.Metering/Charge", 10)
        charge = m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT)
        refused = 0
        while refused < 20:
            try:
                flood.metering.Charge(charge)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAVAILABLE
                assert details(error)[0].reason == "OVERLOADED"
                assert 0.05 <= retry_seconds(error) <= 10
                refused += 1
        for _ in range(20):
            modest.metering.Charge(m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT // 10))
        assert health(server.address) == "SERVING"
        assert metrics(server.address)["tollgate_rpc_refused_total"]["share"] >= refused
    # Who lets go of what it holds is served again, under the same id.
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            assert not flood.metering.Charge(charge).replayed
            break
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE and time.monotonic() < deadline
            time.sleep(retry_seconds(error))
    assert_adds_up(modest)
    covered(
        f"overload: {CALLS_UNDER_WAY // 2:,} calls of one tenant under way: its next {refused} refused with RetryInfo, "
        "20 steps of another tenant done, health answered")


class Caller:
    """Charges, one call after the other, and notes what became of each."""

    def __init__(self, client, until):
        self.client, self.until = client, until
        self.done, self.refused, self.unknown = [], [], []
        self.wrong = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        from tollgate.v1 import metering_pb2 as m

        while not self.until.is_set() and self.wrong is None:
            request = m.ChargeRequest(reservation_id=new_id(), amount_micros=1)
            try:
                self.client.metering.Charge(request, timeout=2)
                self.done.append(request)
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.UNAVAILABLE and retry_seconds(error) is not None:
                    self.refused.append(request)
                elif error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                    self.unknown.append(request)
                else:
                    self.wrong = error


def test_nothing_acknowledged_is_lost_under_a_flood(server, covered):
    assert server.run("bench", "prepare", "--address", server.address, "--key", server.key, "--tenants", "1").returncode == 0
    server.tenant("modest", credits=1_000)
    over = threading.Event()
    callers = [Caller(server.client(tenant="modest"), over) for _ in range(CALLERS)]
    flood = subprocess.run(
        [server.binary, "bench", "load", "--address", server.address, "--key", server.key, "--tenants", "1",
         "--connections", "32", "--in-flight", "500", "--seconds", str(FLOOD_SECONDS), "--deadline-ms", "250", "--json"],
        capture_output=True, text=True, timeout=DEADLINE_S * 2)
    over.set()
    for caller in callers:
        caller.thread.join(DEADLINE_S)
    assert [caller.wrong for caller in callers] == [None] * CALLERS
    report = json.loads(flood.stdout)
    assert (flood.returncode, report["errors"]) == (0, 0), flood.stdout + flood.stderr
    assert metrics(server.address)["tollgate_rpc_refused_total"]
    server.kill()
    server.restart()
    client = server.client(tenant="modest")
    done = {request.reservation_id for caller in callers for request in caller.done}
    unknown = {request.reservation_id for caller in callers for request in caller.unknown}
    kept = {entry.reservation_id for entry in assert_adds_up(client) if entry.reservation_id}
    assert done <= kept <= done | unknown
    for caller in callers:
        for request in caller.refused[:20]:
            assert not client.metering.Charge(request).replayed, "what was refused was done"
    assert server.stop() == 0
    server.verify()
    covered(
        f"overload: a flood of {report['steps_in_all']:,} steps done, {report['refused']:,} refused, {report['late']:,} late; "
        f"{len(done):,} steps acknowledged to {CALLERS} other callers all kept over kill -9, "
        f"{sum(len(caller.refused) for caller in callers)} refused and not done")


def test_a_call_whose_deadline_has_passed_leaves_nothing(server):
    from tollgate.v1 import metering_pb2 as m

    client = server.tenant("acme", credits=10)
    request = m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT)
    with pytest.raises(grpc.RpcError) as late:
        # Well in the past: gRPC rounds a deadline up to a millisecond, in which a call may be through.
        client.metering.Charge(request, timeout=-1)
    assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert not client.metering.Charge(request).replayed
