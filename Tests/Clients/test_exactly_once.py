"""Exactly once: every kind of step, sent again after a crash, has the answer of its first time and no effect."""

import grpc
from book import assert_adds_up
from google.protobuf import duration_pb2
from support import CREDIT, details, new_id


def steps():
    """A step of each kind with its request, in an order in which they work; one of them is refused."""
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import metering_pb2 as m

    hold, released, charged = new_id(), new_id(), new_id()
    return [
        ("admin", "GrantCredits", a.GrantCreditsRequest(
            grant_id=new_id(), tenant_id="acme", kind=c.GRANT_KIND_PURCHASED, amount_micros=100 * CREDIT)),
        ("metering", "Reserve", m.ReserveRequest(
            reservation_id=hold, feature="chat", quantities={"context_tokens": 500, "generated_tokens": 2_000},
            actor="ada", labels={"request": "7f3a"}, comment="hello", ttl=duration_pb2.Duration(seconds=3_600))),
        ("metering", "Reserve", m.ReserveRequest(
            reservation_id=released, amount_micros=1_000 * CREDIT, minimum_micros=CREDIT)),
        ("metering", "Release", m.ReleaseRequest(reservation_id=released, reason="too much")),
        ("metering", "Extend", m.ExtendRequest(
            reservation_id=hold, ttl=duration_pb2.Duration(seconds=7_200), extend_id=new_id())),
        ("metering", "Commit", m.CommitRequest(
            reservation_id=hold, quantities={"generated_tokens": 10}, partial=True)),
        ("metering", "Commit", m.CommitRequest(
            reservation_id=hold, quantities={"generated_tokens": 10}, partial=True, commit_id=new_id())),
        ("metering", "Commit", m.CommitRequest(reservation_id=hold, quantities={"context_tokens": 400})),
        ("metering", "Refund", m.RefundRequest(
            refund_id=new_id(), reservation_id=hold, amount_micros=1_000, reason="half")),
        ("metering", "Refund", m.RefundRequest(refund_id=new_id(), reservation_id=hold)),
        ("metering", "Charge", m.ChargeRequest(
            reservation_id=charged, feature="chat", quantities={"context_tokens": 1}, actor="bob")),
        ("metering", "Reserve", m.ReserveRequest(reservation_id=new_id(), amount_micros=5_000 * CREDIT)),
    ]


def send(client, service, call, request):
    """The answer, or code, reason and facts of the refusal."""
    try:
        return getattr(getattr(client, service), call)(request)
    except grpc.RpcError as error:
        info, _ = details(error)
        return error.code(), error.details(), info.reason, dict(info.metadata)


def test_every_step_is_answered_as_the_first_time(server):
    client = server.tenant("acme")
    sent = steps()
    answers = [send(client, *step) for step in sent]
    assert answers[-1][0] == grpc.StatusCode.RESOURCE_EXHAUSTED
    entries = assert_adds_up(client)
    assert len(entries) == len(sent) - 1

    def assert_replayed(order):
        for index in order:
            again, first = send(client, *sent[index]), answers[index]
            if not isinstance(first, tuple):
                assert again.replayed and not first.replayed, sent[index]
                again.replayed = False
            assert again == first, sent[index]
        assert assert_adds_up(client) == entries

    assert_replayed(range(len(sent)))
    server.kill()
    server.restart()
    client = server.client(tenant="acme")
    assert_replayed(reversed(range(len(sent))))
    assert server.stop() == 0
    server.restart()
    client = server.client(tenant="acme")
    assert_replayed(range(len(sent)))
    server.verify()


def test_the_same_contents_in_another_form_are_the_same_step(server):
    """Upper case in an id and the order of a map are no contents."""
    from tollgate.v1 import metering_pb2 as m

    client = server.tenant("acme", credits=10)
    hold = new_id()
    quantities = {"context_tokens": 5, "generated_tokens": 7}
    labels = {f"label-{n}": str(n) for n in range(16)}
    first = client.metering.Reserve(
        m.ReserveRequest(reservation_id=hold, feature="chat", quantities=quantities, labels=labels))
    again = client.metering.Reserve(
        m.ReserveRequest(
            reservation_id=hold.upper(), feature="chat", quantities=dict(reversed(quantities.items())),
            labels=dict(reversed(labels.items()))))
    assert again.replayed and again.reservation == first.reservation


def test_ids_of_different_calls_and_tenants_are_apart(server):
    """A refund may have the id of a grant, and another tenant that of a reservation."""
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import metering_pb2 as m

    one, two = server.tenant("one", credits=5), server.tenant("two", credits=5)
    same = new_id()
    for client in (one, two):
        assert not client.metering.Charge(m.ChargeRequest(reservation_id=same, amount_micros=CREDIT)).replayed
    assert not one.metering.Refund(m.RefundRequest(refund_id=same, reservation_id=same)).replayed
    grant = a.GrantCreditsRequest(
        grant_id=same, tenant_id="one", kind=c.GRANT_KIND_GIFTED, amount_micros=CREDIT)
    assert not one.admin.GrantCredits(grant).replayed
    assert (one.balance().available_micros, two.balance().available_micros) == (6 * CREDIT, 4 * CREDIT)
