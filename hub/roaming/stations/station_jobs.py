"""Firmware updates and logs, as far as stations tell how they get on."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.operating import StationJob
from hub.models.values import FileKind
from hub.roaming.ports import StationRef

# The station has nothing more to say after one of these.
LAST_WORDS = frozenset(
    {
        "Installed", "DownloadFailed", "InstallationFailed", "InstallVerificationFailed",
        "InvalidSignature", "Uploaded", "UploadFailed", "UploadFailure", "BadMessage",
        "NotSupportedOperation", "PermissionDenied", "AcceptedCanceled",
    }
)  # fmt: skip


async def progressed(
    db: AsyncSession,
    ref: StationRef,
    kind: FileKind,
    status: str,
    *,
    at: datetime,
    request_id: int | None = None,
) -> None:
    """Write down how the latest job of a kind gets on; OCPP 1.6 does not say which one it means."""
    found = (
        select(StationJob)
        .where(StationJob.charging_station_id == ref.id, StationJob.kind == kind)
        .order_by(StationJob.created_at.desc())
        .limit(1)
    )
    if request_id is not None:
        found = found.where(StationJob.request_id == request_id)
    job = await db.scalar(found)
    if job is None or job.finished:
        return
    job.status, job.status_at = status[:40], at
    job.finished = status in LAST_WORDS
