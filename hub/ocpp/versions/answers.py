"""What the answers to our own CALLs say about a station, in every version alike."""

from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from hub.ocpp.conversation.frames import Payload
from hub.ocpp.versions.station import Learning, Station
from hub.roaming.stations import station_settings
from hub.roaming.store.writes import Stored


class Answers(Station):
    async def availability_changed(self, question: Payload, answer: Payload) -> None:
        """Operative or not, at once or when what is running has ended."""
        status = answer["status"]
        if status == "Rejected":
            return
        operative = (question.get("type") or question["operationalStatus"]) == "Operative"
        evse = question.get("connectorId") or (question.get("evse") or {}).get("id") or None

        async def write(db: AsyncSession) -> list[Stored]:
            await station_settings.availability_changed(
                db, self.ref, evse, operative=operative, scheduled=status == "Scheduled"
            )
            return []

        await self.within(write)

    async def told_certificates(self, question: Payload, answer: Payload) -> None:
        """The certificates a station holds, by the hashes that DeleteCertificate asks for."""
        found = answer.get("certificateHashData") or answer.get("certificateHashDataChain") or []
        await self.keep_diagnosis("certificates", found)

    async def update_begun(self, question: Payload, answer: Payload) -> None:
        await self.keep_diagnosis("firmware", begun(question, answer))

    async def log_begun(self, question: Payload, answer: Payload) -> None:
        told = begun(question, answer)
        if name := answer.get("filename") or answer.get("fileName"):
            told["file_name"] = name
        await self.keep_diagnosis("log", told)

    async def keep_diagnosis(self, name: str, told: Any) -> None:
        async def write(db: AsyncSession) -> list[Stored]:
            await station_settings.diagnosed(db, self.ref, {name: told})
            return []

        await self.within(write)

    learned: ClassVar[Mapping[str, Learning]] = {
        "ChangeAvailability": availability_changed,
        "GetInstalledCertificateIds": told_certificates,
        "UpdateFirmware": update_begun,
        "SignedUpdateFirmware": update_begun,
        "GetLog": log_begun,
        "GetDiagnostics": log_begun,
    }


def begun(question: Payload, answer: Payload) -> dict[str, Any]:
    """1.6 has no word for having taken an order: an empty answer is one."""
    told: dict[str, Any] = {"status": answer.get("status", "Accepted")}
    if question.get("requestId") is not None:
        told["request_id"] = question["requestId"]
    return told
