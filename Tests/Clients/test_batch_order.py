"""The steps of one call are taken in their order, also where one must be looked up and the next need not."""

import random
import uuid

import pytest
from book import transactions
from support import CREDIT, new_id

ROUNDS = 300


def old_id(random):
    """A UUID that says nothing of when it was made, so that whether it is new must be looked up."""
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


@pytest.mark.parametrize("call", ["Batch", "Meter"])
def test_steps_are_taken_in_their_order_whatever_their_ids_are(server, seed, call):
    from tollgate.v1 import metering_pb2 as m

    rng = random.Random(seed)
    client = server.tenant("acme", credits=1_000)
    client.metering.Charge(m.ChargeRequest(reservation_id=old_id(rng), amount_micros=CREDIT))
    # A book that was loaded from disk does not have all of it in memory.
    assert server.stop() == 0
    server.restart()
    client = server.client(tenant="acme")
    available, sent = 999 * CREDIT, []
    for _ in range(ROUNDS):
        steps, expected = [], []
        for _ in range(4):
            micros = rng.randint(1, 1_000)
            step_id = old_id(rng) if rng.random() < 0.5 else new_id()
            steps.append(m.Step(charge=m.ChargeRequest(reservation_id=step_id, amount_micros=micros)))
            available -= micros
            expected.append(available)
            sent.append(step_id)
        if call == "Batch":
            results = client.metering.Batch(m.BatchRequest(steps=steps)).results
        else:
            requests = [m.MeterRequest(tag=tag, step=step) for tag, step in enumerate(steps)]
            answers = sorted(client.metering.Meter(iter(requests)), key=lambda answer: answer.tag)
            results = [answer.result for answer in answers]
        assert [result.charge.balance.available_micros for result in results] == expected
    history = [t.step_id for t in reversed(transactions(client, page_size=1_000)) if t.reservation_id]
    assert history[1:] == sent
