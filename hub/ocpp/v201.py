"""OCPP 2.0.1 stations: translate their messages, decide nothing."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit, codec
from hub.ocpp import certificates, samples, timestamps
from hub.ocpp.frames import CallRefused, Payload
from hub.ocpp.link import BrokenAnswer, Disconnected, NoAnswer
from hub.ocpp.station import Answering, Station, status_moment
from hub.roaming import (
    authorization,
    charging,
    connectors,
    own_evses,
    reservations,
    session_records,
    station_settings,
    stations,
    transactions,
)
from hub.roaming.authorization import Decision, Shown
from hub.roaming.connectors import Discovered, StatusReport
from hub.roaming.objects import Stored
from hub.roaming.readings import BEGIN, END, REGISTER, Reading
from hub.roaming.stations import Boot
from hub.roaming.transactions import Start, Stop

log = structlog.get_logger()

CONNECTOR_STATUS = {
    "Available": "AVAILABLE",
    "Occupied": "OCCUPIED",
    "Reserved": "RESERVED",
    "Unavailable": "UNAVAILABLE",
    "Faulted": "FAULTED",
}
ID_TOKEN_STATUS = {
    "ALLOWED": "Accepted",
    "BLOCKED": "Blocked",
    "EXPIRED": "Expired",
    "NO_CREDIT": "NoCredit",
    "UNKNOWN": "Unknown",
}
# Connector types of the device model that have another name in OCPI.
CONNECTOR_TYPES = {
    "cCCS1": "IEC_62196_T1_COMBO",
    "cCCS2": "IEC_62196_T2_COMBO",
    "cG105": "CHADEMO",
    "cTesla": "TESLA_S",
    "cType1": "IEC_62196_T1",
    "cType2": "IEC_62196_T2",
    "sType2": "IEC_62196_T2",
    "sType3": "IEC_62196_T3C",
    "s309-1P-16A": "IEC_60309_2_single_16",
    "s309-3P-16A": "IEC_60309_2_three_16",
    "s309-3P-32A": "IEC_60309_2_three_32",
    "sCEE-7-7": "DOMESTIC_F",
    "sBS1361": "DOMESTIC_G",
}
ASKING = (CallRefused, NoAnswer, BrokenAnswer, Disconnected)

MEASURANDS = "Energy.Active.Import.Register,Power.Active.Import,SoC,Current.Import"
# Component, variable, value: what makes CDRs worth reading.
SETTINGS = (
    ("SampledDataCtrlr", "TxStartedMeasurands", "Energy.Active.Import.Register"),
    ("SampledDataCtrlr", "TxUpdatedMeasurands", MEASURANDS),
    ("SampledDataCtrlr", "TxUpdatedInterval", "60"),
    ("SampledDataCtrlr", "TxEndedMeasurands", "Energy.Active.Import.Register"),
    ("SampledDataCtrlr", "TxEndedInterval", "0"),
    ("SampledDataCtrlr", "SignReadings", "true"),
    ("AlignedDataCtrlr", "Interval", "900"),
    ("OCPPCommCtrlr", "HeartbeatInterval", "300"),
    ("OCPPCommCtrlr", "WebSocketPingInterval", "60"),
    ("OCPPCommCtrlr", "PublicKeyWithSignedMeterValue", "OncePerTransaction"),
)
# Fewer than any station's ItemsPerMessage that was seen.
ITEMS_PER_MESSAGE = 4
REPORT_REQUEST_ID = 1
# Reports come in parts; nothing keeps a station from never sending the last one.
MOST_REPORTED = 20_000


class Station201(Station):
    unregistered: ClassVar[frozenset[str]] = frozenset({"BootNotification", "NotifyReport"})

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.reported: list[dict[str, Any]] = []

    async def boot(self, payload: Payload) -> Payload:
        now = datetime.now(UTC)
        about = payload["chargingStation"]
        boot = Boot(
            manufacturer=about["vendorName"],
            model=about["model"],
            serial_number=about.get("serialNumber"),
            firmware_version=about.get("firmwareVersion"),
            reason=payload["reason"],
        )

        async def write(db: AsyncSession) -> list[Stored]:
            self.registration = await stations.booted(db, self.ref, boot, at=now)
            await connectors.forget_status_times(db, self.ref)
            return []

        await self.within(write)
        self.booted_at = now
        if self.registration == "Accepted" and self.wire.provisioning:
            self.link.after_answer(lambda: self.run(self.provision()))
        return {
            "currentTime": timestamps.write(datetime.now(UTC)),
            "interval": self.wire.heartbeat_interval,
            "status": self.registration,
        }

    async def heartbeat(self, payload: Payload) -> Payload:
        return {"currentTime": timestamps.write(datetime.now(UTC))}

    async def status(self, payload: Payload) -> Payload:
        word = payload["connectorStatus"]
        await self.report_status(
            payload["evseId"],
            payload["connectorId"],
            word,
            timestamps.read(payload["timestamp"]),
        )
        return {}

    async def report_status(
        self, evse: int, connector: int, word: str, told: datetime | None
    ) -> None:
        report = StatusReport(
            evse_number=evse,
            connector_id=connector,
            status=CONNECTOR_STATUS[word],
            at=status_moment(told),
            word=word,
        )

        async def write(db: AsyncSession) -> list[Stored]:
            if await connectors.status_changed(db, self.ref, report) and word == "Available":
                await session_records.unplugged(db, self.ref, evse, report.at)
            return []

        await self.within(write)
        self.show_soon()

    async def notify_event(self, payload: Payload) -> Payload:
        """The other form a status comes in; whatever else is monitored is taken note of only."""
        for event in payload["eventData"]:
            component, variable = event["component"], event["variable"]
            if variable["name"] != "AvailabilityState":
                continue
            evse = component.get("evse") or {}
            word = event["actualValue"]
            if word in CONNECTOR_STATUS:
                told = timestamps.read(event["timestamp"])
                await self.report_status(evse.get("id", 0), evse.get("connectorId", 1), word, told)
        return {}

    async def authorize_token(self, payload: Payload) -> Payload:
        token = payload["idToken"]
        if token["type"] == "NoAuthorization":
            return {"idTokenInfo": {"status": "Accepted"}}
        decision = await self.authorize(Shown(token["idToken"], token["type"]))
        return {"idTokenInfo": id_token_info(decision)}

    async def transaction_event(self, payload: Payload) -> Payload:
        """Begin, middle or end of a transaction, in whatever order they arrive."""
        event = TransactionEvent(payload)
        moment = self.reckon(event.at)
        decision = None
        if event.id_token is not None or event.remote_start_id is not None:
            decision = await self.decide(event, late=event.offline or moment.late)

        async def write(db: AsyncSession) -> list[Stored]:
            return await self.take_event(db, event, decision)

        await self.within(write, patient=True)
        answer: Payload = {}
        if decision is not None and event.id_token is not None:
            answer["idTokenInfo"] = id_token_info(decision)
        return answer

    async def decide(self, event: "TransactionEvent", *, late: bool) -> Decision:
        """A remote start number tells the command exactly; else the token is looked up."""
        if event.remote_start_id is not None:
            async with self.wire.database.transaction(self.ref.tenant_id) as db:
                found = await authorization.by_remote_start(db, self.ref, event.remote_start_id)
            if found is not None:
                return found
        if event.id_token is None:
            return authorization.UNKNOWN
        if event.id_token["type"] == "NoAuthorization":
            return Decision("ALLOWED")
        shown = Shown(event.id_token["idToken"], event.id_token["type"])
        return await self.authorize(shown, offline=late or event.kind == "Ended")

    async def take_event(
        self, db: AsyncSession, event: "TransactionEvent", decision: Decision | None
    ) -> list[Stored]:
        moved: list[Stored] = []
        policy = self.wire.policy
        moment = self.reckon(event.at)
        if event.kind == "Started":
            begun = Start(
                moment=moment,
                evse_number=event.evse_number,
                connector_id=event.connector_id,
                id_tag=event.id_token["idToken"] if event.id_token else None,
                transaction_id=event.transaction_id,
                meter_start=event.register(BEGIN),
                reservation_number=event.reservation_number,
                remote_start_id=event.remote_start_id,
                charging_state=event.charging_state,
                offline=event.offline,
            )
            told = await charging.start(
                db, self.ref, begun, decision or authorization.UNKNOWN, policy
            )
            transaction, moved = told.transaction, told.moved
        else:
            transaction = await charging.stub(
                db,
                self.ref,
                event.transaction_id,
                moment.at,
                evse_number=event.evse_number,
                connector_id=event.connector_id,
            )
        if not await transactions.first_time(
            db,
            transaction,
            kind=event.kind.upper(),
            at=moment.at,
            key=event.key,
            raw=event.raw if event.worth_keeping else None,
        ):
            return moved
        if event.kind != "Started":
            moved += await charging.complete(
                db,
                self.ref,
                transaction,
                decision,
                place=(event.evse_number, event.connector_id),
                policy=policy,
            )
        if event.charging_state is not None and event.kind != "Started":
            moved += await charging.turn(
                db, self.ref, transaction, event.charging_state, moment.at, policy=policy
            )
        if event.kind == "Ended":
            ended = Stop(
                moment=moment,
                reason=event.stop_reason,
                meter_stop=event.register(END),
                readings=event.readings,
            )
            moved += await charging.stop(db, self.ref, transaction, ended, policy)
        elif event.readings:
            moved += await charging.meter(db, self.ref, transaction, event.readings, policy)
        return moved

    async def meter_values(self, payload: Payload) -> Payload:
        """Outside transactions only, by the specification: for monitoring, for nobody's bill."""
        return {}

    async def data_transfer(self, payload: Payload) -> Payload:
        return {"status": "UnknownVendorId"}

    async def noted(self, payload: Payload) -> Payload:
        """How an update or an upload is getting on."""

        async def write(db: AsyncSession) -> list[Stored]:
            await station_settings.diagnosed(db, self.ref, {"last_report": payload})
            return []

        await self.within(write)
        return {}

    async def acknowledged(self, payload: Payload) -> Payload:
        """Taken note of in the message log; nothing follows from it."""
        return {}

    async def security_event(self, payload: Payload) -> Payload:
        async def write(db: AsyncSession) -> list[Stored]:
            await audit.record(
                db,
                "SECURITY_EVENT",
                "charging_station",
                self.ref.id,
                description=f"{payload['type']}: {payload.get('techInfo') or ''}".rstrip(": "),
                severity="HIGH",
            )
            return []

        await self.within(write)
        return {}

    async def sign_certificate(self, payload: Payload) -> Payload:
        kind = payload.get("certificateType", "ChargingStationCertificate")
        if kind != "ChargingStationCertificate":
            return {"status": "Rejected"}
        try:
            request = certificates.read_request(payload["csr"], self.record)
        except certificates.BadRequest as error:
            log.warning("certificate request refused", station=self.identity, reason=str(error))
            return {"status": "Rejected"}
        self.link.after_answer(lambda: self.run(self.send_certificate(request)))
        return {"status": "Accepted"}

    async def send_certificate(self, request: certificates.Request) -> None:
        async with self.wire.database.transaction(self.ref.tenant_id) as db:
            chain = await certificates.issue(db, self.wire.keyring, self.ref, request)
        try:
            await self.link.call("CertificateSigned", {"certificateChain": chain})
        except ASKING as error:
            log.warning("certificate not delivered", station=self.identity, reason=str(error))

    async def refuse_contract(self, payload: Payload) -> Payload:
        """Plug & Charge certificates are not ours to give: said in words, not by a CALLERROR."""
        return {"status": "Failed", "exiResponse": ""}

    async def refuse_status(self, payload: Payload) -> Payload:
        return {"status": "Failed"}

    async def reservation_update(self, payload: Payload) -> Payload:
        async def write(db: AsyncSession) -> list[Stored]:
            return await reservations.ended(
                db,
                self.ref,
                payload["reservationId"],
                expired=payload["reservationUpdateStatus"] == "Expired",
            )

        await self.within(write)
        return {}

    async def notify_report(self, payload: Payload) -> Payload:
        """One part of the device model; with the last part it is worked on."""
        if len(self.reported) < MOST_REPORTED:
            self.reported += payload.get("reportData") or []
        if not payload.get("tbc"):
            reported, self.reported = self.reported, []
            await self.within(lambda db: self.learn(db, reported))
        return {}

    async def learn(self, db: AsyncSession, reported: list[dict[str, Any]]) -> list[Stored]:
        """Connectors, their types and powers; and every variable for the operator to look at."""
        await station_settings.remember_settings(db, self.ref, settings_told(reported))
        await connectors.discovered(db, self.ref, connectors_told(reported))
        told = capabilities_told(reported)
        if told:
            await station_settings.remember_capabilities(db, self.ref, told)
        return await own_evses.publish(db, self.ref)

    async def provision(self) -> None:
        """Ask for the device model, then have the station measure what CDRs need."""
        report = {"requestId": REPORT_REQUEST_ID, "reportBase": "FullInventory"}
        await self.ask("GetBaseReport", report)
        items = [
            {
                "attributeValue": value,
                "component": {"name": component},
                "variable": {"name": variable},
            }
            for component, variable, value in SETTINGS
        ]
        for start in range(0, len(items), ITEMS_PER_MESSAGE):
            few = items[start : start + ITEMS_PER_MESSAGE]
            await self.ask("SetVariables", {"setVariableData": few})
        await self.ask_status()

    async def ask(self, action: str, payload: Payload) -> Payload | None:
        """A question whose refusal changes nothing."""
        try:
            return await self.link.call(action, payload)
        except ASKING as error:
            log.info("not done by station", station=self.identity, action=action, reason=str(error))
            return None

    def begin(self) -> None:
        if self.registration == "Accepted" and self.wire.provisioning:
            self.run(self.ask_status_unless_booted())

    async def ask_status_unless_booted(self) -> None:
        await asyncio.sleep(self.wire.patience_for_boot)
        if self.booted_at is None:
            await self.ask_status()

    async def ask_status(self) -> None:
        """A status of each connector we know of: 2.x has none for all of them at once."""
        async with self.wire.database.transaction(self.ref.tenant_id) as db:
            connectors = (await own_evses.view(db, self.ref)).connectors
        for connector in connectors:
            evse = {"id": connector.evse_number, "connectorId": connector.connector_id}
            await self.ask(
                "TriggerMessage", {"requestedMessage": "StatusNotification", "evse": evse}
            )

    answers: ClassVar[Mapping[str, Answering]] = {
        "BootNotification": boot,
        "Heartbeat": heartbeat,
        "StatusNotification": status,
        "NotifyEvent": notify_event,
        "Authorize": authorize_token,
        "TransactionEvent": transaction_event,
        "MeterValues": meter_values,
        "DataTransfer": data_transfer,
        "NotifyReport": notify_report,
        "SecurityEventNotification": security_event,
        "SignCertificate": sign_certificate,
        "ReservationStatusUpdate": reservation_update,
        "FirmwareStatusNotification": noted,
        "PublishFirmwareStatusNotification": noted,
        "LogStatusNotification": noted,
        "NotifyMonitoringReport": acknowledged,
        "NotifyCustomerInformation": acknowledged,
        "NotifyDisplayMessages": acknowledged,
        "NotifyChargingLimit": acknowledged,
        "ClearedChargingLimit": acknowledged,
        "ReportChargingProfiles": acknowledged,
        "NotifyEVChargingNeeds": lambda self, payload: refusal("Rejected"),
        "NotifyEVChargingSchedule": lambda self, payload: refusal("Rejected"),
        "Get15118EVCertificate": refuse_contract,
        "GetCertificateStatus": refuse_status,
    }


async def refusal(status: str) -> Payload:
    return {"status": status}


class TransactionEvent:
    """One TransactionEvent, with the names that 2.0.1 and 2.1 give its parts."""

    def __init__(self, payload: Payload) -> None:
        about = payload["transactionInfo"]
        evse = payload.get("evse") or {}
        self.kind: str = payload["eventType"]
        self.at = timestamps.read(payload["timestamp"])
        self.transaction_id: str = about["transactionId"]
        self.offline = bool(payload.get("offline", False))
        self.id_token: dict[str, Any] | None = payload.get("idToken")
        self.remote_start_id: int | None = about.get("remoteStartId")
        self.charging_state: str | None = about.get("chargingState")
        self.stop_reason: str = about.get("stoppedReason", "Local")
        self.reservation_number: int | None = payload.get("reservationId")
        # Never guessed: an EVSE may have several connectors.
        self.evse_number: int | None = evse.get("id")
        self.connector_id: int | None = evse.get("connectorId")
        self.readings: tuple[Reading, ...] = samples.readings_2x(payload.get("meterValue") or [])
        self.raw = codec.write_text(payload)
        # seqNo alone is not unique in the field: a simulator sends nought every time.
        self.key = transactions.digest(
            self.transaction_id,
            payload["seqNo"],
            self.kind,
            payload["timestamp"],
            payload.get("triggerReason"),
            codec.write_text(payload.get("meterValue") or []),
        )

    @property
    def worth_keeping(self) -> bool:
        signed = any(s.signed for reading in self.readings for s in reading.samples)
        return self.kind != "Updated" or signed

    def register(self, context: str) -> Any:
        """The register at begin or end: by its context, else the first or the last reading."""
        found = [
            (sample.context, sample.value * (1000 if sample.unit == "kWh" else 1))
            for reading in sorted(self.readings, key=lambda reading: reading.at)
            for sample in reading.samples
            if sample.measurand == REGISTER
            and sample.value is not None
            and sample.phase is None
            and sample.location in (None, "Outlet", "EV")
        ]
        marked = [value for told, value in found if told == context]
        if marked:
            return marked[0] if context == BEGIN else marked[-1]
        others = [value for told, value in found if told not in {BEGIN, END}]
        if not others:
            return None
        return others[0] if context == BEGIN else others[-1]


def id_token_info(decision: Decision) -> Payload:
    status = ID_TOKEN_STATUS.get(decision.allowed)
    if status is None:
        status = "NotAtThisLocation" if decision.elsewhere else "Invalid"
    info: Payload = {"status": status}
    if decision.group_id:
        info["groupIdToken"] = {"idToken": decision.group_id[:36], "type": "Central"}
    if decision.expires_at is not None:
        info["cacheExpiryDateTime"] = timestamps.write(decision.expires_at)
    return info


def settings_told(
    reported: Iterable[Mapping[str, Any]],
) -> Iterable[tuple[str, str, str | None, bool]]:
    for item in reported:
        for attribute in item["variableAttribute"]:
            if attribute.get("type", "Actual") != "Actual":
                continue
            secret = attribute.get("mutability") == "WriteOnly"
            yield (
                component_name(item["component"]),
                variable_name(item["variable"]),
                None if secret else attribute.get("value"),
                attribute.get("mutability") == "ReadOnly",
            )


def component_name(component: Mapping[str, Any]) -> str:
    name: str = component["name"]
    if component.get("instance"):
        name += f"/{component['instance']}"
    if evse := component.get("evse"):
        name += f"@{evse['id']}"
        name += f".{evse['connectorId']}" if "connectorId" in evse else ""
    return name


def variable_name(variable: Mapping[str, Any]) -> str:
    instance = f"/{variable['instance']}" if variable.get("instance") else ""
    return f"{variable['name']}{instance}"


def connectors_told(reported: Iterable[Mapping[str, Any]]) -> list[Discovered]:
    """The device model's Connector components, with what their EVSE says of its power."""
    connectors: dict[tuple[int, int], dict[str, str]] = defaultdict(dict)
    evses: dict[int, dict[str, str]] = defaultdict(dict)
    for item in reported:
        evse = item["component"].get("evse") or {}
        values = [
            attribute["value"]
            for attribute in item["variableAttribute"]
            if attribute.get("type", "Actual") == "Actual" and attribute.get("value")
        ]
        name = item["variable"]["name"]
        if "id" not in evse:
            continue
        if item["component"]["name"] == "Connector" and "connectorId" in evse:
            connectors[evse["id"], evse["connectorId"]][name] = values[0] if values else ""
        elif item["component"]["name"] == "EVSE" and values:
            evses[evse["id"]][name] = values[0]
    return [
        Discovered(
            number,
            connector,
            CONNECTOR_TYPES.get(told.get("ConnectorType", "")),
            whole(evses[number].get("Power") or power_limit(reported, number)),
            whole(told.get("SupplyPhases") or evses[number].get("SupplyPhases")),
        )
        for (number, connector), told in sorted(connectors.items())
    ]


def power_limit(reported: Iterable[Mapping[str, Any]], evse: int) -> str | None:
    """Many stations say only the upper limit of the EVSE's power, not its power now."""
    for item in reported:
        about = item["component"]
        if about["name"] == "EVSE" and (about.get("evse") or {}).get("id") == evse:
            limit = (item.get("variableCharacteristics") or {}).get("maxLimit")
            if item["variable"]["name"] == "Power" and limit:
                return str(limit)
    return None


def whole(text: str | None) -> int | None:
    try:
        value = int(float(text or ""))
    except ValueError:
        return None
    return value if 0 < value < 10_000_000 else None  # noqa: PLR2004


def capabilities_told(reported: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for item in reported:
        name = item["component"]["name"], item["variable"]["name"]
        values = [attribute.get("value") for attribute in item["variableAttribute"]]
        if name == ("ReservationCtrlr", "Available"):
            told["supports_reservation"] = "true" in values
        elif name == ("SmartChargingCtrlr", "Available"):
            told["supports_smart_charging"] = "true" in values
    return told
