"""Setting up an OCPP 2 station after a boot: its device model, and what CDRs need."""

from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from hub.ocpp.conversation.frames import Payload
from hub.ocpp.versions.device_model import (
    capabilities_told,
    component_name,
    connectors_told,
    settings_told,
    variable_name,
)
from hub.ocpp.versions.station import Answering, Learning, Station
from hub.roaming.stations import connectors, own_evses, station_settings
from hub.roaming.store.writes import Stored

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
TAKEN = frozenset({"Accepted", "RebootRequired"})
SECRET_VARIABLES = frozenset({"BasicAuthPassword"})


class Provisioning2x(Station):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.reported: list[dict[str, Any]] = []

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

    async def ask_status(self) -> None:
        """A status of each connector we know of: 2.x has none for all of them at once."""
        async with self.wire.database.transaction(self.ref.tenant_id) as db:
            connectors = (await own_evses.view(db, self.ref)).connectors
        for connector in connectors:
            evse = {"id": connector.evse_number, "connectorId": connector.connector_id}
            await self.ask(
                "TriggerMessage", {"requestedMessage": "StatusNotification", "evse": evse}
            )

    async def told_variables(self, question: Payload, answer: Payload) -> None:
        rows = [
            (
                component_name(item["component"]),
                variable_name(item["variable"]),
                item.get("attributeValue"),
                False,
            )
            for item in answer["getVariableResult"]
            if item["attributeStatus"] == "Accepted"
            and item.get("attributeType", "Actual") == "Actual"
        ]
        await self.keep_settings(rows)

    async def variables_set(self, question: Payload, answer: Payload) -> None:
        """What was asked for and taken; of what may not be read back nothing is kept."""
        taken = {
            (component_name(item["component"]), variable_name(item["variable"]))
            for item in answer["setVariableResult"]
            if item["attributeStatus"] in TAKEN and item.get("attributeType", "Actual") == "Actual"
        }
        rows = []
        for item in question["setVariableData"]:
            name = component_name(item["component"]), variable_name(item["variable"])
            if name in taken and name[1] not in SECRET_VARIABLES:
                rows.append((*name, item["attributeValue"], False))
        await self.keep_settings(rows)

    async def keep_settings(self, rows: list[tuple[str, str, str | None, bool]]) -> None:
        async def write(db: AsyncSession) -> list[Stored]:
            await station_settings.remember_settings(db, self.ref, rows)
            return []

        await self.within(write)

    answers: ClassVar[Mapping[str, Answering]] = {"NotifyReport": notify_report}
    learned: ClassVar[Mapping[str, Learning]] = {
        "GetVariables": told_variables,
        "SetVariables": variables_set,
    }
