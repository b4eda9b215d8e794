"""How a partner is shown."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields, validate
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.admin.output import PartyOf, Versioned, page_of
from hub.models.partners import Partner, PartnerEndpoint, PartnerRole, PartnerToken
from hub.models.values import ConnectionStatus, InterfaceRole, PartnerStatus, Role
from hub.ocpi.renewals import DUE


class PartnerRoleShown(Schema):
    party = PartyOf()
    role = fields.String(validate=validate.OneOf(list(Role)))
    approved = fields.Boolean(metadata={"description": "By the operator, with the invitation."})
    declared = fields.Boolean(metadata={"description": "By the platform, in its credentials."})


class EndpointShown(Schema):
    identifier = fields.String()
    role = fields.String(validate=validate.OneOf(list(InterfaceRole)))
    url = fields.String()


class TokenShown(Schema):
    kind = fields.String(validate=validate.OneOf(("A", "C")))
    hint = fields.String(metadata={"description": "How it begins, to tell tokens apart."})
    created_at = fields.AwareDateTime()
    first_used_at = fields.AwareDateTime(allow_none=True)
    expires_at = fields.AwareDateTime(allow_none=True)


class PartnerShown(Versioned):
    name = fields.String()
    status = fields.String(validate=validate.OneOf(list(PartnerStatus)))
    connection_status = fields.String(validate=validate.OneOf(list(ConnectionStatus)))
    roles = fields.List(fields.Nested(PartnerRoleShown))
    ocpi_version = fields.String(allow_none=True)
    versions_url = fields.String(allow_none=True)
    hub_party_id = fields.String(allow_none=True)
    endpoints = fields.List(fields.Nested(EndpointShown))
    tokens = fields.List(
        fields.Nested(TokenShown), metadata={"description": "Those it may call us with now."}
    )
    token_form_sent = fields.String(allow_none=True)
    token_form_seen = fields.String(allow_none=True)
    configuration = fields.Dict()
    sync_frequency_minutes = fields.Integer(allow_none=True)
    last_synced_at = fields.AwareDateTime(allow_none=True)
    connection_changed_at = fields.AwareDateTime()
    connected_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When credentials were exchanged last."}
    )
    renewal_due = fields.Boolean(
        metadata={"description": "They are older than a month: exchange new ones."}
    )
    last_seen_at = fields.AwareDateTime(allow_none=True)


PartnerPage: type[Schema] = page_of(PartnerShown)


class Invited(Schema):
    partner = fields.Nested(PartnerShown)
    versions_url = fields.String(metadata={"description": "Ours, for the platform to call."})
    token = fields.String(metadata={"description": "Token A. It is not shown again."})
    expires_at = fields.AwareDateTime()


class Left(Schema):
    partner = fields.Nested(PartnerShown)
    told = fields.Boolean(metadata={"description": "Whether the platform agreed."})


class Step(Schema):
    """One request of a handshake and its answer. Tokens never appear in it."""

    at = fields.String()
    step = fields.String()
    message = fields.String()
    method = fields.String()
    url = fields.String()
    http_status = fields.Integer()
    status_code = fields.Integer()
    ms = fields.Integer()
    detail = fields.String()


class HandshakeShown(Schema):
    id = fields.UUID()
    created_at = fields.AwareDateTime()
    finished_at = fields.AwareDateTime(allow_none=True)
    kind = fields.String()
    outcome = fields.String()
    reason = fields.String(allow_none=True)
    steps = fields.List(fields.Nested(Step))


BESIDE = ("roles", "endpoints", "tokens", "renewal_due")
ROW = [name for name in PartnerShown().fields if name not in BESIDE]


async def shown(db: AsyncSession, partners: list[Partner]) -> list[dict[str, Any]]:
    """Partners with what other tables say of them: four queries, however many they are."""
    ids = [partner.id for partner in partners]
    roles = await by_partner(
        db,
        select(PartnerRole)
        .where(PartnerRole.partner_id.in_(ids))
        .order_by(PartnerRole.country_code, PartnerRole.party_id, PartnerRole.role),
    )
    endpoints = await by_partner(
        db,
        select(PartnerEndpoint)
        .where(PartnerEndpoint.partner_id.in_(ids))
        .order_by(PartnerEndpoint.identifier, PartnerEndpoint.role),
    )
    tokens = await by_partner(
        db,
        select(PartnerToken)
        .where(
            PartnerToken.partner_id.in_(ids),
            or_(PartnerToken.expires_at.is_(None), PartnerToken.expires_at > func.now()),
        )
        .order_by(PartnerToken.created_at),
    )
    due = set(await db.scalars(select(Partner.id).where(Partner.id.in_(ids), DUE)))
    return [
        {name: getattr(partner, name) for name in ROW}
        | {
            "roles": roles[partner.id],
            "endpoints": endpoints[partner.id],
            "tokens": tokens[partner.id],
            "renewal_due": partner.id in due,
        }
        for partner in partners
    ]


async def by_partner(db: AsyncSession, found: Any) -> defaultdict[UUID, list[Any]]:
    rows: defaultdict[UUID, list[Any]] = defaultdict(list)
    for row in await db.scalars(found):
        rows[row.partner_id].append(row)
    return rows
