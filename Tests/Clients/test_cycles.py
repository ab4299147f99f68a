"""Plans and cycles: credits on sign-up, allowances that turn at their exact instant, trials, rollover and overage."""

import pytest
from book import assert_adds_up
from grpc import StatusCode
from model_calendar import DAY, HOUR, MINUTE, text, utc
from organisation import Org, advance, advance_to, wake_up_at
from player import enum, instant
from support import CREDIT, refused

ALLOWANCE = {"micros": 100 * CREDIT, "kind": "subscription"}
CATALOG = {
    "features": {},
    "plans": {
        "month": {"allowance": ALLOWANCE},
        "day": {"allowance": ALLOWANCE, "cycle": "anniversary"},
        "large": {"allowance": {"micros": 250 * CREDIT, "kind": "subscription"}, "counts": ["active", "grandfathered"]},
        "rolling": {
            "allowance": ALLOWANCE,
            "rollover": {"minimum_micros": 10 * CREDIT, "maximum_micros": 40 * CREDIT, "expires_after_cycles": 2}},
        "keeping": {"allowance": ALLOWANCE, "rollover": {"minimum_micros": 0, "maximum_micros": 1_000 * CREDIT}},
        "owing": {
            "allowance": ALLOWANCE,
            "overage": {
                "cap_micros": 50 * CREDIT, "billed": False,
                "price": {"currency": "USD", "minor_units": 40, "per_micros": CREDIT}}},
        "billed": {
            "allowance": ALLOWANCE,
            "overage": {
                "cap_micros": 50 * CREDIT, "billed": True,
                "price": {"currency": "USD", "minor_units": 40, "per_micros": CREDIT}}},
        "trying": {
            "trial": {"days": 14, "micros": 30 * CREDIT, "then": "active"}, "allowance": ALLOWANCE,
            "cycle": "anniversary", "counts": ["active"], "packs": ["active", "grandfathered"]},
        "free": {"sign_up": [
            {"micros": 70 * CREDIT, "kind": "complimentary"},
            {"micros": 5 * CREDIT, "kind": "gifted", "expires_after_days": 3}]}}}


def summary(org):
    """Each entry that moved credits by itself or granted some: when, what, how much; the oldest first."""
    from tollgate.v1 import credits_pb2 as cr

    return [
        (text(t.time.ToMicroseconds()), cr.TransactionKind.Name(t.kind).removeprefix("TRANSACTION_KIND_").lower(),
         t.amount_micros // CREDIT)
        for t in reversed(org.transactions())]


def origins(org):
    from tollgate.v1 import common_pb2 as c

    return [
        (c.GrantOrigin.Name(g.origin).removeprefix("GRANT_ORIGIN_").lower(), g.amount_micros // CREDIT)
        for g in org.grants()]


# MARK: Signing up


def test_credits_on_sign_up_come_once_for_ever(serve):
    server = serve(CATALOG, "2026-01-15T10:00:00Z")
    org = Org.create(server, plan="free")
    assert origins(org) == [("sign_up", 70), ("sign_up", 5)]
    first, second = org.grants()
    assert (first.kind, second.kind) == (enum("GRANT_KIND", "complimentary"), enum("GRANT_KIND", "gifted"))
    assert not first.HasField("expire_time")
    assert second.expire_time.ToMicroseconds() == utc(2026, 1, 18, 10)
    # Without cycles nothing ever turns.
    assert org.cycle() == (None, None)
    advance_to(server, utc(2026, 6, 1))
    assert org.available() == 70 * CREDIT
    org.update(plan="")
    org.update(plan="free")
    org.update(plan="month")
    assert origins(org) == [("sign_up", 70), ("sign_up", 5), ("allowance", 100)]
    assert_adds_up(org.client)


def test_a_tenant_without_a_plan_gets_nothing_and_is_active(serve):
    org = Org.create(serve(CATALOG))
    shown = org.shown()
    assert (shown.plan, shown.subscription) == ("", enum("SUBSCRIPTION_STATE", "active"))
    assert not shown.HasField("subscription_details")
    assert org.grants() == []


def test_a_plan_that_the_catalog_does_not_have_is_refused(serve):
    server = serve(CATALOG)
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="plan"):
        Org.create(server, plan="golden")
    org = Org.create(server, plan="month")
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="plan"):
        org.update(plan="golden")
    assert org.shown().plan == "month"


# MARK: Turning


def test_a_cycle_turns_at_its_exact_instant_and_once(serve):
    server = serve(CATALOG, "2026-01-31T12:00:00Z")
    org = Org.create(server, plan="month", zone="Asia/Kolkata")
    turn = utc(2026, 1, 31, 18, 30)
    assert org.cycle() == (utc(2026, 1, 31, 12), turn)
    org.spend(30 * CREDIT)
    advance_to(server, turn - 1)
    assert org.available() == 70 * CREDIT
    advance_to(server, turn)
    assert org.available() == 100 * CREDIT
    assert org.cycle() == (turn, utc(2026, 2, 28, 18, 30))
    expected = [
        ("2026-01-31T12:00:00Z", "grant", 100), ("2026-01-31T12:00:00Z", "charge", 30),
        ("2026-01-31T18:30:00Z", "grant_expiry", 70), ("2026-01-31T18:30:00Z", "grant", 100)]
    assert summary(org) == expected
    server.kill()
    server.restart()
    org = Org(server, "acme")
    assert summary(org) == expected
    assert_adds_up(org.client)


@pytest.mark.parametrize("zone, begin, turns", [
    # Month ends: the anchor is kept, and clamped where a month has no such day.
    ("UTC", (2026, 1, 31, 12), [(2026, 2, 28), (2026, 3, 31), (2026, 4, 30), (2026, 5, 31)]),
    ("UTC", (2027, 12, 30, 12), [(2028, 1, 30), (2028, 2, 29), (2028, 3, 30)]),
    ("UTC", (2028, 1, 29, 0), [(2028, 2, 29), (2028, 3, 29)]),
    ("UTC", (2026, 12, 29, 23), [(2027, 1, 29), (2027, 2, 28), (2027, 3, 29)]),
    # The day is the tenant's: it is the 31st in Auckland already, and the 29th in New York still.
    ("Pacific/Auckland", (2026, 1, 30, 12), [(2026, 2, 27, 11), (2026, 3, 30, 11), (2026, 4, 29, 12)]),
    ("America/New_York", (2026, 1, 30, 3), [(2026, 2, 28, 5), (2026, 3, 29, 4)]),
    # Half an hour of daylight saving.
    ("Australia/Lord_Howe", (2026, 3, 10, 0), [(2026, 4, 9, 13, 30), (2026, 5, 9, 13, 30)]),
    # Midnight that does not exist is the first instant after the gap; of two, it is the earlier one.
    ("Asia/Beirut", (2026, 1, 29, 12), [(2026, 2, 27, 22), (2026, 3, 28, 22), (2026, 4, 28, 21)]),
    ("America/Havana", (2026, 10, 1, 12), [(2026, 11, 1, 4), (2026, 12, 1, 5)])])
def test_cycles_by_the_day_keep_it_in_the_tenants_time_zone(serve, zone, begin, turns):
    server = serve(CATALOG, text(utc(*begin)))
    org = Org.create(server, plan="day", zone=zone)
    for turn in turns:
        assert text(org.cycle()[1]) == text(utc(*turn))
        advance_to(server, utc(*turn) - 1)
        org.spend(CREDIT)
        advance_to(server, utc(*turn))
        assert org.available() == 100 * CREDIT
    assert_adds_up(org.client)


def test_a_server_that_was_down_for_months_turns_every_cycle_at_its_date(serve):
    server = serve(CATALOG, "2026-01-31T12:00:00Z")
    org = Org.create(server, plan="day", zone="Europe/Berlin")
    org.spend(30 * CREDIT)
    org.hold(10 * CREDIT, ttl=DAY)
    wake_up_at(server, utc(2026, 6, 10))
    org = Org(server, "acme")
    expected = [
        ("2026-01-31T12:00:00Z", "grant", 100), ("2026-01-31T12:00:00Z", "charge", 30),
        ("2026-01-31T12:00:00Z", "reserve", 10), ("2026-02-01T12:00:00Z", "hold_expiry", 10)]
    for turn, left in [("02-27T23", 70), ("03-30T22", 100), ("04-29T22", 100), ("05-30T22", 100)]:
        expected += [(f"2026-{turn}:00:00Z", "grant_expiry", left), (f"2026-{turn}:00:00Z", "grant", 100)]
    assert summary(org) == expected
    wake_up_at(server, utc(2026, 6, 11))
    org = Org(server, "acme")
    assert summary(org) == expected
    assert org.available() == 100 * CREDIT
    server.verify()


def test_a_sleeping_tenant_gets_the_terms_that_held_at_each_boundary(serve):
    from tollgate.v1 import admin_pb2 as a
    import json

    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org, grandfathered = Org.create(server, plan="month"), Org.create(server, "old", plan="month")
    grandfathered.update(state="grandfathered")
    advance_to(server, utc(2026, 2, 10))
    for month, credits in [(3, 40), (4, 60)]:
        plans = {**CATALOG["plans"], "month": {"allowance": {"micros": credits * CREDIT, "kind": "subscription"}}}
        server.client().admin.ApplyCatalog(
            a.ApplyCatalogRequest(catalog_json=json.dumps({**CATALOG, "plans": plans}).encode()))
        # In the running cycle nothing changes.
        assert org.available() == (100 if month == 3 else 40) * CREDIT
        if month == 3:
            advance_to(server, utc(2026, 3, 15))
    wake_up_at(server, utc(2026, 5, 15))
    org, grandfathered = Org(server, "acme"), Org(server, "old")
    assert origins(org) == [("allowance", credits) for credits in (100, 100, 40, 60, 60)]
    # Who is grandfathered keeps the terms as they were.
    assert origins(grandfathered) == [("allowance", 100)] * 5


def test_another_time_zone_leaves_the_running_cycles_end(serve):
    server = serve(CATALOG, "2026-03-15T12:00:00Z")
    org = Org.create(server, plan="month", zone="Europe/Berlin")
    org.update(zone="Pacific/Auckland")
    assert org.cycle()[1] == utc(2026, 3, 31, 22)
    assert org.shown().time_zone == "Pacific/Auckland"
    advance_to(server, utc(2026, 3, 31, 22))
    # That is 11:00 on 1 April in Auckland.
    assert org.cycle()[1] == utc(2026, 4, 30, 12)
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="time_zone"):
        org.update(zone="Mars/Olympus")


def test_holds_grants_and_the_cycle_that_end_at_one_instant_end_in_that_order(serve):
    server = serve(CATALOG, "2026-01-31T12:00:00Z")
    org = Org.create(server, plan="month")
    turn = utc(2026, 2, 1)
    org.grant(7 * CREDIT, "gifted", expires=turn)
    org.hold(10 * CREDIT, ttl=12 * HOUR)
    advance_to(server, turn)
    assert summary(org)[3:] == [
        ("2026-02-01T00:00:00Z", "hold_expiry", 10), ("2026-02-01T00:00:00Z", "grant_expiry", 90),
        ("2026-02-01T00:00:00Z", "grant_expiry", 7), ("2026-02-01T00:00:00Z", "grant", 100)]
    assert org.available() == 100 * CREDIT
    assert_adds_up(org.client)


def test_the_balance_tells_when_the_next_allowance_comes(serve):
    server = serve(CATALOG, "2026-01-31T12:00:00Z")
    org = Org.create(server, plan="day")
    kind, = org.balance().by_kind
    assert kind.kind == enum("GRANT_KIND", "subscription")
    assert instant(kind, "refresh_time") == instant(kind, "next_expire_time") == utc(2026, 2, 28)
    # Also where nothing of it is left.
    org.spend(100 * CREDIT)
    kind, = org.balance().by_kind
    assert (kind.available_micros, instant(kind, "refresh_time")) == (0, utc(2026, 2, 28))


# MARK: Trial


def test_a_trial_has_its_own_credits_and_ends_by_itself(serve):
    server = serve(CATALOG, "2026-01-17T06:00:00Z")
    org = Org.create(server, plan="trying", zone="Europe/Berlin")
    end = utc(2026, 1, 31, 6)
    shown = org.shown()
    assert shown.subscription == enum("SUBSCRIPTION_STATE", "trial")
    assert org.cycle() == (utc(2026, 1, 17, 6), end)
    assert not shown.subscription_details.packs_allowed
    grant, = org.grants()
    assert (grant.kind, grant.origin, grant.amount_micros, instant(grant, "expire_time")) == (
        enum("GRANT_KIND", "complimentary"), enum("GRANT_ORIGIN", "trial"), 30 * CREDIT, end)
    org.spend(10 * CREDIT)
    advance_to(server, end)
    assert summary(org)[2:] == [("2026-01-31T06:00:00Z", "grant_expiry", 20), ("2026-01-31T06:00:00Z", "grant", 100)]
    shown = org.shown()
    assert shown.subscription == enum("SUBSCRIPTION_STATE", "active")
    assert (shown.subscription_details.anchor_day, shown.subscription_details.packs_allowed) == (31, True)
    assert org.cycle() == (end, utc(2026, 2, 27, 23))
    # There is no second one.
    org.update(plan="")
    org.update(plan="trying")
    assert org.shown().subscription == enum("SUBSCRIPTION_STATE", "active")
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="subscription"):
        org.update(state="trial")


def test_who_pays_during_a_trial_gets_the_allowance_at_once(serve):
    server = serve(CATALOG, "2026-01-17T06:00:00Z")
    org = Org.create(server, plan="trying")
    advance(server, 3 * DAY)
    org.update(state="active")
    assert origins(org) == [("trial", 30), ("allowance", 100)]
    assert (org.available(), org.cycle()) == (130 * CREDIT, (utc(2026, 1, 20, 6), utc(2026, 2, 20)))
    assert org.shown().subscription_details.anchor_day == 20
    advance_to(server, utc(2026, 1, 31, 6))
    assert org.available() == 100 * CREDIT


def test_another_plan_in_a_trial_leaves_the_rest_of_it(serve):
    server = serve(CATALOG, "2026-01-17T06:00:00Z")
    org = Org.create(server, plan="trying")
    org.update(plan="large", rule="replace")
    assert (org.available(), org.cycle()[1]) == (30 * CREDIT, utc(2026, 1, 31, 6))
    assert org.shown().subscription == enum("SUBSCRIPTION_STATE", "trial")
    advance_to(server, utc(2026, 1, 31, 6))
    assert (org.available(), org.cycle()[1]) == (250 * CREDIT, utc(2026, 2, 1))


def test_a_trial_may_end_as_something_else_was_chosen_to(serve):
    server = serve(CATALOG, "2026-01-17T06:00:00Z")
    org = Org.create(server, plan="trying")
    assert org.update(state="canceled", when="cycle_end").subscription_details.next_state == enum(
        "SUBSCRIPTION_STATE", "canceled")
    advance_to(server, utc(2026, 3, 1))
    assert org.shown().subscription == enum("SUBSCRIPTION_STATE", "canceled")
    # Cycles go on turning, and no allowance comes.
    assert org.available() == 0
    assert org.cycle() == (utc(2026, 2, 28), utc(2026, 3, 31))


# MARK: Rollover and overage


def test_what_is_left_rolls_over_between_its_bounds_and_once(serve):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="rolling")
    org.spend(30 * CREDIT)
    advance_to(server, utc(2026, 2, 1))
    assert origins(org) == [("allowance", 100), ("rollover", 40), ("allowance", 100)]
    rolled = org.grants()[1]
    assert (rolled.kind, instant(rolled, "expire_time")) == (enum("GRANT_KIND", "subscription"), utc(2026, 4, 1))
    # 9 are left, less than the least; and what rolled over is not taken into account.
    org.spend(91 * CREDIT)
    advance_to(server, utc(2026, 3, 1))
    assert origins(org)[3:] == [("allowance", 100)]
    # What is held at the turn does not expire there, and does not roll over.
    org.hold(90 * CREDIT, ttl=7 * DAY)
    assert_adds_up(org.client)


def test_what_rolls_over_without_an_end_stays(serve):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="keeping")
    advance_to(server, utc(2026, 4, 15))
    assert origins(org) == [("allowance", 100)] + [("rollover", 100), ("allowance", 100)] * 3
    assert org.available() == 400 * CREDIT
    org.update(plan="month", when="cycle_end")
    advance_to(server, utc(2026, 5, 1))
    # The new cycle's terms decide.
    assert origins(org)[7:] == [("allowance", 100)]
    assert org.available() == 400 * CREDIT


def test_use_goes_past_zero_up_to_the_cap_and_is_owed(serve):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="owing")
    assert org.shown().subscription_details.overage_cap_micros == 50 * CREDIT
    org.spend(90 * CREDIT)
    held = org.hold(40 * CREDIT)
    balance = org.balance()
    assert (balance.available_micros, balance.held_micros, balance.owed_micros) == (0, 40 * CREDIT, 0)
    with refused(StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS"):
        org.charge(20 * CREDIT + 1)
    assert org.quote(20 * CREDIT + 1).affordable is False
    # What was drawn past zero is given back first.
    org.commit(held, 15 * CREDIT)
    assert (org.balance().owed_micros, org.available()) == (5 * CREDIT, 0)
    late = org.hold(30 * CREDIT, ttl=MINUTE)
    advance(server, 2 * MINUTE)
    assert org.commit(late, 45 * CREDIT).late
    assert org.balance().owed_micros == 50 * CREDIT
    # The next grant pays it first.
    granted = org.grant(20 * CREDIT)
    assert (granted.grant.paid_micros, granted.grant.available_micros) == (20 * CREDIT, 0)
    assert org.balance().owed_micros == 30 * CREDIT
    # A refund lowers what is owed; what was paid already goes back to the grant that paid.
    org.refund(late, 35 * CREDIT)
    assert (org.balance().owed_micros, org.available()) == (0, 5 * CREDIT)
    paying = org.grants()[-1]
    assert (paying.paid_micros, paying.available_micros) == (15 * CREDIT, 5 * CREDIT)
    server.verify()


def test_what_is_owed_at_the_turn_is_paid_by_the_allowance(serve):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="owing")
    org.spend(130 * CREDIT)
    advance_to(server, utc(2026, 2, 1))
    assert (org.available(), org.balance().owed_micros) == (70 * CREDIT, 0)
    assert org.grants()[1].paid_micros == 30 * CREDIT
    server.verify()


def test_overage_that_is_billed_is_owed_no_more_in_the_new_cycle(serve):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="billed")
    org.spend(130 * CREDIT)
    advance_to(server, utc(2026, 2, 1))
    assert origins(org) == [("allowance", 100), ("billed_overage", 30), ("allowance", 100)]
    billed = org.grants()[1]
    assert (billed.kind, billed.paid_micros, billed.HasField("expire_time")) == (
        enum("GRANT_KIND", "purchased"), 30 * CREDIT, False)
    assert (org.available(), org.balance().owed_micros) == (100 * CREDIT, 0)
    server.verify()


def test_no_overage_where_the_state_does_not_count(serve):
    catalog = {**CATALOG, "plans": {"owing": {**CATALOG["plans"]["owing"], "counts": ["active"]}}}
    org = Org.create(serve(catalog), plan="owing")
    org.update(state="past_due")
    org.spend(100 * CREDIT)
    with refused(StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS"):
        org.charge(1)
