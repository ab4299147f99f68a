"""The machine's limits: the bare echo of our HTTP/2 server, nghttpd, and fdatasync."""

import re
import shutil
import socket

from . import machine
from .machine import Failed, Server
from .systems import System, Tollgate, slack

BODY_BYTES = 128


class Echo(System):
    """`tollgate bench echo`: our HTTP/2 layer alone, which answers each request with its body."""

    name = "echo"
    tenants = 1
    key = "bench"

    def start(self):
        self.server = Server(self.name, [self.setup.tollgate, "bench", "echo", "--port", "0"], self.directory)
        self.address = self.server.address()

    load = Tollgate.load

    def calls(self, shape, seconds):
        return self.measured(lambda: self.load("echo", *shape, seconds), settles=False)

    def h2load(self, shape, seconds):
        """The same server under h2load, POST with a body of the same length: how light our generator is."""
        body = self.directory / "body"
        body.write_bytes(b"\0" * BODY_BYTES)
        return self.measured(
            lambda: h2load(
                f"http://{self.address}/tollgate.v1.Metering/Reserve",
                shape,
                seconds,
                "-d",
                str(body),
                "-H",
                "content-type: application/grpc",
                "-H",
                "te: trailers",
            ),
            settles=False,
        )


class Nghttpd(System):
    """nghttpd, the server that comes with nghttp2, giving out a small file."""

    name = "nghttpd"

    def start(self):
        (self.directory / "file").write_bytes(b"\0" * BODY_BYTES)
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/file"
        self.server = Server(
            self.name,
            [
                shutil.which("nghttpd") or "/usr/sbin/nghttpd",
                "--no-tls",
                "--address=127.0.0.1",
                f"--htdocs={self.directory}",
                str(port),
            ],
            self.directory,
        )
        self.server.wait_until(lambda: listens(port))

    def calls(self, shape, seconds):
        return self.measured(lambda: h2load(self.url, shape, seconds), settles=False)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def h2load(url, shape, seconds, *more):
    """Runs h2load: (a report as a load generator's, its CPU in µs). It tells no percentiles, so there are none."""
    connections, in_flight = shape
    text, cpu = machine.run(
        ["h2load", "-c", str(connections), "-m", str(in_flight), "-t", "1", "-D", str(seconds), *more, url],
        slack(seconds),
    )
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", text)
    counts = re.search(r"requests: .* (\d+) done, (\d+) succeeded, (\d+) failed", text)
    if not rate or not counts:
        raise Failed(f"h2load printed no rate: {text.strip()[-200:]!r}")
    done, succeeded, _ = (int(count) for count in counts.groups())
    wrong = done - succeeded
    report = {
        "steps": done,
        "steps_per_second": float(rate[1]),
        "seconds": seconds,
        "errors": wrong,
        "first_error": f"{wrong} answers were not 2xx" if wrong else "",
        "latency_us": {"p50": None, "p90": None, "p99": None, "p999": None, "max": None},
    }
    return report, cpu


def governed(setup):
    """What a reserve and its release cost the core in a tenant with much in its book, beside a new one."""
    report, _ = machine.run_json([setup.tollgate, "bench", "ledger", "--json"], slack(10), allowed=(0,))
    return {field: report[field] for field in ("fresh_ns", "large_ns", "ratio")}


def sync(setup, seconds):
    """What one overwrite in place with fdatasync takes."""
    directory = setup.directory / "sync"
    directory.mkdir(parents=True, exist_ok=True)
    try:
        report, _ = machine.run_json(
            [setup.tollgate, "bench", "sync", str(directory), "--seconds", str(seconds), "--bytes", "4096", "--json"],
            slack(seconds),
            allowed=(0,),
        )
    finally:
        machine.remove(directory)
    latency = report.get("latency_us", report)
    try:
        return {"p50_us": latency["p50"], "p99_us": latency["p99"]}
    except KeyError:
        return {"p50_us": report["p50_us"], "p99_us": report["p99_us"]}
