"""Pushing objects of ours to the Receiver interfaces."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from hub.conformance import samples
from hub.conformance.caller import Exchange
from hub.conformance.checks import Checks, Fault, Faults, NotChecked, Weight
from hub.conformance.rules.registration import BAD_REQUEST, need_registration
from hub.conformance.subject import RECEIVER, Subject
from hub.models.values import Party, Role
from hub.ocpi.versions.base import Document

CHECKS = check = Checks()
CREATED, OK, NOT_FOUND = 201, 200, 404
STRANGER = Party("XX", "XXX")


@dataclass(frozen=True)
class Kind:
    """``optional`` is a member that may be missing, ``changed`` what a PATCH changes in it."""

    name: str
    role: Role
    make: Callable[..., Document]
    optional: str
    changed: Any


KINDS = {
    "locations": Kind("Location", Role.CPO, samples.location, "name", "Changed"),
    "tariffs": Kind(
        "Tariff",
        Role.CPO,
        samples.tariff,
        "tariff_alt_text",
        [{"language": "en", "text": "Changed"}],
    ),
    "sessions": Kind("Session", Role.CPO, samples.session, "meter_id", "CHANGED"),
    "tokens": Kind("Token", Role.EMSP, samples.token, "visual_number", "CHANGED"),
}


@dataclass
class Pushed:
    """An object of ours on its way: ``body`` is what it is now."""

    module: str
    body: Document
    path: tuple[str, str, str]
    asked: Exchange | None = None

    @property
    def kind(self) -> Kind:
        return KINDS[self.module]

    @property
    def id(self) -> str:
        return self.path[2]


def pushable(subject: Subject, *modules: str) -> list[str]:
    """The modules whose objects we own and the platform receives."""
    need_registration(subject)
    found = [
        module
        for module in modules or KINDS
        if subject.serves(module, RECEIVER)
        and KINDS[module].role in subject.roles
        # Without interface roles it is the one or the other.
        and not (subject.is_old and module in subject.objects)
    ]
    if not found:
        raise NotChecked("it receives nothing that we could send in our roles")
    return found


def new(subject: Subject, module: str, *, party: Party | None = None) -> Pushed:
    """An object with an id that nobody has seen."""
    kind, owner = KINDS[module], party or subject.party
    name = f"{samples.PREFIX}-{uuid4().hex[:12]}"
    charged = [charged_token(subject)] if module == "sessions" else []
    document = kind.make(owner, name, *charged)
    body = samples.written(subject.number, kind.name, document, *charged)
    return Pushed(module, body, (owner.country_code, owner.party_id, name))


def charged_token(subject: Subject) -> Document:
    """A token for our sessions: one of the platform's own, so that they are of interest to it."""
    for token in subject.objects.get("tokens", []):
        if isinstance(token, dict) and "contract_id" in token:
            return token
        if isinstance(token, dict) and "auth_id" in token:
            known = {"uid": token["uid"], "contract_id": token["auth_id"]}
            return samples.token(subject.party, str(token["uid"])) | known
    theirs = next((party for party, role in subject.parties if role == Role.EMSP), None)
    owner = theirs if theirs and not subject.hub else subject.party
    return samples.token(owner, f"{samples.PREFIX}-TOKEN")


async def send(subject: Subject, pushed: Pushed, method: str, body: Any, *below: str) -> Exchange:
    return await subject.module(method, pushed.module, RECEIVER, *pushed.path, *below, body=body)


async def put(subject: Subject, pushed: Pushed, body: Document | None = None) -> Exchange:
    pushed.body = body or pushed.body
    pushed.asked = await send(subject, pushed, "PUT", pushed.body)
    return pushed.asked


async def kept(subject: Subject, *modules: str) -> AsyncIterator[Pushed]:
    """A new object of each kind, which the platform has accepted."""
    refused = []
    for module in pushable(subject, *modules):
        pushed = new(subject, module)
        if (await put(subject, pushed)).answer.ok:
            yield pushed
        else:
            refused.append(module)
    if refused:
        raise NotChecked(f"it refuses our {', '.join(refused)}")


async def read(subject: Subject, pushed: Pushed) -> Exchange:
    return await subject.module("GET", pushed.module, RECEIVER, *pushed.path)


def later(pushed: Pushed, **changes: Any) -> Document:
    """The object, changed since; ... leaves a member out."""
    changed = pushed.body | {"last_updated": samples.moment()} | changes
    return {name: value for name, value in changed.items() if value is not ...}


def patch(**changes: Any) -> Document:
    return {"last_updated": samples.moment()} | changes


def different(expected: Document, told: Any, *names: str) -> str:
    """What of an object was told otherwise; the receiver may know more."""
    if not isinstance(told, dict):
        return "no object"
    for name in names or expected:
        if name not in told:
            return f"{name} is missing"
        if told[name] != expected[name]:
            return f"{name}: {told[name]!r:.60} instead of {expected[name]!r:.60}"
    return ""


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


# What belongs to one module alone.


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
