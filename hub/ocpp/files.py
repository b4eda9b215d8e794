"""Where stations fetch their firmware and bring their logs: URLs that work once (T-53).

A URL is good for one job, for as long as the job says, and until it has served: who learns of it
later gets nothing. A transfer that breaks in the middle may be tried again. There is nothing else
at these URLs, and no way to tell a wrong one from one that is used up.
"""

import hashlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import structlog
from aiohttp import BodyPartReader, web
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.keys import DATABASE, KEYRING
from hub.models.operating import StationFile, StationFilePart, StationJob
from hub.models.values import FileKind

log = structlog.get_logger()
routes = web.RouteTableDef()

PART = 1024 * 1024
LARGEST_LOG = 64 * PART
LARGEST_FIRMWARE = 512 * PART
PATH = r"/files/{tenant:[0-9a-f]{32}}/{token:[\w-]{43}}"


class TooLarge(Exception):
    """More bytes than are taken."""


def url(public_url: str, tenant_id: UUID, token: str) -> str:
    return f"{public_url}/files/{tenant_id.hex}/{token}"


@routes.get(PATH)
async def fetch(request: web.Request) -> web.StreamResponse:
    """Firmware, for the station that was told of it."""
    database, tenant_id = request.config_dict[DATABASE], UUID(request.match_info["tenant"])
    job = await take(request, FileKind.FIRMWARE)
    async with database.transaction(tenant_id) as db:
        file = await db.get_one(StationFile, (tenant_id, job.file_id))
    response = web.StreamResponse(headers={"Cache-Control": "no-store"})
    response.content_type = "application/octet-stream"
    response.content_length = file.size
    whole = False
    try:
        await response.prepare(request)
        async for data in parts(database, tenant_id, job.file_id):
            await response.write(data)
        await response.write_eof()
        whole = True
    finally:
        if not whole:
            await give_back(database, tenant_id, job.id)
    log.info("firmware fetched", job=str(job.id), bytes=file.size)
    return response


@routes.put(PATH)
@routes.post(PATH)
@routes.put(PATH + "/{name:.{1,200}}")
@routes.post(PATH + "/{name:.{1,200}}")
async def bring(request: web.Request) -> web.StreamResponse:
    """A log, from the station that was asked for it; its name may stand behind the URL."""
    database, tenant_id = request.config_dict[DATABASE], UUID(request.match_info["tenant"])
    job = await take(request, FileKind.LOG)
    whole = False
    try:
        await receive(database, tenant_id, job.file_id, body_of(request), LARGEST_LOG)
        whole = True
    except TooLarge:
        raise web.HTTPRequestEntityTooLarge(LARGEST_LOG, LARGEST_LOG + 1) from None
    finally:
        if not whole:
            await discard(database, tenant_id, job.file_id)
            await give_back(database, tenant_id, job.id)
    async with database.transaction(tenant_id) as db:
        if name := request.match_info.get("name"):
            await rename(db, job.file_id, name)
    log.info("log brought", job=str(job.id))
    return web.Response(status=201)


async def take(request: web.Request, kind: FileKind) -> Any:
    """The job that a URL belongs to, which is used up from now on; 404 for any other."""
    token, tenant_id = request.match_info["token"], UUID(request.match_info["tenant"])
    digests = request.config_dict[KEYRING].digests(token)
    async with request.config_dict[DATABASE].transaction(tenant_id) as db:
        found = await db.execute(
            update(StationJob)
            .where(
                StationJob.url_digest.in_(digests),
                StationJob.kind == kind,
                StationJob.url_used_at.is_(None),
                StationJob.url_expires_at > func.now(),
            )
            .values(url_used_at=func.now())
            .returning(StationJob.id, StationJob.file_id)
        )
        job = found.first()
    if job is None:
        raise web.HTTPNotFound
    return job


async def give_back(database: Database, tenant_id: UUID, job_id: UUID) -> None:
    """The transfer broke: the URL is good for another try."""
    async with database.transaction(tenant_id) as db:
        await db.execute(update(StationJob).where(StationJob.id == job_id).values(url_used_at=None))


async def parts(database: Database, tenant_id: UUID, file_id: UUID) -> AsyncIterator[bytes]:
    """The bytes of a file, a part at a time; no transaction is open in between."""
    number = 0
    while True:
        async with database.transaction(tenant_id) as db:
            data = await db.scalar(
                select(StationFilePart.data).where(
                    StationFilePart.file_id == file_id, StationFilePart.number == number
                )
            )
        if data is None:
            return
        yield data
        number += 1


async def receive(
    database: Database,
    tenant_id: UUID,
    file_id: UUID,
    content: AsyncIterator[bytes],
    largest: int,
) -> None:
    """Keep what comes as the parts of a file, with its size and SHA-256. Raises TooLarge."""
    digest, size, number, waiting = hashlib.sha256(), 0, 0, bytearray()

    async def keep(data: bytes) -> None:
        async with database.transaction(tenant_id) as db:
            db.add(StationFilePart(file_id=file_id, number=number, data=data))

    async for data in content:
        size += len(data)
        if size > largest:
            raise TooLarge
        digest.update(data)
        waiting += data
        while len(waiting) >= PART:
            await keep(bytes(waiting[:PART]))
            del waiting[:PART]
            number += 1
    if waiting:
        await keep(bytes(waiting))
    async with database.transaction(tenant_id) as db:
        await db.execute(
            update(StationFile)
            .where(StationFile.id == file_id)
            .values(size=size, sha256=digest.hexdigest())
        )


async def discard(database: Database, tenant_id: UUID, file_id: UUID) -> None:
    async with database.transaction(tenant_id) as db:
        await db.execute(delete(StationFilePart).where(StationFilePart.file_id == file_id))


async def rename(db: AsyncSession, file_id: UUID, name: str) -> None:
    """To what the station calls it; it is never a name in anybody's file system."""
    await db.execute(update(StationFile).where(StationFile.id == file_id).values(name=name))


async def body_of(request: web.Request) -> AsyncIterator[bytes]:
    """What is sent, as it is or as the first file of a form."""
    if request.content_type.startswith("multipart/"):
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader):
                while data := await part.read_chunk(PART):
                    yield data
                return
        return
    async for data in request.content.iter_chunked(PART):
        yield data
