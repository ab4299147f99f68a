"""Members and roles: what a service may do on whose behalf, who may see what, and that an owner remains."""

import grpc
import pytest
from book import pages
from grpc import StatusCode
from model_calendar import MINUTE
from organisation import Org, advance
from schema import methods
from support import CREDIT, details, in_parallel, new_id, refused

ALL = {"credits.view", "credits.meter", "credits.refund", "credits.purchase", "credits.manage", "credits.owner",
       "tenants.admin"}
# The default catalog's.
ROLES = {
    "owner": {"credits.view", "credits.purchase", "credits.manage", "credits.refund", "credits.owner"},
    "admin": {"credits.view", "credits.purchase", "credits.manage"},
    "member": {"credits.view"},
    "service": {"credits.meter", "credits.view"},
    "platform": ALL,
}
MEMBERS = {"olga": "owner", "ada": "admin", "mo": "member"}
NOBODY = "nobody"
MISSING = (StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")
# Calls that are about more than one tenant, which no key or actor that is bound to one may make.
BEYOND_ONE_TENANT = {"CreateTenant", "ApplyCatalog", "GetCatalog"}


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture
def org(server):
    org = Org.create(server)
    org.grant(100 * CREDIT)
    for member, role in MEMBERS.items():
        org.set_member(member, role)
    return org


def may(key_role, actor):
    """What a call may: the key's permissions, and of those only what the member's role has, or to meter."""
    if actor is None:
        return ROLES[key_role]
    return ROLES[key_role] & (ROLES.get(MEMBERS.get(actor), set()) | {"credits.meter"})


def missing_permission(call):
    """The permission that a call was refused for; None where it was let in."""
    try:
        call()
    except grpc.RpcError as error:
        info, _ = details(error)
        if info is not None and info.reason == "PERMISSION_MISSING":
            return info.metadata["permission"] or "?"
    return None


@pytest.mark.parametrize("actor", [None, *MEMBERS, NOBODY])
@pytest.mark.parametrize("role", ROLES)
def test_role_by_call_is_the_table_for_every_key_and_actor(org, role, actor):
    """Every method of the schema, with an empty request: what is let in fails, if it does, for another reason."""
    client = org.by(actor, role).client
    seen = 0
    for method in methods():
        allowed = method.permission in may(role, actor)
        missing = missing_permission(lambda: method.call(client))
        if allowed and method.name in BEYOND_ONE_TENANT | {"CreateKey"}:
            continue
        assert missing == (None if allowed else method.permission), f"{role} for {actor} calls {method}"
        seen += 1
    assert seen > 40


def test_a_tenant_without_members_takes_an_actor_as_a_label(server):
    org = Org.create(server, "plain")
    org.grant(CREDIT)
    service = org.by(NOBODY, "platform")
    assert service.balance().available_micros == CREDIT
    service.set_ai(False)
    service.set_ai(True)
    charged = service.charge(5)
    assert charged.reservation.actor == NOBODY
    # With the first member it is bounded.
    org.set_member("olga", "owner")
    with refused(*MISSING):
        service.balance()
    service.charge(5)


def test_an_actor_in_the_request_alone_bounds_nothing(org):
    """The metadata say on whose behalf a call is made; a request may name the actor of a step besides."""
    service = org.by(None, "service")
    assert service.charge(5, actor=NOBODY).reservation.actor == NOBODY
    assert service.balance()


def test_a_role_that_changes_holds_at_once(org):
    mo = org.by("mo", "platform")
    with refused(*MISSING):
        mo.settings()
    org.set_member("mo", "admin")
    mo.settings()
    with refused(*MISSING):
        mo.set_ai(False)
    org.set_member("mo", "owner")
    mo.set_ai(True)
    org.remove_member("mo")
    with refused(*MISSING):
        mo.balance()
    # To meter is what remains to whoever is no member.
    mo.charge(1)


def test_admin_calls_that_name_a_tenant_are_bounded_by_its_members(org):
    """A member whose role may administrate may do so for its own tenant alone; one whose role may not, may not."""
    from tollgate.v1 import admin_pb2 as a

    other = Org.create(org.server, "other")
    other.set_member("olga", "member")
    key = org.server.new_key("platform").key
    for actor, tenant in [("ada", "acme"), ("olga", "acme"), ("olga", "other"), (NOBODY, "acme")]:
        admin = org.server.client(key=key, actor=actor).admin
        for call, request in [
                ("GetTenant", a.GetTenantRequest(tenant_id=tenant)),
                ("ListMembers", a.ListMembersRequest(tenant_id=tenant)),
                ("SetMember", a.SetMemberRequest(tenant_id=tenant, member_id=actor, role="owner")),
                ("GrantCredits", a.GrantCreditsRequest(tenant_id=tenant, grant_id=new_id(), kind=2, amount_micros=1))]:
            with refused(*MISSING):
                getattr(admin, call)(request)
    assert org.available() == 100 * CREDIT


def test_the_last_owner_stays(org):
    last = (StatusCode.FAILED_PRECONDITION, "LAST_OWNER")
    for change in (lambda: org.remove_member("olga"), lambda: org.set_member("olga", "admin")):
        with refused(*last):
            change()
    org.set_member("olga", "owner", display_name="Olga")
    org.set_member("ada", "owner")
    org.set_member("olga", "admin")
    with refused(*last):
        org.remove_member("ada")
    org.set_member("olga", "owner")
    org.remove_member("ada")
    with refused(*last):
        org.remove_member("olga")
    assert {m.member_id: m.role for m in members(org)} == {"olga": "owner", "mo": "member"}


def test_an_owner_is_who_may_what_an_owner_may(serve):
    """Not a name: the role that the catalog gives credits.owner."""
    server = serve({"features": {}, "roles": {"boss": ["credits.view", "credits.owner"], "owner": ["credits.view"]}})
    org = Org.create(server)
    org.set_member("bea", "boss")
    org.set_member("olga", "owner")
    with refused(StatusCode.FAILED_PRECONDITION, "LAST_OWNER"):
        org.remove_member("bea")
    org.remove_member("olga")


def test_of_two_owners_that_go_at_once_one_stays(org):
    org.set_member("ada", "owner")

    def go(index):
        try:
            Org(org.server, "acme").remove_member(["olga", "ada"][index % 2])
            return True
        except grpc.RpcError as error:
            assert details(error)[0].reason == "LAST_OWNER"
            return False

    results = in_parallel(8, go)
    # The same removal again is no error.
    assert set(results) == {True, False}
    owners = [m.member_id for m in members(org) if m.role == "owner"]
    assert len(owners) == 1


def members(org, page_size=2):
    from tollgate.v1 import admin_pb2 as a

    request = a.ListMembersRequest(tenant_id=org.tenant, page_size=page_size)
    return pages(org.client.admin.ListMembers, request, "members")


def test_members_are_listed_by_id_in_pages_and_outlive_a_crash(org):
    created = {m.member_id: m.create_time for m in members(org)}
    advance(org.server, MINUTE)
    org.set_member("ada", "member", display_name="Ada L.")
    found = members(org)
    assert [(m.member_id, m.role, m.display_name) for m in found] == [
        ("ada", "member", "Ada L."), ("mo", "member", ""), ("olga", "owner", "")]
    # A member keeps the time at which it became one.
    assert {m.member_id: m.create_time for m in found} == created
    org.remove_member("stranger")
    org.server.kill()
    org.server.restart()
    assert members(Org(org.server, "acme")) == found


def test_fields_of_a_member(org):
    for field, member, role, name in [
            ("member_id", "", "member", ""), ("member_id", "x" * 257, "member", ""),
            ("member_id", "a\nb", "member", ""), ("role", "x", "", ""), ("role", "x", "king", ""),
            ("display_name", "x", "member", "x" * 257)]:
        with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field=field):
            org.set_member(member, role, name)
    nowhere = Org(org.server, "nowhere")
    for call in (
            lambda: nowhere.set_member("x", "member"), lambda: nowhere.remove_member("x"), lambda: members(nowhere)):
        with refused(StatusCode.NOT_FOUND, "TENANT_NOT_FOUND"):
            call()


def test_every_member_looks_or_only_admins_do_as_the_catalog_says(serve):
    """Seed 000: every member looks. Seed 002: admins only. The table of roles is all that differs."""
    for roles, looks in [({}, True), ({"member": []}, False)]:
        server = serve({"features": {}, "roles": roles})
        org = Org.create(server)
        org.set_member("mo", "member")
        org.set_member("ada", "admin")
        for actor, expected in [("mo", looks), ("ada", True)]:
            seen = missing_permission(lambda: org.by(actor, "platform").balance()) is None
            assert seen == expected, (roles, actor)


def test_members_of_one_tenant_are_nobody_in_another(org):
    other = Org.create(org.server, "other")
    other.set_member("otto", "owner")
    platform = org.server.new_key("platform").key
    for tenant, actor, expected in [
            ("acme", "olga", None), ("other", "otto", None), ("acme", "otto", "credits.manage"),
            ("other", "olga", "credits.manage")]:
        client = Org(org.server, tenant, actor, platform)
        assert missing_permission(client.settings) == expected, (tenant, actor)
