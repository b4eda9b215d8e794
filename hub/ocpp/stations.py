"""What the hub may ask of a station, in the words of whatever version the station speaks.

Implements ``ports.Stations``. Results are OCPI's; ACCEPTED says only that the station
took the command: that charging began is said by the session.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import select

from hub.models.stations import ChargingStation
from hub.ocpp import timestamps
from hub.ocpp.call_rows import Answered
from hub.ocpp.conversation.frames import OCPPVersion, Payload
from hub.ocpp.identity import VERSIONS
from hub.ocpp.relay import Relay
from hub.ocpp.versions.profiles import composite, profile_2x, profile_16
from hub.ocpp.wire import Wire
from hub.roaming.merging import Document
from hub.roaming.ports import Outcome, StationRef
from hub.roaming.projection.evses import shown_status
from hub.roaming.stations import own_evses
from hub.roaming.stations import stations as rules

log = structlog.get_logger()

# Answers that say more than yes or no, by what OCPI calls them.
RESULTS: Mapping[str, Mapping[str, str]] = {
    "UnlockConnector": {
        "Unlocked": "ACCEPTED",
        "UnlockFailed": "FAILED",
        "NotSupported": "NOT_SUPPORTED",
    },
    "ReserveNow": {
        "Accepted": "ACCEPTED",
        "Occupied": "EVSE_OCCUPIED",
        "Faulted": "EVSE_INOPERATIVE",
        "Unavailable": "EVSE_INOPERATIVE",
    },
    "CancelReservation": {"Accepted": "ACCEPTED", "Rejected": "UNKNOWN_RESERVATION"},
    "ClearChargingProfile": {"Accepted": "ACCEPTED", "Unknown": "UNKNOWN"},
    # It has no cache, and nothing to forget: not the same as one that is away.
    "ClearCache": {"Accepted": "ACCEPTED", "Rejected": "FAILED"},
}
NOT_SUPPORTED = frozenset({"NotImplemented", "NotSupported"})
# Seconds. A partner that waits for an answer gives up soon.
PRIORITY_DEADLINE = 8.0
ID_TOKEN_TYPES = {"RFID": "ISO14443", "EMAID": "eMAID"}


class Stations:
    """One per process; ``relay`` finds the process that holds a station's socket."""

    def __init__(self, wire: Wire, relay: Relay) -> None:
        self.wire = wire
        self.relay = relay

    async def connected(self, station: StationRef) -> bool:
        if self.wire.registry.get(station.id) is not None:
            return True
        async with self.wire.database.transaction(station.tenant_id) as db:
            found = await db.scalar(
                select(ChargingStation.connected_to).where(ChargingStation.id == station.id)
            )
        return found is not None

    async def version(self, station: StationRef) -> OCPPVersion:
        """What it speaks now, or spoke when it was last connected; else what its record says."""
        conversation = self.wire.registry.get(station.id)
        if conversation is not None:
            return conversation.link.version
        async with self.wire.database.transaction(station.tenant_id) as db:
            found = await db.execute(
                select(ChargingStation.connected_version, ChargingStation.ocpp_version).where(
                    ChargingStation.id == station.id
                )
            )
        row = found.one()
        return OCPPVersion(row.connected_version or VERSIONS[row.ocpp_version])

    async def start_session(
        self,
        station: StationRef,
        *,
        id_tag: str,
        token: Document,
        remote_start_id: int,
        evse_number: int | None,
        group_id: str | None = None,
    ) -> Outcome:
        if (await self.version(station)).is_2x:
            payload: Payload = {
                "idToken": id_token(token, id_tag),
                "remoteStartId": remote_start_id,
            }
            if evse_number is not None:
                payload["evseId"] = evse_number
            if group_id:
                payload["groupIdToken"] = {"idToken": group_id[:36], "type": "Central"}
            answered = await self.relay.call(station, "RequestStartTransaction", payload)
        else:
            payload = {"idTag": id_tag}
            if evse_number is not None:
                payload["connectorId"] = evse_number
            answered = await self.relay.call(station, "RemoteStartTransaction", payload)
        outcome = outcome_of("RemoteStart", answered)
        said_no = answered.state == "ANSWERED" and not outcome.accepted
        if said_no and evse_number is not None:
            return await self.why_rejected(station, evse_number, outcome)
        return outcome

    async def why_rejected(
        self, station: StationRef, evse_number: int, outcome: Outcome
    ) -> Outcome:
        """The station only says no; what OCPI shows of the EVSE says why."""
        async with self.wire.database.transaction(station.tenant_id) as db:
            seen = await own_evses.view(db, station)
        for evse in seen.evses:
            if evse.evse_number == evse_number:
                status = shown_status(own_evses.evse_facts(seen, evse))
                if status == "CHARGING":
                    return Outcome("EVSE_OCCUPIED", outcome.message)
                if status in {"INOPERATIVE", "OUTOFORDER"}:
                    return Outcome("EVSE_INOPERATIVE", outcome.message)
        return outcome

    async def stop_session(self, station: StationRef, *, transaction_id: str) -> Outcome:
        if (await self.version(station)).is_2x:
            answered = await self.relay.call(
                station, "RequestStopTransaction", {"transactionId": transaction_id}
            )
        else:
            answered = await self.relay.call(
                station, "RemoteStopTransaction", {"transactionId": int(transaction_id)}
            )
        return outcome_of("RemoteStop", answered)

    async def reserve(
        self,
        station: StationRef,
        *,
        number: int,
        id_tag: str,
        token: Document,
        expires_at: datetime,
        evse_number: int | None,
        group_id: str | None = None,
    ) -> Outcome:
        if (await self.version(station)).is_2x:
            payload: Payload = {
                "id": number,
                "expiryDateTime": timestamps.write(expires_at),
                "idToken": id_token(token, id_tag),
            }
            if evse_number is not None:
                payload["evseId"] = evse_number
            if group_id:
                payload["groupIdToken"] = {"idToken": group_id[:36], "type": "Central"}
        else:
            payload = {
                "connectorId": evse_number or 0,
                "expiryDate": timestamps.write(expires_at),
                "idTag": id_tag,
                "reservationId": number,
            }
            if group_id and len(group_id) <= 20:  # noqa: PLR2004
                payload["parentIdTag"] = group_id
        return outcome_of("ReserveNow", await self.relay.call(station, "ReserveNow", payload))

    async def cancel_reservation(self, station: StationRef, *, number: int) -> Outcome:
        answered = await self.relay.call(station, "CancelReservation", {"reservationId": number})
        return outcome_of("CancelReservation", answered)

    async def unlock(self, station: StationRef, *, evse_number: int, connector_id: int) -> Outcome:
        if (await self.version(station)).is_2x:
            payload = {"evseId": evse_number, "connectorId": connector_id}
        else:
            payload = {"connectorId": evse_number}
        return outcome_of(
            "UnlockConnector", await self.relay.call(station, "UnlockConnector", payload)
        )

    async def set_charging_profile(
        self,
        station: StationRef,
        *,
        number: int,
        transaction_id: str,
        evse_number: int,
        profile: Document,
    ) -> Outcome:
        version = await self.version(station)
        if version.is_2x:
            payload: Payload = {
                "evseId": evse_number,
                "chargingProfile": profile_2x(profile, number, transaction_id),
            }
        else:
            payload = {
                "connectorId": evse_number,
                "csChargingProfiles": profile_16(profile, number, int(transaction_id)),
            }
        return outcome_of(
            "SetChargingProfile", await self.relay.call(station, "SetChargingProfile", payload)
        )

    async def clear_charging_profile(self, station: StationRef, *, number: int) -> Outcome:
        if (await self.version(station)).is_2x:
            payload: Payload = {"chargingProfileId": number}
        else:
            payload = {"id": number}
        return outcome_of(
            "ClearChargingProfile",
            await self.relay.call(station, "ClearChargingProfile", payload),
        )

    async def active_charging_profile(
        self, station: StationRef, *, evse_number: int, duration: int
    ) -> Outcome:
        if (await self.version(station)).is_2x:
            payload: Payload = {"evseId": evse_number, "duration": duration}
        else:
            payload = {"connectorId": evse_number, "duration": duration}
        answered = await self.relay.call(station, "GetCompositeSchedule", payload)
        outcome = outcome_of("GetCompositeSchedule", answered)
        if not outcome.accepted or answered.payload is None:
            return outcome
        schedule = composite(answered.payload)
        return Outcome("ACCEPTED", data=schedule) if schedule else Outcome("UNKNOWN")

    async def use_priority(
        self, station: StationRef, *, transaction_id: str, activate: bool
    ) -> Outcome:
        """Of 2.1. A station without a profile for it has nothing to take back, and nothing to give.

        The driver waits for the answer, so it must be there soon.
        """
        if await self.version(station) is not OCPPVersion.V21:
            return Outcome("NOT_SUPPORTED")
        answered = await self.relay.call(
            station,
            "UsePriorityCharging",
            {"transactionId": transaction_id, "activate": activate},
            timeout=PRIORITY_DEADLINE,
        )
        nothing = (answered.payload or {}).get("status") == "NoProfile"
        if nothing and not activate:
            return Outcome("ACCEPTED")
        return outcome_of("UsePriorityCharging", answered)

    async def clear_cache(self, station: StationRef) -> Outcome:
        return outcome_of("ClearCache", await self.relay.call(station, "ClearCache", {}))


def id_token(token: Document, id_tag: str) -> Payload:
    """RFID as it is, everything else under its alias: that is how it is recognised again."""
    kind = ID_TOKEN_TYPES.get(str(token.get("type")), "Central")
    known = kind != "Central" and len(str(token["uid"])) <= 36  # noqa: PLR2004
    return {"idToken": str(token["uid"]) if known else id_tag, "type": kind}


def outcome_of(action: str, answered: Answered) -> Outcome:
    match answered.state:
        case "REFUSED" if answered.error_code in NOT_SUPPORTED:
            return Outcome("NOT_SUPPORTED", answered.description)
        case "REFUSED" | "BROKEN":
            return Outcome("FAILED", answered.description)
        case "SILENT":
            return Outcome("TIMEOUT", "The station did not answer.")
        case "OFFLINE":
            return Outcome("REJECTED", "The station is not connected.")
    status = str((answered.payload or {}).get("status"))
    results = RESULTS.get(action, {"Accepted": "ACCEPTED"})
    return Outcome(results.get(status, "REJECTED"), status)


async def change_password(stations: Stations, station: StationRef, password: str) -> Outcome:
    """Rotate the password of a connected station; refused or silent, it keeps the old one.

    Silent means that nobody knows: then both stay good until one is used (A01).
    """
    wire = stations.wire
    async with wire.database.transaction(station.tenant_id) as db:
        await rules.password_offered(db, station, wire.keyring.digest(password))
    if (await stations.version(station)).is_2x:
        item: dict[str, Any] = {
            "attributeValue": password,
            "component": {"name": "SecurityCtrlr"},
            "variable": {"name": "BasicAuthPassword"},
        }
        answered = await stations.relay.call(station, "SetVariables", {"setVariableData": [item]})
        if answered.payload is not None:
            status = answered.payload["setVariableResult"][0]["attributeStatus"]
            answered = Answered(answered.state, {"status": status})
    else:
        setting = {"key": "AuthorizationKey", "value": password}
        answered = await stations.relay.call(station, "ChangeConfiguration", setting)
    outcome = outcome_of("ChangePassword", answered)
    if outcome.result not in {"ACCEPTED", "TIMEOUT"}:
        async with wire.database.transaction(station.tenant_id) as db:
            await rules.password_offered(db, station, None)
    return outcome
