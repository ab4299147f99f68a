"""A manifest of the shards that is damaged or gone: the server does not start and says what to do, and the repair gives it back
every book that is there, and never an empty one for a book that is not."""

import json
import pathlib

import pytest
from grpc import StatusCode
from probes import wait_until
from support import CREDIT, DEADLINE_S, Background, new_id, refused

TENANTS = ["mended-0", "mended-1"]
# Its book is in its shard alone: the journal begins behind it.
IDLE = "mended-idle"
GRANTED = 1_000_000
COMMENT = "x" * 500
COMMAND = "`tollgate repair manifest --data DIR`"


class Load(Background):
    """Charges with long comments, so that the journal grows, and keeps how many there were."""

    def __init__(self, server, tenant):
        self.client = server.client(tenant=tenant)
        self.charges = 0
        super().__init__()

    def work(self):
        from tollgate.v1 import metering_pb2 as m

        while not self.ends.is_set():
            steps = [
                m.Step(charge=m.ChargeRequest(reservation_id=new_id(), amount_micros=7, comment=COMMENT))
                for _ in range(200)]
            for result in self.client.metering.Batch(m.BatchRequest(steps=steps)).results:
                assert result.WhichOneof("kind") == "charge", result
                self.charges += 1


def segments(server):
    return sorted(path.name for path in pathlib.Path(server.data, "journal").glob("*.seg"))


def balances(server):
    return {name: server.client(tenant=name).balance().available_micros for name in [*TENANTS, IDLE]}


def manifest(server):
    return pathlib.Path(server.data, "shards", "manifest.sqlite")


def shard(server, tenant):
    return next(pathlib.Path(server.data, "shards").glob(f"*/{tenant}.sqlite"))


def remove(path):
    for part in ("", "-wal", "-shm"):
        pathlib.Path(str(path) + part).unlink(missing_ok=True)


def repair(server, *options):
    return server.run("repair", "manifest", "--data", server.data, *options)


def assert_no_start(server, *parts):
    done = server.run("serve", "--data", server.data, "--listen", "127.0.0.1:0", timeout=DEADLINE_S)
    assert done.returncode == 1 and done.stderr.startswith("tollgate: "), done.stderr
    for part in (str(manifest(server)), COMMAND, *parts):
        assert part in done.stderr


@pytest.fixture
def stopped(server):
    """A stopped server whose journal was trimmed, and the balances that it had."""
    for name in [IDLE, *TENANTS]:
        server.tenant(name, credits=GRANTED)
    loads = [Load(server, name) for name in TENANTS]
    wait_until(lambda: len(segments(server)) > 1, "a second segment")
    for load in loads:
        load.stop()
    had = balances(server)
    assert had == {IDLE: GRANTED * CREDIT, **{
        name: GRANTED * CREDIT - 7 * load.charges for name, load in zip(TENANTS, loads)}}
    assert server.stop() == 0
    assert not segments(server)[0].endswith("00001.seg"), "the journal was trimmed"
    return server, had


def test_a_damaged_manifest_is_kept_and_made_anew(stopped, covered):
    server, had = stopped
    sound = manifest(server).read_bytes()
    done = repair(server)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the manifest is sound: nothing is changed\n", "")
    assert manifest(server).read_bytes() == sound

    bent = bytearray(sound)
    for place in range(4096, len(bent), 97):
        bent[place] ^= 0xFF
    for name, bytes_ in {"bent": bytes(bent), "cut": sound[:5_000], "emptied": b"", "gone": None}.items():
        remove(manifest(server))
        if bytes_ is not None:
            manifest(server).write_bytes(bytes_)
        assert_no_start(server)
        if name in ("bent", "cut"):
            assert COMMAND in server.run("verify", "--data", server.data).stderr
        done = repair(server, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert report["ok"] and report["changed"] and report["fault"] and not report["refused"]
        assert report["listed"] == len(TENANTS) + 1 and report["trimmedThrough"] > 0
        if bytes_ is None:
            assert report["setAside"] is None
        else:
            kept = pathlib.Path(report["setAside"])
            # In an empty file the server began a manifest before it refused.
            assert kept.read_bytes() == bytes_ or name == "emptied"
        server.restart()
        assert balances(server) == had
        server.verify()
        # A server works there now.
        done = repair(server)
        assert done.returncode == 1 and not done.stdout, done.stdout
        assert f"in use by process {server.process.pid}" in done.stderr
        assert server.stop() == 0
        assert repair(server).stdout.startswith("the manifest is sound")
    covered(f"repair: a manifest lost in 4 ways, {sum(GRANTED * CREDIT - left for left in had.values()) // 7} charges kept")


def test_what_is_lost_with_the_manifest_is_named_and_never_served_as_an_empty_book(stopped, tmp_path):
    server, had = stopped
    busy, other = TENANTS
    copies = tmp_path / "copies"
    done = server.run("backup", "--data", server.data, "--to", str(copies))
    assert done.returncode == 0, done.stderr
    remove(manifest(server))
    for tenant in (busy, IDLE):
        remove(shard(server, tenant))
    done = repair(server)
    assert done.returncode == 1, done.stdout
    assert "1 book proved and listed" in done.stdout and "2 refused" in done.stdout
    for tenant in (busy, IDLE):
        assert f"tollgate: tenant {tenant} is refused: its file is missing" in done.stderr

    server.restart()
    for tenant in (busy, IDLE):
        with refused(StatusCode.DATA_LOSS, "BOOK_DAMAGED"):
            server.client(tenant=tenant).balance()
    assert server.client(tenant=other).balance().available_micros == had[other]
    for tenant in (busy, IDLE):
        done = server.run("restore", "--tenant", tenant, "--from", str(copies), "--data", server.data)
        assert done.returncode == 0, done.stderr
    assert balances(server) == had
    server.verify()


def test_a_tenant_without_a_trace_begins_anew_when_somebody_says_so(stopped):
    server, had = stopped
    server.restart()
    server.tenant("never-used")
    assert server.stop() == 0
    remove(manifest(server))
    done = repair(server)
    assert done.returncode == 1 and "tenant never-used is refused" in done.stderr, done.stderr
    server.restart()
    with refused(StatusCode.DATA_LOSS, "BOOK_DAMAGED"):
        server.client(tenant="never-used").balance()
    begin = ("restore", "--data", server.data, "--empty", "--tenant")
    done = server.run(*begin, "never-used")
    assert done.returncode == 1 and "in use by" in done.stderr
    assert server.stop() == 0
    done = server.run(*begin, IDLE)
    assert done.returncode == 1 and "had a book" in done.stderr, done.stderr
    done = server.run(*begin, "never-used")
    assert done.returncode == 0 and "begins anew" in done.stdout, done.stderr
    server.restart()
    assert server.client(tenant="never-used").balance().available_micros == 0
    assert balances(server) == had
    server.verify()


def test_another_directory_is_refused(server, tmp_path):
    other = tmp_path / "other"
    for _ in range(2):
        done = server.run("repair", "manifest", "--data", str(other))
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert str(other) in done.stderr and "not a data directory" in done.stderr
        other.mkdir(exist_ok=True)
    assert list(other.iterdir()) == []


def test_a_new_directory_needs_no_manifest(server):
    assert server.stop() == 0
    assert repair(server).returncode == 0
    assert not manifest(server).exists()
    server.restart()
