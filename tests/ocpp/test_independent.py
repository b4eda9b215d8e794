"""A charging station that this project did not write charges an eMSP's driver, in every version.

``ocpp-rpc``, in strict mode: it judges everything the hub asks and answers by the schemas, and says
so. It runs in a process of its own, where Node is; see ``tests/helpers/independent_station``.
"""

import asyncio
import json
import os
import shutil
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.charge_points import PASSWORD
from tests.helpers.commands import command
from tests.helpers.documents import token
from tests.helpers.partner import FakePartner

NODE = shutil.which("node")
LIBRARY = Path(f"{sys.prefix}-peer") / "node_modules"
PROGRAM = Path(__file__).parent.parent / "helpers" / "independent_station" / "station.cjs"
RECORDS = {"1.6": "OCPP_1_6", "2.0.1": "OCPP_2_0_1", "2.1": "OCPP_2_1"}
UID = "04AB12CD34EF80"

pytestmark = pytest.mark.skipif(
    NODE is None or not LIBRARY.exists(),
    reason="the independent station needs Node and is not installed: make peer",
)


def iso(minutes: float = 0) -> str:
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Refused(Exception):
    """The hub answered with a CALLERROR."""


@dataclass
class Independent:
    """The station's process, what it was asked, and what it found wrong."""

    process: asyncio.subprocess.Process
    asked: list[tuple[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    waiting: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    protocol: str = ""

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            match json.loads(line):
                case {"id": int(number), "result": result}:
                    self.waiting.pop(number).set_result(result)
                case {"id": int(number), "error": error}:
                    self.waiting.pop(number).set_exception(Refused(error))
                case {"asked": str(action), "params": params}:
                    self.asked.append((action, params))
                case {"connected": str(protocol)}:
                    self.protocol = protocol
                case {"closed": _}:
                    pass
                case other:
                    self.wrong.append(str(other))
            self.changed.set()

    def tell(self, order: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")

    def replies(self, **replies: Any) -> None:
        for action, params in replies.items():
            self.tell({"reply": action, "params": params})

    async def call(self, action: str, **params: Any) -> Any:
        number = len(self.waiting) + 1
        answer = self.waiting[number] = asyncio.get_running_loop().create_future()
        self.tell({"id": number, "call": action, "params": params})
        return await asyncio.wait_for(answer, 15)

    async def until(self, action: str) -> Any:
        """The payload of the first message of this kind that the hub sent."""
        async with asyncio.timeout(15):
            while action not in dict(self.asked):
                self.changed.clear()
                await self.changed.wait()
        return dict(self.asked)[action]


@asynccontextmanager
async def independent(url: str, identity: str, version: str):
    process = await asyncio.create_subprocess_exec(
        *(str(NODE), str(PROGRAM), url, identity, PASSWORD, f"ocpp{version}"),
        env=os.environ | {"NODE_PATH": str(LIBRARY)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    station = Independent(process)
    reading = asyncio.create_task(station.read())
    try:
        async with asyncio.timeout(20):
            while not station.protocol:
                assert not station.wrong, station.wrong
                station.changed.clear()
                await station.changed.wait()
        yield station
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading


class Words16:
    """What a station has to say, in OCPP 1.6. Energy in Wh."""

    start, stop = "RemoteStartTransaction", "RemoteStopTransaction"
    set_up = "ChangeConfiguration"

    def __init__(self, station: Independent) -> None:
        self.station, self.transaction = station, 0
        station.replies(
            GetConfiguration={"configurationKey": [], "unknownKey": []},
            ChangeConfiguration={"status": "Accepted"},
            TriggerMessage={"status": "Accepted"},
            UnlockConnector={"status": "Unlocked"},
            RemoteStartTransaction={"status": "Accepted"},
            RemoteStopTransaction={"status": "Accepted"},
        )

    async def boot(self) -> str:
        said = await self.station.call(
            "BootNotification", chargePointVendor="Others", chargePointModel="O1"
        )
        return said["status"]

    async def status(self, word: str) -> None:
        await self.station.call(
            "StatusNotification", connectorId=1, errorCode="NoError", status=word, timestamp=iso()
        )

    async def authorize(self, uid: str) -> str:
        return (await self.station.call("Authorize", idTag=uid))["idTagInfo"]["status"]

    async def begin(self, at: str, meter: int, *, uid: str = "", asked: Any = None) -> str:
        said = await self.station.call(
            "StartTransaction",
            connectorId=1,
            idTag=asked["idTag"] if asked else uid,
            meterStart=meter,
            timestamp=at,
        )
        self.transaction = said["transactionId"]
        return said["idTagInfo"]["status"]

    async def measure(self, at: str, meter: int) -> None:
        value = {"value": str(meter), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        await self.station.call(
            "MeterValues",
            connectorId=1,
            transactionId=self.transaction,
            meterValue=[{"timestamp": at, "sampledValue": [value]}],
        )

    async def end(self, at: str, meter: int) -> None:
        await self.station.call(
            "StopTransaction", transactionId=self.transaction, meterStop=meter, timestamp=at
        )

    def told_to_stop(self, asked: Any) -> bool:
        return asked == {"transactionId": self.transaction}


class Words2x:
    """The same in OCPP 2.0.1 and 2.1."""

    start, stop = "RequestStartTransaction", "RequestStopTransaction"
    set_up = "SetVariables"
    number = 0

    def __init__(self, station: Independent) -> None:
        self.station, self.transaction, self.sequence = station, "", 0
        station.replies(
            GetBaseReport={"status": "NotSupported"},
            SetVariables={"setVariableResult": [SET]},
            TriggerMessage={"status": "Accepted"},
            UnlockConnector={"status": "Unlocked"},
            RequestStartTransaction={"status": "Accepted"},
            RequestStopTransaction={"status": "Accepted"},
        )

    async def boot(self) -> str:
        about = {"vendorName": "Others", "model": "O1"}
        said = await self.station.call("BootNotification", reason="PowerUp", chargingStation=about)
        return said["status"]

    async def status(self, word: str) -> None:
        word = "Occupied" if word in {"Preparing", "Charging"} else word
        await self.station.call(
            "StatusNotification", timestamp=iso(), connectorStatus=word, evseId=1, connectorId=1
        )

    async def authorize(self, uid: str) -> str:
        said = await self.station.call("Authorize", idToken={"idToken": uid, "type": "ISO14443"})
        return said["idTokenInfo"]["status"]

    async def event(self, kind: str, at: str, meter: int, why: str, info: Any, **more: Any) -> Any:
        contexts = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}
        value = {"value": meter, "context": contexts.get(kind, "Sample.Periodic")}
        self.sequence += 1
        return await self.station.call(
            "TransactionEvent",
            eventType=kind,
            timestamp=at,
            triggerReason=why,
            seqNo=self.sequence - 1,
            transactionInfo={"transactionId": self.transaction, **info},
            meterValue=[{"timestamp": at, "sampledValue": [value]}],
            **more,
        )

    async def begin(self, at: str, meter: int, *, uid: str = "", asked: Any = None) -> str:
        Words2x.number += 1
        self.transaction, self.sequence = f"TX-{Words2x.number}", 0
        shown = asked["idToken"] if asked else {"idToken": uid, "type": "ISO14443"}
        info = {"remoteStartId": asked["remoteStartId"]} if asked else {}
        why = "RemoteStart" if asked else "Authorized"
        evse = {"id": 1, "connectorId": 1}
        said = await self.event("Started", at, meter, why, info, idToken=shown, evse=evse)
        return said["idTokenInfo"]["status"]

    async def measure(self, at: str, meter: int) -> None:
        info = {"chargingState": "Charging"}
        await self.event("Updated", at, meter, "MeterValuePeriodic", info)

    async def end(self, at: str, meter: int) -> None:
        info = {"stoppedReason": "EVDisconnected"}
        await self.event("Ended", at, meter, "EVDeparted", info)

    def told_to_stop(self, asked: Any) -> bool:
        return asked == {"transactionId": self.transaction}


SET = {
    "attributeStatus": "Accepted",
    "component": {"name": "SampledDataCtrlr"},
    "variable": {"name": "TxUpdatedInterval"},
}
WORDS = {"1.6": Words16, "2.0.1": Words2x, "2.1": Words2x}


def pushed(emsp: FakePartner, module: str) -> list[Any]:
    return [push.body for push in emsp.received if push.module == module]


@pytest.fixture
async def emsp(hub):
    async with FakePartner("DE*TWO EMSP") as partner:
        await hub.connect(partner)
        card = token(whitelist="NEVER")
        answer = await partner.put(f"tokens/DE/TWO/{UID}", card)
        assert answer.ok, answer.text
        partner.authorizations[UID] = {"allowed": "ALLOWED", "token": card}
        yield partner


@pytest.mark.parametrize("version", RECORDS)
async def test_a_station_that_is_not_ours_serves_card_and_app(hub, own, emsp, version):
    made = await own.add_station(RECORDS[version])
    url = f"{hub.url.replace('http', 'ws', 1)}/ocpp"
    async with independent(url, made.identity, version) as station:
        assert station.protocol == f"ocpp{version}"
        words = WORDS[version](station)
        assert await words.boot() == "Accepted"
        await station.until(words.set_up)
        await words.status("Available")
        await own.shown(made, 1, "AVAILABLE")

        # A driver shows a card, which its issuer vouches for in real time.
        assert await words.authorize(UID) == "Accepted"
        assert await words.begin(iso(-3), 1000, uid=UID) == "Accepted"
        await words.status("Charging")
        await own.shown(made, 1, "CHARGING")
        await words.measure(iso(-2), 1300)
        await words.end(iso(-1), 1600)
        await words.status("Available")
        await emsp.until(lambda emsp: pushed(emsp, "cdrs"))
        [by_card] = pushed(emsp, "cdrs")
        # Sessions have a stream of their own, which the CDRs do not wait for.
        await emsp.until(lambda emsp: pushed(emsp, "sessions")[-1]["status"] == "COMPLETED")

        # A driver uses an app: the eMSP starts, unlocks and stops.
        at = {"location_id": "LOC1", "evse_uid": made.evse_uids[1]}
        await command_of(emsp, "START_SESSION", **at)
        asked = await station.until(words.start)
        assert await words.begin(iso(-0.5), 1600, asked=asked) == "Accepted"
        await words.measure(iso(-0.25), 1680)
        await emsp.until(lambda emsp: pushed(emsp, "sessions")[-1]["status"] == "ACTIVE")
        session_id = pushed(emsp, "sessions")[-1]["id"]
        await command_of(emsp, "UNLOCK_CONNECTOR", **at, connector_id="1")
        await station.until("UnlockConnector")
        await command_of(emsp, "STOP_SESSION", session_id=session_id)
        assert words.told_to_stop(await station.until(words.stop))
        await words.end(iso(), 1721)
        await emsp.until(lambda emsp: len(pushed(emsp, "cdrs")) == 2)
        by_app = pushed(emsp, "cdrs")[-1]
        await emsp.until(lambda emsp: pushed(emsp, "sessions")[-1]["status"] == "COMPLETED")

    assert station.wrong == []
    assert [push.body["result"] for push in emsp.results] == ["ACCEPTED"] * 3
    assert (by_card["total_energy"], by_card["auth_method"]) == (0.6, "AUTH_REQUEST")
    assert by_card["total_cost"] == {"excl_vat": 0.15}
    assert (by_app["total_energy"], by_app["auth_method"]) == (0.121, "COMMAND")
    assert by_app["session_id"] == session_id
    assert pushed(emsp, "sessions")[-1]["id"] == session_id


async def command_of(emsp: FakePartner, name: str, **about: Any) -> None:
    """Send a command and wait for its result."""
    before = len(emsp.results)
    answer = await emsp.post(f"commands/{name}", command(name, emsp, **about))
    assert answer.data["result"] == "ACCEPTED", answer.text
    await emsp.until(lambda emsp: len(emsp.results) > before)


@pytest.mark.parametrize("version", RECORDS)
async def test_what_is_not_for_the_hub_is_refused_in_words_that_it_understands(hub, own, version):
    made = await own.add_station(RECORDS[version])
    url = f"{hub.url.replace('http', 'ws', 1)}/ocpp"
    async with independent(url, made.identity, version) as station:
        await WORDS[version](station).boot()
        foreign = await station.call("DataTransfer", vendorId="somebody")
        with pytest.raises(Refused, match="NotSupported"):
            await station.call("ClearCache")

    assert foreign["status"] == "UnknownVendorId"
    assert station.wrong == []
