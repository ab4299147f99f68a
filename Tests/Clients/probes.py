"""How an operator looks at a server: its health by HTTP and by gRPC, and waiting for what must come."""

import contextlib
import socket
import time

import grpc
import h2.config
import h2.connection
import h2.events
from support import DEADLINE_S


def healthz(address):
    """`GET /healthz` over HTTP/2 without TLS: its status and body."""
    headers, body = get(address, "/healthz")
    return int(headers[":status"]), body


def metrics(address):
    """`GET /metrics` as Prometheus' own parser reads it: {name: number}, or {name: {label's value: number}}."""
    from prometheus_client.parser import text_string_to_metric_families

    # A page that was told less than 10 ms ago is told again: what happened before this call is to be in it.
    time.sleep(0.02)
    headers, body = get(address, "/metrics")
    assert (headers[":status"], headers["content-type"]) == ("200", "text/plain; version=0.0.4; charset=utf-8")
    found = {}
    for family in text_string_to_metric_families(body):
        assert family.documentation and family.type in ("counter", "gauge"), family
        for sample in family.samples:
            if sample.labels:
                (label,) = sample.labels.values()
                found.setdefault(sample.name, {})[label] = sample.value
            else:
                found[sample.name] = sample.value
    return found


def get(address, path):
    """A GET over HTTP/2 without TLS: the answer's headers and its body as text."""
    host, port = address.rsplit(":", 1)
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    connection.send_headers(
        1, [(":method", "GET"), (":path", path), (":scheme", "http"), (":authority", address)], end_stream=True)
    headers, body = None, b""
    with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as peer:
        peer.sendall(connection.data_to_send())
        while True:
            received = peer.recv(65_536)
            assert received, "the connection was closed without an answer"
            for event in connection.receive_data(received):
                if isinstance(event, h2.events.ResponseReceived):
                    headers = dict(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    return headers, body.decode()
            peer.sendall(connection.data_to_send())


def health(address, service=""):
    """The answer of `grpc.health.v1.Health/Check`: "SERVING" or "NOT_SERVING"."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=DEADLINE_S)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


@contextlib.contextmanager
def health_watch(address, service=""):
    """The stream of `grpc.health.v1.Health/Watch`, by the names of its states."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        stream = health_pb2_grpc.HealthStub(channel).Watch(request, timeout=DEADLINE_S)
        yield (health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status) for answer in stream)
        stream.cancel()


def wait_until(condition, what):
    """Waits for a condition, looking often; how long it takes is the machine's business."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)
