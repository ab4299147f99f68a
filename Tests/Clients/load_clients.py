"""Clients that use a server until it is gone, each on a connection of its own, and keep their own record of what was answered."""

import queue

import grpc
from organisation import Org
from record import CALLS, answer_of, is_gone, settle, wrapped
from support import CREDIT, DEADLINE_S, Background, new_id

SHARD_PAGE = 50
WEEK_S = 7 * 24 * 3_600
# More than any tenant of a test has.
TOO_MUCH = 9_000_000_000 * CREDIT


class Client(Background):
    """A thread that works until the server is gone. `check` proves its record once the server is back."""

    def __init__(self, server, tenant, chance):
        self.tenant, self.random = tenant, chance
        self.client = server.client(tenant=tenant)
        self.connect()
        super().__init__()

    def connect(self):
        """What comes before the thread begins."""

    def join(self, where):
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive(), f"{where}: a client still waits for an answer"
        if isinstance(self.failure, grpc.RpcError) and is_gone(self.failure):
            return
        assert not self.failure, f"{where}: {type(self).__name__}: {self.failure!r}"


class MeteringClient(Client):
    """Sends steps of all kinds."""

    def __init__(self, server, tenant, chance, comment=""):
        self.acknowledged, self.in_doubt = [], []
        self.open_holds, self.charged_holds = [], []
        self.comment = comment
        super().__init__(server, tenant, chance)

    def next_step(self):
        """A step, and the list of reservations that the one of this step enters when it is done."""
        from google.protobuf import duration_pb2
        from tollgate.v1 import metering_pb2 as m

        draw = self.random.random()
        week = duration_pb2.Duration(seconds=WEEK_S)
        if self.open_holds and draw < 0.36:
            partial = draw < 0.1
            hold = self.random.choice(self.open_holds) if partial else self.take(self.open_holds)
            request = m.CommitRequest(
                reservation_id=hold, amount_micros=self.random.randint(1, 3_000_000), partial=partial,
                comment=self.comment, commit_id=new_id() if partial or self.random.random() < 0.5 else "")
            return wrapped("Commit", request), hold, None if partial else self.charged_holds
        if self.open_holds and draw < 0.40:
            hold = self.take(self.open_holds)
            return wrapped("Release", m.ReleaseRequest(reservation_id=hold, reason="not needed")), hold, None
        if self.open_holds and draw < 0.44:
            hold = self.random.choice(self.open_holds)
            return wrapped("Extend", m.ExtendRequest(reservation_id=hold, ttl=week, extend_id=new_id())), hold, None
        if self.charged_holds and draw < 0.54:
            # All of it, so that no later refund can be one too many.
            hold = self.take(self.charged_holds)
            return wrapped("Refund", m.RefundRequest(refund_id=new_id(), reservation_id=hold)), hold, None
        # Every tenth id is not ordered by time, as of clients that make others.
        hold = new_id() if self.random.random() < 0.9 else new_random_id(self.random)
        if draw < 0.57:
            return wrapped("Charge", m.ChargeRequest(reservation_id=hold, amount_micros=TOO_MUCH)), hold, None
        if draw < 0.75:
            amount = self.random.randint(1, 2_000_000)
            request = m.ChargeRequest(reservation_id=hold, amount_micros=amount, comment=self.comment)
            return wrapped("Charge", request), hold, self.charged_holds
        quantities = {"context_tokens": self.random.randint(0, 1_000), "generated_tokens": 400}
        request = m.ReserveRequest(
            reservation_id=hold, feature="chat", quantities=quantities, ttl=week, comment=self.comment)
        return wrapped("Reserve", request), hold, self.open_holds

    def take(self, holds):
        return holds.pop(self.random.randrange(len(holds)))

    def acknowledge(self, step, result):
        """Notes an answer; false where it says that the server does nothing any more."""
        answer, replayed = answer_of(result)
        if replayed is None:
            if result.error.code == grpc.StatusCode.UNAVAILABLE.value[0]:
                return False
            assert result.error.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], (step, result.error)
        assert not replayed, f"the first answer to {step} says that it is not"
        self.acknowledged.append((step, answer))
        return True

    def check(self, client, record, where):
        settle(client, self.acknowledged, self.in_doubt, record, where)


def new_random_id(chance):
    import uuid

    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


class UnaryClient(MeteringClient):
    """One step after the other, each a call."""

    def work(self):
        while True:
            step, hold, done = self.next_step()
            kind = step.WhichOneof("kind")
            name = next(name for name, field in CALLS.items() if field == kind)
            try:
                answer = getattr(self.client.metering, name)(getattr(step, kind), timeout=DEADLINE_S)
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
                    # What is answered in a Batch is this status, told by the call itself.
                    self.acknowledge(step, refusal(error))
                    continue
                self.in_doubt = [step]
                raise
            from tollgate.v1 import metering_pb2 as m

            self.acknowledge(step, m.StepResult(**{kind: answer}))
            if done is not None:
                done.append(hold)


def refusal(error):
    from grpc_status import rpc_status
    from tollgate.v1 import metering_pb2 as m

    return m.StepResult(error=rpc_status.from_call(error))


class BatchClient(MeteringClient):
    """Many steps a call."""

    SIZES = (1, 2, 10, 100)

    def work(self):
        from tollgate.v1 import metering_pb2 as m

        while True:
            chosen = [self.next_step() for _ in range(self.random.choice(self.SIZES))]
            self.in_doubt = [step for step, _, _ in chosen]
            results = self.client.metering.Batch(m.BatchRequest(steps=self.in_doubt), timeout=DEADLINE_S).results
            for place, ((step, hold, done), result) in enumerate(zip(chosen, results, strict=True)):
                if not self.acknowledge(step, result):
                    self.in_doubt = self.in_doubt[place:]
                    return
                if done is not None:
                    done.append(hold)
            self.in_doubt = []


class MeterClient(MeteringClient):
    """A stream with up to so many steps under way."""

    UNDER_WAY = 64

    def connect(self):
        """Before the server may be gone: whoever reads a stream that found nobody to connect to, grpcio 1.85 may never tell
        (the status comes, the read that was begun beside it does not end, its deadline notwithstanding)."""
        self.client.balance()

    def work(self):
        from tollgate.v1 import metering_pb2 as m

        sent = queue.SimpleQueue()
        under_way = []

        def send():
            step, hold, done = self.next_step()
            under_way.append((step, hold, done))
            sent.put(m.MeterRequest(tag=len(self.acknowledged) + len(under_way), step=step))

        answers = self.client.metering.Meter(iter(sent.get, None), timeout=DEADLINE_S)
        try:
            for _ in range(self.UNDER_WAY):
                send()
            for answer in answers:
                step, hold, done = under_way[0]
                assert answer.tag == len(self.acknowledged) + 1
                if not self.acknowledge(step, answer.result):
                    return
                under_way.pop(0)
                if done is not None:
                    done.append(hold)
                send()
        finally:
            sent.put(None)
            self.in_doubt = [step for step, _, _ in under_way]


class BulkClient(Client):
    """Charges a lot in large steps, so that the journal grows and is trimmed. Keeps the answers of a few of them."""

    STEPS = 500
    LABELS = {f"label-{n}": "x" * 256 for n in range(16)}

    def __init__(self, server, tenant, chance):
        self.acknowledged, self.in_doubt, self.others = [], [], 0
        super().__init__(server, tenant, chance)

    def work(self):
        from tollgate.v1 import metering_pb2 as m

        while True:
            self.in_doubt = [
                wrapped("Charge", m.ChargeRequest(reservation_id=new_id(), amount_micros=1, labels=self.LABELS))
                for _ in range(self.STEPS)]
            results = self.client.metering.Batch(m.BatchRequest(steps=self.in_doubt), timeout=DEADLINE_S).results
            assert all(result.WhichOneof("kind") == "charge" for result in results), results[-1]
            chosen = self.random.randrange(self.STEPS)
            self.acknowledged.append((self.in_doubt[chosen], answer_of(results[chosen])[0]))
            self.others += self.STEPS - 1
            self.in_doubt = []

    def check(self, client, record, where):
        record.add_charges(self.others, 1)
        settle(client, self.acknowledged, self.in_doubt, record, where)


class Reader(Client):
    """Looks at the newest of a tenant's book over and over: what it saw, no crash may take back."""

    def __init__(self, server, tenant, chance):
        self.seen = {}
        super().__init__(server, tenant, chance)

    def newest(self, client):
        from tollgate.v1 import credits_pb2

        return client.credits.ListTransactions(
            credits_pb2.ListTransactionsRequest(page_size=SHARD_PAGE), timeout=DEADLINE_S).transactions

    def work(self):
        while True:
            self.seen = {entry.sequence: entry for entry in self.newest(self.client)}

    def check(self, client, record, where):
        from tollgate.v1 import credits_pb2

        if not self.seen:
            return
        left = dict(self.seen)
        request = credits_pb2.ListTransactionsRequest(page_size=1_000)
        while left:
            page = client.credits.ListTransactions(request, timeout=DEADLINE_S)
            for entry in page.transactions:
                seen = left.pop(entry.sequence, entry)
                assert seen == entry, f"{where}: a reader saw {seen}, and now it is {entry}"
            newest_left = min(left, default=0)
            assert not left or page.next_page_token and page.transactions[-1].sequence > newest_left, (
                f"{where}: a reader saw entries that are gone: {sorted(left)}")
            request.page_token = page.next_page_token


class Governor(Client):
    """Makes tenants and changes them, their members and their keys, one change after the other."""

    # In this order, each named as in the audit trail. Each again has no effect, but for a key, of which there would be one more.
    CHANGES = [
        ("Admin/SetMember", lambda o: o.set_member("olga", "owner")),
        ("Admin/SetMember", lambda o: o.set_member("mo", "member")),
        ("Admin/CreateKey", lambda o: o.server.new_key("service", o.tenant)),
        ("Settings/SetAIEnabled", lambda o: o.set_ai(False)),
        ("Settings/SetQuality", lambda o: o.set_quality("chat", "best")),
        ("Admin/UpdateTenant", lambda o: o.update(state="active")),
        ("Admin/UpdateTenant", lambda o: o.update(plan="second", rule="top_up")),
        ("Admin/UpdateTenant", lambda o: o.update(name="renamed")),
        ("Admin/UpdateTenant", lambda o: o.update(plan="first", when="cycle_end")),
        ("Admin/GrantCredits", lambda o: o.grant(5 * CREDIT, "gifted", grant_id=o.gift)),
        ("Admin/RevokeGrant", lambda o: o.revoke(o.gift)),
        ("Admin/RemoveMember", lambda o: o.remove_member("mo")),
        ("Settings/SetAIEnabled", lambda o: o.set_ai(True))]
    # Which of them makes the key.
    KEY = 2
    # What the grants are after so many changes at least.
    GRANTED = [
        (0, [("sign_up", 70), ("trial", 30)]),
        (6, [("sign_up", 70), ("trial", 30), ("allowance", 100)]),
        (7, [("sign_up", 70), ("trial", 30), ("allowance", 100), ("top_up", 150)]),
        (10, [("sign_up", 70), ("trial", 30), ("allowance", 100), ("top_up", 150), ("granted", 5)])]

    def __init__(self, server, prefix, chance):
        self.server, self.prefix = server, prefix
        self.done = {}
        self.gifts = {}
        super().__init__(server, None, chance)

    def work(self):
        while True:
            name = f"{self.prefix}-{len(self.done)}"
            self.gifts[name] = new_id()
            # Noted before it is made: it may be there although nobody was told.
            self.done[name] = -1
            org = self.organisation(Org.create(self.server, name, plan="first"))
            self.done[name] = 0
            for _, change in self.CHANGES:
                change(org)
                self.done[name] += 1

    def organisation(self, org):
        org.gift = self.gifts[org.tenant]
        return org

    def check(self, server, where):
        """What was answered has its effects, once; of what was not answered there is all or nothing."""
        for name, count in self.done.items():
            if count < 0:
                Org.create(server, name, plan="first")
            self.assert_changed(self.organisation(Org(server, name)), count, where)
        for name, count in list(self.done.items())[-1:]:
            self.finish(self.organisation(Org(server, name)), max(count, 0), where)
        return sum(count + 1 for count in self.done.values())

    def assert_changed(self, org, count, where):
        granted = origins(org)
        least = max(place for place, (after, _) in enumerate(self.GRANTED) if after <= max(count, 0))
        possible = [wanted for after, wanted in self.GRANTED[least:] if after <= count + 1]
        assert granted in possible, f"{where}: {org.tenant} after {count} changes: {granted}"
        noted = self.noted(org)
        wanted = ["Admin/CreateTenant"] + [method for method, _ in self.CHANGES]
        done = max(count, 0)
        assert noted in (wanted[:done + 1], wanted[:done + 2]), f"{where}: {org.tenant} after {count} changes: {noted}"

    def finish(self, org, count, where):
        """Goes on with the change in doubt, as its caller would: what was done has no further effect and no further note."""
        for method, change in self.CHANGES[count:]:
            if method != "Admin/CreateKey" or count < self.KEY:
                change(org)
        granted = origins(org)
        assert granted == self.GRANTED[-1][1], f"{where}: {org.tenant}: {granted}"
        noted = self.noted(org)
        wanted = ["Admin/CreateTenant"] + [method for method, _ in self.CHANGES]
        # A key that was in doubt may be there or not; it is not made again.
        without = [method for method in wanted if method != "Admin/CreateKey"]
        assert noted == wanted or count == self.KEY and noted == without, f"{where}: {org.tenant}: {noted}"

    def noted(self, org):
        """The changes that the audit trail tells of, the oldest first."""
        return [event.method.removeprefix("tollgate.v1.") for event in reversed(org.events())]


def origins(org):
    from tollgate.v1 import common_pb2 as c

    return [
        (c.GrantOrigin.Name(g.origin).removeprefix("GRANT_ORIGIN_").lower(), g.amount_micros // CREDIT)
        for g in org.grants()]
