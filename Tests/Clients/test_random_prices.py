"""Random prices of every shape, quoted, reserved and charged, against the model's exact fractions."""

import random

from model_prices import cost, instant, lines, price_of
from organisation import Org, advance_to
from player import enum
from support import CREDIT

FEATURES = 120
QUOTES = 15
DATES = ["2026-06-01T00:00:00Z", "2026-03-20T01:00:00+05:30", "2026-04-01T12:30:00.5-03:00"]


def random_tiers(rng):
    tiers, start = [], rng.choice([0, 1, 5])
    for number in range(rng.randint(1, 4)):
        tier = {"name": f"tier {number}", "micros": rng.choice([0, 1, 7, 999, 10**6])}
        if start:
            tier["from"] = start
        if rng.random() < 0.5:
            tier["per"] = rng.choice([1, 3, 7, 1_000])
        if rng.random() < 0.5:
            tier["fixed_micros"] = rng.choice([0, 1, 5_001])
        if rng.random() < 0.5:
            tier["minimum_micros"] = rng.choice([1, 99, 10**6])
        if rng.random() < 0.5:
            tier["maximum_micros"] = rng.choice([1, 3, 10]) * max(1, tier.get("minimum_micros", 10**6))
        tiers.append(tier)
        start += rng.choice([1, 4, 50, 10_000])
    return tiers


def random_price(rng):
    price = {}
    for unit in rng.sample(["calls", "pages", "tokens in", "tokens out", "ä"], rng.randint(0, 3)):
        unit_price = {"micros": rng.choice([0, 1, 3, 1_500, 10**7])}
        if rng.random() < 0.5:
            unit_price["per"] = rng.choice([1, 2, 3, 1_000, 999_983])
        price.setdefault("units", {})[unit] = {"tiers": random_tiers(rng)} if rng.random() < 0.4 else unit_price
    if "units" not in price or rng.random() < 0.4:
        price["fixed_micros"] = rng.choice([0, 1, 101, 8 * CREDIT])
    if rng.random() < 0.4:
        price["minimum_micros"] = rng.choice([1, 5_000, 3 * CREDIT])
    if rng.random() < 0.7:
        qualities = rng.sample(["cheap", "medium", "best"], rng.randint(1, 3))
        price["quality_percent"] = {quality: rng.choice([0, 1, 33, 100, 150, 333]) for quality in qualities}
    return price


def random_feature(rng):
    price = random_price(rng)
    if rng.random() < 0.4:
        price["next"] = [{"from": date, **random_price(rng)} for date in rng.sample(DATES, rng.randint(1, 3))]
    return price


def random_quantities(rng, price):
    """Of some of the units; none at all only where the price needs none."""
    units = [unit for unit in price.get("units", {}) if rng.random() < 0.8]
    if not units and "fixed_micros" not in price:
        units = list(price["units"])
    return {unit: rng.choice([0, 1, 2, 4, 5, 6, 55, 10_000, 10_055, 123_456_789]) for unit in units}


def test_random_prices_come_to_what_exact_fractions_say(serve, seed):
    from tollgate.v1 import common_pb2 as c

    rng = random.Random(seed)
    features = {f"feature {number}": random_feature(rng) for number in range(FEATURES)}
    own = {name: random_feature(rng) for name in rng.sample(sorted(features), FEATURES // 4)}
    catalog = {"features": features, "tenants": {"own": {"features": own}}}
    server = serve(catalog, "2026-03-01T12:00:00Z")
    orgs = [Org.create(server, name) for name in ("plain", "own")]
    for org in orgs:
        org.grant(10**18)
    moments = [instant("2026-03-01T12:00:00Z")]
    for at in sorted(map(instant, DATES)):
        moments += [at - 1, at]
    for at in moments:
        advance_to(server, at)
        for org in orgs:
            for name in rng.sample(sorted(features), QUOTES):
                price = price_of(catalog, org.tenant, name, at)
                quality = rng.choice([None, "cheap", "medium", "best"])
                asked = dict(feature=name, quantities=random_quantities(rng, price), quality=quality)
                where = f"{org.tenant}: {asked} of {price}"
                expected = lines(price, asked["quantities"], quality or "medium")
                answer = org.quote(**asked)
                found = [
                    (c.PriceLineKind.Name(line.kind).removeprefix("PRICE_LINE_KIND_").lower(), line.unit,
                     line.amount_micros) for line in answer.lines]
                assert found == expected, where
                assert answer.quality == enum("QUALITY", quality or "medium")
                total = sum(micros for _, _, micros in expected)
                assert (answer.amount_micros, org.charge(**asked).charged_micros) == (total, total), where
                held = org.reserve(**asked)
                assert held.reserved_micros == total, where
                used = random_quantities(rng, price)
                committed = org.commit(held.reservation.reservation_id, quantities=used).charged_micros
                assert committed == cost(price, used, quality or "medium"), f"{where}: committed {used}"
    server.verify()
