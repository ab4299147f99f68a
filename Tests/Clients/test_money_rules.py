"""One test for each of the money rules of the design, named after it. Other files look at each from more sides."""

import pytest
from book import assert_adds_up, reservation
from credit_model import Limit
from grpc import StatusCode
from model_calendar import DAY, HOUR, MINUTE, utc
from organisation import Org, advance, advance_to, now, wake_up_at
from player import enum, instant
from support import CREDIT, in_parallel, new_id, refused

CATALOG = {
    "features": {
        "chat": {
            "units": {"words": {"micros": 10, "per": 3}}, "quality_percent": {"cheap": 50, "medium": 100, "best": 200}},
        "page": {"units": {"screens": {"tiers": [
            {"name": "small", "from": 1, "micros": CREDIT}, {"name": "large", "from": 5, "micros": 2 * CREDIT}]}}}},
    "plans": {
        "month": {"allowance": {"micros": 100 * CREDIT, "kind": "subscription"}},
        "owing": {
            "allowance": {"micros": 100 * CREDIT, "kind": "subscription"},
            "overage": {
                "cap_micros": 50 * CREDIT, "billed": False,
                "price": {"currency": "USD", "minor_units": 40, "per_micros": CREDIT}}}},
    "tenants": {"special": {"features": {"chat": {"units": {"words": {"micros": 1}}}}}}}
START = "2026-01-15T12:00:00Z"
POOR = (StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS")


@pytest.fixture
def server(serve):
    return serve(CATALOG, START)


@pytest.fixture
def org(server):
    org = Org.create(server)
    yield org
    assert_adds_up(org.client)
    server.verify()


def parts(org):
    """Of each grant by its comment: credits available, held, consumed and expired."""
    return {
        g.comment: tuple(part // CREDIT for part in (
            g.available_micros, g.held_micros, g.consumed_micros, g.expired_micros)) for g in org.grants()}


def test_credits_are_taken_from_the_grant_that_expires_first_then_by_kind_then_the_oldest(org):
    soon, late = now(org.server) + DAY, now(org.server) + 2 * DAY
    order = [
        ("purchased", soon), ("subscription", late), ("complimentary", late), ("gifted", late), ("purchased", late),
        ("subscription", None), ("complimentary", None), ("gifted", None), ("purchased", None), ("purchased", None)]
    # Given in another order, but for the two that only their age tells apart.
    for rank in [4, 7, 8, 9, 2, 5, 1, 0, 6, 3]:
        kind, expires = order[rank]
        org.grant(10 * CREDIT, kind, expires=expires, comment=str(rank))
    for rank in range(len(order)):
        org.spend(10 * CREDIT)
        used = [int(comment) for comment, found in parts(org).items() if found[2]]
        assert sorted(used) == list(range(rank + 1))


def test_a_hold_takes_its_credits_when_it_is_made_and_keeps_them_to_the_end(org):
    ends = now(org.server) + HOUR
    org.grant(10 * CREDIT, "gifted", expires=ends, comment="gift")
    org.grant(10 * CREDIT, comment="bought")
    held = org.hold(12 * CREDIT, ttl=DAY)
    assert parts(org) == {"gift": (0, 10, 0, 0), "bought": (8, 2, 0, 0)}
    advance_to(org.server, ends)
    assert parts(org)["gift"] == (0, 10, 0, 0)
    org.commit(held, 11 * CREDIT, partial=True)
    assert parts(org) == {"gift": (0, 0, 10, 0), "bought": (8, 1, 1, 0)}


def test_what_is_given_back_goes_to_the_grant_it_came_from_and_expires_at_once_if_that_has(org):
    ends = now(org.server) + HOUR
    org.grant(30 * CREDIT, "gifted", expires=ends, comment="gift")
    org.grant(10 * CREDIT, comment="bought")
    released, smaller, charged = org.hold(10 * CREDIT, ttl=DAY), org.hold(10 * CREDIT, ttl=DAY), org.spend(12 * CREDIT)
    advance_to(org.server, ends)
    assert org.release(released).balance.available_micros == 8 * CREDIT
    assert org.commit(smaller, 4 * CREDIT).balance.available_micros == 8 * CREDIT
    assert org.refund(charged).balance.available_micros == 10 * CREDIT
    assert parts(org) == {"gift": (0, 0, 4, 26), "bought": (10, 0, 0, 0)}


def test_a_hold_ends_by_itself_at_its_ttl_and_not_at_the_next_sweep(org):
    org.grant(10 * CREDIT)
    began = now(org.server)
    by_default, short, long = org.hold(CREDIT), org.hold(CREDIT, ttl=1_234_567), org.hold(CREDIT, ttl=7 * DAY)
    advance(org.server, 30 * DAY)
    for hold, ttl in [(by_default, 15 * MINUTE), (short, 1_234_567), (long, 7 * DAY)]:
        found = reservation(org.client, hold)
        assert (found.state, instant(found, "close_time")) == (enum("RESERVATION_STATE", "expired"), began + ttl)
    times = [t.time.ToMicroseconds() - began for t in reversed(org.transactions())]
    assert times[-3:] == [1_234_567, 15 * MINUTE, 7 * DAY]
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="ttl"):
        org.hold(CREDIT, ttl=7 * DAY + 1_000_000)


def test_a_late_commit_is_charged_where_the_credits_are_there_and_says_so_or_is_refused_whole(org):
    org.grant(10 * CREDIT)
    first, second, third = (org.hold(3 * CREDIT, ttl=MINUTE) for _ in range(3))
    advance(org.server, 11 * MINUTE)
    assert org.commit(first, 4 * CREDIT).late
    with refused(*POOR):
        org.commit(second, 7 * CREDIT)
    assert org.available() == 6 * CREDIT
    advance(org.server, 1)
    with refused(StatusCode.FAILED_PRECONDITION, "RESERVATION_CLOSED"):
        org.commit(third, CREDIT)


def test_replay_comes_before_refusal_and_a_refusal_is_remembered_under_its_id(org):
    from tollgate.v1 import metering_pb2 as m

    org.grant(10 * CREDIT)
    done = m.ChargeRequest(reservation_id=new_id(), amount_micros=10 * CREDIT)
    first = org.client.metering.Charge(done)
    poor = m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT)
    with refused(*POOR):
        org.client.metering.Charge(poor)
    org.grant(10 * CREDIT)
    org.set_limits(Limit("tenant", "day", hard=1))
    org.set_ai(False)
    again = org.client.metering.Charge(done)
    assert again.replayed and again.balance == first.balance
    with refused(*POOR):
        org.client.metering.Charge(poor)
    advance(org.server, DAY - 1)
    with refused(*POOR):
        org.client.metering.Charge(poor)
    # Successes are remembered for ever, and a new try takes a new id.
    advance(org.server, 1_000 * DAY)
    assert org.client.metering.Charge(done).replayed
    org.set_ai(True)
    org.set_limits()
    org.spend(CREDIT)


def test_a_refund_or_release_gives_back_in_the_reverse_of_the_order_in_which_grants_were_drawn(org):
    for name, days in [("a", 1), ("b", 2), ("c", 3)]:
        org.grant(10 * CREDIT, expires=now(org.server) + days * DAY, comment=name)
    charged = org.spend(25 * CREDIT)
    org.refund(charged, 8 * CREDIT)
    assert parts(org) == {"a": (0, 0, 10, 0), "b": (3, 0, 7, 0), "c": (10, 0, 0, 0)}
    held = org.hold(12 * CREDIT)
    org.commit(held, 4 * CREDIT)
    assert parts(org) == {"a": (0, 0, 10, 0), "b": (0, 0, 10, 0), "c": (9, 0, 1, 0)}
    org.release(org.hold(5 * CREDIT))
    org.refund(charged)
    assert parts(org) == {"a": (10, 0, 0, 0), "b": (7, 0, 3, 0), "c": (9, 0, 1, 0)}


def test_what_is_owed_is_paid_first_by_the_next_grant(server):
    org = Org.create(server, "debtor", plan="owing")
    org.spend(120 * CREDIT)
    assert org.balance().owed_micros == 20 * CREDIT
    grant = org.grant(15 * CREDIT, "gifted").grant
    assert (grant.paid_micros, grant.available_micros, org.balance().owed_micros) == (15 * CREDIT, 0, 5 * CREDIT)
    grant = org.grant(15 * CREDIT, "gifted").grant
    assert (grant.paid_micros, grant.available_micros, org.balance().owed_micros) == (5 * CREDIT, 10 * CREDIT, 0)
    assert_adds_up(org.client)


def test_a_cycles_allowance_comes_at_its_start_and_what_is_left_expires_at_its_end(server):
    org = Org.create(server, "monthly", plan="month", zone="America/New_York")
    org.spend(30 * CREDIT)
    turn = utc(2026, 2, 1, 5)
    advance_to(server, turn - 1)
    assert org.available() == 70 * CREDIT
    advance_to(server, turn)
    assert org.available() == 100 * CREDIT
    old, new = org.grants()
    assert (old.expired_micros, instant(new, "create_time"), instant(new, "expire_time")) == (
        70 * CREDIT, turn, utc(2026, 3, 1, 5))
    assert_adds_up(org.client)


def test_a_tenant_asleep_for_months_gets_the_same_book_as_one_that_was_awake(serve):
    awake, asleep = serve(CATALOG, START), serve(CATALOG, START)
    books = []
    for server in (awake, asleep):
        org = Org.create(server, plan="month", zone="Europe/Berlin")
        org.spend(30 * CREDIT, reservation_id="00000000-0000-4000-8000-000000000001")
        if server is awake:
            for _ in range(200):
                advance(server, DAY)
                org.balance()
        else:
            wake_up_at(server, now(awake))
            org = Org(server, "acme")
        entries = org.transactions()
        for entry in entries:
            entry.ClearField("hash")
        books.append((entries, org.grants()))
    assert books[0] == books[1]
    assert len(books[0][0]) == 2 + 2 * 7


def test_prices_come_from_the_rate_card_by_unit_quality_and_tier_rounded_up_once_per_line(org):
    org.grant(100 * CREDIT)
    for quality, words, micros in [
            ("cheap", 1, 2), ("medium", 1, 4), ("best", 1, 7), ("medium", 3, 10), (None, 100, 334)]:
        charged = org.charge(feature="chat", quantities={"words": words}, quality=quality)
        assert charged.charged_micros == micros, (quality, words)
    for screens, credits in [(4, 4), (5, 10)]:
        assert org.charge(feature="page", quantities={"screens": screens}).charged_micros == credits * CREDIT


def test_prices_are_a_tenants_own_where_it_has_some(server):
    special = Org.create(server, "special")
    special.grant(CREDIT)
    assert special.charge(feature="chat", quantities={"words": 5}).charged_micros == 5


def test_a_reservation_keeps_the_prices_at_which_it_was_made(org):
    import json
    from tollgate.v1 import admin_pb2 as a

    org.grant(100 * CREDIT)
    held = org.hold(feature="chat", quantities={"words": 30})
    features = {**CATALOG["features"], "chat": {"units": {"words": {"micros": 1_000}}}}
    org.client.admin.ApplyCatalog(
        a.ApplyCatalogRequest(catalog_json=json.dumps({**CATALOG, "features": features}).encode()))
    assert org.charge(feature="chat", quantities={"words": 3}).charged_micros == 3_000
    assert org.commit(held, quantities={"words": 3}).charged_micros == 10


def test_a_soft_limit_tells_and_a_hard_one_refuses(org):
    from tollgate.v1 import credits_pb2 as cr

    org.grant(100 * CREDIT)
    org.set_limits(Limit("tenant", "cycle", soft=7 * CREDIT, hard=9 * CREDIT))
    org.spend(7 * CREDIT)
    assert org.balance().limit_state == cr.LIMIT_STATE_SOFT_REACHED
    org.spend(2 * CREDIT)
    assert org.balance().limit_state == cr.LIMIT_STATE_HARD_REACHED
    with refused(StatusCode.RESOURCE_EXHAUSTED, "HARD_LIMIT_REACHED"):
        org.charge(1)


def test_overage_goes_on_past_zero_up_to_its_cap_and_is_kept_apart_as_what_is_owed(server):
    org = Org.create(server, "debtor", plan="owing")
    org.spend(100 * CREDIT)
    held = org.hold(20 * CREDIT)
    assert (org.available(), org.balance().owed_micros) == (0, 0)
    org.spend(30 * CREDIT)
    assert (org.available(), org.balance().owed_micros) == (0, 30 * CREDIT)
    with refused(*POOR):
        org.charge(1)
    org.release(held)
    org.spend(20 * CREDIT)
    assert org.balance().owed_micros == 50 * CREDIT
    assert_adds_up(org.client)


def test_never_below_zero_nor_past_the_cap_however_many_callers_race(server):
    """64 callers, each until it is refused: 100 credits and 50 on overage are given out to the micro."""
    import grpc

    org = Org.create(server, "race", plan="owing")
    clients = [Org(server, "race") for _ in range(8)]

    def take(index):
        charged, asked = 0, 1_234_567 + index
        while asked:
            try:
                charged += clients[index % 8].charge(asked).charged_micros
            except grpc.RpcError as error:
                assert error.code() == StatusCode.RESOURCE_EXHAUSTED
                asked //= 2
        return charged

    assert sum(in_parallel(64, take)) == 150 * CREDIT
    assert (org.available(), org.balance().owed_micros) == (0, 50 * CREDIT)
    assert_adds_up(org.client)
