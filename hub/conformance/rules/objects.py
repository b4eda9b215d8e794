"""The objects in its lists: as the tables have them, and as the rules between members want."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hub.conformance.caller import Exchange
from hub.conformance.checks import Checks, Fault, Faults, NotChecked, Weight
from hub.conformance.documents import complaints
from hub.conformance.rules.lists import (
    LISTS,
    every_page,
    key_of,
    need_lists,
    objects_of,
    read,
    stamp_of,
)
from hub.conformance.subject import Subject
from hub.models.values import Party
from hub.ocpi.schemas.cdrs import SESSION_ONLY

CHECKS = check = Checks()
LONGEST_ID = 36


async def each(subject: Subject, module: str) -> list[tuple[Exchange, dict[str, Any]]]:
    """The objects of a list, with the page that brought them."""
    if module not in need_lists(subject):
        raise NotChecked(f"it lists no {module}")
    found = [
        (asked, one)
        async for listed, asked in every_page(subject)
        if listed == module
        for one in objects_of(asked)
        if isinstance(one, dict)
    ]
    if not found:
        raise NotChecked(f"it has no {module}")
    return found


def inside(document: dict[str, Any], *path: str) -> Iterator[dict[str, Any]]:
    """The objects in lists in lists: ``inside(location, "evses", "connectors")``."""
    if not path:
        yield document
        return
    below = document.get(path[0])
    for one in below if isinstance(below, list) else []:
        if isinstance(one, dict):
            yield from inside(one, *path[1:])


@check("TRANSPORT-98", "Every object is valid: what is required is there, in its type and length.")
async def objects_are_valid(subject: Subject) -> Faults:
    need_lists(subject, least=1)
    async for module, asked in every_page(subject):
        for one in objects_of(asked):
            for found in complaints(subject.number, LISTS[module][0], one):
                yield found.at(asked, name=f"{module[:-1]} {key_of(module, one)}")


@check(
    "MOD-04",
    "Objects belong to parties that the platform named in its credentials.",
    weight=Weight.SHOULD,
    since="2.2.1",
)
async def owners_are_known(subject: Subject) -> Faults:
    need_lists(subject, least=1)
    if subject.hub or not subject.parties:
        raise NotChecked("a hub brings the objects of others" if subject.hub else "no roles known")
    own = {party for party, _ in subject.parties}
    async for module, asked in every_page(subject):
        for one in objects_of(asked):
            owner = owner_of(one)
            if owner and owner not in own and module != "hubclientinfo":
                mend = "List the party in your credentials, or leave its objects out."
                yield Fault(asked, mend, f"{module[:-1]} {key_of(module, one)} is of {owner}")


def owner_of(one: Any) -> Party | None:
    if not isinstance(one, dict):
        return None
    country_code, party_id = one.get("country_code"), one.get("party_id")
    if isinstance(country_code, str) and isinstance(party_id, str):
        return Party.of(country_code, party_id)
    return None


@check("LOC-08", "The uids of EVSEs are unique, and the ids of connectors within their EVSE.")
async def parts_are_unique(subject: Subject) -> Faults:
    for asked, location in await each(subject, "locations"):
        evses = list(inside(location, "evses"))
        said = repeated("EVSE", location, [evse.get("uid") for evse in evses])
        for evse in evses:
            names = [connector.get("id") for connector in inside(evse, "connectors")]
            said += repeated("connector", evse, names)
        for got in said:
            yield Fault(asked, "Give each its own id, and keep it for good.", got)


def repeated(kind: str, owner: dict[str, Any], names: list[object]) -> list[str]:
    return [
        f"{kind} {name} {times} times in {owner.get('uid', owner.get('id'))}"
        for name, times in Counter(map(str, names)).items()
        if times > 1
    ]


@check("LOC-10", "An EVSE is not younger than its location, nor a connector than its EVSE.")
async def stamps_rise(subject: Subject) -> Faults:
    for asked, location in await each(subject, "locations"):
        pairs = [(location, evse) for evse in inside(location, "evses")]
        pairs += [(evse, one) for _, evse in pairs for one in inside(evse, "connectors")]
        for above, below in pairs:
            upper, lower = stamp_of(above), stamp_of(below)
            if upper and lower and read(upper) < read(lower):
                mend = "When a part changes, set last_updated of everything above it as well."
                yield Fault(asked, mend, f"{location.get('id')}: {upper}, a part {lower}")


@check("LOC-05", "Only a location with publish=false says whom it is for.", since="2.2.1")
async def publication_is_clear(subject: Subject) -> Faults:
    for asked, location in await each(subject, "locations"):
        if location.get("publish") is True and location.get("publish_allowed_to"):
            mend = "Set publish to false, or leave publish_allowed_to out."
            yield Fault(asked, mend, f"{location.get('id')}: publish is true")


@check("LOC-19", "Opening hours are either round the clock or regular hours.", since="2.2.1")
async def hours_are_clear(subject: Subject) -> Faults:
    for asked, location in await each(subject, "locations"):
        hours = location.get("opening_times")
        if isinstance(hours, dict) and bool(hours.get("regular_hours")) == bool(
            hours.get("twentyfourseven")
        ):
            both = "both" if hours.get("twentyfourseven") else "neither"
            mend = "With twentyfourseven false give regular_hours, with true leave them out."
            yield Fault(asked, mend, f"{location.get('id')}: {both}")


@check("LOC-22", "EVSEs refer to parking places of their location.", since="2.3.0")
async def parking_places_exist(subject: Subject) -> Faults:
    for asked, location in await each(subject, "locations"):
        places = [str(one.get("id")).upper() for one in inside(location, "parking_places")]
        wanted = [
            str(one.get("parking_id")).upper() for one in inside(location, "evses", "parking")
        ]
        for missing in sorted(set(wanted) - set(places)):
            yield Fault(asked, "List the place in parking_places.", f"no place {missing}")
        if len(places) != len(set(places)):
            yield Fault(asked, "Give each parking place its own id.", f"twice: {places}")


@check("TAR-11", "Elements for reservations price FLAT and TIME only.", since="2.2.1")
async def reservations_have_no_energy(subject: Subject) -> Faults:
    for asked, tariff in await each(subject, "tariffs"):
        for element in inside(tariff, "elements"):
            restrictions = element.get("restrictions")
            reserved = isinstance(restrictions, dict) and restrictions.get("reservation")
            kinds = {str(one.get("type")) for one in inside(element, "price_components")}
            if reserved and kinds - {"FLAT", "TIME"}:
                got = f"{tariff.get('id')}: {', '.join(sorted(kinds))}"
                yield Fault(asked, "Nothing is charged while an EVSE is reserved.", got)


@check("CDR-06", "A credit names its CDR and has a negative total.", since="2.2.1")
async def credits_are_negative(subject: Subject) -> Faults:
    for asked, cdr in await each(subject, "cdrs"):
        total = cdr.get("total_cost")
        amount = total.get("excl_vat", total.get("before_taxes")) if isinstance(total, dict) else 0
        positive = isinstance(amount, int | float) and amount > 0
        if cdr.get("credit") and (positive or not cdr.get("credit_reference_id")):
            mend = "A credit repeats the CDR with a negative total_cost and credit_reference_id."
            yield Fault(asked, mend, f"{cdr.get('id')}: {amount}")


@check("CDR-07", "The id of a CDR that is no credit has 36 characters at most.", since="2.2.1")
async def ids_have_36_characters(subject: Subject) -> Faults:
    for asked, cdr in await each(subject, "cdrs"):
        name = str(cdr.get("id"))
        if len(name) > LONGEST_ID and not cdr.get("credit"):
            yield Fault(asked, "Shorten it: 39 are for credits.", f"{name} has {len(name)}")


@check("CDR-20", "No CDR has dimensions that are for sessions only.", since="2.2.1")
async def no_session_dimensions(subject: Subject) -> Faults:
    for asked, cdr in await each(subject, "cdrs"):
        for one in inside(cdr, "charging_periods", "dimensions"):
            if str(one.get("type")) in SESSION_ONLY:
                got = f"{cdr.get('id')}: {one['type']}"
                yield Fault(asked, "Leave it out of CDRs; sessions may have it.", got)


@check(
    "TOK-07",
    "Tokens of apps and ad hoc users are never whitelisted.",
    weight=Weight.SHOULD,
    since="2.2.1",
)
async def app_tokens_are_not_whitelisted(subject: Subject) -> Faults:
    for asked, token in await each(subject, "tokens"):
        kind, whitelist = str(token.get("type")), token.get("whitelist")
        if kind in {"APP_USER", "AD_HOC_USER"} and whitelist != "NEVER":
            yield Fault(asked, "Set whitelist to NEVER.", f"{token.get('uid')}: {whitelist}")
