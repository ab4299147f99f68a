"""Never below zero: however many callers race, no credit is given out twice."""

import grpc
import pytest
from book import assert_adds_up
from support import CREDIT, DEADLINE_S, details, in_parallel, new_id

CALLERS = 64
CHANNELS = 8
ROUNDS = 5


@pytest.mark.parametrize("round", range(ROUNDS))
def test_racing_callers_share_what_is_there_exactly(shared_server, round):
    """1,000 credits, 7 at a time: 142 holds, and 6 credits left."""
    from tollgate.v1 import metering_pb2

    name = f"race-{round}"
    client = shared_server.tenant(name, credits=1_000)
    channels = [shared_server.client(tenant=name) for _ in range(CHANNELS)]

    def take(index):
        held = []
        while True:
            request = metering_pb2.ReserveRequest(reservation_id=new_id(), amount_micros=7 * CREDIT)
            try:
                answer = channels[index % CHANNELS].metering.Reserve(request, timeout=DEADLINE_S)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
                assert details(error)[0].reason == "INSUFFICIENT_CREDITS"
                return held
            assert answer.balance.available_micros >= 0
            held.append(answer.reservation.reservation_id)

    holds = [hold for mine in in_parallel(CALLERS, take) for hold in mine]
    assert len(holds) == len(set(holds)) == 142
    balance = client.balance()
    assert (balance.available_micros, balance.held_micros) == (6 * CREDIT, 994 * CREDIT)
    assert_adds_up(client)
    shared_server.verify()


def test_the_same_step_sent_at_once_by_many_is_done_once(shared_server):
    from tollgate.v1 import metering_pb2

    client = shared_server.tenant("echo", credits=100)
    channels = [shared_server.client(tenant="echo") for _ in range(CHANNELS)]
    request = metering_pb2.ReserveRequest(reservation_id=new_id(), amount_micros=10 * CREDIT)
    answers = in_parallel(CALLERS, lambda n: channels[n % CHANNELS].metering.Reserve(request, timeout=DEADLINE_S))
    assert sorted(a.replayed for a in answers) == [False] + [True] * (CALLERS - 1)
    for answer in answers:
        answer.replayed = False
        assert answer == answers[0]
    assert client.balance().available_micros == 90 * CREDIT


def test_racing_commits_and_releases_of_one_hold_have_one_winner(shared_server):
    from tollgate.v1 import metering_pb2 as m

    client = shared_server.tenant("both", credits=10)
    hold = new_id()
    client.metering.Reserve(m.ReserveRequest(reservation_id=hold, amount_micros=4 * CREDIT))

    def end(index):
        try:
            if index % 2:
                client.metering.Release(m.ReleaseRequest(reservation_id=hold))
            else:
                request = m.CommitRequest(reservation_id=hold, amount_micros=3 * CREDIT, commit_id=new_id())
                client.metering.Commit(request)
            return "release" if index % 2 else "commit"
        except grpc.RpcError as error:
            assert details(error)[0].reason == "RESERVATION_CLOSED", error
            return None

    winners = [winner for winner in in_parallel(CALLERS, end) if winner]
    # The releases are one step, sent many times; the commits have ids of their own.
    assert winners == ["commit"] or set(winners) == {"release"}
    left = 7 if winners == ["commit"] else 10
    assert client.balance().available_micros == left * CREDIT
    assert_adds_up(client)
