"""The seed of the data model, by sentences: each holds, or docs/data-model.md says why not."""

import re
from pathlib import Path
from typing import get_type_hints

import pytest
from sqlalchemy import CheckConstraint, DateTime, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB

from hub.models import charging, stations, tenants
from hub.models.all import METADATA
from hub.roaming.network.configuration import Configuration
from tests.contract import seed
from tests.contract.specification import need

need(seed.FILE)

PAGE = (Path(__file__).parents[2] / "docs" / "data-model.md").read_text()
KINDS = seed.read()
WANTED = list(dict.fromkeys(seed.statements(KINDS)))

ENTITIES = {kind.name: kind.table for kind in KINDS.values() if kind.table}
# Named in the seed, but not defined there.
TABLES = ENTITIES | {
    "StationConfigurationItem": "station_configuration_items",
    "SessionEvent": "session_events",
    "ChargeDetailRecord": "charge_detail_records",
    "Location": "ocpi_locations",
    "OCPIEVSE": "ocpi_evses",
    "OCPITariff": "tariffs",
}


NESTED = {"PartnerConfiguration": Configuration}

# What does not hold, and the row of the page that says so and why.
DIFFERENT = {
    r"tenants\.tenant_type may be MSP|ocpi_partners\.role may be MSP": "`TenantType.MSP`",
    r"auth_tokens (unique|index) by tenant_id, token_value, token_type": "unique (`tenant_id`, `to",
    r"auth_tokens index by .* where .*": "`idx_tokens_active",
    r"charging_stations\.ocpp_version may be .*": "`OCPPVersion`",
    r"charging_stations index by .*ocppVersion.*": "GIN on `configuration",
    r"connectors\.connector_type may be .*": "`ConnectorType`",
    r"connectors\.current_session_id .*": "`Connector.current_session_id`",
    r"connectors unique by .*": "connectors unique per",
    r"meter_values\.charging_session_id refers to .*": "`meter_values` → session",
    r"meter_values\.value is required": "`MeterValue.value` required",
    r"ocpi_partners\.(country_code|party_id|role) .*": "`OCPIPartner` = one",
    r"ocpi_partners unique by .*": "`OCPIPartner` = one",
    r"ocpi_partners index by role": "`idx_ocpi_partners_role`",
    r"ocpi_partners\.credentials_token .*": "`credentials_token` in clear",
    r"ocpi_partners\.endpoints .*|EndpointInfo has .*": "`endpoints` as JSON",
    r"ocpi_partners\.last_sync_timestamp .*": "`last_sync_timestamp`",
    r"BusinessDetails has .*": "`BusinessDetails`",
    r"ocpi_locations\.(location_id|location_data|coordinates|publish) .*": "`OCPILocation` columns",
    r"ocpi_locations\.(country_code|party_id) .*": "`OCPILocation` columns",
    r"(GeoLocation|LocationData) has .*": "`OCPILocation` columns",
    r"ocpi_locations\.ocpi_partner_id .*": "`ocpi_partner_id` of an object",
    r"ocpi_locations\.(name|address|city|postal_code|state) .*": "`city`, `name`, `address`",
    r"ocpi_locations unique by .*": "unique (`ocpi_partner_id`, `location_id`)",
    r"ocpi_locations index by ocpi_partner_id": "index on `ocpi_partner_id`",
    r"ocpi_locations index by country_code, .*": "`idx_ocpi_locations_country_party`",
    r"tariffs\.(created_by|last_modified_by|version) .*": "`Tariff` is an `AuditableEntity`",
    r"tariffs\.(name|currency) .*": "`Tariff.name`, `currency`",
    r"tariffs\.(tariff_id|tariff_elements|restrictions) .*": "`tariff_id`, `tariff_elements`",
    r"(TariffElement|PriceComponent) has .*": "`tariff_id`, `tariff_elements`",
    r"tariffs unique by .*": "tariffs unique",
}


def table(name: str) -> Table:
    return METADATA.tables[name]


def checks(name: str) -> list[str]:
    return [str(one.sqltext) for one in table(name).constraints if isinstance(one, CheckConstraint)]


def about(place: str) -> list[str]:
    """The checks that name the column."""
    name, column = place.split(".")
    return [check for check in checks(name) if re.search(rf"\b{column}\b", check)]


def column(place: str):
    name, wanted = place.split(".")
    return table(name).columns.get(wanted)


def keys(name: str) -> list[list[str]]:
    """What is unique, by columns."""
    unique = [one for one in table(name).constraints if isinstance(one, UniqueConstraint)]
    return [[one.name for one in key.columns] for key in unique]


def indexes(name: str) -> list[list[str]]:
    """What an index begins with: a key has one, too."""
    own = [[one.name for one in index.columns] for index in table(name).indexes]
    return [*own, *keys(name), [one.name for one in table(name).primary_key]]


def exists(place):
    return column(place) is not None


def required(place):
    return not column(place).nullable


def not_empty(place):
    bare = place.split(".")[1]
    return any(f"{bare} <> ''" in check or f"{bare} ~ '^" in check for check in about(place))


def text_of(place, length):
    return column(place).type.length == int(length)


def at_least(place, length):
    return any(f"{{{length}}}$" in check for check in about(place))


def digits(place, before, behind):
    kind = column(place).type
    return kind.precision - kind.scale >= int(before) and kind.scale >= int(behind)


def minimum(place, least):
    bounds = (f">= {least}", f"> {int(least) - 1}", f"BETWEEN {least}")
    return any(bound in check for check in about(place) for bound in bounds)


def maximum(place, most):
    return any(f"<= {most}" in check or f"AND {most}" in check for check in about(place))


def jsonb(place):
    return isinstance(column(place).type, JSONB)


def time(place):
    kind = column(place).type
    return isinstance(kind, DateTime) and kind.timezone


def may_be(place, value):
    return any(f"'{value}'" in check for check in about(place))


def unless_told(place, value):
    default = column(place).server_default
    return str(getattr(default, "arg", None)) == value


def refers(place, kind):
    return any(key.column.table.name == TABLES[kind] for key in column(place).foreign_keys)


def unique(name, names):
    return sorted(names.split(", ")) in [sorted(key) for key in keys(name)]


def index(name, names, where=None):
    """A longer one that begins like that serves as well, and every one begins with the tenant."""
    wanted = names.split(", ")
    wanted = wanted if wanted[0] == "tenant_id" else ["tenant_id", *wanted]
    if where:
        found = [one for one in table(name).indexes if partial(one)]
        return any([c.name for c in one.columns][: len(wanted)] == wanted for one in found)
    return any(one[: len(wanted)] == wanted for one in indexes(name))


def partial(one):
    return one.dialect_options["postgresql"]["where"] is not None


def partitioned(name, by):
    column = table(name).dialect_options["postgresql"]["partition_by"]
    return column == {"month": "RANGE (created_at)", "day": "RANGE (timestamp)"}[by]


def is_table(kind):
    return kind in TABLES and TABLES[kind] in METADATA.tables


def has(kind, member):
    places = [vars(module) for module in (charging, stations, tenants)]
    found = [place[kind] for place in (*places, NESTED) if kind in place]
    return any(member in get_type_hints(one) for one in found)


MEANINGS = {
    r"(\S+\.\S+) exists": exists,
    r"(\S+) is required": required,
    r"(\S+) is not empty": not_empty,
    r"(\S+) is text of (\d+)": text_of,
    r"(\S+) has (\d+) characters at least": at_least,
    r"(\S+) has (\d+) digits and (\d+) decimals": digits,
    r"(\S+) min (\d+)": minimum,
    r"(\S+) max (\d+)": maximum,
    r"(\S+) is jsonb": jsonb,
    r"(\S+) is a time": time,
    r"(\S+) may be (\w+)": may_be,
    r"(\S+) is (\w+) unless told": unless_told,
    r"(\S+) refers to (\w+)": refers,
    r"(\w+) unique by (.+)": unique,
    r"(\w+) index by (.+?)(?: where (.+))?": index,
    r"(\w+) partitioned by (\w+)": partitioned,
    r"(\w+) is a table": is_table,
    r"(\w+) has (\w+)": has,
}


def holds(sentence: str) -> bool:
    for form, meaning in MEANINGS.items():
        if found := re.fullmatch(form, sentence):
            place = found[1]
            if "." in place and meaning is not exists and not exists(place):
                return False
            return bool(meaning(*found.groups()))
    raise AssertionError(sentence)


MISSING = [sentence for sentence in WANTED if not holds(sentence)]


def test_the_whole_seed_is_read():
    text = seed.FILE.read_text()

    assert sum(len(kind.members) for kind in KINDS.values()) == text.count("    private ")
    assert len(KINDS) == len(re.findall(r"(?m)^public (?:abstract )?(?:class|enum) ", text))
    assert all(kind.members or kind.values for kind in KINDS.values())
    assert sum(kind.notes.count("@Index(") for kind in KINDS.values()) == text.count("@Index(")


def test_what_does_not_hold_is_known():
    known = re.compile("|".join(f"(?:{form})" for form in DIFFERENT))

    assert [sentence for sentence in MISSING if not known.fullmatch(sentence)] == []
    # A handful of differences, not a different model.
    assert len(MISSING) < len(WANTED) / 5


@pytest.mark.parametrize("form", DIFFERENT)
def test_each_difference_is_one_and_the_page_tells_why(form):
    assert any(re.fullmatch(form, sentence) for sentence in MISSING)
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| {DIFFERENT[form]}")]
    _, _, here, why, _ = re.split(r" ?\| ?", row)
    assert here
    assert why
