"""An operator's day at the command line, against a real hub with real platforms around it."""

import re

import pytest

from tests.helpers import commands
from tests.helpers.documents import tariff
from tests.helpers.faults import http, refuse
from tests.helpers.partner import FakePartner

V = "2.2.1"


@pytest.fixture
async def emsp(hub):
    async with FakePartner("DE*TWO EMSP", name="Two") as partner:
        await hub.connect(partner)
        yield partner


async def test_from_the_invitation_to_the_farewell(command, hub, acme):
    invited = (await command("partner", "invite", "Acme", "--role", "NL*ACM:CPO", "--json")).json
    await acme.register(invited["versions_url"], invited["token"])

    listed = await command("partner", "list")
    shown = await command("partner", "show", "acme")
    trace = await command("partner", "trace", "acme")
    suspended = await command("partner", "suspend", "acme", "--reason", "Unpaid")
    again = await command("partner", "suspend", "acme")
    resumed = await command("partner", "resume", "acme")
    renewed = await command("partner", "renew", "acme")
    left = await command("partner", "leave", "acme", "--yes")
    audit = await command("audit", "search", "--entity", "ocpi_partner")

    assert "NL*ACM:CPO" in listed.out
    assert "ACTIVE" in listed.out
    assert "receiver/tariffs" in shown.out
    assert "accept  DONE" in trace.out
    assert "GET" in trace.out
    assert "Acme is suspended" in suspended.out
    assert f"hub partner resume {invited['partner']['id']}" in suspended.err
    assert (again.code, "hub partner resume" in again.err) == (4, True)
    assert "ACTIVE" in resumed.out
    assert "New tokens were exchanged with Acme" in renewed.out
    assert "INACTIVE" in left.out
    assert "Unpaid" in audit.out
    assert invited["token"] not in listed.out + shown.out + trace.out + audit.out


async def test_joining_and_why_it_failed(command, acme, tmp_path):
    versions_url, token = acme.invite()
    (tmp_path / "token").write_text(token)
    acme.fail(http(500), on="POST .*credentials", times=1)
    join = ("partner", "join", "Acme", versions_url, "--role", "NL*ACM:CPO")

    failed = await command(*join, "--token-file", str(tmp_path / "token"))
    trace = await command("partner", "trace", "acme")
    joined = await command(
        *("partner", "join", "acme", versions_url, "--again"),
        *("--token-file", str(tmp_path / "token")),
    )

    assert failed.code == 1
    assert "500" in failed.err
    assert "REFUSED" in trace.out
    assert "why:" in trace.out
    assert (joined.code, "ACTIVE" in joined.out) == (0, True)


async def test_who_received_an_object_and_sending_it_again(command, hub, acme, emsp):
    await hub.connect(acme)
    emsp.fail(refuse(2001, "No such currency"), on="tariffs", times=1)
    await acme.put("tariffs/NL/ACM/T1", tariff(version=V, party_id="ACM"))
    await hub.deliver()

    refused = await command("object", "show", "tariffs", "NL/ACM/T1")
    status = await command("feed", "status", "--trouble")
    [setback] = (await command("setback", "list", "--json")).json["items"]
    replayed = await command("setback", "replay", setback["id"])
    await hub.deliver()
    delivered = await command("object", "show", "tariffs", "NL/ACM/T1", "--json")

    assert "REFUSED" in refused.out
    assert "No such currency" in refused.out
    assert re.search(rf"Brought by +{acme.name}\n", refused.out)
    assert "tariffs" in status.out
    assert replayed.code == 0
    assert [one["state"] for one in delivered.json["deliveries"]] == ["DELIVERED"]
    assert (await command("setback", "list")).out == ""


async def test_everything_a_partner_refused_is_sent_again(command, hub, acme, emsp):
    await hub.connect(acme)
    emsp.fail(refuse(2001, "No such currency"), on="tariffs")
    for number in range(3):
        await acme.put(
            f"tariffs/NL/ACM/T{number}", tariff(version=V, party_id="ACM", id=f"T{number}")
        )
    await hub.deliver()
    emsp.heal()

    nothing = await command("setback", "replay", "--partner", "two", "--module", "locations")
    sent = await command("setback", "replay", "--partner", "two")
    await hub.deliver()

    assert (nothing.code, nothing.out) == (0, "")
    assert (sent.code, "3 are being sent" in sent.err) == (0, True)
    assert (await command("setback", "list")).out == ""
    for wrong in ((), ("3f0f7a3e-1d37-4a53-b5fd-8f2c2d0a7a11", "--partner", "two")):
        assert (await command("setback", "replay", *wrong)).code == 2


async def test_deliveries_are_shown_for_what_a_partner_takes(command, hub, acme):
    """A CPO that sends and takes nothing but tokens."""
    await hub.connect(acme)

    taken = await command("feed", "status")
    everything = (await command("feed", "status", "--all", "--json")).json["items"]

    assert "tokens" in taken.out
    assert "NOT_TAKEN" not in taken.out
    assert "--all" in taken.err
    assert {"tokens", "cdrs"} <= {row["module"] for row in everything}


async def test_what_came_with_a_fault(command, hub, acme):
    await hub.connect(acme)
    await acme.put("tariffs/NL/ACM/T1", tariff(version=V, party_id="ACM", currency="EURO"))

    listed = await command("quarantine", "list")
    [entry] = (await command("quarantine", "list", "--json")).json["items"]
    shown = await command("quarantine", "show", entry["id"])
    replayed = await command("quarantine", "replay", entry["id"])
    unasked = await command("quarantine", "dismiss", entry["id"])
    still_there = await command("quarantine", "list")
    dismissed = await command("quarantine", "dismiss", entry["id"], "--yes")

    assert "currency" in listed.out
    assert "EURO" in shown.out
    assert replayed.code == 4
    assert (unasked.code, "--yes" in unasked.err, entry["id"] in still_there.out) == (2, True, True)
    assert dismissed.code == 0
    again = await command("quarantine", "replay", entry["id"])
    assert (again.code, "dismissed" in again.err) == (4, True)
    assert (await command("quarantine", "list")).out == ""


async def test_everything_of_a_partner_in_quarantine_is_looked_at_again_and_let_go(
    command, hub, acme
):
    await hub.connect(acme)
    for number in range(3):
        bad = tariff(version=V, party_id="ACM", id=f"T{number}", currency="EURO")
        await acme.put(f"tariffs/NL/ACM/T{number}", bad)
    await hub.sql(
        "update quarantined_objects set body = replace(body, 'EURO', 'EUR')"
        " where object_ref = 'NL/ACM/T1'"
    )

    replayed = await command("quarantine", "replay", "--partner", "acme", "--module", "tariffs")
    unasked = await command("quarantine", "dismiss", "--partner", "acme")
    dismissed = await command("quarantine", "dismiss", "--partner", "acme", "--yes")
    nothing = await command("quarantine", "dismiss", "--partner", "acme")

    assert "NL/ACM/T1" in replayed.out
    assert "2 are refused still" in replayed.err
    assert (unasked.code, "Dismiss 2?" in unasked.err) == (2, True)
    assert (nothing.code, "Settled: 0." in nothing.err) == (0, True)
    assert "Settled: 2." in dismissed.err
    assert (await command("quarantine", "list")).out == ""
    assert (await command("quarantine", "dismiss")).code == 2


async def test_a_tenant_a_user_and_a_key(command, hub):
    tenant = (await command("tenant", "create", "North", "--party", "NO*HUB", "--json")).json
    there = ("--tenant", tenant["id"], "--json")

    user = (await command("user", "create", "ada@example.com", "--role", "Operator", *there)).json
    key = (await command("key", "create", "Ada's", "--user", "Ada@example.com", *there)).json
    shown = (await command("user", "show", "ada@example.com", *there)).json
    nobody = await command("key", "create", "Bob's", "--user", "bob@example.com", *there)
    roles = (await command("role", "list", *there)).json["items"]
    listed = await command("tenant", "list")
    suspended = await command("user", "change", user["id"], "--status", "suspended", *there)
    by_name = (await command("key", "show", "Ada's", *there)).json
    revoked = await command("key", "revoke", "Ada's", *there)
    again = await command("key", "revoke", key["id"], *there)
    unknown = await command("key", "revoke", "Bob's", *there)

    assert shown == user
    assert user["roles"] == ["Operator"]
    assert key["user_id"] == user["id"]
    assert nobody.code == 3
    assert key["key"].startswith("hubk_")
    assert {role["name"] for role in roles} == {"Administrator", "Operator", "Viewer"}
    assert "NO*HUB" in listed.out
    assert suspended.json["status"] == "SUSPENDED"
    assert by_name["id"] == key["id"]
    assert revoked.json == again.json == {"revoked": key["id"]}
    assert (unknown.code, unknown.json["error"]["next"]) == (3, "hub key list")


async def test_agreements(command):
    made = (
        await command(
            *("agreement", "block", "--from", "NL*ACM", "--to", "DE", "--module", "tariffs"),
            *("--note", "No contract", "--json"),
        )
    ).json
    listed = await command("agreement", "list")
    again = await command(
        *("agreement", "allow", "--from", "NL*ACM", "--to", "DE", "--module", "tariffs")
    )
    changed = await command("agreement", "change", made["id"], "--effect", "allow", "--json")
    ended = await command("agreement", "end", made["id"])

    assert (made["from"], made["to"], made["effect"]) == ("NL*ACM", "DE", "BLOCK")
    assert "No contract" in listed.out
    assert (again.code, "hub agreement change" in again.err) == (4, True)
    assert (changed.json["effect"], changed.json["note"]) == ("ALLOW", "No contract")
    assert ended.code == 0
    assert (await command("agreement", "list")).out == ""


async def test_a_network_is_closed_and_opened_HUB_52(command, hub, tenant, acme, emsp):
    """What else is set stays as it is."""
    await hub.connect(acme)
    await acme.put("tariffs/NL/ACM/T1", tariff(version=V, party_id="ACM"))
    await hub.sql('update tenants set settings = \'{"timezone": "Europe/Berlin"}\'')

    closed = await command("tenant", "change", str(tenant.id), "--network", "closed", "--json")
    hidden, without = await emsp.get("tariffs"), await command("agreement", "list")
    await command("agreement", "allow", "--from", "NL*ACM", "--to", "DE*TWO")
    allowed = await emsp.get("tariffs")
    await command("tenant", "change", str(tenant.id), "--network", "open")

    settings = {"timezone": "Europe/Berlin", "features": {"default_agreement": "BLOCK"}}
    assert closed.json["settings"] == settings
    assert "Without an agreement nothing is allowed" in without.err
    assert (len(hidden.data), len(allowed.data)) == (0, 1)
    assert "everything is allowed" in (await command("agreement", "list")).err
    assert "open" in (await command("whoami")).out


async def test_a_name_that_is_empty_means_nobody(command, hub, acme):
    """As when a variable of a script was not set: the only partner there is must not be hit."""
    await hub.connect(acme)

    for name in ("", " "):
        ended = await command("partner", "suspend", name)
        assert (ended.code, "hub partner list" in ended.err) == (2, True)
    assert "ACTIVE" in (await command("partner", "list")).out


async def test_the_audit_log_tells_what_was_there_before(command, tenant):
    await command(
        "tenant", "change", str(tenant.id), "--name", "North\x1b[31m", "--network", "closed"
    )

    told = (await command("audit", "search", "--entity", "tenant", "--values")).out
    nothing = await command("audit", "search", "--entity", "nobody", "--values")
    latest = (await command("audit", "search", "--entity", "tenant", "--json")).json["items"][0]

    assert "from 127.0.0.1" in told
    assert latest["ip_address"] == "127.0.0.1"
    assert latest["user_agent"].startswith("hub/")
    assert f"name: {tenant.name} → North\\x1b[31m" in told
    assert 'settings: - → {"features": {"default_agreement": "BLOCK"}}' in told
    assert (nothing.out, "No entries" in nothing.err) == ("", True)


async def test_the_audit_log_tells_who_did_it_by_name(command, hub, acme, monkeypatch):
    """Of two keys of one user, what each of them did; of a partner, what it brought."""
    await command("role", "create", "Agreeing", "--permission", "agreements.create")
    await command("user", "create", "ada@example.com", "--role", "Agreeing")
    keys = [
        (await command("key", "create", name, "--user", "ada@example.com", "--json")).json
        for name in ("laptop", "phone")
    ]
    await hub.connect(acme)
    await acme.put("tariffs/NL/ACM/T1", tariff(version=V, party_id="ACM"))
    with monkeypatch.context() as ada:
        for key, side in zip(keys, ("--from", "--to"), strict=True):
            ada.setenv("HUB_API_KEY", key["key"])
            await command("agreement", "block", side, "NL*ACM")

    async def told(by: str) -> set[tuple[str, str]]:
        items = (await command("audit", "search", "--by", by, "--json")).json["items"]
        return {(entry["by"], entry["key"]) for entry in items}

    assert await told("ada@example.com") == {
        ("ada@example.com", "laptop"),
        ("ada@example.com", "phone"),
    }
    assert await told(keys[0]["id"]) == {("ada@example.com", "laptop")}
    assert await told("acme") == {(acme.name, None)}
    assert "ada@example.com (phone)" in (await command("audit", "search")).out
    assert (await command("audit", "search", "--by", "nobody")).code == 3


async def test_who_am_i(command, tenant):
    ended = await command("whoami", "--json")

    assert ended.json["tenant"]["id"] == str(tenant.id)


@pytest.mark.parametrize(
    "arguments",
    [
        ("partner", "show", "3f0f7a3e-1d37-4a53-b5fd-8f2c2d0a7a11"),
        ("partner", "trace", "nobody"),
        ("object", "show", "tariffs", "NL/ACM/NOPE"),
        ("setback", "show", "3f0f7a3e-1d37-4a53-b5fd-8f2c2d0a7a11"),
        ("tenant", "show", "x"),
    ],
)
async def test_what_is_not_there_is_exit_code_3(command, arguments):
    ended = await command(*arguments)

    assert ended.code == 3
    assert ended.out == ""
    assert ended.err


async def test_a_failed_command_leaves_everything_as_it_was(command):
    """Nothing half done: neither the partner nor an entry that says so."""
    ended = await command("partner", "invite", "Acme", "--role", "NL*HUB:CPO")

    assert ended.code == 2
    assert "own party" in ended.err
    assert (await command("partner", "list")).out == ""
    assert (await command("audit", "search", "--entity", "ocpi_partner")).out == ""


async def test_health(command):
    assert (await command("health")).out.split()[:2] == ["hub", "ready"]


async def test_what_became_of_a_command(command, hub, emsp):
    async with FakePartner("NL*ONE CPO", name="One") as cpo:
        await hub.connect(cpo)
        asked = commands.command("START_SESSION", emsp)
        await emsp.post("commands/START_SESSION", asked, to=cpo)
        await cpo.send_result(cpo.commands[0], "EVSE_OCCUPIED")
        await hub.deliver()
        cpo.away = True
        await emsp.post("commands/STOP_SESSION", commands.command("STOP_SESSION", emsp), to=cpo)

    listed = await command("command", "list")
    [unknown] = (await command("command", "list", "--state", "unknown", "--json")).json["items"]
    [done] = (await command("command", "list", "--type", "start_session", "--json")).json["items"]
    shown = await command("command", "show", done["id"])
    nothing = await command("command", "list", "--about", "SESSION/S9")

    assert "EVSE_OCCUPIED" in listed.out
    assert "SESSION/S1" in listed.out
    assert "503" in unknown["error"]
    assert "EVSE_OCCUPIED" in shown.out
    assert "taken by the caller at" in shown.out
    assert asked["token"]["uid"] not in shown.out
    assert (nothing.out, nothing.err) == ("", "No commands like that.\n")


async def test_settings_of_a_partner(command, emsp):
    changed = await command("partner", "set", "two", "callbacks_need_token=true", "--json")
    shown = await command("partner", "set", "two", "delivery=live_only")
    wrong = await command("partner", "set", "two", "delivery=sometimes")
    unknown = await command("partner", "set", "two", "colour=blue")
    no_value = await command("partner", "set", "two", "delivery")

    assert changed.json["configuration"]["callbacks_need_token"] is True
    assert "callbacks_need_token" in shown.out
    assert "live_only" in shown.out
    assert (wrong.code, "live_only" in wrong.err) == (2, True)
    assert (unknown.code, no_value.code) == (2, 2)


async def test_what_is_lost_between_versions(command, hub, acme):
    async with FakePartner("DE*TWO EMSP", name="Two", versions=("2.1.1",)) as old:
        await hub.connect(old)
        await hub.connect(acme)
        await acme.put("tariffs/NL/ACM/T1", tariff(version=V, party_id="ACM"))
        await hub.deliver()

        shown = await command("object", "show", "tariffs", "NL/ACM/T1")
        listed = await command("object", "losses", "tariffs", "--version", "2.1.1", "--json")
        nothing = await command("object", "losses", "--party", "NL*XXX")

    assert "2.1.1" in shown.out
    assert "min_price" in shown.out
    [loss] = listed.json["items"]
    assert loss["object_ref"] == "NL/ACM/T1"
    assert "Nothing was lost." in nothing.out + nothing.err


async def test_an_agreement_says_who_is_told_what_there_is_now_HUB_52(command, hub, acme, emsp):
    await hub.close_network()
    await hub.connect(acme)
    await acme.put("tariffs/NL/ACM/T1", tariff(version=V, party_id="ACM"))
    await hub.deliver()

    quiet = await command("agreement", "allow", "--from", "NL*ACM", "--tell", "no", "--json")
    ended = await command("agreement", "end", quiet.json["id"], "--json")
    loud = await command("agreement", "allow", "--from", "NL*ACM", "--to", "DE*TWO")
    await hub.deliver()

    assert (quiet.json["told"], ended.json["told"]) == ([], [])
    assert any("tariffs" in line and line.endswith("1") for line in loud.out.splitlines())
    assert [push.path for push in emsp.received] == ["tariffs/NL/ACM/T1"]
