"""A real server for each test that asks for one, and Python stubs made of Schemas/ by grpcio-tools.

TOLLGATE names the binary; without it that of `make build` is taken. Every server listens on a port of its own choosing,
works in a directory of its own, and is ended by its process id.
"""

import importlib
import os
import pathlib
import subprocess
import sys

import pytest

# Before grpcio is imported: its handlers of fork, which wait for its own threads, may wait for ever (gRPC's
# doc/fork_support.md). Whoever is forked here becomes another program at once.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

LOG_TAIL_LINES = 40
COVERED = pytest.StashKey()

sys.path.insert(0, str(pathlib.Path(__file__).parent))

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def binary():
    path = pathlib.Path(os.environ.get("TOLLGATE", ROOT / ".build/release/tollgate"))
    assert path.exists(), f"{path} is not there: run `make build`, or name the binary in TOLLGATE"
    return path


@pytest.fixture(scope="session", autouse=True)
def stubs(tmp_path_factory):
    """The generated modules, importable as tollgate.v1.<file>_pb2."""
    import grpc_tools

    out = tmp_path_factory.mktemp("stubs")
    schemas = ROOT / "Schemas"
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{schemas}", f"-I{well_known}", f"--python_out={out}",
         f"--grpc_python_out={out}", *[str(p) for p in sorted((schemas / "tollgate/v1").glob("*.proto"))]],
        check=True)
    sys.path.insert(0, str(out))
    importlib.invalidate_caches()
    return out


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where a test fails, the logs of the servers that it used stand in its report."""
    report = yield
    if report.failed:
        servers = {id(value): value for value in item.funcargs.values() if hasattr(value, "log_path")}
        for server in servers.values():
            tail = "\n".join(server.log().splitlines()[-LOG_TAIL_LINES:])
            report.sections.append((f"log of the server in {server.data}", tail or "(empty)"))
    return report


def pytest_runtest_logreport(report):
    """What failed is said at once: a later test that hangs ends the run before pytest's own summary."""
    if report.failed:
        print(f"\nFAILED {report.nodeid} ({report.when})\n{report.longreprtext}", file=sys.__stderr__, flush=True)


@pytest.fixture
def covered(request):
    """covered("kill -9: 100 rounds"): what a proof covered, for the end of the run, where it is read whether or not tests fail.
    Lines that begin alike become one."""
    return request.config.stash.setdefault(COVERED, []).append


def pytest_terminal_summary(terminalreporter, config):
    merged = {}
    for line in config.stash.get(COVERED, []):
        what, _, rest = line.partition(": ")
        merged.setdefault(what, []).append(rest)
    for what, parts in merged.items():
        terminalreporter.write_line(f"covered: {what}: {'; '.join(parts)}" if parts[0] else f"covered: {what}")


def started(binary, directory, *options):
    from support import Server

    server = Server(binary, directory, *options)
    try:
        server.start()
        yield server
    finally:
        server.end()


@pytest.fixture
def server(binary, tmp_path):
    yield from started(binary, tmp_path)


@pytest.fixture(scope="module")
def shared_server(binary, tmp_path_factory):
    """One server for all tests of a file; each makes tenants of its own."""
    yield from started(binary, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def clocked_server(binary, tmp_path):
    """A server whose time moves by the test alone."""
    yield from started(binary, tmp_path, "--test-clock", "2026-03-01T12:00:00Z")


@pytest.fixture
def seed():
    """A seed that is printed, so that pytest shows it where a test fails. TOLLGATE_SEED runs one again."""
    value = int(os.environ.get("TOLLGATE_SEED") or int.from_bytes(os.urandom(4), "big"))
    print(f"TOLLGATE_SEED={value}")
    return value


@pytest.fixture
def serve(binary, tmp_path):
    """serve(catalog, at): starts a server on the test clock, with a catalog where one is given; ended with the test."""
    import json

    from support import Server

    servers = []

    def begin(catalog=None, at="2026-03-01T12:00:00Z", options=()):
        directory = tmp_path / f"server-{len(servers)}"
        directory.mkdir()
        if catalog is not None:
            path = directory / "catalog.json"
            path.write_text(json.dumps(catalog))
            options = ["--catalog", str(path), *options]
        server = Server(binary, directory, "--test-clock", at, *options)
        servers.append(server)
        server.start()
        return server

    try:
        yield begin
    finally:
        for server in servers:
            server.end()
