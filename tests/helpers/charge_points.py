"""Charge points made with the ``ocpp`` library: clients that this project did not write."""

import asyncio
import base64
import logging
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import aiohttp
import ocpp.messages
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v21 import ChargePoint as ChargePoint21
from ocpp.v21 import call as call21
from ocpp.v21 import call_result as result21
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201

from hub.ocpp.calls import SENT_BY_THE_HUB
from hub.ocpp.conversation.frames import OCPPVersion

logging.getLogger("ocpp").setLevel(logging.ERROR)
ocpp.messages.ASYNC_VALIDATION = False


PASSWORD = "a-long-password-1234"


def iso(minutes=0):
    """So many minutes from now, as stations write it."""
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def basic(identity, password):
    secret = password if isinstance(password, bytes) else password.encode()
    encoded = base64.b64encode(identity.encode() + b":" + secret).decode()
    return {"Authorization": f"Basic {encoded}"}


# A reply that never comes.
SILENCE = object()


class Gone(Exception):
    """The CSMS closed the connection."""


class Socket:
    """An aiohttp WebSocket as the library wants one."""

    def __init__(self, socket):
        self.socket = socket

    async def recv(self):
        message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise Gone(self.socket.close_code)
        return message.data

    async def send(self, text):
        await self.socket.send_str(text)


class Client:
    """What the clients of all versions share. ``asked`` collects what the CSMS wanted."""

    def __init__(self, *args):
        super().__init__(*args, response_timeout=30)
        self.asked = []
        self.replies = {}
        for action in SENT_BY_THE_HUB[self.version]:
            self.route_map[action] = {
                "_on_action": partial(self.asked_for, action),
                "_skip_schema_validation": False,
            }

    async def asked_for(self, action, **payload):
        """Note what the CSMS wants, and say yes unless the test says otherwise."""
        self.asked.append((action, payload))
        reply = self.reply(action, self.willing(action, payload))
        if reply is SILENCE:
            await asyncio.Event().wait()
        return reply

    def willing(self, action, payload):
        """The answer of a station that does as it is asked."""
        result = getattr(self.results, action)
        if action == "SetVariables":
            return result([variable_set(item) for item in payload["set_variable_data"]])
        silent = {"CostUpdated"}
        if self.version is OCPPVersion.V16:
            silent |= {"GetDiagnostics", "UpdateFirmware"}
        return result(*([] if action in silent else WILLING.get(action, ["Accepted"])))

    @asynccontextmanager
    async def running(self):
        reading = asyncio.create_task(self.read())
        try:
            yield self
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def read(self):
        with suppress(Gone):
            await self.start()

    async def ask(self, request):
        """A CALL whose refusal is an exception."""
        return await self.call(request, suppress=False)

    def reply(self, action, default):
        given = self.replies.get(action, default)
        if isinstance(given, list):
            given = given.pop(0) if given else default
        if isinstance(given, Exception):
            raise given
        return given


# What else than "Accepted" means yes.
WILLING = {
    "GetConfiguration": [[], []],
    "UnlockConnector": ["Unlocked"],
    "GetLocalListVersion": [0],
    "GetTransactionStatus": [False],
}


def variable_set(item):
    return {
        "attributeStatus": "Accepted",
        "component": item["component"],
        "variable": item["variable"],
    }


class Client16(Client, ChargePoint16):
    version = OCPPVersion.V16
    messages = call16
    results = result16

    async def boot(self):
        return await self.ask(
            call16.BootNotification(charge_point_model="M1", charge_point_vendor="V1")
        )

    async def status(self, connector, status, timestamp=None, error="NoError"):
        return await self.ask(call16.StatusNotification(connector, error, status, timestamp))


class Client2x(Client):
    messages = call201
    results = result201

    async def boot(self):
        return await self.ask(
            self.messages.BootNotification(
                charging_station={"vendorName": "V1", "model": "M1"}, reason="PowerUp"
            )
        )

    async def status(self, evse, status, timestamp, connector=1):
        return await self.ask(
            self.messages.StatusNotification(
                timestamp=timestamp,
                connector_status=status,
                evse_id=evse,
                connector_id=connector,
            )
        )

    async def event(self, kind, transaction_id, sequence, timestamp, **more):
        """One TransactionEvent; ``info`` goes into transactionInfo."""
        info = {"transactionId": transaction_id, **more.pop("info", {})}
        request = self.messages.TransactionEvent(
            event_type=kind,
            timestamp=timestamp,
            trigger_reason=more.pop("trigger", "Authorized"),
            seq_no=sequence,
            transaction_info=info,
            **more,
        )
        return await self.ask(request)


class Client201(Client2x, ChargePoint201):
    version = OCPPVersion.V201


class Client21(Client2x, ChargePoint21):
    version = OCPPVersion.V21
    messages = call21
    results = result21


CLIENTS = {"1.6": Client16, "2.0.1": Client201, "2.1": Client21}
