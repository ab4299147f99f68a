"""What time does to a book: holds end, grants expire, commits come late, each at its exact moment."""

import datetime

import pytest
from book import assert_adds_up, grants, reservation, transactions
from google.protobuf import duration_pb2, timestamp_pb2
from grpc import StatusCode
from support import CREDIT, new_id, refused

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
START = "2026-03-01T12:00:00Z"


@pytest.fixture(scope="module")
def clocked(binary, tmp_path_factory):
    """One server for all tests; its time goes on from one to the next."""
    from conftest import started

    yield from started(binary, tmp_path_factory.mktemp("clocked"), "--test-clock", START)


@pytest.fixture
def time(clocked):
    return Time(clocked.client())


class Time:
    """The server's time in microseconds, from where the test began."""

    def __init__(self, client):
        self.client = client
        self.began = self.now()

    def now(self):
        from tollgate.v1 import test_clock_pb2 as tc

        return self.client.clock.GetTime(tc.GetTimeRequest()).time.ToMicroseconds()

    def advance(self, micros):
        from tollgate.v1 import test_clock_pb2 as tc

        before = self.now()
        request = tc.AdvanceTimeRequest(duration=duration(micros))
        assert self.client.clock.AdvanceTime(request).time.ToMicroseconds() == before + micros

    def advance_to(self, micros):
        from tollgate.v1 import test_clock_pb2 as tc

        request = tc.AdvanceTimeRequest(to=moment(micros))
        assert self.client.clock.AdvanceTime(request).time.ToMicroseconds() == micros


def duration(micros):
    found = duration_pb2.Duration()
    found.FromMicroseconds(micros)
    return found


def moment(micros):
    found = timestamp_pb2.Timestamp()
    found.FromMicroseconds(micros)
    return found


def grant(client, tenant, credits, kind, expires=None, grant_id=None):
    from tollgate.v1 import admin_pb2 as a

    return client.admin.GrantCredits(
        a.GrantCreditsRequest(
            grant_id=grant_id or new_id(), tenant_id=tenant, kind=kind, amount_micros=credits * CREDIT,
            expire_time=moment(expires) if expires else None))


def reserve(client, credits, ttl=None):
    from tollgate.v1 import metering_pb2 as m

    request = m.ReserveRequest(
        reservation_id=new_id(), amount_micros=credits * CREDIT, ttl=duration(ttl) if ttl else None)
    client.metering.Reserve(request)
    return request.reservation_id


def commit(client, hold, credits, **fields):
    from tollgate.v1 import metering_pb2 as m

    return client.metering.Commit(
        m.CommitRequest(reservation_id=hold, amount_micros=round(credits * CREDIT), **fields))


def test_a_hold_ends_at_its_exact_time_however_late_that_is_seen(clocked, time):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import credits_pb2 as cr

    client = clocked.tenant("exact", credits=100)
    by_default, short = reserve(client, 10), reserve(client, 5, ttl=1_500_000)
    assert reservation(client, by_default).expire_time.ToMicroseconds() == time.began + 15 * MINUTE
    time.advance(1_499_999)
    assert reservation(client, short).state == c.RESERVATION_STATE_OPEN
    time.advance(1)
    ended = reservation(client, short)
    assert (ended.state, ended.held_micros) == (c.RESERVATION_STATE_EXPIRED, 0)
    assert ended.close_time.ToMicroseconds() == time.began + 1_500_000
    time.advance(3 * DAY)
    assert client.balance().available_micros == 100 * CREDIT
    newest = transactions(client)[0]
    assert (newest.kind, newest.reservation_id, newest.amount_micros, newest.step_id) == (
        cr.TRANSACTION_KIND_HOLD_EXPIRY, by_default, 10 * CREDIT, "")
    assert newest.time.ToMicroseconds() == time.began + 15 * MINUTE
    assert newest.direction == cr.TRANSACTION_DIRECTION_CREDIT
    assert_adds_up(client)


def test_an_extension_moves_the_end_later_and_never_earlier(clocked, time):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import metering_pb2 as m

    client = clocked.tenant("extended", credits=10)
    hold = reserve(client, 1, ttl=MINUTE)
    time.advance(30 * SECOND)

    def extend(ttl):
        answer = client.metering.Extend(m.ExtendRequest(reservation_id=hold, ttl=duration(ttl)))
        return answer.reservation.expire_time.ToMicroseconds() - time.began

    assert extend(HOUR) == HOUR + 30 * SECOND
    assert extend(MINUTE) == HOUR + 30 * SECOND
    time.advance(HOUR - 1)
    assert reservation(client, hold).state == c.RESERVATION_STATE_OPEN
    time.advance(1)
    assert reservation(client, hold).state == c.RESERVATION_STATE_EXPIRED
    with refused(StatusCode.FAILED_PRECONDITION, "RESERVATION_CLOSED"):
        extend(HOUR)
    assert_adds_up(client)


def test_a_commit_up_to_ten_minutes_late_is_charged_and_says_so(clocked, time):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import credits_pb2 as cr

    client = clocked.tenant("late", credits=100)
    holds = [reserve(client, 10, ttl=MINUTE) for _ in range(3)]
    time.advance(MINUTE)
    with refused(StatusCode.FAILED_PRECONDITION, "RESERVATION_CLOSED"):
        commit(client, holds[0], 1, partial=True)
    at_once = commit(client, holds[0], 4)
    assert (at_once.late, at_once.charged_micros, at_once.reservation.late) == (True, 4 * CREDIT, True)
    assert at_once.reservation.state == c.RESERVATION_STATE_COMMITTED
    # More than was held is taken from what is there, as of an open one.
    time.advance(10 * MINUTE)
    assert commit(client, holds[1], 20).late
    time.advance(1)
    with refused(StatusCode.FAILED_PRECONDITION, "RESERVATION_CLOSED"):
        commit(client, holds[2], 1)
    again = commit(client, holds[0], 4)
    assert again.replayed and again.late
    assert client.balance().available_micros == 76 * CREDIT
    entries = assert_adds_up(client)
    assert [(e.late, e.amount_micros) for e in entries if e.kind == cr.TRANSACTION_KIND_COMMIT] == [
        (True, 20 * CREDIT), (True, 4 * CREDIT)]


def test_a_late_commit_that_is_not_covered_is_refused_whole(clocked, time):
    from tollgate.v1 import metering_pb2 as m

    client = clocked.tenant("uncovered", credits=10)
    hold = reserve(client, 10, ttl=MINUTE)
    time.advance(MINUTE)
    client.metering.Charge(m.ChargeRequest(reservation_id=new_id(), amount_micros=7 * CREDIT))
    with refused(StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS"):
        commit(client, hold, 4, commit_id=new_id())
    assert client.balance().available_micros == 3 * CREDIT
    covered = commit(client, hold, 3, commit_id=new_id())
    assert (covered.late, covered.balance.available_micros) == (True, 0)
    assert_adds_up(client)


def test_a_grant_expires_at_its_exact_time_and_what_it_gave_to_holds_stays_with_them(clocked, time):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import credits_pb2 as cr
    from tollgate.v1 import metering_pb2 as m

    client = clocked.tenant("expiring", credits=20)
    ends = time.began + HOUR
    grant(client, "expiring", 30, c.GRANT_KIND_GIFTED, expires=ends)
    kept, partly, charged = reserve(client, 8, ttl=DAY), reserve(client, 8, ttl=DAY), new_id()
    client.metering.Charge(m.ChargeRequest(reservation_id=charged, amount_micros=4 * CREDIT))
    time.advance_to(ends - 1)
    assert client.balance().available_micros == 30 * CREDIT
    time.advance(1)
    assert client.balance().available_micros == 20 * CREDIT
    newest = transactions(client)[0]
    assert (newest.kind, newest.amount_micros, newest.available_change_micros) == (
        cr.TRANSACTION_KIND_GRANT_EXPIRY, 10 * CREDIT, -10 * CREDIT)
    assert (newest.time.ToMicroseconds(), newest.direction) == (ends, cr.TRANSACTION_DIRECTION_DEBIT)

    # Holds keep theirs to the end; what comes back to the grant is gone with it.
    assert commit(client, kept, 8).balance.available_micros == 20 * CREDIT
    smaller = commit(client, partly, 3)
    assert (smaller.charged_micros, smaller.balance.available_micros) == (3 * CREDIT, 20 * CREDIT)
    back = client.metering.Refund(m.RefundRequest(refund_id=new_id(), reservation_id=charged))
    assert (back.refunded_micros, back.balance.available_micros) == (4 * CREDIT, 20 * CREDIT)
    gift = grants(client, kind=c.GRANT_KIND_GIFTED)[0]
    assert (gift.available_micros, gift.held_micros, gift.consumed_micros, gift.expired_micros) == (
        0, 0, 11 * CREDIT, 19 * CREDIT)
    assert grants(client, only_active=True) == grants(client, kind=c.GRANT_KIND_PURCHASED)
    assert_adds_up(client)


def test_a_grant_is_replayed_after_it_expired_but_not_made_anew(clocked, time):
    from tollgate.v1 import common_pb2 as c

    client = clocked.tenant("over", credits=1)
    ends, grant_id = time.began + HOUR, new_id()
    first = grant(client, "over", 5, c.GRANT_KIND_GIFTED, expires=ends, grant_id=grant_id)
    time.advance(HOUR)
    again = grant(client, "over", 5, c.GRANT_KIND_GIFTED, expires=ends, grant_id=grant_id)
    assert again.replayed and again.grant == first.grant and again.balance == first.balance
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="expire_time"):
        grant(client, "over", 5, c.GRANT_KIND_GIFTED, expires=ends)


def test_answers_are_remembered_for_ever_and_refusals_for_a_day(clocked, time):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import metering_pb2 as m

    client = clocked.tenant("memory", credits=1)
    poor = m.ReserveRequest(reservation_id=new_id(), amount_micros=5 * CREDIT)
    with refused(StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS"):
        client.metering.Reserve(poor)
    charge = m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT)
    first = client.metering.Charge(charge)
    grant(client, "memory", 100, c.GRANT_KIND_PURCHASED)
    time.advance(DAY - 1)
    with refused(StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS"):
        client.metering.Reserve(poor)
    time.advance(3 * 365 * DAY)
    again = client.metering.Charge(charge)
    assert again.replayed and again.reservation == first.reservation
    with refused(StatusCode.ALREADY_EXISTS, "ID_REUSED"):
        client.metering.Charge(m.ChargeRequest(reservation_id=charge.reservation_id, amount_micros=2 * CREDIT))


def test_months_begin_by_the_tenants_time_zone_and_days_left_by_its_pace(clocked, time):
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import metering_pb2 as m

    today = datetime.datetime.fromtimestamp(time.began / 1e6, datetime.timezone.utc)
    july = datetime.datetime(today.year + 1, 7, 1, tzinfo=datetime.timezone.utc)
    # Auckland is 12 hours ahead of UTC in its winter.
    turn = round(july.timestamp() * 1e6) - 12 * HOUR
    request = a.CreateTenantRequest(tenant_id="kiwi", time_zone="Pacific/Auckland")
    clocked.client().admin.CreateTenant(request)
    client = clocked.client(tenant="kiwi")
    grant(client, "kiwi", 100, c.GRANT_KIND_PURCHASED)
    time.advance_to(turn - 5 * DAY)
    client.metering.Charge(m.ChargeRequest(reservation_id=new_id(), amount_micros=10 * CREDIT))
    assert not client.balance().HasField("estimated_days_left")
    time.advance_to(turn - 1)
    assert client.balance().this_month_consumed_micros == 10 * CREDIT
    time.advance(1)
    balance = client.balance()
    assert balance.this_month_consumed_micros == 0
    # 10 credits in 5 days, and 90 are left.
    assert 44 <= balance.estimated_days_left <= 46
    assert balance.as_of.ToMicroseconds() == turn


def test_time_goes_forward_only_and_stays_within_its_bounds(clocked, time):
    from tollgate.v1 import test_clock_pb2 as tc

    clock = clocked.client().clock
    for field, target in [
            ("to", dict(to=moment(time.began - 1))), ("duration", dict(duration=duration(0))),
            ("duration", dict(duration=duration(-1))), ("target", dict()),
            ("to", dict(to=timestamp_pb2.Timestamp(seconds=253_402_300_800)))]:
        with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field=field):
            clock.AdvanceTime(tc.AdvanceTimeRequest(**target))
    assert time.now() == time.began
    time.advance_to(time.began)


def test_all_of_it_is_proven(clocked):
    """The last of the file: the books that time has worked on add up, in memory, on disk, and after a crash."""
    clocked.verify()
    clocked.kill()
    clocked.verify()
    clocked.restart()
    client = clocked.client(tenant="expiring")
    # The clock begins where the server was told; nothing in the book goes back with it.
    assert client.balance().available_micros == 20 * CREDIT
    clocked.verify()
