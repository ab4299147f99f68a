"""What the services do, as a Python client sees it: every call that works, by its answers."""

import datetime

import pytest
from google.protobuf import duration_pb2, timestamp_pb2
from grpc import StatusCode
from support import CREDIT, DEADLINE_S, new_id, refused


@pytest.fixture
def acme(server):
    return server.tenant("acme", credits=1_000)


def again(stub, request, first):
    """Sends a step again: the same answer, marked as replayed."""
    assert not first.replayed
    second = stub(request)
    assert second.replayed
    second.replayed = False
    assert second == first


def test_a_reservation_from_reserve_to_refund(acme):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import metering_pb2 as m

    reserve = m.ReserveRequest(
        reservation_id=new_id().upper(), feature="chat", quantities={"context_tokens": 374, "generated_tokens": 2_000},
        actor="ada", comment="a question", labels={"request": "7f3a"}, ttl=duration_pb2.Duration(seconds=60))
    held = acme.metering.Reserve(reserve)
    price = 374 * 1_000 + 2_000 * 5_000
    assert held.reserved_micros == held.reservation.held_micros == price
    assert held.reservation.reservation_id == reserve.reservation_id.lower()
    assert (held.reservation.state, held.reservation.feature, held.reservation.actor) == (
        c.RESERVATION_STATE_OPEN, "chat", "ada")
    lasts = held.reservation.expire_time.ToMicroseconds() - held.reservation.create_time.ToMicroseconds()
    assert lasts == 60_000_000
    assert (held.balance.available_micros, held.balance.held_micros) == (1_000 * CREDIT - price, price)
    again(acme.metering.Reserve, reserve, held)

    known = acme.metering.GetReservation(m.GetReservationRequest(reservation_id=reserve.reservation_id)).reservation
    assert dict(known.quantities) == {"context_tokens": 374, "generated_tokens": 2_000}
    assert (dict(known.labels), known.comment) == ({"request": "7f3a"}, "a question")

    extend = m.ExtendRequest(
        reservation_id=reserve.reservation_id, ttl=duration_pb2.Duration(seconds=600), extend_id=new_id())
    extended = acme.metering.Extend(extend)
    assert extended.reservation.expire_time.seconds >= held.reservation.expire_time.seconds + 500
    again(acme.metering.Extend, extend, extended)

    part = m.CommitRequest(
        reservation_id=reserve.reservation_id, quantities={"context_tokens": 374}, partial=True, commit_id=new_id())
    charged = acme.metering.Commit(part)
    assert (charged.charged_micros, charged.reservation.held_micros) == (374_000, price - 374_000)
    assert charged.reservation.state == c.RESERVATION_STATE_OPEN
    again(acme.metering.Commit, part, charged)

    final = m.CommitRequest(reservation_id=reserve.reservation_id, quantities={"generated_tokens": 44})
    committed = acme.metering.Commit(final)
    assert committed.charged_micros == 44 * 5_000
    assert committed.reservation.committed_micros == 374_000 + 44 * 5_000
    assert (committed.reservation.state, committed.reservation.held_micros, committed.late) == (
        c.RESERVATION_STATE_COMMITTED, 0, False)
    assert committed.balance.available_micros == 1_000 * CREDIT - 594_000
    again(acme.metering.Commit, final, committed)

    refund = m.RefundRequest(
        refund_id=new_id(), reservation_id=reserve.reservation_id, amount_micros=94_000, reason="half an answer")
    refunded = acme.metering.Refund(refund)
    assert (refunded.refunded_micros, refunded.reservation.refunded_micros) == (94_000, 94_000)
    again(acme.metering.Refund, refund, refunded)
    rest = acme.metering.Refund(m.RefundRequest(refund_id=new_id(), reservation_id=reserve.reservation_id))
    assert (rest.refunded_micros, rest.balance.available_micros) == (500_000, 1_000 * CREDIT)


def test_what_was_not_used_comes_back(acme):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import metering_pb2 as m

    hold = new_id()
    acme.metering.Reserve(m.ReserveRequest(reservation_id=hold, amount_micros=50 * CREDIT))
    release = m.ReleaseRequest(reservation_id=hold, reason="cancelled")
    released = acme.metering.Release(release)
    assert (released.released_micros, released.reservation.state) == (50 * CREDIT, c.RESERVATION_STATE_RELEASED)
    assert released.balance.available_micros == 1_000 * CREDIT
    again(acme.metering.Release, release, released)


def test_a_commit_may_take_more_than_was_held_where_it_is_there(acme):
    from tollgate.v1 import metering_pb2 as m

    hold = new_id()
    acme.metering.Reserve(m.ReserveRequest(reservation_id=hold, amount_micros=10 * CREDIT))
    with refused(StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS"):
        acme.metering.Commit(m.CommitRequest(reservation_id=hold, amount_micros=1_001 * CREDIT))
    committed = acme.metering.Commit(m.CommitRequest(reservation_id=hold, amount_micros=1_000 * CREDIT))
    assert (committed.charged_micros, committed.balance.available_micros) == (1_000 * CREDIT, 0)


def test_less_than_asked_is_held_where_that_is_allowed(acme):
    from tollgate.v1 import metering_pb2 as m

    request = m.ReserveRequest(
        reservation_id=new_id(), amount_micros=3_000 * CREDIT, minimum_micros=1_000 * CREDIT)
    held = acme.metering.Reserve(request)
    assert (held.reserved_micros, held.balance.available_micros) == (1_000 * CREDIT, 0)
    with refused(StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS"):
        acme.metering.Reserve(m.ReserveRequest(reservation_id=new_id(), amount_micros=2, minimum_micros=1))


def test_charge_and_quote(acme):
    from tollgate.v1 import metering_pb2 as m

    quote = acme.metering.Quote(m.QuoteRequest(feature="chat", quantities={"context_tokens": 7, "generated_tokens": 3}))
    assert (quote.amount_micros, quote.affordable) == (22_000, True)
    assert [(l.unit, l.quantity, l.unit_micros, l.per, l.amount_micros) for l in quote.lines] == [
        ("context_tokens", 7, 1_000, 1, 7_000), ("generated_tokens", 3, 5_000, 1, 15_000)]
    assert not acme.metering.Quote(m.QuoteRequest(amount_micros=1_001 * CREDIT)).affordable
    charge = m.ChargeRequest(
        reservation_id=new_id(), feature="chat", quantities={"context_tokens": 7, "generated_tokens": 3})
    charged = acme.metering.Charge(charge)
    assert (charged.charged_micros, charged.reservation.committed_micros) == (22_000, 22_000)
    again(acme.metering.Charge, charge, charged)


def test_lists_of_reservations_come_in_pages(acme):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import metering_pb2 as m

    ids = [new_id() for _ in range(7)]
    for index, hold in enumerate(ids):
        acme.metering.Reserve(
            m.ReserveRequest(reservation_id=hold, amount_micros=CREDIT, feature="f", actor=f"a{index % 2}"))
    acme.metering.Release(m.ReleaseRequest(reservation_id=ids[0]))

    def listed(**filters):
        found, token = [], ""
        while True:
            page = acme.metering.ListReservations(m.ListReservationsRequest(page_size=3, page_token=token, **filters))
            assert len(page.reservations) <= 3
            found += [r.reservation_id for r in page.reservations]
            token = page.next_page_token
            if not token:
                return found

    assert sorted(listed()) == sorted(ids)
    assert sorted(listed(state=c.RESERVATION_STATE_OPEN)) == sorted(ids[1:])
    assert listed(state=c.RESERVATION_STATE_RELEASED) == ids[:1]
    assert sorted(listed(actor="a1")) == sorted(ids[1::2])
    assert listed(feature="other") == []


def test_each_step_of_a_batch_is_answered_by_itself(acme):
    from tollgate.v1 import metering_pb2 as m

    hold, missing = new_id(), new_id()
    steps = [
        m.Step(reserve=m.ReserveRequest(reservation_id=hold, amount_micros=3 * CREDIT)),
        m.Step(commit=m.CommitRequest(reservation_id=missing, amount_micros=1)),
        m.Step(commit=m.CommitRequest(reservation_id=hold, amount_micros=2 * CREDIT)),
        m.Step(),
        m.Step(charge=m.ChargeRequest(reservation_id=new_id(), amount_micros=5 * CREDIT)),
        m.Step(reserve=m.ReserveRequest(reservation_id="no id", amount_micros=1)),
    ]
    results = acme.metering.Batch(m.BatchRequest(steps=steps)).results
    assert [r.WhichOneof("kind") for r in results] == ["reserve", "error", "commit", "error", "charge", "error"]
    assert [results[n].error.code for n in (1, 3, 5)] == [
        StatusCode.NOT_FOUND.value[0], StatusCode.INVALID_ARGUMENT.value[0], StatusCode.INVALID_ARGUMENT.value[0]]
    assert results[2].commit.charged_micros == 2 * CREDIT
    assert acme.balance().available_micros == 993 * CREDIT
    repeated = acme.metering.Batch(m.BatchRequest(steps=steps[:1])).results[0]
    assert repeated.reserve.replayed


def test_a_stream_of_steps_is_answered_by_tag(acme):
    from tollgate.v1 import metering_pb2 as m

    holds = [new_id() for _ in range(500)]

    def requests():
        for tag, hold in enumerate(holds):
            yield m.MeterRequest(
                tag=tag, step=m.Step(charge=m.ChargeRequest(reservation_id=hold, amount_micros=CREDIT)))
        yield m.MeterRequest(tag=999, step=m.Step(release=m.ReleaseRequest(reservation_id=new_id())))

    answers = {answer.tag: answer.result for answer in acme.metering.Meter(requests())}
    assert sorted(answers) == list(range(500)) + [999]
    assert all(answers[tag].charge.reservation.reservation_id == hold for tag, hold in enumerate(holds))
    assert answers[999].error.code == StatusCode.NOT_FOUND.value[0]
    assert acme.balance().available_micros == 500 * CREDIT


def test_a_message_that_cannot_be_read_ends_a_stream_of_steps_behind_those_before_it(acme):
    from tollgate.v1 import metering_pb2 as m

    def request(tag):
        charge = m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT)
        return m.MeterRequest(tag=tag, step=m.Step(charge=charge)).SerializeToString()

    meter = acme.channel.stream_stream(
        "/tollgate.v1.Metering/Meter", request_serializer=bytes, response_deserializer=m.MeterResponse.FromString)
    # A step that claims more bytes than there are.
    messages = [request(1), request(2), request(3), request(4)[:-1], request(5)]
    tags = []
    with refused(StatusCode.INTERNAL):
        for answer in meter(iter(messages)):
            assert answer.result.charge.charged_micros == CREDIT
            tags.append(answer.tag)
    assert tags == [1, 2, 3]
    assert acme.balance().available_micros == 997 * CREDIT


def test_the_actor_may_come_from_the_metadata(server, acme):
    from tollgate.v1 import metering_pb2 as m

    ada = server.client(tenant="acme", actor="ada")
    named = ada.metering.Reserve(m.ReserveRequest(reservation_id=new_id(), amount_micros=1))
    other = ada.metering.Reserve(m.ReserveRequest(reservation_id=new_id(), amount_micros=1, actor="bob"))
    assert (named.reservation.actor, other.reservation.actor) == ("ada", "bob")


def test_the_billing_page(server):
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import credits_pb2 as cr
    from tollgate.v1 import metering_pb2 as m

    client = server.tenant("acme", credits=60)
    soon = timestamp_pb2.Timestamp()
    soon.FromDatetime(datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=3))
    gift = a.GrantCreditsRequest(
        grant_id=new_id(), tenant_id="acme", kind=c.GRANT_KIND_GIFTED, amount_micros=40 * CREDIT, expire_time=soon,
        comment="welcome")
    given = client.admin.GrantCredits(gift)
    assert (given.grant.amount_micros, given.grant.expire_time, given.balance.available_micros) == (
        40 * CREDIT, soon, 100 * CREDIT)
    again(client.admin.GrantCredits, gift, given)

    # The gift goes first: it expires.
    for _ in range(3):
        client.metering.Charge(
            m.ChargeRequest(reservation_id=new_id(), amount_micros=10 * CREDIT, feature="chat", actor="ada"))
    client.metering.Charge(m.ChargeRequest(reservation_id=new_id(), amount_micros=15 * CREDIT, feature="image"))
    balance = client.balance()
    assert (balance.available_micros, balance.held_micros, balance.this_month_consumed_micros) == (
        55 * CREDIT, 0, 45 * CREDIT)
    assert (balance.gauge_percent, balance.level, balance.status_text) == (
        55, cr.BALANCE_LEVEL_MODERATE, "Credits in good shape")
    assert not balance.HasField("estimated_days_left") and balance.ai_enabled
    assert {k.kind: k.available_micros for k in balance.by_kind} == {c.GRANT_KIND_PURCHASED: 55 * CREDIT}

    grants = client.credits.ListGrants(cr.ListGrantsRequest()).grants
    assert [(g.kind, g.amount_micros, g.available_micros, g.consumed_micros) for g in grants] == [
        (c.GRANT_KIND_PURCHASED, 60 * CREDIT, 55 * CREDIT, 5 * CREDIT),
        (c.GRANT_KIND_GIFTED, 40 * CREDIT, 0, 40 * CREDIT)]

    entries, token = [], ""
    while True:
        page = client.credits.ListTransactions(cr.ListTransactionsRequest(page_size=2, page_token=token))
        entries += page.transactions
        token = page.next_page_token
        if not token:
            break
    assert [t.kind for t in entries] == [cr.TRANSACTION_KIND_CHARGE] * 4 + [cr.TRANSACTION_KIND_GRANT] * 2
    assert [t.sequence for t in entries] == sorted((t.sequence for t in entries), reverse=True)
    assert sum(t.available_change_micros for t in entries) == 55 * CREDIT
    assert [(s.kind, s.amount_micros) for s in entries[0].sources] == [
        (c.GRANT_KIND_GIFTED, 10 * CREDIT), (c.GRANT_KIND_PURCHASED, 5 * CREDIT)]
    assert entries[4].comment == "welcome" and entries[4].direction == cr.TRANSACTION_DIRECTION_CREDIT

    def count(**filters):
        return len(client.credits.ListTransactions(cr.ListTransactionsRequest(**filters)).transactions)

    assert (count(), count(actor="ada"), count(feature="image"), count(actor="eve")) == (6, 3, 1, 0)
    assert count(start_time=soon) == 0 and count(end_time=soon) == 6

    card = client.credits.GetRateCard(cr.GetRateCardRequest()).features
    assert [(f.feature, [(u.unit, u.unit_micros, u.per) for u in f.units]) for f in card] == [
        ("chat", [("context_tokens", 1_000, 1), ("generated_tokens", 5_000, 1)])]


def test_a_report_shows_every_step_that_was_answered_before(acme):
    from tollgate.v1 import credits_pb2 as cr
    from tollgate.v1 import metering_pb2 as m

    for _ in range(50):
        charge = m.ChargeRequest(reservation_id=new_id(), amount_micros=1)
        acme.metering.Charge(charge)
        newest = acme.credits.ListTransactions(cr.ListTransactionsRequest(page_size=1)).transactions[0]
        assert newest.reservation_id == charge.reservation_id


def test_tenants(server):
    from tollgate.v1 import admin_pb2 as a

    admin = server.client().admin
    request = a.CreateTenantRequest(tenant_id="t-1", plan="premium", display_name="Tee Ära", time_zone="Europe/Berlin")
    made = admin.CreateTenant(request)
    assert (made.tenant.tenant_id, made.tenant.plan, made.tenant.display_name, made.tenant.time_zone) == (
        "t-1", "premium", "Tee Ära", "Europe/Berlin")
    again(admin.CreateTenant, request, made)
    with refused(StatusCode.ALREADY_EXISTS, "ID_REUSED"):
        admin.CreateTenant(a.CreateTenantRequest(tenant_id="t-1", plan="free"))
    assert admin.GetTenant(a.GetTenantRequest(tenant_id="t-1")).tenant == made.tenant
    for n in range(2, 8):
        admin.CreateTenant(a.CreateTenantRequest(tenant_id=f"t-{n}"))
    found, token = [], ""
    while True:
        page = admin.ListTenants(a.ListTenantsRequest(page_size=3, page_token=token))
        found += [t.tenant_id for t in page.tenants]
        token = page.next_page_token
        if not token:
            break
    assert found == [f"t-{n}" for n in range(1, 8)]


def test_keys_open_until_they_are_revoked(server, acme):
    from tollgate.v1 import admin_pb2 as a

    made = server.new_key("service", "acme")
    assert (made.info.role, made.info.tenant_id, made.info.name) == ("service", "acme", "service of acme")
    client = server.client(key=made.key)
    assert client.balance().available_micros == 1_000 * CREDIT
    admin = server.client().admin
    listed = admin.ListKeys(a.ListKeysRequest(tenant_id="acme")).keys
    assert [k.key_id for k in listed] == [made.key_id]
    assert made.key not in str(listed)
    revoked = admin.RevokeKey(a.RevokeKeyRequest(key_id=made.key_id)).info
    assert revoked.HasField("revoke_time")
    with refused(StatusCode.UNAUTHENTICATED, "KEY_INVALID"):
        client.balance()
    assert admin.RevokeKey(a.RevokeKeyRequest(key_id=made.key_id)).info == revoked
    assert len(admin.ListKeys(a.ListKeysRequest()).keys) == 2
    assert made.key not in server.log() and server.key not in server.log()


def test_the_test_clock_is_not_served_otherwise(server):
    from tollgate.v1 import test_clock_pb2 as tc

    with refused(StatusCode.UNIMPLEMENTED):
        server.client().clock.GetTime(tc.GetTimeRequest())


def test_a_hold_ends_by_itself_in_real_time_too(acme):
    from tollgate.v1 import metering_pb2 as m

    hold = m.ReserveRequest(reservation_id=new_id(), amount_micros=CREDIT, ttl=duration_pb2.Duration(nanos=1_000_000))
    acme.metering.Reserve(hold)
    deadline = datetime.datetime.now() + datetime.timedelta(seconds=DEADLINE_S)
    while acme.balance().held_micros:
        assert datetime.datetime.now() < deadline
    assert acme.balance().available_micros == 1_000 * CREDIT
