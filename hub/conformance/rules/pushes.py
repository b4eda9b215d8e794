"""Pushing objects of ours to the Receiver interfaces: what is so in every module."""

from hub.conformance import samples
from hub.conformance.checks import Checks, Fault, Faults, Weight
from hub.conformance.pushing import (
    KINDS,
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
from hub.conformance.rules.registration import BAD_REQUEST
from hub.conformance.subject import RECEIVER, Subject
from hub.models.values import Party

CHECKS = check = Checks()
CREATED, OK, NOT_FOUND = 201, 200, 404
STRANGER = Party("XX", "XXX")


@check("MOD-01", "A valid object of ours is accepted with 1000.")
async def objects_are_accepted(subject: Subject) -> Faults:
    for module in pushable(subject):
        pushed = new(subject, module)
        asked = await put(subject, pushed)
        if not asked.answer.ok:
            yield Fault(asked, "Accept what is valid, and say in status_message what is not.")


@check("MOD-01", "What was pushed can be read where it was put.")
async def objects_can_be_read(subject: Subject) -> Faults:
    async for pushed in kept(subject):
        asked = await read(subject, pushed)
        if not asked.answer.ok:
            yield Fault(asked, "Serve GET on the Receiver interface, from what was pushed.")


@check("TRANSPORT-83", "What is new is answered with HTTP 201, else 200.", weight=Weight.SHOULD)
async def new_is_201(subject: Subject) -> Faults:
    async for pushed in kept(subject):
        first = pushed.asked
        again = await put(subject, pushed, later(pushed))
        for asked, wanted in ((first, CREATED), (again, OK)):
            if asked is not None and asked.answer.http_status != wanted:
                yield Fault(asked, f"Answer HTTP {wanted}.", f"{asked.told}, not HTTP {wanted}")


@check("TRANSPORT-08", "A PUT replaces the object: what it leaves out is gone.")
async def put_replaces(subject: Subject) -> Faults:
    async for pushed in kept(subject):
        member = pushed.kind.optional
        await put(subject, pushed, later(pushed, **{member: ...}))
        asked = await read(subject, pushed)
        if asked.answer.ok and isinstance(asked.data, dict) and asked.data.get(member) is not None:
            yield Fault(
                asked, "Replace the whole object, do not merge.", f"{member} is still there"
            )


@check("TRANSPORT-09", "A PATCH changes what it names and leaves the rest.")
async def patch_changes_only(subject: Subject) -> Faults:
    async for pushed in kept(subject, *patchable(subject)):
        member, value = pushed.kind.optional, pushed.kind.changed
        body = patch(**{member: value})
        sent = await send(subject, pushed, "PATCH", body)
        asked = await read(subject, pushed)
        if not sent.answer.ok:
            yield Fault(sent, "Accept the PATCH of an object that you have.")
        elif asked.answer.ok and (got := different(pushed.body | body, asked.data)):
            yield Fault(asked, "Change the members of the PATCH and keep the others.", got)


def patchable(subject: Subject) -> list[str]:
    """Tariffs are patched in 2.1.1 only (TAR-01)."""
    return [module for module in KINDS if module != "tariffs" or subject.is_old]


@check("TRANSPORT-11", "A PATCH without last_updated is refused with 2001.", since="2.2.1")
async def patch_says_when(subject: Subject) -> Faults:
    async for pushed in kept(subject, *patchable(subject)):
        body = {pushed.kind.optional: pushed.kind.changed}
        asked = await send(subject, pushed, "PATCH", body)
        if asked.answer.ok:
            yield Fault(
                asked, "Refuse it: without last_updated nobody knows which change is newer."
            )


@check("TRANSPORT-16", "Members that OCPI does not know are no reason to refuse.")
async def unknown_members_are_fine(subject: Subject) -> Faults:
    async for pushed in kept(subject):
        asked = await put(subject, pushed, later(pushed, conformance_note={"seen": [True]}))
        if not asked.answer.ok:
            yield Fault(asked, "Ignore members that you do not know.")


@check("TRANSPORT-81", "An object that is not valid is refused with HTTP 200 and 2001.")
async def invalid_objects_are_refused(subject: Subject) -> Faults:
    for module in pushable(subject):
        pushed = new(subject, module)
        asked = await put(subject, pushed, pushed.body | {"last_updated": "yesterday"})
        if asked.answer.http_status >= BAD_REQUEST or asked.answer.ok:
            yield Fault(asked, "Check every member; answer HTTP 200 with 2001, and name the field.")


@check("TRANSPORT-80", "An object that is no JSON is answered with HTTP 400.")
async def no_json(subject: Subject) -> Faults:
    for module in pushable(subject):
        asked = await send(subject, new(subject, module), "PUT", b'{"id": ')
        if asked.answer.http_status != BAD_REQUEST:
            yield Fault(asked, "Answer HTTP 400 when the body cannot be parsed.")


@check("MOD-03", "An object under another id than its own is refused.", weight=Weight.SHOULD)
async def ids_agree(subject: Subject) -> Faults:
    for module in pushable(subject):
        pushed = new(subject, module)
        name = "uid" if module == "tokens" else "id"
        asked = await put(subject, pushed, pushed.body | {name: f"{samples.PREFIX}-OTHER"})
        if asked.answer.ok:
            yield Fault(asked, "Compare the id in the URL with that in the body: 2001.")


@check("MOD-02", "An object of another owner than in the URL is refused.", since="2.2.1")
async def owners_agree(subject: Subject) -> Faults:
    for module in pushable(subject):
        pushed = new(subject, module)
        asked = await put(subject, pushed, pushed.body | samples.owner(STRANGER))
        if asked.answer.ok:
            yield Fault(asked, "Compare country_code and party_id of URL and body: 2001.")


@check(
    "TRANSPORT-41 TRANSPORT-63",
    "We cannot push objects of a party that is not ours.",
    weight=Weight.SHOULD,
)
async def strangers_are_refused(subject: Subject) -> Faults:
    for module in pushable(subject):
        asked = await put(subject, new(subject, module, party=STRANGER))
        if asked.answer.ok:
            mend = "Refuse owners that the caller's credentials do not name, else anybody can"
            yield Fault(asked, f"{mend} change everybody's objects: HTTP 403 or 404.")


@check("TRANSPORT-82", "What we never pushed is answered with HTTP 404.", weight=Weight.SHOULD)
async def unknown_objects(subject: Subject) -> Faults:
    for module in pushable(subject):
        asked = await read(subject, new(subject, module))
        if asked.answer.http_status != NOT_FOUND:
            yield Fault(asked, "Answer HTTP 404 when there is no such object.")


@check("TRANSPORT-13", "A PATCH creates nothing.", weight=Weight.SHOULD)
async def patch_creates_nothing(subject: Subject) -> Faults:
    for module in pushable(subject, *patchable(subject)):
        pushed = new(subject, module)
        body = patch(**{pushed.kind.optional: pushed.kind.changed})
        asked = await send(subject, pushed, "PATCH", body)
        if asked.answer.ok:
            yield Fault(asked, "Answer HTTP 404: the sender will PUT the whole object then.")


@check("TRANSPORT-90", "Ids are found in any case.", weight=Weight.SHOULD, since="2.2.1")
async def ids_have_no_case(subject: Subject) -> Faults:
    async for pushed in kept(subject):
        if not (await read(subject, pushed)).answer.ok:
            continue
        path = [part.lower() for part in pushed.path]
        asked = await subject.module("GET", pushed.module, RECEIVER, *path)
        if not asked.answer.ok:
            yield Fault(asked, "Compare CiStrings without regard to case: country, party and id.")
