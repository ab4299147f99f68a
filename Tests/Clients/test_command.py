"""The command line: what it prints, its exit statuses, and that its errors say what to do."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
from support import DEADLINE_S, Server, new_id

COMMANDS = ["demo", "init", "serve", "tenant create", "tenant list", "tenant show", "key create", "key list",
            "key revoke", "grant", "balance", "replay", "verify", "backup", "restore", "repair manifest",
            "bench prepare", "bench load", "bench echo", "bench sync", "bench book"]


@pytest.fixture
def run(binary, tmp_path):
    """Runs the command without a server in its environment."""
    def run(*arguments, **options):
        return subprocess.run(
            [str(binary), *arguments], capture_output=True, text=True, timeout=DEADLINE_S * 2, cwd=tmp_path,
            **{"env": {"PATH": "/usr/bin:/bin"}, **options})
    return run


def assert_wrong_usage(done, *parts):
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_line(done, *parts)
    assert "--help" in done.stderr


def assert_failed(done, *parts):
    assert done.returncode == 1
    assert_one_line(done, *parts)


def assert_one_line(done, *parts):
    assert done.stderr.startswith("tollgate: ") and done.stderr.count("\n") == 1, done.stderr
    for part in parts:
        assert part in done.stderr


def test_help_is_everywhere(run):
    overview = run("--help")
    assert overview.returncode == 0 and run("help").stdout == overview.stdout == run("-h").stdout
    for command in COMMANDS:
        assert f"  {command} " in overview.stdout
        words = command.split()
        text = run(*words, "--help")
        assert text.returncode == 0 and text.stderr == ""
        assert text.stdout.startswith(f"Usage: tollgate {command}")
        assert run("help", *words).stdout == text.stdout
        assert max(len(line) for line in text.stdout.splitlines()) <= 130
    assert run("tenant", "--help").returncode == 0
    assert re.fullmatch(r"tollgate \d+\.\d+\.\d+\n", run("--version").stdout)


def test_wrong_usage_says_what_is_right(run):
    assert_wrong_usage(run(), "no command")
    assert_wrong_usage(run("sevre"), "'sevre'", "did you mean 'serve'?")
    assert_wrong_usage(run("serve", "--dta", "x"), "'--dta'", "did you mean '--data'?")
    assert_wrong_usage(run("serve"), "--data DIR")
    assert_wrong_usage(run("serve", "--data", "x", "--listen", "nowhere"), "HOST:PORT")
    assert_wrong_usage(run("serve", "--data", "x", "--test-clock", "yesterday"), "--test-clock")
    assert_wrong_usage(run("tenant"), "create, list, show")
    assert_wrong_usage(run("tenant", "create"), "TENANT is missing")
    assert_wrong_usage(run("balance"), "--key KEY", "TOLLGATE_KEY")
    assert_wrong_usage(run("balance", "--key", "x", "--server", "::"), "--server")
    assert_wrong_usage(run("grant", "lots", "--key", "x"), "'lots'")
    assert_wrong_usage(run("grant", "1", "--key", "x", "--kind", "free"), "complimentary")
    assert_wrong_usage(run("key", "create", "--role", "service", "--key", "x"), "--all-tenants")
    assert_wrong_usage(run("replay", "x.csv", "--key", "k", "--concurrency", "0"), "--concurrency")
    assert_wrong_usage(run("replay", "x.csv", "--key", "k", "--pace", "fast"), "--pace")
    assert_wrong_usage(run("verify", "--data", "x", "--tenant", "Not One"), "--tenant")
    assert_wrong_usage(run("verify"), "--data DIR or --backup BACKUP")
    assert_wrong_usage(run("backup", "--data", "x"), "--to BACKUP")
    assert_wrong_usage(run("restore", "--from", "x"), "--to NEWDIR")
    assert_wrong_usage(run("restore", "--from", "x", "--to", "y", "--empty"), "--empty goes with --data")
    assert_wrong_usage(
        run("restore", "--data", "x", "--tenant", "t", "--empty", "--from", "y"), "--from has no meaning beside --empty")
    assert_wrong_usage(run("repair", "manifest"), "--data DIR")
    assert_wrong_usage(run("restore", "--from", "x", "--to", "y", "--until", "yesterday"), "--until")
    assert_wrong_usage(run("restore", "--from", "x", "--data", "y"), "--tenant")
    assert_wrong_usage(run("restore", "--data", "y", "--tenant", "t", "--until", "2026-11-20T10:00:00Z"), "--until")


def test_failures_say_what_to_do(run, tmp_path):
    assert_failed(run("balance", "--key", "x", "--server", "127.0.0.1:9"), "cannot be reached", "--server")
    assert_failed(run("replay", "missing.csv", "--key", "k"), "missing.csv")
    (tmp_path / "bad.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2026-01-01 00:00:00,1,x\n")
    assert_failed(run("replay", "bad.csv", "--key", "k"), "bad.csv:2:", "'x'")
    assert_failed(run("serve", "--data", "missing"), "missing")
    assert_failed(run("verify", "--data", "missing"), "missing")
    assert_failed(run("verify", "--backup", "missing"), "missing")
    assert_failed(run("backup", "--data", "missing", "--to", "copies"), "missing")
    assert_failed(run("restore", "--from", "missing", "--to", "new"), "missing")
    assert_failed(run("restore", "--data", "missing", "--tenant", "t"), "missing")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/something").write_text("")
    assert_failed(run("init", "--data", "full"), "full")
    assert_failed(run("init", "--data", "/proc/nowhere"), "/proc/nowhere")


def test_init_makes_a_directory_once(run, tmp_path):
    done = run("init", "--data", "data")
    assert done.returncode == 0
    assert re.fullmatch(r"tg_\w+\n", done.stdout)
    key = done.stdout.strip()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert key.encode() not in stored and key not in done.stderr
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
    assert_failed(run("init", "--data", "data"), "data")


def test_a_second_server_on_the_same_directory_is_refused(server):
    second = server.run("serve", "--data", server.data, "--listen", "127.0.0.1:0")
    assert_failed(second, server.data, str(server.process.pid))
    assert server.client().admin is not None
    server.verify()


def test_a_port_that_is_taken_is_named(server, tmp_path, binary):
    other = Server(binary, tmp_path / "other", data=tmp_path / "other-data")
    (tmp_path / "other").mkdir()
    other.init()
    done = other.run("serve", "--data", other.data, "--listen", server.address)
    assert_failed(done, server.address.split(":")[1])


def test_an_unwritable_directory_is_refused(binary, tmp_path):
    """Root may write anywhere, so the test takes that from it."""
    server = Server(binary, tmp_path)
    server.init()
    subprocess.run(["chmod", "-R", "a-w", server.data], check=True)
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.getuid() == 0 else []
    if drop:
        for path in [tmp_path, *tmp_path.parents]:
            if path.stat().st_uid == os.getuid() and str(path) not in ("/", "/tmp"):
                os.chmod(path, path.stat().st_mode | 0o011)
        subprocess.run(["chown", "-R", "65534:65534", server.data], check=True)
    done = subprocess.run(
        [*drop, str(binary), "serve", "--data", server.data, "--listen", "127.0.0.1:0"], capture_output=True, text=True,
        timeout=DEADLINE_S)
    subprocess.run(["chmod", "-R", "u+w", server.data], check=True)
    assert_failed(done, server.data)


def test_the_commands_of_a_day(server):
    assert server.run("tenant", "create", "acme", "--display-name", "Acme", "--plan", "pro").returncode == 0
    again = server.run("tenant", "create", "acme", "--display-name", "Acme", "--plan", "pro")
    assert "already" in again.stdout
    assert_failed(server.run("tenant", "create", "acme", "--plan", "free"), "ID_REUSED")
    shown = json.loads(server.run("tenant", "show", "acme", "--json").stdout)
    assert shown["tenant"]["displayName"] == "Acme"
    assert re.search(r"name +Acme", server.run("tenant", "show", "acme").stdout)
    listed = server.run("tenant", "list")
    assert listed.stdout.splitlines()[1].split()[0] == "acme"

    made = server.run("key", "create", "--role", "service", "--tenant", "acme", "--name", "worker")
    assert made.returncode == 0
    key = made.stdout.strip()
    assert key.startswith("tg_")
    keys = json.loads(server.run("key", "list", "--tenant", "acme", "--json").stdout)["keys"]
    assert [k["name"] for k in keys] == ["worker"]
    key_id = keys[0]["keyId"]
    assert key_id in server.run("key", "list").stdout

    grant = new_id()
    for verb in ("granted", "had been granted before"):
        done = server.run("grant", "1,000.5", "--tenant", "acme", "--kind", "purchased", "--id", grant)
        assert (done.returncode, verb in done.stdout) == (0, True), done.stderr
    assert_failed(server.run("grant", "2", "--tenant", "acme", "--id", grant), "ID_REUSED")
    assert_failed(server.run("grant", "2", "--tenant", "nobody"), "tenant list")
    balance = server.run("balance", key=key)
    assert "1,000.5 credits" in balance.stdout
    as_json = json.loads(server.run("balance", "--json", tenant="acme").stdout)
    assert as_json["balance"]["availableMicros"] == "1000500000"

    assert_failed(server.run("tenant", "list", key=key), "tenants.admin")
    assert server.run("key", "revoke", key_id).returncode == 0
    assert_failed(server.run("balance", key=key), "--key")
    assert "acme" in server.verify()
    assert key not in server.log() and server.key not in server.log()


def test_lists_are_as_long_as_asked(server):
    for n in range(5):
        server.tenant(f"t{n}")
    done = server.run("tenant", "list", "--limit", "3")
    assert len(done.stdout.splitlines()) == 4 and "--limit" in done.stderr
    assert len(server.run("tenant", "list").stdout.splitlines()) == 6
    answer = json.loads(server.run("tenant", "list", "--json", "--limit", "2").stdout)
    assert [t["tenantId"] for t in answer["tenants"]] == ["t0", "t1"]


def test_replay_names_what_failed(server, tmp_path):
    server.tenant("acme", credits=1)
    trace = tmp_path / "trace.csv"
    trace.write_text("GeneratedTokens,TIMESTAMP,ContextTokens\r\n" + "\r\n".join(
        f"10,2026-01-01T00:00:0{n},{100 if n < 3 else 1_000_000}" for n in range(5)))
    done = server.run("replay", str(trace), "--max-generated", "20", tenant="acme")
    assert done.returncode == 1
    assert "3 of 5 metered" in done.stdout and "INSUFFICIENT_CREDITS" in done.stderr
    assert "0.45 credits (450,000 micros)" in done.stdout
    wrong = server.run("replay", str(trace), "--feature", "nothing", "--run", "other", tenant="acme")
    assert wrong.returncode == 1 and "stopped after 0 of 5" in wrong.stderr
    assert_failed(server.run("replay", str(trace), tenant="nobody"), "tenant")


def test_a_closed_pipe_ends_quietly(server):
    for n in range(3):
        server.tenant(f"t{n}")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [server.binary, "tenant", "list"], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S,
        env={"TOLLGATE_SERVER": server.address, "TOLLGATE_KEY": server.key})
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_signals_end_a_server_in_order(server):
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + DEADLINE_S
    while "there is no catalog to read again" not in server.log():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert server.stop() == 0
    assert "stopped" in server.log()
    server.start()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(DEADLINE_S) == 0


def test_verify_names_tenant_and_file_of_a_book_that_was_edited(server):
    import glob
    import sqlite3

    server.tenant("good", credits=5)
    server.tenant("bad", credits=5)
    assert server.stop() == 0
    fine = server.run("verify", "--data", server.data, "--json")
    report = json.loads(fine.stdout)
    assert report["ok"] and {b["tenant"]: b["grantedMicros"] for b in report["books"]} == {
        "good": 5_000_000, "bad": 5_000_000}
    path, = glob.glob(server.data + "/shards/**/bad*.sqlite", recursive=True)
    with sqlite3.connect(path) as book:
        body, = book.execute("SELECT body FROM entries WHERE sequence = 1").fetchone()
        book.execute("UPDATE entries SET body = ? WHERE sequence = 1", (body[:-1] + bytes([body[-1] ^ 1]),))
    done = server.run("verify", "--data", server.data)
    assert done.returncode == 1
    # Who edits it with other tools leaves pages without their checksums, or a log, behind which the chain of hashes stands.
    found = r"^tollgate: tenant bad: (.*bad.sqlite is damaged: a page of it |entry 1: its hash does not follow)"
    assert re.search(found, done.stderr, re.M), done.stderr
    assert re.search(r"^good .* ok$", done.stdout, re.M) and re.search(r"^bad .* WRONG$", done.stdout, re.M)
    assert server.run("verify", "--data", server.data, "--tenant", "good").returncode == 0


def test_verify_counts_what_only_the_journal_holds(server):
    server.tenant("acme", credits=5)
    server.kill()
    report = json.loads(server.run("verify", "--data", server.data, "--json").stdout)
    book, = report["books"]
    # One record: the grant. Whether it has reached the book is the server's to choose.
    assert report["ok"] and book["tenant"] == "acme" and book["entries"] + book["pendingRecords"] >= 1


def test_verify_by_root_leaves_nothing_that_the_server_cannot_write(server):
    assert os.getuid() == 0, "run as root: nobody else can leave files that are not the server's"
    server.tenant("acme", credits=5)
    assert server.stop() == 0
    for path in pathlib.Path(server.data).glob("**/*"):
        os.chown(path, 65534, 65534)
    os.chown(server.data, 65534, 65534)
    for parent in pathlib.Path(server.data).parents:
        if parent != pathlib.Path("/") and parent.stat().st_uid == 0:
            os.chmod(parent, parent.stat().st_mode | 0o011)
    server.verify()
    assert {path.stat().st_uid for path in pathlib.Path(server.data).glob("**/*")} == {65534}


def test_demo_shows_it_at_work_and_leaves_nothing_behind(run, tmp_path):
    (tmp_path / "scratch").mkdir()
    done = run("demo", env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path / "scratch")})
    assert done.returncode == 0, done.stderr
    for part in ["600 of 600 metered", "steps/s", "p99", "all is well", "1,200 of 1,200 steps"]:
        assert part in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert list((tmp_path / "scratch").iterdir()) == []
