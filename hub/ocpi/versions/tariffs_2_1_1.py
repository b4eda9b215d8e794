"""Tariffs between OCPI 2.1.1 and 2.2.1.

2.1.1 knows neither types of tariffs nor a time in which they hold: only what everybody pays now is
sent. An element for reservations is left out whole, for without its restriction it would always
apply; one that depends on the current cannot be left out without changing what charging costs, so a
tariff with such an element is not sent at all. Price limits become a text for people.
"""

from datetime import UTC, datetime

from hub.ocpi.versions.base import Document, NotExpressible, Trail
from hub.ocpi.versions.members_2_1_1 import newer
from hub.ocpi.versions.ownership_2_1_1 import add_owner, drop_owner
from hub.ocpi.versions.rewriting import each, in_turn, put, renamed, some, within, without

ENERGY_MIX_UP = within(
    "energy_mix", change=each("environ_impact", change=renamed({"source": "category"}))
)
ENERGY_MIX_DOWN = within(
    "energy_mix", change=each("environ_impact", change=renamed({"category": "source"}))
)
LIMITS = {"min_price": "Minimum", "max_price": "Maximum"}


def is_for_everybody_now(tariff: Document, now: datetime | None) -> bool:
    return tariff.get("type") in {None, "REGULAR"} and (now is None or is_in_force(tariff, now))


def is_in_force(tariff: Document, now: datetime) -> bool:
    start, end = tariff.get("start_date_time"), tariff.get("end_date_time")
    return (start is None or moment(start) <= now) and (end is None or now < moment(end))


def moment(text: str) -> datetime:
    written = datetime.fromisoformat(text)
    return written if written.tzinfo else written.replace(tzinfo=UTC)


def only_for_everybody_now(tariff: Document, trail: Trail) -> Document:
    if tariff.get("type") not in {None, "REGULAR"}:
        raise NotExpressible(f"{tariff['type']} tariffs are unknown in this version")
    if not is_for_everybody_now(tariff, trail.known.now):
        raise NotExpressible("the tariff is not in force, which this version cannot say")
    return tariff


def only_usual(element: Document, trail: Trail) -> Document:
    restrictions = element.get("restrictions") or {}
    if restrictions.get("reservation") is not None:
        raise NotExpressible("restrictions to reservations are unknown in this version")
    return element


def not_by_current(tariff: Document, trail: Trail) -> Document:
    for element in tariff.get("elements") or ():
        restrictions = element.get("restrictions") or {}
        if any(restrictions.get(name) is not None for name in ("min_current", "max_current")):
            raise NotExpressible("prices that depend on the current are unknown in this version")
    return tariff


def tell_limits(tariff: Document, trail: Trail) -> Document:
    told = [
        f"{word}: {tariff[name]['excl_vat']} {tariff.get('currency', '')} excluding VAT."
        for name, word in LIMITS.items()
        if tariff.get(name) is not None
    ]
    if not told:
        return tariff
    text = {"language": "en", "text": " ".join(told)}
    return put(tariff, {"tariff_alt_text": [*(tariff.get("tariff_alt_text") or ()), text]})


upgrade_element = in_turn(
    each("price_components", change=newer("PriceComponent")),
    within("restrictions", change=newer("TariffRestrictions")),
)
upgrade_tariff = in_turn(
    newer("Tariff"), add_owner, each("elements", change=upgrade_element), ENERGY_MIX_UP
)

downgrade_tariff = in_turn(
    only_for_everybody_now,
    some("elements", change=only_usual),
    not_by_current,
    each("elements", change=each("price_components", change=without("vat"))),
    tell_limits,
    ENERGY_MIX_DOWN,
    without("min_price", "max_price", "type", "start_date_time", "end_date_time"),
    drop_owner,
)
