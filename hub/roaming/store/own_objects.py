"""Our own documents on their way through the one door."""

from collections.abc import Sequence
from dataclasses import replace

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.errors import HubError
from hub.roaming.merging import Document
from hub.roaming.store import objects
from hub.roaming.store.writes import Stored, Write

log = structlog.get_logger()


async def apply(db: AsyncSession, writes: Sequence[Write]) -> list[Stored]:
    """Through the one door. Our own documents are refused only by mistake: that is an error.

    They are told as ours, not as the hub's.
    """
    if not writes:
        return []
    done = []
    for result in await objects.apply(db, [replace(write, broadcast=False) for write in writes]):
        if isinstance(result, HubError):
            log.error("own object refused", reason=str(result))
        else:
            done.append(result)
    return done


def plain(document: Document) -> Document:
    """With plain JSON numbers: what is compared and kept."""
    read: Document = codec.read_stored(codec.write(document))
    return read
