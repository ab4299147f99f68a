"""SIGTERM beside clients that do nothing to help: the server ends all the same, in time, and tells everybody."""

import contextlib
import signal
import threading
import time

import grpc
import h2.exceptions
import pytest
from probes import health_watch, healthz
from silent_peer import SilentPeer
from support import CREDIT, DEADLINE_S, new_id

ENDS_WITHIN_S = 10
WATCHERS = 20
TENANTS = 50


def test_no_client_holds_the_end(server, covered):
    from tollgate.v1 import metering_pb2 as m

    client = server.tenant("acme", credits=1_000_000)
    for number in range(TENANTS):
        other = server.tenant(f"tenant-{number}", credits=10)
        other.metering.Charge(m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT))
    ended = threading.Event()

    def requests():
        while not ended.wait(0.001):
            yield m.MeterRequest(
                tag=1, step=m.Step(charge=m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT)))

    answers = iter(client.metering.Meter(requests()))
    key = server.new_key("service", "acme").key
    with contextlib.ExitStack() as stack:
        peers = [SilentPeer(server.address), SilentPeer(server.address).greet()]
        peers += [
            SilentPeer(server.address, key, "acme").greet().begin(f"/tollgate.v1.Metering/{method}")
            for method in ("Charge", "Meter", "ListReservations")]
        for peer in peers:
            stack.callback(peer.close)
        next(answers)
        watches = [stack.enter_context(health_watch(server.address)) for _ in range(WATCHERS)]
        for states in watches:
            assert next(states) == "SERVING"
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        for states in watches:
            assert next(states) == "NOT_SERVING"
        status = server.process.wait(ENDS_WITHIN_S)
        took = time.monotonic() - began
    ended.set()
    assert status == 0, server.log()
    with pytest.raises(grpc.RpcError) as stopped:
        for _ in answers:
            pass
    assert stopped.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "stopped" in server.log()
    server.verify()
    covered(
        f"overload: SIGTERM beside {len(peers)} silent peers, {WATCHERS} health watches, a Meter stream "
        f"that goes on and {TENANTS} tenants with steps pending: exit 0 after {took:.1f} s")


def test_a_second_signal_hurries(serve):
    server = serve(options=("--grace-seconds", "300"))
    client = server.tenant("acme", credits=10)
    held = SilentPeer(server.address, server.new_key("service", "acme").key, "acme").greet()
    held.begin("/tollgate.v1.Metering/Charge")
    # Once this is answered the server has read what was sent before it.
    assert client.balance().available_micros == 10 * CREDIT
    assert healthz(server.address)[0] == 200
    server.process.send_signal(signal.SIGTERM)
    # Nobody is let in any more, or is sent away at once.
    with pytest.raises((OSError, AssertionError, h2.exceptions.ProtocolError)):
        while healthz(server.address):
            time.sleep(0.01)
    assert server.process.poll() is None, "it waits for the call that is under way"
    server.process.send_signal(signal.SIGINT)
    server.process.wait(ENDS_WITHIN_S)
    held.close()
    server.restart()
    assert server.client(tenant="acme").balance().available_micros == 10 * CREDIT
