"""A tenant's book of credits, written a second time and naively: plain lists and integers, looked through from end to end.

The outside tests play the same steps on this and on a real server. The two share no code: this is written from the
rules in DESIGN.md, the comments of Schemas/ and Deploy/catalogs/README.md. Amounts are micros, instants microseconds.
"""

import model_calendar as calendar
from model_calendar import DAY, MINUTE
from model_prices import cost, price_of

KIND_ORDER = ["subscription", "complimentary", "gifted", "purchased"]
SCOPE_ORDER = ["tenant", "feature", "member", "member_feature"]
WINDOW_ORDER = ["day", "week", "cycle"]
DEFAULT_COUNTS = ["trial", "active", "grandfathered", "past_due"]
DEFAULT_TTL = 15 * MINUTE
LATE_COMMIT = 10 * MINUTE
# What no grant gave, in a draw of a reservation.
OVERAGE = None


class Refused(Exception):
    """The step is not done, for this reason."""

    def __init__(self, reason, **facts):
        super().__init__(reason, facts)
        self.reason, self.facts = reason, facts


class Terms:
    """What a plan of a catalog promises."""

    def __init__(self, name, plan):
        self.name = name
        self.sign_up = plan.get("sign_up", [])
        self.allowance = plan.get("allowance")
        self.cycle = plan.get("cycle", calendar.CALENDAR_MONTH if self.allowance else None)
        self.rollover = plan.get("rollover")
        self.trial = plan.get("trial")
        self.counts = plan.get("counts", DEFAULT_COUNTS)
        self.packs = plan.get("packs", [])
        self.overage = plan.get("overage")


class Grant:
    def __init__(self, number, grant_id, kind, origin, amount, created, expires, comment, cycle):
        self.number, self.grant_id, self.kind, self.origin = number, grant_id, kind, origin
        self.amount, self.created, self.expires, self.comment = amount, created, expires, comment
        # Which of the tenant's cycles it was made in.
        self.cycle = cycle
        self.available = amount
        self.held = self.consumed = self.expired = self.paid = self.refunded = 0
        # Of what expired, the part that did at the exact end of the grant; what comes back later is none of it.
        self.expired_unused = 0
        self.revoked = None

    def is_over(self, at):
        return self.revoked is not None or self.expires is not None and self.expires <= at

    def give_back(self, amount, at):
        """What comes back to a grant that is over expires at once."""
        if self.is_over(at):
            self.expired += amount
            self.expired_unused += amount if self.expires == at else 0
        else:
            self.available += amount

    def rank(self):
        """Its place in the order in which credits are taken."""
        return self.expires is None, self.expires or 0, KIND_ORDER.index(self.kind), self.number


class Draw:
    """What a reservation took from one grant, or on overage."""

    def __init__(self, grant, held, consumed):
        self.grant, self.held, self.consumed = grant, held, consumed


class Reservation:
    def __init__(self, reservation_id, feature, actor, price, quality, created, expires):
        self.reservation_id, self.feature, self.actor = reservation_id, feature, actor
        self.price, self.quality, self.created, self.expires = price, quality, created, expires
        self.state, self.closed, self.late = "open", None, False
        self.draws = []
        self.committed = self.refunded = 0

    @property
    def held(self):
        return sum(draw.held for draw in self.draws)


class Limit:
    """A limit as it was set: soft and hard in micros, or in percent of the cycle's allowance."""

    def __init__(self, scope, window, member="", feature="", soft=0, hard=0, soft_percent=0, hard_percent=0, enforce=True):
        self.scope, self.window, self.member, self.feature = scope, window, member, feature
        self.soft, self.hard, self.soft_percent, self.hard_percent = soft, hard, soft_percent, hard_percent
        self.enforce = enforce

    @property
    def key(self):
        return self.scope, self.window, self.member, self.feature

    def matches(self, actor, feature):
        return self.member in ("", actor) and self.feature in ("", feature)

    def rank(self):
        return SCOPE_ORDER.index(self.scope), WINDOW_ORDER.index(self.window)


class Book:
    """One tenant, from its creation on. Each method is a step at a moment; moments never go back."""

    def __init__(self, tenant, catalogs, at, zone="UTC", plan=""):
        self.tenant, self.catalogs, self.zone, self.now = tenant, catalogs, zone, at
        self.grants, self.reservations, self.entries = [], {}, []
        # Reservations that may be open still, so that not all of three years are looked through each time.
        self.maybe_open = []
        # Of each charge and refund: when, of whom, of what, and how much was consumed.
        self.uses = []
        # Of each step that a limit on trial would have refused: when, and the limit's key.
        self.would_have_refused = []
        self.owed = 0
        self.is_ai_enabled, self.qualities, self.limits = True, {}, []
        self.plan, self.state, self.terms = "", "active", None
        self.cycle_start = self.cycle_end = self.anchor = None
        self.cycle_number = self.cycle_allowance = 0
        self.next_plan = self.next_state = None
        self.had_sign_up = self.had_trial = False
        if plan:
            self.subscribe(plan)

    # MARK: Sums

    @property
    def available(self):
        return sum(grant.available for grant in self.grants)

    @property
    def open_reservations(self):
        self.maybe_open = [r for r in self.maybe_open if r.state == "open"]
        return self.maybe_open

    @property
    def held(self):
        return sum(r.held for r in self.open_reservations)

    @property
    def overage_held(self):
        return sum(d.held for r in self.open_reservations for d in r.draws if d.grant is OVERAGE)

    @property
    def overage_cap(self):
        """How far use may go past zero now."""
        counts = self.terms is not None and self.state in self.terms.counts
        return self.terms.overage["cap_micros"] if counts and self.terms.overage else 0

    @property
    def spendable(self):
        return self.available + max(0, self.overage_cap - self.overage_held - self.owed)

    def consumed_since(self, start):
        return sum(use[3] for use in self.uses_since(start))

    def uses_since(self, start):
        """The uses from a moment on; they stand in the order of time."""
        position = len(self.uses)
        while position > 0 and self.uses[position - 1][0] >= start:
            position -= 1
        return self.uses[position:]

    # MARK: What happens by itself

    def advance(self, at):
        """Does what is due up to a moment: at one instant holds end first, then grants expire, then the cycle turns."""
        assert at >= self.now, "time goes forward"
        while True:
            due = [(r.expires, 0, (r.reservation_id,), r) for r in self.open_reservations]
            due += [(g.expires, 1, g.rank(), g) for g in self.grants if g.available > 0 and g.expires is not None]
            if self.cycle_end is not None:
                due.append((self.cycle_end, 2, (), None))
            due = [event for event in due if event[0] <= at]
            if not due:
                break
            self.now, phase, _, what = min(due, key=lambda event: event[:3])
            [self.end_hold, self.expire_grant, lambda _: self.turn_cycle()][phase](what)
        self.now = at

    def write(self, kind, amount, available_before, reservation_id="", step_id=""):
        self.entries.append(
            (self.now, kind, amount, self.available - available_before, self.available, self.held, reservation_id, step_id))

    def end_hold(self, reservation):
        before, amount = self.available, reservation.held
        self.give_back_held(reservation)
        reservation.state, reservation.closed = "expired", self.now
        self.write("hold_expiry", amount, before, reservation.reservation_id)

    def expire_grant(self, grant):
        before, amount = self.available, grant.available
        grant.available = 0
        grant.give_back(amount, self.now)
        self.write("grant_expiry", amount, before)

    # MARK: Credits come in

    def add_grant(self, kind, origin, amount, expires=None, grant_id=None, comment=""):
        """A new grant, which first pays what is owed."""
        before = self.available
        grant = Grant(
            len(self.grants) + 1, grant_id, kind, origin, amount, self.now, expires, comment, self.cycle_number)
        grant.paid = min(amount, self.owed)
        grant.available -= grant.paid
        self.owed -= grant.paid
        self.grants.append(grant)
        self.write("grant", amount, before, step_id=grant_id or "")
        return grant

    def grant(self, at, grant_id, kind, amount, expires=None, comment=""):
        self.advance(at)
        return self.add_grant(kind, "granted", amount, expires, grant_id, comment)

    def revoke(self, at, grant_id):
        """Takes back what is available of a grant; the grant is over from then on. Returns how much that was."""
        self.advance(at)
        grant = next((g for g in self.grants if g.grant_id == grant_id), None)
        if grant is None:
            raise Refused("GRANT_NOT_FOUND")
        return self.take_back(grant, grant_id)

    def take_back(self, grant, step_id=""):
        if grant.revoked is not None:
            return 0
        before, amount = self.available, grant.available
        grant.available, grant.expired, grant.revoked = 0, grant.expired + amount, self.now
        self.write("grant_revocation", amount, before, step_id=step_id)
        return amount

    # MARK: Steps

    def ask(self, at, feature="", quantities=None, quality=None, amount=None):
        """What a step asks for: its micros, and the price and quality that its reservation keeps."""
        if amount is not None:
            return amount, None, quality
        price = price_of(self.catalog(at), self.tenant, feature, at)
        quality = quality or self.qualities.get(feature, "medium")
        return cost(price, quantities or {}, quality), price, quality

    def reserve(self, at, reservation_id, ttl=DEFAULT_TTL, actor="", feature="", minimum=0, **ask):
        """Returns the reservation and the micros that were held."""
        self.advance(at)
        amount, price, quality = self.ask(at, feature, **ask)
        amount = self.permit(amount, actor, feature, minimum, is_opening=True)
        before = self.available
        reservation = Reservation(reservation_id, feature, actor, price, quality, at, at + ttl)
        for grant, part in self.draw(amount):
            reservation.draws.append(Draw(grant, part, 0))
            if grant is not OVERAGE:
                grant.held += part
        self.reservations[reservation_id] = reservation
        self.maybe_open.append(reservation)
        self.write("reserve", amount, before, reservation_id, reservation_id)
        return reservation, amount

    def charge(self, at, reservation_id, actor="", feature="", **ask):
        """Returns the reservation, committed already, and the micros that were charged."""
        self.advance(at)
        amount, price, quality = self.ask(at, feature, **ask)
        self.permit(amount, actor, feature, is_opening=True)
        before = self.available
        reservation = Reservation(reservation_id, feature, actor, price, quality, at, at)
        reservation.state, reservation.closed = "committed", at
        self.reservations[reservation_id] = reservation
        self.charge_anew(reservation, amount)
        self.use(reservation, amount)
        self.write("charge", amount, before, reservation_id, reservation_id)
        return reservation, amount

    def commit(self, at, reservation_id, quantities=None, amount=None, partial=False, step_id=""):
        """Returns the reservation and the micros that were charged."""
        self.advance(at)
        reservation = self.existing(reservation_id)
        late = reservation.state == "expired" and not partial and at <= reservation.closed + LATE_COMMIT
        if reservation.state != "open" and not late:
            raise Refused("RESERVATION_CLOSED")
        if amount is None:
            amount = cost(reservation.price, quantities or {}, reservation.quality, has_minimum=not partial)
        # Where the hold ended its draws hold nothing any more, so that all of it is excess.
        excess = max(0, amount - reservation.held)
        if excess:
            self.permit(excess, reservation.actor, reservation.feature)
        before = self.available
        self.charge_held(reservation, amount - excess)
        self.charge_anew(reservation, excess)
        self.use(reservation, amount)
        if not partial:
            self.give_back_held(reservation)
            reservation.state, reservation.closed, reservation.late = "committed", at, late
        self.write("partial_commit" if partial else "commit", amount, before, reservation_id, step_id or reservation_id)
        return reservation, amount

    def release(self, at, reservation_id):
        """Returns the reservation and the micros that were given back."""
        self.advance(at)
        reservation = self.existing(reservation_id)
        if reservation.state != "open":
            raise Refused("RESERVATION_CLOSED")
        before, amount = self.available, reservation.held
        self.give_back_held(reservation)
        reservation.state, reservation.closed = "released", at
        self.write("release", amount, before, reservation_id, reservation_id)
        return reservation, amount

    def extend(self, at, reservation_id, ttl, step_id=""):
        self.advance(at)
        reservation = self.existing(reservation_id)
        if reservation.state != "open":
            raise Refused("RESERVATION_CLOSED")
        reservation.expires = max(reservation.expires, at + ttl)
        self.write("extend", 0, self.available, reservation_id, step_id)
        return reservation

    def refund(self, at, refund_id, reservation_id, amount=0):
        """Returns the reservation and the micros that were refunded."""
        self.advance(at)
        reservation = self.existing(reservation_id)
        refundable = reservation.committed - reservation.refunded
        amount = amount or refundable
        if refundable == 0 or amount > refundable:
            raise Refused("REFUND_EXCEEDS_COMMITTED")
        before, left = self.available, amount
        for draw in self.back_order(reservation):
            part = min(left, draw.consumed)
            draw.consumed -= part
            left -= part
            if draw.grant is OVERAGE:
                self.give_back_overage(part)
            else:
                draw.grant.consumed -= part
                draw.grant.refunded += part
                draw.grant.give_back(part, at)
        reservation.refunded += amount
        self.uses.append((at, reservation.actor, reservation.feature, -amount))
        self.write("refund", amount, before, reservation_id, refund_id)
        return reservation, amount

    def existing(self, reservation_id):
        if reservation_id not in self.reservations:
            raise Refused("RESERVATION_NOT_FOUND")
        return self.reservations[reservation_id]

    # MARK: Where credits are taken from, and where they go back

    def draw(self, amount):
        """Takes so much of what is available, and the rest on overage: (grant, micros) in burn-down order."""
        parts = []
        for grant in sorted((g for g in self.grants if g.available > 0), key=Grant.rank):
            part = min(amount, grant.available)
            if part == 0:
                break
            grant.available -= part
            amount -= part
            parts.append((grant, part))
        return parts + ([(OVERAGE, amount)] if amount else [])

    def charge_anew(self, reservation, amount):
        for grant, part in self.draw(amount):
            reservation.draws.append(Draw(grant, 0, part))
            if grant is OVERAGE:
                self.owed += part
            else:
                grant.consumed += part

    def charge_held(self, reservation, amount):
        for draw in reservation.draws:
            part = min(amount, draw.held)
            draw.held -= part
            draw.consumed += part
            amount -= part
            if draw.grant is OVERAGE:
                self.owed += part
            else:
                draw.grant.held -= part
                draw.grant.consumed += part

    def give_back_held(self, reservation):
        for draw in self.back_order(reservation):
            if draw.grant is not OVERAGE:
                draw.grant.held -= draw.held
                draw.grant.give_back(draw.held, self.now)
            draw.held = 0

    def back_order(self, reservation):
        """The order in which a reservation gives back: what was drawn on overage, then the grant drawn last, and so on."""
        overage = [draw for draw in reservation.draws if draw.grant is OVERAGE]
        return overage + [draw for draw in reversed(reservation.draws) if draw.grant is not OVERAGE]

    def give_back_overage(self, amount):
        """Lowers what is owed; what was paid already goes back to the grants that paid it, the latest first."""
        part = min(amount, self.owed)
        self.owed -= part
        amount -= part
        for grant in reversed(self.grants):
            part = min(amount, grant.paid)
            grant.paid -= part
            grant.refunded += part
            grant.give_back(part, self.now)
            amount -= part
        assert amount == 0, "more is given back than was paid"

    def use(self, reservation, amount):
        reservation.committed += amount
        self.uses.append((self.now, reservation.actor, reservation.feature, amount))

    # MARK: Limits

    def permit(self, amount, actor, feature, minimum=0, is_opening=False):
        """What may be held or charged of an amount: all of it, or, where a minimum is named, what there is room for."""
        if is_opening and not self.is_ai_enabled:
            raise Refused("AI_DISABLED")
        would_refuse = []
        for limit in sorted((l for l in self.limits if l.matches(actor, feature)), key=Limit.rank):
            hard, used = self.hard_of(limit), sum(self.used(limit))
            if hard is None or amount == 0 or used + amount <= hard:
                continue
            if not limit.enforce:
                would_refuse.append(limit.key)
            elif minimum and hard - used >= minimum:
                amount = hard - used
            else:
                raise Refused("HARD_LIMIT_REACHED", limit=limit, limit_micros=hard, used_micros=used)
        if amount > self.spendable:
            if not minimum or self.spendable < minimum:
                raise Refused("INSUFFICIENT_CREDITS")
            amount = self.spendable
        self.would_have_refused += [(self.now, key) for key in would_refuse]
        return amount

    def window(self, limit):
        """When the running window of a limit began, and when it ends."""
        at, zone = self.now, self.zone
        if limit.window == "day":
            return calendar.day_start(at, zone), calendar.next_day_start(at, zone)
        if limit.window == "week":
            return calendar.week_start(at, zone), calendar.next_week_start(at, zone)
        if self.cycle_end is not None:
            return self.cycle_start, self.cycle_end
        return calendar.month_start(at, zone), calendar.next_month_start(at, zone)

    def used(self, limit):
        """What counts against a limit: consumed in its window, and held now. A refund lowers it, but not below 0."""
        consumed = 0
        for _, actor, feature, amount in self.uses_since(self.window(limit)[0]):
            if limit.matches(actor, feature):
                consumed = max(0, consumed + amount)
        held = sum(r.held for r in self.open_reservations if limit.matches(r.actor, r.feature))
        return consumed, held

    def bound(self, micros, percent):
        """Micros of one part of a limit; None where it is not in force."""
        if percent:
            return self.cycle_allowance * percent // 100 if self.cycle_allowance else None
        return micros or None

    def hard_of(self, limit):
        return self.bound(limit.hard, limit.hard_percent)

    def soft_of(self, limit):
        return self.bound(limit.soft, limit.soft_percent)

    def limit_state(self, limit):
        used, soft, hard = sum(self.used(limit)), self.soft_of(limit), self.hard_of(limit)
        if hard is not None and used >= hard:
            return "hard_reached"
        return "soft_reached" if soft is not None and used >= soft else "below"

    def would_have_refused_by(self, limit):
        start = self.window(limit)[0]
        return sum(1 for at, key in self.would_have_refused if at >= start and key == limit.key)

    # MARK: Settings

    def set_limits(self, at, limits):
        self.advance(at)
        self.limits = limits

    def set_ai_enabled(self, at, enabled):
        self.advance(at)
        self.is_ai_enabled = enabled

    def set_quality(self, at, feature, quality):
        self.advance(at)
        self.qualities.pop(feature, None)
        if quality:
            self.qualities[feature] = quality

    # MARK: Plan and cycles

    def catalog(self, at):
        """The catalog that was in force at a moment: `catalogs` are pairs of since when and what, in the order of time."""
        return [catalog for since, catalog in self.catalogs if since <= at][-1]

    def terms_of(self, plan):
        return Terms(plan, self.catalog(self.now)["plans"][plan])

    @property
    def counts(self):
        return self.terms is not None and self.state in self.terms.counts

    def allowance_now(self):
        return self.terms.allowance["micros"] if self.terms and self.terms.allowance and self.counts else 0

    def subscribe(self, plan):
        self.plan, self.terms, self.state = plan, self.terms_of(plan), "active"
        if not self.had_sign_up:
            self.had_sign_up = True
            for credits in self.terms.sign_up:
                days = credits.get("expires_after_days")
                expires = self.now + days * DAY if days else None
                self.add_grant(credits.get("kind", "complimentary"), "sign_up", credits["micros"], expires)
        if self.terms.trial and not self.had_trial:
            self.begin_trial(self.terms.trial)
        else:
            self.begin_first_cycle()

    def begin_trial(self, trial):
        self.had_trial, self.state = True, "trial"
        self.cycle_number += 1
        self.cycle_start, self.cycle_end = self.now, self.now + trial["days"] * DAY
        self.cycle_allowance = trial.get("micros", 0)
        if self.cycle_allowance:
            self.add_grant("complimentary", "trial", self.cycle_allowance, self.cycle_end)

    def begin_first_cycle(self):
        """The first cycle of a run of cycles, which gives them their day of the month."""
        if self.terms.cycle is None:
            self.end_cycles()
            return
        self.anchor = calendar.local_date(self.now, self.zone).day
        self.begin_cycle()
        self.grant_allowance()

    def begin_cycle(self):
        self.cycle_number += 1
        self.cycle_start = self.now
        self.cycle_end = calendar.next_boundary(self.terms.cycle, self.anchor, self.now, self.zone)

    def grant_allowance(self):
        self.cycle_allowance = self.allowance_now()
        if self.cycle_allowance:
            kind = self.terms.allowance.get("kind", "subscription")
            self.add_grant(kind, "allowance", self.cycle_allowance, self.cycle_end)

    def end_cycles(self):
        self.cycle_start = self.cycle_end = None
        self.cycle_allowance = 0

    def turn_cycle(self):
        """At the exact end of a cycle or of the trial; holds and grants that end then have ended."""
        was_trial, ended = self.state == "trial", self.cycle_number
        if was_trial:
            self.state = self.terms.trial["then"] if self.terms.trial else "active"
        self.state = self.next_state or self.state
        if self.next_plan or self.state != "grandfathered":
            self.plan = self.next_plan or self.plan
            self.terms = self.terms_of(self.plan)
        self.next_plan = self.next_state = None
        if self.terms.cycle is None:
            self.end_cycles()
            return
        if was_trial or self.anchor is None:
            self.anchor = calendar.local_date(self.now, self.zone).day
        self.begin_cycle()
        if self.terms.overage and self.terms.overage.get("billed") and self.owed:
            self.add_grant("purchased", "billed_overage", self.owed)
        if not was_trial:
            self.roll_over(ended)
        self.grant_allowance()

    def roll_over(self, ended):
        """What expired unused of the ended cycle's allowance goes on into the new one."""
        if self.terms.rollover is None:
            return
        unused = sum(
            grant.expired_unused for grant in self.of_cycle(ended) if grant.expires == self.now and not grant.revoked)
        rolled = min(unused, self.terms.rollover["maximum_micros"])
        if rolled == 0 or rolled < self.terms.rollover.get("minimum_micros", 0):
            return
        expires = None
        for _ in range(self.terms.rollover.get("expires_after_cycles") or 0):
            expires = calendar.next_boundary(
                self.terms.cycle, self.anchor, self.now if expires is None else expires, self.zone)
        kind = self.terms.allowance.get("kind", "subscription") if self.terms.allowance else "subscription"
        self.add_grant(kind, "rollover", rolled, expires)

    def of_cycle(self, number):
        return [g for g in self.grants if g.cycle == number and g.origin in ("allowance", "top_up")]

    def set_zone(self, at, zone):
        """Holds at once; the running cycle ends as it was to end."""
        self.advance(at)
        self.zone = zone

    def update_at_cycle_end(self, at, plan=None, state=None):
        self.advance(at)
        self.next_plan, self.next_state = plan or self.next_plan, state or self.next_state

    def update(self, at, plan=None, state=None, rule="keep"):
        """Changes plan, state or both at once; the cycle's dates stay. An empty plan is none."""
        self.advance(at)
        self.next_plan = self.next_plan if plan is None else None
        self.next_state = self.next_state if state is None else None
        plan, state = None if plan == self.plan else plan, None if state == self.state else state
        if plan is None and state is None:
            return
        if not self.plan:
            self.subscribe(plan)
        elif self.state == "trial" and plan != "":
            self.update_in_trial(plan, state)
        else:
            self.update_in_cycle(plan, state, rule)

    def update_in_trial(self, plan, state):
        """Another plan leaves the rest of the trial; another state ends it, and the first cycle begins."""
        if plan:
            self.plan, self.terms = plan, self.terms_of(plan)
        if state:
            self.state = state
            self.begin_first_cycle()

    def update_in_cycle(self, plan, state, rule):
        had_cycles = self.cycle_end is not None
        if plan is not None:
            self.plan = plan
            self.terms = self.terms_of(plan) if plan else None
        self.state = (state or self.state) if self.plan else "active"
        has_cycles = self.terms is not None and self.terms.cycle is not None
        if has_cycles and not had_cycles:
            self.begin_first_cycle()
            return
        allowance = self.allowance_now() if has_cycles else 0
        given = self.of_cycle(self.cycle_number) if had_cycles else []
        if rule == "top_up" and allowance > sum(grant.amount for grant in given):
            difference = allowance - sum(grant.amount for grant in given)
            self.add_grant(self.terms.allowance.get("kind", "subscription"), "top_up", difference, self.cycle_end)
        if rule == "replace":
            for grant in given:
                if grant.available > 0 or grant.held > 0:
                    self.take_back(grant)
            if allowance:
                self.add_grant(self.terms.allowance.get("kind", "subscription"), "allowance", allowance, self.cycle_end)
        if not has_cycles:
            self.end_cycles()
        elif rule != "keep":
            self.cycle_allowance = allowance
