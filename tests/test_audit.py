"""The audit log tells who did what, in the same transaction, without secrets or drivers."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import select

from hub import audit
from hub.db import Caller
from hub.models.audit import AuditLog
from hub.models.values import AuditAction, AuditSeverity


async def entries(database, tenant) -> list[AuditLog]:
    async with database.transaction(tenant.id) as db:
        return list(await db.scalars(select(AuditLog).order_by(AuditLog.timestamp)))


async def test_an_entry_names_who_what_and_when(database, tenant):
    actor, partner, key = uuid4(), uuid4(), uuid4()
    caller = Caller(key, "192.0.2.1", "curl/8" + "!" * 1000)
    async with database.transaction(tenant.id, actor_id=actor, caller=caller) as db:
        await audit.record(
            db,
            "UPDATE",
            "ocpi_partner",
            partner,
            before={"name": "Old", "status": "ACTIVE"},
            after={"name": "New", "status": "ACTIVE"},
            description="Renamed",
            severity="HIGH",
            metadata={"request": "abc"},
        )

    [entry] = await entries(database, tenant)
    assert (entry.action, entry.severity) == (AuditAction.UPDATE, AuditSeverity.HIGH)
    assert (entry.entity_type, entry.entity_id) == ("ocpi_partner", partner)
    assert entry.user_id == actor
    assert abs((datetime.now(UTC) - entry.timestamp).total_seconds()) < 60
    assert (entry.old_values, entry.new_values) == ({"name": "Old"}, {"name": "New"})
    assert (entry.description, entry.details) == ("Renamed", {"request": "abc"})
    assert (entry.session_id, entry.ip_address) == (str(key), "192.0.2.1")
    assert (entry.user_agent[:6], len(entry.user_agent)) == ("curl/8", 500)


async def test_an_entry_is_rolled_back_with_the_deed(database, tenant):
    async def fail() -> None:
        async with database.transaction(tenant.id) as db:
            await audit.record(db, "CREATE", "user", uuid4())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    assert await entries(database, tenant) == []


async def test_somebody_else_than_the_actor_may_be_named(database, tenant):
    someone = uuid4()
    async with database.transaction(tenant.id, actor_id=uuid4()) as db:
        await audit.record(db, "LOGIN", "user", someone, user_id=someone)

    [entry] = await entries(database, tenant)
    assert entry.user_id == someone


async def test_what_was_made_or_deleted_is_kept_whole(database, tenant):
    async with database.transaction(tenant.id) as db:
        await audit.record(db, "CREATE", "role", None, after={"name": "operator"})
        await audit.record(db, "DELETE", "role", None, before={"name": "operator"})

    made, deleted = await entries(database, tenant)
    assert (made.old_values, made.new_values) == (None, {"name": "operator"})
    assert (deleted.old_values, deleted.new_values) == ({"name": "operator"}, None)


async def test_neither_secrets_nor_drivers_get_into_the_log(database, tenant):
    token = "3kQ0y7dVb2mX9sTqLrP4wZc8nHj1uEfGa5iOoYtRvBe"
    values = {
        "token": token,
        "password": "correct horse battery staple",
        "digest": b"\x00\x01",
        "uid": "04A2B3C4D5E6F7",
        "contract_id": "NL-TNM-C12345678-X",
        "nested": {"credentials_token": token, "list": [{"api_key": token}]},
        "url": f"https://hub.example/ocpi/tokens/NL/TNM/04A2B3C4D5E6F7?token={token}",
    }
    async with database.transaction(tenant.id) as db:
        await audit.record(
            db,
            "CREATE",
            "token",
            None,
            after=values,
            metadata=values,
            description=f"Authorization: Token {token}",
        )

    [entry] = await entries(database, tenant)
    written = f"{entry.new_values} {entry.details} {entry.description}"
    for secret in (token, "correct horse", "04A2B3C4D5E6F7", "12345678", "\\x00"):
        assert secret not in written
    assert set(entry.new_values) == set(values)


async def test_values_of_every_kind_can_be_recorded(database, tenant):
    row_id = uuid4()
    async with database.transaction(tenant.id) as db:
        await audit.record(
            db,
            "CREATE",
            "thing",
            None,
            after={
                "at": datetime(2025, 1, 2, tzinfo=UTC),
                "amount": Decimal("1.10"),
                "id": row_id,
                "state": AuditSeverity.LOW,
                "flags": {True},
                "nothing": None,
                "count": 3,
                "odd": object(),
                "long": "word " * 1000,
            },
        )

    [entry] = await entries(database, tenant)
    assert entry.new_values | {"long": ""} == {
        "at": "2025-01-02 00:00:00+00:00",
        "amount": "1.10",
        "id": str(row_id),
        "state": "LOW",
        "flags": [True],
        "nothing": None,
        "count": 3,
        "odd": "***",
        "long": "",
    }
    assert len(entry.new_values["long"]) == audit.LONGEST_TEXT + 1


async def test_an_action_that_nobody_knows_is_a_mistake(database, tenant):
    async with database.transaction(tenant.id) as db:
        with pytest.raises(ValueError, match="SHRUG"):
            await audit.record(db, "SHRUG", "thing", None)
