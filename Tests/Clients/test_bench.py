"""`tollgate bench` does each work against a real server, checks the answers, and says what came of it as JSON."""

import json
import select
import signal
import subprocess

import pytest
from support import DEADLINE_S, Server

SMALL = ("--connections", "2", "--in-flight", "4", "--seconds", "1", "--warmup", "0", "--json")
MEMBERS = {
    "work", "connections", "in_flight", "tenants", "seconds", "steps", "calls", "steps_per_second", "steps_in_all", "errors",
    "first_error", "latency_us", "client_cpu_us_per_step"}


@pytest.fixture(scope="module")
def prepared(shared_server):
    """A server with three tenants that have credits."""
    done = prepare(shared_server, 3)
    assert done.returncode == 0, done.stderr
    return shared_server


def prepare(server, tenants):
    return server.run("bench", "prepare", "--tenants", str(tenants))


def load(server, work, *options, address=None):
    done = server.run("bench", "load", "--address", address or server.address, "--work", work, *SMALL, *options)
    assert done.stderr == "", done.stderr
    report = json.loads(done.stdout)
    assert MEMBERS <= set(report), report
    assert set(report["latency_us"]) == {"p50", "p90", "p99", "p999", "max"}
    assert (report["work"], report["connections"], report["in_flight"]) == (work, 2, 4)
    return done.returncode, report


def assert_clean(status, report):
    assert (status, report["errors"], report["first_error"]) == (0, 0, None), report
    assert report["steps_in_all"] >= report["steps"] >= report["calls"] > 0 and report["seconds"] >= 1
    times = [report["latency_us"][name] for name in ("p50", "p90", "p99", "p999", "max")]
    assert times == sorted(times) and times[0] > 0
    assert report["steps_per_second"] == pytest.approx(report["steps"] / report["seconds"], rel=0.01)
    assert report["client_cpu_us_per_step"] > 0


@pytest.mark.parametrize("work", ["steps", "balance", "meter"])
@pytest.mark.parametrize("tenants", [1, 3])
def test_each_work_is_done_and_checked(prepared, work, tenants):
    status, report = load(prepared, work, "--tenants", str(tenants))
    assert_clean(status, report)
    assert report["tenants"] == tenants
    for tenant in range(tenants):
        # A run commits what it reserved, also at its end.
        assert prepared.client(tenant=f"bench-{tenant:06}").balance().held_micros == 0


def test_batches_are_done_and_checked(prepared):
    status, report = load(prepared, "batch", "--tenants", "2", "--batch-size", "50")
    assert_clean(status, report)
    assert report["steps"] == 50 * report["calls"] and report["batch_size"] == 50


def test_a_paced_run_keeps_its_pace(prepared):
    status, report = load(prepared, "steps", "--rate", "200")
    assert_clean(status, report)
    assert report["rate"] == 200 and report["steps"] <= 200 * report["seconds"] + 1


def test_the_books_are_proved_afterwards(prepared):
    load(prepared, "steps", "--tenants", "3")
    assert "bench-000002" in prepared.verify()


def test_preparing_again_changes_nothing(prepared):
    before = [prepared.client(tenant=f"bench-{tenant:06}").balance().available_micros for tenant in range(3)]
    again = prepare(prepared, 3)
    assert again.returncode == 0 and "3 tenants" in again.stderr
    after = [prepared.client(tenant=f"bench-{tenant:06}").balance().available_micros for tenant in range(3)]
    assert before == after


def test_what_is_refused_is_an_error(prepared):
    status, report = load(prepared, "steps", "--tenants", "1000")
    assert status == 1 and report["errors"] > 0
    assert "grpc-status 5" in report["first_error"]


def test_a_key_that_nobody_knows_is_an_error(prepared):
    status, report = load(prepared, "balance", "--key", "tg_" + "0" * 64)
    assert status == 1 and report["steps"] == 0
    assert "grpc-status 16" in report["first_error"]


def test_the_bare_echo_is_measured_and_ends_at_a_signal(prepared, binary):
    echo = subprocess.Popen([binary, "bench", "echo"], stdout=subprocess.PIPE, text=True)
    try:
        ready, _, _ = select.select([echo.stdout], [], [], DEADLINE_S)
        line = echo.stdout.readline() if ready else ""
        assert line.startswith("listening on 127.0.0.1:")
        status, report = load(prepared, "echo", address=line.split()[-1])
        assert_clean(status, report)
        echo.send_signal(signal.SIGTERM)
        assert echo.wait(DEADLINE_S) == 0
    finally:
        if echo.poll() is None:
            echo.kill()
            echo.wait(DEADLINE_S)
        echo.stdout.close()


def test_a_server_that_is_not_there_is_told(prepared):
    done = prepared.run("bench", "load", "--address", "127.0.0.1:1", *SMALL)
    assert done.returncode == 1 and "127.0.0.1:1 cannot be reached" in done.stderr


def test_the_disk_is_measured(prepared, tmp_path):
    done = prepared.run("bench", "sync", str(tmp_path), "--seconds", "1", "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["syncs"] > 0 and report["bytes"] == 4096
    assert 0 < report["latency_us"]["p50"] <= report["latency_us"]["p99"]
    assert list(tmp_path.iterdir()) == []


def test_a_long_book_is_served_and_proved(binary, tmp_path):
    """Two flushes for each tenant, the second one after a Reserve without its Commit."""

    server = Server(binary, tmp_path)
    done = server.run("bench", "book", server.data, "--tenants", "3", "--entries", "30000", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["tenants"], report["entries"]) == (3, 30000)
    assert server.verify().count("10,000") == 3
    server.key = report["key"]
    try:
        server.start()
        assert server.run("bench", "prepare", "--tenants", "3").returncode == 0
        assert_clean(*load(server, "steps", "--tenants", "3"))
        assert server.stop() == 0
    finally:
        server.end()
    assert "bench-000002" in server.verify()


def test_a_book_is_not_written_over_another(binary, tmp_path):

    server = Server(binary, tmp_path)
    server.init()
    done = server.run("bench", "book", server.data, "--tenants", "1", "--entries", "10")
    assert done.returncode == 1 and "is a data directory already" in done.stderr
