"""Whatever is asked first after a long sleep shows what has happened since, as if somebody had asked all the time."""

import pytest
from book import reservation, reservations
from credit_model import Limit
from model_calendar import DAY, MINUTE, text, utc
from organisation import Org, wake_up_at
from player import enum, instant
from support import CREDIT, new_id

CATALOG = {
    "features": {"chat": {"fixed_micros": CREDIT}},
    "plans": {"trying": {
        "trial": {"days": 10, "micros": 30 * CREDIT}, "allowance": {"micros": 100 * CREDIT}, "cycle": "anniversary",
        "packs": ["active"]}},
    "packs": {"some": {"micros": CREDIT, "price": {"currency": "USD", "minor_units": 100}}}}
WOKEN = utc(2026, 6, 20)
# The trial ended on 30 January, which is the anchor.
CYCLE = utc(2026, 5, 30), utc(2026, 6, 30)


def balance(org):
    assert (org.available(), org.balance().held_micros) == (150 * CREDIT, 0)


def first_grants(org):
    blocks = org.grants()
    assert [g.amount_micros // CREDIT for g in blocks] == [30, 50, 60] + [100] * 5
    assert sum(g.available_micros for g in blocks) == 150 * CREDIT
    assert instant(blocks[-1], "create_time") == CYCLE[0]


def history(org):
    newest = org.transactions()[0]
    assert (text(instant(newest, "time")), newest.amount_micros) == (text(CYCLE[0]), 100 * CREDIT)


def tenant(org):
    shown = org.shown()
    assert (shown.subscription, org.cycle()) == (enum("SUBSCRIPTION_STATE", "active"), CYCLE)


def tenants(org):
    from tollgate.v1 import admin_pb2 as a

    listed, = org.client.admin.ListTenants(a.ListTenantsRequest()).tenants
    assert listed.subscription == enum("SUBSCRIPTION_STATE", "active")


def settings(org):
    status = org.limit()
    assert (instant(status, "window_start_time"), instant(status, "window_end_time")) == CYCLE
    assert (status.consumed_micros, status.held_micros, status.hard_micros_in_force) == (0, 0, 90 * CREDIT)


def audit(org):
    assert org.events()[0].method == "cycle"
    assert text(instant(org.events()[0], "time")) == "2026-01-30T00:00:00Z"


def holds(org):
    states = {r.state for r in reservations(org.client)}
    assert states == {enum("RESERVATION_STATE", "expired")}


def one_hold(org):
    assert reservation(org.client, org.held).state == enum("RESERVATION_STATE", "expired")


def packs(org):
    from tollgate.v1 import purchases_pb2 as p

    assert org.client.purchases.ListPacks(p.ListPacksRequest()).purchase_allowed


def quote(org):
    assert org.quote(150 * CREDIT).refusal == "HARD_LIMIT_REACHED"
    assert org.quote(90 * CREDIT).refusal == ""
    assert org.quote(90 * CREDIT).balance.available_micros == 150 * CREDIT


def step(org):
    assert org.charge(90 * CREDIT).balance.available_micros == 60 * CREDIT


def change(org):
    details = org.update(state="past_due", rule="top_up").subscription_details
    assert (instant(details, "cycle_start_time"), instant(details, "cycle_end_time")) == CYCLE
    balance(org)


def revocation(org):
    # It expired while nobody looked.
    assert org.revoke(org.gift).revoked_micros == 0
    balance(org)


def gift(org):
    assert org.grant(CREDIT).balance.available_micros == 151 * CREDIT


@pytest.mark.parametrize("first", [
    balance, first_grants, history, tenant, tenants, settings, audit, holds, one_hold, packs, quote, step, change,
    revocation, gift], ids=lambda first: first.__name__)
def test_the_first_call_after_months_shows_what_happened_meanwhile(serve, first):
    server = serve(CATALOG, "2026-01-20T00:00:00Z")
    org = Org.create(server, plan="trying")
    org.set_limits(Limit("tenant", "cycle", hard_percent=90))
    org.grant(50 * CREDIT)
    gift_id = new_id()
    org.grant(60 * CREDIT, "gifted", expires=utc(2026, 4, 1), grant_id=gift_id)
    held = org.hold(10 * CREDIT, ttl=DAY)
    org.hold(5 * CREDIT, ttl=MINUTE)
    wake_up_at(server, WOKEN)
    org = Org(server, "acme")
    org.held, org.gift = held, gift_id
    first(org)
    server.verify()
