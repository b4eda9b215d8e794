"""Credentials that should be exchanged once more, without anybody's doing.

From OCPI 2.3.0 on a partner learns from our credentials whom it can reach. When that has changed,
or where we serve what, it is told by a PUT (CRED-06, VER-07). As every PUT replaces the tokens of
both sides, it is done seldom, one at a time, and never while it is not known whether the last one
has arrived: so no partner is ever more than one token away from the one it knows.

Tokens that were not replaced for a month are no reason to act, but to remind (CRED-22).
"""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import HubError
from hub.models.partners import HandshakeTrace, Partner, PartnerRole
from hub.models.values import Party
from hub.ocpi.delivery.rounds import ready
from hub.ocpi.handshake import joining
from hub.ocpi.handshake.handshake import Parts
from hub.ocpi.handshake.introduction import fingerprint, names_itself, roles_for
from hub.ocpi.versions import VERSIONS
from hub.roaming.network import agreements, partners
from hub.roaming.network.partners import Connection

log = structlog.get_logger()

KIND = "reintroduce"
# How long to wait after a PUT that failed: twice as long each time, but not longer than this.
LONGEST_WAIT = timedelta(days=1)
MOST_DOUBLINGS = 12
# Which partners are to be reminded of.
DUE = and_(
    Partner.token_to_send.is_not(None),
    Partner.connected_at < func.clock_timestamp() - timedelta(days=30),
)


class Tried(NamedTuple):
    """The attempts since the last exchange of credentials that went well."""

    times: int
    last: datetime


async def introduce_again(parts: Parts, tenant_id: UUID) -> None:
    """PUT our credentials to the partners of a tenant that were told otherwise before."""
    async with parts.database.transaction(tenant_id) as db:
        outdated = await find_outdated(db)
    for partner in outdated:
        try:
            await joining.renew(parts, tenant_id, partner.id, kind=KIND, version=partner.version)
        except HubError as error:
            log.warning(
                "partner not told of changed roles", partner=str(partner.id), reason=str(error)
            )


async def find_outdated(db: AsyncSession) -> list[Connection]:
    """The partners that are due to be told."""
    audience = await agreements.audience(db)
    candidates = [partner for partner in audience.connections if may_be_told(partner)]
    if not candidates:
        return []
    tenant, mine, tried = await partners.own_tenant(db), await approved(db), await attempts(db)
    now = (await db.scalars(select(func.clock_timestamp()))).one()
    rows = {row.id: row for row in await db.scalars(select(Partner))}
    due = []
    for partner in candidates:
        version, row = VERSIONS[partner.version or ""], rows[partner.id]
        grants = roles_for(audience, tenant, partner, version, mine[partner.id])
        same = row.introduced == fingerprint(audience, partner, version, grants)
        if not same and now >= not_before(partner, row, tried.get(partner.id)):
            due.append(partner)
    return due


def may_be_told(partner: Connection) -> bool:
    return (
        ready(partner)
        and partner.settings.credentials_update_minutes > 0
        and names_itself(VERSIONS[partner.version or ""])
        # The last exchange is over when the new token was used: until then there is another one.
        and partner.previous_token is None
    )


def not_before(partner: Connection, row: Partner, tried: Tried | None) -> datetime:
    """When a partner may be told at the earliest."""
    apart = timedelta(minutes=partner.settings.credentials_update_minutes)
    assert row.connected_at is not None
    if tried is None:
        return row.connected_at + apart
    wait: timedelta = apart * 2 ** min(tried.times, MOST_DOUBLINGS)
    return tried.last + min(wait, max(apart, LONGEST_WAIT))


async def approved(db: AsyncSession) -> defaultdict[UUID, set[Party]]:
    found: defaultdict[UUID, set[Party]] = defaultdict(set)
    for row in await db.scalars(select(PartnerRole).where(PartnerRole.approved)):
        found[row.partner_id].add(Party(row.country_code, row.party_id))
    return found


async def attempts(db: AsyncSession) -> dict[UUID, Tried]:
    rows = await db.execute(
        select(
            HandshakeTrace.partner_id,
            func.count(),
            func.max(HandshakeTrace.created_at),
        )
        .join(Partner, Partner.id == HandshakeTrace.partner_id)
        .where(HandshakeTrace.kind == KIND, HandshakeTrace.created_at > Partner.connected_at)
        .group_by(HandshakeTrace.partner_id)
    )
    return {partner_id: Tried(count, last) for partner_id, count, last in rows}


async def remind(db: AsyncSession) -> None:
    """Name the partners with which no tokens were exchanged for a month (CRED-22)."""
    for partner in await db.scalars(select(Partner).where(DUE)):
        log.warning(
            "credentials are old: hub partner renew",
            partner=str(partner.id),
            partner_name=partner.name,
            exchanged_at=str(partner.connected_at),
        )
