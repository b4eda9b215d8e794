"""Pushing objects of ours: what belongs to one module alone."""

from hub.conformance import samples
from hub.conformance.checks import Checks, Fault, Faults, Weight
from hub.conformance.pushing import (
    different,
    kept,
    later,
    new,
    patch,
    pushable,
    put,
    read,
    send,
)
from hub.conformance.subject import Subject

CHECKS = check = Checks()


NEVER_DELETED = {"locations": "LOC-02", "sessions": "SES-01", "tokens": "TOK-01"}


@check("LOC-02", "Locations, sessions and tokens cannot be deleted.")
async def nothing_is_deleted(subject: Subject) -> Faults:
    async for pushed in kept(subject, *NEVER_DELETED):
        sent = await send(subject, pushed, "DELETE", None)
        if sent.answer.ok:
            mend = "Offer no DELETE: EVSEs become REMOVED, tokens invalid, sessions COMPLETED."
            yield Fault(sent, mend, ids=(NEVER_DELETED[pushed.module],))


@check("TAR-01", "A tariff can be deleted.")
async def tariffs_are_deleted(subject: Subject) -> Faults:
    async for pushed in kept(subject, "tariffs"):
        sent = await send(subject, pushed, "DELETE", None)
        if not sent.answer.ok:
            yield Fault(sent, "Offer DELETE for tariffs.")
        elif (asked := await read(subject, pushed)).answer.ok:
            yield Fault(asked, "After a DELETE the tariff is gone: HTTP 404.")


@check("LOC-10", "A change of an EVSE raises last_updated of its location.")
async def stamps_rise(subject: Subject) -> Faults:
    async for pushed in kept(subject, "locations"):
        uid = pushed.body["evses"][0]["uid"]
        body = patch(status="INOPERATIVE")
        sent = await send(subject, pushed, "PATCH", body, uid)
        asked = await read(subject, pushed)
        if not sent.answer.ok:
            yield Fault(sent, "Accept the PATCH of an EVSE.")
        elif asked.answer.ok and (got := different(body, asked.data, "last_updated")):
            yield Fault(asked, "Give the location the last_updated of its EVSE.", got)


@check("LOC-13", "A PUT with a new uid adds an EVSE to a location.")
async def evses_are_added(subject: Subject) -> Faults:
    async for pushed in kept(subject, "locations"):
        uid = f"{samples.PREFIX}-E2"
        document = samples.evse(uid, last_updated=samples.moment())
        body = samples.written(subject.number, "EVSE", document)
        sent = await send(subject, pushed, "PUT", body, uid)
        asked = await read(subject, pushed)
        listed = asked.data.get("evses") if isinstance(asked.data, dict) else None
        uids = [one.get("uid") for one in listed or [] if isinstance(one, dict)]
        added = uid in uids and len(uids) == 2  # noqa: PLR2004 - it and the first
        if not sent.answer.ok or (asked.answer.ok and not added):
            yield Fault(sent, "Add it to the EVSEs of the location.", f"{sent.told}, then {uids}")


@check("LOC-14", "An EVSE of an unknown location is refused.", weight=Weight.SHOULD)
async def evses_need_a_location(subject: Subject) -> Faults:
    pushable(subject, "locations")
    pushed = new(subject, "locations")
    asked = await send(subject, pushed, "PUT", pushed.body["evses"][0], "CONFORMANCE-E1")
    if asked.answer.ok:
        yield Fault(asked, "Answer HTTP 404 with 2003: the sender will PUT the location then.")


@check("SES-14", "A PATCH appends charging periods.", since="2.2.1")
async def periods_are_appended(subject: Subject) -> Faults:
    async for pushed in kept(subject, "sessions"):
        sent = await send(subject, pushed, "PATCH", patch(charging_periods=[samples.period(30)]))
        asked = await read(subject, pushed)
        listed = asked.data.get("charging_periods") if isinstance(asked.data, dict) else None
        if not asked.answer.ok:
            continue
        if not sent.answer.ok or len(listed or []) != 2:  # noqa: PLR2004 - the first and the new one
            got = f"{sent.told}, then {len(listed or [])} periods"
            yield Fault(sent, "Keep the periods that are there and add the new ones.", got)


@check("SES-12", "A PUT without charging periods removes them.", since="2.2.1")
async def periods_are_replaced(subject: Subject) -> Faults:
    async for pushed in kept(subject, "sessions"):
        await put(subject, pushed, later(pushed, charging_periods=...))
        asked = await read(subject, pushed)
        if isinstance(asked.data, dict) and asked.data.get("charging_periods"):
            yield Fault(
                asked, "Replace the session with what the PUT holds.", "they are still there"
            )
