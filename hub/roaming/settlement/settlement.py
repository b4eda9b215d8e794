"""What two parties owe each other for a month: statements, computed from CDRs alone.

One statement stands for one CPO, one eMSP and one month, with everything the CPO billed in it. A
CDR belongs to the month in which it was issued (``last_updated``, in the time zone of the
statement), and so does a credit CDR: a month that has been settled never changes by what comes
later.

A credit CDR carries its amounts negatively, and takes back its energy and its time as well. It is
linked to the CDR it credits; whatever is odd about that is a remark, never a correction: a
statement adds up what was claimed, to the last digit, and says beside it what the hub computed.

Pure, and without a clock: the same CDRs give the same statement, in whatever order they come.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hub.models.values import Party
from hub.roaming.pricing.quantities import Unreadable, decimal
from hub.roaming.pricing.wire import TOTAL

Document = Mapping[str, Any]
Key = tuple[str, str, str]

ZERO = Decimal(0)
VAT = "VAT"
UNCHECKED = "unchecked"
# OCPI: InvoiceReconciliationRecord.id is a CiString(36).
LONGEST_ID = 36


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of one CDR said, and by how much its total was off before taxes."""

    verdict: str
    difference: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class TaxSum:
    """A tax and its sum. ``percentage`` is None where the CDRs do not say it."""

    name: str
    percentage: Decimal | None
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Entry:
    """One CDR of a statement, as claimed; ``after`` and ``taxes`` are None if it has none."""

    id: str
    session_id: str | None
    start: str
    end: str
    issued: str
    token: str
    location: str
    currency: str
    energy: Decimal
    hours: Decimal
    before: Decimal
    after: Decimal | None
    taxes: tuple[TaxSum, ...] | None
    credits: str | None
    checked: Checked

    @property
    def is_credit(self) -> bool:
        return self.credits is not None


@dataclass(frozen=True, slots=True)
class Total:
    """The sums of one currency. ``after`` is None when some CDR does not state its taxes."""

    currency: str
    cdrs: int
    credits: int
    energy: Decimal
    hours: Decimal
    before: Decimal
    taxes: tuple[TaxSum, ...]
    after: Decimal | None
    without_taxes: int
    verdicts: tuple[tuple[str, int], ...]
    difference: Decimal


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about one CDR that people should look at."""

    cdr: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What ``issuer`` (a CPO) billed ``recipient`` (an eMSP) in a month, written 2025-06."""

    issuer: Party
    recipient: Party
    month: str
    time_zone: str
    entries: tuple[Entry, ...]
    totals: tuple[Total, ...]
    remarks: tuple[Remark, ...]


def statements(
    cdrs: Iterable[Document],
    month: str,
    *,
    time_zone: str = "UTC",
    checks: Mapping[Key, Checked] | None = None,
    earlier: Iterable[Document] = (),
) -> list[Statement]:
    """The statements of a month, one per pair of parties, ordered by their names.

    ``cdrs`` may hold other months, which are left out. ``checks`` are verdicts by ``key`` of the
    CDR. ``earlier`` are CDRs of other months that a credit CDR may refer to. Raises Unreadable for
    a CDR without parties, totals or a date.
    """
    found: dict[Key, Document] = {}
    remarks: dict[Key, Remark] = {}
    for cdr in sorted(cdrs, key=order):
        if issued_in(cdr, time_zone) != month:
            continue
        name = key(cdr)
        if name in found and found[name] != cdr:
            text = "There is another CDR with this id and other content; it was left out."
            remarks[name] = Remark(str(cdr["id"]), "conflict", text)
        found.setdefault(name, cdr)
    others = {key(cdr): cdr for cdr in earlier}
    pairs: dict[tuple[Party, Party], list[Document]] = {}
    for cdr in found.values():
        pairs.setdefault((owner(cdr), payer(cdr)), []).append(cdr)
    return [
        statement(
            pair,
            members,
            month=month,
            time_zone=time_zone,
            checks=checks or {},
            known=others | found,
            conflicts=[remarks[key(cdr)] for cdr in members if key(cdr) in remarks],
        )
        for pair, members in sorted(pairs.items())
    ]


def statement(
    pair: tuple[Party, Party],
    members: Sequence[Document],
    *,
    month: str,
    time_zone: str,
    checks: Mapping[Key, Checked],
    known: Mapping[Key, Document],
    conflicts: Sequence[Remark],
) -> Statement:
    """What ``pair``, issuer and recipient, have between them in a month: ``members`` are its CDRs,
    ``checks`` their verdicts, ``known`` what credits among them may take back, of any month.
    """
    entries = tuple(
        sorted(
            (entry(cdr, checks.get(key(cdr), Checked(UNCHECKED))) for cdr in members),
            key=lambda item: (item.currency, item.issued, item.id),
        )
    )
    currencies = sorted({item.currency for item in entries})
    return Statement(
        issuer=pair[0],
        recipient=pair[1],
        month=month,
        time_zone=time_zone,
        entries=entries,
        totals=tuple(
            total(currency, [item for item in entries if item.currency == currency])
            for currency in currencies
        ),
        remarks=(*conflicts, *credit_remarks(members, known)),
    )


def key(cdr: Document) -> Key:
    """What makes a CDR unique, compared without case (CDR-07)."""
    names = [cdr.get(name) for name in ("country_code", "party_id", "id")]
    if not all(isinstance(name, str) and name for name in names):
        raise Unreadable("A CDR lacks its country_code, party_id or id.")
    country, party, identifier = (str(name).upper() for name in names)
    return country, party, identifier


def order(cdr: Document) -> tuple[str, Key, str]:
    """An order that does not depend on how the CDRs came, not even between two of one id."""
    content = json.dumps(cdr, sort_keys=True, default=str)
    return str(cdr.get("last_updated", "")), key(cdr), content


def issued_in(cdr: Document, time_zone: str) -> str:
    """The month of ``last_updated``, which of a CDR can only be when it was made (CDR-02)."""
    try:
        moment = datetime.fromisoformat(cdr["last_updated"])
    except (KeyError, TypeError, ValueError):
        raise Unreadable(f"CDR {cdr.get('id')} does not say when it was issued.") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m")


def owner(cdr: Document) -> Party:
    country, party, _ = key(cdr)
    return Party(country, party)


def payer(cdr: Document) -> Party:
    """The eMSP whose token was used."""
    token = cdr.get("cdr_token")
    if not isinstance(token, Mapping) or not token.get("country_code") or not token.get("party_id"):
        raise Unreadable(f"CDR {cdr.get('id')} does not say whose token was used.")
    return Party.of(str(token["country_code"]), str(token["party_id"]))


def entry(cdr: Document, checked: Checked) -> Entry:
    """Read a CDR of OCPI 2.2.1 or 2.3.0. Raises Unreadable."""
    before, after, taxes = claimed(cdr)
    is_credit = cdr.get("credit") is True
    sign = -1 if is_credit else 1
    place = cdr.get("cdr_location")
    token = cdr.get("cdr_token")
    return Entry(
        id=str(cdr["id"]),
        session_id=cdr.get("session_id"),
        start=str(cdr.get("start_date_time", "")),
        end=str(cdr.get("end_date_time", "")),
        issued=str(cdr["last_updated"]),
        token=str(token.get("contract_id", "")) if isinstance(token, Mapping) else "",
        location=str(place.get("id", "")) if isinstance(place, Mapping) else "",
        currency=str(cdr.get("currency", "")).upper(),
        energy=sign * decimal(cdr.get("total_energy"), "total_energy"),
        hours=sign * decimal(cdr.get("total_time"), "total_time"),
        before=before,
        after=after,
        taxes=taxes,
        credits=str(cdr.get("credit_reference_id") or "") if is_credit else None,
        checked=checked,
    )


def claimed(cdr: Document) -> tuple[Decimal, Decimal | None, tuple[TaxSum, ...] | None]:
    """The total cost before and after taxes, and the taxes."""
    cost = cdr.get(TOTAL)
    if not isinstance(cost, Mapping):
        raise Unreadable(f"CDR {cdr.get('id')} has no total cost.")
    before = decimal(cost.get("before_taxes", cost.get("excl_vat")), TOTAL)
    if cost.get("incl_vat") is not None:
        after = decimal(cost["incl_vat"], TOTAL)
        return before, after, (TaxSum(VAT, None, after - before),) if after != before else ()
    if not isinstance(cost.get("taxes"), list):
        return before, None, None
    taxes = added(
        TaxSum(
            str(tax.get("name", "")),
            None if tax.get("percentage") is None else decimal(tax["percentage"], TOTAL),
            decimal(tax.get("amount"), TOTAL),
        )
        for tax in cost["taxes"]
    )
    return before, sum((tax.amount for tax in taxes), before), taxes


def added(taxes: Iterable[TaxSum]) -> tuple[TaxSum, ...]:
    """One sum per name and rate, by name, the highest rate first, the unknown one last."""
    sums: dict[tuple[str, Decimal | None], Decimal] = {}
    for tax in taxes:
        rate = None if tax.percentage is None else tax.percentage.normalize()
        sums[tax.name, rate] = sums.get((tax.name, rate), ZERO) + tax.amount
    found = [TaxSum(name, rate, amount) for (name, rate), amount in sums.items()]
    return tuple(sorted(found, key=rank))


def rank(tax: TaxSum) -> tuple[str, bool, Decimal]:
    return tax.name, tax.percentage is None, -(tax.percentage or ZERO)


def total(currency: str, entries: Sequence[Entry]) -> Total:
    afters = [item.after for item in entries if item.after is not None]
    verdicts = [item.checked.verdict for item in entries]
    return Total(
        currency=currency,
        cdrs=sum(not item.is_credit for item in entries),
        credits=sum(item.is_credit for item in entries),
        energy=sum((item.energy for item in entries), ZERO),
        hours=sum((item.hours for item in entries), ZERO),
        before=sum((item.before for item in entries), ZERO),
        taxes=added(tax for item in entries for tax in item.taxes or ()),
        after=sum(afters, ZERO) if len(afters) == len(entries) else None,
        without_taxes=len(entries) - len(afters),
        verdicts=tuple((name, verdicts.count(name)) for name in sorted(set(verdicts))),
        difference=sum((item.checked.difference for item in entries), ZERO),
    )


def credit_remarks(members: Sequence[Document], known: Mapping[Key, Document]) -> list[Remark]:
    """What is odd about credit CDRs: no original, another amount, a second credit."""
    found = []
    seen: set[Key] = set()
    for cdr in sorted((cdr for cdr in members if cdr.get("credit") is True), key=order):
        name = str(cdr["id"])
        country, party, _ = key(cdr)
        original = country, party, str(cdr.get("credit_reference_id") or "").upper()
        if original not in known:
            found.append(Remark(name, "credits_unknown", "The CDR it credits is not known."))
        elif claimed(known[original])[0] + claimed(cdr)[0] != ZERO:
            text = "It does not take back what the CDR it credits has billed."
            found.append(Remark(name, "credits_other_amount", text))
        if original in seen:
            found.append(Remark(name, "credited_twice", "The CDR it credits was credited before."))
        seen.add(original)
    return found


def reconciliation(
    statement: Statement, *, invoice_ids: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """InvoiceReconciliationRecords of OCPI 2.3.0: which CDRs an invoice covers (INV-04).

    One per currency, since an invoice has one. ``invoice_ids`` are by currency; without them the
    record's own id stands in. A record is as new as the last CDR in it, which does not change.
    """
    records = []
    for sums in statement.totals:
        entries = [item for item in statement.entries if item.currency == sums.currency]
        issuer, recipient = str(statement.issuer), str(statement.recipient)
        name = f"{issuer}-{recipient}-{statement.month}-{sums.currency}".replace("*", "")
        records.append(
            {
                "country_code": statement.issuer.country_code,
                "party_id": statement.issuer.party_id,
                "id": name[:LONGEST_ID],
                "invoice_id": (invoice_ids or {}).get(sums.currency, name),
                "cdrs": [item.id for item in entries],
                "last_updated": max(item.issued for item in entries),
            }
        )
    return records
