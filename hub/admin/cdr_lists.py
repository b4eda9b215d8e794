"""Lists of CDRs with their verdicts: what is asked, the rows, and their order."""

from decimal import Decimal, InvalidOperation
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate
from sqlalchemy import Select, func, select, tuple_

from hub.admin.input import PartyField
from hub.admin.objects import ref
from hub.admin.output import PageQuery, decode, unusable
from hub.models.cdr_checks import CDRCheck
from hub.models.objects import CDR
from hub.models.values import CDRVerdict, Dispute

UNCHECKED = "UNCHECKED"
ORDERS = ("latest", "difference")
MONEY = {"description": "Before taxes."}


class Amount(fields.Decimal):
    """Money as text, with the digits it has and no more."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(as_string=True, allow_nan=False, **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        plain = Decimal(value).normalize()
        return f"{plain:f}" if plain else "0"


def not_negative(value: Decimal) -> None:
    if value < 0:
        raise ValidationError("Must not be negative.")


class CDRQuery(PageQuery):
    verdict = fields.String(validate=validate.OneOf([*CDRVerdict, UNCHECKED]))
    party = PartyField(metadata={"description": "Its owner, or the party that is to pay."})
    partner_id = fields.UUID(metadata={"description": "The platform that brought it."})
    flag = fields.String(
        validate=validate.Length(1, 50),
        metadata={"description": "Only those with this fault, such as duplicate_charging."},
    )
    held = fields.Boolean(metadata={"description": "Only those that are held, or that are not."})
    dispute = fields.String(validate=validate.OneOf(list(Dispute)))
    min_difference = Amount(
        validate=not_negative,
        metadata={
            "description": "Only those whose total differs by at least so much, either way.",
            "allowed": "an amount from 0",
        },
    )
    order = fields.String(
        load_default=ORDERS[0],
        validate=validate.OneOf(ORDERS),
        metadata={"description": "The latest first, or the largest difference first."},
    )


class CDRRow(Schema):
    ref = fields.String(metadata={"description": "Country code, party id and id with slashes."})
    id = fields.String(attribute="object_id")
    party = fields.String(metadata={"description": "Its owner."})
    receiver = fields.String(metadata={"description": "Who is to pay."})
    partner_id = fields.UUID(allow_none=True)
    received_at = fields.AwareDateTime()
    verdict = fields.String(validate=validate.OneOf([*CDRVerdict, UNCHECKED]))
    currency = fields.String(allow_none=True)
    claimed = Amount(allow_none=True, metadata=MONEY)
    expected = Amount(allow_none=True, metadata=MONEY)
    difference = Amount(
        allow_none=True, metadata={"description": "Claimed less expected, before taxes."}
    )
    flags = fields.List(fields.String())
    dispute = fields.String(allow_none=True, validate=validate.OneOf(list(Dispute)))
    held_at = fields.AwareDateTime(allow_none=True)
    credits = fields.String(
        attribute="credit_reference_id",
        allow_none=True,
        metadata={"description": "The id of the CDR that it takes back."},
    )


def rows() -> Select[Any]:
    """A CDR and its check, without the texts of either."""
    cdr = [
        *(CDR.id, CDR.country_code, CDR.party_id, CDR.object_key, CDR.object_id, CDR.partner_id),
        *(CDR.receiver_country_code, CDR.receiver_party_id, CDR.received_at, CDR.held_at),
        *(CDR.credit_reference_id, CDR.page_seq, CDR.currency),
    ]
    check = [
        *(CDRCheck.verdict, CDRCheck.claimed, CDRCheck.expected, CDRCheck.difference),
        *(CDRCheck.flags, CDRCheck.dispute, CDRCheck.checked_at, CDRCheck.awaits),
    ]
    columns: list[Any] = [*cdr, *check]
    return select(*columns).outerjoin(CDRCheck, CDRCheck.cdr_id == CDR.id)


def row_of(row: Any) -> dict[str, Any]:
    return {**row._mapping, "ref": ref(row), "verdict": row.verdict or UNCHECKED} | {  # noqa: SLF001
        "party": f"{row.country_code}*{row.party_id}",
        "receiver": f"{row.receiver_country_code}*{row.receiver_party_id}",
        "flags": row.flags or [],
        "awaits": row.awaits or [],
    }


def filtered(found: Select[Any], query: dict[str, Any]) -> Select[Any]:
    if verdict := query.get("verdict"):
        is_it = CDRCheck.id.is_(None) if verdict == UNCHECKED else CDRCheck.verdict == verdict
        found = found.where(is_it)
    if party := query.get("party"):
        owner = (CDR.country_code == party.country_code) & (CDR.party_id == party.party_id)
        payer = (CDR.receiver_country_code == party.country_code) & (
            CDR.receiver_party_id == party.party_id
        )
        found = found.where(owner | payer)
    if "partner_id" in query:
        found = found.where(CDR.partner_id == query["partner_id"])
    if "flag" in query:
        found = found.where(CDRCheck.flags.contains([query["flag"]]))
    if "held" in query:
        is_held = CDR.held_at.is_not(None)
        found = found.where(is_held if query["held"] else ~is_held)
    if "dispute" in query:
        found = found.where(CDRCheck.dispute == query["dispute"])
    if "min_difference" in query:
        found = found.where(func.abs(CDRCheck.difference) >= query["min_difference"])
    return found


def ordered(found: Select[Any], query: dict[str, Any]) -> tuple[Select[Any], Any]:
    """The order of the list behind a place in it, and the name of a row's place."""
    after = decode(query["after"]) if "after" in query else None
    if query["order"] == "latest":
        if after is not None:
            found = found.where(CDR.page_seq < number(after))
        return found.order_by(CDR.page_seq.desc()), lambda row: str(row["page_seq"])
    size: Any = func.abs(CDRCheck.difference)
    found = found.where(CDRCheck.difference.is_not(None))
    if after is not None:
        difference, _, place = after.partition("|")
        found = found.where(tuple_(size, CDR.page_seq) < (amount(difference), number(place)))
    return (
        found.order_by(size.desc(), CDR.page_seq.desc()),
        lambda row: f"{abs(row['difference'])}|{row['page_seq']}",
    )


def number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):  # noqa: PLR2004 - a bigint
        raise unusable()
    return int(text)


def amount(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise unusable() from None
    if not found.is_finite():
        raise unusable()
    return found
