"""Statuses of connectors, many at a time.

A group of them costs the statements of one. After an outage all stations tell theirs at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.roaming.charging import session_records
from hub.roaming.stations import stations
from hub.roaming.stations.connectors import StatusReport

ROWS = (
    "json_to_recordset(CAST(:rows AS json)) AS r(station uuid, evse integer, connector integer,"
    " status text, error text, info text, vendor text, configuration jsonb)"
)


# In one statement, so that two first reports at the same time do not wait for each other. What is
# there stays, the status is new; a cable that stays plugged in has been so since it was.
KEEP = text(
    "WITH told AS (SELECT * FROM " + ROWS + " ORDER BY station, evse, connector), known AS ("  # noqa: S608
    " INSERT INTO station_evses (charging_station_id, evse_number, evse_uid)"
    " SELECT station, evse, gen_random_uuid()::text FROM (SELECT DISTINCT station, evse FROM told)"
    " AS evses ON CONFLICT DO NOTHING)"
    " INSERT INTO connectors (charging_station_id, evse_number, connector_id, connector_type,"
    " status, error_code, status_info, vendor_error_code, configuration)"
    " SELECT station, evse, connector, 'UNKNOWN', status, error, info, vendor, configuration"
    " FROM told ON CONFLICT ON CONSTRAINT uq_connectors_number DO UPDATE SET"
    " status = excluded.status, error_code = excluded.error_code,"
    " status_info = excluded.status_info, vendor_error_code = excluded.vendor_error_code,"
    " updated_at = now(),"
    " configuration = coalesce(connectors.configuration, '{}') || excluded.configuration"
    " || CASE WHEN connectors.status = 'OCCUPIED' AND excluded.status = 'OCCUPIED'"
    " AND connectors.configuration ->> 'occupied_at' IS NOT NULL"
    " THEN jsonb_build_object('occupied_at', connectors.configuration -> 'occupied_at')"
    " ELSE '{}' END"
    " WHERE connectors.configuration ->> 'status_at' IS NULL"
    " OR (connectors.configuration ->> 'status_at')::timestamptz"
    " <= (excluded.configuration ->> 'status_at')::timestamptz"
    " RETURNING charging_station_id, evse_number, connector_id,"
    # As the statement found it: what it writes itself it does not see.
    " (SELECT old.status FROM connectors AS old WHERE old.id = connectors.id) AS before,"
    " (SELECT old.error_code FROM connectors AS old WHERE old.id = connectors.id) AS error_before,"
    # With a limit, each is looked up: else all that are open might be read to find a few.
    " (SELECT true FROM station_transactions AS t WHERE t.state = 'OPEN'"
    " AND t.charging_station_id = connectors.charging_station_id"
    " AND t.evse_number = connectors.evse_number LIMIT 1) IS NOT NULL AS running"
)


# What connector 0 says holds for the station as a whole.
KEEP_WHOLE = text(
    f"WITH told AS (SELECT * FROM {ROWS}), {stations.HELD}"  # noqa: S608
    " UPDATE charging_stations AS station SET"
    " ocpp_status = CASE told.status WHEN 'OCCUPIED' THEN 'AVAILABLE' ELSE told.status END,"
    " error_code = told.error, status_info = told.info, updated_at = now()"
    " FROM told JOIN held ON held.id = told.station WHERE station.id = held.id"
)


# What the connectors complain of, in the record of the station.
ERRORS = text(
    f"WITH told AS (SELECT * FROM {ROWS}), {stations.HELD}"  # noqa: S608
    " UPDATE charging_stations AS station SET diagnostics = coalesce(diagnostics, '{}')"
    " || jsonb_build_object('active_errors', (SELECT coalesce(jsonb_agg(DISTINCT error_code), '[]')"
    " FROM connectors WHERE charging_station_id = station.id AND error_code IS NOT NULL))"
    " FROM held WHERE station.id = held.id"
)


@dataclass(frozen=True, slots=True)
class Reported:
    """A status of a connector at one of the stations of a group."""

    station_id: UUID
    report: StatusReport

    @property
    def key(self) -> tuple[UUID, int, int]:
        evse = self.report.evse_number
        return self.station_id, evse, max(self.report.connector_id, 1) if evse else 1

    def row(self) -> dict[str, Any]:
        report, at = self.report, self.report.at.isoformat()
        return {
            "station": str(self.station_id),
            "evse": report.evse_number,
            "connector": max(report.connector_id, 1),
            "status": report.status,
            "error": report.error_code,
            "info": report.info,
            "vendor": report.vendor_error_code,
            "configuration": {
                "status_at": at,
                "ocpp_status": report.word,
                "occupied_at": at if report.status == "OCCUPIED" else None,
            },
        }


@dataclass(frozen=True, slots=True)
class Kept:
    """What a status came to: nothing at all when it is older than the one that is known.

    ``changed``: OCPI is to be told. ``freed``: available, and was not before. ``running``: the
    EVSE has a transaction, which may have something to do with it.
    """

    changed: bool = False
    freed: bool = False
    running: bool = False


async def keep_statuses(db: AsyncSession, group: Sequence[Reported]) -> list[Kept]:
    """Keep the statuses of a group, in their order; one tenant's."""
    done: dict[int, Kept] = {}
    waiting = list(enumerate(group))
    while waiting:
        # One statement changes a row only once: a second word about a connector takes its turn.
        turn = {reported.key: (index, reported) for index, reported in reversed(waiting)}
        await keep_turn(db, turn, done)
        waiting = [(index, reported) for index, reported in waiting if index not in done]
    return [done[index] for index in range(len(group))]


async def keep_turn(
    db: AsyncSession,
    turn: Mapping[tuple[UUID, int, int], tuple[int, Reported]],
    done: dict[int, Kept],
) -> None:
    """Keep statuses of which no two are of one connector; what became of each goes into ``done``.

    ``turn`` is by station, EVSE number (0: the station as a whole) and connector id.
    """
    whole = {key: found for key, found in turn.items() if key[1] == 0}
    parts = {key: found for key, found in turn.items() if key[1] != 0}
    if whole:
        await db.execute(KEEP_WHOLE, {"rows": written(whole.values())})
        done.update({index: Kept(changed=True) for index, _ in whole.values()})
    if not parts:
        return
    before = {
        (row.charging_station_id, row.evse_number, row.connector_id): row
        for row in await db.execute(KEEP, {"rows": written(parts.values())})
    }
    kept = {key: found for key, found in parts.items() if key in before}
    for key, (index, reported) in parts.items():
        done[index] = became(reported.report, before[key]) if key in before else Kept()
    complaining = [
        found
        for key, found in kept.items()
        if before[key].error_before != found[1].report.error_code
    ]
    if complaining:
        await db.execute(ERRORS, {"rows": written(complaining)})
    await session_records.unplugged(
        db,
        [
            (reported.station_id, reported.report.evse_number, reported.report.at)
            for index, reported in kept.values()
            if done[index].freed and not done[index].running
        ],
    )


def written(found: Iterable[tuple[int, Reported]]) -> str:
    return codec.write_rows([reported.row() for _, reported in found])


def became(report: StatusReport, row: Any) -> Kept:
    return Kept(
        changed=row.before != report.status,
        freed=report.status == "AVAILABLE" and row.before != "AVAILABLE",
        running=row.running,
    )
