"""grpcio against the echo service of Tests/RPCTests, which starts this with its server's address in TOLLGATE_ECHO.

Messages have the fields text (1), payload (2) and count (3). They are encoded by hand here, so that no schema is needed.
"""

import concurrent.futures
import os
import threading
import time

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

SERVICE = "/tollgate.test.Echo/"


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(text="", payload=b"", count=0):
    raw = text.encode()
    out = b"\x0a" + varint(len(raw)) + raw if raw else b""
    out += b"\x12" + varint(len(payload)) + payload if payload else b""
    return out + (b"\x18" + varint(count) if count else b"")


@pytest.fixture(scope="module")
def channel():
    options = [("grpc.max_receive_message_length", 64 << 20)]
    with grpc.insecure_channel(os.environ["TOLLGATE_ECHO"], options=options) as channel:
        yield channel


def unary(channel, method="Unary"):
    return channel.unary_unary(SERVICE + method)


def code_of(call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("method", ["Direct", "Unary"])
def test_unary_echoes(channel, method):
    for size in (0, 1, 100, 70_000, 4_000_000):
        sent = message("x", b"p" * size)
        assert unary(channel, method)(sent, timeout=20) == sent


def test_streams_of_all_shapes(channel):
    requests = [message(f"{n},") for n in range(500)]
    collected = channel.stream_unary(SERVICE + "Collect")(iter(requests), timeout=20)
    assert collected == message("".join(f"{n}," for n in range(500)), count=500)
    expanded = list(channel.unary_stream(SERVICE + "Expand")(message("y", b"z" * 1000, 3000), timeout=20))
    assert expanded == [message("y", b"z" * 1000, n) for n in range(3000)]
    chatted = list(channel.stream_stream(SERVICE + "Chat")(iter(requests), timeout=20))
    assert chatted == requests


@pytest.mark.parametrize("method", ["Direct", "Unary"])
def test_errors_keep_code_and_text(channel, method):
    for code in grpc.StatusCode:
        if code is grpc.StatusCode.OK:
            continue
        error = code_of(lambda: unary(channel, method)(message(f"fail:{code.value[0]}:ümlaut\n☺ 100%"), timeout=20))
        assert (error.code(), error.details()) == (code, "ümlaut\n☺ 100%")


def test_a_private_error_stays_private(channel):
    error = code_of(lambda: unary(channel)(message("throw"), timeout=20))
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")


@pytest.mark.parametrize("method", ["Direct", "Unary"])
def test_metadata_goes_both_ways(channel, method):
    sent = (("x-text", "one"), ("x-data-bin", b"\x00\xff"), ("x-text", "two"), ("x-data-bin", b""))
    answer, call = unary(channel, method).with_call(message("metadata"), metadata=sent, timeout=20)
    assert answer == message("one|two")
    assert ("x-initial", "before") in call.initial_metadata()
    trailing = call.trailing_metadata()
    assert [value for key, value in trailing if key == "x-data-bin"] == [b"\x00\xff", b""]
    assert ("x-trailing", "after") in trailing


@pytest.mark.parametrize("method", ["Direct", "Unary"])
def test_the_deadline_ends_the_call(channel, method):
    began = time.monotonic()
    error = code_of(lambda: unary(channel, method)(message("wait"), timeout=0.2))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 10


def test_cancellation_leaves_the_connection_alone(channel):
    call = unary(channel).future(message("wait"))
    time.sleep(0.05)
    call.cancel()
    assert unary(channel)(message("after"), timeout=20) == message("after")


def test_too_large_a_message_is_refused_and_the_connection_lives(channel):
    error = code_of(lambda: unary(channel)(message("x", b"p" * (5 << 20)), timeout=20))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    error = code_of(lambda: channel.stream_unary(SERVICE + "Collect")(iter([message("x", b"p" * (5 << 20))]), timeout=20))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert unary(channel)(message("after"), timeout=20) == message("after")


def test_an_early_status_in_an_upload_is_seen(channel):
    def endless():
        while True:
            yield message("fail:9:enough")

    error = code_of(lambda: channel.stream_unary(SERVICE + "Collect")(endless(), timeout=20))
    assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "enough")


def test_unknown_methods_and_encodings_are_unimplemented(channel):
    assert code_of(lambda: unary(channel, "Nope")(b"", timeout=20)).code() is grpc.StatusCode.UNIMPLEMENTED
    error = code_of(lambda: unary(channel)(message("x" * 1000), compression=grpc.Compression.Gzip, timeout=20))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def test_an_undecodable_message_is_internal(channel):
    for method in ("Direct", "Unary"):
        assert code_of(lambda: unary(channel, method)(b"\x0a\xff", timeout=20)).code() is grpc.StatusCode.INTERNAL


def test_details_of_errors_are_read(channel):
    error = code_of(lambda: unary(channel)(message("details"), timeout=20))
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    assert status.code == 8 and status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == ("WHY", "tollgate.test", {"key": "value"})


def test_many_callers_at_once(channel):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        texts = [f"{n}" for n in range(1000)]
        answers = pool.map(lambda text: unary(channel, "Direct")(message(text), timeout=30), texts)
        assert list(answers) == [message(text) for text in texts]


def test_health(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest
    assert stub.Check(request(), timeout=20).status == health_pb2.HealthCheckResponse.SERVING
    assert stub.Check(request(service="tollgate.test.Echo"), timeout=20).status == health_pb2.HealthCheckResponse.SERVING
    assert code_of(lambda: stub.Check(request(service="no.Such"), timeout=20)).code() is grpc.StatusCode.NOT_FOUND
    for service, status in (("", "SERVING"), ("no.Such", "SERVICE_UNKNOWN")):
        watch = stub.Watch(request(service=service), timeout=20)
        assert health_pb2.HealthCheckResponse.ServingStatus.Name(next(watch).status) == status
        watch.cancel()


def test_reflection(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    assert set(database.get_services()) >= {
        "tollgate.test.Echo", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    file = database.FindFileContainingSymbol("grpc.health.v1.Health.Check")
    assert file.name == "grpc/health/v1/health.proto"
    assert database.FindFileByName("google/rpc/status.proto").dependency == ["google/protobuf/any.proto"]
    with pytest.raises(KeyError):
        database.FindFileContainingSymbol("no.Such")


def test_reflection_v1(channel):
    from grpc_reflection.v1alpha import reflection_pb2

    call = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    requests = [
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.Such"),
        reflection_pb2.ServerReflectionRequest(list_services=""),
    ]
    answers = list(call(iter(requests), timeout=20))
    assert answers[0].error_response.error_code == 5
    assert "tollgate.test.Echo" in [service.name for service in answers[1].list_services_response.service]


def test_a_reader_that_pauses_gets_everything(channel):
    stream = channel.unary_stream(SERVICE + "Expand")(message("y", b"z" * 10_000, 2000), timeout=60)
    first = next(stream)
    threading.Event().wait(0.5)
    assert first == message("y", b"z" * 10_000)
    assert sum(1 for _ in stream) == 1999
