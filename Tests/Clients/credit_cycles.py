"""Plans, trials, cycles and their changes, naively."""

import model_calendar as calendar
from credit_parts import Terms
from model_calendar import DAY


class Subscribed:
    """The part of a book that follows from its plan."""

    def catalog(self, at):
        """The catalog that was in force at a moment: `catalogs` are pairs of since when and what, the oldest first."""
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
        """What is no trial begins: at once, with the whole allowance."""
        if self.terms.cycle is None:
            self.end_cycles()
            return
        self.begin_cycle()
        self.grant_allowance()

    def begin_cycle(self):
        """The first that is no trial gives all later ones their day of the month."""
        if self.anchor is None:
            self.anchor = calendar.local_date(self.now, self.zone).day
        self.cycle_number += 1
        self.cycle_start = self.now
        self.cycle_end = calendar.next_boundary(self.terms.cycle, self.anchor, self.now, self.zone)

    def grant_allowance(self):
        self.cycle_allowance = self.allowance_now()
        if self.cycle_allowance:
            kind = self.terms.allowance.get("kind", "subscription")
            self.add_grant(kind, "allowance", self.cycle_allowance, self.cycle_end)

    def end_cycles(self):
        if self.cycle_end is not None:
            self.cycles_ended = self.now
        self.cycle_start = self.cycle_end = None
        self.cycle_allowance = 0

    def turn_cycle(self):
        """At the exact end of a cycle or of the trial; holds and grants that end then have ended."""
        was_trial, ended, overage = self.state == "trial", self.cycle_number, self.terms.overage
        if was_trial:
            self.state = self.terms.trial["then"] if self.terms.trial else "active"
        self.state = self.next_state or self.state
        if self.next_plan or self.state != "grandfathered":
            self.plan = self.next_plan or self.plan
            self.terms = self.terms_of(self.plan)
        self.next_plan = self.next_state = None
        # What was owed under the terms of the cycle that ended is billed by them.
        if overage and overage.get("billed") and self.owed:
            self.add_grant("purchased", "billed_overage", self.owed)
        if self.terms.cycle is None:
            self.end_cycles()
            return
        self.begin_cycle()
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
        # What is so already need not wait.
        if plan is not None:
            self.next_plan = plan if plan != self.plan else None
        if state is not None:
            self.next_state = state if state != self.state else None

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
        """The running cycle goes on to its end, also where the new plan has none after it; without a plan it goes."""
        if plan is not None:
            self.plan = plan
            self.terms = self.terms_of(plan) if plan else None
        self.state = (state or self.state) if plan != "" else "active"
        if self.cycle_end is None and plan != "":
            self.begin_first_cycle()
        elif self.cycle_end is not None:
            self.apply(rule)
        if plan == "":
            self.end_cycles()
            self.anchor = self.next_plan = self.next_state = None

    def apply(self, rule):
        """What a rule makes of the running cycle's allowance under the new plan and state."""
        if rule == "keep":
            return
        allowance, given = self.allowance_now(), self.of_cycle(self.cycle_number)
        kind = self.terms.allowance.get("kind", "subscription") if allowance else None
        granted = sum(grant.amount for grant in given)
        if rule == "top_up" and allowance > granted:
            self.add_grant(kind, "top_up", allowance - granted, self.cycle_end)
        if rule == "replace":
            for grant in given:
                self.take_back(grant)
            if allowance:
                self.add_grant(kind, "allowance", allowance, self.cycle_end)
        self.cycle_allowance = allowance
