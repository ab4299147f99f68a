"""The model itself, against cases that were worked out by hand: no server is asked here."""

import datetime
import json
import pathlib
import random

import model_calendar as calendar
import pytest
from credit_model import Book, Limit, Refused
from model_calendar import DAY, HOUR, MINUTE, utc
from model_prices import cost, lines, price_of
from random_use import RandomUse

START = utc(2026, 1, 31, 12)
CATALOG = {
    "features": {"chat": {"units": {"tokens": {"micros": 3, "per": 2}}, "quality_percent": {"best": 150}}},
    "plans": {
        "free": {"sign_up": [{"micros": 70, "kind": "complimentary"}]},
        "month": {
            "allowance": {"micros": 100, "kind": "subscription"},
            "rollover": {"minimum_micros": 10, "maximum_micros": 40, "expires_after_cycles": 2}},
        "more": {"allowance": {"micros": 250, "kind": "subscription"}},
        "day": {"cycle": "anniversary", "allowance": {"micros": 100, "kind": "subscription"}},
        "owing": {
            "allowance": {"micros": 100, "kind": "subscription"},
            "overage": {"cap_micros": 50, "price": {}, "billed": False}},
        "billed": {
            "allowance": {"micros": 100, "kind": "subscription"},
            "overage": {"cap_micros": 50, "price": {}, "billed": True}},
        "trying": {
            "trial": {"days": 14, "micros": 30, "then": "past_due"}, "cycle": "anniversary",
            "allowance": {"micros": 100, "kind": "subscription"}, "counts": ["active"]}}}


def book(plan="", zone="UTC", at=START, catalog=CATALOG):
    return Book("acme", [(0, catalog)], at, zone, plan)


def kinds(book):
    return [(entry[1], entry[2]) for entry in book.entries]


def check(book):
    """What must hold in any book, whatever was done."""
    for grant in book.grants:
        assert grant.amount == grant.available + grant.held + grant.consumed + grant.expired + grant.paid
        assert min(grant.available, grant.held, grant.consumed, grant.expired, grant.paid) >= 0
    consumed = sum(r.committed - r.refunded for r in book.reservations.values())
    expired = sum(grant.expired for grant in book.grants)
    granted = sum(grant.amount for grant in book.grants)
    assert granted + book.overage_held + book.owed == book.available + book.held + consumed + expired


# MARK: Days and cycles


@pytest.mark.parametrize("zone, day, expected", [
    ("UTC", (2026, 3, 29), (2026, 3, 29)),
    ("Asia/Kolkata", (2026, 5, 1), (2026, 4, 30, 18, 30)),
    ("Pacific/Auckland", (2027, 7, 1), (2027, 6, 30, 12)),
    ("Pacific/Auckland", (2027, 1, 1), (2026, 12, 31, 11)),
    # Half an hour of daylight saving.
    ("Australia/Lord_Howe", (2026, 7, 1), (2026, 6, 30, 13, 30)),
    ("Australia/Lord_Howe", (2026, 12, 1), (2026, 11, 30, 13)),
    # Midnight does not exist: the clock jumps from 00:00 to 01:00.
    ("Asia/Beirut", (2026, 3, 29), (2026, 3, 28, 22)),
    ("Africa/Cairo", (2027, 4, 30), (2027, 4, 29, 22)),
    # Midnight exists twice: the clock goes back from 01:00 to 00:00.
    ("America/Havana", (2026, 11, 1), (2026, 11, 1, 4))])
def test_a_day_begins_at_its_first_instant(zone, day, expected):
    at = calendar.midnight(datetime.date(*day), zone)
    assert calendar.text(at) == calendar.text(utc(*expected))
    assert calendar.local_date(at, zone) == datetime.date(*day)
    assert calendar.local_date(at - 1, zone) < datetime.date(*day)


def test_boundaries_keep_the_anchor_day_over_short_months():
    def boundaries(anchor, at, count):
        found = []
        for _ in range(count):
            at = calendar.next_boundary(calendar.ANNIVERSARY, anchor, at, "UTC")
            found.append(calendar.text(at)[:10])
        return found

    assert boundaries(31, utc(2026, 1, 31), 4) == ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]
    assert boundaries(30, utc(2028, 1, 30, 5), 3) == ["2028-02-29", "2028-03-30", "2028-04-30"]
    assert boundaries(29, utc(2027, 12, 29), 3) == ["2028-01-29", "2028-02-29", "2028-03-29"]
    # A boundary is strictly later, and may be on the same day only if the day began later than the moment.
    assert boundaries(31, utc(2026, 1, 30, 23), 1) == ["2026-01-31"]


def test_weeks_begin_on_monday_and_days_may_have_23_hours():
    sunday = utc(2026, 3, 29, 12)
    assert calendar.week_start(sunday, "Europe/Berlin") == utc(2026, 3, 22, 23)
    assert calendar.next_week_start(sunday, "Europe/Berlin") == utc(2026, 3, 29, 22)
    assert calendar.next_day_start(sunday, "Europe/Berlin") - calendar.day_start(sunday, "Europe/Berlin") == 23 * HOUR
    assert calendar.next_month_start(utc(2026, 12, 31, 23, 59), "UTC") == utc(2027, 1, 1)


# MARK: Prices


def test_lines_are_rounded_up_once_and_the_minimum_is_met():
    price = {
        "units": {
            "tokens": {"micros": 3, "per": 2},
            "pixels": {"tiers": [
                {"name": "small", "from": 1, "micros": 1, "maximum_micros": 4},
                {"name": "large", "from": 10, "fixed_micros": 5, "micros": 1, "per": 3, "minimum_micros": 9}]}},
        "fixed_micros": 3, "minimum_micros": 20, "quality_percent": {"cheap": 50}}
    assert lines(price, {"tokens": 1}, "medium") == [("unit", "tokens", 2), ("fixed", "", 3), ("minimum", "", 15)]
    assert lines(price, {"tokens": 1, "pixels": 9}, "cheap") == [
        ("unit", "pixels", 4), ("unit", "tokens", 1), ("fixed", "", 2), ("minimum", "", 13)]
    assert lines(price, {"pixels": 10}, "medium")[0] == ("unit", "pixels", 9)
    assert lines(price, {"pixels": 31}, "medium")[0] == ("unit", "pixels", 16)
    # The percent counts for what is fixed, not for the clamps: (5 + 10 / 3) / 2 is 4 1/6.
    assert lines(price, {"pixels": 10}, "cheap")[0] == ("unit", "pixels", 9)
    assert lines(price, {"pixels": 0}, "medium")[0] == ("unit", "pixels", 0)
    assert cost(price, {"tokens": 100}, "medium") == 153
    assert cost(price, {"tokens": 1}, "medium", has_rest=False) == 2


def test_prices_are_dated_and_a_tenant_may_have_its_own():
    catalog = {
        "features": {"chat": {"units": {"t": {"micros": 1}}, "next": [
            {"from": "2026-06-01T00:00:00Z", "fixed_micros": 2},
            {"from": "2026-03-01T02:00:00+02:00", "fixed_micros": 9}]}},
        "tenants": {"own": {"features": {"chat": {"fixed_micros": 7}}}}}

    def fixed(tenant, *at):
        return price_of(catalog, tenant, "chat", utc(*at)).get("fixed_micros")

    assert fixed("acme", 2026, 2, 28, 23, 59) is None
    assert fixed("acme", 2026, 3, 1) == 9
    assert fixed("acme", 2026, 6, 1) == 2
    assert fixed("own", 2026, 6, 1) == 7


# MARK: Grants, holds and refunds


def test_a_hold_ends_before_its_grant_expires_at_the_same_instant():
    model = book()
    model.grant(START, "g", "gifted", 10, expires=START + HOUR)
    model.reserve(START, "r", amount=4, ttl=HOUR)
    model.advance(START + HOUR)
    assert kinds(model)[2:] == [("hold_expiry", 4), ("grant_expiry", 6)]
    assert (model.available, model.grants[0].expired) == (0, 10)
    check(model)


def test_what_comes_back_to_a_grant_that_is_over_expires_at_once():
    model = book()
    model.grant(START, "g", "gifted", 10, expires=START + HOUR)
    model.grant(START, "p", "purchased", 10)
    model.reserve(START, "r", amount=12, ttl=DAY)
    model.advance(START + HOUR)
    assert kinds(model)[3:] == []
    model.commit(START + HOUR, "r", amount=3)
    assert (model.available, model.grants[0].expired, model.grants[0].consumed) == (10, 7, 3)
    model.revoke(START + HOUR, "p")
    assert (model.available, model.revoke(START + HOUR, "p")) == (0, 0)
    check(model)


def test_a_commit_may_be_late_and_may_exceed_its_hold():
    model = book()
    model.grant(START, "g", "purchased", 100)
    for name in "abc":
        model.reserve(START, name, amount=10, ttl=MINUTE)
    model.commit(START, "a", amount=25, partial=True)
    assert (model.available, model.held, model.reservations["a"].state) == (55, 20, "open")
    model.commit(START + 11 * MINUTE, "b", amount=75)
    assert model.reservations["b"].late and model.available == 0
    with pytest.raises(Refused, match="RESERVATION_CLOSED"):
        model.commit(START + 11 * MINUTE + 1, "c", amount=1)
    check(model)


# MARK: Cycles


def test_a_month_expires_and_what_is_left_rolls_over_once():
    model = book("month")
    model.charge(START, "x", amount=30)
    model.advance(utc(2026, 4, 1))
    assert kinds(model) == [
        ("grant", 100), ("charge", 30),
        # 31 January was the whole first cycle: 70 are left, 40 of them roll over, for two cycles.
        ("grant_expiry", 70), ("grant", 40), ("grant", 100),
        ("grant_expiry", 100), ("grant", 40), ("grant", 100),
        ("grant_expiry", 40), ("grant_expiry", 100), ("grant", 40), ("grant", 100)]
    assert [entry[0] for entry in model.entries[2:5]] == [utc(2026, 2, 1)] * 3
    assert model.available == 180
    check(model)


def test_what_is_held_at_the_turn_neither_expires_nor_rolls_over():
    model = book("month")
    model.reserve(START, "r", amount=95, ttl=DAY)
    model.advance(utc(2026, 2, 1))
    # Only 5 expired, which is less than the least that rolls over.
    assert kinds(model)[2:] == [("grant_expiry", 5), ("grant", 100)]
    model.release(utc(2026, 2, 1, 1), "r")
    assert model.available == 100
    check(model)


def test_overage_is_owed_and_the_next_grant_pays_it_first():
    model = book("owing")
    model.charge(START, "a", amount=90)
    model.reserve(START, "b", amount=40)
    assert (model.available, model.held, model.overage_held, model.owed) == (0, 40, 30, 0)
    with pytest.raises(Refused, match="INSUFFICIENT_CREDITS"):
        model.reserve(START, "c", amount=21)
    model.commit(START, "b", amount=35)
    assert (model.held, model.owed) == (0, 25)
    model.charge(START, "d", amount=25)
    assert model.owed == 50
    check(model)
    model.grant(START, "g", "purchased", 45)
    assert (model.owed, model.available, model.grants[1].paid) == (5, 0, 45)
    # 5 are owed still; what was paid already goes back to the grant that paid it.
    model.refund(START, "r", "d", 8)
    assert (model.owed, model.available, model.grants[1].paid) == (0, 3, 42)
    model.refund(START, "s", "b")
    assert (model.available, model.grants[0].available, model.grants[1].paid) == (38, 10, 17)
    check(model)


def test_overage_that_is_billed_is_owed_no_more():
    model = book("billed")
    model.charge(START, "a", amount=120)
    model.advance(utc(2026, 2, 1))
    assert [(g.origin, g.kind, g.amount, g.paid, g.available) for g in model.grants[1:]] == [
        ("billed_overage", "purchased", 20, 20, 0), ("allowance", "subscription", 100, 0, 100)]
    check(model)


def test_a_trial_ends_at_its_instant_and_anchors_the_cycles():
    model = book("trying", zone="Europe/Berlin")
    assert (model.state, model.available, model.cycle_end) == ("trial", 30, START + 14 * DAY)
    model.advance(START + 14 * DAY)
    # Past due does not count: cycles turn, and no allowance comes.
    assert (model.state, model.available, model.anchor, model.cycle_allowance) == ("past_due", 0, 14, 0)
    assert model.cycle_end == utc(2026, 3, 13, 23)
    model.update(START + 15 * DAY, state="active", rule="top_up")
    assert (model.available, model.grants[-1].origin, model.grants[-1].expires) == (100, "top_up", utc(2026, 3, 13, 23))
    check(model)


def test_a_trial_that_is_ended_early_keeps_its_grant():
    model = book("trying")
    model.update(START + DAY, state="active")
    assert (model.available, model.anchor, model.cycle_end) == (130, 1, utc(2026, 3, 1))
    assert model.grants[0].expires == START + 14 * DAY


@pytest.mark.parametrize("rule, available, allowance", [("keep", 70, 100), ("top_up", 220, 250), ("replace", 250, 250)])
def test_a_change_of_plan_at_once_by_each_rule(rule, available, allowance):
    model = book("month")
    model.charge(START, "x", amount=30)
    model.update(START + HOUR, plan="more", rule=rule)
    assert (model.available, model.cycle_allowance, model.cycle_end) == (available, allowance, utc(2026, 2, 1))
    model.advance(utc(2026, 2, 1))
    assert model.available == 250
    check(model)


def test_replacing_revokes_and_what_is_held_expires_when_it_comes_back():
    model = book("more")
    model.reserve(START, "r", amount=200, ttl=DAY)
    model.update(START, plan="month", rule="replace")
    assert kinds(model)[2:] == [("grant_revocation", 50), ("grant", 100)]
    model.release(START, "r")
    assert (model.available, model.grants[0].expired) == (100, 250)
    check(model)


def test_a_change_at_the_cycles_end_waits_for_it():
    model = book("month")
    model.update_at_cycle_end(START, plan="more", state="canceled")
    model.advance(utc(2026, 2, 1) - 1)
    assert (model.plan, model.state) == ("month", "active")
    model.advance(utc(2026, 2, 1))
    assert (model.plan, model.state, model.available, model.cycle_allowance) == ("more", "canceled", 0, 0)
    assert (model.next_plan, model.next_state, model.cycle_end) == (None, None, utc(2026, 3, 1))


def test_plans_without_cycles_and_no_plan_at_all():
    model = book("free")
    assert (model.available, model.cycle_end, model.grants[0].origin) == (70, None, "sign_up")
    model.update(START, plan="day")
    assert (model.available, model.anchor, model.cycle_end) == (170, 31, utc(2026, 2, 28))
    model.update(START + DAY, plan="")
    assert (model.available, model.plan, model.cycle_end) == (170, "", None)
    model.advance(utc(2026, 5, 1))
    assert model.available == 70
    model.update(utc(2026, 5, 1), plan="free")
    assert model.available == 70, "sign-up credits come once"


# MARK: Limits


def test_limits_count_what_is_held_and_are_asked_in_their_order():
    model = book()
    model.grant(START, "g", "purchased", 1_000)
    model.set_limits(START, [
        Limit("member_feature", "day", "ada", "chat", hard=30), Limit("member", "cycle", "ada", hard=35),
        Limit("tenant", "week", hard=50, soft=40)])
    model.reserve(START, "r", amount=20, actor="ada", feature="chat")
    with pytest.raises(Refused, match="HARD_LIMIT_REACHED") as caught:
        model.reserve(START, "s", amount=16, actor="ada", feature="chat")
    assert (caught.value.facts["limit"].scope, caught.value.facts["used_micros"]) == ("member", 20)
    _, held = model.reserve(START, "t", amount=16, minimum=10, actor="ada", feature="chat")
    assert held == 10
    model.charge(START, "u", amount=20, actor="bob")
    assert [model.limit_state(limit) for limit in model.limits] == ["hard_reached", "below", "hard_reached"]
    # A refund lowers the window in which it is made, not below nothing.
    model.commit(START, "t", amount=10)
    model.refund(START + 14 * HOUR, "v", "t")
    assert model.used(model.limits[0]) == (0, 0)
    assert model.used(model.limits[1]) == (0, 0)
    check(model)


def test_a_limit_that_is_set_late_knows_quarters_of_an_hour():
    model, limit = book(), Limit("tenant", "day")
    model.grant(START, "g", "purchased", 1_000)
    model.charge(START, "a", amount=100)
    model.refund(START + DAY, "r", "a", 60)
    model.charge(START + DAY, "b", amount=50)
    model.charge(START + DAY + HOUR, "c", amount=10)
    # It was there all the time, or came late: what was given back and charged in one quarter of an hour is netted.
    assert model.used(limit) == (60, 0)
    model.set_limits(START + DAY + HOUR, [limit])
    assert model.used(limit) == (10, 0)


def test_a_limit_on_trial_refuses_nothing_and_counts_what_it_would_have():
    model = book("month")
    model.set_limits(START, [Limit("tenant", "cycle", hard_percent=50, enforce=False)])
    model.charge(START, "a", amount=50)
    model.charge(START, "b", amount=1)
    with pytest.raises(Refused, match="INSUFFICIENT_CREDITS"):
        model.charge(START, "c", amount=50)
    assert model.would_have_refused_by(model.limits[0]) == 1


def test_ai_switched_off_refuses_what_begins_and_nothing_else():
    model = book("month")
    model.reserve(START, "r", amount=10)
    model.set_ai_enabled(START, False)
    for begin in (model.reserve, model.charge):
        with pytest.raises(Refused, match="AI_DISABLED"):
            begin(START, "x", amount=1)
    model.extend(START, "r", HOUR)
    model.commit(START, "r", amount=20)
    model.refund(START, "f", "r")
    assert model.available == 100


def test_a_reservation_keeps_its_price_and_quality():
    later = {**CATALOG, "features": {"chat": {"units": {"tokens": {"micros": 100}}}}}
    model = Book("acme", [(0, CATALOG), (START + HOUR, later)], START, "UTC", "more")
    model.set_quality(START, "chat", "best")
    _, held = model.reserve(START, "r", feature="chat", quantities={"tokens": 20}, ttl=DAY)
    assert held == 45
    model.set_quality(START + HOUR, "chat", None)
    assert model.commit(START + HOUR, "r", quantities={"tokens": 1})[1] == 3
    assert model.charge(START + HOUR, "s", feature="chat", quantities={"tokens": 1})[1] == 100


# MARK: Laws


@pytest.mark.parametrize("plan", ["trying", "basic", "monthly", "large", ""])
def test_the_laws_hold_in_the_model_whatever_is_done(seed, plan):
    """Some months of random use of the catalog that has everything: nothing gets lost, and no cap is passed."""
    rng = random.Random(seed)
    catalog = json.loads((pathlib.Path(__file__).parent / "catalogs/everything.json").read_text())
    units = {name: sorted(price.get("units", {})) for name, price in catalog["features"].items()}
    model = Book("acme", [(0, catalog)], START, "Europe/Berlin", plan)
    use = RandomUse(rng, model, units, [*catalog["plans"], ""], 10**6, has_limits=True)
    at = START
    for _ in range(600):
        at += rng.choice([MINUTE, HOUR, HOUR, 5 * HOUR, DAY])
        model.advance(at)
        if rng.random() < 0.2:
            change = use.change(at)
            if change is not None:
                perform(model, change, at)
        # Caps change with the plan; what is owed under an old one stays owed.
        before, cap = model.overage_held + model.owed, model.overage_cap
        for step in use.steps():
            perform(model, step, at)
        assert model.overage_held + model.owed <= max(before, cap)
        check(model)
    assert {entry[1] for entry in model.entries} >= {"grant", "reserve", "charge", "commit", "refund", "release"}


def perform(model, step, at):
    try:
        getattr(model, step["do"])(at, **{name: value for name, value in step.items() if name != "do"})
    except Refused:
        pass
