"""What a tenant's book in the model is made of: plans, grants, reservations and limits, and what each knows itself."""

import model_calendar as calendar
from model_calendar import MINUTE

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

    def __init__(
            self, scope, window, member="", feature="", soft=0, hard=0, soft_percent=0, hard_percent=0, enforce=True):
        self.scope, self.window, self.member, self.feature = scope, window, member, feature
        self.soft, self.hard, self.soft_percent, self.hard_percent = soft, hard, soft_percent, hard_percent
        self.enforce = enforce
        # How many of the tenant's uses there were when it was set.
        self.known_uses = 0

    @property
    def key(self):
        return self.scope, self.window, self.member, self.feature

    def matches(self, actor, feature):
        return self.member in ("", actor) and self.feature in ("", feature)

    def rank(self):
        return SCOPE_ORDER.index(self.scope), WINDOW_ORDER.index(self.window)
