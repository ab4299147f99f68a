"""Tollgate as it is measured, and what all systems share: a throw-away server and `steps(shape, seconds)` for a run."""

import os
import pathlib
import signal
import time

from . import machine
from .machine import Failed, Server
from .sample import all_steps, from_load

ROOT = pathlib.Path(__file__).resolve().parents[2]
JOURNAL = "journal"


def slack(seconds):
    """How long a client that runs for so many seconds may take before it counts as hanging."""
    return seconds * 2 + 120


class Setup:
    """Where binaries lie and where servers may work."""

    def __init__(self, tollgate, peers, directory, book=None):
        self.tollgate, self.peers, self.directory = str(tollgate), pathlib.Path(peers), pathlib.Path(directory)
        # The large book's directory, where it is to outlive the run.
        self.book = book


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
        began, stolen = time.monotonic(), machine.stolen_us()
        report, client_us = work()
        answered = self.cpu_us()
        lasted_us = (time.monotonic() - began) * 1e6 * os.cpu_count()
        stolen_percent = (machine.stolen_us() - stolen) / lasted_us * 100
        caught_up = machine.settle(self.server.pid) if settles else None
        if self.server.process.poll() is not None:
            raise Failed(f"the server ended with {self.server.process.returncode}: {self.server.tail()}")
        after = machine.thread_cpu_us(self.server.pid)
        steps = all_steps(report)
        return from_load(
            report,
            self.cpu_us() - before,
            client_us,
            catch_up_seconds=caught_up,
            stolen_percent=stolen_percent,
            server_cpu_us_until_answered=(answered - before) / steps,
            threads={name: (spent - threads.get(name, 0.0)) / steps for name, spent in after.items()},
        )


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
            self.name,
            self.wrapper + [self.setup.tollgate, "serve", "--data", str(self.data), "--listen", "127.0.0.1:0"],
            self.directory,
        )
        self.address = self.server.address()

    def prepare(self):
        machine.run(
            [
                self.setup.tollgate,
                "bench",
                "prepare",
                "--address",
                self.address,
                "--key",
                self.key,
                "--tenants",
                str(self.tenants),
                "--concurrency",
                "64",
            ],
            3_600,
        )
        machine.settle(self.server.pid)

    def load(self, work, connections, in_flight, seconds, *more):
        return machine.run_json(
            [
                self.setup.tollgate,
                "bench",
                "load",
                "--address",
                self.address,
                "--key",
                self.key,
                "--work",
                work,
                "--connections",
                str(connections),
                "--in-flight",
                str(in_flight),
                "--tenants",
                str(self.tenants),
                "--seconds",
                str(seconds),
                "--warmup",
                "0",
                "--json",
                *more,
            ],
            slack(seconds),
        )

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
        report, _ = machine.run_json(
            [self.setup.tollgate, "verify", "--data", str(self.data), "--json"], 7_200, allowed=(0,)
        )
        entries = sum(book["entries"] for book in report["books"])
        return (
            f"`tollgate verify` proved {entries:,} entries of the last round in {time.monotonic() - began:.0f} s: "
            f"{'all is well' if report['ok'] else 'THE BOOK IS WRONG'}."
        )
