"""The peers: what one would pick instead, each as one who knows it would run it."""

import os
import pathlib
import shutil
import signal
import socket
import statistics
import time

from . import machine
from .machine import Failed, Server
from .systems import ROOT, System, Tollgate, slack

PEERS = ROOT / "Bench" / "peers"
POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")


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
        self.server = Server(
            self.name,
            [
                shutil.which("redis-server") or "redis-server",
                "--port",
                "0",
                "--unixsocket",
                str(self.socket),
                "--dir",
                str(self.directory),
                "--save",
                "",
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--auto-aof-rewrite-percentage",
                "0",
                "--daemonize",
                "no",
            ],
            self.directory,
        )
        self.server.wait_until(lambda: accepts(self.socket))

    def steps(self, shape, seconds):
        connections, in_flight = shape
        return self.measured(
            lambda: machine.run_json(
                [
                    str(self.setup.peers / "redis-load"),
                    str(self.socket),
                    str(PEERS / "redis"),
                    str(connections),
                    str(in_flight),
                    str(self.tenants),
                    str(seconds),
                ],
                slack(seconds),
            )
        )


class Postgres(System):
    """PostgreSQL 15 with the two steps as PL/pgSQL functions, loaded by pgbench; never as root."""

    name = "postgres"
    stop_signal = signal.SIGINT
    settings = {
        "listen_addresses": "",
        "synchronous_commit": "on",
        "shared_buffers": "2GB",
        "max_wal_size": "8GB",
        "checkpoint_timeout": "15min",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_connections": "100",
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
        machine.run(
            [
                *as_user,
                str(POSTGRES / "initdb"),
                "-D",
                data,
                "-U",
                "postgres",
                "--auth=trust",
                "-E",
                "UTF8",
                "--no-locale",
            ],
            120,
            cwd=self.directory,
        )
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        # A change of user clears the wish to die with the parent, so setpriv sets it anew.
        as_user += ["--pdeathsig", "KILL"] if as_user else []
        self.server = Server(
            self.name,
            [
                *as_user,
                str(POSTGRES / "postgres"),
                "-D",
                data,
                "-c",
                f"unix_socket_directories={self.directory}",
                *options,
            ],
            self.directory,
            cwd=self.directory,
        )
        self.server.wait_until(lambda: accepts(self.directory / ".s.PGSQL.5432") and self.answers())
        self.psql("-v", f"tenants={self.tenants}", "-f", str(PEERS / "postgres" / "schema.sql"))

    def psql(self, *arguments):
        return machine.run(
            [
                str(POSTGRES / "psql"),
                "-h",
                str(self.directory),
                "-U",
                "postgres",
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                *arguments,
            ],
            120,
        )[0]

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
                [
                    str(POSTGRES / "pgbench"),
                    "-h",
                    str(self.directory),
                    "-U",
                    "postgres",
                    "-n",
                    "-M",
                    "prepared",
                    "-f",
                    str(PEERS / "postgres" / "step.sql"),
                    "-c",
                    str(clients),
                    "-j",
                    str(threads),
                    "-T",
                    str(seconds),
                    "-l",
                    f"--log-prefix={prefix}",
                    "-D",
                    "is_open=false",
                    "-D",
                    "count=0",
                    "-D",
                    f"clients={clients}",
                    "-D",
                    f"tenants={self.tenants}",
                    "-D",
                    f"run={time.time_ns() // 1_000}",
                    "postgres",
                ],
                slack(seconds),
            )
            # Backends end with their connections; the postmaster has their CPU once it has waited for them.
            time.sleep(0.3)
            return pgbench_report(text, prefix, seconds), cpu

        return self.measured(work, settles=False)


def pgbench_report(text, prefix, seconds):
    """What pgbench printed and logged, as a load generator's report. The log has a line a step: client, count, µs, …"""
    found = {
        key.strip(): value
        for key, _, value in (line.replace(" = ", ": ", 1).partition(": ") for line in text.splitlines())
    }
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
