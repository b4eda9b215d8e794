"""Setting up an OCPP 1.6 station after a boot, so that its CDRs are worth reading."""

from collections.abc import Mapping
from typing import Any, ClassVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from hub.ocpp.conversation.frames import Payload
from hub.ocpp.conversation.outgoing import UNANSWERED, Disconnected, NoAnswer
from hub.ocpp.versions.station import Learning, Station
from hub.roaming.stations import station_settings
from hub.roaming.store.writes import Stored

log = structlog.get_logger()

# What makes CDRs worth reading, most important first.
MEASURANDS = ("Energy.Active.Import.Register", "Power.Active.Import", "SoC", "Current.Import")
SETTINGS = (
    ("MeterValueSampleInterval", "60"),
    ("ClockAlignedDataInterval", "900"),
    ("HeartbeatInterval", "300"),
    ("WebSocketPingInterval", "60"),
    ("TransactionMessageAttempts", "5"),
    ("TransactionMessageRetryInterval", "30"),
    ("AuthorizeRemoteTxRequests", "false"),
    ("ConnectionTimeOut", "120"),
)
SAMPLED = ("MeterValuesSampledData", "StopTxnSampledData")
FEATURES = {
    "Reservation": "supports_reservation",
    "SmartCharging": "supports_smart_charging",
}
SECRET_KEYS = frozenset({"AuthorizationKey"})
TAKEN = frozenset({"Accepted", "RebootRequired"})


class Provisioning16(Station):
    async def provision(self) -> None:
        """One question at a time; a station that will not be set up is no worse than before."""
        answer = await self.ask("GetConfiguration", {}) or {}
        known = {item["key"]: item for item in answer.get("configurationKey") or []}
        for key in SAMPLED:
            await self.configure_sampling(key, known)
        for key, value in SETTINGS:
            item = known.get(key)
            if known and (item is None or item["readonly"] or item.get("value") == value):
                continue
            await self.configure(key, value)
        await self.ask_status()

    async def told_configuration(self, question: Payload, answer: Payload) -> None:
        known = {item["key"]: item for item in answer.get("configurationKey") or []}
        await self.within(lambda db: self.remember(db, known))

    async def setting_made(self, question: Payload, answer: Payload) -> None:
        """A setting the station has taken; of passwords nothing is kept."""
        key = question["key"]
        if answer["status"] not in TAKEN or key in SECRET_KEYS:
            return

        async def write(db: AsyncSession) -> list[Stored]:
            row = ("", key, question["value"], False)
            await station_settings.remember_settings(db, self.ref, [row])
            return []

        await self.within(write)

    async def remember(
        self, db: AsyncSession, known: Mapping[str, Mapping[str, Any]]
    ) -> list[Stored]:
        await station_settings.remember_settings(
            db,
            self.ref,
            (
                ("", key, None if key in SECRET_KEYS else item.get("value"), item["readonly"])
                for key, item in known.items()
            ),
        )
        if told := capabilities_told({key: item.get("value") or "" for key, item in known.items()}):
            await station_settings.remember_capabilities(db, self.ref, told)
        return []

    async def configure_sampling(self, key: str, known: Mapping[str, Mapping[str, Any]]) -> None:
        """As many measurands as the station will take, fewer at a time, the register at least."""
        item = known.get(key)
        if item is not None and (item["readonly"] or item.get("value") == ",".join(MEASURANDS)):
            return
        if known and item is None:
            return
        for count in range(len(MEASURANDS), 0, -1):
            if await self.configure(key, ",".join(MEASURANDS[:count])):
                return

    async def configure(self, key: str, value: str) -> bool:
        """Set one key; False when the station may take another value."""
        try:
            answer = await self.call("ChangeConfiguration", {"key": key, "value": value})
        except UNANSWERED as error:
            log.info("setting not made", station=self.identity, key=key, reason=str(error))
            return isinstance(error, Disconnected | NoAnswer)
        return answer["status"] in TAKEN

    async def ask_status(self) -> None:
        await self.ask("TriggerMessage", {"requestedMessage": "StatusNotification"})

    learned: ClassVar[Mapping[str, Learning]] = {
        "GetConfiguration": told_configuration,
        "ChangeConfiguration": setting_made,
    }


def capabilities_told(values: Mapping[str, str]) -> dict[str, Any]:
    """What the station can, by the keys that say so; members it says nothing of are left out."""
    told: dict[str, Any] = {}
    profiles = [name.strip() for name in values.get("SupportedFeatureProfiles", "").split(",")]
    if any(profiles):
        told["supported_feature_profiles"] = profiles
        told |= {name: feature in profiles for feature, name in FEATURES.items()}
    if values.get("NumberOfConnectors", "").isdigit():
        told["number_of_connectors"] = int(values["NumberOfConnectors"])
    return told
