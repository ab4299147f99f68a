"""What probes and explorers see without a key: health and reflection."""

import grpc
from grpc import StatusCode
from probes import get, health, health_watch, healthz, metrics
from schema import methods
from support import DEADLINE_S, refused

SERVICES = {"tollgate.v1." + name for name in ["Metering", "Credits", "Settings", "Purchases", "Admin"]}
OPEN_SERVICES = {
    "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}


def test_health_is_open_and_knows_every_service(shared_server):
    for name in ["", *SERVICES]:
        assert health(shared_server.address, name) == "SERVING"
    with refused(StatusCode.NOT_FOUND):
        health(shared_server.address, "nothing")
    with health_watch(shared_server.address) as states:
        assert next(states) == "SERVING"
    with health_watch(shared_server.address, "nothing") as states:
        assert next(states) == "SERVICE_UNKNOWN"
    assert healthz(shared_server.address) == (200, "ok\n")


def test_metrics_are_told_as_prometheus_reads_them(server):
    before = metrics(server.address)
    for name in ["http2_connections", "rpc_calls", "engine_pending_records", "engine_resident_tenants"]:
        assert before[f"tollgate_{name}"] >= 0
    assert before["tollgate_http2_goaways_total"] == {"drain": 0, "pings": 0, "flood": 0, "protocol": 0}
    server.tenant("no-tenant-is-named", credits=5).balance()
    _, text = get(server.address, "/metrics")
    after = metrics(server.address)
    assert after["tollgate_engine_resident_tenants"] == 1
    assert after["tollgate_http2_streams_total"] >= before["tollgate_http2_streams_total"] + 4
    assert after["tollgate_http2_connections"] > before["tollgate_http2_connections"]
    assert "no-tenant" not in text and "tg_" not in text


def test_health_says_that_the_server_ends(server):
    import threading

    with health_watch(server.address) as states:
        assert next(states) == "SERVING"
        ended = threading.Thread(target=server.stop)
        ended.start()
        assert next(states) == "NOT_SERVING"
        ended.join(DEADLINE_S)
        assert server.process.returncode == 0


def test_reflection_lists_every_service_and_finds_every_method(clocked_server):
    from google.protobuf import descriptor_pool
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    with grpc.insecure_channel(clocked_server.address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(database.get_services()) == SERVICES | OPEN_SERVICES | {"tollgate.v1.TestClock"}
        pool = descriptor_pool.DescriptorPool(database)
        for method in methods():
            found = pool.FindMethodByName(f"tollgate.v1.{method.service}.{method.name}")
            known = method.request_type.DESCRIPTOR
            assert found.input_type.full_name == known.full_name
            assert {f.name: (f.number, f.type) for f in found.input_type.fields} == {
                f.name: (f.number, f.type) for f in known.fields}
        assert pool.FindMessageTypeByName("google.rpc.Status").fields_by_name["details"].number == 3


def test_reflection_speaks_both_versions_and_answers_errors_in_the_stream(shared_server):
    """The v1 service has the messages of v1alpha, so its client is made by hand."""
    from grpc_reflection.v1alpha import reflection_pb2 as r

    requests = [
        r.ServerReflectionRequest(list_services=""),
        r.ServerReflectionRequest(file_containing_symbol="tollgate.v1.Nothing"),
        r.ServerReflectionRequest(file_containing_symbol="tollgate.v1.ReserveRequest.reservation_id"),
        r.ServerReflectionRequest(file_by_filename="tollgate/v1/metering.proto"),
        r.ServerReflectionRequest(file_by_filename="no/such.proto"),
    ]
    with grpc.insecure_channel(shared_server.address) as channel:
        for version in ("v1", "v1alpha"):
            stub = channel.stream_stream(
                f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
                request_serializer=r.ServerReflectionRequest.SerializeToString,
                response_deserializer=r.ServerReflectionResponse.FromString)
            answers = list(stub(iter(requests), timeout=DEADLINE_S))
            assert [a.WhichOneof("message_response") for a in answers] == [
                "list_services_response", "error_response", "file_descriptor_response", "file_descriptor_response",
                "error_response"]
            assert [answers[n].error_response.error_code for n in (1, 4)] == [StatusCode.NOT_FOUND.value[0]] * 2
            assert [a.original_request for a in answers] == requests


def test_what_nobody_serves_is_unimplemented(shared_server):
    with grpc.insecure_channel(shared_server.address) as channel:
        for path in ["/tollgate.v1.Metering/Nothing", "/tollgate.v1.Nothing/Reserve", "/tollgate.v1.TestClock/GetTime"]:
            with refused(StatusCode.UNIMPLEMENTED):
                channel.unary_unary(path)(b"", timeout=DEADLINE_S)
