"""Attacks of `attacks.py` on the real server, each beside a caller that behaves well on a connection of its own.

The attacker is cut off, or borne where it harms nobody; a counter tells; memory stays bounded; the other caller gets all of
its answers meanwhile, and the server is as good as new. TOLLGATE_LONG=1 makes the attacks ten times as long.
"""

import dataclasses
import os
import pathlib
import resource
import socket
import threading
import time

import attacks
import grpc
import pytest
from attacks import ATTACKS, METER, PREFACE, Peer, Target, charge, frame, headers, settings
from probes import healthz, metrics, wait_until
from support import CREDIT, DEADLINE_S, Server, new_id

LONG = bool(os.environ.get("TOLLGATE_LONG"))
# A server at rest has 35 MB, and what attacks may fill is bounded by some hundreds; nothing of theirs comes near that.
RSS_MAX_MB = 200
# Time-outs of the servers that slow attackers meet.
PEER_SECONDS = 2
# With fewer, what the server takes for each cannot be told from what it takes for itself.
IDLE_CONNECTIONS_MIN = 1_000
# What else the test and the server, each of which holds one end of a connection, have open.
OTHER_FILES = 500
done = []


@pytest.fixture(scope="module")
def target(binary, tmp_path_factory):
    yield from attacked(binary, tmp_path_factory.mktemp("attacked"))


@pytest.fixture(scope="module")
def impatient(binary, tmp_path_factory):
    yield from attacked(binary, tmp_path_factory.mktemp("impatient"), "--peer-seconds", str(PEER_SECONDS))


def attacked(binary, directory, *options):
    server = Server(binary, directory, *options)
    try:
        server.start()
        acme = server.tenant("acme", credits=1_000_000)
        for _ in range(200):
            spend(acme)
        key = server.new_key("service", "acme").key
        server.tenant("honest", credits=1_000_000)
        server.target = Target(server.address, key, long=LONG)
        yield server
    finally:
        server.end()


def spend(client):
    """One charge. On a machine that is busy a server says UNAVAILABLE: the caller tries the same step again, as it should."""
    from tollgate.v1 import metering_pb2

    request = metering_pb2.ChargeRequest(reservation_id=new_id(), amount_micros=1, comment="c" * 200)
    end = time.monotonic() + DEADLINE_S
    while True:
        try:
            return client.metering.Charge(request, timeout=DEADLINE_S)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > end:
                raise
            assert "more to do" in error.details(), "refused for the load, not cut off"
            time.sleep(0.1)


class WellBehaved:
    """Charges one after the other, on a connection of its own, and keeps what went wrong."""

    def __init__(self, server, tenant="honest"):
        self.client = server.client(tenant=tenant)
        self.calls, self.failures, self.ends = 0, [], threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.ends.is_set():
            try:
                spend(self.client)
                self.calls += 1
            except Exception as failure:
                self.failures.append(failure)
            self.ends.wait(0.01)

    def __enter__(self):
        spend(self.client)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join(DEADLINE_S)
        assert not self.failures, self.failures[0]
        assert self.calls > 0, "no call was answered while the attack went on"
        assert not self.thread.is_alive()


def rss_mb(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def value(found, name, label):
    number = found.get(name, 0)
    return number.get(label, 0) if isinstance(number, dict) else number


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attacker_is_cut_off_and_nobody_else_notices(request, name):
    attack = ATTACKS[name]
    server = request.getfixturevalue("impatient" if attack.slow else "target")
    before = metrics(server.address)
    with WellBehaved(server) as honest:
        cut = attack.run(server.target)
    # A page of metrics may be 10 ms old.
    time.sleep(0.1)
    after = metrics(server.address)
    print(f"{name}: {cut}, {honest.calls} calls beside it, {rss_mb(server):.0f} MB")
    assert cut.by in attack.cut, cut
    if attack.counters:
        assert any(value(after, *c) > value(before, *c) for c in attack.counters), attack.counters
    if attack.slow and cut.by is None:
        ended, _, streams, _ = cut.text.split()
        assert ended == streams, "every stream came to an end"
    assert rss_mb(server) < RSS_MAX_MB
    assert healthz(server.address) == (200, "ok\n")
    if isinstance(cut.by, int):
        assert "cut off peer=127.0.0.1:" in server.log()
    done.append(cut.sent)


def test_requests_that_are_not_whole_fill_a_bounded_part_of_memory(impatient):
    with WellBehaved(impatient):
        cuts = [attacks.gathered_megabytes(impatient.target) for _ in range(2)]
        # 256 MB of requests at most, in buffers that grow by doubling.
        assert rss_mb(impatient) < 700
    assert metrics(impatient.address)["tollgate_rpc_refused_total"]["request_memory"] > 0 or all(
        cut.by is None for cut in cuts)
    done.append(sum(cut.sent for cut in cuts))


def test_uploads_to_calls_that_ended_stop_nobody(target):
    """What is sent on streams that were refused is credited back, or the connection would stand still."""
    with Peer(target.target) as peer:
        for _ in range(40):
            stream = peer.stream()
            assert peer.send(headers(stream, target.target.stranger()))
            for _ in range(60):
                assert peer.send(frame(attacks.DATA, 0, stream, bytes(16_000)))
            peer.frames()
        stream = peer.stream()
        peer.send(headers(stream, target.target.block()) + frame(attacks.DATA, attacks.END_STREAM, stream, charge()))
        end, answers = time.monotonic() + DEADLINE_S, []
        while not answers and time.monotonic() < end:
            answers = [f for f in peer.frames(wait_s=0.2) if f[0] == attacks.HEADERS and f[2] == stream]
        assert answers


def refused(server):
    """Calls that were refused since all of their share was taken."""
    return metrics(server.address)["tollgate_rpc_refused_total"]["share"]


def test_streams_opened_and_never_used_on_many_connections_keep_nobody_out(target):
    peers = [Peer(target.target) for _ in range(30)]
    before, refused_before = rss_mb(target), refused(target)
    try:
        with WellBehaved(target):
            for peer in peers:
                peer.send(b"".join(
                    headers(stream, target.target.stranger("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"))
                    for stream in [peer.stream() for _ in range(990)]))
            wait_until(lambda: refused(target) > refused_before, "strangers have their part of the calls, and no more")
            for peer in peers:
                peer.frames()
        assert rss_mb(target) - before < 200
    finally:
        for peer in peers:
            peer.socket.close()
    done.append(len(peers) * 990)


@pytest.fixture
def idle_connections():
    """How many a test may hold at once: as many as it wants, or as the machine allows beside the other files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = (10_000 if LONG else 2_000) + OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        files = min(files, hard)
    least = IDLE_CONNECTIONS_MIN + OTHER_FILES
    assert files >= least, f"only {hard} files may be open, and the test needs {least}: raise the limit (ulimit -Hn)"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))
    yield files - OTHER_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_idle_connections_cost_little_and_give_way(binary, tmp_path, covered, idle_connections):
    wanted = idle_connections
    server = Server(binary, tmp_path, "--max-connections", str(wanted))
    idle = []
    try:
        server.start()
        server.tenant("honest", credits=1_000)
        at_rest = rss_mb(server)
        host, port = server.address.rsplit(":", 1)
        with WellBehaved(server) as honest:
            for _ in range(wanted):
                idle.append(socket.create_connection((host, int(port)), timeout=DEADLINE_S))
                idle[-1].sendall(PREFACE + settings())
            for _ in range(wanted // 10):
                newcomer = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
                newcomer.sendall(PREFACE + settings())
                assert newcomer.recv(9)[3] == attacks.SETTINGS
                newcomer.close()
            assert healthz(server.address) == (200, "ok\n")
            loaded = rss_mb(server)
        found = metrics(server.address)
        assert found["tollgate_http2_connections"] <= wanted
        assert found["tollgate_http2_evictions_total"] > 0
        assert found["tollgate_http2_refused_connections_total"] == 0
        assert honest.calls > 0
        each_kb = (loaded - at_rest) * 1024 / wanted
        assert each_kb < 100
        covered(f"idle connections: {wanted}, {each_kb:.1f} KB each, a caller beside them had {honest.calls} of its calls answered")
    finally:
        for one in idle:
            one.close()
        server.end()


OK, EXHAUSTED, UNAVAILABLE = 0, 8, 14


def settled(peer, block):
    """The status of a call, tried again for as long as the machine is too busy for it."""
    end = time.monotonic() + DEADLINE_S
    while True:
        (status,) = peer.wait_for([peer.call(block, charge())])
        if status != UNAVAILABLE or time.monotonic() > end:
            return status
        time.sleep(0.1)


@pytest.fixture
def strict(binary, tmp_path):
    """A server on which a tenant may cancel 300 calls at once, with three tenants and their own keys."""
    server = Server(binary, tmp_path, "--cancels-per-second", "10")
    try:
        server.start()
        server.blocks = {}
        for name in ["rude", "honest", "third"]:
            server.tenant(name, credits=1_000)
            server.blocks[name] = attacks.block(key=server.new_key("service", name).key)
        yield server
    finally:
        server.end()


def test_callers_behind_one_proxy_may_cancel_their_own_calls(target):
    """As many as they let end, and thousands a minute beside: nobody's connection is cut for it."""
    cancelled, kept = 0, []
    with Peer(target.target) as proxy:
        for _ in range(200):
            for _ in range(20):
                proxy.call(target.target.block(), charge(), cancels=True)
                cancelled += 1
            kept.append(proxy.call(target.target.block(), charge()))
            proxy.frames()
        assert set(proxy.wait_for(kept)) <= {OK, UNAVAILABLE}
        assert settled(proxy, target.target.block()) == OK
        assert proxy.cut.by is None, proxy.cut
    assert cancelled == 4_000
    done.append(cancelled)


def until_refused(peer, block, cancels):
    """Cancels calls by tens, up to so many, until one that is not cancelled is refused; whether it was."""
    for _ in range(cancels // 10):
        for _ in range(10):
            peer.call(block, charge(), cancels=True)
        if settled(peer, block) == EXHAUSTED:
            return True
    return False


def test_a_tenant_that_only_cancels_is_refused_wherever_it_comes_from_and_its_neighbours_are_not(strict, covered):
    rude, honest, third = (strict.blocks[name] for name in ["rude", "honest", "third"])

    def neighbours(peer):
        return [settled(peer, honest), settled(peer, third)]

    with Peer(Target(strict.address)) as proxy:
        assert until_refused(proxy, rude, 3_000)
        assert neighbours(proxy) == [OK, OK]
        assert proxy.cut.by is None, "some hundreds are no reason to end what others share"
        with Peer(Target(strict.address)) as elsewhere:
            # A budget of this connection's own would last for 300.
            assert until_refused(elsewhere, rude, 100)
            assert neighbours(elsewhere) == [OK, OK]
        assert metrics(strict.address)["tollgate_rpc_refused_total"]["cancels"] >= 2
        # Thousands are: then the proxy connects anew, and only the one who cancels is still refused.
        cut = proxy.flood(
            lambda _: headers(stream := proxy.stream(), rude) + frame(attacks.RST, 0, stream, bytes(4)), 10_000)
        assert cut.by in (attacks.CALM, "closed"), cut
    with Peer(Target(strict.address)) as proxy:
        assert neighbours(proxy) == [OK, OK]
        assert until_refused(proxy, rude, 100)
        assert neighbours(proxy) == [OK, OK]
        end = time.monotonic() + DEADLINE_S
        while settled(proxy, rude) != OK:
            assert time.monotonic() < end, "a tenant that has stopped cancelling is served again"
            time.sleep(0.05)
    covered("proxy: 4,000 honest cancels on one connection and no cut; a tenant that only cancels refused on all of them")


def test_what_the_attacks_came_to(covered):
    covered(f"attacks: {len(ATTACKS)} kinds on the real server, {sum(done) / 1e6:.0f} MB sent, beside a caller of whom no call failed")
