"""The audit trail: every change and every refusal stands in it, with who, when, what, from where, before and after."""

import json
import uuid

import pytest
from credit_model import Limit
from grpc import StatusCode
from model_calendar import DAY, HOUR, MINUTE
from organisation import Org, advance, now
from player import moment
from schema import methods
from support import CREDIT, new_id, refused

CATALOG = {
    "features": {"chat": {"units": {"calls": {"micros": CREDIT}}}},
    "plans": {"month": {"allowance": {"micros": 100 * CREDIT, "kind": "subscription"}},
              "large": {"allowance": {"micros": 300 * CREDIT, "kind": "subscription"}}}}
NOTED_IN_AN_HOUR = 100


@pytest.fixture
def org(serve):
    org = Org.create(serve(CATALOG), plan="month")
    advance(org.server, MINUTE)
    return org


def outcome(event):
    from tollgate.v1 import settings_pb2 as s

    return s.AuditOutcome.Name(event.outcome).removeprefix("AUDIT_OUTCOME_").lower()


def newest(org, count=1):
    return org.events()[:count]


def changes():
    """Each change: its name, how it is made, its method, its target, and what must stand in before and after."""
    limit = Limit("member", "day", "ada", hard=77)
    return {
        "AI off": (lambda o: o.set_ai(False, reason="why not"), "Settings/SetAIEnabled", None, "true", "false"),
        "limits": (lambda o: o.set_limits(limit), "Settings/SetLimits", None, None, "77"),
        "quality": (lambda o: o.set_quality("chat", "best"), "Settings/SetQuality", "chat", None, "best"),
        "a new member": (lambda o: o.set_member("mo", "member"), "Admin/SetMember", "mo", "", "member"),
        "name": (lambda o: o.update(name="Acme Ltd"), "Admin/UpdateTenant", None, None, "Acme Ltd"),
        "zone": (lambda o: o.update(zone="Asia/Kolkata"), "Admin/UpdateTenant", None, "UTC", "Asia/Kolkata"),
        "plan": (lambda o: o.update(plan="large", reason="growing"), "Admin/UpdateTenant", None, "month", "large"),
        "state": (lambda o: o.update(state="past_due"), "Admin/UpdateTenant", None, "active", "past_due"),
        "later": (lambda o: o.update(plan="large", when="cycle_end"), "Admin/UpdateTenant", None, None, "large"),
        "a gift": (lambda o: o.grant(123_456, "gifted"), "Admin/GrantCredits", None, "", "123456"),
        "revoked": (lambda o: o.revoke(o.grants()[0].grant_id, "a slip"), "Admin/RevokeGrant", None, None, None),
        "a new key": (lambda o: o.server.new_key("service", o.tenant), "Admin/CreateKey", None, "", "service")}


CHANGES = ["AI off", "limits", "quality", "a new member", "name", "zone", "plan", "state", "later", "a gift", "revoked",
           "a new key"]


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_stands_in_the_trail(org, name):
    assert list(changes()) == CHANGES
    change, method, target, before, after = changes()[name]
    known = len(org.events())
    change(org)
    events = org.events()
    assert len(events) == known + 1
    event = events[0]
    assert (event.method, outcome(event), event.refusal) == (f"tollgate.v1.{method}", "done", "")
    assert event.time.ToMicroseconds() == now(org.server)
    assert (event.key_id, event.actor) == (root_key_id(org), "")
    assert event.address.startswith("127.0.0.1")
    assert uuid.UUID(event.event_id) and event.sequence > 0
    if target is not None:
        assert event.target == target
    for wanted, found in [(before, event.before_json), (after, event.after_json)]:
        if wanted == "":
            assert found == ""
        elif wanted is not None:
            assert wanted.lower() in json.dumps(json.loads(found)).lower(), found
    assert event.before_json != event.after_json or name == "revoked"


def root_key_id(org):
    from tollgate.v1 import admin_pb2 as a

    return next(key.key_id for key in org.client.admin.ListKeys(a.ListKeysRequest()).keys if not key.tenant_id)


def test_reasons_are_kept(org):
    org.set_ai(False, reason="between sprints")
    org.update(plan="large", reason="growing")
    grant_id = new_id()
    org.grant(5, grant_id=grant_id, comment="thanks")
    org.revoke(grant_id, reason="a slip")
    assert [event.reason for event in newest(org, 4)] == ["a slip", "thanks", "growing", "between sprints"]


def test_a_member_that_changes_or_goes_and_a_key_that_is_revoked(org):
    from tollgate.v1 import admin_pb2 as a

    org.set_member("olga", "owner")
    org.set_member("mo", "member")
    org.set_member("mo", "admin")
    org.remove_member("mo")
    made = org.server.new_key("service", org.tenant)
    org.client.admin.RevokeKey(a.RevokeKeyRequest(key_id=made.key_id))
    revoked, key, removed, changed, _, _ = newest(org, 6)
    assert (changed.method, changed.target) == ("tollgate.v1.Admin/SetMember", "mo")
    assert "member" in changed.before_json and "admin" in changed.after_json
    assert (removed.method, removed.target, removed.after_json) == ("tollgate.v1.Admin/RemoveMember", "mo", "")
    assert "admin" in removed.before_json
    assert (key.method, key.target, key.before_json) == ("tollgate.v1.Admin/CreateKey", made.key_id, "")
    assert (revoked.method, revoked.target) == ("tollgate.v1.Admin/RevokeKey", made.key_id)
    # Never the key itself.
    for event in org.events():
        assert made.key not in str(event) and made.key.split("_")[-1] not in str(event)


def test_who_and_from_where(org):
    import grpc
    from support import WithMetadata
    from tollgate.v1 import settings_pb2, settings_pb2_grpc

    org.set_member("olga", "owner")
    made = org.server.new_key("owner", org.tenant)
    metadata = [("authorization", f"Bearer {made.key}"), ("tollgate-actor", "olga"),
                ("x-forwarded-for", "203.0.113.7, 198.51.100.2"), ("tollgate-tenant", org.tenant)]
    with grpc.insecure_channel(org.server.address) as channel:
        stub = settings_pb2_grpc.SettingsStub(grpc.intercept_channel(channel, WithMetadata(metadata)))
        stub.SetAIEnabled(settings_pb2.SetAIEnabledRequest(enabled=False))
    event, = newest(org)
    assert (event.key_id, event.actor, event.forwarded_for) == (made.key_id, "olga", "203.0.113.7, 198.51.100.2")
    assert event.address.startswith("127.0.0.1")


def test_each_refusal_stands_in_the_trail(org):
    member = org.by(None, "member")
    with refused(StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING"):
        member.set_ai(False)
    with refused(StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS"):
        org.charge(101 * CREDIT, actor="ada", feature="chat")
    org.set_limits(Limit("tenant", "day", hard=CREDIT))
    with refused(StatusCode.RESOURCE_EXHAUSTED, "HARD_LIMIT_REACHED"):
        org.reserve(2 * CREDIT, actor="bob", feature="image")
    org.set_limits(Limit("tenant", "day", hard=CREDIT, enforce=False))
    org.charge(2 * CREDIT, actor="cy", feature="text")
    org.set_ai(False)
    with refused(StatusCode.FAILED_PRECONDITION, "AI_DISABLED"):
        org.charge(1)
    off, _, would, _, hard, _, poor, missing = newest(org, 8)
    assert [(outcome(e), e.refusal) for e in (off, would, hard, poor, missing)] == [
        ("refused", "AI_DISABLED"), ("would_refuse", "HARD_LIMIT_REACHED"), ("refused", "HARD_LIMIT_REACHED"),
        ("refused", "INSUFFICIENT_CREDITS"), ("refused", "PERMISSION_MISSING")]
    assert missing.method == "tollgate.v1.Settings/SetAIEnabled" and missing.key_id != poor.key_id
    assert (poor.method, poor.actor, poor.target) == ("tollgate.v1.Metering/Charge", "ada", "chat")
    assert (hard.method, hard.actor, hard.target) == ("tollgate.v1.Metering/Reserve", "bob", "image")
    assert (would.method, would.actor, would.target) == ("tollgate.v1.Metering/Charge", "cy", "text")


def test_a_change_that_is_refused_is_no_change(org):
    known = [event.event_id for event in org.events() if outcome(event) == "done"]
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
        org.set_quality("nothing", "best")
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
        org.update(plan="golden")
    assert [event.event_id for event in org.events() if outcome(event) == "done"] == known


def test_refusals_beyond_a_hundred_in_an_hour_are_counted_in_the_next_note(org):
    org.set_ai(False)
    for _ in range(NOTED_IN_AN_HOUR + 37):
        with refused(StatusCode.FAILED_PRECONDITION, "AI_DISABLED"):
            org.charge(1)
    assert len([e for e in org.events() if e.refusal]) == NOTED_IN_AN_HOUR
    # A change is always noted.
    org.set_ai(True)
    assert outcome(newest(org)[0]) == "done"
    org.set_ai(False)
    advance(org.server, HOUR)
    with refused(StatusCode.FAILED_PRECONDITION, "AI_DISABLED"):
        org.charge(1)
    assert sum(event.not_noted for event in org.events()) == 37
    assert len([e for e in org.events() if e.refusal]) == NOTED_IN_AN_HOUR + 1


def test_the_trail_comes_in_pages_by_time_and_by_actor(org):
    org.set_member("olga", "owner")
    began = now(org.server)
    for n in range(7):
        advance(org.server, MINUTE)
        who = org.by("olga", "owner") if n % 2 else org
        who.set_ai(bool(n % 2))
    events = org.events()
    times = [event.time.ToMicroseconds() for event in events]
    assert times == sorted(times, reverse=True)
    assert [e.sequence for e in events] == sorted({e.sequence for e in events}, reverse=True)
    for page_size in (1, 3, 5):
        assert org.events(page_size=page_size) == events
    start, end = began + 2 * MINUTE, began + 5 * MINUTE
    assert org.events(start_time=moment(start), end_time=moment(end)) == [
        event for event in events if start <= event.time.ToMicroseconds() < end]
    assert [e.actor for e in org.events(actor="olga", page_size=1)] == ["olga"] * 3
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="end_time"):
        org.events(start_time=moment(end), end_time=moment(start))
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="page_size"):
        org.events(page_size=-1)


def test_no_call_changes_the_trail_and_a_crash_loses_nothing_of_it(org):
    org.set_ai(False, reason="first")
    org.set_ai(True, reason="second")
    events = org.events()
    names = [method.name for method in methods()]
    assert [name for name in names if "Audit" in name] == ["ListAuditEvents"]
    org.server.kill()
    org.server.verify()
    org.server.restart()
    again = Org(org.server, "acme")
    assert again.events() == events
    advance(org.server, 400 * DAY)
    assert again.events()[-len(events):] == events


def test_what_came_with_a_new_cycle_says_so(org):
    org.update(plan="large", when="cycle_end")
    advance(org.server, 40 * DAY)
    events = [event for event in org.events() if event.method == "cycle"]
    assert events and all(outcome(event) == "done" and not event.actor for event in events)


def test_one_tenants_trail_is_its_own(org):
    other = Org.create(org.server, "other", plan="month")
    other.set_ai(False)
    assert all(event.method != "tollgate.v1.Settings/SetAIEnabled" for event in org.events())
    assert newest(other)[0].method == "tollgate.v1.Settings/SetAIEnabled"


def test_what_is_above_all_tenants_is_told_in_the_servers_log(org):
    made = org.server.new_key("service")
    from tollgate.v1 import admin_pb2 as a

    org.server.client().admin.RevokeKey(a.RevokeKeyRequest(key_id=made.key_id))
    for what in ("a key for all tenants was made", "a key for all tenants was revoked"):
        assert [line for line in org.server.log().splitlines() if what in line and made.key_id in line]
    assert made.key not in org.server.log()
    assert all(event.target != made.key_id for event in org.events())
