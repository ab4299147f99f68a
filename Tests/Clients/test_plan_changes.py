"""What a change of plan, state, zone or name does, at once or at the cycle's end; and grants that are taken back."""

import pytest
from book import assert_adds_up
from credit_model import Limit
from grpc import StatusCode
from model_calendar import DAY, MINUTE, utc
from organisation import Org, advance, advance_to, now
from player import enum, instant
from support import CREDIT, new_id, refused
from test_cycles import CATALOG, origins, summary


@pytest.mark.parametrize("rule, granted, available, basis", [
    ("keep", [("allowance", 100)], 70, 100),
    (None, [("allowance", 100)], 70, 100),
    ("top_up", [("allowance", 100), ("top_up", 150)], 220, 250),
    ("replace", [("allowance", 100), ("allowance", 250)], 250, 250)])
def test_another_plan_at_once_by_each_rule(serve, rule, granted, available, basis):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="month")
    org.set_limits(Limit("tenant", "cycle", hard_percent=90))
    org.spend(30 * CREDIT)
    advance(server, DAY)
    shown = org.update(plan="large", rule=rule)
    assert (shown.plan, shown.subscription_details.plan) == ("large", "large")
    assert shown.subscription_details.allowance_micros == basis * CREDIT
    assert org.cycle() == (utc(2026, 1, 15), utc(2026, 2, 1))
    assert (origins(org), org.available()) == (granted, available * CREDIT)
    assert org.limit().hard_micros_in_force == basis * CREDIT * 9 // 10
    # The same change again changes nothing.
    org.update(plan="large", rule=rule)
    assert (origins(org), org.available()) == (granted, available * CREDIT)
    advance_to(server, utc(2026, 2, 1))
    assert org.available() == 250 * CREDIT
    assert_adds_up(org.client)


@pytest.mark.parametrize("rule, available", [("keep", 220), ("top_up", 220), ("replace", 100)])
def test_a_smaller_plan_at_once_by_each_rule(serve, rule, available):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="large")
    org.spend(30 * CREDIT)
    org.update(plan="month", rule=rule)
    assert org.available() == available * CREDIT


def test_what_is_held_of_a_replaced_allowance_expires_when_it_comes_back(serve):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="large")
    held = org.hold(200 * CREDIT)
    org.update(plan="month", rule="replace")
    first, second = org.grants()
    assert (first.available_micros, first.held_micros, first.expired_micros) == (0, 200 * CREDIT, 50 * CREDIT)
    assert first.HasField("revoke_time") and second.available_micros == 100 * CREDIT
    org.commit(held, 50 * CREDIT)
    first, second = org.grants()
    assert (first.consumed_micros, first.expired_micros) == (50 * CREDIT, 200 * CREDIT)
    assert org.available() == 100 * CREDIT
    server.verify()


def test_another_state_at_once_and_back(serve):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="large")
    org.spend(30 * CREDIT)
    org.update(state="past_due", rule="replace")
    assert (org.available(), org.shown().subscription_details.allowance_micros) == (0, 0)
    org.update(state="active", rule="replace")
    assert org.available() == 250 * CREDIT
    org.update(state="past_due")
    assert org.available() == 250 * CREDIT
    advance_to(server, utc(2026, 2, 1))
    assert org.available() == 0
    assert org.cycle() == (utc(2026, 2, 1), utc(2026, 3, 1))
    org.update(state="active", rule="top_up")
    assert origins(org)[-1] == ("top_up", 250)
    assert instant(org.grants()[-1], "expire_time") == utc(2026, 3, 1)


def test_a_change_at_the_cycles_end_waits_for_it(serve):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="month")
    details = org.update(plan="day", when="cycle_end").subscription_details
    assert (details.plan, details.next_plan) == ("month", "day")
    # A later one takes its place, an at-once change of the same thing takes it away.
    assert org.update(plan="large", when="cycle_end").subscription_details.next_plan == "large"
    assert org.update(state="past_due", when="cycle_end").subscription_details.next_plan == "large"
    details = org.update(state="grandfathered").subscription_details
    assert (details.next_plan, details.next_state) == ("large", 0)
    advance_to(server, utc(2026, 2, 1) - 1)
    assert org.shown().plan == "month"
    advance_to(server, utc(2026, 2, 1))
    shown = org.shown()
    assert (shown.plan, shown.subscription_details.next_plan) == ("large", "")
    assert shown.subscription == enum("SUBSCRIPTION_STATE", "grandfathered")
    assert org.available() == 250 * CREDIT


def test_a_change_at_the_cycles_end_needs_a_cycle(serve):
    org = Org.create(serve(CATALOG), plan="free")
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="when"):
        org.update(plan="month", when="cycle_end")


def test_no_plan_any_more_leaves_the_grants_and_turns_nothing(serve):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="month")
    shown = org.update(plan="")
    assert shown.plan == "" and not shown.HasField("subscription_details")
    assert org.available() == 100 * CREDIT
    advance_to(server, utc(2026, 3, 1))
    assert summary(org)[1:] == [("2026-02-01T00:00:00Z", "grant_expiry", 100)]
    org.update(plan="month")
    assert (org.available(), org.cycle()) == (100 * CREDIT, (utc(2026, 3, 1), utc(2026, 4, 1)))
    org.update(plan="", rule="replace")
    assert org.available() == 0


def test_a_grant_is_revoked_once_and_what_is_held_of_it_goes_when_it_comes_back(serve):
    from tollgate.v1 import credits_pb2 as cr

    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server)
    grant_id = new_id()
    org.grant(50 * CREDIT, "gifted", grant_id=grant_id)
    held = org.hold(20 * CREDIT)
    org.spend(5 * CREDIT)
    answer = org.revoke(grant_id, reason="a mistake")
    assert (answer.revoked_micros, answer.balance.available_micros, answer.replayed) == (25 * CREDIT, 0, False)
    assert instant(answer.grant, "revoke_time") == now(server)
    newest = org.transactions()[0]
    assert (newest.kind, newest.amount_micros, newest.available_change_micros, newest.comment) == (
        cr.TRANSACTION_KIND_GRANT_REVOCATION, 25 * CREDIT, -25 * CREDIT, "a mistake")
    assert newest.direction == cr.TRANSACTION_DIRECTION_DEBIT
    advance(server, MINUTE)
    assert org.revoke(grant_id, reason="a mistake").replayed
    org.commit(held, 8 * CREDIT)
    grant, = org.grants()
    assert (grant.available_micros, grant.consumed_micros, grant.expired_micros) == (0, 13 * CREDIT, 37 * CREDIT)
    with refused(StatusCode.NOT_FOUND, "GRANT_NOT_FOUND"):
        org.revoke(new_id())
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="grant_id"):
        org.revoke("x")
    assert_adds_up(org.client)


def test_grants_that_came_by_themselves_can_be_revoked_too(serve):
    org = Org.create(serve(CATALOG), plan="month")
    grant, = org.grants()
    assert org.revoke(grant.grant_id).revoked_micros == 100 * CREDIT
    assert org.available() == 0


def test_name_and_zone_change_alone_and_unknown_tenants_are_not_found(serve):
    server = serve(CATALOG)
    org = Org.create(server, plan="month", display_name="Acme")
    shown = org.update(name="Acme Ltd")
    assert (shown.display_name, shown.plan, shown.time_zone) == ("Acme Ltd", "month", "UTC")
    with refused(StatusCode.NOT_FOUND, "TENANT_NOT_FOUND"):
        Org(server, "nobody").update(name="x")
    assert org.shown() == shown


def test_create_tenant_is_replayed_and_subscribes_once(serve):
    from tollgate.v1 import admin_pb2 as a

    server = serve(CATALOG)
    org = Org.create(server, plan="month")
    request = a.CreateTenantRequest(tenant_id="acme", plan="month")
    again = server.client().admin.CreateTenant(request)
    assert again.replayed and len(org.grants()) == 1
    request.plan = "large"
    with refused(StatusCode.ALREADY_EXISTS, "ID_REUSED"):
        server.client().admin.CreateTenant(request)
    # A crash right after the answer loses nothing of it.
    Org.create(server, "second", plan="month")
    server.kill()
    server.restart()
    assert Org(server, "second").available() == 100 * CREDIT


def test_a_plan_without_cycles_lets_the_running_one_go_on_to_its_end(serve):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="month")
    org.update(plan="free")
    assert (org.available(), org.cycle()[1]) == (100 * CREDIT, utc(2026, 2, 1))
    # Nobody gets a second allowance by going back and forth.
    org.update(plan="month")
    org.update(plan="free")
    assert origins(org) == [("allowance", 100)]
    advance_to(server, utc(2026, 3, 15))
    assert (org.available(), org.cycle()) == (0, (None, None))
    org.update(plan="month")
    assert (org.available(), org.cycle()) == (100 * CREDIT, (utc(2026, 3, 15), utc(2026, 4, 1)))


def test_a_plan_may_end_with_its_cycle(serve):
    server = serve(CATALOG, "2026-01-15T00:00:00Z")
    org = Org.create(server, plan="month")
    shown = org.update(plan="", when="cycle_end").subscription_details
    assert (shown.plan, shown.next_plan, shown.ends_with_cycle) == ("month", "", True)
    assert not org.update(plan="month", when="cycle_end").subscription_details.ends_with_cycle
    org.update(plan="", when="cycle_end")
    advance_to(server, utc(2026, 2, 1))
    assert (org.available(), origins(org)) == (0, [("allowance", 100)])
    assert_adds_up(org.client)
