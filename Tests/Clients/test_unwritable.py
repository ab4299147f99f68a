"""Directories and files that the server's user may not write: said clearly, nothing is lost, and it goes on when it may again.

Root may write everywhere: these servers run as somebody else, on a disk where only they have something.
"""

import os
import pathlib
import shutil

import pytest
from book import transactions
from grpc import StatusCode
from probes import healthz, wait_until
from small_disk import ImageDisk, mounted
from support import DEADLINE_S, Server, refused
from test_disk_full import DISK_BYTES, Book, healthy, survive_a_crash

# "nobody" of every Linux.
USER = 65_534
# Each part of a data directory, and how a test finds it.
PARTS = {
    "the data directory": "", "journal": "journal", "shards": "shards", "a shard's folder": "shards/*/",
    "a shard": "shards/*/acme.sqlite", "the manifest": "shards/manifest.sqlite", "directory.sqlite": "directory.sqlite"}

# Without these a server cannot tell what it has.
NEEDED_AT_A_START = ["the manifest", "directory.sqlite"]


class OrdinaryServer(Server):
    """A server that does not run as root."""

    def __init__(self, binary, directory, disk):
        super().__init__(binary, directory, data=disk.path / "data", user=USER)


@pytest.fixture
def disk(tmp_path):
    with mounted(ImageDisk, tmp_path / "disk", DISK_BYTES) as disk:
        os.chown(disk.path, USER, USER)
        yield disk


@pytest.fixture
def server(binary, tmp_path, disk):
    # Where the user of the tests has the binary others may not be let in.
    own = disk.path / "tollgate"
    shutil.copy(binary, own)
    for above in [tmp_path, *tmp_path.parents][:4]:
        let_in(above)
    server = OrdinaryServer(own, tmp_path, disk)
    try:
        yield server
    finally:
        server.end()


def let_in(path):
    if path.stat().st_uid == os.getuid():
        path.chmod(path.stat().st_mode | 0o011)


def parts(server, name):
    """The files and folders that a part is."""
    found = sorted(pathlib.Path(server.data).glob(PARTS[name])) if PARTS[name] else [pathlib.Path(server.data)]
    assert found, name
    if name == "shards":
        return [*found, *found[0].glob("*/")]
    return [beside for path in found for beside in [path, *path.parent.glob(path.name + "-*")]]


class forbidden:
    """`with forbidden(paths)`: their user may not write to them meanwhile."""

    def __init__(self, paths):
        self.modes = [(path, path.stat().st_mode) for path in paths]

    def __enter__(self):
        for path, mode in self.modes:
            path.chmod(mode & 0o7555)

    def __exit__(self, *_):
        for path, mode in self.modes:
            if path.exists():
                path.chmod(mode)


def start_forbidden(server, paths):
    """Starts a server that may not write something. False where it ends, and then it says why and what to do."""
    with forbidden(paths):
        try:
            server.restart()
            return True
        except AssertionError:
            assert server.process.wait(DEADLINE_S) == 1
            last = server.log().splitlines()[-1]
            assert last.startswith("tollgate: ") and server.data in last and "needs to be allowed to write there" in last, last
            return False


def keep_refused(server, part, book):
    """What is refused meanwhile; the steps of a book that is known go on, whatever else does not."""
    from tollgate.v1 import admin_pb2 as a

    if part == "journal":
        # What is open goes on, but no new segment can begin.
        book.charge_until_refused()
        status, body = healthz(server.address)
        assert status == 503 and "needs to be allowed to write there" in body, body
        assert "steps are refused" in server.log()
    elif part == "directory.sqlite":
        with refused(StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"):
            book.client.admin.CreateTenant(a.CreateTenantRequest(tenant_id="another"))
    elif part == "a shard":
        refuse_reports(server, book)


def refuse_reports(server, book):
    """A tenant whose shard cannot be written has no reports, and all others go on."""
    with refused(StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"):
        transactions(book.client)
    wait_until(lambda: "shards cannot be written" in server.log(), "the log says that shards are behind")
    assert healthz(server.address)[0] == 200


def go_on(server, book, where):
    """It goes on by itself, and nothing was lost or done twice."""
    healthy(server)
    wait_until(lambda: "shards cannot be written" not in server.log() or "shards are written again" in server.log(),
               "the shards are written again")
    book.reopen()
    book.prove_refused(where)
    survive_a_crash(server, book)
    server.verify()


def ended(server):
    """The book of a server that has run and ended: it has all files that there are to be."""
    server.start()
    book = Book(server)
    assert book.charge(10) and len(transactions(book.client)) == 11
    assert server.stop() == 0
    return book


@pytest.mark.parametrize("part", PARTS)
def test_what_may_not_be_written_at_a_start(server, part, covered):
    book = ended(server)
    paths = parts(server, part)
    serves = start_forbidden(server, paths)
    assert serves == (part not in NEEDED_AT_A_START)
    if serves:
        with forbidden(paths):
            book.reopen()
            assert book.charge(10)
            keep_refused(server, part, book)
    else:
        server.restart()
    go_on(server, book, f"after a start without {part}")
    covered(f"unwritable at a start: {part}: {'serves' if serves else 'says so and ends'}")


@pytest.mark.parametrize("part", PARTS)
def test_what_may_not_be_written_any_more(server, part, covered):
    """As by an operator's slip: what is open goes on, what is opened or made fails."""
    book = ended(server)
    server.restart()
    book.reopen()
    fresh = Book(server, "fresh")
    with forbidden(parts(server, part)):
        assert book.charge(10) and fresh.charge(10)
        if part == "journal":
            keep_refused(server, part, book)
        elif part == "shards":
            # It has no file yet.
            refuse_reports(server, fresh)
        assert book.client.balance().available_micros == book.acknowledged_micros
    assert not fresh.in_doubt
    go_on(server, book, f"after {part} could not be written")
    fresh.reopen()
    fresh.prove(f"after {part} could not be written")
    covered(f"unwritable while it runs: {part}")
