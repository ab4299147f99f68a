"""From which grants credits are taken, and to which they go back."""

import datetime

import pytest
from book import assert_adds_up, grants, transactions
from google.protobuf import timestamp_pb2
from support import CREDIT, new_id

# As they are granted: name, kind, days until it expires.
BLOCKS = [
    ("bought", "PURCHASED", None), ("bought later", "PURCHASED", None), ("given", "GIFTED", None),
    ("to try", "COMPLIMENTARY", None), ("the plan's", "SUBSCRIPTION", None), ("given, two days", "GIFTED", 2),
    ("bought, one day", "PURCHASED", 1), ("plan's, two days", "SUBSCRIPTION", 2),
    ("to try, two days", "COMPLIMENTARY", 2), ("bought, two days", "PURCHASED", 2)]
# The earliest expiry first; among equals subscription, complimentary, gifted, purchased; then the oldest.
ORDER = ["bought, one day", "plan's, two days", "to try, two days", "given, two days", "bought, two days",
         "the plan's", "to try", "given", "bought", "bought later"]


@pytest.fixture
def client(shared_server, request):
    """A tenant with 10 credits in each block."""
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import common_pb2 as c

    # Whole days from one moment, so that those of two days are equals.
    now = datetime.datetime.now(datetime.timezone.utc)
    tenant = request.node.name.replace("_", "-")[:63]
    client = shared_server.tenant(tenant)
    for name, kind, days in BLOCKS:
        grant = a.GrantCreditsRequest(
            grant_id=new_id(), tenant_id=tenant, kind=getattr(c, f"GRANT_KIND_{kind}"), amount_micros=10 * CREDIT,
            comment=name)
        if days:
            expires = timestamp_pb2.Timestamp()
            expires.FromDatetime(now + datetime.timedelta(days=days))
            grant.expire_time.CopyFrom(expires)
        client.admin.GrantCredits(grant)
    return client


def spent(client):
    """By block in burn-down order: credits consumed and held."""
    found = {g.comment: (g.consumed_micros // CREDIT, g.held_micros // CREDIT) for g in grants(client)}
    return [found[name] for name in ORDER]


def charge(client, credits):
    from tollgate.v1 import metering_pb2 as m

    request = m.ChargeRequest(reservation_id=new_id(), amount_micros=credits * CREDIT)
    client.metering.Charge(request)
    return request.reservation_id


def full_blocks(credits):
    return [(min(10, max(0, credits - 10 * n)), 0) for n in range(len(ORDER))]


def test_the_earliest_expiry_goes_first_and_then_by_kind_and_age(client):
    for used in range(5, 101, 5):
        charge(client, 5)
        assert spent(client) == full_blocks(used)
    assert client.balance().available_micros == 0
    assert_adds_up(client)


def test_what_a_hold_does_not_use_goes_back_in_the_reverse_order(client):
    from tollgate.v1 import metering_pb2 as m

    hold = new_id()
    client.metering.Reserve(m.ReserveRequest(reservation_id=hold, amount_micros=25 * CREDIT))
    assert spent(client)[:4] == [(0, 10), (0, 10), (0, 5), (0, 0)]
    # Meanwhile others draw from what comes after it.
    charge(client, 7)
    assert spent(client)[:4] == [(0, 10), (0, 10), (5, 5), (2, 0)]
    client.metering.Commit(m.CommitRequest(reservation_id=hold, amount_micros=4 * CREDIT, partial=True))
    assert spent(client)[:4] == [(4, 6), (0, 10), (5, 5), (2, 0)]
    client.metering.Commit(m.CommitRequest(reservation_id=hold, amount_micros=8 * CREDIT))
    assert spent(client)[:4] == [(10, 0), (2, 0), (5, 0), (2, 0)]
    assert_adds_up(client)


def test_a_refund_goes_back_to_the_grants_it_came_from_the_last_first(client):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import credits_pb2 as cr
    from tollgate.v1 import metering_pb2 as m

    charged = charge(client, 25)

    def refund(credits):
        request = m.RefundRequest(refund_id=new_id(), reservation_id=charged, amount_micros=credits * CREDIT)
        return client.metering.Refund(request)

    assert refund(7).balance.available_micros == 82 * CREDIT
    assert spent(client)[:3] == [(10, 0), (8, 0), (0, 0)]
    newest = transactions(client)[0]
    assert newest.kind == cr.TRANSACTION_KIND_REFUND
    assert [(s.kind, s.amount_micros) for s in newest.sources] == [
        (c.GRANT_KIND_COMPLIMENTARY, 5 * CREDIT), (c.GRANT_KIND_SUBSCRIPTION, 2 * CREDIT)]
    # What was given back is the next to be taken again, by its own rank.
    charge(client, 3)
    assert spent(client)[:3] == [(10, 0), (10, 0), (1, 0)]
    rest = refund(0)
    assert (rest.refunded_micros, rest.reservation.refunded_micros) == (18 * CREDIT, 25 * CREDIT)
    assert spent(client)[:3] == [(0, 0), (2, 0), (1, 0)]
    assert_adds_up(client)


def test_a_release_gives_all_of_it_back(client):
    from tollgate.v1 import metering_pb2 as m

    hold = new_id()
    client.metering.Reserve(m.ReserveRequest(reservation_id=hold, amount_micros=95 * CREDIT))
    assert client.balance().available_micros == 5 * CREDIT
    client.metering.Release(m.ReleaseRequest(reservation_id=hold))
    assert spent(client) == full_blocks(0)
    assert_adds_up(client)


def test_the_balance_by_kind_and_its_gauge(client):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import credits_pb2 as cr

    balance = client.balance()
    assert [(k.kind, k.available_micros // CREDIT) for k in balance.by_kind] == [
        (c.GRANT_KIND_SUBSCRIPTION, 20), (c.GRANT_KIND_PURCHASED, 40), (c.GRANT_KIND_GIFTED, 20),
        (c.GRANT_KIND_COMPLIMENTARY, 20)]
    assert all(k.HasField("next_expire_time") for k in balance.by_kind)
    # The gauge is full at what the subscription gave.
    for used, percent, level, text in [
            (0, 500, cr.BALANCE_LEVEL_HEALTHY, "Credits healthy"),
            (85, 75, cr.BALANCE_LEVEL_HEALTHY, "Credits healthy"),
            (1, 70, cr.BALANCE_LEVEL_MODERATE, "Credits in good shape"),
            (4, 50, cr.BALANCE_LEVEL_MODERATE, "Credits in good shape"),
            (1, 45, cr.BALANCE_LEVEL_LOW, "Credits running low"),
            (5, 20, cr.BALANCE_LEVEL_LOW, "Credits running low"),
            (1, 15, cr.BALANCE_LEVEL_VERY_LOW, "Credits very low"),
            (3, 0, cr.BALANCE_LEVEL_EXHAUSTED, "No credits remaining")]:
        if used:
            charge(client, used)
        balance = client.balance()
        assert (balance.gauge_percent, balance.level, balance.status_text) == (percent, level, text)


def test_lists_of_grants_come_in_pages_and_by_kind(client):
    from tollgate.v1 import common_pb2 as c

    assert [g.comment for g in grants(client, page_size=3)] == [name for name, _, _ in BLOCKS]
    gifts = grants(client, page_size=1, kind=c.GRANT_KIND_GIFTED)
    assert [g.comment for g in gifts] == ["given", "given, two days"]
    charge(client, 20)
    active = {g.comment for g in grants(client, page_size=3, only_active=True)}
    assert active == {name for name, _, _ in BLOCKS} - set(ORDER[:2])
