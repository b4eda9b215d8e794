"""The network of one tenant: its parties, and what is agreed between them."""

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.partners import Agreement
from hub.models.tenants import Tenant
from hub.models.values import Party
from hub.roaming.network import partners
from hub.roaming.network.audience import Audience, Rule


async def audience(db: AsyncSession) -> Audience:
    """Everybody in the tenant's network, as of this transaction."""
    return (await rules(db)).among(await partners.connections(db))


async def rules(db: AsyncSession, *conditions: ColumnElement[bool]) -> Audience:
    """What is agreed, or that of it which meets the conditions, among nobody yet."""
    found = [rule(row) for row in await db.scalars(select(Agreement).where(*conditions))]
    tenant = await partners.own_tenant(db)
    return Audience.of(
        (),
        found,
        allow_by_default=default_agreement(tenant) == "ALLOW",
        own=tenant.cpo_party,
    )


def default_agreement(tenant: Tenant) -> str:
    """ALLOW or BLOCK where no agreement applies: an open network, unless the operator closes it."""
    features = (tenant.settings or {}).get("features") or {}
    return "BLOCK" if features.get("default_agreement") == "BLOCK" else "ALLOW"


def rule(row: Agreement) -> Rule:
    return Rule(
        giver=party(row.from_country_code, row.from_party_id),
        taker=party(row.to_country_code, row.to_party_id),
        module=row.module,
        allow=row.effect == "ALLOW",
        hold=row.hold,
        giver_country=row.from_country_code if row.from_party_id is None else None,
        taker_country=row.to_country_code if row.to_party_id is None else None,
    )


def party(country_code: str | None, party_id: str | None) -> Party | None:
    return Party.of(country_code, party_id) if country_code and party_id else None
