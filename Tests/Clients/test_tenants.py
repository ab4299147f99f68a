"""Many tenants, each with a book of its own: more than there are files open, and one of them damaged."""

import pathlib

from book import assert_adds_up
from grpc import StatusCode
from probes import health
from support import CREDIT, in_parallel, new_id, refused

# More than the server keeps shards open.
TENANTS = 300
THREADS = 8


def test_each_of_many_tenants_has_a_book_of_its_own(server):
    from tollgate.v1 import admin_pb2 as a
    from tollgate.v1 import metering_pb2 as m

    names = [f"tenant-{n:03}" for n in range(TENANTS)]

    def use(index):
        for n in range(index, TENANTS, THREADS):
            client = server.tenant(names[n], credits=n + 1)
            client.metering.Charge(m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT))

    def look(index):
        for n in range(index, TENANTS, THREADS):
            client = server.client(tenant=names[n])
            assert client.balance().available_micros == n * CREDIT
            assert len(assert_adds_up(client)) == 2

    in_parallel(THREADS, use)
    in_parallel(THREADS, look)
    listed = server.verify()
    assert all(name in listed for name in names)
    server.kill()
    server.restart()
    in_parallel(THREADS, look)
    admin = server.client().admin
    first = admin.ListTenants(a.ListTenantsRequest(page_size=1_000))
    assert [tenant.tenant_id for tenant in first.tenants] == names and not first.next_page_token


def test_a_book_that_is_damaged_harms_no_other(server):
    from tollgate.v1 import credits_pb2 as cr
    from tollgate.v1 import metering_pb2 as m

    for name in ("good", "bad"):
        client = server.tenant(name, credits=5)
        client.metering.Charge(m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT))
    assert server.stop() == 0
    path, = pathlib.Path(server.data).glob("shards/*/bad.sqlite")
    path.write_bytes(b"no book" * 1_000)
    for part in path.parent.glob("bad.sqlite-*"):
        part.unlink()
    server.restart()
    good, bad = server.client(tenant="good"), server.client(tenant="bad")
    for call in [
            lambda: bad.balance(), lambda: bad.credits.ListTransactions(cr.ListTransactionsRequest()),
            lambda: bad.metering.Charge(m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT))]:
        with refused(StatusCode.DATA_LOSS, "BOOK_DAMAGED") as caught:
            call()
        assert server.data not in caught.error.details()
    assert good.metering.Charge(m.ChargeRequest(reservation_id=new_id(), amount_micros=CREDIT)).charged_micros == CREDIT
    assert len(assert_adds_up(good)) == 3
    assert health(server.address) == "SERVING"
    assert str(path) in server.log()
    done = server.run("verify", "--data", server.data)
    assert done.returncode == 1 and "bad" in done.stderr
    assert server.stop() == 0
