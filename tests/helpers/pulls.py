"""What tests of pulls look at, in the hub and at the partner."""

from typing import Any

from tests.helpers.hub import RunningHub
from tests.helpers.partner import FakePartner
from tests.helpers.wire import Push


def lists(partner: FakePartner, module: str | None = None) -> list[Push]:
    """The requests for lists that a partner got."""
    return [
        request
        for request in partner.requests
        if request.method == "GET"
        and request.interface == "SENDER"
        and request.path == (module or request.module)
    ]


async def state(hub: RunningHub, module: str) -> Any:
    [row] = await hub.sql("select * from sync_states where module = :module", module=module)
    return row


async def ids(hub: RunningHub, table: str) -> list[str]:
    kept = f"select object_id from {table} where deleted_at is null order by page_seq"
    return [row.object_id for row in await hub.sql(kept)]


async def due_again(hub: RunningHub, module: str, *, days: float = 1.0) -> None:
    """As if everything about the module had been so long ago."""
    await hub.sql(
        "update sync_states set full_at = full_at - make_interval(secs => :s),"
        " delta_at = delta_at - make_interval(secs => :s),"
        " covered_at = covered_at - make_interval(secs => :s) where module = :module",
        s=days * 86400,
        module=module,
    )
    await hub.sql(
        "update absences set first_missed_at = first_missed_at - make_interval(secs => :s),"
        " missed_at = missed_at - make_interval(secs => :s) where module = :module",
        s=days * 86400,
        module=module,
    )
