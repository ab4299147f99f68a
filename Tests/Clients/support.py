"""What the tests share: a server under test, a client of it, and readable errors."""

import pathlib
import resource
import select
import signal
import subprocess
import threading
import time
import uuid

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

CREDIT = 1_000_000
DEADLINE_S = 60
ROOT = pathlib.Path(__file__).resolve().parents[2]
TRACE = ROOT / "../shared/data/AzureLLMInferenceTrace_conv.csv"


def new_id():
    """An id for a step: a UUID of version 7."""
    ms = time.time_ns() // 1_000_000
    random = uuid.uuid4().int
    low = (2 << 62) | (random & ((1 << 62) - 1))
    return str(uuid.UUID(int=(ms << 80) | (7 << 76) | (random & (0xFFF << 64)) | low))


class Server:
    """One data directory and the server that works in it, which may end and begin again."""

    def __init__(self, binary, directory, *options, data=None, user=None, limits=()):
        """user: the number of who runs it, in place of whoever runs the tests. limits: of its resources, by their names."""
        self.binary = str(binary)
        self.data = str(data or directory / "data")
        self.options = options
        self.log_path = directory / "server.log"
        self.process = None
        self.address = "127.0.0.1:0"
        self.key = None
        self.clients = []
        self.identity = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        if limits:
            self.identity["preexec_fn"] = lambda: [resource.setrlimit(kind, values) for kind, values in limits]

    def init(self):
        done = self.run("init", "--data", self.data)
        assert done.returncode == 0, done.stderr
        self.key = next(word for word in done.stdout.split() if word.startswith("tg_"))

    def start(self):
        """Starts the server, on the port that it had before if there was one."""
        if self.key is None:
            self.init()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data", self.data, "--listen", self.address, *self.options],
                stdout=subprocess.PIPE, stderr=log, text=True, **self.identity)
        ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE_S)
        line = self.process.stdout.readline() if ready else ""
        assert line.startswith("listening on "), f"no server: {line!r}\n{self.log()}"
        self.address = line.split()[-1]

    def restart(self):
        """Starts on another port, where no client of before finds it by itself."""
        self.close_clients()
        self.address = "127.0.0.1:0"
        self.start()

    def kill(self):
        """As a crash: no chance to finish anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE_S)
        self.process.stdout.close()

    def stop(self):
        """As an operator: steps under way finish. Returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE_S)
        self.process.stdout.close()
        return status

    def end(self):
        self.close_clients()
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def close_clients(self):
        for client in self.clients:
            client.bare.close()
        self.clients.clear()

    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def run(self, *arguments, key=None, tenant=None, timeout=DEADLINE_S * 4, environment=None):
        """Runs the command against this server."""
        variables = {"PATH": "/usr/bin:/bin", "TOLLGATE_SERVER": self.address}
        if key or self.key:
            variables["TOLLGATE_KEY"] = key or self.key
        if tenant:
            variables["TOLLGATE_TENANT"] = tenant
        return subprocess.run(
            [self.binary, *arguments], capture_output=True, text=True, timeout=timeout,
            env=variables if environment is None else environment, **self.identity)

    def verify(self):
        done = self.run("verify", "--data", self.data)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def client(self, key=None, tenant=None, actor=None):
        """A client with the root key, or with another one; False for none."""
        client = Client(self.address, self.key if key is None else key, tenant, actor)
        self.clients.append(client)
        return client

    def tenant(self, name="acme", credits=None, kind=None):
        """Makes a tenant, with credits if any are named, and returns a platform client for it."""
        from tollgate.v1 import admin_pb2, common_pb2

        client = self.client()
        admin = client.admin
        admin.CreateTenant(admin_pb2.CreateTenantRequest(tenant_id=name), timeout=DEADLINE_S)
        if credits:
            admin.GrantCredits(
                admin_pb2.GrantCreditsRequest(
                    grant_id=new_id(), tenant_id=name, kind=kind or common_pb2.GRANT_KIND_PURCHASED,
                    amount_micros=credits * CREDIT), timeout=DEADLINE_S)
        client.close()
        return self.client(tenant=name)

    def new_key(self, role, tenant=""):
        from tollgate.v1 import admin_pb2

        request = admin_pb2.CreateKeyRequest(tenant_id=tenant, role=role, name=f"{role} of {tenant or 'all'}")
        return self.client().admin.CreateKey(request, timeout=DEADLINE_S)


class Client:
    """The stubs of all services over one channel, with a key, and a tenant where one is named."""

    def __init__(self, address, key, tenant=None, actor=None):
        from tollgate.v1 import (
            admin_pb2_grpc, credits_pb2_grpc, metering_pb2_grpc, purchases_pb2_grpc, settings_pb2_grpc,
            test_clock_pb2_grpc)

        extra = [("authorization", f"Bearer {key}")] if key is not False else []
        if tenant is not None:
            extra.append(("tollgate-tenant", tenant))
        if actor is not None:
            extra.append(("tollgate-actor", actor))
        # A channel of its own for each client: grpcio would let equal ones share a connection.
        self.bare = grpc.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100),
                              ("grpc.max_reconnect_backoff_ms", 500)])
        self.channel = grpc.intercept_channel(self.bare, WithMetadata(extra))
        self.metering = metering_pb2_grpc.MeteringStub(self.channel)
        self.credits = credits_pb2_grpc.CreditsStub(self.channel)
        self.settings = settings_pb2_grpc.SettingsStub(self.channel)
        self.purchases = purchases_pb2_grpc.PurchasesStub(self.channel)
        self.admin = admin_pb2_grpc.AdminStub(self.channel)
        self.clock = test_clock_pb2_grpc.TestClockStub(self.channel)

    def close(self):
        self.bare.close()

    def stub(self, service):
        """The stub of a service by its name in the schema."""
        name = {"TestClock": "clock"}.get(service, service.lower())
        return getattr(self, name)

    def balance(self):
        from tollgate.v1 import credits_pb2

        return self.credits.GetBalance(credits_pb2.GetBalanceRequest(), timeout=DEADLINE_S).balance


class _Details(grpc.ClientCallDetails):
    def __init__(self, details, extra):
        self.method = details.method
        self.timeout = details.timeout if details.timeout is not None else DEADLINE_S
        self.metadata = list(details.metadata or []) + extra
        self.credentials = details.credentials
        self.wait_for_ready = details.wait_for_ready
        self.compression = details.compression


class WithMetadata(
        grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor):
    """Adds metadata and a deadline to every call."""

    def __init__(self, extra):
        self.extra = extra

    def intercept_unary_unary(self, proceed, details, request):
        return proceed(_Details(details, self.extra), request)

    def intercept_unary_stream(self, proceed, details, request):
        return proceed(_Details(details, self.extra), request)

    def intercept_stream_stream(self, proceed, details, requests):
        return proceed(_Details(details, self.extra), requests)


def details(error):
    """The ErrorInfo and BadRequest of an error; None where it has none."""
    status = rpc_status.from_call(error)
    info, bad = None, None
    for detail in status.details if status else []:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = error_details_pb2.BadRequest()
            detail.Unpack(bad)
    return info, bad


class refused:
    """`with refused(code, reason, field)`: the call inside must be refused just so."""

    def __init__(self, code, reason=None, field=None):
        self.code, self.reason, self.field = code, reason, field

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        assert error is not None, f"was not refused with {self.reason or self.code}"
        if not isinstance(error, grpc.RpcError):
            return False
        info, bad = details(error)
        found = (error.code(), info.reason if info else None)
        assert found == (self.code, self.reason), f"{found}: {error.details()}"
        if info:
            assert info.domain == "tollgate"
        if self.field is not None:
            assert [v.field for v in bad.field_violations] == [self.field], error.details()
            assert bad.field_violations[0].description
        self.error = error
        return True


class Background:
    """Work of a thread of its own, which ends by itself or looks whether `ends` is set. What fails there, who waits is told."""

    def __init__(self):
        self.failure, self.ends = None, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            self.work()
        except BaseException as failure:  # The thread that waits must learn of everything.
            self.failure = failure

    def stop(self):
        self.ends.set()
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive(), f"{type(self).__name__} does not end"
        if self.failure:
            raise self.failure
        return self


def in_parallel(count, work):
    """Runs work(0) … work(count - 1) on as many threads, all from the same moment, and returns what they return."""
    results = [None] * count
    failures = []
    gate = threading.Barrier(count)

    def run(index):
        try:
            gate.wait(DEADLINE_S)
            results[index] = work(index)
        except BaseException as failure:  # The thread that waits must learn of everything.
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S * 4)
    if failures:
        raise failures[0]
    return results
