"""The commands that govern a tenant: members, settings, limits, its audit trail, its plan, and grants that go back."""

import json
import re

from support import CREDIT, new_id


def ran(server, *words, tenant="acme"):
    done = server.run(*words, tenant=tenant)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def answer(server, *words, tenant="acme"):
    return json.loads(ran(server, *words, "--json", tenant=tenant))


def failed(server, *words, status=1, tenant="acme"):
    done = server.run(*words, tenant=tenant)
    assert done.returncode == status, f"{words}: {done.stdout}{done.stderr}"
    assert len(done.stderr.splitlines()) >= 1
    return done.stderr


def test_help_names_them(server):
    overview = server.run("--help").stdout
    for command in ["tenant update", "member set", "member remove", "member list", "revoke", "settings show",
                    "settings ai", "settings quality", "settings limits", "audit"]:
        assert re.search(rf"^  {command} ", overview, re.M), command
        shown = server.run(*command.split(), "--help")
        assert shown.returncode == 0 and f"tollgate {command}" in shown.stdout


def test_members_come_go_and_are_listed(server):
    server.tenant("acme")
    assert "ann is a member with the role owner" in ran(
        server, "member", "set", "ann", "--role", "owner", "--display-name", "Ann")
    ran(server, "member", "set", "bob", "--role", "member")
    assert re.search(r"^ann +owner +\S+ +Ann$", ran(server, "member", "list"), re.M)
    assert [m["memberId"] for m in answer(server, "member", "list")["members"]] == ["ann", "bob"]
    assert "LAST_OWNER" in failed(server, "member", "remove", "ann")
    assert "LAST_OWNER" in failed(server, "member", "set", "ann", "--role", "admin")
    assert "role" in failed(server, "member", "set", "ann", "--role", "king")
    assert "no member" in ran(server, "member", "remove", "bob")
    ran(server, "member", "remove", "bob")
    assert "--tenant" in failed(server, "member", "list", tenant=None, status=2)
    assert "tenant list" in failed(server, "member", "list", tenant="other")


def test_settings_are_shown_and_changed(server):
    server.tenant("acme", credits=100)
    assert re.search(r"^AI +on$", ran(server, "settings", "show"), re.M)
    assert ran(server, "settings", "ai", "off", "--reason", "holidays") == "AI is off\n"
    assert re.search(r"^AI +off$", ran(server, "settings", "show"), re.M)
    assert re.search(r"^AI +switched off$", ran(server, "balance"), re.M)
    assert ran(server, "settings", "ai", "on") == "AI is on\n"
    failed(server, "settings", "ai", "maybe", status=2)
    assert "best" in ran(server, "settings", "quality", "chat", "best")
    assert re.search(r"^quality of chat +best$", ran(server, "settings", "show"), re.M)
    ran(server, "settings", "quality", "chat", "default")
    assert "quality" not in ran(server, "settings", "show")
    assert "rate card" in failed(server, "settings", "quality", "nothing", "best")
    failed(server, "settings", "quality", "chat", "good", status=2)


def test_limits_are_set_one_by_one(server):
    from tollgate.v1 import metering_pb2 as m

    client = server.tenant("acme", credits=100)
    assert ran(server, "settings", "limits") == "no limits\n"
    ran(server, "settings", "limits", "--soft", "5", "--hard", "10")
    ran(server, "settings", "limits", "--hard", "20.5", "--member", "ann", "--window", "day")
    ran(server, "settings", "limits", "--soft", "70%", "--hard", "90%", "--feature", "chat", "--member", "ann",
        "--on-trial")
    limits = answer(server, "settings", "limits")["limits"]
    assert [(l["limit"]["scope"], l["limit"]["window"]) for l in limits] == [
        ("LIMIT_SCOPE_TENANT", "LIMIT_WINDOW_CYCLE"), ("LIMIT_SCOPE_MEMBER", "LIMIT_WINDOW_DAY"),
        ("LIMIT_SCOPE_MEMBER_FEATURE", "LIMIT_WINDOW_CYCLE")]
    client.metering.Charge(m.ChargeRequest(reservation_id=new_id(), amount_micros=6 * CREDIT))
    table = ran(server, "settings", "limits")
    assert re.search(r"^the tenant +cycle +5 +10 +6 +0 +soft reached", table, re.M), table
    assert re.search(r"^member ann +day +- +20\.5 +0", table, re.M), table
    assert re.search(r"^limit +the soft limit is reached$", ran(server, "balance"), re.M)
    # The limit again, with other bounds, takes the place of the one before.
    ran(server, "settings", "limits", "--hard", "50")
    assert [l["limit"].get("hardMicros") for l in answer(server, "settings", "limits")["limits"]][0] == str(50 * CREDIT)
    ran(server, "settings", "limits", "--member", "ann", "--window", "day", "--remove")
    assert len(answer(server, "settings", "limits")["limits"]) == 2
    for words in [("--soft", "x"), ("--hard", "0%"), ("--hard", "1", "--window", "year"), ("--remove", "--soft", "1")]:
        failed(server, "settings", "limits", *words, status=2)
    assert "hard" in failed(server, "settings", "limits", "--soft", "9", "--hard", "8")


def test_the_audit_trail_names_who_did_what(server):
    server.tenant("acme", credits=1)
    ran(server, "member", "set", "ann", "--role", "owner")
    ran(server, "settings", "ai", "off", "--reason", "holidays")
    ran(server, "key", "create", "--role", "service", "--name", "worker", "--tenant", "acme")
    table = ran(server, "audit")
    assert re.search(r"SetAIEnabled +ai_enabled +done +true +false +holidays", table), table
    events = answer(server, "audit")["events"]
    methods = [e["method"].split("/")[1] for e in events]
    assert methods == ["CreateKey", "SetAIEnabled", "SetMember", "GrantCredits"]
    assert all(e["address"] == "127.0.0.1" and e["keyId"] for e in events)
    assert json.loads(events[2]["afterJson"]) == {"role": "owner", "display_name": ""}
    assert answer(server, "audit", "--limit", "2")["events"] == events[:2]
    assert answer(server, "audit", "--to", events[1]["time"])["events"] == events[2:]
    assert answer(server, "audit", "--actor", "ann").get("events", []) == []
    failed(server, "audit", "--from", "yesterday", status=2)


def test_a_tenant_is_changed_by_what_is_named(server):
    server.tenant("acme")
    ran(server, "tenant", "update", "acme", "--display-name", "Acme", "--reason", "a new sign")
    shown = ran(server, "tenant", "update", "acme", "--time-zone", "Europe/Berlin")
    assert re.search(r"^name +Acme$", shown, re.M) and re.search(r"^time zone +Europe/Berlin$", shown, re.M)
    assert ran(server, "tenant", "show", "acme") == shown
    before = answer(server, "audit")["events"]
    assert [e.get("reason") for e in before] == [None, "a new sign"]
    ran(server, "tenant", "update", "acme", "--time-zone", "Europe/Berlin", "--display-name", "Acme")
    assert answer(server, "audit")["events"] == before
    for words in [("--state", "trial"), ("--allowance", "half"), ("--plan", "a", "--no-plan")]:
        failed(server, "tenant", "update", "acme", *words, status=2)
    assert "time_zone" in failed(server, "tenant", "update", "acme", "--time-zone", "Mars/Base")
    assert "tenant list" in failed(server, "tenant", "update", "none")


def test_a_grant_is_taken_back_once(server):
    server.tenant("acme")
    grant = new_id()
    ran(server, "grant", "10", "--id", grant, "--kind", "gifted")
    assert ran(server, "revoke", grant, "--reason", "a slip") == "10 credits taken back; 0 available\n"
    assert ran(server, "revoke", grant) == "10 credits had been taken back before; 0 available\n"
    assert "GRANT_NOT_FOUND" in failed(server, "revoke", new_id())
