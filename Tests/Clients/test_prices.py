"""Prices: the action matrix, tiers, quality, minimum charges, a tenant's own prices, dated prices, and new catalogs."""

import json
import signal
import time

import pytest
from grpc import StatusCode
from model_calendar import DAY, utc
from model_prices import lines
from organisation import Org, advance_to
from player import enum, instant
from support import CREDIT, DEADLINE_S, details, refused

CHANGE = "2026-04-01T00:00:00Z"
CATALOG = {
    "features": {
        "text_to_image": {"fixed_micros": 8 * CREDIT}, "erase": {"fixed_micros": 7 * CREDIT},
        "upscale": {"fixed_micros": 0},
        "scenarios": {"units": {"scenarios": {"micros": 10 * CREDIT}}},
        "screenshot": {"units": {"screens": {"tiers": [
            {"name": "small", "from": 1, "micros": CREDIT, "maximum_micros": 4 * CREDIT},
            {"name": "large", "from": 6, "fixed_micros": 5 * CREDIT, "micros": CREDIT, "per": 3,
             "minimum_micros": 7_500_000, "maximum_micros": 8 * CREDIT}]}}},
        "chat": {
            "units": {"in": {"micros": 1_500, "per": 1_000}, "out": {"micros": 7_001, "per": 1_000}},
            "fixed_micros": 101, "minimum_micros": 5_000,
            "quality_percent": {"cheap": 55, "medium": 100, "best": 333}},
        "dated": {
            "fixed_micros": 10, "next": [
                {"from": CHANGE, "fixed_micros": 20},
                {"from": "2026-05-01T00:00:00+02:00", "fixed_micros": 40, "minimum_micros": 50}]}},
    "tenants": {"special": {"features": {
        "erase": {"fixed_micros": 3 * CREDIT}, "chat": {"units": {"in": {"micros": 9}}}}}}}


@pytest.fixture
def server(serve):
    return serve(CATALOG)


@pytest.fixture
def org(server):
    org = Org.create(server)
    org.grant(100_000 * CREDIT)
    return org


def card(org):
    from tollgate.v1 import credits_pb2 as cr

    return {f.feature: f for f in org.client.credits.GetRateCard(cr.GetRateCardRequest()).features}


def quoted(org, **asked):
    from tollgate.v1 import common_pb2 as c

    answer = org.quote(**asked)
    found = [
        (c.PriceLineKind.Name(line.kind).removeprefix("PRICE_LINE_KIND_").lower(), line.unit, line.amount_micros)
        for line in answer.lines]
    assert sum(micros for _, _, micros in found) == answer.amount_micros
    return found


@pytest.mark.parametrize("feature, credits", [("text_to_image", 8), ("erase", 7), ("upscale", 0)])
def test_a_fixed_price_for_each_action(org, feature, credits):
    assert org.charge(feature=feature).charged_micros == credits * CREDIT
    held = org.reserve(feature=feature)
    assert held.reserved_micros == credits * CREDIT
    done = org.commit(held.reservation.reservation_id, commit_id="", quantities={})
    assert (done.charged_micros, done.reservation.state) == (
        credits * CREDIT, enum("RESERVATION_STATE", "committed"))
    assert quoted(org, feature=feature) == [("fixed", "", credits * CREDIT)]
    shown = card(org)[feature]
    assert (shown.HasField("fixed_micros"), shown.fixed_micros, len(shown.units)) == (True, credits * CREDIT, 0)


def test_by_unit_the_rest_of_what_was_held_comes_back(org):
    before = org.available()
    held = org.reserve(feature="scenarios", quantities={"scenarios": 5})
    assert held.reserved_micros == 50 * CREDIT
    done = org.commit(held.reservation.reservation_id, quantities={"scenarios": 4})
    assert (done.charged_micros, org.available()) == (40 * CREDIT, before - 40 * CREDIT)


@pytest.mark.parametrize("screens, tier, micros", [
    (0, "", 0), (1, "small", CREDIT), (4, "small", 4 * CREDIT), (5, "small", 4 * CREDIT),
    (6, "large", 7_500_000), (8, "large", 7_666_667), (9, "large", 8 * CREDIT), (500, "large", 8 * CREDIT)])
def test_a_tier_is_chosen_by_the_whole_quantity(org, screens, tier, micros):
    asked = dict(feature="screenshot", quantities={"screens": screens})
    line, = org.quote(**asked).lines
    assert (line.amount_micros, line.quantity) == (micros, screens)
    if tier:
        assert line.tier == tier
    assert org.charge(**asked).charged_micros == micros


@pytest.mark.parametrize("quality", [None, "cheap", "medium", "best"])
@pytest.mark.parametrize("quantities", [
    {"in": 1}, {"in": 1, "out": 1}, {"in": 999, "out": 333}, {"in": 1_000_000, "out": 7}, {"out": 0}])
def test_several_units_by_quality_and_with_a_minimum(org, quality, quantities):
    """Each line is rounded up once; what is missing to the minimum is a line of its own, whatever the quality."""
    asked = dict(feature="chat", quantities=quantities, quality=quality)
    expected = lines(CATALOG["features"]["chat"], quantities, quality or "medium")
    assert quoted(org, **asked) == expected
    total = sum(micros for _, _, micros in expected)
    assert total >= 5_000
    assert org.charge(**asked).charged_micros == total
    held = org.reserve(**asked)
    assert held.reserved_micros == total
    # What was really used costs at least the minimum as well; a part of it does not.
    hold = held.reservation.reservation_id
    partial = org.commit(hold, quantities={"in": 10}, partial=True).charged_micros
    assert partial < 5_000
    assert org.commit(hold, quantities={"in": 0}).charged_micros == 5_000


def test_a_quote_explains_each_line(org):
    answer = org.quote(feature="chat", quantities={"in": 10, "out": 20}, quality="best")
    first, second, fixed, minimum = answer.lines
    assert (first.unit, first.quantity, first.unit_micros, first.per, first.quality_percent) == (
        "in", 10, 1_500, 1_000, 333)
    assert (second.unit, second.quantity, second.amount_micros) == ("out", 20, 467)
    assert (fixed.unit, fixed.quantity, fixed.amount_micros) == ("", 1, 337)
    assert (minimum.unit, minimum.quantity, minimum.amount_micros) == ("", 1, 5_000 - 50 - 467 - 337)
    assert (answer.affordable, answer.refusal, answer.quality) == (True, "", enum("QUALITY", "best"))


def test_the_rate_card_shows_all_of_it(org):
    shown = card(org)
    assert list(shown) == sorted(CATALOG["features"])
    small, large = shown["screenshot"].units[0].tiers
    assert (small.name, small.from_quantity, small.unit_micros, small.per, small.maximum_micros) == (
        "small", 1, CREDIT, 1, 4 * CREDIT)
    assert (large.name, large.from_quantity, large.fixed_micros, large.per, large.minimum_micros) == (
        "large", 6, 5 * CREDIT, 3, 7_500_000)
    chat = shown["chat"]
    assert (chat.fixed_micros, chat.minimum_micros) == (101, 5_000)
    assert [(q.quality, q.percent) for q in chat.qualities] == [(1, 55), (2, 100), (3, 333)]
    assert instant(shown["dated"], "next_price_time") == utc(2026, 4, 1)
    assert not shown["erase"].HasField("next_price_time")


def test_a_tenant_may_have_its_own_prices(server, org):
    special = Org.create(server, "special")
    special.grant(1_000 * CREDIT)
    assert special.charge(feature="erase").charged_micros == 3 * CREDIT
    assert special.charge(feature="text_to_image").charged_micros == 8 * CREDIT
    # It stands in place of the feature's price, whole.
    assert special.charge(feature="chat", quantities={"in": 2}).charged_micros == 18
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field='quantities["out"]'):
        special.charge(feature="chat", quantities={"out": 2})
    assert card(special)["erase"].fixed_micros == 3 * CREDIT
    assert card(org)["erase"].fixed_micros == 7 * CREDIT


def test_a_price_holds_from_its_date_on_and_a_reservation_keeps_its_own(server, org):
    advance_to(server, utc(2026, 3, 31, 23, 59, 59))
    before = org.reserve(feature="dated", ttl=3 * DAY).reservation
    assert org.charge(feature="dated").charged_micros == 10
    advance_to(server, utc(2026, 4, 1) - 1)
    assert org.quote(feature="dated").amount_micros == 10
    advance_to(server, utc(2026, 4, 1))
    after = org.charge(feature="dated")
    assert after.charged_micros == 20
    assert after.reservation.price_version > before.price_version > 0
    assert instant(card(org)["dated"], "next_price_time") == utc(2026, 4, 30, 22)
    assert org.commit(before.reservation_id).charged_micros == 10
    named = {t.reservation_id: t.price_version for t in org.transactions()}
    assert named[before.reservation_id] == before.price_version
    assert named[after.reservation.reservation_id] == after.reservation.price_version
    advance_to(server, utc(2026, 4, 30, 22))
    assert org.charge(feature="dated").charged_micros == 50
    assert not card(org)["dated"].HasField("next_price_time")


def test_what_has_no_fixed_price_needs_quantities(org):
    for feature in ("scenarios", "screenshot"):
        for call in (org.charge, org.reserve, org.quote):
            with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
                call(feature=feature)
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
        org.charge(5, feature="chat", quantities={"in": 1})


# MARK: New catalogs on a running server


DEARER = {**CATALOG, "features": {
    **CATALOG["features"], "erase": {"fixed_micros": 9 * CREDIT}, "new": {"fixed_micros": 1}}}
FAULTY = {
    "features": {"erase": {"fixed_micros": -1}, "x": {"units": {"y": {"micros": "z"}}}},
    "plans": {"p": {"cycle": "daily"}}}


def apply(server, catalog, check_only=False):
    from tollgate.v1 import admin_pb2 as a

    data = catalog if isinstance(catalog, bytes) else json.dumps(catalog).encode()
    return server.client().admin.ApplyCatalog(a.ApplyCatalogRequest(catalog_json=data, check_only=check_only))


def get_catalog(server):
    from tollgate.v1 import admin_pb2 as a

    return server.client().admin.GetCatalog(a.GetCatalogRequest())


def assert_dearer(org, held, first):
    """The new price holds for what begins now, not for what began before."""
    assert org.charge(feature="erase").charged_micros == 9 * CREDIT
    assert org.charge(feature="new").charged_micros == 1
    assert org.commit(held).charged_micros == 7 * CREDIT
    second = get_catalog(org.server)
    assert second.version == first + 1
    assert json.loads(second.catalog_json) == DEARER
    assert second.HasField("apply_time")


def test_a_catalog_is_applied_by_call(org):
    held, first = org.hold(feature="erase"), get_catalog(org.server).version
    checked = apply(org.server, DEARER, check_only=True)
    assert not checked.applied and org.quote(feature="erase").amount_micros == 7 * CREDIT
    applied = apply(org.server, DEARER)
    assert (applied.applied, applied.version) == (True, first + 1)
    assert_dearer(org, held, first)
    # Again it changes nothing.
    again = apply(org.server, DEARER)
    assert (again.applied, again.version) == (False, first + 1)
    # It outlives a crash, also where the server is started without a file.
    org.server.kill()
    org.server.options = org.server.options[:2]
    org.server.restart()
    org = Org(org.server, "acme")
    assert org.charge(feature="erase").charged_micros == 9 * CREDIT
    assert get_catalog(org.server).version == first + 1


def test_a_catalog_is_applied_by_the_command(org, tmp_path):
    held, first = org.hold(feature="erase"), get_catalog(org.server).version
    path = tmp_path / "dearer.json"
    path.write_text(json.dumps(DEARER))
    done = org.server.run("catalog", "apply", str(path))
    assert done.returncode == 0, done.stderr
    assert_dearer(org, held, first)


def test_a_catalog_is_applied_by_signal(org):
    """SIGHUP reads the file that the server was started with once more."""
    held, first = org.hold(feature="erase"), get_catalog(org.server).version
    path = org.server.options[org.server.options.index("--catalog") + 1]
    with open(path, "w") as file:
        json.dump(DEARER, file)
    hang_up(org.server, lambda: get_catalog(org.server).version > first)
    assert_dearer(org, held, first)


def hang_up(server, is_done):
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + DEADLINE_S
    while not is_done():
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.02)


def test_a_faulty_catalog_changes_nothing(org, tmp_path):
    first = get_catalog(org.server)
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") as caught:
        apply(org.server, FAULTY)
    # All faults at once, each with its place.
    told = " ".join(f"{v.field} {v.description}" for v in details(caught.error)[1].field_violations)
    for place in ("erase.fixed_micros", "x.units.y.micros", "plans.p.cycle"):
        assert place in told, told
    for broken in (b"", b"{", b"[]", b'{"features": {"a": {"fixed_micros": 1}, "a": {"fixed_micros": 2}}}'):
        with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"):
            apply(org.server, broken)

    path = tmp_path / "faulty.json"
    path.write_text(json.dumps(FAULTY))
    done = org.server.run("catalog", "apply", str(path))
    assert done.returncode != 0 and "erase.fixed_micros" in done.stderr

    catalog = org.server.options[org.server.options.index("--catalog") + 1]
    with open(catalog, "w") as file:
        json.dump(FAULTY, file)
    hang_up(org.server, lambda: "erase.fixed_micros" in org.server.log())
    assert get_catalog(org.server) == first
    assert org.charge(feature="erase").charged_micros == 7 * CREDIT


def test_a_key_that_is_bound_to_a_tenant_may_not_apply_a_catalog(org):
    from tollgate.v1 import admin_pb2 as a

    admin = org.by(None, "platform").client.admin
    for call in (lambda: admin.ApplyCatalog(a.ApplyCatalogRequest(catalog_json=json.dumps(DEARER).encode())),
                 lambda: admin.GetCatalog(a.GetCatalogRequest())):
        with refused(StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING"):
            call()


def test_prices_change_under_load_from_one_step_to_the_next(org):
    """Every charge has the old price or the new one, and none has the old one after the answer to the change."""
    from support import in_parallel
    import threading

    applied = threading.Event()

    def use(index):
        if index == 0:
            apply(org.server, DEARER)
            applied.set()
            return []
        found, mine = [], Org(org.server, "acme")
        for _ in range(30):
            was_applied = applied.is_set()
            found.append((was_applied, mine.charge(feature="erase").charged_micros))
        return found

    found = [pair for pairs in in_parallel(6, use) for pair in pairs]
    assert {micros for _, micros in found} <= {7 * CREDIT, 9 * CREDIT}
    assert {micros for was_applied, micros in found if was_applied} <= {9 * CREDIT}
