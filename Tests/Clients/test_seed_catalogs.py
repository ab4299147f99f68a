"""The five products' own figures, each played through the wire on the product's catalog in Deploy/catalogs."""

import json

import pytest
from book import assert_adds_up
from credit_model import Limit
from grpc import StatusCode
from model_calendar import DAY, utc
from organisation import Org, advance, advance_to
from player import enum, instant
from support import CREDIT, ROOT, refused

HARD = (StatusCode.RESOURCE_EXHAUSTED, "HARD_LIMIT_REACHED")
POOR = (StatusCode.RESOURCE_EXHAUSTED, "INSUFFICIENT_CREDITS")
MISSING = (StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")
START = "2026-04-10T09:00:00Z"
MAY = utc(2026, 5, 1)


@pytest.fixture
def product(serve):
    """product(name): a server with that catalog of Deploy/catalogs."""
    return lambda name: serve(json.loads((ROOT / "Deploy/catalogs" / f"{name}.json").read_text()), START)


def packs(org):
    from tollgate.v1 import purchases_pb2 as p

    return org.client.purchases.ListPacks(p.ListPacksRequest())


def by_kind(org):
    return {k.kind: k for k in org.balance().by_kind}


# MARK: 000, TestKase: AI credits


def test_000_a_new_organization_has_100_credits_and_a_month_does_not_roll_over(product):
    org = Org.create(product("testkase"), plan="free")
    assert org.available() == 100 * CREDIT
    org.spend(30 * CREDIT, actor="ada", feature="ai_agent")
    assert (org.available(), org.balance().this_month_consumed_micros) == (70 * CREDIT, 30 * CREDIT)
    # What was bought stays when the month's credits are reset on the 1st, and is taken last.
    org.grant(1_000 * CREDIT, "purchased")
    org.spend(20 * CREDIT)
    advance_to(org.server, MAY)
    assert org.available() == 1_100 * CREDIT
    assert org.balance().this_month_consumed_micros == 0
    first, bought, second = org.grants()
    assert (first.expired_micros, bought.available_micros, second.available_micros) == (
        50 * CREDIT, 1_000 * CREDIT, 100 * CREDIT)
    assert not bought.HasField("expire_time")
    assert_adds_up(org.client)


@pytest.mark.parametrize("plan, allowed", [("free", False), ("premium", True), ("enterprise", True)])
def test_000_the_four_bundles_and_who_may_buy_them(product, plan, allowed):
    org = Org.create(product("testkase"), plan=plan)
    shown = packs(org)
    assert shown.purchase_allowed == allowed
    assert bool(shown.not_allowed_text) != allowed
    rows = [
        (p.name, p.price.currency, p.price.minor_units, p.amount_micros // CREDIT, p.savings_percent, p.popular)
        for p in shown.packs]
    assert rows == [
        ("Starter", "USD", 1_000, 1_000, 0, False), ("Professional", "USD", 5_000, 5_500, 10, True),
        ("Enterprise", "USD", 25_000, 28_000, 12, False), ("Ultimate", "USD", 50_000, 58_000, 15, False)]
    # The rate: credits for a dollar.
    rates = [p.amount_micros // CREDIT * 100 // p.price.minor_units for p in shown.packs]
    assert rates == [100, 110, 112, 116]
    assert [p.price_per_credit_millionths for p in shown.packs] == [1_000_000, 909_090, 892_857, 862_068]
    assert [p.best_value for p in shown.packs] == [False, False, False, True]


def test_000_beyond_the_balance_a_credit_costs_40_cents(product):
    server = product("testkase")
    org = Org.create(server, plan="premium")
    price = packs(org).overage_price_per_credit
    assert (price.currency, price.minor_units) == ("USD", 40)
    org.spend(110 * CREDIT)
    assert (org.available(), org.balance().owed_micros) == (0, 10 * CREDIT)
    # 10 credits at $0.40 are billed with the month, and owed no more.
    advance_to(server, MAY)
    assert (org.available(), org.balance().owed_micros) == (100 * CREDIT, 0)
    billed = next(g for g in org.grants() if g.origin == enum("GRANT_ORIGIN", "billed_overage"))
    assert billed.amount_micros * price.minor_units // CREDIT == 400
    free = Org.create(server, "free", plan="free")
    assert not packs(free).HasField("overage_price_per_credit")
    free.spend(100 * CREDIT)
    with refused(*POOR):
        free.charge(1)
    assert_adds_up(org.client)


def test_000_quality_by_feature_and_the_owners_switch(product):
    server = product("testkase")
    org = Org.create(server, plan="free")
    for member, role in [("olga", "owner"), ("ada", "admin"), ("mo", "member")]:
        org.set_member(member, role)
    asked = dict(feature="ai_agent", quantities={"tokens": 10_000})
    prices = {}
    for quality in ("cheap", "medium", "best"):
        org.by("ada", "platform").set_quality("ai_agent", quality)
        prices[quality] = org.quote(**asked).amount_micros
    assert prices["cheap"] < prices["medium"] < prices["best"]
    # Balanced is what is used where nothing was chosen.
    assert org.quote(feature="ai_reports").quality == enum("QUALITY", "medium")
    for actor in ("ada", "mo"):
        with refused(*MISSING):
            org.by(actor, "platform").set_ai(False)
        # Every member looks.
        assert org.by(actor, "platform").available() == 100 * CREDIT
    org.by("olga", "platform").set_ai(False)
    with refused(StatusCode.FAILED_PRECONDITION, "AI_DISABLED"):
        org.charge(feature="ai_reports")
    assert org.balance().this_month_consumed_micros == 0


def test_000_every_call_is_in_the_history(product):
    """Date, user, use case and credits, in pages."""
    org = Org.create(product("testkase"), plan="free")
    org.charge(actor="ada", feature="test_case_generation", quantities={"test_cases": 10})
    org.charge(actor="mo", feature="ai_reports")
    newest, older, granted = org.transactions(page_size=1)
    assert [(t.actor, t.feature) for t in (newest, older)] == [("mo", "ai_reports"), ("ada", "test_case_generation")]
    assert older.amount_micros == 5 * CREDIT
    assert granted.amount_micros == 100 * CREDIT


# MARK: 001, TestKase: credits and billing


def test_001_owners_and_admins_buy_and_members_look(product):
    org = Org.create(product("testkase-docs"), plan="organization")
    for member, role in [("olga", "owner"), ("ada", "admin"), ("mo", "member")]:
        org.set_member(member, role)
        who = org.by(member, "platform")
        assert who.available() == 100 * CREDIT
        if role == "member":
            with refused(*MISSING):
                packs(who)
        else:
            assert packs(who).purchase_allowed and len(packs(who).packs) > 0


def test_001_use_is_told_by_feature_and_ai_may_be_off_for_a_while(product):
    org = Org.create(product("testkase-docs"), plan="organization")
    org.charge(feature="generation", quantities={"test_cases": 4})
    org.charge(feature="chat", quantities={"tokens": 5_000})
    org.charge(feature="reports")
    used = {}
    for entry in org.transactions():
        if entry.feature:
            used[entry.feature] = used.get(entry.feature, 0) + entry.amount_micros
    assert used == {"generation": 2 * CREDIT, "chat": CREDIT, "reports": 2 * CREDIT}
    org.set_ai(False, reason="between sprints")
    with refused(StatusCode.FAILED_PRECONDITION, "AI_DISABLED"):
        org.charge(feature="reports")
    advance(org.server, 5 * DAY)
    org.set_ai(True)
    org.charge(feature="reports")
    # What was done and refused stands in the trail.
    assert [event.refusal for event in org.events()[:3]] == ["", "AI_DISABLED", ""]


# MARK: 002, LambdaTest


def test_002_free_users_have_1000_credits_once_which_never_expire(product):
    server = product("lambdatest")
    org = Org.create(server, plan="free")
    grant, = org.grants()
    assert (grant.kind, grant.amount_micros, grant.HasField("expire_time")) == (
        enum("GRANT_KIND", "complimentary"), 1_000 * CREDIT, False)
    org.spend(400 * CREDIT)
    advance(server, 400 * DAY)
    assert (org.available(), len(org.grants())) == (600 * CREDIT, 1)
    org.spend(600 * CREDIT)
    with refused(*POOR):
        org.charge(1)
    assert not packs(org).purchase_allowed
    # To go on, upgrade: complimentary credits that are reset each month, and packs.
    org.update(plan="paid")
    assert org.available() > 0 and packs(org).purchase_allowed
    month = org.available()
    org.spend(CREDIT)
    advance(server, 31 * DAY)
    assert org.available() == month
    assert enum("GRANT_KIND", "complimentary") in by_kind(org)


def test_002_ten_a_scenario_hold_50_produce_4_and_10_come_back(product):
    org = Org.create(product("lambdatest"), plan="free")
    held = org.reserve(feature="test_case_generator", quantities={"scenarios": 5}, actor="mo")
    assert (held.reserved_micros, held.balance.available_micros) == (50 * CREDIT, 950 * CREDIT)
    done = org.commit(held.reservation.reservation_id, quantities={"scenarios": 4})
    assert (done.charged_micros, done.balance.available_micros) == (40 * CREDIT, 960 * CREDIT)
    # The transactions: date, debit or credit, credits, name.
    from tollgate.v1 import credits_pb2 as cr

    commit, reserve, grant = org.transactions()
    assert (reserve.direction, reserve.amount_micros, reserve.actor) == (
        cr.TRANSACTION_DIRECTION_DEBIT, 50 * CREDIT, "mo")
    assert (commit.amount_micros, commit.available_change_micros, commit.actor) == (40 * CREDIT, 10 * CREDIT, "mo")
    assert (grant.direction, grant.amount_micros) == (cr.TRANSACTION_DIRECTION_CREDIT, 1_000 * CREDIT)
    # To generate again costs again.
    again = org.hold(feature="test_case_generator", quantities={"scenarios": 5})
    assert org.commit(again, quantities={"scenarios": 5}).charged_micros == 50 * CREDIT


def test_002_a_small_screenshot_costs_1_to_4_and_a_large_one_5_to_8(product):
    org = Org.create(product("lambdatest"), plan="free")

    def costs(kilopixels):
        line, = org.quote(feature="smartui_visual_ai", quantities={"kilopixels": kilopixels}).lines
        return line.tier, line.amount_micros / CREDIT

    sizes = [costs(kilopixels) for kilopixels in (1, 500, 1_500, 2_000, 4_000, 4_001, 6_500, 9_000, 1_000_000)]
    assert [tier for tier, _ in sizes] == ["small"] * 5 + ["large"] * 4
    assert all(1 <= credits <= 4 for tier, credits in sizes if tier == "small")
    assert all(5 <= credits <= 8 for tier, credits in sizes if tier == "large")
    assert (sizes[0], sizes[4], sizes[5], sizes[-1]) == (("small", 1), ("small", 4), ("large", 5), ("large", 8))
    # The bigger, the more.
    assert [credits for _, credits in sizes] == sorted(credits for _, credits in sizes)


def test_002_soft_at_70_percent_of_the_month_and_hard_at_90(product):
    from tollgate.v1 import credits_pb2 as cr

    org = Org.create(product("lambdatest"), plan="paid")
    month = org.available()
    org.set_limits(Limit("tenant", "cycle", soft_percent=70, hard_percent=90))
    status = org.limit()
    assert (status.soft_micros_in_force, status.hard_micros_in_force) == (month * 70 // 100, month * 90 // 100)
    org.spend(month * 70 // 100)
    # Those who are to know are told, and use goes on.
    assert org.balance().limit_state == cr.LIMIT_STATE_SOFT_REACHED
    org.spend(month * 20 // 100)
    for begin in (org.charge, org.reserve):
        with refused(*HARD):
            begin(1)
    assert org.available() == month // 10
    # To go on: raise the limit.
    org.set_limits(Limit("tenant", "cycle", soft_percent=70, hard_percent=95))
    org.spend(1)


def test_002_only_admins_view_balances_transactions_and_limits(product):
    from tollgate.v1 import credits_pb2 as cr

    org = Org.create(product("lambdatest"), plan="free")
    org.set_member("ada", "admin")
    org.set_member("mo", "member")
    calls = [
        lambda who: who.balance(), lambda who: who.client.credits.ListTransactions(cr.ListTransactionsRequest()),
        lambda who: who.settings(), lambda who: who.set_limits(Limit("tenant", "cycle", hard=5))]
    admin, member = org.by("ada", "platform"), org.by("mo", "platform")
    for call in calls:
        call(admin)
        with refused(*MISSING):
            call(member)


# MARK: 003, image tool


def test_003_1500_free_credits_each_month_that_do_not_carry_over(product):
    server = product("image-tool")
    org = Org.create(server, plan="account")
    assert org.available() == 1_500 * CREDIT
    org.spend(600 * CREDIT)
    advance_to(server, MAY)
    assert org.available() == 1_500 * CREDIT
    assert org.grants()[0].expired_micros == 900 * CREDIT


@pytest.mark.parametrize("action, credits", [("text_to_image", 8), ("erase", 7), ("upscale", 0)])
def test_003_each_action_has_its_price_in_the_matrix(product, action, credits):
    from tollgate.v1 import credits_pb2 as cr

    org = Org.create(product("image-tool"), plan="account")
    matrix = {f.feature: f for f in org.client.credits.GetRateCard(cr.GetRateCardRequest()).features}
    assert matrix[action].HasField("fixed_micros") and matrix[action].fixed_micros == credits * CREDIT
    charged = org.charge(feature=action, actor="ada", comment="a banner")
    assert charged.charged_micros == credits * CREDIT
    # The log: date and time, user, action, credits, type of credits, comment, done or failed.
    entry = org.transactions()[0]
    assert (entry.actor, entry.feature, entry.amount_micros, entry.comment, entry.status) == (
        "ada", action, credits * CREDIT, "a banner", cr.TRANSACTION_STATUS_DONE)
    assert [s.kind for s in entry.sources] == ([enum("GRANT_KIND", "complimentary")] if credits else [])
    failed = org.hold(feature=action, actor="ada")
    org.release(failed)
    assert org.transactions()[0].status == cr.TRANSACTION_STATUS_FAILED


def test_003_2500_credits_for_25_dollars_stay_until_they_are_used(product):
    server = product("image-tool")
    org = Org.create(server, plan="account")
    pack, = packs(org).packs
    assert (pack.amount_micros, pack.price.currency, pack.price.minor_units) == (2_500 * CREDIT, "USD", 2_500)
    org.grant(pack.amount_micros, "purchased")
    # The free ones go first.
    org.spend(1_600 * CREDIT)
    advance_to(server, utc(2027, 5, 1))
    assert org.available() == (1_500 + 2_400) * CREDIT
    free, bought = by_kind(org)[enum("GRANT_KIND", "complimentary")], by_kind(org)[enum("GRANT_KIND", "purchased")]
    assert (free.available_micros, bought.available_micros) == (1_500 * CREDIT, 2_400 * CREDIT)
    assert instant(free, "next_expire_time") == utc(2027, 6, 1) and not bought.HasField("next_expire_time")


# MARK: 004, Torqueflow


def subscribed(server, tenant="acme"):
    """A tenant that pays from the first day on."""
    org = Org.create(server, tenant, plan="starter", zone="Europe/London")
    org.update(state="active")
    # The trial is over, and with it what it gave.
    org.revoke(org.grants()[0].grant_id)
    return org


def test_004_subscription_purchased_and_gifted_credits_with_their_dates(product):
    server = product("torqueflow")
    org = subscribed(server)
    org.grant(1_000 * CREDIT, "purchased")
    org.grant(50 * CREDIT, "gifted", expires=utc(2026, 6, 15))
    kinds = by_kind(org)
    allowance = kinds[enum("GRANT_KIND", "subscription")]
    # From the 10th of April on: "refreshes 10 May", at midnight in London.
    assert instant(allowance, "refresh_time") == utc(2026, 5, 9, 23)
    assert not kinds[enum("GRANT_KIND", "purchased")].HasField("next_expire_time")
    assert instant(kinds[enum("GRANT_KIND", "gifted")], "next_expire_time") == utc(2026, 6, 15)
    balance = org.balance()
    assert balance.available_micros == 2_050 * CREDIT
    # The gauge has the allowance as its maximum, and goes beyond 100 percent with what came besides.
    assert (balance.gauge_percent, balance.status_text) == (205, "Credits healthy")
    # Use takes the allowance first, then the gift, then what was bought.
    org.spend(1_020 * CREDIT)
    kinds = by_kind(org)
    assert kinds[enum("GRANT_KIND", "gifted")].available_micros == 30 * CREDIT
    advance_to(server, utc(2026, 6, 15))
    assert org.available() == 2_000 * CREDIT


def test_004_use_by_channel_and_what_a_cycle_brings(product):
    from tollgate.v1 import common_pb2 as c

    server = product("torqueflow")
    org = subscribed(server)
    month = org.available()
    for channel, quantities, count in [
            ("voice", {"seconds": 90}, 2), ("whatsapp", {"messages": 1}, 5), ("sms", {"messages": 1}, 3),
            ("diagnostics", None, 1)]:
        for _ in range(count):
            org.charge(feature=channel, quantities=quantities)
    interactions, credits = {}, {}
    for entry in org.transactions():
        if entry.reservation_id:
            interactions[entry.feature] = interactions.get(entry.feature, 0) + 1
            credits[entry.feature] = credits.get(entry.feature, 0) + entry.amount_micros // CREDIT
    assert interactions == {"voice": 2, "whatsapp": 5, "sms": 3, "diagnostics": 1}
    assert credits == {"voice": 18, "whatsapp": 5, "sms": 6, "diagnostics": 5}
    # Consumption is reset with each billing cycle.
    org.set_limits(Limit("tenant", "cycle", soft_percent=80))
    assert org.limit().consumed_micros == 34 * CREDIT
    advance_to(server, utc(2026, 5, 9, 23))
    assert (org.available(), org.limit().consumed_micros) == (month, 0)
    assert org.grants()[-1].origin == c.GRANT_ORIGIN_ALLOWANCE


def test_004_a_trial_has_free_credits_and_may_not_buy(product):
    server = product("torqueflow")
    org = Org.create(server, plan="starter")
    assert org.shown().subscription == enum("SUBSCRIPTION_STATE", "trial")
    assert org.available() == 200 * CREDIT
    shown = packs(org)
    assert not shown.purchase_allowed
    assert "trial" in shown.not_allowed_text.lower() and "upgrade" in shown.not_allowed_text.lower()
    advance(server, 14 * DAY)
    assert org.shown().subscription == enum("SUBSCRIPTION_STATE", "active")
    assert org.available() == 1_000 * CREDIT
    assert packs(org).purchase_allowed


@pytest.mark.parametrize("state, allowed", [
    ("active", True), ("grandfathered", True), ("past_due", False), ("canceled", False)])
def test_004_packs_are_for_active_and_grandfathered_subscriptions(product, state, allowed):
    org = subscribed(product("torqueflow"))
    org.update(state=state)
    shown = packs(org)
    assert shown.purchase_allowed == allowed and bool(shown.not_allowed_text) != allowed
    # 1,000 credits for 10.00 pounds are 1.0p per credit; the one with the lowest price is the best value.
    first = shown.packs[0]
    assert (first.name, first.amount_micros, first.price.currency, first.price.minor_units) == (
        "Starter", 1_000 * CREDIT, "GBP", 1_000)
    assert first.price_per_credit_millionths == 1_000_000
    cheapest = min(shown.packs, key=lambda pack: pack.price_per_credit_millionths)
    assert [pack.pack_id for pack in shown.packs if pack.best_value] == [cheapest.pack_id]


def test_004_to_view_and_to_purchase_are_permissions_apart(product):
    server = product("torqueflow")
    org = subscribed(server)
    for member, role in [("olga", "owner"), ("vera", "billing.credits.view"), ("paul", "billing.credits.purchase"),
                         ("mo", "member")]:
        org.set_member(member, role)
    for member, views, buys in [
            ("olga", True, True), ("vera", True, False), ("paul", True, True), ("mo", False, False)]:
        who = org.by(member, "platform")
        for may, call in [(views, who.balance), (buys, lambda: packs(who))]:
            if may:
                call()
            else:
                with refused(*MISSING):
                    call()
