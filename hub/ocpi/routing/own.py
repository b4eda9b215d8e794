"""The party of the hub's own stations: reached like any other, and served here (HUB-07).

Its objects are in the store, so requests for them go on to their endpoints. Commands and requests
for charging profiles are checked at once, which is the immediate answer, and carried out in the
background; the result goes back by the feed like anybody's.
"""

import asyncio

from aiohttp import web

from hub.errors import NotFound, Unavailable
from hub.keys import BACKGROUND, DATABASE, SENDER, STATIONS
from hub.models.values import InterfaceRole, Party, Role
from hub.ocpi.delivery.sender import Sender
from hub.ocpi.envelope import read_object, success
from hub.ocpi.operation import Operation
from hub.ocpi.request import ANSWERED_BY, AUDIENCE, OPERATION, PARTNER, VERSION
from hub.ocpi.routing import bodies, callbacks
from hub.ocpi.routing.parties import speaker
from hub.ocpi.routing.ways import NotSupported
from hub.ocpi.versions.base import Document
from hub.roaming.commands import commands, local, preferences
from hub.roaming.commands.orders import Errand, Order
from hub.roaming.cursors import RESULTS
from hub.roaming.modules import MODULES, SESSIONS
from hub.roaming.ports import Outcome

# Seconds in which a result is due: longer than a station may take, wherever its socket is.
DUE = 45
# Seconds between two tries to write a result down while the database is away.
PAUSE = 1.0

# What the results of charging profiles say of an outcome. There is no word for "no answer came":
# then none is told, for the station may well have taken the profile.
PROFILE_RESULTS = {"ACCEPTED": "ACCEPTED", "UNKNOWN": "UNKNOWN", "TIMEOUT": None}


def check_served(operation: Operation) -> None:
    """Our own party is a CPO, and no more than that."""
    if operation.calls_back is not None:
        return
    module = MODULES.get(operation.kept_as)
    sends = operation.interface is InterfaceRole.SENDER
    roles = None if module is None else module.owner_roles if sends else module.receiver_roles
    if roles is None or Role.CPO not in roles:
        raise NotSupported(
            f"The hub's own party does not support the {operation.interface} interface of"
            f" {operation.module}."
        )


async def answer(request: web.Request) -> web.Response:
    """What is for our own party and not in the store."""
    own = request[AUDIENCE].own
    assert own is not None
    request[ANSWERED_BY] = own
    if request[OPERATION].calls_back is not None:
        return await carry_out(request, own)
    if request[OPERATION].module != SESSIONS.name:
        raise NotSupported(f"{own} does not support this request of {request[OPERATION].module}.")
    return await prefer(request)


async def prefer(request: web.Request) -> web.Response:
    """Charging preferences; what the EVSE does not take is not found (SES-10)."""
    body = await read_object(request)
    errand = Errand(
        database=request.config_dict[DATABASE],
        stations=request.config_dict[STATIONS],
        tenant_id=request[PARTNER].tenant_id,
        caller=speaker(request),
        request=await bodies.read(request, request[OPERATION].body or "", body),
    )
    said = await preferences.prefer(errand, request.match_info["id"])
    if said is None:
        raise NotFound("No such session is running where preferences are taken.")
    return success(said)


async def carry_out(request: web.Request, own: Party) -> web.Response:
    """Check a command for our own stations, answer, and have it done."""
    operation, partner = request[OPERATION], request[PARTNER]
    question = await callbacks.read(request)
    begun = await callbacks.begin(request, question, own, None, request[VERSION])
    errand = Errand(
        database=request.config_dict[DATABASE],
        stations=request.config_dict[STATIONS],
        tenant_id=partner.tenant_id,
        caller=speaker(request),
        request=question.document,
        command_id=begun.id,
        trusted=bool(partner.configuration.get("unlocks_without_session")),
    )
    try:
        order = await local.carry_out(errand, begun.command)
        response = response_of(operation, order)
        async with errand.transaction() as db:
            await commands.answered(db, begun.id, response)
    except Exception as error:
        await callbacks.answered(request, begun, error, request[VERSION])
        raise
    if order.work is not None:
        request.config_dict[BACKGROUND].spawn(
            work(request.config_dict[SENDER], errand, operation, order)
        )
    assert operation.answer is not None
    return success(request[VERSION].downgrade(operation.answer, response))


def response_of(operation: Operation, order: Order) -> Document:
    response: Document = {"result": order.response, "timeout": DUE if order.work else 0}
    if order.message and operation.answer == "CommandResponse":
        response["message"] = in_words(order.message)
    return response


def in_words(text: str) -> list[Document]:
    return [{"language": "en", "text": text[:512]}]


async def work(sender: Sender, errand: Errand, operation: Operation, order: Order) -> None:
    """Do what was promised, and report it; a result is kept as soon as the database is there."""
    assert order.work is not None
    assert errand.command_id is not None
    result = result_of(operation, await order.work())
    if result is None:
        return
    while True:
        try:
            async with errand.transaction() as db:
                told = await commands.finish_own(db, errand.command_id, result)
            break
        except Unavailable:
            await asyncio.sleep(PAUSE)
    if told:
        sender.wake(errand.tenant_id, RESULTS)


def result_of(operation: Operation, outcome: Outcome) -> Document | None:
    """An outcome as the module tells results; None where it has no word for it."""
    assert operation.calls_back is not None
    kind = operation.calls_back.result
    if kind == "CommandResult":
        message = {"message": in_words(outcome.message)} if outcome.message else {}
        return {"result": outcome.result, **message}
    result = PROFILE_RESULTS.get(outcome.result, "REJECTED")
    if result is None:
        return None
    profile = kind == "ActiveChargingProfileResult" and outcome.data is not None
    return {"result": result} | ({"profile": outcome.data} if profile else {})
