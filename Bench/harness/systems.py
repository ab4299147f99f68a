"""The systems that are measured: each a context manager over a throw-away server, with `steps(shape, seconds)` for a run."""

import os
import pathlib
import shutil
import signal
import socket
import statistics
import time

from . import machine
from .machine import Failed, Server
from .sample import from_load

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "Bench" / "peers"
POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
JOURNAL = "journal"


def slack(seconds):
    """How long a client that runs for so many seconds may take before it counts as hanging."""
    return seconds * 2 + 120


class Setup:
    """Where binaries lie and where servers may work."""

    def __init__(self, tollgate, peers, directory):
        self.tollgate, self.peers, self.directory = str(tollgate), pathlib.Path(peers), pathlib.Path(directory)


class System:
    """A server in a directory of its own, which is removed with it."""

    name = ""

    def __init__(self, setup, label="", keeps=False):
        self.setup = setup
        self.directory = setup.directory / f"{self.name}{label}"
        self.keeps = keeps
        self.server = None

    def __enter__(self):
        if not self.keeps:
            machine.remove(self.directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.server:
            self.server.stop(self.stop_signal)
        if not self.keeps:
            machine.remove(self.directory)

    stop_signal = signal.SIGTERM

    def cpu_us(self):
        return machine.process_cpu_us(self.server.pid)

    def measured(self, work, settles=True):
        """Runs `work`, which yields a load's report and its client's CPU, with the server's CPU around it.

        The server's CPU covers what it does after the last answer as well, until it has nothing left to do."""
        before, threads = self.cpu_us(), machine.thread_cpu_us(self.server.pid)
        report, client_us = work()
        answered = self.cpu_us()
        caught_up = machine.settle(self.server.pid) if settles else None
        if self.server.process.poll() is not None:
            raise Failed(f"the server ended with {self.server.process.returncode}: {self.server.tail()}")
        after = machine.thread_cpu_us(self.server.pid)
        steps = max(1, report["steps"])
        return from_load(
            report, self.cpu_us() - before, client_us, catch_up_seconds=caught_up,
            server_cpu_us_until_answered=(answered - before) / steps,
            threads={name: (spent - threads.get(name, 0.0)) / steps for name, spent in after.items()})


class Tollgate(System):
    """The system itself. `book` is a data directory that exists already, with its key."""

    name = "tollgate"

    def __init__(self, setup, tenants, label="", keeps=False, key=None, wrapper=()):
        super().__init__(setup, label, keeps)
        self.tenants, self.key, self.wrapper = tenants, key, list(wrapper)

    @property
    def data(self):
        return self.directory / "data"

    def start(self):
        key_file = self.directory / "key"
        if self.key:
            key_file.write_text(self.key)
        if not key_file.exists():
            text, _ = machine.run([self.setup.tollgate, "init", "--data", str(self.data)], 60)
            key_file.write_text(text.strip())
        self.key = key_file.read_text()
        self.server = Server(
            self.name, self.wrapper + [self.setup.tollgate, "serve", "--data", str(self.data), "--listen", "127.0.0.1:0"],
            self.directory)
        self.address = self.server.address()

    def prepare(self):
        machine.run(
            [self.setup.tollgate, "bench", "prepare", "--address", self.address, "--key", self.key, "--tenants",
             str(self.tenants), "--concurrency", "64"], 3_600)
        machine.settle(self.server.pid)

    def load(self, work, connections, in_flight, seconds, *more):
        return machine.run_json(
            [self.setup.tollgate, "bench", "load", "--address", self.address, "--key", self.key, "--work", work,
             "--connections", str(connections), "--in-flight", str(in_flight), "--tenants", str(self.tenants),
             "--seconds", str(seconds), "--warmup", "0", "--json", *more], slack(seconds))

    def run(self, work, connections, in_flight, seconds, *more):
        return self.measured(lambda: self.load(work, connections, in_flight, seconds, *more))

    def steps(self, shape, seconds, *more):
        return self.run("steps", *shape, seconds, *more)

    def shard_bytes(self):
        """What the data directory takes on the disk, without the journal."""
        return machine.disk_bytes(self.data, without=(JOURNAL,))

    def journal_bytes(self):
        return machine.disk_bytes(self.data / JOURNAL)

    def proved(self):
        """Ends the server and proves its books from their entries, in words."""
        self.server.stop()
        began = time.monotonic()
        report, _ = machine.run_json([self.setup.tollgate, "verify", "--data", str(self.data), "--json"], 7_200, allowed=(0,))
        entries = sum(book["entries"] for book in report["books"])
        return (f"`tollgate verify` proved {entries:,} entries of the last round in {time.monotonic() - began:.0f} s: "
                f"{'all is well' if report['ok'] else 'THE BOOK IS WRONG'}.")


class GRPC(System):
    """The plain C++ gRPC server with a SQLite transaction per call; loaded by Tollgate's own generator."""

    name = "grpc"

    def __init__(self, setup, tenants):
        super().__init__(setup, f"-{tenants}")
        self.tenants = tenants

    def start(self):
        self.server = Server(self.name, [str(self.setup.peers / "grpc-sqlite"), str(self.directory)], self.directory)
        self.address = self.server.address()
        self.key = "bench"

    load = Tollgate.load
    run = Tollgate.run
    steps = Tollgate.steps


class Redis(System):
    """Redis 7 with the two steps as Lua scripts and `appendfsync always`."""

    name = "redis"

    def __init__(self, setup, tenants):
        super().__init__(setup, f"-{tenants}")
        self.tenants = tenants

    def start(self):
        self.socket = self.directory / "socket"
        self.server = Server(self.name, [
            shutil.which("redis-server") or "redis-server", "--port", "0", "--unixsocket", str(self.socket), "--dir",
            str(self.directory), "--save", "", "--appendonly", "yes", "--appendfsync", "always",
            "--auto-aof-rewrite-percentage", "0", "--daemonize", "no"], self.directory)
        self.server.wait_until(lambda: accepts(self.socket))

    def steps(self, shape, seconds):
        connections, in_flight = shape
        return self.measured(lambda: machine.run_json(
            [str(self.setup.peers / "redis-load"), str(self.socket), str(PEERS / "redis"), str(connections),
             str(in_flight), str(self.tenants), str(seconds)], slack(seconds)))


class Postgres(System):
    """PostgreSQL 15 with the two steps as PL/pgSQL functions, loaded by pgbench; never as root."""

    name = "postgres"
    stop_signal = signal.SIGINT
    settings = {
        "listen_addresses": "", "synchronous_commit": "on", "shared_buffers": "2GB", "max_wal_size": "8GB",
        "checkpoint_timeout": "15min", "wal_level": "minimal", "max_wal_senders": "0", "max_connections": "100",
        "jit": "off",
    }

    def __init__(self, setup, tenants):
        super().__init__(setup, f"-{tenants}")
        self.tenants, self.runs = tenants, 0

    def start(self):
        as_user = []
        if os.geteuid() == 0:
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            shutil.chown(self.directory, "postgres", "postgres")
        data = str(self.directory / "data")
        machine.run([*as_user, str(POSTGRES / "initdb"), "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8",
                     "--no-locale"], 120, cwd=self.directory)
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        # A change of user clears the wish to die with the parent, so setpriv sets it anew.
        as_user += ["--pdeathsig", "KILL"] if as_user else []
        self.server = Server(self.name, [*as_user, str(POSTGRES / "postgres"), "-D", data, "-c",
                                         f"unix_socket_directories={self.directory}", *options],
                             self.directory, cwd=self.directory)
        self.server.wait_until(lambda: accepts(self.directory / ".s.PGSQL.5432") and self.answers())
        self.psql("-v", f"tenants={self.tenants}", "-f", str(PEERS / "postgres" / "schema.sql"))

    def psql(self, *arguments):
        return machine.run([str(POSTGRES / "psql"), "-h", str(self.directory), "-U", "postgres", "-X", "-q", "-v",
                            "ON_ERROR_STOP=1", *arguments], 120)[0]

    def answers(self):
        try:
            self.psql("-c", "SELECT 1")
            return True
        except Failed:
            return False

    def cpu_us(self):
        return machine.tree_cpu_us(self.server.pid)

    def steps(self, shape, seconds):
        clients = shape[0]
        self.runs += 1
        prefix = self.directory / f"latency-{self.runs}"

        def work():
            threads = min(clients, 2)
            text, cpu = machine.run(
                [str(POSTGRES / "pgbench"), "-h", str(self.directory), "-U", "postgres", "-n", "-M", "prepared", "-f",
                 str(PEERS / "postgres" / "step.sql"), "-c", str(clients), "-j", str(threads), "-T", str(seconds), "-l",
                 f"--log-prefix={prefix}", "-D", "is_open=false", "-D", "count=0", "-D", f"clients={clients}", "-D",
                 f"tenants={self.tenants}", "-D", f"run={time.time_ns() // 1_000}", "postgres"], slack(seconds))
            # Backends end with their connections; the postmaster has their CPU once it has waited for them.
            time.sleep(0.3)
            return pgbench_report(text, prefix, seconds), cpu

        return self.measured(work, settles=False)


def pgbench_report(text, prefix, seconds):
    """What pgbench printed and logged, as a load generator's report. The log has a line a step: client, number, µs, …"""
    found = {key.strip(): value for key, _, value in
             (line.replace(" = ", ": ", 1).partition(": ") for line in text.splitlines())}
    try:
        rate = float(found["tps"].split()[0])
        steps = int(found["number of transactions actually processed"].split("/")[0])
    except (KeyError, ValueError) as error:
        raise Failed(f"pgbench printed no rate: {text.strip()[-200:]!r}") from error
    latencies = []
    for log in prefix.parent.glob(prefix.name + ".*"):
        with open(log) as lines:
            latencies += [int(line.split(" ", 3)[2]) for line in lines]
        log.unlink()
    if len(latencies) < 2:
        raise Failed("pgbench logged no latencies")
    cuts = statistics.quantiles(latencies, n=1_000, method="inclusive")
    latency = {"p50": cuts[499], "p90": cuts[899], "p99": cuts[989], "p999": cuts[998], "max": max(latencies)}
    return {"steps": steps, "steps_per_second": rate, "seconds": seconds, "errors": 0, "latency_us": latency}


def accepts(path):
    """Whether somebody listens at a Unix socket."""
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(path))
        return True
    except OSError:
        return False
