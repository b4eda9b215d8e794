"""One line in, one line out: what ``hub price --jsonl`` answers.

    {"ocpi_version", "time_zone", "tariffs", "cdr"}

becomes ``expected``, ``cdr_check`` and ``explanation``. When there is no price it becomes
``error``; where that is a fault of the CDR, ``cdr_check`` flags it. A line may also carry what else
is known of the CDR: ``connector``, ``session``, ``other_cdrs``, ``token_is_known``, ``reservation``
(EXPIRED, CANCELLED, RUNNING) and ``tariff_type``.
"""

from collections.abc import Mapping
from typing import Any

from hub.roaming.pricing import engine, explain, wire, zones
from hub.roaming.pricing.check import Outcome, Verdict, judge, unpriced
from hub.roaming.pricing.faults import Context
from hub.roaming.pricing.quantities import CannotPrice, Unreadable
from hub.roaming.pricing.records import listed, mapping


def answer(line: Any) -> dict[str, Any]:
    """The answer to one line; never raises for what it contains."""
    try:
        if not isinstance(line, Mapping):
            raise Unreadable("The line is not an object.")
        if not isinstance(line.get("cdr"), Mapping):
            raise Unreadable("The line has no cdr.")
        priced = engine.price(
            tariffs_of(line),
            line["cdr"],
            time_zone=time_zone(line),
            ocpi_version=told(line, "ocpi_version"),
            tariff_type=told(line, "tariff_type"),
            reservation=told(line, "reservation"),
        )
        found = judge(priced, context=context(line))
    except CannotPrice as error:
        body: dict[str, Any] = {"error": str(error)}
        found = unpriced(error, line.get("cdr") if isinstance(line, Mapping) else None)
        return body | {"cdr_check": checked(found)} if found.faults else body
    return {
        "expected": wire.expected(priced),
        "cdr_check": checked(found),
        "explanation": explain.entries(priced),
    }


def told(line: Mapping[str, Any], name: str) -> str | None:
    """What the line says beside its documents. A slip there must not go unnoticed."""
    value = line.get(name)
    if value is not None and not isinstance(value, str):
        raise Unreadable(f"{name} is not a text.")
    return value or None


def time_zone(line: Mapping[str, Any]) -> str | None:
    name = told(line, "time_zone")
    if name is not None:
        zones.zone(name)
    return name


def tariffs_of(line: Mapping[str, Any]) -> list[Any]:
    """The list of them, or one that came without a list around it."""
    found = line.get("tariffs")
    return [found] if isinstance(found, dict) else listed(found, "tariffs")


def context(line: Mapping[str, Any]) -> Context:
    known = line.get("token_is_known")
    return Context(
        connector=mapping(line.get("connector")),
        token_is_known=known if isinstance(known, bool) else None,
        session=mapping(line.get("session")),
        others=[other for other in listed(line.get("other_cdrs"), "other_cdrs") if mapping(other)],
    )


def checked(found: Verdict) -> dict[str, Any]:
    return {
        "ok": found.outcome is Outcome.OK,
        "mismatches": found.names,
        "flags": found.flags,
    }


def report(found: Verdict) -> dict[str, Any]:
    """Everything about one CDR: what ``hub price --json`` prints and what is kept beside it."""
    priced = found.priced
    body: dict[str, Any] = {
        "verdict": str(found.outcome),
        "reasons": list(found.reasons),
        "mismatches": [
            {
                "name": item.name,
                "side": item.side,
                "claimed": wire.digits(item.claimed),
                "expected": wire.digits(item.expected),
                "difference": wire.digits(item.difference),
            }
            for item in found.mismatches
        ],
        "faults": [
            {"code": fault.code, "text": fault.text, "period": fault.period}
            for fault in found.faults
        ],
        "notes": [{"code": note.code, "text": note.text} for note in found.notes],
    }
    if priced is not None:
        body |= {
            "ocpi_version": priced.version,
            "currency": priced.currency,
            "time_zone": priced.time_zone,
            "expected": wire.expected(priced),
            "totals": wire.totals(priced),
            "explanation": explain.entries(priced),
        }
    return body


def narrated(found: Verdict) -> str:
    """The computation and the verdict for people: what ``hub price`` prints."""
    assert found.priced is not None
    return "\n".join(
        [
            explain.table(found.priced),
            "",
            f"verdict: {found.outcome}",
            *(
                f"  {item.name} ({item.side}): {wire.digits(item.claimed)} claimed,"
                f" {wire.digits(item.expected)} computed, {wire.digits(item.difference)} apart"
                for item in found.mismatches
            ),
            *(f"  {reason}" for reason in found.reasons),
            *(f"fault: {fault.text}" for fault in found.faults),
        ]
    )
