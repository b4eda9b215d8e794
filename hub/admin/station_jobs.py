"""Firmware for stations, and logs of them; every transfer has a URL that is good once (T-53)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from aiohttp import web
from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import BadInput, Conflict, Missing
from hub.admin.input import Input, Matching
from hub.admin.output import PageQuery, Shown, find, page, page_of, path_id
from hub.admin.routes import BODY, QUERY, Routes
from hub.admin.stations import one, ref_of
from hub.keys import DATABASE, KEYRING, SETTINGS
from hub.models.operating import StationFile, StationJob
from hub.models.stations import ChargingStation
from hub.models.values import AuditAction, FileKind
from hub.ocpp import files, jobs
from hub.ocpp.service import STATIONS
from hub.roaming.ports import StationRef
from hub.security import new_token

routes = Routes("Firmware and logs")
NAMED = ("firmware", "hub firmware list")
LOG_TYPES = list(jobs.LOG_TYPES)
LONGEST_VALID = 7 * 24


class FirmwareQuery(Input):
    name = fields.String(
        required=True,
        validate=Matching(r"[\w.\-+ ]{1,255}$"),
        metadata={"allowed": "letters, digits, dots, dashes, blanks"},
    )


class FileShown(Shown):
    name = fields.String()
    size = fields.Integer(allow_none=True, metadata={"description": "Bytes."})
    sha256 = fields.String(allow_none=True)


class JobShown(Shown):
    station_id = fields.String(attribute="station", metadata={"description": "Its identity."})
    kind = fields.String(validate=validate.OneOf(list(FileKind)))
    request_id = fields.Integer(metadata={"description": "As the station knows it."})
    file = fields.Nested(FileShown)
    result = fields.String(
        allow_none=True, metadata={"description": "What the station said to the order."}
    )
    status = fields.String(
        allow_none=True, metadata={"description": "The station's last word about it."}
    )
    status_at = fields.AwareDateTime(allow_none=True)
    finished = fields.Boolean()
    url_used_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When it was fetched or brought."}
    )
    url_expires_at = fields.AwareDateTime()


class Ordering(Input):
    valid_hours = fields.Integer(
        load_default=24,
        validate=validate.Range(1, LONGEST_VALID),
        metadata={"description": "For how long the station may use its URL."},
    )


class FirmwareWanted(Ordering):
    firmware_id = fields.UUID(required=True)
    retrieve_at = fields.AwareDateTime(default_timezone=UTC, metadata={"description": "Now."})
    install_at = fields.AwareDateTime(
        default_timezone=UTC, metadata={"description": "As soon as it can; not in plain OCPP 1.6."}
    )
    retries = fields.Integer(validate=validate.Range(0, 100))
    signing_certificate = fields.String(
        validate=validate.Length(1, 5500), metadata={"description": "PEM, of the manufacturer."}
    )
    signature = fields.String(
        validate=validate.Length(1, 800), metadata={"description": "Of the firmware, base64."}
    )

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        if ("signature" in data) != ("signing_certificate" in data):
            missing = "signing_certificate" if "signature" in data else "signature"
            raise ValidationError("A signed update has a certificate and a signature.", missing)


class LogWanted(Ordering):
    log_type = fields.String(load_default=LOG_TYPES[0], validate=validate.OneOf(LOG_TYPES))
    since = fields.AwareDateTime(default_timezone=UTC)
    until = fields.AwareDateTime(default_timezone=UTC)


FilePage: type[Schema] = page_of(FileShown)
JobPage: type[Schema] = page_of(JobShown)


@routes.get("/firmware", permission="stations.read", query=PageQuery, answer=FilePage)
async def list_firmware(request: web.Request) -> Any:
    """The firmware that lies ready for stations, newest first."""
    found = select(StationFile).where(StationFile.kind == FileKind.FIRMWARE)
    async with transaction(request) as db:
        return await page(db, found, StationFile, request[QUERY])


@routes.post(
    "/firmware",
    permission="stations.update",
    query=FirmwareQuery,
    answer=FileShown,
    status=201,
    takes_bytes=True,
)
async def add_firmware(request: web.Request) -> Any:
    """Lay firmware ready: the file is the body of the request."""
    database, tenant_id = request.config_dict[DATABASE], request[ACTOR].tenant_id
    async with transaction(request) as db:
        file = StationFile(kind=FileKind.FIRMWARE, name=request[QUERY]["name"])
        db.add(file)
    whole = False
    try:
        content = files.body_of(request)
        await files.receive(database, tenant_id, file.id, content, files.LARGEST_FIRMWARE)
        whole = True
    except files.TooLarge:
        raise BadInput(f"Firmware has at most {files.LARGEST_FIRMWARE} bytes.") from None
    finally:
        if not whole:
            await forget(request, file.id)
    async with transaction(request) as db:
        kept = await find(db, StationFile, file.id, *NAMED)
        if kept.size:
            told = {"name": kept.name, "size": kept.size, "sha256": kept.sha256}
            await audit.record(db, AuditAction.CREATE, "station_file", kept.id, after=told)
            return kept
    await forget(request, file.id)
    raise BadInput("There is nothing in the file.")


async def forget(request: web.Request, file_id: UUID) -> None:
    async with transaction(request) as db:
        await db.execute(delete(StationFile).where(StationFile.id == file_id))


@routes.delete("/firmware/{id}", permission="stations.update")
async def remove_firmware(request: web.Request) -> Any:
    """Remove firmware, with the jobs it was for."""
    async with transaction(request) as db:
        file = await find(db, StationFile, path_id(request), *NAMED)
        if file.kind != FileKind.FIRMWARE:
            raise Missing(f"There is no firmware {file.id}.", next_step=NAMED[1])
        await audit.record(
            db, AuditAction.DELETE, "station_file", file.id, before={"name": file.name}
        )
        await db.delete(file)


@routes.post(
    "/stations/{id}/firmware",
    permission="stations.execute",
    body=FirmwareWanted,
    answer=JobShown,
    status=201,
)
async def update_firmware(request: web.Request) -> Any:
    """Have a station fetch firmware and install it. How it gets on is in the job."""
    body = request[BODY]
    async with transaction(request) as db:
        station = await one(db, path_id(request))
        file = await find(db, StationFile, body["firmware_id"], *NAMED)
        if file.kind != FileKind.FIRMWARE or not file.size:
            raise Missing(f"There is no firmware {file.id}.", next_step=NAMED[1])
        job, url = await order(request, db, station, FileKind.FIRMWARE, file)
    said = await jobs.update_firmware(
        request.config_dict[STATIONS],
        ref_of(station),
        jobs.Update(
            url,
            job.request_id,
            body.get("retrieve_at") or datetime.now(UTC),
            body.get("install_at"),
            body.get("retries"),
            body.get("signing_certificate"),
            body.get("signature"),
        ),
    )
    return await settled(request, station, job.id, said)


@routes.post(
    "/stations/{id}/logs",
    permission="stations.execute",
    body=LogWanted,
    answer=JobShown,
    status=201,
)
async def fetch_log(request: web.Request) -> Any:
    """Have a station bring a log. It is in the job's file when it has."""
    body = request[BODY]
    async with transaction(request) as db:
        station = await one(db, path_id(request))
        file = StationFile(kind=FileKind.LOG, name=f"{station.station_id}.log")
        db.add(file)
        await db.flush()
        job, url = await order(request, db, station, FileKind.LOG, file)
    wanted = jobs.LogWanted(
        url, job.request_id, body["log_type"], body.get("since"), body.get("until")
    )
    said, name = await jobs.fetch_log(request.config_dict[STATIONS], ref_of(station), wanted)
    if name:
        async with transaction(request) as db:
            await files.rename(db, file.id, name[:255])
    return await settled(request, station, job.id, said)


async def order(
    request: web.Request,
    db: AsyncSession,
    station: ChargingStation,
    kind: FileKind,
    file: StationFile,
) -> tuple[StationJob, str]:
    """The row of a job, and the URL that the station gets for it."""
    token = new_token()
    job = StationJob(
        charging_station_id=station.id,
        kind=kind,
        file_id=file.id,
        url_digest=request.config_dict[KEYRING].digest(token),
        url_expires_at=datetime.now(UTC) + timedelta(hours=request[BODY]["valid_hours"]),
    )
    db.add(job)
    await db.flush()
    await audit.record(
        db,
        AuditAction.COMMAND_SENT,
        "charging_station",
        station.id,
        description=f"{kind.capitalize()} of {station.station_id}: {file.name}",
        metadata={"job_id": job.id},
    )
    public_url = request.config_dict[SETTINGS].public_url
    return job, files.url(public_url, request[ACTOR].tenant_id, token)


async def settled(
    request: web.Request, station: ChargingStation, job_id: UUID, said: str
) -> dict[str, Any]:
    """Write down what the station said to the order; it may be at work already."""
    taken = said in jobs.TAKEN
    async with transaction(request) as db:
        values: dict[str, Any] = {"result": said[:40]}
        if not taken:
            values["finished"] = True
        await db.execute(update(StationJob).where(StationJob.id == job_id).values(**values))
    if not taken:
        raise Conflict(
            f"{station.station_id} will not: {said}.",
            next_step=f"hub station log {station.station_id}",
        )
    async with transaction(request) as db:
        return await shown_one(db, station, job_id)


@routes.get("/stations/{id}/jobs", permission="stations.read", query=PageQuery, answer=JobPage)
async def list_jobs(request: web.Request) -> Any:
    """Firmware updates and logs of a station, newest first."""
    async with transaction(request) as db:
        station = await one(db, path_id(request))
        found = select(StationJob).where(StationJob.charging_station_id == station.id)
        answer = await page(db, found, StationJob, request[QUERY])
        return answer | {"items": await shown(db, station, answer["items"])}


@routes.get("/stations/{id}/jobs/{job_id}", permission="stations.read", answer=JobShown)
async def show_job(request: web.Request) -> Any:
    """One firmware update or log, and how it gets on."""
    async with transaction(request) as db:
        station = await one(db, path_id(request))
        return await shown_one(db, station, job_id_of(request))


@routes.get(
    "/stations/{id}/jobs/{job_id}/file",
    permission="stations.read",
    answer=None,
    gives_bytes=True,
)
async def read_log(request: web.Request) -> web.StreamResponse:
    """The log that a station has brought."""
    async with transaction(request) as db:
        station = await one(db, path_id(request))
        job = await shown_one(db, station, job_id_of(request))
    if job["kind"] != FileKind.LOG or job["file"].size is None:
        raise Missing("The station has brought nothing yet.")
    response = web.StreamResponse(headers={"Cache-Control": "no-store"})
    response.content_type = "application/octet-stream"
    response.content_length = job["file"].size
    await response.prepare(request)
    tenant_id = request[ACTOR].tenant_id
    async for data in files.parts(request.config_dict[DATABASE], tenant_id, job["file"].id):
        await response.write(data)
    await response.write_eof()
    return response


def job_id_of(request: web.Request) -> UUID:
    try:
        return UUID(request.match_info["job_id"])
    except ValueError:
        raise Missing("There is no such job of this station.") from None


async def shown_one(db: AsyncSession, station: ChargingStation, job_id: UUID) -> dict[str, Any]:
    ref = StationRef(UUID(str(station.tenant_id)), station.id)
    found = select(StationJob).where(
        StationJob.id == job_id, StationJob.charging_station_id == ref.id
    )
    jobs_ = list(await db.scalars(found.execution_options(populate_existing=True)))
    if not jobs_:
        raise Missing("There is no such job of this station.")
    [answer] = await shown(db, station, jobs_)
    return answer


async def shown(
    db: AsyncSession, station: ChargingStation, rows: list[StationJob]
) -> list[dict[str, Any]]:
    wanted = {row.file_id for row in rows}
    found = await db.scalars(
        select(StationFile)
        .where(StationFile.id.in_(wanted))
        .execution_options(populate_existing=True)
    )
    by_id = {file.id: file for file in found}
    return [
        {name: getattr(row, name) for name in COLUMNS}
        | {"station": station.station_id, "file": by_id[row.file_id]}
        for row in rows
    ]


COLUMNS = [name for name in JobShown().fields if hasattr(StationJob, name)]
