"""Every refusal, by its status, its ErrorInfo.reason and, where a field is wrong, its name."""

import pytest
from google.protobuf import duration_pb2, timestamp_pb2
from grpc import StatusCode
from support import CREDIT, new_id, refused

INVALID = (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
LARGE = 2**63 - 1


@pytest.fixture(scope="module")
def shared(binary, tmp_path_factory):
    """One server for all refusals: none of them leaves anything behind."""
    from support import Server

    server = Server(binary, tmp_path_factory.mktemp("refusals"))
    server.start()
    server.tenant("acme", credits=100)
    server.tenant("other", credits=100)
    yield server
    server.end()


@pytest.fixture
def acme(shared):
    return shared.client(tenant="acme")


def hold(client, credits=1):
    from tollgate.v1 import metering_pb2 as m

    request = m.ReserveRequest(reservation_id=new_id(), amount_micros=credits * CREDIT)
    client.metering.Reserve(request)
    return request.reservation_id


@pytest.mark.parametrize("call", ["Reserve", "Charge"])
@pytest.mark.parametrize("field, fields", [
    ("reservation_id", dict(reservation_id="")),
    ("reservation_id", dict(reservation_id="f00")),
    ("reservation_id", dict(reservation_id="../../../../etc/passwd")),
    ("quantities", dict(amount_micros=0)),
    ("quantities", dict(feature="chat", amount_micros=0)),
    ("amount_micros", dict(amount_micros=-1)),
    ("amount_micros", dict(amount_micros=1, quantities={"context_tokens": 1}, feature="chat")),
    ("feature", dict(feature="nothing", quantities={"context_tokens": 1}, amount_micros=0)),
    ("feature", dict(feature="x" * 129)),
    ("feature", dict(feature="a\nb")),
    ('quantities["words"]', dict(feature="chat", quantities={"words": 1}, amount_micros=0)),
    ('quantities["context_tokens"]', dict(feature="chat", quantities={"context_tokens": -1}, amount_micros=0)),
    ('quantities["context_tokens"]', dict(feature="chat", quantities={"context_tokens": LARGE}, amount_micros=0)),
    ("quantities", dict(feature="chat", quantities={f"u{n}": 1 for n in range(33)}, amount_micros=0)),
    ("quality", dict(quality=9)),
    ("actor", dict(actor="x" * 257)),
    ("comment", dict(comment="x" * 1_025)),
    ("labels", dict(labels={f"l{n}": "" for n in range(17)})),
    ("labels", dict(labels={"": "x"})),
    ("labels", dict(labels={"k": "x" * 257})),
    ("ttl", dict(ttl=duration_pb2.Duration(seconds=0))),
    ("ttl", dict(ttl=duration_pb2.Duration(seconds=-1))),
    ("ttl", dict(ttl=duration_pb2.Duration(seconds=7 * 86_400 + 1))),
    ("ttl", dict(ttl=duration_pb2.Duration(seconds=1, nanos=-1))),
])
def test_fields_of_an_opening(acme, call, field, fields):
    from tollgate.v1 import metering_pb2 as m

    request = getattr(m, call + "Request")(**{"reservation_id": new_id(), "amount_micros": 1, **fields})
    with refused(*INVALID, field=field):
        getattr(acme.metering, call)(request)


def test_fields_of_later_steps(acme):
    from tollgate.v1 import metering_pb2 as m

    held = hold(acme)
    priced = new_id()
    acme.metering.Reserve(m.ReserveRequest(reservation_id=priced, feature="chat", quantities={"context_tokens": 1}))
    for field, call, request in [
            ("reservation_id", "Commit", m.CommitRequest(reservation_id="x", amount_micros=1)),
            ("quantities", "Commit", m.CommitRequest(reservation_id=held)),
            ("quantities", "Commit", m.CommitRequest(reservation_id=priced)),
            ("amount_micros", "Commit", m.CommitRequest(reservation_id=held, amount_micros=-1)),
            ("commit_id", "Commit", m.CommitRequest(reservation_id=held, amount_micros=1, commit_id="x")),
            ('quantities["context_tokens"]', "Commit",
             m.CommitRequest(reservation_id=held, quantities={"context_tokens": 1})),
            ('quantities["words"]', "Commit", m.CommitRequest(reservation_id=priced, quantities={"words": 1})),
            ("reservation_id", "Release", m.ReleaseRequest()),
            ("reason", "Release", m.ReleaseRequest(reservation_id=held, reason="x" * 1_025)),
            ("refund_id", "Refund", m.RefundRequest(reservation_id=held)),
            ("amount_micros", "Refund", m.RefundRequest(refund_id=new_id(), reservation_id=held, amount_micros=-1)),
            ("extend_id", "Extend", m.ExtendRequest(reservation_id=held, extend_id="x")),
            ("ttl", "Extend", m.ExtendRequest(reservation_id=held, ttl=duration_pb2.Duration(seconds=-5))),
            ("reservation_id", "GetReservation", m.GetReservationRequest(reservation_id="x")),
            ("page_size", "ListReservations", m.ListReservationsRequest(page_size=-1)),
            ("page_token", "ListReservations", m.ListReservationsRequest(page_token="nonsense")),
            ("steps", "Batch", m.BatchRequest()),
            ("steps", "Batch", m.BatchRequest(steps=[m.Step()] * 1_001)),
            ("minimum_micros", "Reserve",
             m.ReserveRequest(reservation_id=new_id(), amount_micros=1, minimum_micros=2)),
    ]:
        with refused(*INVALID, field=field):
            getattr(acme.metering, call)(request)


@pytest.mark.parametrize("text", [
    "", " ", "f00", "0" * 32, "{01234567-89ab-7def-8123-456789abcdef}", "01234567-89ab-7def-8123-456789abcde",
    "01234567-89ab-7def-8123-456789abcdef0", "01234567-89ab-7def-8123-456789abcdeg",
    "0123456789ab-7def-8123-456789abcdef-", " 01234567-89ab-7def-8123-456789abcdef",
    "01234567-89ab-7def-8123-456789abcde\n",
    "01234567-89ab-7def-8123-456789abcd\u00e9", "../../../../etc/passwd", "x" * 100_000])
def test_what_is_no_uuid_is_no_id(acme, text):
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import metering_pb2 as m

    for stub, call, request in [
            (acme.metering, "Reserve", m.ReserveRequest(reservation_id=text, amount_micros=1)),
            (acme.metering, "Charge", m.ChargeRequest(reservation_id=text, amount_micros=1)),
            (acme.metering, "Commit", m.CommitRequest(reservation_id=text, amount_micros=1)),
            (acme.metering, "Release", m.ReleaseRequest(reservation_id=text)),
            (acme.metering, "Extend", m.ExtendRequest(reservation_id=text)),
            (acme.metering, "Refund", m.RefundRequest(refund_id=new_id(), reservation_id=text)),
            (acme.metering, "GetReservation", m.GetReservationRequest(reservation_id=text))]:
        with refused(*INVALID, field="reservation_id"):
            getattr(stub, call)(request)
    with refused(*INVALID, field="grant_id"):
        acme.admin.GrantCredits(a.GrantCreditsRequest(grant_id=text, tenant_id="acme", kind=2, amount_micros=1))
    with refused(*INVALID, field="refund_id"):
        acme.metering.Refund(m.RefundRequest(refund_id=text, reservation_id=new_id()))


def test_amounts_beyond_64_bits_are_refused_and_large_ones_are_only_too_dear(acme):
    from tollgate.v1 import metering_pb2 as m

    for call in ("Reserve", "Charge"):
        request = getattr(m, call + "Request")(reservation_id=new_id(), amount_micros=LARGE)
        with refused(StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS"):
            getattr(acme.metering, call)(request)
    held = hold(acme)
    acme.metering.Commit(m.CommitRequest(reservation_id=held, amount_micros=1, partial=True))
    with refused(*INVALID, field="amount_micros"):
        acme.metering.Commit(m.CommitRequest(reservation_id=held, amount_micros=LARGE, commit_id=new_id()))
    with refused(*INVALID, field="amount_micros"):
        acme.metering.Quote(m.QuoteRequest(amount_micros=-LARGE - 1))
    assert not acme.metering.Quote(m.QuoteRequest(amount_micros=LARGE)).affordable


def test_a_reservation_that_is_not_there(acme):
    from tollgate.v1 import metering_pb2 as m

    missing = new_id()
    for call, request in [
            ("Commit", m.CommitRequest(reservation_id=missing, amount_micros=1)),
            ("Release", m.ReleaseRequest(reservation_id=missing)),
            ("Extend", m.ExtendRequest(reservation_id=missing)),
            ("Refund", m.RefundRequest(refund_id=new_id(), reservation_id=missing)),
            ("GetReservation", m.GetReservationRequest(reservation_id=missing)),
    ]:
        with refused(StatusCode.NOT_FOUND, "RESERVATION_NOT_FOUND"):
            getattr(acme.metering, call)(request)


def test_a_reservation_that_is_closed(acme):
    from tollgate.v1 import metering_pb2 as m

    released = hold(acme)
    acme.metering.Release(m.ReleaseRequest(reservation_id=released))
    for call, request in [
            ("Commit", m.CommitRequest(reservation_id=released, amount_micros=1)),
            ("Extend", m.ExtendRequest(reservation_id=released)),
    ]:
        with refused(StatusCode.FAILED_PRECONDITION, "RESERVATION_CLOSED"):
            getattr(acme.metering, call)(request)


def test_more_than_was_charged_is_not_refunded(acme):
    from tollgate.v1 import metering_pb2 as m

    charged = new_id()
    acme.metering.Charge(m.ChargeRequest(reservation_id=charged, amount_micros=5))
    with refused(StatusCode.FAILED_PRECONDITION, "REFUND_EXCEEDS_COMMITTED"):
        acme.metering.Refund(m.RefundRequest(refund_id=new_id(), reservation_id=charged, amount_micros=6))
    acme.metering.Refund(m.RefundRequest(refund_id=new_id(), reservation_id=charged))
    with refused(StatusCode.FAILED_PRECONDITION, "REFUND_EXCEEDS_COMMITTED"):
        acme.metering.Refund(m.RefundRequest(refund_id=new_id(), reservation_id=charged))


def test_the_same_id_with_other_contents(acme, shared):
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import metering_pb2 as m

    held = hold(acme)
    for call, request in [
            ("Reserve", m.ReserveRequest(reservation_id=held, amount_micros=2)),
            ("Reserve", m.ReserveRequest(reservation_id=held, amount_micros=CREDIT, comment="other")),
            ("Charge", m.ChargeRequest(reservation_id=held, amount_micros=CREDIT)),
    ]:
        with refused(StatusCode.ALREADY_EXISTS, "ID_REUSED"):
            getattr(acme.metering, call)(request)
    acme.metering.Commit(m.CommitRequest(reservation_id=held, amount_micros=5))
    with refused(StatusCode.ALREADY_EXISTS, "ID_REUSED"):
        acme.metering.Commit(m.CommitRequest(reservation_id=held, amount_micros=6))
    grant = a.GrantCreditsRequest(grant_id=new_id(), tenant_id="acme", kind=c.GRANT_KIND_GIFTED, amount_micros=1)
    acme.admin.GrantCredits(grant)
    grant.amount_micros = 2
    with refused(StatusCode.ALREADY_EXISTS, "ID_REUSED"):
        acme.admin.GrantCredits(grant)


def test_a_refusal_for_want_of_credits_is_remembered(shared):
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import metering_pb2 as m

    client = shared.tenant("poor")
    request = m.ReserveRequest(reservation_id=new_id(), amount_micros=5)
    for _ in range(2):
        with refused(StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS"):
            client.metering.Reserve(request)
    client.admin.GrantCredits(
        a.GrantCreditsRequest(grant_id=new_id(), tenant_id="poor", kind=c.GRANT_KIND_GIFTED, amount_micros=5))
    with refused(StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS"):
        client.metering.Reserve(request)
    request.reservation_id = new_id()
    client.metering.Reserve(request)


@pytest.mark.parametrize("field, fields", [
    ("grant_id", dict(grant_id="x")), ("kind", dict(kind=0)), ("kind", dict(kind=77)),
    ("amount_micros", dict(amount_micros=0)), ("amount_micros", dict(amount_micros=-5)),
    ("comment", dict(comment="x" * 1_025)), ("tenant_id", dict(tenant_id="UPPER")),
    ("expire_time", dict(expire_time=timestamp_pb2.Timestamp(seconds=2, nanos=-1))),
    ("expire_time", dict(expire_time=timestamp_pb2.Timestamp(seconds=1))),
    ("expire_time", dict(expire_time=timestamp_pb2.Timestamp(seconds=4_000_000_000, nanos=1))),
])
def test_fields_of_a_grant(shared, field, fields):
    from tollgate.v1 import admin_pb2 as a

    request = a.GrantCreditsRequest(
        **{"grant_id": new_id(), "tenant_id": "acme", "kind": 2, "amount_micros": 1, **fields})
    with refused(*INVALID, field=field):
        shared.client().admin.GrantCredits(request)


def test_grants_do_not_add_up_beyond_64_bits(shared):
    from tollgate.v1 import admin_pb2 as a

    client = shared.tenant("rich")
    def grant():
        return a.GrantCreditsRequest(grant_id=new_id(), tenant_id="rich", kind=2, amount_micros=LARGE)
    client.admin.GrantCredits(grant())
    with refused(*INVALID, field="amount_micros"):
        client.admin.GrantCredits(grant())


@pytest.mark.parametrize("tenant", ["", "A", "-a", "a_b", "../x", "a/b", "x" * 64, "ä", "a b"])
def test_names_of_tenants(shared, tenant):
    from tollgate.v1 import admin_pb2 as a

    with refused(*INVALID, field="tenant_id"):
        shared.client().admin.CreateTenant(a.CreateTenantRequest(tenant_id=tenant))
    with refused(*INVALID, field="tenant_id"):
        shared.client().admin.GetTenant(a.GetTenantRequest(tenant_id=tenant))


def test_other_fields_of_administration(shared):
    from tollgate.v1 import admin_pb2 as a

    admin = shared.client().admin
    for field, call, request in [
            ("time_zone", "CreateTenant", a.CreateTenantRequest(tenant_id="z", time_zone="Mars/Olympus")),
            ("plan", "CreateTenant", a.CreateTenantRequest(tenant_id="z", plan="x" * 64)),
            ("display_name", "CreateTenant", a.CreateTenantRequest(tenant_id="z", display_name="x" * 257)),
            ("role", "CreateKey", a.CreateKeyRequest(tenant_id="acme", role="king")),
            ("role", "CreateKey", a.CreateKeyRequest(tenant_id="acme")),
            ("page_size", "ListTenants", a.ListTenantsRequest(page_size=-1)),
            ("page_token", "ListTenants", a.ListTenantsRequest(page_token="zz")),
            ("page_token", "ListKeys", a.ListKeysRequest(page_token="00")),
    ]:
        with refused(*INVALID, field=field):
            getattr(admin, call)(request)


def test_page_tokens_of_another_list(acme, shared):
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import credits_pb2 as cr

    token = shared.client().admin.ListTenants(a.ListTenantsRequest(page_size=1)).next_page_token
    assert token
    with refused(*INVALID, field="page_token"):
        acme.credits.ListTransactions(cr.ListTransactionsRequest(page_token=token))


def test_a_key_for_all_tenants_must_name_one(shared):
    with refused(*INVALID, field="tollgate-tenant"):
        shared.client().balance()
    with refused(*INVALID, field="tollgate-tenant"):
        shared.client(tenant="NOT-A-NAME").balance()
    with refused(StatusCode.NOT_FOUND, "TENANT_NOT_FOUND"):
        shared.client(tenant="missing").balance()
