"""kill -9 while tenants are made and governed: what was answered is there once, with its note in the trail, and no more."""

import random
import threading
import time

import grpc
from organisation import Org
from support import CREDIT, DEADLINE_S, Server

ROUNDS = 8
CATALOG = {"features": {}, "plans": {
    "first": {
        "sign_up": [{"micros": 70 * CREDIT}], "allowance": {"micros": 100 * CREDIT},
        "trial": {"days": 14, "micros": 30 * CREDIT}},
    "second": {"sign_up": [{"micros": 99 * CREDIT}], "allowance": {"micros": 250 * CREDIT}}}}
# In this order, each named as in the audit trail; each again has no effect.
CHANGES = [
    ("Admin/SetMember", lambda o: o.set_member("olga", "owner")),
    ("Admin/SetMember", lambda o: o.set_member("mo", "member")),
    ("Settings/SetAIEnabled", lambda o: o.set_ai(False)),
    ("Admin/UpdateTenant", lambda o: o.update(state="active")),
    ("Admin/UpdateTenant", lambda o: o.update(plan="second", rule="top_up")),
    ("Admin/UpdateTenant", lambda o: o.update(name="renamed")),
    ("Admin/UpdateTenant", lambda o: o.update(plan="first", when="cycle_end")),
    ("Admin/RemoveMember", lambda o: o.remove_member("mo")),
    ("Settings/SetAIEnabled", lambda o: o.set_ai(True))]
GRANTED = [
    [("sign_up", 70), ("trial", 30)], [("sign_up", 70), ("trial", 30), ("allowance", 100)],
    [("sign_up", 70), ("trial", 30), ("allowance", 100), ("top_up", 150)]]


def govern(server, names, done):
    """Makes tenants and changes them one after the other, until the server is gone. Notes what was answered."""
    try:
        for name in names:
            org = Org.create(server, name, plan="first")
            done[name] = 0
            for _, change in CHANGES:
                change(org)
                done[name] += 1
    except grpc.RpcError as error:
        assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED), error


def origins(org):
    from tollgate.v1 import common_pb2 as c

    return [
        (c.GrantOrigin.Name(g.origin).removeprefix("GRANT_ORIGIN_").lower(), g.amount_micros // CREDIT)
        for g in org.grants()]


def check(server, name, done):
    """What was answered has its effects, once; of what was not answered there is all or nothing."""
    org = Org(server, name)
    granted = origins(org)
    assert granted in GRANTED[(0 if done < 4 else 1 if done < 5 else 2):], (name, done, granted)
    noted = [event.method.removeprefix("tollgate.v1.") for event in reversed(org.events())]
    wanted = ["Admin/CreateTenant"] + [method for method, _ in CHANGES]
    assert noted in (wanted[:done + 1], wanted[:done + 2]), (name, done, noted)


def finish(server, name):
    """Makes and changes it once more: what was done already has no further effect and no further note."""
    org = Org.create(server, name, plan="first")
    for _, change in CHANGES[-3:]:
        change(org)
    assert sum(amount for _, amount in origins(org)) in (100, 200, 350)


def test_what_was_answered_is_there_once_whenever_the_server_is_killed(binary, tmp_path, seed):
    import json

    rng = random.Random(seed)
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(CATALOG))
    server = Server(binary, tmp_path, "--catalog", str(path))
    try:
        server.start()
        for round in range(ROUNDS):
            answered = [{} for _ in range(3)]
            threads = [
                threading.Thread(
                    target=govern, daemon=True,
                    args=(server, [f"round-{round}-{number}-{n}" for n in range(1_000)], done))
                for number, done in enumerate(answered)]
            for thread in threads:
                thread.start()
            time.sleep(rng.uniform(0.05, 0.6))
            server.kill()
            for thread in threads:
                thread.join(DEADLINE_S)
            server.verify()
            server.restart()
            for done in answered:
                for name, count in done.items():
                    check(server, name, count)
                # The last one may have been under way.
                for name in list(done)[-1:]:
                    finish(server, name)
        assert server.stop() == 0
        server.verify()
    finally:
        server.end()
