"""A tenant's book as its billing page reads it, and the sums that must hold in it."""

from support import DEADLINE_S


def pages(call, request, entries):
    """All entries of a list, page by page. `entries` is the name of the repeated field."""
    found = []
    while True:
        page = call(request, timeout=DEADLINE_S)
        listed = list(getattr(page, entries))
        assert len(listed) <= (request.page_size or 50)
        found += listed
        if not page.next_page_token:
            return found
        assert page.next_page_token != request.page_token, "the list does not get on"
        request.page_token = page.next_page_token


def transactions(client, page_size=500, **filters):
    from tollgate.v1 import credits_pb2

    request = credits_pb2.ListTransactionsRequest(page_size=page_size, **filters)
    return pages(client.credits.ListTransactions, request, "transactions")


def grants(client, page_size=1_000, **filters):
    from tollgate.v1 import credits_pb2

    return pages(client.credits.ListGrants, credits_pb2.ListGrantsRequest(page_size=page_size, **filters), "grants")


def reservations(client, page_size=500, **filters):
    from tollgate.v1 import metering_pb2

    request = metering_pb2.ListReservationsRequest(page_size=page_size, **filters)
    return pages(client.metering.ListReservations, request, "reservations")


def reservation(client, reservation_id):
    from tollgate.v1 import metering_pb2

    request = metering_pb2.GetReservationRequest(reservation_id=reservation_id)
    return client.metering.GetReservation(request).reservation


def assert_adds_up(client):
    """granted + overage = available + held + consumed + expired, over the grants, the history and the balance alike.

    What a grant paid of what was owed was consumed before, on overage.

    Returns the history, the newest first. Nothing may change the book meanwhile.
    """
    from tollgate.v1 import credits_pb2 as cr

    balance = client.balance()
    blocks = grants(client)
    for block in blocks:
        parts = (
            block.available_micros, block.held_micros, block.consumed_micros, block.expired_micros, block.paid_micros)
        assert min(parts) >= 0 and sum(parts) == block.amount_micros, block
    assert sum(block.available_micros for block in blocks) == balance.available_micros
    overage_held = balance.held_micros - sum(block.held_micros for block in blocks)
    assert overage_held >= 0 and balance.owed_micros >= 0

    entries = transactions(client)
    sequences = [entry.sequence for entry in entries]
    assert sequences == sorted(set(sequences), reverse=True)
    times = [entry.time.ToMicroseconds() for entry in entries]
    assert times == sorted(times, reverse=True)
    assert sum(entry.available_change_micros for entry in entries) == balance.available_micros
    if entries:
        assert entries[0].balance.available_micros == balance.available_micros
        assert entries[0].balance.held_micros == balance.held_micros
    for newer, older in zip(entries, entries[1:]):
        change = newer.balance.available_micros - older.balance.available_micros
        assert change == newer.available_change_micros, newer

    def total(*kinds):
        return sum(entry.amount_micros for entry in entries if entry.kind in kinds)

    charged = total(cr.TRANSACTION_KIND_CHARGE, cr.TRANSACTION_KIND_COMMIT, cr.TRANSACTION_KIND_PARTIAL_COMMIT)
    consumed = charged - total(cr.TRANSACTION_KIND_REFUND)
    assert sum(block.consumed_micros + block.paid_micros for block in blocks) + balance.owed_micros == consumed
    granted = sum(block.amount_micros for block in blocks)
    assert granted == total(cr.TRANSACTION_KIND_GRANT)
    expired = sum(block.expired_micros for block in blocks)
    assert granted + overage_held + balance.owed_micros == (
        balance.available_micros + balance.held_micros + consumed + expired)
    steps = [(entry.kind, entry.step_id) for entry in entries if entry.step_id]
    assert len(steps) == len(set(steps)), "a step is there twice"
    return entries
