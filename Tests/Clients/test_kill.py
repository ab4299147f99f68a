"""Acknowledged means durable: kill -9 at random moments loses no answered step, does none twice and leaves none half-done."""

import json
import os
import random
import signal
import subprocess
import time

import pytest
from book import assert_adds_up
from load_clients import BatchClient, BulkClient, Governor, MeterClient, Reader, UnaryClient
from record import Record, assert_replayed
from support import CREDIT, DEADLINE_S, Server, new_id

ROUNDS = int(os.environ.get("TOLLGATE_ROUNDS") or 100)
# The long form begins so many servers anew: proofs read every book whole, which takes ever longer as these grow.
SERVERS = 10 if os.environ.get("TOLLGATE_LONG") else 1
TENANTS = ["kill-0", "kill-1", "kill-2"]
GRANTED = 100_000_000 * CREDIT
# The books are proven, and steps of earlier rounds done again, after so many rounds.
ROUNDS_PER_PROOF = 10
OLDER_STEPS = 200
# So long a server works before it is killed, seconds.
LOAD_S = (0.01, 0.3)
# In so many of the rounds the journal is filled until it is trimmed.
ROUNDS_PER_TRIM = 50
# It is trimmed before so many large steps, of some 4 KB each, were done: a bound in time would depend on the machine.
STEPS_PER_TRIM = 250_000
# Comments of a size that makes the journal begin segments.
LONG_COMMENT = "c" * 1_024


def catalog(version):
    """Prices and plans that the tests count on, and a price that nobody pays but that changes with each version."""
    return {
        "features": {
            "chat": {"units": {"context_tokens": {"micros": 1_000}, "generated_tokens": {"micros": 3_000}}},
            "unused": {"units": {"calls": {"micros": 1 + version}}}},
        "plans": {
            "first": {
                "sign_up": [{"micros": 70 * CREDIT}], "allowance": {"micros": 100 * CREDIT},
                "trial": {"days": 14, "micros": 30 * CREDIT}},
            "second": {"sign_up": [{"micros": 99 * CREDIT}], "allowance": {"micros": 250 * CREDIT}}}}


class Rounds:
    """A server that is killed over and over, and all that is known of it."""

    def __init__(self, binary, directory, seed):
        self.chance = random.Random(seed)
        self.directory = directory
        self.path = directory / "catalog.json"
        self.version = 0
        self.write_catalog()
        self.server = Server(binary, directory, "--catalog", str(self.path), "--grace-seconds", "1")
        self.records = {tenant: Record(tenant, self.chance) for tenant in TENANTS}
        self.governed = 0
        self.kills = dict.fromkeys(["load", "start", "stop", "reload", "trim", "backup"], 0)
        # A build that makes no backups is not asked for any.
        self.moments = {"load": 10, "start": 4, "stop": 4, "reload": 2}
        if "backup" in self.server.run("help").stdout:
            self.moments["backup"] = 1
        self.oldest_segment = None
        self.bulk = None
        self.trims = 0

    def write_catalog(self):
        self.version += 1
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(catalog(self.version)))
        new.rename(self.path)

    def begin(self):
        self.server.start()
        for tenant, record in self.records.items():
            self.server.tenant(tenant, credits=GRANTED // CREDIT)
            record.grant(GRANTED)

    # MARK: How it ends

    def kill(self, moment):
        """Ends the server while it works, or while it does what is named."""
        {"load": self.under_load, "start": self.under_load, "stop": self.while_it_stops,
         "reload": self.while_it_reloads, "trim": self.while_it_trims, "backup": self.while_it_is_copied}[moment]()
        self.kills["load" if moment == "start" else moment] += 1
        if moment == "start":
            self.while_it_starts()

    def wait_a_little(self, most_s):
        time.sleep(self.chance.uniform(0, most_s))

    def under_load(self):
        time.sleep(self.chance.uniform(*LOAD_S))
        self.server.kill()

    def while_it_stops(self):
        time.sleep(self.chance.uniform(*LOAD_S))
        self.server.process.send_signal(signal.SIGTERM)
        self.wait_a_little(0.3)
        self.server.kill()

    def while_it_reloads(self):
        time.sleep(self.chance.uniform(*LOAD_S))
        self.write_catalog()
        self.server.process.send_signal(signal.SIGHUP)
        self.wait_a_little(0.02)
        self.server.kill()

    def while_it_is_copied(self):
        """The server, and as often the backup too."""
        copying = subprocess.Popen(
            [self.server.binary, *self.backup], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_a_little(LOAD_S[1])
        self.server.kill()
        if self.chance.random() < 0.5:
            copying.kill()
        assert copying.wait(DEADLINE_S) in (0, 1, -signal.SIGKILL)

    @property
    def backup(self):
        return "backup", "--data", self.server.data, "--to", str(self.directory / "copy")

    def prove_backup(self, where):
        """It goes on where it was ended, beside the server, and what it has is whole."""
        for command in (self.backup, ("verify", "--backup", str(self.directory / "copy"))):
            done = self.server.run(*command)
            assert done.returncode == 0, f"{where}: {done.stdout}{done.stderr}"

    def while_it_trims(self):
        """Before the journal is trimmed the manifest of the shards is written, and after that a segment goes."""
        before = self.manifest()
        while self.manifest() == before:
            assert self.bulk.others < STEPS_PER_TRIM, "the journal is not trimmed"
            assert self.bulk.thread.is_alive(), self.bulk.failure
            time.sleep(0.000_5)
        self.wait_a_little(0.05)
        self.server.kill()

    def manifest(self):
        """How its file and its log look."""
        def look(path):
            found = os.stat(path) if os.path.exists(path) else None
            return found and (found.st_size, found.st_mtime_ns)
        return [look(f"{self.server.data}/shards/manifest.sqlite{part}") for part in ("", "-wal")]

    def while_it_starts(self):
        """Up to three times: it never gets to serve, or is killed as soon as it does."""
        for _ in range(self.chance.randint(1, 3)):
            with open(self.server.log_path, "ab") as log:
                process = subprocess.Popen(
                    [self.server.binary, "serve", "--data", self.server.data, "--listen", "127.0.0.1:0",
                     *self.server.options], stdout=subprocess.DEVNULL, stderr=log)
            self.wait_a_little(0.15)
            process.kill()
            assert process.wait(DEADLINE_S) == -signal.SIGKILL, self.server.log()
            self.kills["start"] += 1

    # MARK: One round

    def clients(self, number):
        """Those of one round: all kinds of calls, for all tenants."""
        made = []
        for n, kind in enumerate([UnaryClient] * 5 + [BatchClient] * 2 + [MeterClient] * 2 + [Reader] * 2):
            chance = random.Random(self.chance.random())
            tenant = TENANTS[n % len(TENANTS)]
            if kind is BatchClient:
                made.append(kind(self.server, tenant, chance, comment=LONG_COMMENT))
            else:
                made.append(kind(self.server, tenant, chance))
        made += [Governor(self.server, f"round-{number}-{n}", random.Random(self.chance.random())) for n in range(2)]
        return made

    def run(self, number, where):
        clients = self.clients(number)
        moment = self.chance.choices(list(self.moments), list(self.moments.values()))[0]
        if number % ROUNDS_PER_TRIM == ROUNDS_PER_TRIM - 1:
            moment = "trim"
            self.bulk = BulkClient(self.server, TENANTS[0], self.chance)
            clients.append(self.bulk)
        self.kill(moment)
        for client in clients:
            client.join(where)
        if number % ROUNDS_PER_PROOF == 0:
            self.server.verify()
        self.server.restart()
        self.check(clients, where)
        if moment == "backup":
            self.prove_backup(where)
        self.note_trims()

    def check(self, clients, where):
        looking = {tenant: self.server.client(tenant=tenant) for tenant in TENANTS}
        for client in clients:
            if isinstance(client, Governor):
                self.governed += client.check(self.server, where)
            else:
                client.check(looking[client.tenant], self.records[client.tenant], where)
        for tenant, record in self.records.items():
            record.assert_balance(looking[tenant], where)
            older = self.chance.sample(record.kept, min(OLDER_STEPS, len(record.kept)))
            assert_replayed(looking[tenant], older, where)

    def note_trims(self):
        oldest = min(name for name in os.listdir(f"{self.server.data}/journal") if name.endswith(".seg"))
        if self.oldest_segment not in (None, oldest):
            self.trims += 1
        self.oldest_segment = oldest

    def end(self):
        """All that was ever answered is in the books, once, and nothing else."""
        for tenant, record in self.records.items():
            client = self.server.client(tenant=tenant)
            assert_replayed(client, record.kept, "at the end")
            assert len(assert_adds_up(client)) == record.done, tenant
        self.server.verify()
        assert self.server.stop() == 0
        self.server.verify()

    def summary(self, rounds):
        steps = sum(record.steps + record.refusals for record in self.records.values())
        doubtful = sum(record.doubtful for record in self.records.values())
        lost = sum(record.lost for record in self.records.values())
        kinds = ", ".join(f"{count:,} during {name}" for name, count in self.kills.items() if count)
        return (f"kill -9: {rounds:,} rounds ({kinds}), {steps - doubtful:,} acknowledged steps, {doubtful:,} in doubt "
                f"({lost:,} of them not done), {self.governed:,} changes of tenants, members, keys and settings, "
                f"{self.trims:,} trims of the journal, {self.version:,} catalogs")


@pytest.mark.parametrize("nth", range(SERVERS))
def test_no_answered_step_is_lost_or_done_twice(binary, tmp_path, seed, covered, nth):
    rounds = Rounds(binary, tmp_path, seed + nth)
    try:
        rounds.begin()
        for number in range(ROUNDS):
            rounds.run(number, f"seed {seed + nth}, round {number}")
        rounds.end()
        covered(rounds.summary(ROUNDS))
    except BaseException:
        print("\n".join(rounds.server.log().splitlines()[-40:]))
        # Its clients still call, and a channel that is closed under a call takes this process with it.
        rounds.server.kill()
        raise
    rounds.server.end()
