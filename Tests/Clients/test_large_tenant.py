"""A tenant with ten thousand grants, ten thousand open holds and fifty limits works as any other does."""

import itertools

import pytest
from book import grants, reservations
from credit_model import Limit
from grpc import StatusCode
from model_calendar import DAY, HOUR
from organisation import Org, advance, now
from player import duration, enum, moment
from support import CREDIT, new_id, refused

GRANTS = 10_000
HOLDS = 10_000
LIMITS = 50
BATCH = 1_000
UNDER_WAY = 200


def grant_many(org, count):
    """Each of 3 credits; every fifth expires some day."""
    from tollgate.v1 import admin_pb2 as a

    began = now(org.server)
    requests = [
        a.GrantCreditsRequest(
            grant_id=new_id(), tenant_id=org.tenant, kind=1 + n % 4, amount_micros=3 * CREDIT,
            expire_time=moment(began + DAY + n) if n % 5 == 0 else None) for n in range(count)]
    waiting = iter(requests)
    while calls := [org.client.admin.GrantCredits.future(r) for r in itertools.islice(waiting, UNDER_WAY)]:
        for call in calls:
            call.result()


def hold_many(org, count):
    """Each of one credit, by a hundred members, for an hour."""
    from tollgate.v1 import metering_pb2 as m

    found = []
    for first in range(0, count, BATCH):
        steps = [
            m.Step(reserve=m.ReserveRequest(
                reservation_id=new_id(), amount_micros=CREDIT, actor=f"member-{n % 100}", feature=f"feature-{n % 7}",
                ttl=duration(HOUR))) for n in range(first, first + BATCH)]
        for step, result in zip(steps, org.client.metering.Batch(m.BatchRequest(steps=steps)).results):
            assert result.WhichOneof("kind") == "reserve", result
            found.append(step.reserve.reservation_id)
    return found


@pytest.fixture
def org(serve):
    return Org.create(serve())


def test_a_large_tenant_works_as_any_other(org):
    org.set_limits(
        Limit("tenant", "day", hard=HOLDS * CREDIT + 5 * CREDIT),
        *[Limit("member", "week", f"member-{n}", hard=1_000 * CREDIT) for n in range(LIMITS - 1)])
    grant_many(org, GRANTS)
    holds = hold_many(org, HOLDS)
    total = 3 * GRANTS * CREDIT

    def check(org, held, consumed):
        balance = org.balance()
        assert (balance.held_micros, balance.available_micros) == (held, total - held - consumed)
        blocks = grants(org.client)
        assert len(blocks) == GRANTS
        assert sum(g.held_micros for g in blocks) == held
        assert sum(g.consumed_micros for g in blocks) == consumed
        status = org.limit()
        assert (status.held_micros, status.consumed_micros) == (held, consumed)

    check(org, HOLDS * CREDIT, 0)
    # Any step, among all of these.
    one = org.hold(2 * CREDIT, actor="member-3")
    with refused(StatusCode.RESOURCE_EXHAUSTED, "HARD_LIMIT_REACHED"):
        org.charge(4 * CREDIT)
    org.release(one)
    org.commit(holds[4_711], CREDIT // 2)
    org.refund(holds[4_711], CREDIT // 4)
    org.extend(holds[17], 2 * HOUR)
    assert org.charge(5 * CREDIT, actor="member-3").charged_micros == 5 * CREDIT
    check(org, (HOLDS - 1) * CREDIT, 5 * CREDIT + CREDIT // 4)

    org.server.kill()
    org.server.restart()
    org = Org(org.server, "acme")
    check(org, (HOLDS - 1) * CREDIT, 5 * CREDIT + CREDIT // 4)
    open_state = enum("RESERVATION_STATE", "open")
    assert len(reservations(org.client, page_size=1_000, state=open_state)) == HOLDS - 1
    # All of them end at once, and then a fifth of the grants, one after the other.
    advance(org.server, 2 * HOUR)
    check(org, 0, 5 * CREDIT + CREDIT // 4)
    advance(org.server, 2 * DAY)
    expired = sum(g.expired_micros for g in grants(org.client))
    assert 0 < expired <= GRANTS // 5 * 3 * CREDIT
    assert org.balance().available_micros == total - 5 * CREDIT - CREDIT // 4 - expired
    org.server.verify()
