"""OCPP 2.1, told as its differences from 2.0.1.

Most of what is new is answered politely; nothing of it changes how a session is counted.
"""

from collections.abc import Mapping
from typing import ClassVar

from hub.ocpp.conversation.frames import Payload
from hub.ocpp.versions.notices import report
from hub.ocpp.versions.station import Answering
from hub.ocpp.versions.v201 import Station201, refusal


class Station21(Station201):
    answers: ClassVar[Mapping[str, Answering]] = {
        **Station201.answers,
        "NotifySettlement": report("NotifySettlement"),
        "NotifyPriorityCharging": report("NotifyPriorityCharging"),
        "NotifyDERAlarm": report("NotifyDERAlarm"),
        "NotifyDERStartStop": report("NotifyDERStartStop"),
        "ReportDERControl": report("ReportDERControl"),
        "PullDynamicScheduleUpdate": lambda self, payload: refusal("Rejected"),
        "OpenPeriodicEventStream": lambda self, payload: refusal("Rejected"),
        "ClosePeriodicEventStream": report("ClosePeriodicEventStream"),
        "BatterySwap": report("BatterySwap"),
        "VatNumberValidation": lambda self, payload: not_validated(payload),
        "GetCertificateChainStatus": lambda self, payload: no_chain(payload),
    }


async def not_validated(payload: Payload) -> Payload:
    return {"vatNumber": payload["vatNumber"], "status": "Rejected"}


async def no_chain(payload: Payload) -> Payload:
    """We cannot say whether these certificates are good: unknown, each of them."""
    return {
        "certificateStatus": [
            {
                "certificateHashData": request["certificateHashData"],
                "source": request["source"],
                "status": "Unknown",
                "nextUpdate": "2100-01-01T00:00:00Z",
            }
            for request in payload["certificateStatusRequests"]
        ]
    }
