"""A disk that takes nothing more: steps are refused, none is lost or half-done, and it is over when the disk is."""

import random

import grpc
import pytest
from book import assert_adds_up, transactions
from grpc import StatusCode
from organisation import Org
from probes import health, health_watch, healthz, wait_until
from record import Record, answer_of, settle, wrapped
from small_disk import ImageDisk, MemoryDisk, mounted
from support import CREDIT, Server, details, new_id, refused

# Room for two segments of the journal, 64 MiB each, and for the shard that is written behind.
DISK_BYTES = 1 << 30
GRANTED = 1_000_000
STEPS_PER_BATCH = 500
# Labels make a step large, some 4 KiB, so that few steps fill a segment.
LABELS = {f"label-{n}": "x" * 256 for n in range(16)}
# So many batches write more than a journal sets aside in advance.
MAX_BATCHES = (256 << 20) // (STEPS_PER_BATCH * 4_096)
# So many tenants are more than fit what the directory's file has set aside.
MAX_TENANTS = 20_000


@pytest.fixture(params=[MemoryDisk, ImageDisk], ids=["tmpfs", "ext4"])
def disk(request, tmp_path):
    with mounted(request.param, tmp_path / "disk", DISK_BYTES) as disk:
        yield disk


only_tmpfs = pytest.mark.parametrize("disk", [MemoryDisk], indirect=True, ids=["tmpfs"])
only_ext4 = pytest.mark.parametrize("disk", [ImageDisk], indirect=True, ids=["ext4"])


@pytest.fixture
def server(binary, tmp_path, disk):
    server = Server(binary, tmp_path, data=disk.path / "data")
    try:
        server.start()
        yield server
    finally:
        server.end()


class Book:
    """A tenant, what is known of its steps, and whether its book is so."""

    def __init__(self, server, tenant="acme"):
        self.server, self.tenant = server, tenant
        # One connection for all that it asks.
        self.client = server.tenant(tenant, credits=GRANTED)
        self.record = Record(tenant, random.Random(0))
        self.record.grant(GRANTED * CREDIT)
        self.acknowledged, self.in_doubt = [], []

    def reopen(self):
        """A new connection, as after the server was away."""
        self.client = self.server.client(tenant=self.tenant)

    def charge(self, count=1, labels=None):
        """Charges in one call. False where it was refused."""
        from tollgate.v1 import metering_pb2 as m

        steps = [
            wrapped("Charge", m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT, labels=labels))
            for _ in range(count)]
        try:
            results = self.client.metering.Batch(m.BatchRequest(steps=steps)).results
        except grpc.RpcError as error:
            assert error.code() == StatusCode.UNAVAILABLE, error
            self.in_doubt += steps
            return False
        for step, result in zip(steps, results, strict=True):
            if result.WhichOneof("kind") == "charge":
                self.acknowledged.append((step, answer_of(result)[0]))
            else:
                assert result.error.code == StatusCode.UNAVAILABLE.value[0], result.error
                self.in_doubt.append(step)
        return not self.in_doubt

    def charge_until_refused(self):
        for _ in range(MAX_BATCHES):
            if not self.charge(STEPS_PER_BATCH, LABELS):
                return
        raise AssertionError("the disk never got full")

    @property
    def acknowledged_micros(self):
        return self.record.available_micros - len(self.acknowledged) * CREDIT

    def prove(self, where):
        """All that was acknowledged is there, what was refused is done by whoever sends it again, and nothing else is."""
        settle(self.client, self.acknowledged, self.in_doubt, self.record, where)
        self.acknowledged, self.in_doubt = [], []
        self.record.assert_balance(self.client, where)
        assert len(assert_adds_up(self.client)) == self.record.done, where

    def prove_refused(self, where):
        """As `prove`; and what was refused had not been done."""
        self.prove(where)
        assert self.record.lost == self.record.doubtful, f"{where}: a step was refused and done"


def healthy(server):
    return wait_until(lambda: healthz(server.address) == (200, "ok\n"), "the server takes steps again")


def survive_a_crash(server, *books):
    server.kill()
    server.verify()
    server.restart()
    for book in books:
        book.reopen()
        assert book.charge()
        book.prove("after a crash")


def test_steps_are_refused_while_the_disk_is_full_and_none_is_lost(server, disk, covered):
    from tollgate.v1 import admin_pb2 as a

    book = Book(server)
    # A report brings the shard into being; a book that has none yet cannot be looked at again before there is room.
    assert len(transactions(book.client)) == 1
    assert healthz(server.address) == (200, "ok\n")
    with health_watch(server.address) as states:
        assert next(states) == "SERVING"
        disk.fill()
        book.charge_until_refused()
        acknowledged = len(book.acknowledged)
        assert next(states) == "NOT_SERVING"

        # It says why, to callers, to probes and in its log.
        with pytest.raises(grpc.RpcError) as caught:
            book.client.metering.Charge(book.in_doubt[0].charge)
        assert caught.value.code() == StatusCode.UNAVAILABLE
        assert details(caught.value)[0].reason == "STORAGE_UNAVAILABLE"
        assert server.data not in caught.value.details()
        assert {health(server.address, name) for name in ("", "tollgate.v1.Metering")} == {"NOT_SERVING"}
        status, body = healthz(server.address)
        assert status == 503 and "No space left" in body
        assert "steps are refused" in server.log() and "No space left" in server.log()
        with refused(StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"):
            book.client.admin.CreateTenant(a.CreateTenantRequest(tenant_id="another"))
        # What was acknowledged is there, and nothing else.
        assert book.client.balance().available_micros == book.acknowledged_micros

        disk.make_room()
        assert next(states) == "SERVING"
    healthy(server)
    book.prove_refused("after the disk had room again")
    book.client.admin.CreateTenant(a.CreateTenantRequest(tenant_id="another"))
    server.verify()
    survive_a_crash(server, book)
    covered(f"disk full: {'ext4' if isinstance(disk, ImageDisk) else 'tmpfs'}: {acknowledged:,} steps acknowledged, then "
            f"{STEPS_PER_BATCH} refused and done later")


def test_a_crash_on_a_full_disk_loses_nothing(server, disk):
    book = Book(server)
    disk.fill()
    book.charge_until_refused()
    server.kill()
    disk.make_room()
    server.verify()
    server.restart()
    book.reopen()
    book.prove_refused("after a crash")
    server.verify()


def test_a_server_that_starts_on_a_full_disk_lets_the_books_be_read(server, disk):
    book = Book(server)
    assert book.charge(10)
    assert len(transactions(book.client)) == 11
    server.kill()
    disk.fill()
    server.restart()
    book.reopen()
    assert book.client.balance().available_micros == book.acknowledged_micros
    book.charge_until_refused()
    disk.make_room()
    healthy(server)
    book.prove_refused("after the disk had room again")
    server.verify()


def test_steps_go_on_while_only_the_journal_has_room(server, disk):
    """The journal's room is set aside; the shards ask for theirs as they grow."""
    first, fresh = Book(server), Book(server, "fresh")
    assert len(transactions(first.client)) == 1
    disk.fill()
    for _ in range(20):
        assert first.charge(10) and fresh.charge(10)
    wait_until(lambda: "shards cannot be written" in server.log(), "the log says that the shards are behind")
    for book in (first, fresh):
        assert book.client.balance().available_micros == book.acknowledged_micros
    # It has no file yet, and there is no room for one.
    with refused(StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"):
        transactions(fresh.client)
    assert healthz(server.address)[0] == 200
    disk.make_room()
    wait_until(lambda: "shards are written again" in server.log(), "the shards are written again")
    for book in (first, fresh):
        book.prove_refused("after the disk had room again")
    survive_a_crash(server, first, fresh)


def test_changes_of_tenants_and_keys_are_refused_whole_while_the_disk_is_full(server, disk):
    from tollgate.v1 import admin_pb2 as a

    admin = server.client().admin
    disk.fill()
    made, failed = [], None
    for n in range(MAX_TENANTS):
        try:
            admin.CreateTenant(a.CreateTenantRequest(tenant_id=f"tenant-{n}", display_name="x" * 256))
        except grpc.RpcError as error:
            assert error.code() == StatusCode.UNAVAILABLE and details(error)[0].reason == "STORAGE_UNAVAILABLE", error
            failed = f"tenant-{n}"
            break
        made.append(f"tenant-{n}")
    assert failed, "the directory never got full"
    with refused(StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"):
        server.new_key("service", made[0] if made else "")

    def tenants():
        from book import pages

        listed = pages(server.client().admin.ListTenants, a.ListTenantsRequest(page_size=1_000), "tenants")
        return sorted(tenant.tenant_id for tenant in listed)

    assert tenants() == sorted(made)
    server.kill()
    disk.make_room()
    server.verify()
    server.restart()
    assert tenants() == sorted(made)
    org = Org.create(server, failed)
    org.set_member("mo", "member")
    assert server.new_key("service", failed).key
    server.verify()


@only_tmpfs
def test_a_directory_that_takes_no_new_files_refuses_steps_until_it_does(server, disk):
    """What is open goes on, but no new segment can begin."""
    book = Book(server)
    disk.take_no_new_files()
    book.charge_until_refused()
    status, body = healthz(server.address)
    assert status == 503 and body.strip() != "not serving:"
    disk.take_new_files()
    healthy(server)
    server.kill()
    server.verify()
    server.restart()
    book.reopen()
    book.prove_refused("after a crash")


@only_ext4
def test_a_disk_that_failed_takes_nothing_and_has_lost_nothing_when_it_is_repaired(server, disk):
    book = Book(server)
    assert book.charge(10) and len(transactions(book.client)) == 11
    disk.fail()
    book.charge_until_refused()
    status, body = healthz(server.address)
    assert status == 503 and "after a fault of the disk" in body, body
    with refused(StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"):
        book.client.metering.Charge(book.in_doubt[0].charge)
    assert book.client.balance().available_micros == book.acknowledged_micros
    server.kill()
    disk.repair()
    server.verify()
    server.restart()
    book.reopen()
    book.prove_refused("after the disk was repaired")
    survive_a_crash(server, book)
