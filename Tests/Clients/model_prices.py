"""What a step costs by a catalog's JSON, naively and exactly: fractions of micros, rounded up once per line."""

import datetime
from fractions import Fraction

from model_calendar import EPOCH

QUALITIES = ["cheap", "medium", "best"]


def instant(text):
    """The instant of an RFC 3339 text."""
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def price_of(catalog, tenant, feature, at):
    """The price of a feature for a tenant at a moment, as the catalog's JSON says it; None where it has none."""
    own = catalog.get("tenants", {}).get(tenant, {}).get("features", {})
    price = own.get(feature) or catalog.get("features", {}).get(feature)
    if price is None:
        return None
    dated = [later for later in price.get("next", []) if instant(later["from"]) <= at]
    return max(dated, key=lambda later: instant(later["from"])) if dated else price


def ceiling(amount):
    return -(-amount.numerator // amount.denominator)


def tier_of(unit, quantity):
    """The tier with the largest beginning that the whole quantity reaches; the first where it reaches none."""
    reached = [tier for tier in unit["tiers"] if tier.get("from", 0) <= quantity]
    return max(reached, key=lambda tier: tier.get("from", 0)) if reached else unit["tiers"][0]


def unit_line(unit, quantity, percent):
    """The micros of so many units."""
    if "tiers" not in unit:
        return ceiling(Fraction(quantity * unit["micros"] * percent, unit.get("per", 1) * 100))
    if quantity == 0:
        return 0
    tier = tier_of(unit, quantity)
    plain = tier.get("fixed_micros", 0) + Fraction(quantity * tier.get("micros", 0), tier.get("per", 1))
    amount = max(ceiling(plain * percent / 100), tier.get("minimum_micros", 0))
    return min(amount, tier["maximum_micros"]) if tier.get("maximum_micros") else amount


def percent_of(price, quality):
    return price.get("quality_percent", {}).get(quality, 100)


def lines(price, quantities, quality, has_rest=True):
    """The lines of a price: (kind, unit, micros), units by name, then what is fixed, then what the minimum lacks."""
    percent = percent_of(price, quality)
    found = [("unit", unit, unit_line(price["units"][unit], quantities[unit], percent)) for unit in sorted(quantities)]
    if has_rest and "fixed_micros" in price:
        found.append(("fixed", "", ceiling(Fraction(price["fixed_micros"] * percent, 100))))
    missing = price.get("minimum_micros", 0) - sum(micros for _, _, micros in found)
    if has_rest and missing > 0:
        found.append(("minimum", "", missing))
    return found


def cost(price, quantities, quality, has_rest=True):
    return sum(micros for _, _, micros in lines(price, quantities, quality, has_rest))
