"""Days, weeks, months and cycles of a time zone, naively: instants are whole microseconds since 1970 in UTC."""

import datetime
import zoneinfo

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
CALENDAR_MONTH = "calendar_month"
ANNIVERSARY = "anniversary"


def utc(*parts):
    """The instant of a date and time in UTC."""
    return (datetime.datetime(*parts, tzinfo=datetime.timezone.utc) - EPOCH) // datetime.timedelta(microseconds=1)


def text(at):
    """An instant to read: RFC 3339 in UTC."""
    return (EPOCH + datetime.timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")


def local_date(at, zone):
    """The day that an instant belongs to in a time zone."""
    moment = EPOCH + datetime.timedelta(microseconds=at)
    return moment.astimezone(zoneinfo.ZoneInfo(zone)).date()


def midnight(date, zone):
    """The first instant of a day: the earlier midnight of two, the first instant after a gap that swallows midnight."""
    wall = datetime.datetime.combine(date, datetime.time(), tzinfo=zoneinfo.ZoneInfo(zone))
    at = round(wall.timestamp()) * SECOND
    if local_date(at - SECOND, zone) < date <= local_date(at, zone):
        return at
    # The clock jumped over midnight: look for the second at which the date changes.
    before, after = at - DAY, at + DAY
    while after - before > SECOND:
        middle = (before + after) // 2 // SECOND * SECOND
        if local_date(middle, zone) >= date:
            after = middle
        else:
            before = middle
    return after


def day_start(at, zone):
    return midnight(local_date(at, zone), zone)


def next_day_start(at, zone):
    return midnight(local_date(at, zone) + datetime.timedelta(days=1), zone)


def week_start(at, zone):
    """Midnight of the Monday before, or of today."""
    date = local_date(at, zone)
    return midnight(date - datetime.timedelta(days=date.weekday()), zone)


def next_week_start(at, zone):
    date = local_date(at, zone)
    return midnight(date + datetime.timedelta(days=7 - date.weekday()), zone)


def month_start(at, zone):
    return midnight(local_date(at, zone).replace(day=1), zone)


def next_month_start(at, zone):
    return next_boundary(CALENDAR_MONTH, None, at, zone)


def last_day(year, month):
    first_of_next = datetime.date(year + month // 12, month % 12 + 1, 1)
    return (first_of_next - datetime.timedelta(days=1)).day


def next_boundary(cycle, anchor, at, zone):
    """The first cycle boundary strictly after an instant.

    Of calendar months that is the 1st; of anniversaries the anchor day, or the last day of a month that lacks it.
    """
    date = local_date(at, zone)
    year, month = date.year, date.month
    while True:
        day = 1 if cycle == CALENDAR_MONTH else min(anchor, last_day(year, month))
        boundary = midnight(datetime.date(year, month, day), zone)
        if boundary > at:
            return boundary
        year, month = year + month // 12, month % 12 + 1
