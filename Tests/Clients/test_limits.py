"""Limits: whom and what they count, over what time, in which order they are asked, and that hard ones hold exactly."""

import grpc
import pytest
from book import assert_adds_up
from credit_model import Limit
from grpc import StatusCode
from model_calendar import DAY, HOUR, MINUTE, text, utc
from organisation import Org, advance, advance_to
from player import instant
from support import CREDIT, details, in_parallel, new_id, refused

HARD = (StatusCode.RESOURCE_EXHAUSTED, "HARD_LIMIT_REACHED")
CATALOG = {
    "features": {"free": {"fixed_micros": 0}, "image": {"units": {"images": {"micros": 8 * CREDIT}}}},
    "plans": {
        "pro": {"allowance": {"micros": 1_000 * CREDIT, "kind": "subscription"}, "counts": ["active"]},
        "small": {"allowance": {"micros": 333_333_333, "kind": "subscription"}},
        "bare": {"sign_up": [{"micros": 1_000 * CREDIT, "kind": "complimentary"}]}}}
# A Wednesday.
START = "2026-03-04T12:00:00Z"
LIMITS = {
    "tenant": {}, "feature": {"feature": "chat"}, "member": {"member": "ada"},
    "member_feature": {"member": "ada", "feature": "chat"}}
CALLERS = 64
CHANNELS = 8


@pytest.fixture
def server(serve):
    return serve(CATALOG, START)


@pytest.fixture
def org(server):
    return Org.create(server, plan="pro")


def limit(scope="tenant", window="cycle", **bounds):
    return Limit(scope, window, **LIMITS[scope], **bounds)


@pytest.mark.parametrize("window", ["day", "week", "cycle"])
@pytest.mark.parametrize("scope", LIMITS)
def test_a_hard_limit_counts_its_own_and_nothing_else(org, scope, window):
    org.set_limits(limit(scope, window, hard=10 * CREDIT))
    org.spend(6 * CREDIT, actor="ada", feature="chat")
    others = [who for who in [("bob", "chat"), ("ada", "image"), ("", "")]
              if not Limit(scope, window, **LIMITS[scope]).matches(*who)]
    for actor, feature in others:
        org.spend(20 * CREDIT, actor=actor, feature=feature)
    assert org.limit().consumed_micros == 6 * CREDIT
    with refused(*HARD) as caught:
        org.charge(4 * CREDIT + 1, actor="ada", feature="chat")
    facts = dict(details(caught.error)[0].metadata)
    assert (facts["limit_micros"], facts["used_micros"]) == (str(10 * CREDIT), str(6 * CREDIT))
    assert {"scope", "window"} <= set(facts)
    org.spend(4 * CREDIT, actor="ada", feature="chat")
    for begin in (org.charge, org.reserve):
        with refused(*HARD):
            begin(1, actor="ada", feature="chat")
    for actor, feature in others:
        org.spend(CREDIT, actor=actor, feature=feature)


def test_holds_count_while_they_are_open(org):
    org.set_limits(limit(hard=10 * CREDIT))
    held = org.hold(7 * CREDIT)
    ends = org.hold(3 * CREDIT, ttl=MINUTE)
    status = org.limit()
    assert (status.consumed_micros, status.held_micros) == (0, 10 * CREDIT)
    with refused(*HARD):
        org.reserve(1)
    org.commit(held, 2 * CREDIT)
    status = org.limit()
    assert (status.consumed_micros, status.held_micros) == (2 * CREDIT, 3 * CREDIT)
    advance(org.server, MINUTE)
    org.release(org.hold(8 * CREDIT))
    # The excess of a commit over its hold, and a late commit, must fit as well, and are refused whole.
    held = org.hold(7 * CREDIT)
    with refused(*HARD):
        org.commit(held, 8 * CREDIT + 1)
    with refused(*HARD):
        org.commit(held, 8 * CREDIT + 1, partial=True)
    with refused(*HARD):
        org.commit(ends, CREDIT + 1)
    assert org.commit(ends, CREDIT).late
    assert org.commit(held, 7 * CREDIT).charged_micros == 7 * CREDIT
    assert org.limit().consumed_micros == 10 * CREDIT
    assert_adds_up(org.client)


def test_a_commit_of_no_more_than_its_hold_always_fits(org):
    held = org.hold(50 * CREDIT)
    org.set_limits(limit(hard=CREDIT))
    assert org.commit(held, 20 * CREDIT, partial=True).charged_micros == 20 * CREDIT
    assert org.commit(held, 30 * CREDIT).charged_micros == 30 * CREDIT
    with refused(*HARD):
        org.charge(1)


def test_a_refund_lowers_the_window_in_which_it_is_made_and_not_below_nothing(org):
    day, cycle = limit(window="day", hard=10 * CREDIT), limit(hard=100 * CREDIT)
    org.set_limits(day, cycle)
    charged = org.spend(8 * CREDIT)
    org.refund(charged, 3 * CREDIT)
    assert [status.consumed_micros for status in org.settings().limits] == [5 * CREDIT, 5 * CREDIT]
    advance(org.server, DAY)
    org.refund(charged, CREDIT)
    assert [status.consumed_micros for status in org.settings().limits] == [0, 4 * CREDIT]
    org.spend(2 * CREDIT)
    org.refund(charged)
    assert [status.consumed_micros for status in org.settings().limits] == [0, 2 * CREDIT]
    org.spend(10 * CREDIT)
    with refused(*HARD):
        org.charge(1)


def test_limits_are_asked_in_their_order(org):
    """Each is made the only one that refuses in turn; then, all of them would, and the first in the order is named."""
    order = [(scope, window) for scope in ("tenant", "feature", "member", "member_feature") for window in (
        "day", "week", "cycle")]
    limits = [limit(scope, window, hard=CREDIT) for scope, window in order]
    named = []
    for first in range(len(limits)):
        org.set_limits(*reversed(limits[first:]))
        with refused(*HARD) as caught:
            org.charge(2 * CREDIT, actor="ada", feature="chat")
        facts = dict(details(caught.error)[0].metadata)
        named.append((facts["scope"], facts["window"]))
        from tollgate.v1 import settings_pb2 as s

        status = org.limit().limit
        assert (s.LimitScope.Name(status.scope), s.LimitWindow.Name(status.window)) == (
            f"LIMIT_SCOPE_{order[first][0].upper()}", f"LIMIT_WINDOW_{order[first][1].upper()}")
    assert len(set(named)) == len(order), named
    # AI switched off comes before all of them, what is available after.
    org.set_ai(False)
    with refused(StatusCode.FAILED_PRECONDITION, "AI_DISABLED"):
        org.charge(2 * CREDIT, actor="ada", feature="chat")
    org.set_ai(True)
    with refused(*HARD):
        org.charge(2_000 * CREDIT, actor="ada", feature="chat")
    org.set_limits()
    with refused(StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS"):
        org.charge(2_000 * CREDIT, actor="ada", feature="chat")


def test_a_reserve_with_a_minimum_holds_what_limits_leave(org):
    org.set_limits(limit(hard=10 * CREDIT), limit("member", hard=4 * CREDIT))
    assert org.reserve(20 * CREDIT, minimum_micros=4 * CREDIT, actor="ada").reserved_micros == 4 * CREDIT
    with refused(*HARD):
        org.reserve(20 * CREDIT, minimum_micros=1, actor="ada")
    with refused(*HARD):
        org.reserve(20 * CREDIT, minimum_micros=6 * CREDIT + 1, actor="bob")
    assert org.reserve(20 * CREDIT, minimum_micros=6 * CREDIT, actor="bob").reserved_micros == 6 * CREDIT


def test_percent_is_of_the_cycles_allowance_rounded_down(server):
    org = Org.create(server, "odd", plan="small")
    org.set_limits(limit(soft_percent=70, hard_percent=90))
    status = org.limit()
    assert (status.soft_micros_in_force, status.hard_micros_in_force) == (233_333_333, 299_999_999)
    org.spend(299_999_999)
    with refused(*HARD):
        org.charge(1)
    # Of another allowance another amount, under every rule but KEEP.
    org.update(plan="pro", rule="keep")
    assert org.limit().hard_micros_in_force == 299_999_999
    org.update(plan="small", rule="keep")
    org.update(plan="pro", rule="top_up")
    assert org.limit().hard_micros_in_force == 900 * CREDIT
    org.spend(100 * CREDIT)
    # Without an allowance it is not in force.
    org.update(state="canceled", rule="top_up")
    status = org.limit()
    assert (status.soft_micros_in_force, status.HasField("hard_micros_in_force")) == (0, False)
    org.spend(org.available())


def test_percent_is_not_in_force_without_a_plan(server):
    org = Org.create(server, "none", plan="bare")
    org.set_limits(limit(hard_percent=1))
    org.spend(900 * CREDIT)
    assert not org.limit().HasField("hard_micros_in_force")


def test_a_soft_limit_tells_and_does_not_refuse(org):
    from tollgate.v1 import credits_pb2 as cr

    org.set_limits(limit(soft=7 * CREDIT, hard=9 * CREDIT))
    for micros, state in [
            (7 * CREDIT - 1, cr.LIMIT_STATE_BELOW), (1, cr.LIMIT_STATE_SOFT_REACHED),
            (2 * CREDIT - 1, cr.LIMIT_STATE_SOFT_REACHED), (1, cr.LIMIT_STATE_HARD_REACHED)]:
        org.spend(micros)
        assert (org.limit().state, org.balance().limit_state) == (state, state)
    org.set_limits()
    assert org.balance().limit_state == cr.LIMIT_STATE_NONE
    assert not org.settings().limits


def test_a_limit_on_trial_records_what_it_would_have_refused(org):
    from tollgate.v1 import settings_pb2 as s

    org.set_limits(limit("feature", "day", hard=10 * CREDIT, enforce=False), limit(hard=30 * CREDIT))
    assert org.limit(1).limit.enforce is False and org.settings().settings.limits[0].HasField("enforce")
    org.spend(10 * CREDIT, actor="ada", feature="chat")
    assert org.limit(1).would_have_refused == 0
    org.spend(10 * CREDIT, actor="ada", feature="chat")
    held = org.hold(5 * CREDIT, actor="bob", feature="chat")
    org.spend(CREDIT, actor="ada", feature="image")
    org.commit(held, 6 * CREDIT)
    assert org.limit(1).would_have_refused == 3
    # Those that another limit refused did not go on.
    with refused(*HARD):
        org.charge(10 * CREDIT, feature="chat")
    assert org.limit(1).would_have_refused == 3
    recorded = [event for event in org.events() if event.outcome == s.AUDIT_OUTCOME_WOULD_REFUSE]
    assert [(event.refusal, event.actor) for event in recorded[-2:]] == [
        ("HARD_LIMIT_REACHED", "bob"), ("HARD_LIMIT_REACHED", "ada")]
    assert len(recorded) == 3
    advance(org.server, DAY)
    assert org.limit(1).would_have_refused == 0


@pytest.mark.parametrize("window, turns", [
    ("day", ["2026-03-05T00:00:00+05:30", "2026-03-06T00:00:00+05:30"]),
    # Weeks begin on Monday.
    ("week", ["2026-03-09T00:00:00+05:30", "2026-03-16T00:00:00+05:30"]),
    ("cycle", ["2026-04-01T00:00:00+05:30", "2026-05-01T00:00:00+05:30"])])
@pytest.mark.parametrize("plan", ["pro", ""])
def test_windows_begin_at_midnight_in_the_tenants_time_zone(server, window, turns, plan):
    from model_prices import instant as parsed

    org = Org.create(server, plan=plan, zone="Asia/Kolkata")
    org.grant(1_000 * CREDIT)
    org.set_limits(limit(window=window, hard=5 * CREDIT))
    for turn, after in zip(map(parsed, turns), [*map(parsed, turns[1:]), None]):
        org.spend(5 * CREDIT)
        assert instant(org.limit(), "window_end_time") == turn
        advance_to(server, turn - 1)
        with refused(*HARD):
            org.charge(1)
        advance_to(server, turn)
        status = org.limit()
        assert (instant(status, "window_start_time"), status.consumed_micros) == (turn, 0)
        if after:
            assert text(instant(status, "window_end_time")) == text(after)


def test_a_window_that_runs_while_the_zone_changes_ends_as_it_was_to_end(server):
    org = Org.create(server, plan="pro", zone="Europe/Berlin")
    org.set_limits(limit(window="day", hard=10 * CREDIT))
    org.spend(6 * CREDIT)
    org.update(zone="Pacific/Auckland")
    berlin = utc(2026, 3, 4, 23)
    assert (instant(org.limit(), "window_end_time"), org.limit().consumed_micros) == (berlin, 6 * CREDIT)
    advance_to(server, berlin)
    # The next one begins there, and ends with the day in Auckland.
    status = org.limit()
    assert (instant(status, "window_start_time"), status.consumed_micros) == (berlin, 0)
    assert instant(status, "window_end_time") == utc(2026, 3, 5, 11)
    advance_to(server, utc(2026, 3, 5, 11))
    assert instant(org.limit(), "window_start_time") == utc(2026, 3, 5, 11)


def test_what_is_held_over_midnight_counts_in_both_windows_and_is_charged_in_the_later(server):
    org = Org.create(server, plan="pro")
    org.set_limits(limit(window="day", hard=10 * CREDIT))
    held = org.hold(10 * CREDIT, ttl=DAY)
    advance(server, 13 * HOUR)
    with refused(*HARD):
        org.charge(1)
    org.commit(held, 4 * CREDIT)
    status = org.limit()
    assert (status.consumed_micros, status.held_micros) == (4 * CREDIT, 0)


def test_where_a_subscription_goes_or_comes_the_window_begins_at_that_moment(server):
    org = Org.create(server, plan="pro")
    org.grant(1_000 * CREDIT)
    org.set_limits(limit(hard=10 * CREDIT))
    org.spend(6 * CREDIT)
    advance(server, DAY)
    org.update(plan="")

    def window():
        status = org.limit()
        return instant(status, "window_start_time"), instant(status, "window_end_time"), status.consumed_micros

    assert window() == (utc(2026, 3, 5, 12), utc(2026, 4, 1), 0)
    org.spend(10 * CREDIT)
    # So it is for limits that are set later.
    org.set_limits(limit(window="day", hard=100 * CREDIT))
    org.set_limits(limit(hard=10 * CREDIT))
    assert window() == (utc(2026, 3, 5, 12), utc(2026, 4, 1), 10 * CREDIT)
    with refused(*HARD):
        org.charge(1)
    advance_to(server, utc(2026, 3, 10, 8))
    org.update(plan="pro")
    assert window() == (utc(2026, 3, 10, 8), utc(2026, 4, 1), 0)


def test_use_before_a_limit_was_set_counts_against_it(org):
    org.spend(4 * CREDIT, actor="ada", feature="chat")
    org.spend(3 * CREDIT, actor="bob", feature="chat")
    held = org.hold(2 * CREDIT, actor="ada", feature="chat")
    org.set_limits(*[limit(scope, window, hard=100 * CREDIT) for scope in LIMITS for window in ("day", "cycle")])
    found = [(status.consumed_micros, status.held_micros) for status in org.settings().limits]
    # Tenant, feature, member, member's feature.
    assert found == [(7 * CREDIT, 2 * CREDIT)] * 4 + [(4 * CREDIT, 2 * CREDIT)] * 4
    org.release(held)


def test_a_limit_that_is_set_late_counts_what_one_that_was_there_does(org):
    """Also where what an earlier window charged was given back before."""
    early, late = Limit("tenant", "day", hard=100 * CREDIT), Limit("feature", "day", feature="chat", hard=100 * CREDIT)
    charged = org.spend(8 * CREDIT, feature="chat")
    org.set_limits(early)
    advance(org.server, DAY)
    org.refund(charged, 5 * CREDIT)
    advance(org.server, HOUR)
    charged = org.spend(9 * CREDIT, feature="chat")
    advance(org.server, HOUR)
    org.refund(charged, 2 * CREDIT)
    org.set_limits(early, late)
    org.spend(CREDIT, feature="chat")
    assert [status.consumed_micros for status in org.settings().limits] == [8 * CREDIT, 8 * CREDIT]


def test_refusals_by_limits_are_remembered_under_their_id(org):
    org.set_limits(limit(hard=CREDIT))
    step = new_id()
    with refused(*HARD):
        org.charge(2 * CREDIT, reservation_id=step)
    org.set_limits()
    with refused(*HARD):
        org.charge(2 * CREDIT, reservation_id=step)
    with refused(StatusCode.ALREADY_EXISTS, "ID_REUSED"):
        org.charge(3 * CREDIT, reservation_id=step)
    org.charge(2 * CREDIT)


def test_a_quote_tells_the_refusal_of_a_limit(org):
    org.set_limits(limit("member", hard=5 * CREDIT))
    assert org.quote(5 * CREDIT, actor="ada").refusal == ""
    assert org.quote(5 * CREDIT + 1, actor="ada").refusal == "HARD_LIMIT_REACHED"
    assert org.quote(5 * CREDIT + 1, actor="bob").refusal == ""
    assert org.quote(5_000 * CREDIT, actor="bob").refusal == "INSUFFICIENT_CREDITS"
    org.set_ai(False)
    assert org.quote(1, actor="bob").refusal == "AI_DISABLED"


def test_what_costs_nothing_passes_a_limit_that_is_reached(org):
    org.set_limits(limit(hard=CREDIT))
    org.spend(CREDIT)
    assert org.charge(feature="free").charged_micros == 0


@pytest.mark.parametrize("fields", [
    dict(scope=0, window=1), dict(scope=99, window=1), dict(scope=1, window=99),
    dict(scope=1, window=1, subject="x"), dict(scope=2, window=1), dict(scope=3, window=1),
    dict(scope=4, window=1, subject="ada"), dict(scope=4, window=1, feature="chat"),
    dict(scope=2, window=1, subject="ada", feature="x"), dict(scope=2, window=1, subject="x" * 257),
    dict(scope=1, window=1, hard_micros=-1), dict(scope=1, window=1, soft_micros=-1),
    dict(scope=1, window=1, soft_micros=5, hard_micros=4), dict(scope=1, window=1, soft_percent=90, hard_percent=70),
    dict(scope=1, window=1, hard_percent=1_001), dict(scope=1, window=1, soft_percent=-1),
    dict(scope=1, window=1, hard_micros=5, hard_percent=4)])
def test_a_limit_that_means_nothing_is_refused_and_changes_nothing(org, fields):
    from tollgate.v1 import settings_pb2 as s

    org.set_limits(limit(hard=77))
    request = s.SetLimitsRequest(limits=[s.UsageLimit(scope=1, window=2, hard_micros=5), s.UsageLimit(**fields)])
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") as caught:
        org.client.settings.SetLimits(request)
    violations = [v.field for v in details(caught.error)[1].field_violations]
    assert all(name.startswith("limits[1]") for name in violations), violations
    assert [status.limit.hard_micros for status in org.settings().limits] == [77]


def test_one_limit_for_each_scope_subject_feature_and_window_and_at_most_a_thousand(org):
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
        org.set_limits(limit(hard=5), limit(hard=6))
    many = [Limit("member", "day", f"member-{n}", hard=CREDIT) for n in range(1_001)]
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="limits"):
        org.set_limits(*many)
    org.set_limits(*many[:1_000])
    assert len(org.settings().limits) == 1_000
    org.spend(CREDIT, actor="member-999")
    with refused(*HARD):
        org.charge(1, actor="member-999")


@pytest.mark.parametrize("round", range(3))
def test_64_callers_race_against_a_hard_limit_of_a_members_feature(shared_server, round):
    """A mixture of holds, smaller commits, releases and charges: what is used in the end is the limit, to the micro."""
    org = Org.create(shared_server, f"race-{round}")
    org.grant(10_000 * CREDIT)
    hard = 1_000_003
    org.set_limits(
        Limit("member_feature", "day", "ada", "chat", hard=hard), Limit("member", "cycle", "ada", hard=10**9))
    channels = [shared_server.client(tenant=org.tenant) for _ in range(CHANNELS)]

    def use(index):
        """Until one micro is too much; then nothing more fits for anybody, but for what others give back meanwhile."""
        from tollgate.v1 import metering_pb2 as m

        metering = channels[index % CHANNELS].metering
        asked, charged, refusals = 7_001 + index, 0, 0
        while asked > 0:
            ids = dict(reservation_id=new_id(), actor="ada", feature="chat")
            try:
                if index % 4 == 3:
                    charged += metering.Charge(m.ChargeRequest(amount_micros=asked, **ids)).charged_micros
                    continue
                metering.Reserve(m.ReserveRequest(amount_micros=asked, **ids))
            except grpc.RpcError as error:
                assert details(error)[0].reason == "HARD_LIMIT_REACHED", error
                used = int(details(error)[0].metadata["used_micros"])
                assert hard - asked < used <= hard, (asked, used)
                asked = asked // 2 if asked > 1 else 0
                refusals += 1
                continue
            if index % 4 == 2 and asked > 1:
                metering.Release(m.ReleaseRequest(reservation_id=ids["reservation_id"]))
                asked //= 2
                continue
            used = asked if index % 4 else max(1, asked // 2)
            charged += metering.Commit(
                m.CommitRequest(reservation_id=ids["reservation_id"], amount_micros=used)).charged_micros
        assert refusals > 0
        return charged

    total = sum(in_parallel(CALLERS, use))
    # What was given back after the last refusal is taken up one by one.
    while True:
        try:
            total += org.charge(1, actor="ada", feature="chat").charged_micros
        except grpc.RpcError as error:
            assert details(error)[0].reason == "HARD_LIMIT_REACHED"
            break
    status = org.limit(1)
    assert (total, status.consumed_micros, status.held_micros) == (hard, hard, 0)
    assert org.charge(1, actor="bob", feature="chat").charged_micros == 1
    assert_adds_up(org.client)
