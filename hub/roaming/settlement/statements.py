"""Settlement statements written down: JSON, CSV and a page to print.

Nothing depends on when or where it is written: the same statement gives the same bytes. Texts in it
come from partners. In CSV a cell that a spreadsheet would take for a formula is made text; in HTML
everything is escaped and nothing is fetched from anywhere.
"""

import csv
import html
import io
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from hub.roaming.pricing.wire import decimals
from hub.roaming.settlement.settlement import Entry, Statement, TaxSum, Total

# What a spreadsheet may take for the beginning of a formula (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")

COLUMNS = (
    *("issuer", "recipient", "month", "cdr_id", "session_id", "start", "end", "issued"),
    *("contract_id", "location_id", "currency", "energy_kwh", "hours", "before_taxes", "taxes"),
    *("after_taxes", "credits", "verdict", "difference"),
)

STYLE = """
body { font: 10pt/1.4 sans-serif; margin: 2em; color: #111; }
h1 { font-size: 14pt; } h2 { font-size: 11pt; margin-top: 2em; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #ccc; padding: .2em .5em; text-align: left; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.credit { color: #a00; }
@media print {
  body { margin: 0; }
  tr { break-inside: avoid; }
  thead { display: table-header-group; }
}
"""


def money(value: Decimal | None, currency: str) -> str | None:
    """With the decimals of its currency, and as many more as were claimed."""
    if value is None:
        return None
    places = max(decimals(currency), -int(value.normalize().as_tuple().exponent))
    return f"{value:.{places}f}"


def plain(value: Decimal) -> str:
    """Without trailing zeros or an exponent."""
    return f"{value.normalize():f}" if value else "0"


def as_json(statement: Statement) -> bytes:
    body = {
        "issuer": str(statement.issuer),
        "recipient": str(statement.recipient),
        "month": statement.month,
        "time_zone": statement.time_zone,
        "totals": [total_json(item) for item in statement.totals],
        "remarks": [
            {"cdr": item.cdr, "code": item.code, "text": item.text} for item in statement.remarks
        ],
        "cdrs": [entry_json(item) for item in statement.entries],
    }
    return (json.dumps(body, indent=2, ensure_ascii=False) + "\n").encode()


def total_json(item: Total) -> dict[str, Any]:
    return {
        "currency": item.currency,
        "cdrs": item.cdrs,
        "credit_cdrs": item.credits,
        "energy_kwh": plain(item.energy),
        "hours": plain(item.hours),
        "before_taxes": money(item.before, item.currency),
        "taxes": [tax_json(tax, item.currency) for tax in item.taxes],
        "after_taxes": money(item.after, item.currency),
        "cdrs_without_taxes": item.without_taxes,
        "verdicts": dict(item.verdicts),
        "difference": money(item.difference, item.currency),
    }


def tax_json(tax: TaxSum, currency: str) -> dict[str, Any]:
    return {
        "name": tax.name,
        "percentage": None if tax.percentage is None else plain(tax.percentage),
        "amount": money(tax.amount, currency),
    }


def entry_json(item: Entry) -> dict[str, Any]:
    return {
        "id": item.id,
        "session_id": item.session_id,
        "start": item.start,
        "end": item.end,
        "issued": item.issued,
        "contract_id": item.token,
        "location_id": item.location,
        "currency": item.currency,
        "energy_kwh": plain(item.energy),
        "hours": plain(item.hours),
        "before_taxes": money(item.before, item.currency),
        "after_taxes": money(item.after, item.currency),
        "credits": item.credits,
        "verdict": item.checked.verdict,
        "difference": money(item.checked.difference, item.currency),
    }


def as_csv(statement: Statement) -> bytes:
    """One line per CDR, after RFC 4180."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(row(statement, item) for item in statement.entries)
    return text.getvalue().encode()


def row(statement: Statement, item: Entry) -> list[str]:
    """Numbers are ours and stay numbers; everything else is made harmless."""
    taxes = None if item.after is None else item.after - item.before
    texts = [
        str(statement.issuer),
        str(statement.recipient),
        statement.month,
        item.id,
        item.session_id or "",
        item.start,
        item.end,
        item.issued,
        item.token,
        item.location,
        item.currency,
    ]
    numbers = [
        plain(item.energy),
        plain(item.hours),
        money(item.before, item.currency) or "",
        money(taxes, item.currency) or "",
        money(item.after, item.currency) or "",
    ]
    difference = money(item.checked.difference, item.currency) or ""
    last = [harmless(item.credits or ""), harmless(item.checked.verdict), difference]
    return [*map(harmless, texts), *numbers, *last]


def harmless(text: str) -> str:
    """A quote in front of what a spreadsheet would compute."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def as_html(statement: Statement) -> bytes:
    """A page that stands for itself: no script, no picture, no other file."""
    title = f"Statement {statement.month}: {statement.issuer} to {statement.recipient}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        f'<head><meta charset="utf-8"><title>{html.escape(title)}</title>',
        f"<style>{STYLE}</style></head>",
        f"<body><h1>{html.escape(title)}</h1>",
        f"<p>Months are those of the time zone {html.escape(statement.time_zone)}.</p>",
        "<h2>Totals</h2>",
        table(
            (
                "Currency",
                "CDRs",
                "Credits",
                "kWh",
                "Before taxes",
                "Taxes",
                "After taxes",
                "Checked",
            ),
            [(total_cells(item), "") for item in statement.totals],
            numbers=frozenset({1, 2, 3, 4, 6}),
        ),
    ]
    if statement.remarks:
        parts.append("<h2>Remarks</h2>")
        rows = [((item.cdr, item.text), "") for item in statement.remarks]
        parts.append(table(("CDR", "Remark"), rows))
    parts += [
        "<h2>CDRs</h2>",
        table(
            ("CDR", "Start", "End", "Contract", "Location", "kWh", "Before", "After", "Checked"),
            [(entry_cells(item), "credit" if item.is_credit else "") for item in statement.entries],
            numbers=frozenset({5, 6, 7}),
        ),
        "</body></html>",
    ]
    return ("\n".join(parts) + "\n").encode()


def total_cells(item: Total) -> Sequence[str]:
    taxes = [
        f"{tax.name}{'' if tax.percentage is None else f' {plain(tax.percentage)}%'}:"
        f" {money(tax.amount, item.currency)}"
        for tax in item.taxes
    ]
    return (
        item.currency,
        str(item.cdrs),
        str(item.credits),
        plain(item.energy),
        money(item.before, item.currency) or "",
        "; ".join(taxes),
        money(item.after, item.currency) or "not stated",
        ", ".join(f"{count} {name}" for name, count in item.verdicts),
    )


def entry_cells(item: Entry) -> Sequence[str]:
    verdict = item.checked.verdict
    if item.checked.difference:
        verdict += f" by {money(item.checked.difference, item.currency)}"
    return (
        item.id if item.credits is None else f"{item.id} (credits {item.credits})",
        item.start,
        item.end,
        item.token,
        item.location,
        plain(item.energy),
        f"{money(item.before, item.currency)} {item.currency}",
        "" if item.after is None else f"{money(item.after, item.currency)} {item.currency}",
        verdict,
    )


def table(
    headings: Sequence[str],
    rows: Iterable[tuple[Sequence[str], str]],
    *,
    numbers: frozenset[int] = frozenset(),
) -> str:
    """Rows with the class of each; ``numbers`` are the columns aligned to the right."""

    def cell(tag: str, place: int, text: str) -> str:
        kind = ' class="number"' if place in numbers else ""
        return f"<{tag}{kind}>{html.escape(text)}</{tag}>"

    head = "".join(cell("th", place, text) for place, text in enumerate(headings))
    body = [
        f"<tr{f' class={kind!r}' if kind else ''}>"
        + "".join(cell("td", place, text) for place, text in enumerate(cells))
        + "</tr>"
        for cells, kind in rows
    ]
    return "\n".join([f"<table><thead><tr>{head}</tr></thead><tbody>", *body, "</tbody></table>"])
