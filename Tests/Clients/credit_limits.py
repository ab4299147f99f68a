"""What limits and settings say of a step, naively: all that was ever used is added up anew each time."""

import model_calendar as calendar
from credit_parts import Limit, Refused
from model_calendar import MINUTE

QUARTER_HOUR = 15 * MINUTE


class Governed:
    """The part of a book that says what may be used."""

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
        # A month in which cycles ended begins when they did.
        return max(calendar.month_start(at, zone), self.cycles_ended), calendar.next_month_start(at, zone)

    def used(self, limit):
        """What counts against a limit: consumed in its window, and held now.

        A refund lowers it, but not below 0. What was used before the limit was set is known by quarters of an hour.
        """
        sums = []
        for position, (_, actor, feature, amount) in self.uses_since(self.window(limit)[0]):
            if limit.matches(actor, feature):
                quarter = self.uses[position][0] // QUARTER_HOUR if position < limit.known_uses else None
                if quarter is not None and sums and sums[-1][0] == quarter:
                    sums[-1][1] += amount
                else:
                    sums.append([quarter, amount])
        consumed = 0
        for _, amount in sums:
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
        before = {limit.key: limit for limit in self.limits}
        for limit in limits:
            limit.known_uses = before[limit.key].known_uses if limit.key in before else len(self.uses)
        self.limits, keys = limits, [limit.key for limit in limits]
        self.would_have_refused = [noted for noted in self.would_have_refused if noted[1] in keys]

    def set_ai_enabled(self, at, enabled):
        self.advance(at)
        self.is_ai_enabled = enabled

    def set_quality(self, at, feature, quality):
        self.advance(at)
        self.qualities.pop(feature, None)
        if quality:
            self.qualities[feature] = quality
