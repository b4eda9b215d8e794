"""``hub audit verify``: whether anybody touched the audit log, and whether its end is there."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hub import audit_chain
from hub.keys import KEYRING
from hub.models.audit import AuditLog
from hub.security import Keyring, new_key


@pytest.fixture
def seal(hub):
    """Chain everything there is; ``entries`` are written first."""

    async def links(*entries: AuditLog, keyring: Keyring = hub.app[KEYRING]) -> None:
        async with hub.database.transaction(hub.tenant_id) as db:
            db.add_all(entries)
        await audit_chain.seal_all(hub.database, hub.tenant_id, keyring, patience=timedelta(0))

    return links


@pytest.fixture
def tamper(postgres, tenant):
    async def execute(statement: str) -> None:
        engine = create_async_engine(postgres.url_of("postgres", "hub"), poolclass=NullPool)
        async with engine.begin() as owner:
            await owner.execute(text(statement), {"tenant": tenant.id})
        await engine.dispose()

    return execute


def entry(**columns) -> AuditLog:
    return AuditLog(**{"action": "UPDATE", "entity_type": "tariff"} | columns)


async def test_a_log_that_nobody_touched(command, seal):
    """T-56: and an operator sees how far it goes, and what is not chained yet."""
    empty = (await command("audit", "verify", "--json")).json
    for _ in range(25):
        await seal(entry())

    shown = await command("audit", "verify")
    told = (await command("audit", "verify", "--json")).json

    assert (empty["segments"], empty["head"]) == (0, f"0:{'0' * 64}")
    assert shown.code == 0
    assert told["head"] in shown.out
    assert "Nothing was changed." in shown.err + shown.out
    # The key that this command comes with was an entry, too.
    assert (told["segments"], told["entries"]) == (25, 25 + empty["unsealed"])
    assert (told["purged"], told["unsealed"]) == (0, 0)


async def test_a_log_that_was_touched(command, seal, tamper):
    """T-56"""
    for _ in range(23):
        await seal(entry())
    await tamper(
        "UPDATE audit_logs SET entity_type = 'nothing' WHERE tenant_id = :tenant AND id ="
        " (SELECT id FROM audit_logs WHERE tenant_id = :tenant ORDER BY changed_seq DESC LIMIT 1)"
    )

    shown = await command("audit", "verify")
    told = await command("audit", "verify", "--json")

    assert shown.code == told.code == 1
    assert "Link 23, entry" in shown.err
    assert "the entry was changed" in shown.err
    assert told.json["error"]["code"] == "audit_broken"


async def test_an_end_that_was_cut_off_shows_to_who_remembers_it(command, seal, tamper):
    """T-56"""
    for _ in range(22):
        await seal(entry())
    head = (await command("audit", "verify", "--json")).json["head"]
    assert (await command("audit", "verify", "--head", head)).code == 0
    await seal(entry())
    assert (await command("audit", "verify", "--head", head)).code == 0

    for table, newest in (("audit_segments", "number >= 22"), ("audit_logs", "true")):
        place = "(changed_xid, changed_seq)" if table == "audit_logs" else "(xid, seq)"
        await tamper(
            f"DELETE FROM {table} WHERE tenant_id = :tenant AND {newest} AND {place} > (SELECT xid,"
            " seq FROM audit_segments WHERE tenant_id = :tenant AND number = 21)"
        )

    alone = await command("audit", "verify")
    remembered = await command("audit", "verify", "--head", head)
    await seal(entry())
    replaced = await command("audit", "verify", "--head", head)

    assert alone.code == 0
    assert remembered.code == 1
    assert "Link 22: the link is missing" in remembered.err
    assert replaced.code == 1
    assert "Link 22: the link is not the one it was" in replaced.err


async def test_a_head_must_be_what_was_printed(command):
    for head in ("22", "x:00", "22:", "1:abc"):
        refused = await command("audit", "verify", "--head", head)
        assert (refused.code, "N:DIGEST" in refused.err) == (2, True)


async def test_links_that_no_key_proves_are_not_called_right(command, seal):
    """T-56: else a forger would name a key that nobody has."""
    await seal(entry())
    await seal(entry(), keyring=Keyring.from_text(new_key("gone")))

    unproven = await command("audit", "verify")
    await seal(entry())
    proven = await command("audit", "verify")

    assert unproven.code == 1
    assert "gone" in unproven.err
    assert "HUB_SECRET_KEYS" in unproven.err
    assert proven.code == 0


async def test_the_hub_chains_and_lets_go_by_the_clock(command, hub, seal):
    """T-56"""
    await seal(entry(timestamp=datetime.now(UTC) - timedelta(days=800)))
    async with hub.database.transaction(hub.tenant_id) as db:
        db.add_all(entry() for _ in range(audit_chain.LONGEST))
    await hub.run("seal audit")
    await hub.run("retire audit")

    told = (await command("audit", "verify", "--json")).json

    assert told["segments"] == 2
    assert told["entries"] == audit_chain.LONGEST
    assert told["purged"] >= 1
    # That entries were removed is one.
    assert told["unsealed"] == 1
