"""Many who change a tenant at once: each change has its effect once, however many send it."""

import pytest
from book import assert_adds_up
from credit_model import Limit
from model_calendar import DAY
from organisation import Org, advance
from support import CREDIT, in_parallel, new_id

CALLERS = 32
CATALOG = {"features": {}, "plans": {
    "first": {"sign_up": [{"micros": 70 * CREDIT}], "allowance": {"micros": 100 * CREDIT}},
    "second": {"allowance": {"micros": 250 * CREDIT}}}}


@pytest.fixture
def orgs(serve):
    """The same tenant on eight connections."""
    server = serve(CATALOG)
    Org.create(server, plan="first")
    return [Org(server, "acme") for _ in range(8)]


def all_at_once(orgs, change):
    return in_parallel(CALLERS, lambda n: change(orgs[n % len(orgs)]))


def noted(org, method):
    return [event for event in org.events() if event.method == f"tollgate.v1.{method}"]


def test_a_tenant_that_many_make_at_once_is_made_once(serve):
    from tollgate.v1 import admin_pb2 as a

    server = serve(CATALOG)
    request = a.CreateTenantRequest(tenant_id="acme", plan="first")
    clients = [server.client().admin for _ in range(8)]
    answers = in_parallel(CALLERS, lambda n: clients[n % 8].CreateTenant(request))
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * (CALLERS - 1)
    org = Org(server, "acme")
    assert org.available() == 170 * CREDIT
    assert len(noted(org, "Admin/CreateTenant")) == 1


@pytest.mark.parametrize("rule, available", [("top_up", 320), ("replace", 320)])
def test_the_same_change_of_plan_by_many_is_one(orgs, rule, available):
    all_at_once(orgs, lambda org: org.update(plan="second", rule=rule))
    assert orgs[0].available() == available * CREDIT
    assert len(orgs[0].grants()) == 3
    assert len(noted(orgs[0], "Admin/UpdateTenant")) == 1
    assert_adds_up(orgs[0].client)


def test_a_grant_that_many_revoke_is_taken_back_once(orgs):
    grant_id = new_id()
    orgs[0].grant(50 * CREDIT, grant_id=grant_id)
    answers = all_at_once(orgs, lambda org: org.revoke(grant_id))
    assert {answer.balance.available_micros for answer in answers} == {170 * CREDIT}
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * (CALLERS - 1)
    assert {answer.revoked_micros for answer in answers} == {50 * CREDIT}
    assert_adds_up(orgs[0].client)


def test_settings_that_many_change_at_once_are_those_of_one_of_them(orgs):
    def change(org, n):
        org.set_limits(Limit("tenant", "day", hard=n + 1), Limit("member", "week", f"m{n}", hard=n + 1))

    in_parallel(CALLERS, lambda n: change(orgs[n % 8], n))
    tenant, member = orgs[0].settings().settings.limits
    assert member.subject == f"m{tenant.hard_micros - 1}" and member.hard_micros == tenant.hard_micros
    # Each stands in the trail with what stood before it.
    events = noted(orgs[0], "Settings/SetLimits")
    assert len(events) == CALLERS
    for newer, older in zip(events, events[1:]):
        assert newer.before_json == older.after_json


def test_steps_race_with_changes_of_plan_and_the_turn_of_the_cycle(orgs):
    """While plans go back and forth and time runs over a month's end, every step is charged whole or refused whole."""
    import grpc

    def work(n):
        org = orgs[n % 8]
        if n == 0:
            for _ in range(12):
                advance(org.server, 3 * DAY)
            return 0
        if n < 4:
            for turn in range(12):
                org.update(plan=["first", "second"][turn % 2], rule=["top_up", "replace"][n % 2])
            return 0
        charged = 0
        for _ in range(40):
            try:
                charged += org.charge(CREDIT).charged_micros
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
        return charged

    charged = sum(in_parallel(16, work))
    entries = assert_adds_up(orgs[0].client)
    assert sum(entry.amount_micros for entry in entries if entry.reservation_id) == charged
    orgs[0].server.verify()
