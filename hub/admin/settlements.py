"""Settlement: what parties billed each other in a month, and whether it was right."""

import re
from typing import Any

from aiohttp import web
from marshmallow import Schema, fields, validate

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.cdr_lists import Amount
from hub.admin.errors import BadInput, Conflict, Missing
from hub.admin.input import Input, Matching, PartyField, ZoneField
from hub.admin.routes import BODY, QUERY, Routes
from hub.errors import RoutingError
from hub.keys import DIRECTORY, INTAKE
from hub.models.values import AuditAction, Party
from hub.roaming.network.partners import own_tenant
from hub.roaming.settlement import accounts, invoicing, settlement, statements
from hub.roaming.settlement.settlement import Statement

routes = Routes("Settlement")

MONTH = re.compile(r"(?:19|20|21)\d\d-(?:0[1-9]|1[0-2])")
FORMATS = {
    "json": ("application/json", statements.as_json),
    "csv": ("text/csv", statements.as_csv),
    "html": ("text/html", statements.as_html),
}


class InZone(Input):
    time_zone = ZoneField(
        load_default="UTC", metadata={"description": "Where the month begins and ends."}
    )


class MonthQuery(InZone):
    month = fields.String(
        required=True,
        validate=Matching(rf"{MONTH.pattern}\Z", error="Not a month."),
        metadata={"allowed": "a month such as 2025-06"},
    )
    party = PartyField(metadata={"description": "Only what concerns this party."})


class StatementQuery(InZone):
    format = fields.String(load_default="json", validate=validate.OneOf(list(FORMATS)))


class Summary(Schema):
    """What one party billed another one, in one currency. Amounts are before taxes."""

    issuer = fields.String()
    recipient = fields.String()
    month = fields.String()
    currency = fields.String()
    cdrs = fields.Integer()
    credit_cdrs = fields.Integer()
    before_taxes = Amount()
    difference = Amount(
        metadata={"description": "By how much CDRs that differ claim more than is right, in all."}
    )
    ok = fields.Integer()
    differs = fields.Integer()
    cannot_tell = fields.Integer()
    unchecked = fields.Integer()
    held = fields.Integer(metadata={"description": "CDRs that the recipient does not have yet."})
    disputed = fields.Integer(metadata={"description": "Disputes that nobody has ended."})


class SummaryList(Schema):
    items = fields.List(fields.Nested(Summary))


class StatementShown(Schema):
    """Sums by currency and tax, remarks, and every CDR."""

    issuer = fields.String()
    recipient = fields.String()
    month = fields.String()
    time_zone = fields.String()
    totals = fields.List(fields.Dict())
    remarks = fields.List(fields.Dict())
    cdrs = fields.List(fields.Dict())


class Invoiced(InZone):
    invoices = fields.Dict(
        keys=fields.String(validate=validate.Length(equal=3)),
        values=fields.String(validate=validate.Length(1, 255)),
        load_default=dict,
        metadata={
            "description": "The numbers of your invoices by currency; else the record has its own.",
            "allowed": 'currencies and invoice numbers, as in {"EUR": "2025-0017"}',
        },
    )


class Reconciliation(Schema):
    id = fields.String()
    invoice_id = fields.String()
    cdrs = fields.List(fields.String())
    outcome = fields.String(metadata={"description": "created, changed or unchanged"})


class Reconciliations(Schema):
    items = fields.List(fields.Nested(Reconciliation))


@routes.get("/settlements", permission="cdrs.read", query=MonthQuery, answer=SummaryList)
async def list_settlements(request: web.Request) -> Any:
    """What every party billed every other one in a month."""
    query = request[QUERY]
    async with transaction(request) as db:
        found = await accounts.summaries(db, query["month"], query["time_zone"])
    items = [summary(row, query["month"]) for row in found]
    party = query.get("party")
    wanted = None if party is None else str(party)
    return {"items": [one for one in items if wanted in {None, one["issuer"], one["recipient"]}]}


def summary(row: Any, month: str) -> dict[str, Any]:
    return {
        **row._mapping,  # noqa: SLF001 - that is how a row is read
        "issuer": f"{row.country_code}*{row.party_id}",
        "recipient": f"{row.receiver_country_code}*{row.receiver_party_id}",
        "month": month,
        "before_taxes": row.before,
        "difference": row.difference or 0,
    }


@routes.get(
    "/settlements/{month}/{issuer}/{recipient}",
    permission="cdrs.read",
    query=StatementQuery,
    answer=StatementShown,
)
async def show_settlement(request: web.Request) -> Any:
    """The statement of a pair of parties for a month, as JSON, CSV or a page to print.

    The same CDRs and verdicts give the same bytes.
    """
    query = request[QUERY]
    found = await read(request, query["time_zone"])
    media_type, write = FORMATS[query["format"]]
    name = f"{found.month}-{found.issuer}-{found.recipient}.{query['format']}".replace("*", "")
    return web.Response(
        body=write(found),
        content_type=media_type,
        charset="utf-8",
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'inline; filename="{name}"',
            # A page in which nothing runs and which fetches nothing.
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "X-Content-Type-Options": "nosniff",
        },
    )


@routes.post(
    "/settlements/{month}/{issuer}/{recipient}/reconciliation",
    permission="cdrs.execute",
    body=Invoiced,
    answer=Reconciliations,
)
async def reconcile(request: web.Request) -> Any:
    """Tell the recipient by OCPI 2.3.0 which CDRs the invoices of a month cover.

    For your own stations' party, one InvoiceReconciliationRecord per currency. Safe to repeat: what
    changed since is told as a change.
    """
    body = request[BODY]
    found = await read(request, body["time_zone"])
    app = request.config_dict
    audience = await app[DIRECTORY].audience(request[ACTOR].tenant_id)
    async with transaction(request) as db:
        tenant = await own_tenant(db)
    items = []
    for record in settlement.reconciliation(found, invoice_ids=body["invoices"]):
        try:
            stored = await invoicing.publish(app[INTAKE], audience, tenant, record, found.recipient)
        except RoutingError as error:
            raise Conflict(str(error), field="recipient") from None
        items.append(record | {"outcome": stored.outcome})
    async with transaction(request) as db:
        await audit.record(
            db,
            AuditAction.CREATE,
            "InvoiceReconciliationRecord",
            None,
            description=f"{found.issuer} to {found.recipient}, {found.month}",
            after={item["id"]: item["invoice_id"] for item in items},
        )
    return {"items": items}


async def read(request: web.Request, time_zone: str) -> Statement:
    month = request.match_info["month"]
    if not MONTH.fullmatch(month):
        raise BadInput("month: Not a month.", field="month", allowed="a month such as 2025-06")
    issuer, recipient = party(request, "issuer"), party(request, "recipient")
    async with transaction(request) as db:
        found = await accounts.statement(db, issuer, recipient, month, time_zone)
    if found is None:
        raise Missing(
            f"{issuer} billed {recipient} nothing in {month}.",
            next_step=f"hub settlement list {month}",
        )
    return found


def party(request: web.Request, name: str) -> Party:
    try:
        return Party.parse(request.match_info[name])
    except ValueError:
        raise BadInput(
            f"{name}: Write a party as NL*TNM.", field=name, allowed="a party such as NL*TNM"
        ) from None
