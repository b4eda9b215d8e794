"""The last frames of a station, as an operator may see them.

They are in the memory of the process that holds the socket: a ring of all stations together. Asked
for from another process, they travel like a CALL, under a name that no message can have.
"""

from typing import Any
from uuid import UUID

from hub.ocpp.call_rows import Taken
from hub.ocpp.conversation.frames import Payload
from hub.ocpp.conversation.redaction import redact_frame
from hub.ocpp.conversation.registry import Registry

READ = "-frames"
MOST = 500


def frames(registry: Registry, station_id: UUID, *, after: float, limit: int) -> list[Payload]:
    """Those later than ``after`` (seconds since 1970), oldest first; the latest ``limit``."""
    found: list[Payload] = []
    for frame in reversed(registry.frames):
        if frame.at <= after or len(found) == limit:
            break
        if frame.station_id == station_id:
            found.append(
                {"at": frame.at, "direction": frame.direction, "frame": redact_frame(frame.text)}
            )
    return found[::-1]


def here(registry: Registry, asked: Taken) -> dict[str, Any]:
    """What another process asked for."""
    after, limit = float(asked.payload["after"]), min(int(asked.payload["limit"]), MOST)
    return {"frames": frames(registry, asked.station_id, after=after, limit=limit)}
