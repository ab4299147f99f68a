"""A tenant's book of credits, written a second time and naively: lists and integers, gone through from end to end.

The outside tests play the same steps on this and on a real server. The two share no code: this is written from the
rules in DESIGN.md, the comments of Schemas/ and Deploy/catalogs/README.md. Amounts are micros, instants microseconds.
"""

from credit_cycles import Subscribed
from credit_limits import Governed
from credit_parts import DEFAULT_TTL, LATE_COMMIT, OVERAGE, Draw, Grant, Limit, Refused, Reservation
from model_prices import cost, price_of

__all__ = ["Book", "Limit", "Refused"]


class Book(Governed, Subscribed):
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
        self.cycles_ended = 0
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
        return sum(amount for _, (_, _, _, amount) in self.uses_since(start))

    def uses_since(self, start):
        """The uses from a moment on, each with its position; they stand in the order of time."""
        first = len(self.uses)
        while first > 0 and self.uses[first - 1][0] >= start:
            first -= 1
        return [(position, self.uses[position]) for position in range(first, len(self.uses))]

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
        available = self.available
        self.entries.append((
            self.now, kind, amount, available - available_before, available, self.held, reservation_id, step_id))

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
            amount = cost(reservation.price, quantities or {}, reservation.quality, has_rest=not partial)
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
        for draw in reversed(reservation.draws):
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
        for draw in reversed(reservation.draws):
            if draw.grant is not OVERAGE:
                draw.grant.held -= draw.held
                draw.grant.give_back(draw.held, self.now)
            draw.held = 0

    def give_back_overage(self, amount):
        """Lowers what is owed; what was paid already goes back to the grants that paid it, the latest first."""
        part = min(amount, self.owed)
        self.owed -= part
        amount -= part
        for grant in reversed(self.grants):
            part = min(amount, grant.paid)
            grant.paid -= part
            grant.give_back(part, self.now)
            amount -= part
        assert amount == 0, "more is given back than was paid"

    def use(self, reservation, amount):
        reservation.committed += amount
        self.uses.append((self.now, reservation.actor, reservation.feature, amount))
