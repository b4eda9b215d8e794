"""Requests that ask something of the platform: commands, authorization, profiles.

They name sessions and places that do not exist, so that nothing happens.
"""

from typing import Any

from hub.conformance import samples
from hub.conformance.caller import Exchange
from hub.conformance.checks import Checks, Fault, Faults, NotChecked, Weight
from hub.conformance.documents import complaints
from hub.conformance.rules.registration import BAD_REQUEST
from hub.conformance.rules.single import NOT_FOUND, NOWHERE
from hub.conformance.subject import RECEIVER, SENDER, Subject
from hub.models.values import Role
from hub.ocpi.versions.base import Document

CHECKS = check = Checks()
UNKNOWN_LOCATION, UNKNOWN_TOKEN = 2003, 2004


def need(subject: Subject, module: str, side: str) -> None:
    subject.need_registration()
    if not subject.serves(module, side) or (side == SENDER and module not in subject.objects):
        raise NotChecked(f"it does not offer {module}")


def result_of(asked: Exchange) -> str:
    return str(asked.data.get("result")) if isinstance(asked.data, dict) else ""


def need_commands(subject: Subject) -> None:
    need(subject, "commands", RECEIVER)
    if subject.is_old and Role.EMSP not in subject.roles:
        raise NotChecked("in 2.1.1 only an eMSP gives commands")


async def command(subject: Subject, name: str, **members: Any) -> Exchange:
    need_commands(subject)
    url = {"response_url": f"{subject.server.at('sender/commands')}/{name}/conformance"}
    return await subject.module("POST", "commands", RECEIVER, name, body=url | members)


def token(subject: Subject) -> Document:
    document = samples.token(subject.party, f"{samples.PREFIX}-TOKEN")
    return samples.written(subject.number, "Token", document)


@check("CMD-01", "A command is answered at once with a CommandResponse.")
async def commands_are_answered(subject: Subject) -> Faults:
    asked = await command(subject, "STOP_SESSION", session_id=NOWHERE)
    if not isinstance(asked.data, dict):
        yield Fault(asked, "Answer with `data` that says result and timeout.")
        return
    for fault in complaints(subject.number, "CommandResponse", asked.data):
        yield fault.at(asked, "CMD-01")
    if result_of(asked) == "ACCEPTED":
        mend = "Answer UNKNOWN_SESSION, or REJECTED."
        yield Fault(asked, mend, "ACCEPTED for a session that does not exist")


@check("CMD-05", "A command for an unknown location is not accepted.", weight=Weight.SHOULD)
async def unknown_locations(subject: Subject) -> Faults:
    asked = await command(subject, "START_SESSION", token=token(subject), location_id=NOWHERE)
    if result_of(asked) == "ACCEPTED" or (
        asked.answer.status_code != UNKNOWN_LOCATION and not asked.answer.ok
    ):
        mend = "Answer 2003, with a CommandResponse of REJECTED in `data`."
        yield Fault(asked, mend, f"{asked.told}, {result_of(asked)}")


@check("TRANSPORT-81", "A command without response_url is refused with HTTP 200 and 2001.")
async def commands_need_a_response_url(subject: Subject) -> Faults:
    need_commands(subject)
    body = {"session_id": NOWHERE}
    asked = await subject.module("POST", "commands", RECEIVER, "STOP_SESSION", body=body)
    if asked.answer.http_status >= BAD_REQUEST or asked.answer.ok:
        yield Fault(asked, "Answer HTTP 200 with 2001, and say what is missing.")


@check("TOK-20", "Authorizing an unknown token is answered with HTTP 404 and 2004.")
async def unknown_tokens(subject: Subject) -> Faults:
    need(subject, "tokens", SENDER)
    asked = await subject.module("POST", "tokens", SENDER, NOWHERE, "authorize")
    known = asked.answer.status_code == UNKNOWN_TOKEN or subject.is_old
    if asked.answer.http_status != NOT_FOUND or not known or asked.answer.ok:
        yield Fault(asked, "Answer HTTP 404 with an envelope of 2004 and no `data`.")


@check("TOK-12", "Authorizing a known token brings an AuthorizationInfo.")
async def known_tokens(subject: Subject) -> Faults:
    need(subject, "tokens", SENDER)
    tokens = [one for one in subject.objects["tokens"] if isinstance(one, dict) and one.get("uid")]
    if not tokens:
        raise NotChecked("it has no token")
    params = {"type": str(tokens[0].get("type", "RFID"))}
    asked = await subject.module(
        "POST", "tokens", SENDER, str(tokens[0]["uid"]), "authorize", params=params
    )
    if not isinstance(asked.data, dict):
        yield Fault(asked, "Answer with `allowed` and, from 2.2.1 on, the whole token.")
        return
    for fault in complaints(subject.number, "AuthorizationInfo", asked.data):
        yield fault.at(asked, "TOK-12")


@check(
    "SES-09",
    "Charging preferences for an unknown session are not accepted.",
    weight=Weight.SHOULD,
    since="2.2.1",
)
async def preferences_need_a_session(subject: Subject) -> Faults:
    need(subject, "sessions", SENDER)
    path = NOWHERE, "charging_preferences"
    body = {"profile_type": "CHEAP"}
    asked = await subject.module("PUT", "sessions", SENDER, *path, body=body)
    if asked.answer.ok:
        yield Fault(asked, "Answer HTTP 404: there is no such session.", f"{asked.data}")


@check("CHP-02", "Asking for the profile of a session is answered at once.", since="2.2.1")
async def profiles_are_answered(subject: Subject) -> Faults:
    need(subject, "chargingprofiles", RECEIVER)
    url = f"{subject.server.at('sender/chargingprofiles')}/conformance"
    params = {"duration": "900", "response_url": url}
    asked = await subject.module("GET", "chargingprofiles", RECEIVER, NOWHERE, params=params)
    if not isinstance(asked.data, dict):
        yield Fault(asked, "Answer with `data` that says result and timeout.")
        return
    for fault in complaints(subject.number, "ChargingProfileResponse", asked.data):
        yield fault.at(asked, "CHP-02")
    if result_of(asked) == "ACCEPTED":
        got = "ACCEPTED for a session that does not exist"
        yield Fault(asked, "Answer UNKNOWN_SESSION.", got)


@check("CHP-03", "Asking for a profile needs a response_url.", since="2.2.1")
async def profiles_need_a_response_url(subject: Subject) -> Faults:
    need(subject, "chargingprofiles", RECEIVER)
    params = {"duration": "900"}
    asked = await subject.module("GET", "chargingprofiles", RECEIVER, NOWHERE, params=params)
    if asked.answer.ok:
        yield Fault(asked, "Answer 2001: the profile is sent to the response_url.")
