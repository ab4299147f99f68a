"""Copies of a server's data: taken beside it, brought up to date, and restored; and a damaged book healed beside it."""

import json
import os
import pathlib
import random
import signal
import subprocess
import time

import grpc
import pytest
from book import assert_adds_up, transactions
from grpc import StatusCode
from probes import wait_until
from small_disk import ImageDisk, MemoryDisk, mounted
from support import CREDIT, Background, Server, new_id, refused

TENANTS = ["copy-0", "copy-1", "copy-2"]
GRANTED = 1_000_000
STEPS_PER_BATCH = 50
# The grant, and the price of the feature.
OTHER_ENTRIES = 2
# Of the disk of a backup, and what copies find free there: nothing, less than they write at once, and enough for a part.
TARGET_BYTES = 64 << 20
ROOMS = [0, 4 << 10, 32 << 10, 128 << 10]


class Load(Background):
    """Charges in batches, and keeps what was acknowledged, with the moment before it was sent and after it was answered."""

    def __init__(self, server, tenant):
        self.tenant = tenant
        self.client = server.client(tenant=tenant)
        self.acknowledged = []
        super().__init__()

    def work(self):
        from tollgate.v1 import metering_pb2 as m

        while not self.ends.is_set():
            charges = [
                m.ChargeRequest(reservation_id=new_id(), feature="chat", quantities={"context_tokens": 10},
                                actor=f"user-{n % 5}") for n in range(STEPS_PER_BATCH)]
            results = self.client.metering.Batch(m.BatchRequest(steps=[m.Step(charge=c) for c in charges])).results
            assert all(result.WhichOneof("kind") == "charge" for result in results), results
            self.acknowledged += [(charge, result.charge) for charge, result in zip(charges, results)]


def backup(server, target, *options):
    done = server.run("backup", "--data", server.data, "--to", str(target), "--json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def prove(server, target):
    done = server.run("verify", "--backup", str(target), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def restore(server, target, data, *options):
    done = server.run("restore", "--from", str(target), "--to", str(data), "--json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def entries_of(client):
    """The book of a tenant as its callers see it, the oldest first."""
    return [entry.SerializeToString() for entry in reversed(transactions(client))]


def credits_of(client):
    """The balance, but for the moment at which it was asked for."""
    balance = client.balance()
    balance.ClearField("as_of")
    return balance


@pytest.fixture
def restored(binary, tmp_path):
    """restored(data, server): a server on a data directory that was restored, with the keys of the one it came from."""
    servers = []

    def begin(data, server):
        directory = tmp_path / f"restored-{len(servers)}"
        directory.mkdir()
        other = Server(binary, directory, data=data)
        other.key = server.key
        servers.append(other)
        other.start()
        return other

    yield begin
    for server in servers:
        server.end()


def assert_replayed(client, acknowledged):
    """Every step is answered as it was the first time, to the letter."""
    from tollgate.v1 import metering_pb2 as m

    for start in range(0, len(acknowledged), 500):
        part = acknowledged[start:start + 500]
        results = client.metering.Batch(m.BatchRequest(steps=[m.Step(charge=c) for c, _ in part])).results
        for (charge, answer), result in zip(part, results):
            assert result.charge.replayed, f"{charge.reservation_id} was lost"
            result.charge.replayed = False
            assert result.charge == answer


def test_a_copy_taken_under_load_has_what_was_answered_before_and_is_whole(server, tmp_path, restored, covered):
    for tenant in TENANTS:
        server.tenant(tenant, credits=GRANTED)
    target = tmp_path / "copies"
    loads = [Load(server, tenant) for tenant in TENANTS]
    runs, new, known = 0, 0, []
    for _ in range(6):
        time.sleep(0.15)
        known = [(load, len(load.acknowledged)) for load in loads]
        report = backup(server, target)
        assert report["ok"] and report["tenants"] == len(TENANTS)
        assert report["newEntries"] > 0
        runs, new = runs + 1, new + report["newEntries"]
    for load in loads:
        load.stop()
    assert report["entries"] == new, "a run copies what is new and nothing else"
    proof = prove(server, target)
    assert sum(book["entries"] for book in proof["books"]) == report["entries"]

    # A server on the copy answers every step that was answered before the copy began as the first one did.
    restore(server, target, tmp_path / "again")
    other = restored(tmp_path / "again", server)
    for load, count in known:
        client = other.client(tenant=load.tenant)
        there = entries_of(client)
        assert there == entries_of(server.client(tenant=load.tenant))[:len(there)], "the copy is a beginning of the book"
        assert len(there) >= count + 1
        assert_replayed(client, load.acknowledged[:count])
        assert_adds_up(client)
    other.verify()

    # With nothing new a run costs one look at each book; of the newest state a restore makes the same balances.
    server.stop()
    assert backup(server, target)["entries"] == sum(len(load.acknowledged) + OTHER_ENTRIES for load in loads)
    assert backup(server, target)["newEntries"] == 0
    restore(server, target, tmp_path / "newest")
    server.restart()
    newest = restored(tmp_path / "newest", server)
    for load in loads:
        client = newest.client(tenant=load.tenant)
        assert entries_of(client) == entries_of(server.client(tenant=load.tenant))
        assert credits_of(client) == credits_of(server.client(tenant=load.tenant))
        assert_replayed(client, load.acknowledged)
    newest.verify()
    steps = sum(len(load.acknowledged) for load in loads)
    covered(f"backup: {runs} copies beside a server under load, {steps} steps, each answered to the letter after a restore")


def test_a_copy_that_is_killed_goes_on_where_it_was(server, tmp_path, seed, covered):
    chance = random.Random(seed)
    for tenant in TENANTS:
        server.tenant(tenant, credits=GRANTED)
    target = tmp_path / "copies"
    killed = 0
    load = [Load(server, tenant) for tenant in TENANTS]
    for _ in range(12):
        process = subprocess.Popen(
            [server.binary, "backup", "--data", server.data, "--to", str(target)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    for one in load:
        one.stop()
    report = backup(server, target)
    assert report["entries"] == sum(len(one.acknowledged) + OTHER_ENTRIES for one in load)
    prove(server, target)
    covered(f"backup: {killed} copies killed, then one that went on")


def test_books_are_restored_to_a_moment_and_one_by_one(serve, tmp_path, restored):
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import metering_pb2 as m
    from tollgate.v1 import test_clock_pb2 as t

    server = serve(at="2026-11-20T09:00:00Z")
    moments = []
    for tenant in TENANTS[:2]:
        server.tenant(tenant, credits=100)
    for hour in range(4):
        for tenant in TENANTS[:2]:
            server.client(tenant=tenant).metering.Charge(
                m.ChargeRequest(reservation_id=new_id(), amount_micros=(hour + 1) * CREDIT))
        moments.append({tenant: entries_of(server.client(tenant=tenant)) for tenant in TENANTS[:2]})
        request = t.AdvanceTimeRequest()
        request.duration.FromSeconds(3_600)
        server.client().clock.AdvanceTime(request)
    server.tenant(TENANTS[2], credits=7)
    key = server.new_key("service", TENANTS[0])
    member = a.SetMemberRequest(tenant_id=TENANTS[0], member_id="ann", role="owner")
    server.client().admin.SetMember(member)
    target = tmp_path / "copies"
    backup(server, target)
    for hour, books in enumerate(moments):
        data = tmp_path / f"at-{hour}"
        report = restore(server, target, data, "--until", f"2026-11-20T{9 + hour:02}:59:59Z")
        assert report["tenants"] == 2, "a tenant that was made later is not there"
        other = restored(data, server)
        for tenant, book in books.items():
            assert entries_of(other.client(tenant=tenant)) == book
        with refused(StatusCode.NOT_FOUND, "TENANT_NOT_FOUND"):
            other.client(tenant=TENANTS[2]).balance()
        # Keys and members are as of the backup.
        assert other.client(key=key.key).balance().available_micros < 100 * CREDIT
        assert [x.member_id for x in other.client().admin.ListMembers(a.ListMembersRequest(tenant_id=TENANTS[0])).members] == ["ann"]
        other.verify()
        other.stop()
    # The one that went back does not continue the copy; in a generation of its own it does.
    other.restart()
    other.client(tenant=TENANTS[0]).metering.Charge(m.ChargeRequest(reservation_id=new_id(), amount_micros=1))
    done = server.run("backup", "--data", str(data), "--to", str(target))
    assert done.returncode == 1 and "--new-generation" in done.stderr, done.stderr
    done = server.run("backup", "--data", str(data), "--to", str(target), "--new-generation", "--json")
    assert json.loads(done.stdout)["generation"] == 2
    prove(server, target)
    assert server.run("verify", "--backup", str(target), "--generation", "1").returncode == 0

    restore(server, target, tmp_path / "one", "--tenant", TENANTS[2], "--generation", "1")
    one = restored(tmp_path / "one", server)
    assert one.client(tenant=TENANTS[2]).balance().available_micros == 7 * CREDIT
    done = server.run("restore", "--from", str(target), "--to", str(tmp_path / "one"))
    assert done.returncode == 1 and "not empty" in done.stderr


def shard_of(server, tenant):
    return next(pathlib.Path(server.data, "shards").glob(f"*/{tenant}.sqlite"))


def test_a_damaged_book_is_healed_while_the_others_are_served(server, tmp_path, covered):
    for tenant in TENANTS:
        server.tenant(tenant, credits=GRANTED)
    damaged, *others = TENANTS
    target = tmp_path / "copies"
    first = Load(server, damaged)
    wait_until(lambda: len(first.acknowledged) > 500, "some steps")
    backup(server, target)
    wait_until(lambda: len(first.acknowledged) > 1_500, "more steps")
    first.stop()
    server.stop()
    shard = shard_of(server, damaged)
    for part in ("-wal", "-shm"):
        pathlib.Path(str(shard) + part).unlink(missing_ok=True)
    whole = shard.read_bytes()
    # The header stays, so that the damage is met with only where it is looked at.
    shard.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    server.restart()
    loads = [Load(server, tenant) for tenant in others]
    client = server.client(tenant=damaged)
    for _ in range(3):
        with pytest.raises(grpc.RpcError) as caught:
            client.balance()
        assert caught.value.code() == StatusCode.DATA_LOSS
        assert server.data not in caught.value.details()
    assert not shard.exists()
    asides = [path for path in shard.parent.glob(f"{damaged}.sqlite.damaged-*") if path.suffix[-1].isdigit()]
    assert len(asides) == 1 and asides[0].read_bytes()[4096:8192] != whole[4096:8192]
    assert f"tollgate restore --tenant {damaged}" in server.log() and str(asides[0]) in server.log()
    done = server.run("verify", "--data", server.data)
    assert done.returncode == 1 and damaged in done.stderr

    done = server.run("restore", "--tenant", damaged, "--from", str(target), "--data", server.data, "--json")
    if done.returncode != 0:
        # The journal was trimmed behind what the shard had held; what is missing is said to the number.
        assert "not restored" in done.stderr, done.stderr
        asides[0].write_bytes(whole)
        done = server.run("restore", "--tenant", damaged, "--from", str(target), "--data", server.data, "--json")
    report = json.loads(done.stdout)
    assert report["ok"] and not report["inPlace"], done.stderr
    assert report["entries"] == len(first.acknowledged) + OTHER_ENTRIES
    assert_replayed(client, first.acknowledged)
    assert_adds_up(client)
    for load in loads:
        # The others were served all the time.
        load.stop()
        assert len(load.acknowledged) > 0
    assert "a restored book is in its place" in server.log()
    server.verify()
    server.kill()
    server.restart()
    assert_replayed(server.client(tenant=damaged), first.acknowledged)
    covered(
        f"backup: a damaged book of {report['entries']} entries healed ({report['fromBackup']} of the copy, "
        f"{report['fromFile']} of the file, {report['fromJournal']} of the journal) while others took "
        f"{sum(len(load.acknowledged) for load in loads)} steps")


@pytest.fixture(params=[MemoryDisk, ImageDisk], ids=["tmpfs", "ext4"])
def small_disk(request, tmp_path):
    with mounted(request.param, tmp_path / "small", TARGET_BYTES) as disk:
        yield disk


def backup_without_room(server, target):
    done = server.run("backup", "--data", server.data, "--to", str(target))
    assert done.returncode == 1 and not done.stdout, done.stdout + done.stderr
    assert f" {target}" in done.stderr and "No space left on device; make room on the disk" in done.stderr, done.stderr
    assert "by itself" not in done.stderr and "the same command then goes on" in done.stderr, done.stderr


def go_on(loads, steps=STEPS_PER_BATCH):
    """Waits until each took so many steps more, or says why it does not."""
    goals = [(load, len(load.acknowledged) + steps) for load in loads]
    wait_until(lambda: all(load.failure or len(load.acknowledged) >= goal for load, goal in goals), "the server takes steps")
    assert [load.failure for load in loads] == [None] * len(loads)


def test_a_full_target_loses_nothing_of_the_last_copy_and_stops_no_server(server, tmp_path, small_disk, covered):
    target = small_disk.path / "copies"
    for tenant in TENANTS:
        server.tenant(tenant, credits=GRANTED)
    loads = [Load(server, tenant) for tenant in TENANTS]
    go_on(loads, 10 * STEPS_PER_BATCH)
    first = backup(server, target)
    entry_bytes = first["newBytes"] // first["newEntries"]
    whole = prove(server, target)
    for room in ROOMS:
        small_disk.fill(leaving=room)
        # One of them alone is more than there is room for.
        go_on(loads, room // entry_bytes + STEPS_PER_BATCH)
        backup_without_room(server, target)
        go_on(loads)
        assert prove(server, target) == whole
    restore(server, target, tmp_path / "meanwhile")

    small_disk.make_room()
    known = sum(len(load.acknowledged) for load in loads)
    assert backup(server, target)["entries"] >= known
    prove(server, target)
    for load in loads:
        load.stop()
    steps = sum(len(load.acknowledged) for load in loads)
    assert backup(server, target)["entries"] == steps + len(TENANTS) * OTHER_ENTRIES
    prove(server, target)
    server.verify()
    covered(f"backup: {len(ROOMS)} copies to a full disk beside a server that took {steps} steps, then one that went on")


def test_a_first_copy_that_finds_no_room_begins_again_when_there_is(server, small_disk):
    target = small_disk.path / "copies"
    server.tenant(TENANTS[0], credits=GRANTED)
    load = Load(server, TENANTS[0])
    small_disk.fill()
    for _ in range(2):
        go_on([load], 10 * STEPS_PER_BATCH)
        backup_without_room(server, target)
        assert server.run("verify", "--backup", str(target)).returncode == 1
    small_disk.make_room()
    load.stop()
    assert backup(server, target)["entries"] == len(load.acknowledged) + OTHER_ENTRIES
    prove(server, target)
