"""The seed's ChargeDetailRecord of a session, made of its CDR: what operators look at."""

from decimal import Decimal

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.charging import ChargeDetailRecord
from hub.models.transactions import StationTransaction
from hub.roaming.charging import session_records
from hub.roaming.merging import Document


async def keep(db: AsyncSession, transaction: StationTransaction, cdr: Document) -> None:
    """Write the record, or write it anew, and note what it cost beside the session."""
    if transaction.session_created_at is None:
        return
    total = cdr["total_cost"]
    before = Decimal(str(total["before_taxes"]))
    taxes = sum((Decimal(str(tax["amount"])) for tax in total.get("taxes") or []), Decimal(0))
    values = {
        "charging_session_id": transaction.charging_session_id,
        "cdr_id": cdr["id"],
        "start_timestamp": transaction.started_at,
        "end_timestamp": transaction.ended_at,
        "total_energy": Decimal(str(cdr["total_energy"])),
        "total_time": Decimal(str(cdr["total_time"])),
        "total_parking_time": Decimal(str(cdr["total_parking_time"])),
        "currency": cdr["currency"],
        "total_cost_before_taxes": before,
        "total_taxes": taxes if total.get("taxes") else None,
    }
    statement = insert(ChargeDetailRecord).values(**values)
    await db.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "charging_session_id"],
            set_={name: statement.excluded[name] for name in values},
        )
    )
    paid = {"total_cost": before + taxes, "currency": cdr["currency"]}
    known_as = ocpi_names(transaction, cdr)
    await session_records.update_session(db, transaction, {**paid, "ocpi_data": known_as})


def ocpi_names(transaction: StationTransaction, cdr: Document) -> dict[str, str]:
    """What OCPI calls it all."""
    place = cdr["cdr_location"]
    return {
        "cdr_id": cdr["id"],
        "location_id": place["id"],
        "evse_uid": place["evse_uid"],
        "connector_id": place["connector_id"],
        "authorization_reference": transaction.authorization_reference or "",
    }
