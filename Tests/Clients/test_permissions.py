"""Who may do what, and that no tenant sees another."""

import grpc
import pytest
from grpc import StatusCode
from schema import methods
from support import CREDIT, DEADLINE_S, details, new_id, refused

ROLES = {
    "owner": {"credits.view", "credits.purchase", "credits.manage", "credits.refund", "credits.owner"},
    "admin": {"credits.view", "credits.purchase", "credits.manage"},
    "member": {"credits.view"},
    "service": {"credits.meter", "credits.view"},
    "platform": {"credits.view", "credits.meter", "credits.refund", "credits.purchase", "credits.manage",
                 "credits.owner", "tenants.admin"},
}
# What a platform key that is bound to a tenant may not do for all the same: it is about more than its tenant.
BEYOND_ONE_TENANT = {
    ("Admin", "CreateTenant"), ("Admin", "CreateKey"), ("Admin", "ApplyCatalog"), ("Admin", "GetCatalog")}


def outcome(call):
    """The answer of a call, or everything that a caller sees of its error."""
    try:
        return call()
    except grpc.RpcError as error:
        trailing = sorted(
            (key, value) for key, value in error.trailing_metadata() if key == "grpc-status-details-bin")
        return error.code(), error.details(), trailing


@pytest.mark.parametrize("is_bound", [True, False], ids=["bound", "unbound"])
@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_call_just_what_its_permissions_say(clocked_server, role, is_bound):
    """An empty request suffices: a call that is let in fails, if it does, for another reason."""
    clocked_server.tenant("acme", credits=1)
    key = clocked_server.new_key(role, "acme" if is_bound else "").key
    client = clocked_server.client(key=key, tenant=None if is_bound else "acme")
    seen = 0
    for method in methods():
        try:
            method.call(client)
            code, reason, missing = StatusCode.OK, None, None
        except grpc.RpcError as error:
            info, _ = details(error)
            code, reason = error.code(), info.reason if info else None
            missing = info.metadata["permission"] if reason == "PERMISSION_MISSING" else None
        where = f"{role} calls {method}: {code} {reason}"
        if method.permission not in ROLES[role]:
            expected = (StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING", method.permission)
            assert (code, reason, missing) == expected, where
        elif is_bound and (method.service, method.name) in BEYOND_ONE_TENANT:
            assert reason == "PERMISSION_MISSING", where
        elif method.is_served:
            assert code in (StatusCode.OK, StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND), where
        else:
            assert (code, reason) == (StatusCode.UNIMPLEMENTED, None), where
        seen += 1
    assert seen > 40


def test_without_a_good_key_no_call_is_let_in(clocked_server):
    clocked_server.tenant("acme", credits=1)
    revoked = clocked_server.new_key("platform")
    from tollgate.v1 import admin_pb2 as a

    good = clocked_server.client(key=revoked.key, tenant="acme")
    assert good.balance().available_micros == CREDIT
    clocked_server.client().admin.RevokeKey(a.RevokeKeyRequest(key_id=revoked.key_id))
    clients = {
        "revoked": good,
        "garbage": clocked_server.client(key="garbage", tenant="acme"),
        "unknown": clocked_server.client(key=clocked_server.key[:-8] + "00000000", tenant="acme"),
        "long": clocked_server.client(key="x" * 5_000, tenant="acme"),
        "none": clocked_server.client(key=False, tenant="acme"),
    }
    for method in methods():
        answers = set()
        for name, client in clients.items():
            with refused(StatusCode.UNAUTHENTICATED, "KEY_INVALID") as caught:
                method.call(client)
            answers.add(caught.error.details())
        assert len(answers) == 1, f"{method} tells bad keys apart"


def test_a_key_must_come_as_a_bearer(shared_server):
    from tollgate.v1 import credits_pb2, credits_pb2_grpc

    shared_server.tenant("bearer", credits=1)
    key = shared_server.new_key("member", "bearer").key
    with grpc.insecure_channel(shared_server.address) as channel:
        def balance(*authorization):
            metadata = [("authorization", value) for value in authorization]
            return credits_pb2_grpc.CreditsStub(channel).GetBalance(
                credits_pb2.GetBalanceRequest(), metadata=metadata, timeout=DEADLINE_S)

        assert balance(f"Bearer {key}").balance.available_micros == CREDIT
        for wrong in [
                key, f"Basic {key}", f"Bearer{key}", f"Bearer {key}x", f"Bearer {key[:-1]}", f"Bearer {key.upper()}"]:
            with refused(StatusCode.UNAUTHENTICATED, "KEY_INVALID"):
                balance(wrong)


def test_a_revoked_key_is_refused_from_the_next_call_on(shared_server):
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import metering_pb2 as m

    shared_server.tenant("revoked", credits=10)
    admin = shared_server.client().admin
    for _ in range(20):
        made = shared_server.new_key("service", "revoked")
        client = shared_server.client(key=made.key)
        client.metering.Quote(m.QuoteRequest(amount_micros=1))
        admin.RevokeKey(a.RevokeKeyRequest(key_id=made.key_id))
        with refused(StatusCode.UNAUTHENTICATED, "KEY_INVALID"):
            client.metering.Quote(m.QuoteRequest(amount_micros=1))


@pytest.mark.parametrize("call", ["Batch", "Meter"])
def test_a_refund_among_other_steps_needs_its_own_permission(shared_server, call):
    from tollgate.v1 import metering_pb2 as m

    tenant = f"refund-{call.lower()}"
    shared_server.tenant(tenant, credits=1)
    service = shared_server.client(key=shared_server.new_key("service", tenant).key)
    charged = new_id()
    service.metering.Charge(m.ChargeRequest(reservation_id=charged, amount_micros=5))
    steps = [
        m.Step(refund=m.RefundRequest(refund_id=new_id(), reservation_id=charged)),
        m.Step(charge=m.ChargeRequest(reservation_id=new_id(), amount_micros=7)),
    ]

    def results(client):
        if call == "Batch":
            return client.metering.Batch(m.BatchRequest(steps=steps)).results
        requests = [m.MeterRequest(tag=tag, step=step) for tag, step in enumerate(steps)]
        answers = sorted(client.metering.Meter(iter(requests)), key=lambda answer: answer.tag)
        return [answer.result for answer in answers]

    denied, charge = results(service)
    assert denied.error.code == StatusCode.PERMISSION_DENIED.value[0]
    info = details_of(denied.error)
    assert (info.reason, info.domain) == ("PERMISSION_MISSING", "tollgate")
    assert info.metadata["permission"] == "credits.refund"
    assert charge.charge.charged_micros == 7
    refunded, _ = results(shared_server.client(tenant=tenant))
    assert refunded.refund.refunded_micros == 5


def details_of(status):
    from google.rpc import error_details_pb2

    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info


@pytest.mark.parametrize("role", ROLES)
def test_another_tenant_is_as_one_that_does_not_exist_whoever_asks(clocked_server, role):
    """For every call, byte for byte: code, text and details are those of a tenant that is not there."""
    from tollgate.v1 import metering_pb2 as m

    theirs = clocked_server.tenant("theirs", credits=77)
    hold = m.ReserveRequest(reservation_id=new_id(), amount_micros=CREDIT)
    theirs.metering.Reserve(hold)
    clocked_server.tenant("mine", credits=5)
    key = clocked_server.new_key(role, "mine").key
    named = {tenant: clocked_server.client(key=key, tenant=tenant) for tenant in ("theirs", "nowhere")}
    plain = clocked_server.client(key=key)
    compared = 0
    for method in methods():
        missing = outcome(lambda: method.call(named["nowhere"]))
        assert missing[0] == StatusCode.NOT_FOUND, method
        assert outcome(lambda: method.call(named["theirs"])) == missing, method
        if "tenant_id" not in method.request_fields or not method.is_served or method.name == "CreateTenant":
            continue
        answers = []
        for tenant in ("nowhere", "theirs"):
            request = method.request_type(tenant_id=tenant)
            if method.name == "GrantCredits":
                request.grant_id, request.kind, request.amount_micros = new_id(), 3, 1
            elif method.name == "RevokeGrant":
                request.grant_id = new_id()
            elif method.name == "CreateKey":
                request.role = "member"
            elif method.name == "SetMember":
                request.member_id, request.role = "ada", "member"
            elif method.name == "RemoveMember":
                request.member_id = "ada"
            answers.append(outcome(lambda: method.call(plain, request)))
        assert answers[0] == answers[1], method
        assert answers[0][0] == (
            StatusCode.NOT_FOUND if role == "platform" else StatusCode.PERMISSION_DENIED), method
        compared += 1
    assert compared == 9
    assert theirs.balance().available_micros == 76 * CREDIT
    # Nor is a step of theirs known here by its id: the same one opens another reservation.
    if role == "platform":
        for call, request in [
                ("GetReservation", m.GetReservationRequest(reservation_id=hold.reservation_id)),
                ("Commit", m.CommitRequest(reservation_id=hold.reservation_id, amount_micros=1)),
                ("Release", m.ReleaseRequest(reservation_id=hold.reservation_id)),
                ("Extend", m.ExtendRequest(reservation_id=hold.reservation_id)),
                ("Refund", m.RefundRequest(refund_id=new_id(), reservation_id=hold.reservation_id))]:
            with refused(StatusCode.NOT_FOUND, "RESERVATION_NOT_FOUND"):
                getattr(plain.metering, call)(request)
        assert not plain.metering.Reserve(hold).replayed


def test_a_bound_key_lists_its_own_tenant_and_keys_alone(shared_server):
    from tollgate.v1 import admin_pb2 as a

    shared_server.tenant("own")
    shared_server.tenant("foreign")
    foreign = shared_server.new_key("service", "foreign")
    own = shared_server.client(key=shared_server.new_key("platform", "own").key).admin
    assert [t.tenant_id for t in own.ListTenants(a.ListTenantsRequest()).tenants] == ["own"]
    assert {k.tenant_id for k in own.ListKeys(a.ListKeysRequest()).keys} == {"own"}
    unknown = outcome(lambda: own.RevokeKey(a.RevokeKeyRequest(key_id=new_id())))
    assert unknown[0] == StatusCode.NOT_FOUND
    assert outcome(lambda: own.RevokeKey(a.RevokeKeyRequest(key_id=foreign.key_id))) == unknown
    assert shared_server.client(key=foreign.key).balance().available_micros == 0
    with refused(StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING"):
        own.CreateKey(a.CreateKeyRequest(role="service"))


@pytest.mark.parametrize("tenant", ["A", "-a", "a_b", "../x", "..", "a/b", "x" * 64, "a b", "a\\b", "%2e%2e"])
@pytest.mark.parametrize("is_bound", [True, False], ids=["bound", "unbound"])
def test_what_is_no_name_of_a_tenant_is_refused_in_metadata_too(shared_server, is_bound, tenant):
    key = named_once(shared_server, is_bound)
    client = shared_server.client(key=key, tenant=tenant)
    for method in methods():
        if method.service != "TestClock":
            with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="tollgate-tenant"):
                method.call(client)


def named_once(server, is_bound, keys={}):
    """A platform key, made once for a server."""
    found = keys.get((server, is_bound))
    if found is None:
        if is_bound:
            server.tenant("named")
        found = keys[server, is_bound] = server.new_key("platform", "named" if is_bound else "").key
    return found


def test_an_actor_in_metadata_is_bounded(shared_server):
    shared_server.tenant("actors", credits=1)
    assert shared_server.client(tenant="actors", actor="a" * 256).balance().available_micros == CREDIT
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="tollgate-actor"):
        shared_server.client(tenant="actors", actor="a" * 257).balance()
