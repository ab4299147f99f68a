"""One tenant under test, with short names for the calls that the tests make of it. Amounts are micros."""

from book import grants, transactions
from model_calendar import text
from player import duration, enum, instant, limit_to_wire, moment
from support import new_id


def now(server):
    """The server's time on the test clock, in microseconds."""
    from tollgate.v1 import test_clock_pb2 as tc

    return server.client().clock.GetTime(tc.GetTimeRequest()).time.ToMicroseconds()


def advance_to(server, at):
    from tollgate.v1 import test_clock_pb2 as tc

    reached = server.client().clock.AdvanceTime(tc.AdvanceTimeRequest(to=moment(at))).time.ToMicroseconds()
    assert reached == at, f"{text(reached)} instead of {text(at)}"


def advance(server, micros):
    advance_to(server, now(server) + micros)


def wake_up_at(server, at):
    """Ends the server and starts it at a later time, as if it had been down meanwhile."""
    assert server.stop() == 0
    position = server.options.index("--test-clock")
    server.options = (*server.options[:position + 1], text(at), *server.options[position + 2:])
    server.restart()


class Org:
    def __init__(self, server, tenant, actor=None, key=None):
        self.server, self.tenant, self.actor = server, tenant, actor
        self.client = server.client(key=key, tenant=tenant, actor=actor)

    @classmethod
    def create(cls, server, tenant="acme", plan="", zone="", display_name=""):
        from tollgate.v1 import admin_pb2 as a

        server.client().admin.CreateTenant(
            a.CreateTenantRequest(tenant_id=tenant, plan=plan, time_zone=zone, display_name=display_name))
        return cls(server, tenant)

    def by(self, actor, role=None):
        """The same tenant with calls on behalf of an actor, under a key of a role where one is named."""
        key = self.server.new_key(role, self.tenant).key if role else None
        return Org(self.server, self.tenant, actor, key)

    # MARK: Metering

    def reserve(self, micros=0, ttl=None, reservation_id=None, quality=None, **fields):
        from tollgate.v1 import metering_pb2 as m

        request = m.ReserveRequest(
            reservation_id=reservation_id or new_id(), amount_micros=micros, ttl=duration(ttl) if ttl else None,
            quality=enum("QUALITY", quality), **fields)
        return self.client.metering.Reserve(request)

    def hold(self, micros=0, **fields):
        """The id of a new reservation."""
        return self.reserve(micros, **fields).reservation.reservation_id

    def charge(self, micros=0, reservation_id=None, quality=None, **fields):
        from tollgate.v1 import metering_pb2 as m

        request = m.ChargeRequest(
            reservation_id=reservation_id or new_id(), amount_micros=micros, quality=enum("QUALITY", quality), **fields)
        return self.client.metering.Charge(request)

    def spend(self, micros=0, **fields):
        """The id of a new charge."""
        return self.charge(micros, **fields).reservation.reservation_id

    def commit(self, reservation_id, micros=0, **fields):
        from tollgate.v1 import metering_pb2 as m

        fields = {"commit_id": new_id(), **fields}
        return self.client.metering.Commit(
            m.CommitRequest(reservation_id=reservation_id, amount_micros=micros, **fields))

    def release(self, reservation_id):
        from tollgate.v1 import metering_pb2 as m

        return self.client.metering.Release(m.ReleaseRequest(reservation_id=reservation_id))

    def extend(self, reservation_id, ttl):
        from tollgate.v1 import metering_pb2 as m

        return self.client.metering.Extend(m.ExtendRequest(reservation_id=reservation_id, ttl=duration(ttl)))

    def refund(self, reservation_id, micros=0):
        from tollgate.v1 import metering_pb2 as m

        return self.client.metering.Refund(
            m.RefundRequest(refund_id=new_id(), reservation_id=reservation_id, amount_micros=micros))

    def quote(self, micros=0, quality=None, **fields):
        from tollgate.v1 import metering_pb2 as m

        return self.client.metering.Quote(
            m.QuoteRequest(amount_micros=micros, quality=enum("QUALITY", quality), **fields))

    # MARK: What governs it

    def grant(self, micros, kind="purchased", expires=None, grant_id=None, comment=""):
        from tollgate.v1 import admin_pb2 as a

        return self.client.admin.GrantCredits(a.GrantCreditsRequest(
            grant_id=grant_id or new_id(), tenant_id=self.tenant, kind=enum("GRANT_KIND", kind), amount_micros=micros,
            expire_time=moment(expires) if expires else None, comment=comment))

    def revoke(self, grant_id, reason=""):
        from tollgate.v1 import admin_pb2 as a

        return self.client.admin.RevokeGrant(
            a.RevokeGrantRequest(tenant_id=self.tenant, grant_id=grant_id, reason=reason))

    def update(self, plan=None, state=None, when="now", rule=None, zone=None, name=None, reason=""):
        from tollgate.v1 import admin_pb2 as a

        return self.client.admin.UpdateTenant(a.UpdateTenantRequest(
            tenant_id=self.tenant, plan=plan, subscription=enum("SUBSCRIPTION_STATE", state),
            when=enum("CHANGE_TIME", when), allowance=enum("ALLOWANCE_RULE", rule), time_zone=zone, display_name=name,
            reason=reason)).tenant

    def set_limits(self, *limits):
        from tollgate.v1 import settings_pb2 as s

        return self.client.settings.SetLimits(s.SetLimitsRequest(limits=[limit_to_wire(limit) for limit in limits]))

    def set_ai(self, enabled, reason=""):
        from tollgate.v1 import settings_pb2 as s

        return self.client.settings.SetAIEnabled(s.SetAIEnabledRequest(enabled=enabled, reason=reason))

    def set_quality(self, feature, quality):
        from tollgate.v1 import settings_pb2 as s

        return self.client.settings.SetQuality(
            s.SetQualityRequest(feature=feature, quality=enum("QUALITY", quality)))

    def set_member(self, member, role, display_name=""):
        from tollgate.v1 import admin_pb2 as a

        return self.client.admin.SetMember(a.SetMemberRequest(
            tenant_id=self.tenant, member_id=member, role=role, display_name=display_name)).member

    def remove_member(self, member):
        from tollgate.v1 import admin_pb2 as a

        return self.client.admin.RemoveMember(a.RemoveMemberRequest(tenant_id=self.tenant, member_id=member))

    # MARK: What is seen of it

    def settings(self):
        from tollgate.v1 import settings_pb2 as s

        return self.client.settings.GetSettings(s.GetSettingsRequest())

    def limit(self, index=0):
        """How far along a limit in force is, by its place in the order in which limits are asked."""
        return self.settings().limits[index]

    def events(self, page_size=1_000, **filters):
        """The audit trail, the newest first."""
        from book import pages
        from tollgate.v1 import settings_pb2 as s

        request = s.ListAuditEventsRequest(page_size=page_size, **filters)
        return pages(self.client.settings.ListAuditEvents, request, "events")

    def shown(self):
        """The tenant as GetTenant shows it."""
        from tollgate.v1 import admin_pb2 as a

        return self.client.admin.GetTenant(a.GetTenantRequest(tenant_id=self.tenant)).tenant

    def cycle(self):
        """When the running cycle began and when it ends."""
        details = self.shown().subscription_details
        return instant(details, "cycle_start_time"), instant(details, "cycle_end_time")

    def available(self):
        return self.client.balance().available_micros

    def balance(self):
        return self.client.balance()

    def grants(self, **filters):
        return grants(self.client, **filters)

    def transactions(self, **filters):
        return transactions(self.client, **filters)
