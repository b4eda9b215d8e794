"""The SQL of ``rows``: reading, writing and stamping many rows of a table in one statement."""

from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.types import Boolean, LargeBinary, String, Uuid

from hub.models import objects
from hub.models.base import Base
from hub.models.objects import Said
from hub.roaming.modules import MODULES, Module

COLUMNS = """
    partner_id, country_code, party_id, object_key, object_id, document::text, digest,
    last_updated_text, last_updated, stamps::text, broadcast, for_us, deleted_at is not null
"""
RECEIVER, NOBODY = "receiver_country_code, receiver_party_id", "null, null"


def array(name: str, type_: Any = None) -> Any:
    return bindparam(name, type_=ARRAY(type_ or String()))


def select_rows(module: Module) -> Any:
    """One look at the index per key, whatever the statistics of the table say."""
    table, receiver = module.table_name, RECEIVER if module.private else NOBODY
    return text(f"""
        select kept.* from unnest(:countries, :parties, :keys) as wanted(country, party, key)
        cross join lateral (
            select {COLUMNS}, {receiver}, null from {table}
            where country_code = wanted.country and party_id = wanted.party
              and object_key = wanted.key
            limit 1 for update
        ) as kept
    """).bindparams(array("countries"), array("parties"), array("keys"))  # noqa: S608 - table names are ours


SELECT = {name: select_rows(module) for name, module in MODULES.items()}


def select_evses(*more: str) -> Any:
    """Whoever writes an EVSE has locked its location, so they need no locks of their own."""
    names = ("countries", "parties", "keys", *more)
    only = "and object_key = wanted.evse" if more else ""
    return text(f"""
        select kept.* from unnest({", ".join(f":{name}" for name in names)})
             as wanted(country, party, key{", evse" if more else ""})
        cross join lateral (
            select {COLUMNS}, {NOBODY}, location_key from ocpi_evses
            where country_code = wanted.country and party_id = wanted.party
              and location_key = wanted.key {only}
            order by object_key offset 0
        ) as kept
    """).bindparams(*map(array, names))  # noqa: S608


SELECT_EVSES_OF, SELECT_EVSES = select_evses(), select_evses("evses")

WRITTEN: dict[str, tuple[str, Any]] = {
    "partner_id": ("uuid", Uuid()),
    "country_code": ("text", None),
    "party_id": ("text", None),
    "object_key": ("text", None),
    "object_id": ("text", None),
    "document": ("text", None),
    "digest": ("bytea", LargeBinary()),
    "last_updated_text": ("text", None),
    "last_updated": ("timestamptz", TIMESTAMP(timezone=True)),
    "stamps": ("text", None),
    "same_since": ("text", None),
    "broadcast": ("boolean", Boolean()),
    "for_us": ("boolean", Boolean()),
    "deleted_at": ("timestamptz", TIMESTAMP(timezone=True)),
}
EVSE_COLUMNS = {"location_key": ("text", None)}
RECEIVER_COLUMNS = {"receiver_country_code": ("text", None), "receiver_party_id": ("text", None)}
VALIDITY_COLUMNS = {
    "valid_from": ("timestamptz", TIMESTAMP(timezone=True)),
    "valid_to": ("timestamptz", TIMESTAMP(timezone=True)),
}
CAST = {"document": "given.document::json", "stamps": "given.stamps::json"}


def upsert(table: str, more: dict[str, tuple[str, Any]], key: str = "object_key") -> Any:
    """Write whole rows and move them to the end of the feed, unless a newer one slipped in
    meanwhile.
    """
    names = {**WRITTEN, **more}
    said = said_by(table)
    arrays = ", ".join(f":{name}" for name in names)
    changed = ", ".join(
        f"{name} = excluded.{name}"
        for name in (*names, *said)
        if name not in {"country_code", "party_id", "object_key", "location_key", "for_us"}
    )
    values = [CAST.get(name, f"given.{name}") for name in names]
    values += [one.value for one in said.values()]
    return text(f"""
        insert into {table} ({", ".join((*names, *said))})
        select {", ".join(values)}
        from unnest({arrays}) as given({", ".join(names)}) {record(said)}
        on conflict (tenant_id, country_code, party_id, {key}) do update
        set {changed}, for_us = {table}.for_us and excluded.for_us,
            changed_xid = pg_current_xact_id(), changed_seq = nextval('feed_seq'),
            received_at = clock_timestamp(), updated_at = now()
        where {table}.last_updated <= excluded.last_updated or excluded.deleted_at is not null
    """).bindparams(*(array(name, type_) for name, (_, type_) in names.items()))  # noqa: S608


def said_by(table: str) -> dict[str, Said]:
    """The columns that say what the document does."""
    columns = Base.metadata.tables[table].columns
    return {column.name: column.info[Said.INFO] for column in columns if Said.INFO in column.info}


def record(said: dict[str, Said]) -> str:
    """The members of the document of which columns tell, read once for all of them."""
    if not said:
        return ""
    members = sorted({f'"{one.member}" {one.type}' for one in said.values()})
    return f"cross join json_to_record(given.document::json) as said({', '.join(members)})"


def touch(table: str, key: str = "object_key", more: str = "") -> Any:
    """A newer stamp and nothing else: no place in the feed."""
    return text(f"""
        update {table} as kept
        set last_updated = given.at, last_updated_text = given.told, stamps = given.stamps::json
        from unnest(:countries, :parties, :keys,
                    {":locations," if more else ""} :ats, :tolds, :stamps)
             as given(country_code, party_id, {key}, at, told, stamps)
        where kept.country_code = given.country_code and kept.party_id = given.party_id
          and kept.object_key = given.object_key {more} and kept.last_updated <= given.at
    """).bindparams(  # noqa: S608
        array("countries"),
        array("parties"),
        array("keys"),
        array("ats", TIMESTAMP(timezone=True)),
        array("tolds"),
        array("stamps"),
        *([array("locations")] if more else []),
    )


EXTRA: dict[str, dict[str, tuple[str, Any]]] = {
    module.kind: RECEIVER_COLUMNS for module in MODULES.values() if module.private
} | {
    "CDR": RECEIVER_COLUMNS | {"held_at": ("timestamptz", TIMESTAMP(timezone=True))},
    "Tariff": VALIDITY_COLUMNS,
    "EVSE": EVSE_COLUMNS,
}
TABLES = {module.kind: module.table_name for module in MODULES.values()} | {
    "EVSE": objects.EVSE.__tablename__
}
UPSERT = {
    kind: upsert(
        table, EXTRA.get(kind, {}), "location_key, object_key" if kind == "EVSE" else "object_key"
    )
    for kind, table in TABLES.items()
}
TOUCH = {
    kind: touch(table)
    if kind != "EVSE"
    else touch(table, "object_key, location_key", "and kept.location_key = given.location_key")
    for kind, table in TABLES.items()
}
