"""SIGTERM under load: what was begun is answered, what was answered is kept, what was refused left nothing."""

import signal
import threading
import time

import grpc
from book import assert_adds_up
from probes import health_watch
from support import CREDIT, DEADLINE_S, new_id

CALLERS = 32
CHARGES_BEFORE_THE_END = 500
ENDS_WITHIN_S = 10


class Caller:
    """Charges, one call after the other, until a call is not answered with OK."""

    def __init__(self, client):
        self.client = client
        self.done = []
        self.refused = None
        self.error = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        from tollgate.v1 import metering_pb2 as m

        while self.error is None:
            request = m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT)
            try:
                self.client.metering.Charge(request, timeout=DEADLINE_S)
                self.done.append(request)
            except grpc.RpcError as error:
                self.refused, self.error = request, error


def test_every_call_is_answered_and_what_was_answered_is_kept(server):
    server.tenant("acme", credits=1_000_000)
    callers = [Caller(server.client(tenant="acme")) for _ in range(CALLERS)]
    with health_watch(server.address) as states:
        assert next(states) == "SERVING"
        for caller in callers:
            caller.thread.start()
        deadline = time.monotonic() + DEADLINE_S
        while sum(len(caller.done) for caller in callers) < CHARGES_BEFORE_THE_END:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        server.process.send_signal(signal.SIGTERM)
        assert next(states) == "NOT_SERVING"
        assert server.process.wait(ENDS_WITHIN_S) == 0
    for caller in callers:
        caller.thread.join(DEADLINE_S)
        assert not caller.thread.is_alive(), "a call was never answered"
        assert caller.error.code() == grpc.StatusCode.UNAVAILABLE, caller.error
    assert "stopped" in server.log()
    server.verify()

    server.restart()
    client = server.client(tenant="acme")
    kept = {entry.reservation_id for entry in assert_adds_up(client) if entry.reservation_id}
    assert kept == {request.reservation_id for caller in callers for request in caller.done}
    for caller in callers:
        assert client.metering.Charge(caller.done[-1]).replayed
        assert not client.metering.Charge(caller.refused).replayed


def test_a_stream_of_steps_ends_with_every_step_answered_or_refused(server):
    """A Meter stream that is open when the server ends: each step that was answered is kept, and no other."""
    from tollgate.v1 import metering_pb2 as m

    client = server.tenant("acme", credits=1_000_000)
    answered, sent = [], []
    ended = threading.Event()

    def requests():
        while not ended.is_set() and len(sent) < 100_000:
            charge = m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT)
            sent.append(charge)
            yield m.MeterRequest(tag=len(sent) - 1, step=m.Step(charge=charge))

    try:
        for answer in client.metering.Meter(requests(), timeout=DEADLINE_S):
            if answer.result.WhichOneof("kind") == "charge":
                answered.append(sent[answer.tag].reservation_id)
            if len(answered) == CHARGES_BEFORE_THE_END:
                server.process.send_signal(signal.SIGTERM)
        error = None
    except grpc.RpcError as caught:
        error = caught
    ended.set()
    assert error is None or error.code() == grpc.StatusCode.UNAVAILABLE, error
    # A caller who keeps on sending has the grace that an operator gives it, and no more.
    assert server.process.wait(DEADLINE_S) == 0
    server.restart()
    kept = {entry.reservation_id for entry in assert_adds_up(server.client(tenant="acme")) if entry.reservation_id}
    assert set(answered) <= kept <= {charge.reservation_id for charge in sent}


def test_an_idle_client_does_not_hold_the_end(server):
    client = server.tenant("acme", credits=1)
    assert client.balance().available_micros == CREDIT
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(ENDS_WITHIN_S) == 0


def test_a_second_server_on_the_same_directory_is_refused(server):
    client = server.tenant("acme", credits=1)
    second = server.run("serve", "--data", server.data, "--listen", "127.0.0.1:0", timeout=DEADLINE_S)
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.count("\n") == 1 and server.data in second.stderr, second.stderr
    assert str(server.process.pid) in second.stderr
    assert client.balance().available_micros == CREDIT
    assert server.stop() == 0
    server.restart()
    assert server.client(tenant="acme").balance().available_micros == CREDIT
