"""What a client knows of the steps that it sent: those that were answered, those in doubt, and what must follow of them.

The one record of all proofs that take the server away under load. A client keeps it by itself, from answers alone; after
the server is back, `settle` proves it against the server: each answered step is done again by its id and must give the
same answer, each in doubt is done or not, whole, and from then on is done once.
"""

import grpc
from support import DEADLINE_S

# Steps that are sent again in one call.
REPLAYED_AT_ONCE = 500
# Of the steps of earlier rounds so many are kept for each tenant, chosen evenly.
KEPT_STEPS = 2_000
# The order of fields in `Step` and `StepResult`.
CALLS = {"Reserve": "reserve", "Commit": "commit", "Release": "release", "Refund": "refund", "Extend": "extend",
         "Charge": "charge"}


def wrapped(name, request):
    """A request as a step of a Batch or a Meter stream."""
    from tollgate.v1 import metering_pb2 as m

    return m.Step(**{CALLS[name]: request})


def answer_of(result):
    """The answer of a step without saying whether it is the first, and whether it is: (answer, replayed)."""
    kind = result.WhichOneof("kind")
    if kind == "error":
        return result, None
    plain = type(result)()
    plain.CopyFrom(result)
    answer = getattr(plain, kind)
    replayed = answer.replayed
    answer.replayed = False
    return plain, replayed


class Record:
    """One tenant's book as the answers to all clients tell it."""

    def __init__(self, tenant, chance):
        self.tenant, self.chance = tenant, chance
        self.granted = 0
        self.held, self.charged, self.refunded = {}, {}, {}
        self.steps = self.refusals = self.doubtful = self.lost = self.grants = 0
        self.kept, self.offered = [], 0

    def add(self, step, answer):
        """A step that is done, with its answer."""
        kind = answer.WhichOneof("kind")
        if kind == "error":
            self.refusals += 1
        else:
            self.steps += 1
            part = getattr(answer, kind)
            hold = part.reservation.reservation_id
            if part.reservation.held_micros:
                self.held[hold] = part.reservation.held_micros
            else:
                self.held.pop(hold, None)
            if kind in ("commit", "charge"):
                self.charged[hold] = self.charged.get(hold, 0) + part.charged_micros
            elif kind == "refund":
                self.refunded[hold] = self.refunded.get(hold, 0) + part.refunded_micros
        self.offered += 1
        if len(self.kept) < KEPT_STEPS:
            self.kept.append((step, answer))
        elif self.chance.random() * self.offered < KEPT_STEPS:
            self.kept[self.chance.randrange(KEPT_STEPS)] = (step, answer)

    def add_charges(self, count, micros):
        """So many charges that are done, of which nobody knows more."""
        self.steps += count
        self.charged[None] = self.charged.get(None, 0) + count * micros

    def grant(self, micros):
        self.granted += micros
        self.grants += 1

    @property
    def held_micros(self):
        return sum(self.held.values())

    @property
    def available_micros(self):
        return self.granted - self.held_micros - sum(self.charged.values()) + sum(self.refunded.values())

    @property
    def done(self):
        """Entries of the book that follow from the record: a refusal has none."""
        return self.steps + self.grants

    def assert_balance(self, client, where):
        balance = client.balance()
        found = balance.held_micros, balance.available_micros
        assert found == (self.held_micros, self.available_micros), f"{where}: {self.tenant}"


def sent_again(client, steps):
    """The answers to steps that are sent (again), in their order."""
    from tollgate.v1 import metering_pb2 as m

    results = []
    for first in range(0, len(steps), REPLAYED_AT_ONCE):
        part = steps[first:first + REPLAYED_AT_ONCE]
        results += client.metering.Batch(m.BatchRequest(steps=part), timeout=DEADLINE_S).results
    return results


def assert_replayed(client, acknowledged, where):
    """Each of these steps, with its answer, was done, and says so in the same words."""
    for (step, answer), result in zip(acknowledged, sent_again(client, [step for step, _ in acknowledged])):
        again, replayed = answer_of(result)
        assert replayed is not False, f"{where}: an acknowledged step was lost: {step}"
        assert again == answer, f"{where}: another answer to {step}: {again} instead of {answer}"


def settle(client, acknowledged, in_doubt, record, where):
    """Proves what one client had acknowledged, and has what it does not know of done.

    - in_doubt: Steps that were sent in one call or on one stream and not answered: of these the first so many were done,
      and the others not.
    """
    assert_replayed(client, acknowledged, where)
    for step, answer in acknowledged:
        record.add(step, answer)
    if not in_doubt:
        return
    first = [answer_of(result) for result in sent_again(client, in_doubt)]
    done = [replayed for _, replayed in first if replayed is not None]
    assert done == sorted(done, reverse=True), f"{where}: a step was done and one before it was not"
    assert_replayed(client, [(step, answer) for step, (answer, _) in zip(in_doubt, first)], where)
    for step, (answer, _) in zip(in_doubt, first):
        record.add(step, answer)
    record.doubtful += len(in_doubt)
    record.lost += done.count(False)


def is_gone(error):
    """The server was not there, or would not: whoever sees it knows nothing of what was sent."""
    return error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
