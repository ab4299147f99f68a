"""The running server as gRPC's own tools, probes, proxies and rude peers see it on the wire."""

import socket
import time

import grpc
import h2.config
import h2.connection
import h2.events
import hpack
import hyperframe.frame as frames
import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from support import Server

SERVICES = {"Metering", "Credits", "Admin", "Settings", "Purchases"}
GET_BALANCE = "/tollgate.v1.Credits/GetBalance"
EMPTY_MESSAGE = b"\0\0\0\0\0"
DEADLINE_S = 20


class Peer:
    """An HTTP/2 client that sends what it is told, sense or nonsense, and keeps what comes."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False))
        self.h2.initiate_connection()
        self.events = []
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def request(self, path=GET_BALANCE, body=EMPTY_MESSAGE, end=True, leave_out=(), **headers):
        """Sends one request; header names have underscores for dashes."""
        fields = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "localhost", "te": "trailers",
                  "content-type": "application/grpc"}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        if "method" in fields:
            fields[":method"] = fields.pop("method")
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [field for field in fields.items() if field[0] not in leave_out])
        if body:
            self.h2.send_data(stream, body)
        if end:
            self.h2.end_stream(stream)
        self.flush()
        return stream

    def pump(self):
        """Reads once; false at the connection's end."""
        data = self.socket.recv(65536)
        if not data:
            return False
        events = self.h2.receive_data(data)
        self.events += events
        for event in events:
            if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        return True

    def answer(self, stream):
        """All headers and trailers of a stream as one dictionary, and its body, once it has ended."""
        ends = (h2.events.StreamEnded, h2.events.StreamReset, h2.events.ConnectionTerminated)
        while not any(isinstance(e, ends) and getattr(e, "stream_id", stream) == stream for e in self.events):
            if not self.pump():
                break
        mine = [event for event in self.events if getattr(event, "stream_id", None) == stream]
        headers = {}
        for event in mine:
            if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                headers.update({name.decode(): value.decode() for name, value in event.headers})
        body = b"".join(event.data for event in mine if isinstance(event, h2.events.DataReceived))
        return headers, body

    def ask(self, *arguments, **options):
        return self.answer(self.request(*arguments, **options))


@pytest.fixture(scope="module")
def lasting_server(binary, tmp_path_factory):
    """One server for all tests that leave it as it was."""
    server = Server(binary, tmp_path_factory.mktemp("wire"))
    server.start()
    yield server
    server.end()


@pytest.fixture
def peer(lasting_server):
    with Peer(lasting_server.address) as peer:
        yield peer


@pytest.fixture
def channel(lasting_server):
    with grpc.insecure_channel(lasting_server.address) as channel:
        yield channel


def test_the_health_page_answers_over_http2(peer):
    headers, body = peer.ask("/healthz", body=b"", method="GET", leave_out=("content-type", "te"))
    assert (headers[":status"], body) == ("200", b"ok\n")


def test_grpcio_sees_health_of_server_and_services(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    for service in [""] + [f"tollgate.v1.{name}" for name in SERVICES]:
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE_S)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, service
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(health_pb2.HealthCheckRequest(service="no.Such"), timeout=DEADLINE_S)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="no.Such"), timeout=DEADLINE_S)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


def test_grpcio_learns_the_schema_by_reflection(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    assert {f"tollgate.v1.{name}" for name in SERVICES} <= set(database.get_services())
    pool = descriptor_pool.DescriptorPool(database)
    service = pool.FindServiceByName("tollgate.v1.Metering")
    reserve = service.FindMethodByName("Reserve")
    request = message_factory.GetMessageClass(reserve.input_type)()
    request.quantities["context_tokens"] = 7
    assert request.SerializeToString()
    assert pool.FindMessageTypeByName("tollgate.v1.ReserveRequest").fields_by_name["reservation_id"].number > 0


@pytest.mark.parametrize("headers, expected", [
    ({"content_type": "application/json"}, {":status": "415"}),
    ({"content_type": "application/grpcx"}, {":status": "415"}),
    ({"leave_out": ("content-type",)}, {":status": "415"}),
    ({"method": "PUT"}, {":status": "405"}),
    ({"path": "/tollgate.v1.Credits/Nope"}, {":status": "200", "grpc-status": "12"}),
    ({"path": "/"}, {":status": "200", "grpc-status": "12"}),
    ({"grpc_encoding": "gzip"}, {"grpc-status": "12", "grpc-accept-encoding": "identity"}),
    ({"grpc_timeout": "0n"}, {"grpc-status": "4"}),
    ({"x_bin": "!"}, {"grpc-status": "13"}),
    ({"leave_out": ("te",)}, {":status": "200", "grpc-status": "16"}),
    ({}, {":status": "200", "content-type": "application/grpc", "grpc-status": "16"}),
])
def test_what_is_wrong_with_a_request_is_told(peer, headers, expected):
    answer, _ = peer.ask(**headers)
    assert {name: answer.get(name) for name in expected} == expected
    assert peer.ask("/healthz", body=b"", method="GET")[0][":status"] == "200", "the connection lives on"


@pytest.mark.parametrize("body, status", [
    (b"\1\0\0\0\0", "13"), (b"\2\0\0\0\0", "13"), (b"\0\0\0\0\5x", "13"), (b"\0\0", "13"), (b"", "12"),
    (EMPTY_MESSAGE * 2, "12"), (b"\0\xff\xff\xff\xff", "8"), (b"\0\0\0\0\2\x0a\xff", "13"),
])
def test_broken_messages_end_the_call_alone(peer, body, status):
    answer, _ = peer.ask("/grpc.health.v1.Health/Check", body=body)
    assert answer["grpc-status"] == status
    assert peer.ask("/grpc.health.v1.Health/Check")[0]["grpc-status"] == "0"


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_a_page_that_is_asked_for_without_an_end_leaves_no_stream_open(peer, path):
    stream = peer.request(path, body=b"", method="GET", end=False)
    assert peer.answer(stream)[0][":status"] == "200"
    while not any(isinstance(event, h2.events.StreamReset) for event in peer.events):
        assert peer.pump()
    assert next(event for event in peer.events if isinstance(event, h2.events.StreamReset)).error_code == 0


def test_metadata_outside_printable_ascii_is_no_error_of_the_connection(peer):
    assert peer.ask(x_odd=b"\x80\xffg\xc3\xbc")[0]["grpc-status"] == "16"
    # Control characters are not even HTTP: the stream ends, and nothing else.
    answer, _ = peer.ask(x_odd=b"a\x01b")
    assert answer.get("grpc-status") in (None, "16")
    assert peer.ask()[0]["grpc-status"] == "16"


@pytest.mark.parametrize("value, status", [
    ("AQ==", "16"), ("AQ", "16"), ("AQ==,Ag", "16"), ("AQ,!", "13"), ("A", "13"), ("AQ=", "13")])
def test_binary_metadata_is_split_before_it_is_decoded(peer, value, status):
    assert peer.ask(x_bin=value)[0]["grpc-status"] == status


def test_metadata_over_the_limit_is_refused_and_the_connection_lives(peer):
    assert peer.ask(x_large="x" * 15_000)[0]["grpc-status"] == "16"
    assert peer.ask(x_large="x" * 9_000, x_more="y" * 9_000)[0]["grpc-status"] == "8"
    assert peer.ask()[0]["grpc-status"] == "16"


def test_an_early_status_comes_before_the_reset(peer):
    began = time.monotonic()
    stream = peer.request(end=False)
    answer, _ = peer.answer(stream)
    assert answer["grpc-status"] == "16"
    while not any(isinstance(event, h2.events.StreamReset) for event in peer.events):
        assert peer.pump()
    reset = next(event for event in peer.events if isinstance(event, h2.events.StreamReset))
    assert reset.error_code == 0
    assert time.monotonic() - began >= 0.15, "proxies lose a status that a reset follows at once"


def read_frames(connection):
    """All frames up to the connection's end, pings answered. h2 itself takes nothing after a first GOAWAY."""
    pending = b""
    while True:
        while len(pending) >= 9:
            frame, length = frames.Frame.parse_frame_header(memoryview(pending[:9]))
            if len(pending) < 9 + length:
                break
            frame.parse_body(memoryview(pending[9:9 + length]))
            pending = pending[9 + length:]
            if isinstance(frame, frames.PingFrame) and "ACK" not in frame.flags:
                connection.sendall(frames.PingFrame(0, frame.opaque_data, flags=["ACK"]).serialize())
            yield frame
        data = connection.recv(65536)
        if not data:
            return
        pending += data


def test_a_drain_says_goaway_twice_and_ends_with_success(server):
    goaways, body, trailers = [], b"", {}
    with Peer(server.address) as peer:
        watch = peer.request("/grpc.health.v1.Health/Watch")
        decoder = hpack.Decoder()
        for frame in read_frames(peer.socket):
            if isinstance(frame, frames.GoAwayFrame):
                goaways.append((frame.last_stream_id, frame.error_code))
            elif isinstance(frame, frames.HeadersFrame):
                trailers = dict(decoder.decode(frame.data))
            elif isinstance(frame, frames.DataFrame):
                body += frame.data
                if not goaways and len(body) == 7:
                    server.process.terminate()
    assert goaways == [(2**31 - 1, 0), (watch, 0)]
    assert body == b"\0\0\0\0\2\x08\1" + b"\0\0\0\0\2\x08\2", "serving, then no more"
    assert trailers["grpc-status"] == "14"
    assert server.process.wait(DEADLINE_S) == 0
