"""Three years of tenants on the test clock, hour by hour, against the naive model; and the same tenants asleep.

All catalogs of Deploy/catalogs and one that has everything are merged into one, so that one pass plays them all: each
plan and feature keeps its meaning under a longer name. TOLLGATE_LONG=1 plays more seeds.
"""

import itertools
import json
import os
import pathlib
import random

import model_calendar as calendar
import pytest
from book import grants, transactions
from credit_model import Book
from model_calendar import DAY, HOUR, MINUTE, utc
from player import Player, moment
from random_use import RandomUse
from support import ROOT, Server

BEGIN = utc(2026, 1, 29, 9)
END = utc(2029, 1, 29, 9)
OWN = pathlib.Path(__file__).parent / "catalogs/everything.json"
# Days, weeks and cycles with daylight saving by an hour and by half an hour, at midnight and elsewhere, and without.
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Auckland", "UTC",
         "America/Havana", "Asia/Beirut"]
LONG = os.environ.get("TOLLGATE_LONG")
# Of the hours of a stretch with use, how many see a tenant do something, and how many of those change what governs it.
BUSY = 0.5
CHANGES = 0.2
AGAIN = 0.1
DAY_OF_REFUSALS = DAY - HOUR


def catalogs():
    """Every catalog that has plans, by its name."""
    paths = [*sorted((ROOT / "Deploy/catalogs").glob("*.json")), OWN]
    found = {path.stem: json.loads(path.read_text()) for path in paths}
    return {name: catalog for name, catalog in found.items() if catalog.get("plans")}


def merged(catalogs):
    """All in one: names of features and plans get that of their catalog in front. Packs are left out: nobody buys."""
    whole = {"features": {}, "plans": {}, "tenants": {}}
    for name, catalog in catalogs.items():
        for part in ("features", "plans"):
            whole[part] |= {f"{name}-{key}": value for key, value in catalog.get(part, {}).items()}
        for tenant, own in catalog.get("tenants", {}).items():
            features = {f"{name}-{key}": value for key, value in own["features"].items()}
            whole["tenants"][tenant] = {"features": features}
    return whole


def units(price):
    """The units that every price of a feature has, now and later."""
    prices = [price, *price.get("next", [])]
    return sorted(set.intersection(*[set(p.get("units", {})) for p in prices]))


class Pass:
    """One server with the merged catalog, and the tenants that are played on it."""

    def __init__(self, binary, directory, seed):
        self.random = random.Random(seed)
        self.catalogs = catalogs()
        self.merged = merged(self.catalogs)
        self.path = directory / "merged.json"
        self.path.write_text(json.dumps(self.merged))
        self.server = start(binary, directory, "awake", self.path)
        self.clock = self.server.client().clock
        self.now = BEGIN
        self.users, self.idle = [], []

    def advance(self, at):
        advance(self.clock, at)
        self.now = at

    def player(self, name, plan, zone):
        return Player.create(self.server, name, Book(name, [(0, self.merged)], self.now, zone, plan))

    def use_of(self, name, player):
        """Random use within one catalog."""
        catalog = self.catalogs[name]
        features = {f"{name}-{feature}": units(price) for feature, price in catalog["features"].items()}
        plans = [f"{name}-{plan}" for plan in catalog["plans"]]
        allowances = [plan["allowance"]["micros"] for plan in catalog["plans"].values() if "allowance" in plan]
        scale = max([*allowances, 10**8]) // 50
        return RandomUse(self.random, player.book, features, plans + [""], scale, has_limits=len(self.users) % 3 > 0)

    def create(self):
        """Tenants with use: two of each catalog, five of that which has everything; and one asleep of every plan.

        They begin on the 29th, 30th and 31st of a month, so that months without these days come.
        """
        wanted = [name for name in self.catalogs for _ in range(5 if name == OWN.stem else 2)]
        for number, name in enumerate(wanted):
            if number in (len(wanted) // 3, 2 * len(wanted) // 3):
                self.advance(self.now + DAY)
            plans = sorted(self.catalogs[name]["plans"])
            plan = plans[number % len(plans)]
            tenant = "own-prices" if number == len(wanted) - 1 else f"user-{number}"
            player = self.player(tenant, f"{name}-{plan}", ZONES[number % len(ZONES)])
            self.users.append((player, self.use_of(name, player)))
        for number, plan in enumerate(sorted(self.merged["plans"])):
            for zone in (ZONES[number % len(ZONES)], ZONES[(number + 3) % len(ZONES)]):
                name = f"idle-{len(self.idle)}"
                self.idle.append(self.player(name, plan, zone))

    # MARK: Playing

    def play(self):
        """Hour by hour. Stretches of use of some days are between stretches of rest of up to two months."""
        in_use, until = True, self.now + DAY
        month = None
        hour = self.now
        compared = self.now
        while hour + HOUR < END:
            hour += HOUR
            # Often on the quarter of an hour, where days and cycles begin; else anywhere within the hour.
            is_even = self.random.random() < 0.4
            self.advance(hour + (self.random.randrange(4) * 15 * MINUTE if is_even else self.random.randrange(HOUR)))
            if hour >= until:
                in_use = not in_use
                longest = 72 if in_use else self.random.choice([480, 480, 480, 480, 1_500])
                until = hour + self.random.randint(6, longest) * HOUR
            if in_use:
                checks = [self.act(*user, is_even) for user in self.users if self.random.random() < BUSY]
                for check in checks:
                    check()
            if calendar.text(hour)[:7] != month:
                month = calendar.text(hour)[:7]
                for player, _ in self.users:
                    player.compare(self.now, since=compared)
                compared = self.now
        self.advance(END)
        for player in [player for player, _ in self.users] + self.idle:
            player.compare(END)

    def act(self, player, use, is_even):
        """Has one tenant do something; returns what checks the answers."""
        player.book.advance(self.now)
        if is_even and self.random.random() < CHANGES / 0.4:
            change = use.change(self.now)
            if change is not None:
                player.do(self.now, change)
        again = None
        if player.answered and self.random.random() < AGAIN:
            again = self.random.randrange(len(player.answered))
            if player.answered[again][1].HasField("error") and player.answered[again][2] < self.now - DAY_OF_REFUSALS:
                again = None
        return player.play(self.now, use.steps(), again)


def start(binary, directory, name, catalog, begin=BEGIN):
    (directory / name).mkdir()
    server = Server(binary, directory / name, "--test-clock", calendar.text(begin), "--catalog", str(catalog))
    server.start()
    return server


def advance(clock, at):
    from tollgate.v1 import test_clock_pb2 as tc

    assert clock.AdvanceTime(tc.AdvanceTimeRequest(to=moment(at))).time.ToMicroseconds() == at


def book_of(client):
    """All that a tenant's book shows, but hashes."""
    entries = transactions(client, page_size=1_000)
    for entry in entries:
        entry.ClearField("hash")
    return entries, grants(client)


def assert_same_books(awake, asleep, tenants):
    for tenant in tenants:
        (entries, blocks), (others, other_blocks) = (book_of(s.client(tenant=tenant)) for s in (awake, asleep))
        for entry, other in zip(entries, others):
            assert entry == other, tenant
        assert len(entries) == len(others), tenant
        assert blocks == other_blocks, tenant


@pytest.mark.parametrize("number", range(5 if LONG else 1))
def test_three_years_are_those_of_the_model_awake_or_asleep(binary, tmp_path, seed, number):
    """Every answer, and each month all that is shown, is the model's; books that slept are equal to those awake."""
    servers = []
    try:
        whole = Pass(binary, tmp_path, seed + number)
        servers.append(whole.server)
        whole.create()
        whole.play()
        whole.server.verify()

        # The same calls at the same times on a server whose clock jumps over every stretch without use at once, and
        # which restarts in some of them.
        jumping = start(binary, tmp_path, "jumping", whole.path)
        servers.append(jumping)
        play_again(jumping, [call for player, _ in whole.users for call in player.calls], whole.random)
        assert_same_books(whole.server, jumping, [player.tenant for player, _ in whole.users])
        jumping.verify()

        # Tenants without any use, over all the years in one jump.
        asleep = start(binary, tmp_path, "asleep", whole.path)
        servers.append(asleep)
        play_again(asleep, [call for player in whole.idle for call in player.calls], whole.random)
        assert_same_books(whole.server, asleep, [player.tenant for player in whole.idle])
        asleep.verify()
    finally:
        for server in servers:
            server.end()


def play_again(server, calls, random):
    """Makes recorded calls, each at its time, and nothing in between; then goes to the end of the years."""
    admin, clients, now = server.client(), {}, BEGIN
    for at, group in itertools.groupby(sorted(calls, key=lambda call: call[0]), key=lambda call: call[0]):
        if at - now > 20 * DAY and random.random() < 0.2:
            # The server itself was down for weeks: it starts at the time of the next call.
            server.stop()
            server.options = ("--test-clock", calendar.text(at), *server.options[2:])
            server.restart()
            admin, clients = server.client(), {}
        elif at > now:
            advance(admin.clock, at)
        now, batches = at, []
        for _, tenant, service, method, request in group:
            if tenant not in clients:
                clients[tenant] = server.client(tenant=tenant)
            call = getattr((admin if service == "Admin" else clients[tenant]).stub(service), method)
            # One tenant's Batch is the last of its calls at a time; those of several may go at once.
            if method == "Batch":
                batches.append(call.future(request))
            else:
                call(request)
        for batch in batches:
            batch.result()
    advance(admin.clock, END)
