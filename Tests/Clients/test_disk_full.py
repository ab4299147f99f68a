"""A disk that takes nothing more: steps are refused, none is lost or half-done, and it is over when the disk is."""

import os
import subprocess

import grpc
import pytest
from book import assert_adds_up, transactions
from grpc import StatusCode
from probes import health, health_watch, healthz, wait_until
from support import CREDIT, Server, details, new_id, refused

# Room for two segments of the journal, 64 MiB each, and for the shard that is written behind.
DISK_BYTES = 1 << 30
STEPS_PER_BATCH = 500
# Labels make a step large, some 4 KiB, so that few steps fill a segment.
LABELS = {f"label-{n}": "x" * 256 for n in range(16)}
# So many batches write more than a journal sets aside in advance.
MAX_BATCHES = (256 << 20) // (STEPS_PER_BATCH * 4_096)


class Disk:
    """A small file system of its own, whose size and kind a test changes."""

    def __init__(self, path):
        self.path = path
        self.mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tollgate-test")

    def mount(self, *arguments):
        subprocess.run(["mount", *arguments, str(self.path)], check=True)

    def fill(self):
        """Leaves no room: the file system ends where its files end."""
        used = os.statvfs(self.path)
        self.mount("-o", f"remount,size={(used.f_blocks - used.f_bfree) * used.f_frsize}")

    def make_room(self):
        self.mount("-o", f"remount,size={DISK_BYTES}")

    def take_no_new_files(self):
        inodes = os.statvfs(self.path)
        self.inodes = inodes.f_files
        self.mount("-o", f"remount,nr_inodes={inodes.f_files - inodes.f_ffree}")

    def take_new_files(self):
        self.mount("-o", f"remount,nr_inodes={self.inodes}")


@pytest.fixture
def disk(tmp_path):
    assert os.getuid() == 0, "run as root: the test mounts a small file system"
    path = tmp_path / "disk"
    path.mkdir()
    yield Disk(path)
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def server(binary, tmp_path, disk):
    server = Server(binary, tmp_path, data=disk.path / "data")
    try:
        server.start()
        yield server
    finally:
        server.end()


def charge_until_refused(client):
    """Charges in batches until one is refused. Returns the charges that were acknowledged and those that were not."""
    from tollgate.v1 import metering_pb2 as m

    acknowledged = []
    for _ in range(MAX_BATCHES):
        charges = [
            m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT, labels=LABELS)
            for _ in range(STEPS_PER_BATCH)]
        try:
            results = client.metering.Batch(m.BatchRequest(steps=[m.Step(charge=c) for c in charges])).results
        except grpc.RpcError as error:
            assert error.code() == StatusCode.UNAVAILABLE, error
            return acknowledged, charges
        failed = []
        for charge, result in zip(charges, results):
            if result.WhichOneof("kind") == "charge":
                acknowledged.append(charge)
            else:
                assert result.error.code == StatusCode.UNAVAILABLE.value[0], result.error
                failed.append(charge)
        if failed:
            return acknowledged, failed
    raise AssertionError("the disk never got full")


def charged_at_last(client, charge):
    """Sends a charge until it is answered, as a client does on UNAVAILABLE."""
    def send():
        try:
            return client.metering.Charge(charge)
        except grpc.RpcError as error:
            assert error.code() == StatusCode.UNAVAILABLE, error
            return None
    return wait_until(send, "the server takes steps again")


def test_steps_are_refused_while_the_disk_is_full_and_none_is_lost(server, disk):
    from tollgate.v1 import admin_pb2 as a

    client = server.tenant("acme", credits=1_000_000)
    # A report brings the shard into being; a book that has none yet cannot be looked at again before there is room.
    assert len(transactions(client)) == 1
    assert healthz(server.address) == (200, "ok\n")
    with health_watch(server.address) as states:
        assert next(states) == "SERVING"
        disk.fill()
        acknowledged, failed = charge_until_refused(client)
        assert next(states) == "NOT_SERVING"

        # It says why, to callers, to probes and in its log.
        with pytest.raises(grpc.RpcError) as caught:
            client.metering.Charge(failed[0])
        assert caught.value.code() == StatusCode.UNAVAILABLE
        assert details(caught.value)[0].reason == "STORAGE_UNAVAILABLE"
        assert server.data not in caught.value.details()
        assert {health(server.address, name) for name in ("", "tollgate.v1.Metering")} == {"NOT_SERVING"}
        status, body = healthz(server.address)
        assert status == 503 and "No space left" in body
        assert "steps are refused" in server.log() and "No space left" in server.log()
        with refused(StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"):
            client.admin.CreateTenant(a.CreateTenantRequest(tenant_id="another"))
        # What was acknowledged is there, and nothing else.
        assert client.balance().available_micros == (1_000_000 - len(acknowledged)) * CREDIT

        disk.make_room()
        for charge in failed:
            assert not charged_at_last(client, charge).replayed
        assert next(states) == "SERVING"
    assert healthz(server.address)[0] == 200
    spent = len(acknowledged) + len(failed)
    assert client.balance().available_micros == (1_000_000 - spent) * CREDIT
    client.admin.CreateTenant(a.CreateTenantRequest(tenant_id="another"))
    server.verify()

    server.kill()
    server.verify()
    server.restart()
    client = server.client(tenant="acme")
    entries = assert_adds_up(client)
    assert {e.reservation_id for e in entries if e.reservation_id} == {c.reservation_id for c in acknowledged + failed}
    for charge in [*acknowledged[::500], *failed[::100]]:
        assert client.metering.Charge(charge).replayed


def test_a_crash_on_a_full_disk_loses_nothing(server, disk):
    client = server.tenant("acme", credits=1_000_000)
    disk.fill()
    acknowledged, failed = charge_until_refused(client)
    server.kill()
    disk.make_room()
    server.verify()
    server.restart()
    client = server.client(tenant="acme")
    kept = {entry.reservation_id for entry in assert_adds_up(client) if entry.reservation_id}
    assert kept == {charge.reservation_id for charge in acknowledged}
    assert not client.metering.Charge(failed[0]).replayed
    server.verify()


def test_a_directory_that_is_read_only_is_not_served(server, disk):
    """Root may write where permissions forbid it, so the file system itself is made read-only."""
    server.tenant("acme", credits=5)
    assert server.stop() == 0
    disk.mount("-o", "remount,ro")
    done = server.run("serve", "--data", server.data, "--listen", "127.0.0.1:0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and server.data in done.stderr and "Read-only" in done.stderr, done.stderr
    disk.mount("-o", "remount,rw")
    server.restart()
    assert server.client(tenant="acme").balance().available_micros == 5 * CREDIT


def test_a_directory_that_takes_no_new_files_refuses_steps_until_it_does(server, disk):
    """As a directory whose permissions were taken away: what is open goes on, but no new segment can begin."""
    client = server.tenant("acme", credits=1_000_000)
    disk.take_no_new_files()
    acknowledged, failed = charge_until_refused(client)
    status, body = healthz(server.address)
    assert status == 503 and body.strip() != "not serving:"
    disk.take_new_files()
    assert not charged_at_last(client, failed[0]).replayed
    wait_until(lambda: healthz(server.address)[0] == 200, "it serves again")
    server.kill()
    server.verify()
    server.restart()
    kept = {e.reservation_id for e in assert_adds_up(server.client(tenant="acme")) if e.reservation_id}
    assert kept == {charge.reservation_id for charge in [*acknowledged, failed[0]]}
