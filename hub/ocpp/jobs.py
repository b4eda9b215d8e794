"""Firmware updates and logs in the words of either era."""

from dataclasses import dataclass
from datetime import datetime

from hub.ocpp import timestamps
from hub.ocpp.call_rows import Answered
from hub.ocpp.conversation.frames import OCPPVersion, Payload
from hub.ocpp.stations import Stations
from hub.roaming.ports import StationRef

LOG_TYPES = {"DIAGNOSTICS": "DiagnosticsLog", "SECURITY": "SecurityLog"}
# What a station answers that will do it.
TAKEN = frozenset({"Accepted", "AcceptedCanceled"})


@dataclass(frozen=True)
class Update:
    url: str
    request_id: int
    retrieve_at: datetime
    install_at: datetime | None = None
    retries: int | None = None
    # PEM, and base64: for a signed update.
    certificate: str | None = None
    signature: str | None = None


@dataclass(frozen=True)
class LogWanted:
    url: str
    request_id: int
    log_type: str = "DIAGNOSTICS"
    since: datetime | None = None
    until: datetime | None = None


async def update_firmware(stations: Stations, ref: StationRef, update: Update) -> str:
    """The station's word for it: Accepted, or why not."""
    version = await stations.version(ref)
    signed = update.certificate is not None
    retries = {} if update.retries is None else {"retries": update.retries}
    if version is OCPPVersion.V16 and not signed:
        payload: Payload = {
            "location": update.url,
            "retrieveDate": timestamps.write(update.retrieve_at),
            **retries,
        }
        return word(await stations.relay.call(ref, "UpdateFirmware", payload))
    firmware = {
        "location": update.url,
        "retrieveDateTime": timestamps.write(update.retrieve_at),
    }
    if update.install_at is not None:
        firmware["installDateTime"] = timestamps.write(update.install_at)
    if signed and update.certificate and update.signature:
        firmware |= {"signingCertificate": update.certificate, "signature": update.signature}
    payload = {"requestId": update.request_id, "firmware": firmware, **retries}
    action = "SignedUpdateFirmware" if version is OCPPVersion.V16 else "UpdateFirmware"
    return word(await stations.relay.call(ref, action, payload))


async def fetch_log(stations: Stations, ref: StationRef, wanted: LogWanted) -> tuple[str, str]:
    """The station's word for it, and the name of the file it will bring."""
    version = await stations.version(ref)
    if version is OCPPVersion.V16 and wanted.log_type == "DIAGNOSTICS":
        payload: Payload = {"location": wanted.url, **span(wanted, "startTime", "stopTime")}
        answered = await stations.relay.call(ref, "GetDiagnostics", payload)
        name = str((answered.payload or {}).get("fileName") or "")
        said = word(answered)
        # A station that has nothing to bring answers without a name.
        return ("Empty" if said == "Accepted" and not name else said), name
    about = {"remoteLocation": wanted.url, **span(wanted, "oldestTimestamp", "latestTimestamp")}
    payload = {
        "logType": LOG_TYPES[wanted.log_type],
        "requestId": wanted.request_id,
        "log": about,
    }
    answered = await stations.relay.call(ref, "GetLog", payload)
    return word(answered), str((answered.payload or {}).get("filename") or "")


def span(wanted: LogWanted, since: str, until: str) -> Payload:
    moments = {since: wanted.since, until: wanted.until}
    return {name: timestamps.write(at) for name, at in moments.items() if at is not None}


def word(answered: Answered) -> str:
    """1.6 has no word for having taken an order: an empty answer is one."""
    if answered.state == "ANSWERED":
        return str((answered.payload or {}).get("status", "Accepted"))
    return answered.error_code or answered.state
