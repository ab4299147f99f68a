"""Every time zone of the IANA database: cycles, days, weeks and months begin when they do there."""

import zoneinfo

import model_calendar as calendar
from credit_model import Limit
from model_calendar import DAY, text, utc
from organisation import Org, advance_to
from player import instant
from support import CREDIT

CATALOG = {"features": {}, "plans": {
    "day": {"allowance": {"micros": CREDIT, "kind": "subscription"}, "cycle": "anniversary"},
    "month": {"allowance": {"micros": CREDIT, "kind": "subscription"}}}}
# Over the months of spring and autumn in which clocks change, and the end of February; 2028 is a leap year.
MONTHS = [(2027, 12), (2028, 1), (2028, 2), (2028, 3), (2028, 4), (2028, 5), (2028, 9), (2028, 10), (2028, 11)]


def test_cycles_and_windows_begin_by_each_time_zone(serve):
    server = serve(CATALOG, "2027-11-28T10:00:00Z")
    zones = sorted(zoneinfo.available_timezones() - {"localtime"})
    orgs = []
    for number, zone in enumerate(zones):
        # Anchors on the 28th to the 31st.
        if number % 150 == 149:
            advance_to(server, utc(2027, 11, 28 + number // 150, 10))
        plan = "month" if number % 7 == 0 else "day"
        org = Org.create(server, f"zone-{number}", plan=plan, zone=zone)
        org.set_limits(Limit("tenant", "day", soft=1), Limit("tenant", "week", soft=1))
        orgs.append((org, zone, plan, instant(org.shown().subscription_details, "cycle_start_time")))
    assert len(orgs) > 400
    for year, month in MONTHS:
        now = utc(year, month, 27, 13, 7)
        advance_to(server, now)
        for org, zone, plan, began in orgs:
            kind = calendar.CALENDAR_MONTH if plan == "month" else calendar.ANNIVERSARY
            anchor = calendar.local_date(began, zone).day
            start, end = org.cycle()
            where = f"{zone}, {plan}, from {text(began)}, at {text(now)}"
            assert text(end) == text(calendar.next_boundary(kind, anchor, now, zone)), where
            assert start == began or calendar.next_boundary(kind, anchor, start - 40 * DAY, zone) <= start, where
            assert calendar.next_boundary(kind, anchor, start, zone) == end, where
            day, week = org.settings().limits
            assert (instant(day, "window_start_time"), instant(day, "window_end_time")) == (
                calendar.day_start(now, zone), calendar.next_day_start(now, zone)), where
            assert (instant(week, "window_start_time"), instant(week, "window_end_time")) == (
                calendar.week_start(now, zone), calendar.next_week_start(now, zone)), where
