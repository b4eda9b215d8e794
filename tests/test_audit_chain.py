"""Whoever changes, removes or adds entries of the audit log afterwards is found out (T-56)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from hub import audit, audit_chain, retention
from hub.models.audit import AuditLog, AuditSegment
from hub.models.values import Place
from hub.security import Keyring, new_key

KEYRING = Keyring.from_text(new_key("old"))
NO_PATIENCE = timedelta(0)


@pytest.fixture
async def owner(postgres) -> AsyncIterator[AsyncEngine]:
    """Somebody who may write every table: what nothing in the database can keep out."""
    engine = create_async_engine(postgres.url_of("postgres", "hub"), poolclass=NullPool)
    yield engine
    await engine.dispose()


@pytest.fixture
def tamper(owner, tenant):
    """Execute a statement as the owner; ``:tenant`` and ``:entry`` are filled in."""

    async def execute(statement: str, **values) -> int:
        async with owner.begin() as db:
            found = await db.execute(text(statement), {"tenant": tenant.id} | values)
            return found.rowcount

    return execute


@pytest.fixture
def write(database, tenant):
    """Write so many entries, each in a transaction of its own; ``age`` makes them older."""

    async def entries(count: int, *, age: timedelta | None = None) -> None:
        for number in range(count):
            async with database.transaction(tenant.id) as db:
                if age is None:
                    await audit.record(db, "UPDATE", "tariff", None, after={"price": number})
                else:
                    then = datetime.now(UTC) - age
                    db.add(AuditLog(action="UPDATE", entity_type="tariff", timestamp=then))

    return entries


@pytest.fixture
def seal(database, tenant):
    async def links(keyring: Keyring = KEYRING) -> None:
        await audit_chain.seal_all(database, tenant.id, keyring, patience=NO_PATIENCE)

    return links


@pytest.fixture
def examine(database, tenant):
    async def found(keyring: Keyring = KEYRING, **options) -> audit_chain.Finding:
        async with database.transaction(tenant.id) as db:
            return await audit_chain.examine(db, keyring, **options)

    return found


@pytest.fixture
async def chained(write, seal, database, tenant):
    """Three links of two entries each; the ids of the entries, oldest first."""
    for _ in range(3):
        await write(2)
        await seal()
    async with database.transaction(tenant.id) as db:
        return list(await db.scalars(select(AuditLog.id).order_by(AuditLog.changed_seq)))


async def test_what_nobody_touched_is_found_right(chained, write, examine):
    await write(1)

    found = await examine()

    assert (found.fault, found.segments, found.entries) == (None, 3, 6)
    assert (found.unsealed, found.after) == (1, None)
    assert (found.proof.sealed, found.proof.unknown) == (True, set())


async def test_links_can_be_looked_at_part_by_part(chained, examine):
    first = await examine(limit=2)
    rest = await examine(after=2, limit=2)

    assert (first.segments, first.after, first.unsealed) == (2, 2, 0)
    assert (rest.segments, rest.after, rest.fault) == (1, None, None)
    assert (await examine(after=3)).fault is None
    assert (await examine(after=9)).fault == audit_chain.Fault(9, None, "the link is missing")


ENTRY = "tenant_id = :tenant AND id = :entry"


@pytest.mark.parametrize(
    "change",
    [
        "new_values = '{\"price\": 9}'",
        "user_id = gen_random_uuid()",
        "timestamp = timestamp - interval '1 microsecond'",
        "description = 'something else'",
        "severity = 'HIGH'",
        "ip_address = '192.0.2.7'",
        "metadata = '{}'",
    ],
)
async def test_an_entry_that_was_changed_is_named(chained, tamper, examine, change):
    """T-56"""
    await tamper(f"UPDATE audit_logs SET {change} WHERE {ENTRY}", entry=chained[2])

    fault = (await examine()).fault

    assert fault == audit_chain.Fault(2, chained[2], "the entry was changed")


async def test_an_entry_that_was_removed_is_named(chained, tamper, examine):
    """T-56"""
    await tamper(f"DELETE FROM audit_logs WHERE {ENTRY}", entry=chained[5])

    found = await examine()

    assert found.fault == audit_chain.Fault(3, chained[5], "the entry is missing")
    assert found.segments == 2


async def test_an_entry_that_was_added_later_is_named(chained, tamper, examine, database, tenant):
    """T-56"""
    await tamper(
        "INSERT INTO audit_logs (tenant_id, action, entity_type, changed_xid, changed_seq)"
        " SELECT tenant_id, 'CREATE', 'forged', changed_xid, changed_seq FROM audit_logs"
        f" WHERE {ENTRY}",
        entry=chained[0],
    )
    async with database.transaction(tenant.id) as db:
        forged = await db.scalar(select(AuditLog.id).where(AuditLog.entity_type == "forged"))

    assert (await examine()).fault == audit_chain.Fault(1, forged, "the entry was added later")


async def test_an_entry_that_was_moved_out_of_its_link_is_named(chained, tamper, examine):
    """T-56: also when it is moved to where nothing is sealed yet."""
    await tamper(
        f"UPDATE audit_logs SET changed_xid = '9999999999' WHERE {ENTRY}", entry=chained[1]
    )

    assert (await examine()).fault == audit_chain.Fault(1, chained[1], "the entry is missing")


LINK = "tenant_id = :tenant AND number = 2"


TOUCHED = {
    f"UPDATE audit_segments SET entries = 1 WHERE {LINK}": "the link was changed",
    f"UPDATE audit_segments SET content = digest WHERE {LINK}": "the link was changed",
    f"UPDATE audit_segments SET seal = digest WHERE {LINK}": "the link was not sealed by this hub",
    f"UPDATE audit_segments SET marks = substr(marks, 1, 48) WHERE {LINK}": (
        "the marks of its entries were changed"
    ),
    f"DELETE FROM audit_segments WHERE {LINK}": "the link is missing",
    # As if the entries had been kept long enough.
    f"UPDATE audit_segments SET marks = NULL WHERE {LINK}": (
        "its entries were removed before their time"
    ),
    f"UPDATE audit_segments SET marks = NULL, last_at = '2001-02-03T04:05Z' WHERE {LINK}": (
        "the link was changed"
    ),
}


@pytest.mark.parametrize("change", TOUCHED)
async def test_a_link_that_was_touched_is_named(chained, tamper, examine, change):
    """T-56"""
    assert await tamper(change) == 1

    assert (await examine()).fault == audit_chain.Fault(2, None, TOUCHED[change])


async def test_without_the_key_nobody_can_make_another_chain(
    chained, tamper, examine, database, tenant
):
    """T-56: every digest is computed anew for what is left, as the owner of the tables could."""
    await tamper(f"DELETE FROM audit_logs WHERE {ENTRY}", entry=chained[1])
    previous = audit_chain.BEGINNING
    async with database.transaction(tenant.id) as db:
        links = list(await db.scalars(select(AuditSegment).order_by(AuditSegment.number)))
    for link in links:
        marks = link.marks[:48] if link.number == 1 else link.marks
        content = sha256(marks).digest()
        entries = len(marks) // 48
        digest = audit_chain.chained(previous, link.number, entries, link.last_at, content)
        await tamper(
            "UPDATE audit_segments SET marks = :marks, content = :content, entries = :entries,"
            " previous = :previous, digest = :digest WHERE tenant_id = :tenant AND number = :link",
            marks=marks,
            content=content,
            entries=entries,
            previous=previous,
            digest=digest,
            link=link.number,
        )
        previous = digest

    fault = (await examine()).fault

    assert fault == audit_chain.Fault(1, None, "the link was not sealed by this hub")


async def test_a_seal_by_a_new_key_proves_what_older_keys_sealed(chained, write, seal, examine):
    new = Keyring.from_text(new_key("new"))
    alone = await examine(new)
    await write(1)
    await seal(new)

    assert (alone.proof.sealed, alone.proof.unknown) == (False, {"old"})
    followed = await examine(new)
    assert (followed.fault, followed.segments) == (None, 4)
    assert (followed.proof.sealed, followed.proof.unknown) == (True, set())
    assert (await examine()).proof.unknown == {"new"}


async def test_new_entries_wait_for_more_but_not_for_ever(database, tenant, write):
    await write(1)
    async with database.transaction(tenant.id) as db:
        assert await audit_chain.seal(db, KEYRING) == 0
    await write(1, age=audit_chain.PATIENCE + timedelta(seconds=1))

    async with database.transaction(tenant.id) as db:
        # The older one was written later: so both wait on.
        assert await audit_chain.seal(db, KEYRING) == 0
    async with database.transaction(tenant.id) as db:
        assert await audit_chain.seal(db, KEYRING, patience=NO_PATIENCE) == 2


async def test_an_entry_of_a_transaction_that_takes_long_is_not_passed_by(
    database, tenant, write, seal, examine
):
    """Sealed are only entries before which none can appear any more."""
    async with database.transaction(tenant.id) as slow:
        await audit.record(slow, "UPDATE", "slow", None)
        await write(2)
        await seal()
        async with database.transaction(tenant.id) as db:
            assert await db.scalar(select(func.count()).select_from(AuditSegment)) == 0

    await seal()
    found = await examine()
    assert (found.fault, found.entries, found.unsealed) == (None, 3, 0)


async def test_a_chain_of_many_entries_has_links_of_bounded_length(database, tenant, seal, examine):
    async with database.transaction(tenant.id) as db:
        db.add_all(AuditLog(action="READ") for _ in range(audit_chain.LONGEST + 1))
    await seal()

    found = await examine()
    assert (found.fault, found.segments, found.entries) == (None, 2, audit_chain.LONGEST + 1)


async def test_tenants_have_chains_of_their_own(chained, database, make_tenant, examine):
    other = await make_tenant()
    async with database.transaction(other.id) as db:
        await audit.record(db, "UPDATE", "theirs", None)
    await audit_chain.seal_all(database, other.id, KEYRING, patience=NO_PATIENCE)

    async with database.transaction(other.id) as db:
        theirs = await audit_chain.examine(db, KEYRING)
    assert (theirs.segments, theirs.entries) == (1, 1)
    assert (await examine()).segments == 3


OLD = timedelta(days=3 * 365)


async def test_entries_that_were_kept_long_enough_go_and_the_chain_still_holds(
    database, tenant, write, seal, examine
):
    await write(3, age=OLD)
    await seal()
    await write(2)
    await seal()

    assert await retention.purge_audit(database, tenant.id, 24) == 3
    assert await retention.purge_audit(database, tenant.id, 24) == 0

    found = await examine()
    # What was done is an entry itself.
    assert (found.fault, found.entries, found.purged, found.unsealed) == (None, 2, 3, 1)
    async with database.transaction(tenant.id) as db:
        told = await db.scalar(
            select(AuditLog.description).where(AuditLog.entity_type == "audit_log")
        )
    assert told == "3 entries older than 24 months were removed"


async def test_entries_that_go_while_they_are_compared_are_not_missed(
    database, tenant, write, seal
):
    await write(1, age=OLD)
    await seal()
    async with database.transaction(tenant.id) as db:
        link = await audit_chain.last_link(db)
        assert await retention.purge_audit(database, tenant.id, 24) == 1
        beginning = Place(0, -1)

        assert await audit_chain.differing(db, link, beginning) is not None
        assert await audit_chain.unlike(db, link, beginning) is None


async def test_what_is_not_sealed_yet_stays_however_old_it_is(database, tenant, write):
    await write(1, age=OLD)

    assert await retention.purge_audit(database, tenant.id, 24) == 0


async def test_nothing_young_can_be_removed_by_the_hubs_role(
    database, tenant, chained, write, seal
):
    """T-56: not even with a forged link that claims its entries to be old."""
    with pytest.raises(DBAPIError, match="kept for 6 months at least"):
        await retention.purge_audit(database, tenant.id, 5)
    async with database.transaction(tenant.id) as db:
        last = await audit_chain.last_link(db)
        old = datetime.now(UTC) - OLD
        db.add(
            AuditSegment(
                number=0,
                entries=6,
                first_at=old,
                last_at=old,
                xid=last.xid,
                seq=last.seq,
                content=b"",
                previous=b"",
                digest=b"",
                seal=b"",
                key_id="forged",
            )
        )

    assert await retention.purge_audit(database, tenant.id, 6) == 0


async def test_one_tenant_cannot_remove_anothers(database, tenant, write, seal, make_tenant):
    await write(1, age=OLD)
    await seal()
    other = await make_tenant()

    assert await retention.purge_audit(database, other.id, 24) == 0
    assert await retention.purge_audit(database, tenant.id, 24) == 1
