"""Any message that the hub may send to a station, in OCPP's own words: what operators use.

    call_id = await calls.begin(stations, ref, "Reset", {"type": "Soft"})
    answered = await calls.outcome(stations, ref, call_id)

``begin`` checks the message before anything is kept of it, keeps it as a row in ``station_calls``
and returns at once; it is sent by whichever process holds the station's socket, and never twice.
``outcome`` waits until the station has answered, refused or been silent for too long.
"""

from collections.abc import Mapping
from uuid import UUID

from hub.ocpp.call_rows import Answered
from hub.ocpp.conversation import messages
from hub.ocpp.conversation.frames import CallRefused, ErrorCode, OCPPVersion, Payload
from hub.ocpp.conversation.outgoing import CALL_DEADLINE
from hub.ocpp.relay import Note
from hub.ocpp.stations import Stations
from hub.roaming.ports import StationRef

BOTH_ERAS = frozenset(
    {
        "CancelReservation", "CertificateSigned", "ChangeAvailability", "ClearCache",
        "ClearChargingProfile", "DataTransfer", "DeleteCertificate", "GetCompositeSchedule",
        "GetInstalledCertificateIds", "GetLocalListVersion", "GetLog", "InstallCertificate",
        "ReserveNow", "Reset", "SendLocalList", "SetChargingProfile", "TriggerMessage",
        "UnlockConnector", "UpdateFirmware",
    }
)  # fmt: skip
SINCE_2_0_1 = BOTH_ERAS | {
    "ClearDisplayMessage", "ClearVariableMonitoring", "CostUpdated", "CustomerInformation",
    "GetBaseReport", "GetChargingProfiles", "GetDisplayMessages", "GetMonitoringReport",
    "GetReport", "GetTransactionStatus", "GetVariables", "PublishFirmware",
    "RequestStartTransaction", "RequestStopTransaction", "SetDisplayMessage", "SetMonitoringBase",
    "SetMonitoringLevel", "SetNetworkProfile", "SetVariableMonitoring", "SetVariables",
    "UnpublishFirmware",
}  # fmt: skip
# The schemas do not say who sends what: OCPP's own documents do.
SENT_BY_THE_HUB: Mapping[OCPPVersion, frozenset[str]] = {
    OCPPVersion.V16: BOTH_ERAS | {
        "ChangeConfiguration", "ExtendedTriggerMessage", "GetConfiguration", "GetDiagnostics",
        "RemoteStartTransaction", "RemoteStopTransaction", "SignedUpdateFirmware",
    },
    OCPPVersion.V201: SINCE_2_0_1,
    OCPPVersion.V21: SINCE_2_0_1 | {
        "AFRRSignal", "AdjustPeriodicEventStream", "ChangeTransactionTariff", "ClearDERControl",
        "ClearTariffs", "GetDERControl", "GetPeriodicEventStream", "GetTariffs",
        "NotifyAllowedEnergyTransfer", "NotifyWebPaymentStarted", "RequestBatterySwap",
        "SetDERControl", "SetDefaultTariff", "UpdateDynamicSchedule", "UsePriorityCharging",
    },
}  # fmt: skip
LONGEST_WAIT = 300.0


def check(version: OCPPVersion, action: str, payload: Payload) -> None:
    """Raise ``CallRefused`` unless the hub may send this to a station of that version.

    NotImplemented: no such message to stations in this version; any other code: the payload breaks
    the schema, and the description says which field breaks which rule.
    """
    if action not in SENT_BY_THE_HUB[version]:
        raise CallRefused(
            ErrorCode.NOT_IMPLEMENTED,
            f"OCPP {version.value} has no message {action[:64]} from the hub to a station.",
        )
    messages.check(version, action, payload)


async def begin(
    stations: Stations,
    station: StationRef,
    action: str,
    payload: Payload,
    *,
    timeout: float = CALL_DEADLINE,  # noqa: ASYNC109
    note: Note | None = None,
) -> UUID:
    """Check and keep one CALL and have it sent; returns its id in ``station_calls``.

    ``timeout`` is how many seconds the station has to answer. A station that is not connected gets
    a row as well, which is OFFLINE from the beginning. ``note`` writes down who asked, in the same
    transaction. Raises ``CallRefused`` as ``check`` does.
    """
    check(await stations.version(station), action, payload)
    deadline = min(max(timeout, 1.0), LONGEST_WAIT)
    return await stations.relay.place(station, action, payload, timeout=deadline, note=note)


async def outcome(stations: Stations, station: StationRef, call_id: UUID) -> Answered:
    """What has become of it, once something has: at the latest when its time is up.

    Raises LookupError when the station has no such call.
    """
    return await stations.relay.wait(station, call_id)
