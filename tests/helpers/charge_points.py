"""Charge points made with the ``ocpp`` library: clients that this project did not write."""

import asyncio
import base64
import logging
from contextlib import asynccontextmanager, suppress

import aiohttp
import ocpp.messages
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call as call16
from ocpp.v16 import call_result as result16
from ocpp.v21 import ChargePoint as ChargePoint21
from ocpp.v21 import call as call21
from ocpp.v21 import call_result as result21
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201

logging.getLogger("ocpp").setLevel(logging.ERROR)
ocpp.messages.ASYNC_VALIDATION = False


PASSWORD = "a-long-password-1234"


def basic(identity, password):
    secret = password if isinstance(password, bytes) else password.encode()
    encoded = base64.b64encode(identity.encode() + b":" + secret).decode()
    return {"Authorization": f"Basic {encoded}"}


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
        super().__init__(*args, response_timeout=10)
        self.asked = []
        self.replies = {}

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
        if isinstance(given, Exception):
            raise given
        return given


class Client16(Client, ChargePoint16):
    messages = call16

    async def boot(self):
        return await self.ask(
            call16.BootNotification(charge_point_model="M1", charge_point_vendor="V1")
        )

    async def status(self, connector, status, timestamp=None, error="NoError"):
        return await self.ask(call16.StatusNotification(connector, error, status, timestamp))

    @on("GetConfiguration")
    async def on_get_configuration(self, **payload):
        self.asked.append(("GetConfiguration", payload))
        return self.reply("GetConfiguration", result16.GetConfiguration([], []))

    @on("ChangeConfiguration")
    async def on_change_configuration(self, **payload):
        self.asked.append(("ChangeConfiguration", payload))
        return self.reply("ChangeConfiguration", result16.ChangeConfiguration("Accepted"))

    @on("TriggerMessage")
    async def on_trigger_message(self, **payload):
        self.asked.append(("TriggerMessage", payload))
        return self.reply("TriggerMessage", result16.TriggerMessage("Accepted"))

    @on("RemoteStartTransaction")
    async def on_remote_start(self, **payload):
        self.asked.append(("RemoteStartTransaction", payload))
        return self.reply("RemoteStartTransaction", result16.RemoteStartTransaction("Accepted"))

    @on("RemoteStopTransaction")
    async def on_remote_stop(self, **payload):
        self.asked.append(("RemoteStopTransaction", payload))
        return self.reply("RemoteStopTransaction", result16.RemoteStopTransaction("Accepted"))

    @on("ReserveNow")
    async def on_reserve_now(self, **payload):
        self.asked.append(("ReserveNow", payload))
        return self.reply("ReserveNow", result16.ReserveNow("Accepted"))

    @on("CancelReservation")
    async def on_cancel_reservation(self, **payload):
        self.asked.append(("CancelReservation", payload))
        return self.reply("CancelReservation", result16.CancelReservation("Accepted"))

    @on("UnlockConnector")
    async def on_unlock_connector(self, **payload):
        self.asked.append(("UnlockConnector", payload))
        return self.reply("UnlockConnector", result16.UnlockConnector("Unlocked"))

    @on("SetChargingProfile")
    async def on_set_charging_profile(self, **payload):
        self.asked.append(("SetChargingProfile", payload))
        return self.reply("SetChargingProfile", result16.SetChargingProfile("Accepted"))

    @on("ClearChargingProfile")
    async def on_clear_charging_profile(self, **payload):
        self.asked.append(("ClearChargingProfile", payload))
        return self.reply("ClearChargingProfile", result16.ClearChargingProfile("Accepted"))

    @on("CertificateSigned")
    async def on_certificate_signed(self, **payload):
        self.asked.append(("CertificateSigned", payload))
        return result16.CertificateSigned("Accepted")


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

    @on("GetBaseReport")
    async def on_get_base_report(self, **payload):
        self.asked.append(("GetBaseReport", payload))
        return self.results.GetBaseReport("Accepted")

    @on("SetVariables")
    async def on_set_variables(self, set_variable_data, **payload):
        self.asked.append(("SetVariables", set_variable_data))
        return self.results.SetVariables(
            [
                {
                    "attributeStatus": "Accepted",
                    "component": item["component"],
                    "variable": item["variable"],
                }
                for item in set_variable_data
            ]
        )

    @on("TriggerMessage")
    async def on_trigger_message(self, **payload):
        self.asked.append(("TriggerMessage", payload))
        return self.results.TriggerMessage("Accepted")

    @on("RequestStartTransaction")
    async def on_request_start(self, **payload):
        self.asked.append(("RequestStartTransaction", payload))
        return self.reply(
            "RequestStartTransaction", self.results.RequestStartTransaction("Accepted")
        )

    @on("RequestStopTransaction")
    async def on_request_stop(self, **payload):
        self.asked.append(("RequestStopTransaction", payload))
        return self.reply("RequestStopTransaction", self.results.RequestStopTransaction("Accepted"))

    @on("ReserveNow")
    async def on_reserve_now(self, **payload):
        self.asked.append(("ReserveNow", payload))
        return self.reply("ReserveNow", self.results.ReserveNow("Accepted"))

    @on("UnlockConnector")
    async def on_unlock_connector(self, **payload):
        self.asked.append(("UnlockConnector", payload))
        return self.reply("UnlockConnector", self.results.UnlockConnector("Unlocked"))

    @on("SetChargingProfile")
    async def on_set_charging_profile(self, **payload):
        self.asked.append(("SetChargingProfile", payload))
        return self.reply("SetChargingProfile", self.results.SetChargingProfile("Accepted"))


class Client201(Client2x, ChargePoint201):
    pass


class Client21(Client2x, ChargePoint21):
    messages = call21
    results = result21


CLIENTS = {"1.6": Client16, "2.0.1": Client201, "2.1": Client21}
