"""The SQL of ``rows``: reading, writing and stamping many rows of a table in one statement."""

from collections.abc import Mapping

from hub.models import objects
from hub.prepared import Prepared
from hub.roaming.modules import MODULES, Module

COLUMNS = """
    partner_id, country_code, party_id, object_key, object_id, document::text, digest,
    last_updated_text, last_updated, stamps::text, broadcast, for_us, deleted_at is not null
"""
RECEIVER, NOBODY = "receiver_country_code, receiver_party_id", "null, null"


def select_rows(module: Module) -> Prepared:
    """One look at the index per key, whatever the statistics of the table say."""
    table, receiver = module.table_name, RECEIVER if module.private else NOBODY
    return Prepared(f"""
        select kept.* from unnest(:countries::text[], :parties::text[], :keys::text[])
             as wanted(country, party, key)
        cross join lateral (
            select {COLUMNS}, {receiver}, null from {table}
            where country_code = wanted.country and party_id = wanted.party
              and object_key = wanted.key
            limit 1 for update
        ) as kept
    """)  # noqa: S608 - table names are ours


SELECT = {name: select_rows(module) for name, module in MODULES.items()}


def select_evses(*more: str) -> Prepared:
    """Whoever writes the document of an EVSE has locked its location: no lock is needed here."""
    names = ("countries", "parties", "keys", *more)
    only = "and object_key = wanted.evse" if more else ""
    return Prepared(f"""
        select kept.* from unnest({", ".join(f":{name}::text[]" for name in names)})
             as wanted(country, party, key{", evse" if more else ""})
        cross join lateral (
            select {COLUMNS}, {NOBODY}, location_key from ocpi_evses
            where country_code = wanted.country and party_id = wanted.party
              and location_key = wanted.key {only}
            order by object_key offset 0
        ) as kept
    """)  # noqa: S608


SELECT_EVSES_OF, SELECT_EVSES = select_evses(), select_evses("evses")

# The columns of every object, and what PostgreSQL is given for them.
WRITTEN = {
    "partner_id": "uuid",
    "country_code": "text",
    "party_id": "text",
    "object_key": "text",
    "object_id": "text",
    "document": "text",
    "digest": "bytea",
    "last_updated_text": "text",
    "last_updated": "timestamptz",
    "stamps": "text",
    "same_since": "text",
    "broadcast": "boolean",
    "for_us": "boolean",
    "deleted_at": "timestamptz",
}
EVSE_COLUMNS = {"location_key": "text"}
RECEIVER_COLUMNS = {"receiver_country_code": "text", "receiver_party_id": "text"}
VALIDITY_COLUMNS = {"valid_from": "timestamptz", "valid_to": "timestamptz"}
CAST = {"document": "given.document::json", "stamps": "given.stamps::json"}


def upsert(table: str, more: Mapping[str, str], key: str = "object_key") -> Prepared:
    """Write whole rows and move them to the end of the feed, unless a newer one slipped in
    meanwhile.
    """
    names = {**WRITTEN, **more}
    arrays = ", ".join(f":{name}::{type_}[]" for name, type_ in names.items())
    changed = ", ".join(
        f"{name} = excluded.{name}"
        for name in names
        if name not in {"country_code", "party_id", "object_key", "location_key", "for_us"}
    )
    values = [CAST.get(name, f"given.{name}") for name in names]
    return Prepared(f"""
        insert into {table} ({", ".join(names)})
        select {", ".join(values)}
        from unnest({arrays}) as given({", ".join(names)})
        on conflict (tenant_id, country_code, party_id, {key}) do update
        set {changed}, for_us = {table}.for_us and excluded.for_us,
            changed_xid = pg_current_xact_id(), changed_seq = nextval('feed_seq'),
            received_at = clock_timestamp(), updated_at = now()
        where {table}.last_updated <= excluded.last_updated or excluded.deleted_at is not null
    """)  # noqa: S608


def touch(table: str, *more: str) -> Prepared:
    """A newer stamp and nothing else: no place in the feed. ``more`` is needed to find a row."""
    arrays = "".join(f" :{name}::text[]," for name in more)
    return Prepared(f"""
        update {table} as kept
        set last_updated = given.at, last_updated_text = given.told, stamps = given.stamps::json
        from unnest(:countries::text[], :parties::text[], :keys::text[],{arrays}
                    :ats::timestamptz[], :tolds::text[], :stamps::text[])
             as given({", ".join(("country_code", "party_id", "object_key", *more))}, at, told,
                      stamps)
        where kept.country_code = given.country_code and kept.party_id = given.party_id
          and kept.object_key = given.object_key
          {"".join(f"and kept.{name} = given.{name}" for name in more)}
          and kept.last_updated <= given.at
    """)  # noqa: S608


EXTRA: Mapping[str, Mapping[str, str]] = {
    module.kind: RECEIVER_COLUMNS for module in MODULES.values() if module.private
} | {
    "CDR": RECEIVER_COLUMNS | {"held_at": "timestamptz"},
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
    kind: touch(table, "location_key") if kind == "EVSE" else touch(table)
    for kind, table in TABLES.items()
}
