"""One tenant, played on a server and on the model at once: each answer of the server must be that of the model.

Steps are plain dictionaries: `do` names what is done, the rest are the arguments of the model's method of that name.
"""

import functools

from book import grants, transactions
from credit_model import Refused
from google.protobuf import duration_pb2, timestamp_pb2
from google.rpc import error_details_pb2

REASONS_REMEMBERED = ("INSUFFICIENT_CREDITS", "HARD_LIMIT_REACHED", "AI_DISABLED")


def duration(micros):
    return duration_pb2.Duration(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1_000)


def moment(micros):
    return timestamp_pb2.Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1_000)


def instant(message, field):
    """A time of an answer; None where it is absent."""
    return getattr(message, field).ToMicroseconds() if message.HasField(field) else None


@functools.cache
def enum(prefix, name):
    """The number of an enum's value by the model's name for it."""
    from tollgate.v1 import admin_pb2, common_pb2, credits_pb2, settings_pb2

    if name is None:
        return 0
    full = f"{prefix}_{name}".upper()
    files = (common_pb2, credits_pb2, admin_pb2, settings_pb2)
    return next(getattr(file, full) for file in files if hasattr(file, full))


def limit_to_wire(limit):
    from tollgate.v1 import settings_pb2 as s

    return s.UsageLimit(
        scope=enum("LIMIT_SCOPE", limit.scope), window=enum("LIMIT_WINDOW", limit.window),
        subject=limit.feature if limit.scope == "feature" else limit.member,
        feature=limit.feature if limit.scope == "member_feature" else "",
        soft_micros=limit.soft, hard_micros=limit.hard, soft_percent=limit.soft_percent,
        hard_percent=limit.hard_percent, enforce=None if limit.enforce else False)


# MARK: Steps of metering


def step_to_wire(step):
    """A step for a Batch."""
    from tollgate.v1 import metering_pb2 as m

    do = step["do"]
    if do in ("reserve", "charge"):
        fields = dict(
            reservation_id=step["reservation_id"], feature=step.get("feature", ""), actor=step.get("actor", ""),
            quantities=step.get("quantities"), amount_micros=step.get("amount") or 0,
            quality=enum("QUALITY", step.get("quality")))
        if do == "charge":
            return m.Step(charge=m.ChargeRequest(**fields))
        ttl = duration(step["ttl"]) if "ttl" in step else None
        return m.Step(reserve=m.ReserveRequest(**fields, ttl=ttl, minimum_micros=step.get("minimum", 0)))
    if do == "commit":
        return m.Step(commit=m.CommitRequest(
            reservation_id=step["reservation_id"], quantities=step.get("quantities"),
            amount_micros=step.get("amount") or 0, partial=step.get("partial", False), commit_id=step["step_id"]))
    if do == "release":
        return m.Step(release=m.ReleaseRequest(reservation_id=step["reservation_id"]))
    if do == "extend":
        return m.Step(extend=m.ExtendRequest(
            reservation_id=step["reservation_id"], ttl=duration(step["ttl"]), extend_id=step["step_id"]))
    return m.Step(refund=m.RefundRequest(
        refund_id=step["refund_id"], reservation_id=step["reservation_id"], amount_micros=step.get("amount", 0)))


AMOUNTS = {
    "reserve": "reserved_micros", "charge": "charged_micros", "commit": "charged_micros", "release": "released_micros",
    "refund": "refunded_micros"}


def result_of_wire(result):
    """What is compared of one answer of a Batch, and whether it was replayed."""
    kind = result.WhichOneof("kind")
    answer = getattr(result, kind)
    if kind == "error":
        info = error_details_pb2.ErrorInfo()
        assert answer.details and answer.details[0].Unpack(info), answer
        facts = [int(info.metadata[name]) for name in ("limit_micros", "used_micros") if name in info.metadata]
        return ("refused", info.reason, *facts), None
    r, balance = answer.reservation, answer.balance
    amount = getattr(answer, AMOUNTS[kind]) if kind in AMOUNTS else 0
    return (
        "done", amount, r.state, r.held_micros, r.committed_micros, r.refunded_micros, r.expire_time.ToMicroseconds(),
        r.late, balance.available_micros, balance.held_micros), answer.replayed


def result_of_model(book, step, at):
    """The same of the model, which does the step."""
    arguments = {name: value for name, value in step.items() if name != "do"}
    try:
        answer = getattr(book, step["do"])(at, **arguments)
    except Refused as refused:
        facts = [refused.facts[name] for name in ("limit_micros", "used_micros") if name in refused.facts]
        return ("refused", refused.reason, *facts)
    r, amount = answer if isinstance(answer, tuple) else (answer, 0)
    return (
        "done", amount, enum("RESERVATION_STATE", r.state), r.held, r.committed, r.refunded, r.expires, r.late,
        book.available, book.held)


# MARK: What is not metering


def call_of(tenant, step):
    """Service, method and request of a step that is a call of its own."""
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import settings_pb2 as s

    do = step["do"]
    if do == "grant":
        return "Admin", "GrantCredits", a.GrantCreditsRequest(
            tenant_id=tenant, grant_id=step["grant_id"], kind=enum("GRANT_KIND", step["kind"]),
            amount_micros=step["amount"], expire_time=moment(step["expires"]) if step.get("expires") else None,
            comment=step.get("comment", ""))
    if do == "revoke":
        return "Admin", "RevokeGrant", a.RevokeGrantRequest(tenant_id=tenant, grant_id=step["grant_id"])
    if do == "set_zone":
        return "Admin", "UpdateTenant", a.UpdateTenantRequest(tenant_id=tenant, time_zone=step["zone"])
    if do in ("update", "update_at_cycle_end"):
        return "Admin", "UpdateTenant", a.UpdateTenantRequest(
            tenant_id=tenant, plan=step.get("plan"), subscription=enum("SUBSCRIPTION_STATE", step.get("state")),
            when=a.CHANGE_TIME_NOW if do == "update" else a.CHANGE_TIME_CYCLE_END,
            allowance=enum("ALLOWANCE_RULE", step.get("rule")))
    if do == "set_limits":
        return "Settings", "SetLimits", s.SetLimitsRequest(limits=[limit_to_wire(limit) for limit in step["limits"]])
    if do == "set_ai_enabled":
        return "Settings", "SetAIEnabled", s.SetAIEnabledRequest(enabled=step["enabled"])
    return "Settings", "SetQuality", s.SetQualityRequest(
        feature=step["feature"], quality=enum("QUALITY", step["quality"]))


class Player:
    """A tenant on a server, and its book in the model."""

    def __init__(self, server, tenant, book):
        self.tenant, self.book = tenant, book
        # Requests of Admin name their tenant themselves, which may not be there yet.
        self.client, self.admin = server.client(tenant=tenant), server.client()
        # All that was done, to do it once more on another server: (at, service, method, request).
        self.calls = []
        # Steps with their first answers, to send them again.
        self.answered = []

    @staticmethod
    def create(server, tenant, book):
        """Makes the tenant; the model's is made already, at the server's time."""
        from tollgate.v1 import admin_pb2 as a

        player = Player(server, tenant, book)
        request = a.CreateTenantRequest(tenant_id=tenant, plan=book.plan, time_zone=book.zone)
        player.call(book.now, "Admin", "CreateTenant", request)
        return player

    def call(self, at, service, method, request):
        self.calls.append((at, self.tenant, service, method, request))
        client = self.admin if service == "Admin" else self.client
        return getattr(client.stub(service), method)(request)

    def play(self, at, steps, again=None):
        """Sends steps of metering in one Batch, with an earlier one once more where `again` tells which.

        Returns what checks the answers, so that others may play meanwhile.
        """
        from tollgate.v1 import metering_pb2 as m

        wire = [step_to_wire(step) for step in steps]
        first = None if again is None else self.answered[again]
        batch = m.BatchRequest(steps=wire + ([first[0]] if first else []))
        self.calls.append((at, self.tenant, "Metering", "Batch", batch))
        answer = self.client.metering.Batch.future(batch)
        expected = [result_of_model(self.book, step, at) for step in steps]

        def check():
            results = answer.result().results
            assert len(results) == len(batch.steps)
            for step, request, result, wanted in zip(steps, wire, results, expected):
                found, replayed = result_of_wire(result)
                assert found == wanted and not replayed, self.where(at, step, found, wanted)
                if wanted[0] == "done" or wanted[1] in REASONS_REMEMBERED:
                    self.answered.append((request, result, at))
            if first is not None:
                self.check_replay(results[-1], first[1])

        return check

    def check_replay(self, result, first):
        found, replayed = result_of_wire(result)
        assert replayed is not False, f"{self.tenant}: not marked as replayed: {result}"
        wanted, _ = result_of_wire(first)
        assert found == wanted, f"{self.tenant}: sent again: {found}, the first time: {wanted}"

    def do(self, at, step):
        """Does a step that is a call of its own."""
        service, method, request = call_of(self.tenant, step)
        answer = self.call(at, service, method, request)
        arguments = {name: value for name, value in step.items() if name != "do"}
        done = getattr(self.book, step["do"])(at, **arguments)
        if step["do"] in ("grant", "revoke"):
            after = (answer.balance.available_micros, answer.balance.held_micros)
            assert after == (self.book.available, self.book.held), self.where(at, step, after, self.book.available)
        if step["do"] == "grant":
            assert grant_of_wire(answer.grant) == grant_of_model(done), self.where(at, step, answer.grant, vars(done))
        if step["do"] == "revoke":
            assert answer.revoked_micros == done, self.where(at, step, answer, done)

    def where(self, at, step, found, wanted):
        import model_calendar as calendar

        book = self.book
        return (f"{self.tenant} at {calendar.text(at)} ({book.zone}, plan {book.plan!r}, {book.state}):\n"
                f"  step {step}\n  server {found}\n  model  {wanted}")

    # MARK: The whole of it

    def compare(self, at, since=0):
        """Balance, grants, subscription, settings, and the history since a moment."""
        self.book.advance(at)
        blocks = [grant_of_wire(grant) for grant in grants(self.client)]
        for name, found, wanted in [
                ("balance", self.balance_of_wire(), self.balance_of_model()),
                ("grants", blocks, [grant_of_model(grant) for grant in self.book.grants]),
                ("tenant", self.tenant_of_wire(), self.tenant_of_model()),
                ("settings", self.settings_of_wire(), self.settings_of_model()),
                ("history", self.history_of_wire(since), self.history_of_model(since))]:
            assert found == wanted, self.where(at, f"compare {name}", *first_difference(found, wanted))

    def balance_of_wire(self):
        b = self.client.balance()
        kinds = sorted(
            (k.kind, k.available_micros, k.held_micros) for k in b.by_kind if k.available_micros or k.held_micros)
        return dict(
            available=b.available_micros, held=b.held_micros, owed=b.owed_micros, ai=b.ai_enabled, kinds=kinds,
            month=b.this_month_consumed_micros, as_of=b.as_of.ToMicroseconds())

    def balance_of_model(self):
        from model_calendar import month_start

        book, kinds = self.book, {}
        for grant in book.grants:
            available, held = kinds.get(grant.kind, (0, 0))
            kinds[grant.kind] = available + grant.available, held + grant.held
        return dict(
            available=book.available, held=book.held, owed=book.owed, ai=book.is_ai_enabled,
            kinds=sorted((enum("GRANT_KIND", kind), *sums) for kind, sums in kinds.items() if any(sums)),
            month=book.consumed_since(month_start(book.now, book.zone)), as_of=book.now)

    def tenant_of_wire(self):
        from tollgate.v1 import admin_pb2 as a

        t = self.client.admin.GetTenant(a.GetTenantRequest(tenant_id=self.tenant)).tenant
        found = dict(plan=t.plan, zone=t.time_zone, state=t.subscription)
        if t.HasField("subscription_details"):
            d = t.subscription_details
            assert (d.plan, d.state) == (t.plan, t.subscription), t
            found.update(
                cycle=(instant(d, "cycle_start_time"), instant(d, "cycle_end_time")), allowance=d.allowance_micros,
                next=(d.next_plan, d.next_state), packs=d.packs_allowed, cap=d.overage_cap_micros)
            if self.book.terms is not None and self.book.terms.cycle == "anniversary" and self.book.state != "trial":
                found["anchor"] = d.anchor_day
        return found

    def tenant_of_model(self):
        book = self.book
        found = dict(plan=book.plan, zone=book.zone, state=enum("SUBSCRIPTION_STATE", book.state))
        if book.terms is not None:
            found.update(
                cycle=(book.cycle_start, book.cycle_end), allowance=book.cycle_allowance,
                next=(book.next_plan or "", enum("SUBSCRIPTION_STATE", book.next_state)),
                packs=book.state in book.terms.packs, cap=book.overage_cap)
            if book.terms.cycle == "anniversary" and book.state != "trial":
                found["anchor"] = book.anchor
        return found

    def settings_of_wire(self):
        from tollgate.v1 import settings_pb2 as s

        answer = self.client.settings.GetSettings(s.GetSettingsRequest())
        found = [(answer.settings.ai_enabled, sorted(answer.settings.qualities.items()))]
        ranks = [(l.limit.scope, l.limit.window) for l in answer.limits]
        order = ["UNSPECIFIED", "TENANT", "FEATURE", "MEMBER", "MEMBER_FEATURE"]
        asked = [order.index(s.LimitScope.Name(scope).removeprefix("LIMIT_SCOPE_")) for scope, _ in ranks]
        assert list(zip(asked, [w for _, w in ranks])) == sorted(zip(asked, [w for _, w in ranks])), answer.limits
        statuses = []
        for l in answer.limits:
            hard = l.hard_micros_in_force if l.HasField("hard_micros_in_force") else None
            statuses.append((
                (l.limit.scope, l.limit.window, l.limit.subject, l.limit.feature), l.consumed_micros, l.held_micros,
                l.soft_micros_in_force, hard, l.state, instant(l, "window_start_time"), instant(l, "window_end_time"),
                l.would_have_refused))
        return found + sorted(statuses)

    def settings_of_model(self):
        book = self.book
        qualities = sorted((feature, enum("QUALITY", quality)) for feature, quality in book.qualities.items())
        statuses = []
        for limit in book.limits:
            wire = limit_to_wire(limit)
            statuses.append((
                (wire.scope, wire.window, wire.subject, wire.feature), *book.used(limit), book.soft_of(limit) or 0,
                book.hard_of(limit), enum("LIMIT_STATE", book.limit_state(limit)), *book.window(limit),
                book.would_have_refused_by(limit)))
        return [(book.is_ai_enabled, qualities)] + sorted(statuses)

    def history_of_wire(self, since):
        return [
            (t.time.ToMicroseconds(), t.kind, t.amount_micros, t.available_change_micros, t.balance.available_micros,
             t.balance.held_micros, t.reservation_id, t.step_id)
            for t in reversed(transactions(self.client, page_size=1_000, start_time=moment(since)))
            if not is_empty_revocation(t.kind, t.amount_micros)]

    def history_of_model(self, since):
        found = []
        for at, kind, *rest in self.book.entries:
            number = enum("TRANSACTION_KIND", kind)
            if at >= since and not is_empty_revocation(number, rest[0]):
                found.append((at, number, *rest))
        return found


def first_difference(found, wanted):
    """Of lists: the first entries that differ."""
    if not isinstance(found, list) or found == wanted:
        return found, wanted
    place = next((n for n, pair in enumerate(zip(found, wanted)) if pair[0] != pair[1]), min(len(found), len(wanted)))
    return f"of {len(found)}, from {place}: {found[place:place + 2]}", f"of {len(wanted)}: {wanted[place:place + 2]}"


def is_empty_revocation(kind, amount):
    """Whether a grant of which nothing was left to take back has an entry is no matter of credits."""
    return kind == enum("TRANSACTION_KIND", "grant_revocation") and amount == 0


def grant_of_wire(g):
    return (
        g.kind, g.origin, g.amount_micros, g.available_micros, g.held_micros, g.consumed_micros, g.expired_micros,
        g.paid_micros, g.refunded_micros, g.create_time.ToMicroseconds(), instant(g, "expire_time"),
        instant(g, "revoke_time"))


def grant_of_model(g):
    return (
        enum("GRANT_KIND", g.kind), enum("GRANT_ORIGIN", g.origin), g.amount, g.available, g.held, g.consumed,
        g.expired, g.paid, g.refunded, g.created, g.expires, g.revoked)
