"""Random use of one tenant: what comes next, by a seeded generator and what the model says is there."""

import uuid

from credit_model import Limit
from model_calendar import DAY, HOUR, MINUTE, SECOND

ACTORS = ["ada", "bob", "cy", ""]
RULES = ["keep", "top_up", "replace"]
STATES = ["active", "grandfathered", "past_due", "canceled"]
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Auckland", "UTC",
         "America/Havana", "Asia/Beirut", "America/St_Johns"]
SPANS = [MINUTE, 7 * MINUTE + 1, 15 * MINUTE, HOUR, 3 * HOUR, DAY, 2 * DAY + 5 * SECOND, 7 * DAY]
KEPT = 40


class RandomUse:
    """Makes steps as player.py takes them."""

    def __init__(self, random, book, features, plans, scale, has_limits):
        """`features`: the units of each by name; `plans`: those to change between; `scale`: micros of a usual step.

        Who has no limits changes its time zone now and then.
        """
        self.has_limits = has_limits
        self.random, self.book, self.features, self.plans, self.scale = random, book, features, plans, scale
        # The last reservations that were charged, or ended, to refund or to commit late.
        self.charged, self.ended = [], []

    def id(self):
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def amount(self):
        """Mostly small; sometimes most of what is there or can be owed, or more than that."""
        if self.random.random() < 0.12:
            return max(1, int(self.book.spendable * self.random.uniform(0.3, 1.05)))
        size = self.random.choice([0.02, 0.2, 0.2, 1, 1, 1, 3, 3, 20, 400])
        return max(1, int(self.scale * size * self.random.random()))

    def quantities(self, feature):
        return {
            unit: self.random.choice([0, 1, 2, 5, 8, 9, 40, 999, 20_000])
            for unit in self.features[feature] if self.random.random() < 0.9}

    def priced(self, feature):
        """What is used of a feature. One without quantities must have a fixed price."""
        found = {"feature": feature, "quantities": self.quantities(feature) if self.features[feature] else None}
        if self.features[feature] and not found["quantities"]:
            found["quantities"] = {next(iter(self.features[feature])): 1}
        return found

    # MARK: Metering

    def steps(self):
        """One to five steps of metering."""
        found = []
        for _ in range(self.random.choice([1, 1, 2, 3, 5])):
            choose = self.random.choices(
                [self.opening, self.commit, self.release, self.extend, self.refund, self.late], [10, 6, 2, 1, 2, 1])[0]
            step = choose()
            # One step for each reservation of a Batch: what is chosen next is chosen by the book as it stood before.
            used = {earlier.get("reservation_id") for earlier in found}
            if step is not None and step["reservation_id"] not in used:
                found.append(step)
        return found or [self.opening()]

    def opening(self):
        step = {"reservation_id": self.id(), "actor": self.random.choice(ACTORS)}
        if self.features and self.random.random() < 0.7:
            step |= self.priced(self.random.choice(sorted(self.features)))
            step["quality"] = self.random.choice([None, None, "cheap", "medium", "best"])
        else:
            step |= {"feature": self.random.choice(["", "plain"]), "amount": self.amount()}
        if self.random.random() < 0.4:
            self.charged = (self.charged + [step["reservation_id"]])[-KEPT:]
            return {"do": "charge", **step}
        if self.random.random() < 0.7:
            step["ttl"] = self.random.choice(SPANS)
        if "amount" in step and not any(not limit.enforce for limit in self.book.limits) and self.random.random() < 0.2:
            step["minimum"] = self.random.randint(1, step["amount"])
        self.ended = (self.ended + [step["reservation_id"]])[-KEPT:]
        return {"do": "reserve", **step}

    def some_open(self):
        opened = self.book.open_reservations
        return self.random.choice(opened) if opened else None

    def use_of(self, reservation):
        """A commit's amount or quantities: less than held, all of it, or more."""
        if reservation.price is not None and "fixed_micros" not in reservation.price and self.random.random() < 0.6:
            units = sorted(reservation.price["units"])
            return {"quantities": {unit: self.random.choice([0, 1, 3, 10, 5_000]) for unit in units}}
        share = self.random.choice([0.1, 0.5, 0.9, 1, 1, 1, 1.2, 3])
        return {"amount": max(1, int(reservation.held * share))}

    def commit(self):
        reservation = self.some_open()
        if reservation is None:
            return None
        self.charged = (self.charged + [reservation.reservation_id])[-KEPT:]
        return {
            "do": "commit", "reservation_id": reservation.reservation_id, "step_id": self.id(),
            "partial": self.random.random() < 0.3, **self.use_of(reservation)}

    def late(self):
        """A commit of one that may have ended, a short or a long while ago."""
        gone = [i for i in self.ended if i in self.book.reservations and self.book.reservations[i].state != "open"]
        if not gone:
            return None
        reservation = self.book.reservations[self.random.choice(gone[-5:])]
        return {
            "do": "commit", "reservation_id": reservation.reservation_id, "step_id": self.id(), "partial": False,
            "amount": self.amount()}

    def release(self):
        reservation = self.some_open()
        return reservation and {"do": "release", "reservation_id": reservation.reservation_id}

    def extend(self):
        reservation = self.some_open()
        return reservation and {
            "do": "extend", "reservation_id": reservation.reservation_id, "ttl": self.random.choice(SPANS),
            "step_id": self.id()}

    def refund(self):
        there = [i for i in self.charged if i in self.book.reservations]
        if not there:
            return None
        reservation = self.book.reservations[self.random.choice(there)]
        left = reservation.committed - reservation.refunded
        amount = self.random.choice([0, 0, max(1, left // 2), max(1, left), left + 1])
        return {"do": "refund", "refund_id": self.id(), "reservation_id": reservation.reservation_id, "amount": amount}

    # MARK: What governs the tenant

    def change(self, at):
        """One change of grants, settings or the subscription."""
        if not self.book.is_ai_enabled and self.random.random() < 0.8:
            return {"do": "set_ai_enabled", "enabled": True}
        choose = self.random.choices(
            [self.gift, self.revocation, self.limits, self.quality, self.switch_ai, self.update, self.later, self.zone],
            [5, 3, 6, 3, 1, 6, 4, 2])[0]
        return choose(at)

    def gift(self, at):
        span = self.random.choice([None, None, HOUR, DAY, 10 * DAY + 1, 31 * DAY, 90 * DAY])
        kind = self.random.choice(["gifted", "purchased", "complimentary", "subscription"])
        return {
            "do": "grant", "grant_id": self.id(), "kind": kind, "amount": self.random.randint(1, self.scale * 5),
            "expires": at + span if span else None, "comment": "a gift"}

    def revocation(self, at):
        # Grants that came by themselves have ids that the server made.
        there = [g for g in self.book.grants if g.grant_id and g.revoked is None and not g.is_over(at)]
        return {"do": "revoke", "grant_id": self.random.choice(there).grant_id} if there else None

    def limits(self, at):
        if not self.has_limits:
            return None
        found = {}
        for _ in range(self.random.randint(0, 4)):
            scope = self.random.choice(["tenant", "feature", "member", "member_feature"])
            hard = self.random.randint(self.scale * 5, self.scale * 100)
            bounds = self.random.choice([
                {"hard": hard}, {"hard": hard, "soft": hard * 7 // 10}, {"soft": hard},
                {"hard_percent": self.random.randint(20, 150)}, {"soft_percent": 70, "hard_percent": 90}])
            limit = Limit(
                scope, self.random.choice(["day", "week", "cycle"]),
                member=self.random.choice(ACTORS[:3]) if scope.startswith("member") else "",
                feature=self.random.choice(sorted(self.features) + ["plain"]) if scope.endswith("feature") else "",
                enforce=self.random.random() < 0.8, **bounds)
            found[limit.key] = limit
        return {"do": "set_limits", "limits": list(found.values())}

    def quality(self, at):
        if not self.features:
            return None
        return {
            "do": "set_quality", "feature": self.random.choice(sorted(self.features)),
            "quality": self.random.choice([None, "cheap", "medium", "best"])}

    def switch_ai(self, at):
        return {"do": "set_ai_enabled", "enabled": False}

    def update(self, at):
        """Another plan, another state, or both, at once."""
        step = {"do": "update", "rule": self.random.choice(RULES)}
        others = [plan for plan in self.plans if plan != self.book.plan]
        if others and (not self.book.plan or self.random.random() < 0.6):
            step["plan"] = self.random.choice(others)
        # A tenant without a plan has no state to change.
        if not self.book.plan or step.get("plan") == "" or "plan" in step and self.random.random() < 0.5:
            return step
        others = [state for state in STATES if state != self.book.state]
        # Mostly back to what counts, so that credits keep coming.
        step["state"] = "active" if "active" in others and self.random.random() < 0.7 else self.random.choice(others)
        return step

    def later(self, at):
        """Another plan or state from the cycle's end on."""
        if self.book.cycle_end is None:
            return None
        others = [plan for plan in self.plans if plan not in ("", self.book.plan)]
        if others and self.random.random() < 0.6:
            return {"do": "update_at_cycle_end", "plan": self.random.choice(others)}
        return {"do": "update_at_cycle_end", "state": self.random.choice([s for s in STATES if s != self.book.state])}

    def zone(self, at):
        # Windows that run while the zone changes are a matter of test_limits.py.
        if self.has_limits:
            return None
        return {"do": "set_zone", "zone": self.random.choice([zone for zone in ZONES if zone != self.book.zone])}
