"""What a tenant decides for itself: AI on or off, quality by feature and limits, for all from the next step on."""

import pytest
from credit_model import Limit
from grpc import StatusCode
from model_calendar import HOUR, MINUTE
from organisation import Org, advance, now
from player import enum
from support import CREDIT, in_parallel, new_id, refused

CATALOG = {"features": {
    "agent": {
        "units": {"calls": {"micros": 10 * CREDIT}}, "quality_percent": {"cheap": 50, "medium": 100, "best": 300}},
    "tests": {"units": {"cases": {"micros": CREDIT}}, "quality_percent": {"cheap": 75, "best": 200}}}}
DISABLED = (StatusCode.FAILED_PRECONDITION, "AI_DISABLED")


@pytest.fixture
def org(serve):
    org = Org.create(serve(CATALOG))
    org.grant(1_000 * CREDIT)
    return org


def test_at_first_ai_is_on_and_nothing_is_limited(org):
    settings = org.settings()
    assert settings.settings.ai_enabled and org.balance().ai_enabled
    assert not settings.limits and not settings.settings.limits and not settings.settings.qualities
    assert not settings.settings.HasField("update_time")


def test_off_refuses_what_begins_and_lets_all_else_go_on(org):
    held, partly, released, ended = (org.hold(10 * CREDIT, ttl=HOUR) for _ in range(4))
    short, charged = org.hold(CREDIT, ttl=MINUTE), org.spend(10 * CREDIT)
    answer = org.set_ai(False, reason="between sprints")
    assert not answer.settings.ai_enabled and not org.settings().settings.ai_enabled
    assert not org.balance().ai_enabled
    for begin in (org.reserve, org.charge):
        with refused(*DISABLED):
            begin(CREDIT)
    # What costs nothing is refused as well.
    with refused(*DISABLED):
        org.charge(feature="agent", quantities={"calls": 0})
    assert org.quote(CREDIT).refusal == "AI_DISABLED"
    org.commit(partly, 4 * CREDIT, partial=True)
    org.commit(partly, 4 * CREDIT)
    # More than was held, too.
    assert org.commit(held, 15 * CREDIT).charged_micros == 15 * CREDIT
    org.release(released)
    org.extend(ended, 2 * HOUR)
    assert org.refund(charged).refunded_micros == 10 * CREDIT
    advance(org.server, MINUTE)
    assert org.commit(short, CREDIT).late
    assert org.grants() and org.transactions() and org.events()
    org.set_ai(True)
    assert org.balance().ai_enabled
    org.spend(CREDIT)


def test_a_refusal_while_off_is_remembered_under_its_id(org):
    org.set_ai(False)
    step = new_id()
    with refused(*DISABLED):
        org.charge(CREDIT, reservation_id=step)
    org.set_ai(True)
    with refused(*DISABLED):
        org.charge(CREDIT, reservation_id=step)
    org.charge(CREDIT)


def test_what_was_done_before_is_answered_while_off(org):
    """Replay comes before refusal."""
    from tollgate.v1 import metering_pb2 as m

    request = m.ReserveRequest(reservation_id=new_id(), amount_micros=CREDIT)
    org.client.metering.Reserve(request)
    org.set_ai(False)
    assert org.client.metering.Reserve(request).replayed


def test_off_holds_for_all_users_and_no_other_tenant(org):
    other = Org.create(org.server, "other")
    other.grant(CREDIT)
    org.set_ai(False)
    for actor in ("ada", "bob"):
        with refused(*DISABLED):
            org.charge(1, actor=actor)
    other.charge(1)


def test_settings_outlive_a_crash(org):
    org.set_ai(False)
    org.set_quality("agent", "best")
    org.set_limits(Limit("member", "week", "ada", soft=CREDIT, hard=2 * CREDIT, enforce=False))
    before = org.settings()
    org.server.kill()
    org.server.restart()
    assert Org(org.server, "acme").settings() == before


@pytest.mark.parametrize("quality, credits", [("cheap", 5), ("medium", 10), ("best", 30)])
def test_a_features_quality_prices_requests_that_name_none(org, quality, credits):
    answer = org.set_quality("agent", quality)
    assert dict(answer.settings.qualities) == {"agent": enum("QUALITY", quality)}
    asked = dict(feature="agent", quantities={"calls": 1})
    assert org.quote(**asked).amount_micros == credits * CREDIT
    assert org.quote(**asked).quality == enum("QUALITY", quality)
    reserved = org.reserve(**asked)
    assert (reserved.reserved_micros, reserved.reservation.quality) == (credits * CREDIT, enum("QUALITY", quality))
    assert org.charge(**asked).charged_micros == credits * CREDIT
    # What names one gets that; another feature is balanced.
    assert org.charge(quality="cheap", **asked).charged_micros == 5 * CREDIT
    assert org.charge(feature="tests", quantities={"cases": 1}).charged_micros == CREDIT
    from tollgate.v1 import credits_pb2 as cr

    card = {f.feature: f.default_quality for f in org.client.credits.GetRateCard(cr.GetRateCardRequest()).features}
    assert card == {"agent": enum("QUALITY", quality), "tests": enum("QUALITY", "medium")}
    # A reservation keeps the quality at which it was made.
    org.set_quality("agent", None)
    assert not org.settings().settings.qualities
    assert org.commit(reserved.reservation.reservation_id, quantities={"calls": 1}).charged_micros == credits * CREDIT
    assert org.charge(**asked).charged_micros == 10 * CREDIT


def test_a_quality_needs_a_feature_of_the_rate_card(org):
    from tollgate.v1 import settings_pb2 as s

    for field, request in [
            ("feature", s.SetQualityRequest(feature="nothing", quality=1)), ("feature", s.SetQualityRequest(quality=1)),
            ("quality", s.SetQualityRequest(feature="agent", quality=9))]:
        with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field=field):
            org.client.settings.SetQuality(request)
    assert not org.settings().settings.qualities


def test_to_say_the_same_thing_twice_does_no_harm(org):
    limit = Limit("tenant", "day", hard=50 * CREDIT)
    for change in (
            lambda: org.set_ai(False), lambda: org.set_quality("agent", "best"), lambda: org.set_limits(limit)):
        first = change().settings
        first.ClearField("update_time")
        advance(org.server, MINUTE)
        again = change().settings
        again.ClearField("update_time")
        assert again == first


def test_the_time_of_the_last_change_is_told(org):
    advance(org.server, MINUTE)
    at = now(org.server)
    assert org.set_quality("agent", "best").settings.update_time.ToMicroseconds() == at
    advance(org.server, MINUTE)
    assert org.settings().settings.update_time.ToMicroseconds() == at


def test_a_change_holds_from_the_next_step_on_for_all_who_race(org):
    """Once it is answered that AI is off, nothing begins any more, whoever asks."""
    import grpc
    import threading

    off = threading.Event()

    def use(index):
        if index == 0:
            org.set_ai(False)
            off.set()
            return 0
        client, late = Org(org.server, "acme"), 0
        for _ in range(20):
            was_off = off.is_set()
            try:
                client.charge(1)
                late += was_off
            except grpc.RpcError as error:
                assert error.code() == StatusCode.FAILED_PRECONDITION, error
        return late

    assert sum(in_parallel(8, use)) == 0
