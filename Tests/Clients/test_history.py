"""The history and the lists: newest first, in pages, by time, actor and feature, and complete."""

import uuid

import pytest
from book import assert_adds_up, pages, reservations, transactions
from google.protobuf import timestamp_pb2
from grpc import StatusCode
from support import CREDIT, new_id, refused
from test_time import HOUR, SECOND, Time, duration, moment

ACTORS = ["ada", "bob", ""]
FEATURES = ["text", "image"]


@pytest.fixture(scope="module")
def history(binary, tmp_path_factory):
    """A tenant on the test clock with a step each second, of changing actors and features; and those steps."""
    from conftest import started
    from tollgate.v1 import metering_pb2 as m

    servers = started(binary, tmp_path_factory.mktemp("history"), "--test-clock", "2026-05-04T03:02:01Z")
    server = next(servers)
    client = server.tenant("acme", credits=1_000)
    time = Time(client)
    steps = []
    for n in range(30):
        time.advance(SECOND)
        actor, feature = ACTORS[n % 3], FEATURES[n % 2]
        request = m.ReserveRequest(
            reservation_id=str(uuid.uuid4()), amount_micros=2 * CREDIT, actor=actor, feature=feature,
            ttl=duration(HOUR), labels={"n": str(n)}, comment=f"step {n}")
        client.metering.Reserve(request)
        if n % 3 == 0:
            client.metering.Commit(
                m.CommitRequest(reservation_id=request.reservation_id, amount_micros=CREDIT, comment="done"))
        steps.append((time.began + (n + 1) * SECOND, actor, feature, request))
    yield client, time.began, steps
    next(servers, None)


def micros(entry):
    return entry.time.ToMicroseconds()


def test_every_step_is_there_with_all_that_is_known_of_it(history):
    from tollgate.v1 import common_pb2 as c
    from tollgate.v1 import credits_pb2 as cr

    client, began, steps = history
    entries = assert_adds_up(client)
    reserves = [e for e in reversed(entries) if e.kind == cr.TRANSACTION_KIND_RESERVE]
    assert len(reserves) == len(steps)
    for entry, (at, actor, feature, request) in zip(reserves, steps):
        assert (micros(entry), entry.actor, entry.feature, entry.comment) == (at, actor, feature, request.comment)
        assert (entry.reservation_id, entry.step_id) == (request.reservation_id, request.reservation_id)
        assert dict(entry.labels) == dict(request.labels)
        assert (entry.amount_micros, entry.available_change_micros) == (2 * CREDIT, -2 * CREDIT)
        assert (entry.direction, entry.status) == (cr.TRANSACTION_DIRECTION_DEBIT, cr.TRANSACTION_STATUS_PENDING)
        assert [(s.kind, s.amount_micros) for s in entry.sources] == [(c.GRANT_KIND_PURCHASED, 2 * CREDIT)]
        assert len(entry.hash) == 16
    commits = [e for e in reversed(entries) if e.kind == cr.TRANSACTION_KIND_COMMIT]
    for entry, (at, actor, feature, request) in zip(commits, steps[::3]):
        assert (micros(entry), entry.reservation_id, entry.comment) == (at, request.reservation_id, "done")
        # Later entries tell of whom and of what as their reservation does.
        assert (entry.actor, entry.feature, dict(entry.labels)) == (actor, feature, dict(request.labels))
        assert (entry.amount_micros, entry.available_change_micros) == (CREDIT, CREDIT)
        assert (entry.direction, entry.status) == (cr.TRANSACTION_DIRECTION_DEBIT, cr.TRANSACTION_STATUS_DONE)
    assert len({e.hash for e in entries}) == len(entries) == 41


@pytest.mark.parametrize("page_size", [1, 7, 41, 1_000, 5_000])
def test_pages_of_any_size_make_up_the_whole(history, page_size):
    client, _, _ = history
    assert transactions(client, page_size=page_size) == transactions(client)


@pytest.mark.parametrize("page_size", [1, 4, 1_000])
@pytest.mark.parametrize("filters", [
    dict(actor="ada"), dict(feature="image"), dict(actor="bob", feature="text"), dict(actor="nobody"),
    dict(feature="nothing"), dict(start=10), dict(end=10), dict(start=5, end=20), dict(start=7, end=7),
    dict(start=8, end=25, actor="ada", feature="text"), dict(start=1_000), dict(end=-5)])
def test_filters_take_what_fits_and_nothing_else(history, filters, page_size):
    """From start_time on, before end_time, by the reservation's actor and feature."""
    client, began, _ = history
    start, end = filters.get("start"), filters.get("end")
    bounds = {
        f"{name}_time": moment(began + at * SECOND) for name, at in (("start", start), ("end", end)) if at is not None}
    wanted = {name: filters[name] for name in ("actor", "feature") if name in filters}

    def fits(entry):
        second = (micros(entry) - began) // SECOND
        return (all(getattr(entry, name) == value for name, value in wanted.items())
                and (start is None or second >= start) and (end is None or second < end))

    assert transactions(client, page_size=page_size, **bounds, **wanted) == list(filter(fits, transactions(client)))


def test_bounds_are_exact_to_the_microsecond(history):
    client, began, _ = history
    at = began + 3 * SECOND
    assert micros(transactions(client, start_time=moment(at))[-1]) == at
    assert micros(transactions(client, start_time=moment(at + 1))[-1]) == at + SECOND
    assert micros(transactions(client, end_time=moment(at))[0]) == at - SECOND
    assert micros(transactions(client, end_time=moment(at + 1))[0]) == at


def test_what_cannot_be_a_filter_is_refused(history):
    from tollgate.v1 import credits_pb2 as cr

    client, began, _ = history
    for field, filters in [
            ("end_time", dict(start_time=moment(began + 1), end_time=moment(began))),
            ("start_time", dict(start_time=timestamp_pb2.Timestamp(nanos=-1))),
            ("end_time", dict(end_time=timestamp_pb2.Timestamp(seconds=253_402_300_800))),
            ("actor", dict(actor="a" * 257)), ("feature", dict(feature="a\tb")), ("page_size", dict(page_size=-1)),
            ("page_token", dict(page_token="zz")), ("page_token", dict(page_token="00" * 300))]:
        with refused(StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", field=field):
            client.credits.ListTransactions(cr.ListTransactionsRequest(**filters))


def test_a_page_goes_on_where_the_last_one_ended_whatever_came_meanwhile(server):
    from tollgate.v1 import credits_pb2 as cr
    from tollgate.v1 import metering_pb2 as m

    client = server.tenant("acme", credits=100)

    def charge():
        client.metering.Charge(m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT))

    for _ in range(9):
        charge()
    before = transactions(client)

    def listing(request, timeout):
        page = client.credits.ListTransactions(request, timeout=timeout)
        charge()
        return page

    assert pages(listing, cr.ListTransactionsRequest(page_size=3), "transactions") == before


@pytest.mark.parametrize("page_size", [1, 7, 1_000])
def test_reservations_are_listed_the_newest_first_whatever_their_ids(history, page_size):
    from tollgate.v1 import common_pb2 as c

    client, _, steps = history
    made = [request.reservation_id for *_, request in reversed(steps)]

    def listed(**filters):
        return [r.reservation_id for r in reservations(client, page_size=page_size, **filters)]

    assert listed() == made
    committed = [request.reservation_id for *_, request in reversed(steps[::3])]
    assert listed(state=c.RESERVATION_STATE_COMMITTED) == committed
    assert listed(state=c.RESERVATION_STATE_OPEN) == [id for id in made if id not in committed]
    assert listed(state=c.RESERVATION_STATE_EXPIRED) == []
    for actor in ACTORS[:2]:
        for feature in FEATURES:
            assert listed(actor=actor, feature=feature) == [
                r.reservation_id for *_, r in reversed(steps) if (r.actor, r.feature) == (actor, feature)]
    whole = reservations(client)[0]
    assert (whole.comment, dict(whole.labels)) == ("step 29", {"n": "29"})


def test_a_page_of_the_largest_entries_fits_what_clients_take_by_default(server):
    from tollgate.v1 import metering_pb2 as m

    client = server.tenant("acme", credits=2_000)
    labels = {f"label-{n}": "x" * 256 for n in range(16)}
    made = []
    for _ in range(6):
        steps = []
        for _ in range(200):
            request = m.ChargeRequest(
                reservation_id=new_id(), amount_micros=CREDIT, comment="y" * 1_024, labels=labels)
            made.append(request.reservation_id)
            steps.append(m.Step(charge=request))
        results = client.metering.Batch(m.BatchRequest(steps=steps)).results
        assert all(result.HasField("charge") for result in results)
    made.reverse()
    # 1,200 such entries take some 7 MB; grpcio takes messages of 4 MiB.
    assert [t.reservation_id for t in transactions(client, page_size=1_000) if t.reservation_id] == made
    assert [r.reservation_id for r in reservations(client, page_size=1_000)] == made
