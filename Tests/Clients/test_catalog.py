"""Prices and roles from a catalog file, and that a reservation keeps its price whatever a later catalog says."""

import json

import pytest
from grpc import StatusCode
from support import CREDIT, Server, new_id, refused

FIRST = {
    "features": {
        "chat": {
            "units": {"tokens": {"micros": 1_500, "per": 1_000}, "calls": {"micros": 7}},
            "quality_percent": {"cheap": 50, "best": 333}},
        "image": {"units": {"images": {"micros": 8_000_000}}},
        "free": {"units": {"calls": {"micros": 0}}},
        "old": {"units": {"calls": {"micros": 10}}}},
    "roles": {"member": ["credits.view", "credits.refund"], "robot": ["credits.meter"]}}
SECOND = {"features": {"chat": {"units": {"tokens": {"micros": 9_000, "per": 1_000}, "words": {"micros": 1}}}}}


@pytest.fixture
def server(binary, tmp_path):
    catalog = tmp_path / "catalog.json"
    catalog.write_text(json.dumps(FIRST))
    server = Server(binary, tmp_path, "--catalog", str(catalog))
    try:
        server.start()
        yield server
    finally:
        server.end()


def change(server, catalog):
    """Ends the server and starts it with another catalog."""
    assert server.stop() == 0
    with open(server.options[1], "w") as file:
        json.dump(catalog, file)
    server.restart()


def test_the_rate_card_is_the_catalogs(server):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import credits_pb2 as cr

    card = server.tenant("acme").credits.GetRateCard(cr.GetRateCardRequest()).features
    assert [f.feature for f in card] == ["chat", "free", "image", "old"]
    assert [(u.unit, u.unit_micros, u.per) for u in card[0].units] == [("calls", 7, 1), ("tokens", 1_500, 1_000)]
    assert [(q.quality, q.percent) for q in card[0].qualities] == [
        (c.QUALITY_CHEAP, 50), (c.QUALITY_MEDIUM, 100), (c.QUALITY_BEST, 333)]


@pytest.mark.parametrize("quality, tokens, calls, lines", [
    # Rounded up to a whole micro once for each line: 1 token is 1.5 micros, at 50 percent 0.75.
    ("UNSPECIFIED", 1, 1, [7, 2]), ("MEDIUM", 1, 1, [7, 2]), ("CHEAP", 1, 1, [4, 1]), ("BEST", 1, 1, [24, 5]),
    ("CHEAP", 1_001, 3, [11, 751]), ("BEST", 2_000, 0, [0, 9_990]), ("MEDIUM", 0, 0, [0, 0])])
def test_a_price_is_units_times_quality_rounded_up_once_per_line(server, quality, tokens, calls, lines):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import metering_pb2 as m

    client = server.tenant("acme", credits=1)
    asked = dict(
        feature="chat", quantities={"tokens": tokens, "calls": calls}, quality=getattr(c, f"QUALITY_{quality}"))
    quote = client.metering.Quote(m.QuoteRequest(**asked))
    assert [line.amount_micros for line in quote.lines] == lines
    assert quote.amount_micros == sum(lines)
    held = client.metering.Reserve(m.ReserveRequest(reservation_id=new_id(), **asked))
    assert (held.reserved_micros, held.reservation.quality) == (sum(lines), asked["quality"])
    charged = client.metering.Charge(m.ChargeRequest(reservation_id=new_id(), **asked))
    assert charged.charged_micros == sum(lines)


def test_what_costs_nothing_is_metered_all_the_same(server):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import metering_pb2 as m

    client = server.tenant("acme")
    hold = new_id()
    client.metering.Reserve(m.ReserveRequest(reservation_id=hold, feature="free", quantities={"calls": 3}))
    done = client.metering.Commit(m.CommitRequest(reservation_id=hold, quantities={"calls": 2}))
    assert (done.charged_micros, done.reservation.state) == (0, c.RESERVATION_STATE_COMMITTED)


def test_a_catalog_changes_roles_and_leaves_the_others(server):
    from tollgate.v1 import metering_pb2 as m

    client = server.tenant("acme", credits=1)
    charged = new_id()
    client.metering.Charge(m.ChargeRequest(reservation_id=charged, amount_micros=5))
    member = server.client(key=server.new_key("member", "acme").key)
    refunded = member.metering.Refund(m.RefundRequest(refund_id=new_id(), reservation_id=charged))
    assert refunded.refunded_micros == 5
    robot_key = server.new_key("robot", "acme").key
    robot = server.client(key=robot_key)
    assert robot.metering.Quote(m.QuoteRequest(amount_micros=1)).affordable
    with refused(StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING"):
        robot.balance()
    assert server.client(key=server.new_key("service", "acme").key).balance().available_micros == CREDIT
    # A role that a later catalog lacks may do nothing.
    change(server, SECOND)
    with refused(StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING"):
        server.client(key=robot_key).metering.Quote(m.QuoteRequest(amount_micros=1))


def test_a_reservation_keeps_its_price_over_another_catalog(server):
    from tollgate.v1 import metering_pb2 as m

    client = server.tenant("acme", credits=100)
    chat = m.ReserveRequest(reservation_id=new_id(), feature="chat", quantities={"tokens": 10_000})
    old = m.ReserveRequest(reservation_id=new_id(), feature="old", quantities={"calls": 9})
    image = m.ChargeRequest(reservation_id=new_id(), feature="image", quantities={"images": 2})
    first = client.metering.Reserve(chat)
    assert first.reserved_micros == 15_000
    client.metering.Reserve(old)
    client.metering.Charge(image)

    change(server, SECOND)
    client = server.client(tenant="acme")
    # What was done is answered as it was, though it could not be done any more.
    again = client.metering.Reserve(chat)
    assert again.replayed and again.reservation == first.reservation
    assert client.metering.Reserve(old).replayed
    assert client.metering.Charge(image).charged_micros == 16 * CREDIT
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field="feature"):
        client.metering.Charge(m.ChargeRequest(reservation_id=new_id(), feature="image", quantities={"images": 1}))
    # Open ones are charged at the prices of their beginning, units included.
    with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field='quantities["words"]'):
        client.metering.Commit(m.CommitRequest(reservation_id=chat.reservation_id, quantities={"words": 1}))
    done = client.metering.Commit(
        m.CommitRequest(reservation_id=chat.reservation_id, quantities={"tokens": 4_000, "calls": 1}))
    assert done.charged_micros == 6_007
    assert client.metering.Commit(
        m.CommitRequest(reservation_id=old.reservation_id, quantities={"calls": 2})).charged_micros == 20
    # New ones at the new.
    new = client.metering.Reserve(
        m.ReserveRequest(reservation_id=new_id(), feature="chat", quantities={"tokens": 10_000, "words": 1}))
    assert new.reserved_micros == 90_001
    assert new.reservation.price_version > first.reservation.price_version > 0
    server.verify()


def test_a_catalog_with_faults_stops_the_start_and_names_their_lines(server):
    assert server.stop() == 0
    with open(server.options[1], "w") as file:
        file.write('{\n "features": {\n  "chat": { "units": { "tokens": { "micros": -1 } } },\n  "x": 5\n }\n}\n')
    done = server.run("serve", "--data", server.data, "--listen", "127.0.0.1:0", *server.options)
    assert (done.returncode, done.stdout) == (1, "")
    assert "line 3: features.chat.units.tokens.micros" in done.stderr
    assert "line 4: features.x" in done.stderr
