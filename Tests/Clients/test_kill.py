"""Acknowledged means durable: kill -9 at random moments loses no answered step and does none twice."""

import random
import threading
import time

import grpc
from book import assert_adds_up
from support import CREDIT, DEADLINE_S, new_id

ROUNDS = 20
WORKERS = 16
TENANTS = ["kill-0", "kill-1", "kill-2"]
GRANTED_MICROS = 1_000_000 * CREDIT


class Record:
    """What a client knows of one tenant's book from the answers that it got."""

    def __init__(self):
        self.held = {}
        self.charged = {}
        self.refunded = {}
        self.steps = 0

    def add(self, name, answer):
        hold = answer.reservation.reservation_id
        self.held[hold] = answer.reservation.held_micros
        if name in ("Commit", "Charge"):
            self.charged[hold] = self.charged.get(hold, 0) + answer.charged_micros
        elif name == "Refund":
            self.refunded[hold] = self.refunded.get(hold, 0) + answer.refunded_micros
        self.steps += 1

    @property
    def consumed_micros(self):
        return sum(self.charged.values()) - sum(self.refunded.values())


class Worker:
    """Sends steps, one after the other, until the server is gone; keeps each with its answer."""

    def __init__(self, client, tenant, seed):
        self.client = client
        self.tenant = tenant
        self.random = random.Random(seed)
        self.acknowledged = []
        self.in_doubt = None
        self.failure = None
        self.open_holds = []
        self.charged_holds = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while self.in_doubt is None:
                self.step(*self.next_step())
        except BaseException as failure:  # The thread that waits must learn of everything.
            self.failure = failure

    def step(self, name, request):
        try:
            answer = getattr(self.client.metering, name)(request, timeout=DEADLINE_S)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error
            self.in_doubt = (name, request)
            return
        assert not answer.replayed
        self.acknowledged.append((name, request, answer))
        if name == "Reserve":
            self.open_holds.append(request.reservation_id)
        elif name == "Charge" or (name == "Commit" and not request.partial):
            self.charged_holds.append(request.reservation_id)

    def next_step(self):
        from tollgate.v1 import metering_pb2 as m

        draw = self.random.random()
        if self.open_holds and draw < 0.4:
            partial = draw < 0.1
            hold = self.random.choice(self.open_holds) if partial else self.take(self.open_holds)
            amount = self.random.randint(1, 3_000_000)
            return "Commit", m.CommitRequest(
                reservation_id=hold, amount_micros=amount, partial=partial, commit_id=new_id())
        if self.open_holds and draw < 0.45:
            return "Release", m.ReleaseRequest(reservation_id=self.take(self.open_holds), reason="not needed")
        if self.charged_holds and draw < 0.55:
            # All of it, so that no later refund can be one too many.
            return "Refund", m.RefundRequest(refund_id=new_id(), reservation_id=self.take(self.charged_holds))
        if draw < 0.75:
            return "Charge", m.ChargeRequest(reservation_id=new_id(), amount_micros=self.random.randint(1, 2_000_000))
        quantities = {"context_tokens": self.random.randint(0, 1_000), "generated_tokens": 400}
        return "Reserve", m.ReserveRequest(reservation_id=new_id(), feature="chat", quantities=quantities)

    def take(self, holds):
        return holds.pop(self.random.randrange(len(holds)))


def check(worker, client, record, where):
    """Sends every step of a worker again and adds what it did to the record."""
    for name, request, answer in worker.acknowledged:
        again = getattr(client.metering, name)(request)
        assert again.replayed, f"{where}: an acknowledged {name} was lost"
        again.replayed = False
        assert again == answer, f"{where}: another answer to {name}"
        record.add(name, answer)
    name, request = worker.in_doubt
    # Whether it was done is open; from here on it is, once.
    first = getattr(client.metering, name)(request)
    second = getattr(client.metering, name)(request)
    assert second.replayed, f"{where}: {name}"
    first.replayed = True
    assert first == second, f"{where}: another answer to {name}"
    record.add(name, first)


def test_no_answered_step_is_lost_or_done_twice(server, seed):
    chance = random.Random(seed)
    for tenant in TENANTS:
        server.tenant(tenant, credits=GRANTED_MICROS // CREDIT)
    records = {tenant: Record() for tenant in TENANTS}
    for round in range(ROUNDS):
        where = f"seed {seed}, round {round}"
        workers = []
        for n in range(WORKERS):
            tenant = TENANTS[n % len(TENANTS)]
            workers.append(Worker(server.client(tenant=tenant), tenant, chance.random()))
        time.sleep(chance.uniform(0.01, 0.5))
        server.kill()
        for worker in workers:
            worker.thread.join(DEADLINE_S)
            assert worker.in_doubt and not worker.failure, f"{where}: {worker.failure!r}"
        server.verify()
        server.restart()
        clients = {tenant: server.client(tenant=tenant) for tenant in TENANTS}
        for worker in workers:
            check(worker, clients[worker.tenant], records[worker.tenant], where)
        for tenant, record in records.items():
            balance = clients[tenant].balance()
            held = sum(record.held.values())
            available = GRANTED_MICROS - held - record.consumed_micros
            assert (balance.held_micros, balance.available_micros) == (held, available), f"{where}: {tenant}"
    for tenant, record in records.items():
        entries = assert_adds_up(clients[tenant])
        # The grant, and each step of the record once.
        assert len(entries) == record.steps + 1
    server.verify()
    assert server.stop() == 0
    server.verify()
    print(f"{sum(record.steps for record in records.values())} steps over {ROUNDS} crashes")
