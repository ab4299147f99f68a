"""A real trace is charged to the micro, however many calls are in flight and whatever crashes."""

import json
import subprocess
import time

import pytest
from support import DEADLINE_S, TRACE

ROWS = 19_366
# 22,361,870 context tokens at 1,000 micros and 4,088,665 generated ones at 5,000.
CHARGED_MICROS = 42_805_195_000
CREDITS = 50_000


def replay(server, *options):
    done = server.run("replay", str(TRACE), "--json", *options, tenant="acme", timeout=DEADLINE_S * 10)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def assert_charged_once(server, client):
    balance = client.balance()
    assert balance.held_micros == 0
    assert balance.available_micros == CREDITS * 1_000_000 - CHARGED_MICROS
    assert "acme" in server.verify()


@pytest.mark.parametrize("concurrency", [1, 64])
def test_the_trace_is_charged_exactly_and_again_not_at_all(server, concurrency):
    client = server.tenant("acme", credits=CREDITS)
    first = replay(server, "--concurrency", str(concurrency))
    assert (first["rows"], first["meteredRows"], first["failedRows"]) == (ROWS, ROWS, 0)
    assert first["chargedMicros"] == CHARGED_MICROS
    assert (first["steps"], first["replayedSteps"]) == (2 * ROWS, 0)
    again = replay(server)
    assert again["chargedMicros"] == CHARGED_MICROS
    assert (again["steps"], again["replayedSteps"]) == (2 * ROWS, 2 * ROWS)
    assert_charged_once(server, client)


def test_a_crash_in_the_middle_charges_nothing_twice_and_loses_nothing(server):
    """The replay is killed with the server; from the start again, it charges what the first one lacked."""
    client = server.tenant("acme", credits=CREDITS)
    command = [server.binary, "replay", str(TRACE), "--server", server.address, "--tenant", "acme", "--retry-seconds", "0"]
    running = subprocess.Popen(
        command, env={"TOLLGATE_KEY": server.key}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + DEADLINE_S
    while client.balance().available_micros > (CREDITS - 5_000) * 1_000_000:
        assert time.monotonic() < deadline
    server.kill()
    _, errors = running.communicate(timeout=DEADLINE_S)
    assert running.returncode == 1, errors
    assert "UNAVAILABLE" in errors or "cannot be reached" in errors
    server.start()
    second = replay(server)
    assert second["chargedMicros"] == CHARGED_MICROS
    assert 0 < second["replayedSteps"] < 2 * ROWS
    assert_charged_once(server, client)


def test_a_replay_goes_on_over_a_crash(server):
    """The replay itself sends again, under the same ids, what got no answer."""
    client = server.tenant("acme", credits=CREDITS)
    running = subprocess.Popen(
        [server.binary, "replay", str(TRACE), "--server", server.address, "--tenant", "acme", "--json"],
        env={"TOLLGATE_KEY": server.key}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for left in (CREDITS - 5_000, CREDITS - 15_000, CREDITS - 30_000):
        deadline = time.monotonic() + DEADLINE_S
        while client.balance().available_micros > left * 1_000_000:
            assert time.monotonic() < deadline
        server.kill()
        server.start()
        client = server.client(tenant="acme")
    out, errors = running.communicate(timeout=DEADLINE_S * 4)
    assert running.returncode == 0, out + errors
    report = json.loads(out)
    assert report["chargedMicros"] == CHARGED_MICROS and report["meteredRows"] == ROWS
    assert report["retries"] > 0
    assert_charged_once(server, client)
