"""The SQL of ``rows``: reading, writing and stamping many rows of a table in one statement."""

from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.types import Boolean, LargeBinary, String, Uuid

from hub.models import objects
from hub.roaming.modules import MODULES, Module

COLUMNS = """
    partner_id, country_code, party_id, object_key, object_id, document::text, digest,
    last_updated_text, last_updated, stamps::text, broadcast, for_us, deleted_at is not null
"""
RECEIVER, NOBODY = "receiver_country_code, receiver_party_id", "null, null"


def array(name: str, type_: Any = None) -> Any:
    return bindparam(name, type_=ARRAY(type_ or String()))


def select_rows(module: Module) -> Any:
    table, receiver = module.table_name, RECEIVER if module.private else NOBODY
    return text(f"""
        select {COLUMNS}, {receiver}, null from {table}
        where (country_code, party_id, object_key) in
              (select * from unnest(:countries, :parties, :keys))
        order by country_code, party_id, object_key for update
    """).bindparams(array("countries"), array("parties"), array("keys"))  # noqa: S608 - table names are ours


SELECT = {name: select_rows(module) for name, module in MODULES.items()}

SELECT_EVSES_OF = text(f"""
    select {COLUMNS}, {NOBODY}, location_key from ocpi_evses
    where (country_code, party_id, location_key) in
          (select * from unnest(:countries, :parties, :keys))
    order by country_code, party_id, location_key, object_key for update
""").bindparams(array("countries"), array("parties"), array("keys"))  # noqa: S608

SELECT_EVSES = text(f"""
    select {COLUMNS}, {NOBODY}, location_key from ocpi_evses
    where (country_code, party_id, location_key, object_key) in
          (select * from unnest(:countries, :parties, :keys, :evses))
    order by country_code, party_id, location_key, object_key for update
""").bindparams(array("countries"), array("parties"), array("keys"), array("evses"))  # noqa: S608

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
CAST = {"document": "document::json", "stamps": "stamps::json"}


def upsert(table: str, more: dict[str, tuple[str, Any]], key: str = "object_key") -> Any:
    """Write whole rows and move them to the end of the feed, unless a newer one slipped in
    meanwhile.
    """
    names = {**WRITTEN, **more}
    arrays = ", ".join(f":{name}" for name in names)
    changed = ", ".join(
        f"{name} = excluded.{name}"
        for name in names
        if name not in {"country_code", "party_id", "object_key", "location_key", "for_us"}
    )
    return text(f"""
        insert into {table} ({", ".join(names)})
        select {", ".join(CAST.get(name, name) for name in names)}
        from unnest({arrays}) as given({", ".join(names)})
        on conflict (tenant_id, country_code, party_id, {key}) do update
        set {changed}, for_us = {table}.for_us and excluded.for_us,
            changed_xid = pg_current_xact_id(), changed_seq = nextval('feed_seq'),
            received_at = clock_timestamp(), updated_at = now()
        where {table}.last_updated <= excluded.last_updated or excluded.deleted_at is not null
    """).bindparams(*(array(name, type_) for name, (_, type_) in names.items()))  # noqa: S608


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
