"""Registering with the platform, renewing the credentials, and leaving again."""

from secrets import token_urlsafe
from typing import Any

from hub.conformance import samples
from hub.conformance.callbacks import Call, Mode
from hub.conformance.caller import Exchange
from hub.conformance.checks import Checks, Fault, Faults, NotChecked, Weight
from hub.conformance.documents import complaints
from hub.conformance.subject import SENDER, UNAUTHORIZED, Subject

BEFORE = before = Checks()
REGISTERING = registering = Checks()
AFTER = after = Checks()
NOT_ALLOWED = 405
BAD_REQUEST = 400
CANNOT_USE, UNSUPPORTED = 3001, 3002


async def introduce(subject: Subject, method: str, **changes: Any) -> Exchange:
    """Send our credentials, with a new token for the platform to use."""
    token = token_urlsafe(32)
    subject.server.tokens.add(token)
    url = subject.server.versions_url
    document = samples.credentials(subject.party, subject.roles, token, url)
    body = samples.written(subject.number, "Credentials", document) | changes
    body = {name: value for name, value in body.items() if value is not ...}
    asked = await subject.module(method, "credentials", SENDER, body=body)
    accept(subject, asked)
    return asked


def accept(subject: Subject, asked: Exchange) -> None:
    """Wherever the platform gave us a new token, that is the one to use."""
    told = asked.data.get("token") if asked.answer.ok and isinstance(asked.data, dict) else None
    if isinstance(told, str):
        subject.token = told


def need_token_a(subject: Subject) -> None:
    if not subject.serves("credentials", SENDER):
        raise NotChecked("it has no endpoint for credentials")
    if subject.is_registered():
        raise NotChecked("the platform has registered us already")


@before("TRANSPORT-39", "Token A does not open functional modules: HTTP 401.", since="2.2.1")
async def token_a_opens_nothing(subject: Subject) -> Faults:
    need_token_a(subject)
    functional = [(m, side) for m, side in subject.endpoints if m != "credentials"]
    if not functional:
        raise NotChecked("it has no functional module")
    asked = await subject.module("GET", *functional[0])
    if asked.answer.http_status != UNAUTHORIZED:
        yield Fault(asked, "Open versions and credentials only, until somebody has registered.")


@before("CRED-17", "PUT and DELETE before registering are answered with HTTP 405.")
async def nothing_to_renew(subject: Subject) -> Faults:
    need_token_a(subject)
    for asked in (
        await introduce(subject, "PUT"),
        await subject.module("DELETE", "credentials", SENDER),
    ):
        if asked.answer.http_status != NOT_ALLOWED:
            yield Fault(asked, "Before a POST there is nothing to renew or to leave: HTTP 405.")


@before("TRANSPORT-80", "A body that is no JSON is answered with HTTP 400.")
async def no_json(subject: Subject) -> Faults:
    need_token_a(subject)
    asked = await subject.module("POST", "credentials", SENDER, body=b'{"token": ')
    if asked.answer.http_status != BAD_REQUEST:
        yield Fault(asked, "Answer HTTP 400 when the body cannot be parsed.")


@before("TRANSPORT-81", "Credentials without a token are refused with HTTP 200 and 2001.")
async def incomplete_credentials(subject: Subject) -> Faults:
    need_token_a(subject)
    asked = await introduce(subject, "POST", token=...)
    if asked.answer.http_status >= BAD_REQUEST or asked.answer.ok:
        yield Fault(asked, "Answer HTTP 200 with status_code 2001, and say what is missing.")


@before("CRED-14", "A platform that cannot read our versions answers 3001.", weight=Weight.SHOULD)
async def versions_fail(subject: Subject) -> Faults:
    need_token_a(subject)
    asked = await introduce_while(subject, "POST", Mode.FAILING)
    if asked.answer.status_code != CANNOT_USE:
        yield Fault(asked, "Register nobody whose versions you cannot read: status_code 3001.")


@before(
    "CRED-16", "A platform that misses the version in our list answers 3002.", weight=Weight.SHOULD
)
async def version_is_missing(subject: Subject) -> Faults:
    need_token_a(subject)
    asked = await introduce_while(subject, "POST", Mode.WITHOUT_THE_VERSION)
    if asked.answer.status_code != UNSUPPORTED:
        mend = "Look for the version whose credentials were posted: status_code 3002 without."
        yield Fault(asked, mend)


async def introduce_while(subject: Subject, method: str, mode: Mode) -> Exchange:
    mark = len(subject.server.calls)
    subject.server.mode = mode
    try:
        asked = await introduce(subject, method)
    finally:
        subject.server.mode = Mode.WELL
    if not subject.server.since(mark):
        raise NotChecked("the platform does not look at our versions")
    return asked


@registering("CRED-11", "POST credentials with token A registers us.")
async def register(subject: Subject) -> Faults:
    if not subject.serves("credentials", SENDER):
        raise NotChecked("it has no endpoint for credentials")
    if subject.is_registered():
        return
    asked = await introduce(subject, "POST")
    if not subject.is_registered():
        mend = "Answer with your credentials, in them the token that we shall use."
        if asked.answer.http_status == NOT_ALLOWED:
            mend = "If it was used before, hand out a new token A."
        yield Fault(asked, mend)
        return
    for fault in complaints(subject.number, "Credentials", asked.data):
        yield fault.at(asked)


@registering("CRED-12", "While it registers us, the platform reads our versions and details.")
async def looks_at_us(subject: Subject) -> Faults:
    subject.need_registration()
    if not read_everything(subject.server.calls):
        mend = "Before you answer, GET our versions and details with the token of the body."
        yield Fault(None, mend, seen(subject.server.calls))


def read_everything(calls: list[Call]) -> bool:
    """Versions and details; after versions that failed there is nothing more to read."""
    asked = [call for call in calls if call.method == "GET"]
    versions = [call for call in asked if call.path.endswith("/versions")]
    return bool(versions) and (len(asked) > len(versions) or all(one.failing for one in versions))


def seen(calls: list[Call]) -> str:
    return ", ".join(call.line for call in calls) or "no requests at all"


@registering("CRED-13", "The new token is another one than A and ours.")
async def token_is_new(subject: Subject) -> Faults:
    subject.need_registration()
    if subject.token in subject.server.tokens:
        yield Fault(None, "Draw a token of your own for us.", "our own token came back")


@registering("CRED-13", "Token A is no longer accepted.")
async def token_a_is_over(subject: Subject) -> Faults:
    subject.need_registration()
    asked = await subject.get(subject.versions_url, token=subject.token_a)
    if asked.answer.http_status != UNAUTHORIZED:
        yield Fault(asked, "Token A is for one registration: forget it when that is done.")


@registering("CRED-17", "POST when registered is answered with HTTP 405.")
async def cannot_register_twice(subject: Subject) -> Faults:
    subject.need_registration()
    asked = await introduce(subject, "POST")
    if asked.answer.http_status != NOT_ALLOWED:
        yield Fault(asked, "Answer HTTP 405: whoever is registered uses PUT.")


@after("CRED-19", "PUT credentials gives us a new token.")
async def renewal_gives_a_new_token(subject: Subject) -> Faults:
    subject.need_registration()
    old = subject.token
    asked = await introduce(subject, "PUT")
    if not asked.answer.ok:
        yield Fault(asked, "Let a registered platform renew its credentials.")
    elif subject.token == old:
        yield Fault(asked, "Draw a new token for every PUT.", "the same token again")


@after("CRED-19", "The new token of a PUT works.")
async def new_token_works(subject: Subject) -> Faults:
    subject.need_registration()
    asked = await subject.get(subject.versions_url)
    if asked.answer.http_status == UNAUTHORIZED:
        yield Fault(asked, "Accept the token that you answered with, from that moment on.")


@after("CRED-19", "With every PUT the platform reads our versions and details again.")
async def renewal_looks_at_us(subject: Subject) -> Faults:
    subject.need_registration()
    mark = len(subject.server.calls)
    asked = await introduce(subject, "PUT")
    if asked.answer.ok and not read_everything(subject.server.since(mark)):
        mend = "Read versions and endpoints with every PUT, also when the version is the same."
        yield Fault(asked, mend, seen(subject.server.since(mark)))


@after(
    "CRED-14 CRED-21",
    "A PUT that fails with 3001 leaves everything as it was.",
    weight=Weight.SHOULD,
)
async def failed_renewal_changes_nothing(subject: Subject) -> Faults:
    subject.need_registration()
    asked = await introduce_while(subject, "PUT", Mode.FAILING)
    if asked.answer.status_code != CANNOT_USE:
        yield Fault(asked, "Answer 3001 when our versions cannot be read.")
    again = await subject.get(subject.versions_url)
    if again.answer.http_status == UNAUTHORIZED:
        subject.token = subject.token_a
        yield Fault(again, "Keep the old tokens until the renewal has succeeded.")


@after("CRED-23", "DELETE credentials unregisters us; the token is no longer accepted.")
async def leave(subject: Subject) -> Faults:
    subject.need_registration()
    asked = await subject.module("DELETE", "credentials", SENDER)
    if not asked.answer.ok:
        yield Fault(asked, "Answer a registered platform's DELETE with 1000.")
        return
    again = await subject.get(subject.versions_url)
    if again.answer.http_status != UNAUTHORIZED:
        yield Fault(again, "Forget the token when somebody unregisters.")
