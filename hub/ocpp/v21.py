"""OCPP 2.1, told as its differences from 2.0.1.

Most of what is new is answered politely; nothing of it changes how a session is counted.
"""

from collections.abc import Mapping
from typing import ClassVar

from hub.ocpp.frames import Payload
from hub.ocpp.station import Answering
from hub.ocpp.v201 import Station201, refusal


class Station21(Station201):
    async def noted_only(self, payload: Payload) -> Payload:
        """Seen in the message log; no receipt, signal or swap is ours to give."""
        return {}

    answers: ClassVar[Mapping[str, Answering]] = {
        **Station201.answers,
        "NotifySettlement": noted_only,
        "NotifyPriorityCharging": noted_only,
        "NotifyDERAlarm": noted_only,
        "NotifyDERStartStop": noted_only,
        "ReportDERControl": noted_only,
        "PullDynamicScheduleUpdate": lambda self, payload: refusal("Rejected"),
        "OpenPeriodicEventStream": lambda self, payload: refusal("Rejected"),
        "ClosePeriodicEventStream": noted_only,
        "BatterySwap": noted_only,
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
