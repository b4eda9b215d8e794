"""Locations, EVSEs and connectors between OCPI 2.1.1 and 2.2.1.

Up: the owner is added; everything is published; a missing time zone is told by the country. Down:
an unpublished location is not sent, for 2.1.1 cannot restrict who sees it. What does not fit is
cut, what is missing but required is filled with ``-``. A connector gets the one tariff that is in
force for everybody, and no more current than its power allows.
"""

from decimal import Decimal

from hub.errors import InvalidRequest
from hub.ocpi.schemas import v2_1_1
from hub.ocpi.versions.base import Document, NotExpressible, Trail
from hub.ocpi.versions.members_2_1_1 import newer
from hub.ocpi.versions.ownership_2_1_1 import add_owner, drop_owner
from hub.ocpi.versions.rewriting import (
    ABSENT,
    drop,
    each,
    in_turn,
    known,
    only_known,
    put,
    renamed,
    required,
    some,
    within,
    without,
)
from hub.ocpi.versions.tariffs_2_1_1 import ENERGY_MIX_DOWN, ENERGY_MIX_UP, is_for_everybody_now
from hub.roaming.time_zones import zone_of

UNKNOWN, OTHER = "UNKNOWN", "OTHER"
NOTHING = "-"
LONGEST_ADDRESS = 45
PARKING_TYPES = set(v2_1_1.LOCATION_TYPE.values) - {UNKNOWN, OTHER}
NEWER_CONNECTOR = {"voltage": "max_voltage", "amperage": "max_amperage"}
OLDER_CONNECTOR = {newer: older for older, newer in NEWER_CONNECTOR.items()}


def upgrade_tariff_id(connector: Document, trail: Trail) -> Document:
    if "tariff_id" not in connector:
        return connector
    tariff_id = connector["tariff_id"]
    ids = None if tariff_id is None else [tariff_id]
    return put(connector, {"tariff_id": ABSENT, "tariff_ids": ids})


def downgrade_tariff_ids(connector: Document, trail: Trail) -> Document:
    """The tariff that is REGULAR or for all sessions, and in force: that is what 2.1.1 means."""
    if "tariff_ids" not in connector:
        return put(connector, {"tariff_id": ABSENT}) if "tariff_id" in connector else connector
    ids = connector["tariff_ids"] or []
    chosen = choose_tariff(ids, trail)
    if len(ids) > 1 or (ids and chosen is None):
        trail.at("tariff_ids").lose("this version has one tariff for a connector")
    if chosen is None and not trail.partial:
        chosen = ABSENT
    return put(connector, {"tariff_ids": ABSENT, "tariff_id": chosen})


def choose_tariff(ids: list[str], trail: Trail) -> str | None:
    tariffs = trail.known.tariffs
    usable = [
        (tariffs[tariff_id.upper()].get("type") != "REGULAR", tariff_id)
        for tariff_id in ids
        if tariff_id.upper() in tariffs
        and is_for_everybody_now(tariffs[tariff_id.upper()], trail.known.now)
    ]
    if usable:
        return min(usable)[1]
    unknown = [tariff_id for tariff_id in ids if tariff_id.upper() not in tariffs]
    return unknown[0] if len(ids) == len(unknown) == 1 else None


def limit_power(connector: Document, trail: Trail) -> Document:
    """Who multiplies voltage and amperage must not get more than the connector gives."""
    power = connector.get("max_electric_power")
    voltage, amperage = connector.get("max_voltage"), connector.get("max_amperage")
    if power is None or connector.get("power_type") != "DC" or not voltage or amperage is None:
        return connector
    limit = int(power // voltage)
    if amperage <= limit:
        return connector
    trail.at("max_amperage").lose("reduced to what max_electric_power allows")
    return put(connector, {"max_amperage": limit})


def upgrade_hours(hours: Document, trail: Trail) -> Document:
    if hours.get("twentyfourseven") is not None:
        return hours
    return put(hours, {"twentyfourseven": not hours.get("regular_hours")})


def downgrade_hours(hours: Document, trail: Trail) -> Document:
    if not hours.get("twentyfourseven") or not hours.get("regular_hours"):
        return hours
    trail.at("regular_hours").lose("this version has either opening hours or twentyfourseven")
    return put(hours, {"regular_hours": ABSENT})


def upgrade_type(location: Document, trail: Trail) -> Document:
    kind = location.get("type", ABSENT)
    if kind is ABSENT:
        return location
    if kind in PARKING_TYPES:
        return put(location, {"type": ABSENT, "parking_type": kind})
    if kind != UNKNOWN:
        trail.at("type").lose("parking_type has no such value")
    return put(location, {"type": ABSENT, "parking_type": None if trail.partial else ABSENT})


def downgrade_type(location: Document, trail: Trail) -> Document:
    kind = location.get("parking_type", ABSENT)
    if kind is ABSENT and trail.partial:
        return put(location, {"type": ABSENT}) if "type" in location else location
    if kind in PARKING_TYPES or kind is ABSENT or kind is None:
        return put(
            location,
            {"parking_type": ABSENT, "type": kind if kind in PARKING_TYPES else UNKNOWN},
        )
    trail.at("parking_type").lose(f"{kind} is unknown in this version")
    return put(location, {"parking_type": ABSENT, "type": OTHER})


def publish(location: Document, trail: Trail) -> Document:
    return location if trail.partial else put(location, {"publish": True})


def add_time_zone(location: Document, trail: Trail) -> Document:
    if trail.partial or location.get("time_zone"):
        return location
    place = location.get("coordinates") or {}
    zone = trail.known.time_zone or zone_of(
        location.get("country", ""),
        float(place.get("latitude", 0)),
        float(place.get("longitude", 0)),
    )
    if zone is None:
        rule = "Missing, and the country alone does not tell it."
        raise InvalidRequest(
            f"Not a valid Location. time_zone: {rule}",
            data={"errors": [{"field": "time_zone", "rule": rule}]},
        )
    return put(location, {"time_zone": zone})


def only_published(location: Document, trail: Trail) -> Document:
    if location.get("publish") is False:
        raise NotExpressible("this version cannot restrict who sees a location")
    return location


def cut_address(location: Document, trail: Trail) -> Document:
    address = location.get("address")
    if not address or len(address) <= LONGEST_ADDRESS:
        return location
    trail.at("address").lose(f"cut to {LONGEST_ADDRESS} characters")
    whole_words = address[: LONGEST_ADDRESS + 1].rpartition(" ")[0].rstrip(" ,;")
    return put(location, {"address": whole_words or address[:LONGEST_ADDRESS]})


def fill_postal_code(location: Document, trail: Trail) -> Document:
    missing = location.get("postal_code") is None
    if not missing or (trail.partial and "postal_code" not in location):
        return location
    trail.at("postal_code").lose("required in this version, so filled")
    return put(location, {"postal_code": NOTHING})


def six_decimals(place: Document, trail: Trail) -> Document:
    return put(
        place,
        {
            name: degrees(place[name])
            for name in ("latitude", "longitude")
            if isinstance(place.get(name), str)
        },
    )


def degrees(value: str) -> str:
    return value if len(value.partition(".")[2]) == 6 else f"{Decimal(value):.6f}"  # noqa: PLR2004


coordinates = within("coordinates", change=six_decimals)

upgrade_connector = in_turn(
    newer("Connector"),
    renamed(NEWER_CONNECTOR, checked=True),
    upgrade_tariff_id,
)
upgrade_evse = each("connectors", change=upgrade_connector)
upgrade_location = in_turn(
    newer("Location"),
    add_owner,
    upgrade_type,
    publish,
    add_time_zone,
    within("opening_times", change=upgrade_hours),
    each("evses", change=upgrade_evse),
    ENERGY_MIX_UP,
)

downgrade_connector = in_turn(
    required("standard", v2_1_1.CONNECTOR_TYPE.values),
    known("power_type", v2_1_1.POWER_TYPE.values, instead="AC_1_PHASE"),
    limit_power,
    renamed(OLDER_CONNECTOR),
    downgrade_tariff_ids,
    without("max_electric_power"),
)
downgrade_evse = in_turn(
    some("connectors", change=downgrade_connector),
    only_known("capabilities", v2_1_1.CAPABILITY.values),
    coordinates,
)
# A location as part of a session: whoever charges there may know where.
downgrade_known_location = in_turn(
    downgrade_type,
    cut_address,
    fill_postal_code,
    coordinates,
    each("related_locations", change=six_decimals),
    within("opening_times", change=downgrade_hours),
    only_known("facilities", v2_1_1.FACILITY.values),
    some("evses", change=downgrade_evse),
    ENERGY_MIX_DOWN,
    without("state"),
    drop("publish", "publish_allowed_to"),
    drop_owner,
)
downgrade_location = in_turn(only_published, downgrade_known_location)
