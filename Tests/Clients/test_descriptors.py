"""As many files open as may be: who is served goes on, the disk gets what it needs, and others are let in when there is room."""

import contextlib
import os
import resource
import socket

import grpc
from book import transactions
from grpc import StatusCode
from probes import wait_until
from support import Server
from test_disk_full import LABELS, STEPS_PER_BATCH, Book, healthy

# Of a server that has few from the start, and of one that loses what it had.
FEW = 128
FEWER = 64
TENANTS = 30
CONNECTIONS = 150
# So many large batches fill more than the first segment of a journal, 8 MiB.
BATCHES = 8


@contextlib.contextmanager
def connections(server, count):
    """So many connections that do nothing."""
    host, port = server.address.rsplit(":", 1)
    made = [socket.create_connection((host, int(port))) for _ in range(count)]
    try:
        for each in made:
            each.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        yield
    finally:
        for each in made:
            each.close()


def connected(server):
    """The books of some tenants, each with a connection that is there."""
    books = [Book(server, f"tenant-{n}") for n in range(TENANTS)]
    for book in books:
        book.client.balance()
    return books


def open_files(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def use(books):
    """Steps and reports of all tenants, and as many steps of one as make the journal roll."""
    for book in books:
        assert book.charge(3), book.tenant
    for book in books:
        assert len(transactions(book.client)) == 1 + len(book.acknowledged), book.tenant
    segments = newest_segment(books[0].server)
    for _ in range(BATCHES):
        assert books[0].charge(STEPS_PER_BATCH, LABELS)
    assert newest_segment(books[0].server) > segments, "the journal did not begin a segment"
    for book in books:
        assert book.charge(), book.tenant


def newest_segment(server):
    return max(name for name in os.listdir(f"{server.data}/journal") if name.endswith(".seg"))


def prove(server, books):
    """Nothing was lost, with as few descriptors and after a crash."""
    for book in books:
        book.prove_refused("while files were few")
    server.kill()
    server.verify()
    server.restart()
    for book in books[:3]:
        book.reopen()
        assert book.charge()
        book.prove("after a crash")
    assert server.stop() == 0
    server.verify()


def is_let_in(server):
    client = server.client()
    try:
        from tollgate.v1 import admin_pb2 as a

        client.admin.ListTenants(a.ListTenantsRequest(), timeout=1)
        return True
    except grpc.RpcError as error:
        assert error.code() in (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED), error
        return False
    finally:
        client.close()


def test_a_server_with_few_descriptors_shares_them_out(binary, tmp_path, covered):
    server = Server(binary, tmp_path, limits=[(resource.RLIMIT_NOFILE, (FEW, FEW))])
    try:
        server.start()
        assert "few files may be open" in server.log()
        books = connected(server)
        with connections(server, CONNECTIONS):
            use(books)
            assert open_files(server) <= FEW
        wait_until(lambda: is_let_in(server), "there is room for connections again")
        assert "storage fault" not in server.log() and "cannot be written" not in server.log()
        prove(server, books)
        covered(f"few descriptors: {FEW} from the start, {TENANTS} shards and {CONNECTIONS} connections")
    finally:
        server.end()


def test_a_server_that_loses_its_descriptors_goes_on(binary, tmp_path, covered):
    server = Server(binary, tmp_path)
    try:
        server.start()
        books = connected(server)
        with connections(server, CONNECTIONS), contextlib.ExitStack() as others:
            for book in books[:TENANTS // 2]:
                assert book.charge(3) and len(transactions(book.client)) == 4
            before = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
            wait_until(lambda: open_files(server) > CONNECTIONS, "the server has taken all connections")
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (FEWER, before[1]))

            def fill():
                # A place below the limit that a connection left is taken, and stays so.
                others.enter_context(connections(server, 1))
                return "no more connections can be accepted" in server.log()

            # Places come free now and then, as files are closed, and are filled too.
            wait_until(lambda: fill() and not is_let_in(server), "nobody else is let in, and the log says so")
            use(books)
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, before)
            wait_until(lambda: is_let_in(server), "connections are accepted again")
            assert "connections are accepted again" in server.log()
        healthy(server)
        prove(server, books)
        covered(f"few descriptors: {FEWER} of a server that has more open, {TENANTS} shards and {CONNECTIONS} connections")
    finally:
        server.end()


def test_a_server_says_how_many_descriptors_it_needs(binary, tmp_path):
    server = Server(binary, tmp_path, limits=[(resource.RLIMIT_NOFILE, (40, 40))])
    server.init()
    done = server.run("serve", "--data", server.data, "--listen", "127.0.0.1:0")
    assert (done.returncode, done.stdout) == (1, "")
    assert "raise the limit" in done.stderr and "LimitNOFILE" in done.stderr, done.stderr
