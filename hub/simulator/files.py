"""What a station fetches and brings when the CSMS asks for it: firmware, and its log."""

from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from hub.simulator.station import SimulatedStation

OK, REDIRECTED = 200, 300


async def fetch_firmware(station: "SimulatedStation", url: str, request_id: int | None) -> None:
    """As a station does it, word by word; what it fetched is only kept."""
    words = ["Downloading"]
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        station.firmware = await response.read() if response.status == OK else b""
    fetched = ["Downloaded", "Installing", "Installed"]
    words += fetched if station.firmware else ["DownloadFailed"]
    for word in words:
        await progress(station, "FirmwareStatusNotification", word, request_id)


async def bring_log(
    station: "SimulatedStation", url: str, request_id: int | None, *, old: bool
) -> None:
    """``old``: with the words that 1.6 has for diagnostics."""
    told = f"{station.now()} {station.identity}: {station.sessions} sessions\n".encode()
    async with aiohttp.ClientSession() as session, session.put(url, data=told) as response:
        done = response.status < REDIRECTED
    failed = "UploadFailed" if old else "UploadFailure"
    action = "DiagnosticsStatusNotification" if old else "LogStatusNotification"
    await progress(station, action, "Uploaded" if done else failed, request_id)


async def progress(
    station: "SimulatedStation", action: str, word: str, request_id: int | None
) -> None:
    numbered = request_id is not None and not (
        station.version == "1.6" and action == "FirmwareStatusNotification"
    )
    more = {"request_id": request_id} if numbered else {}
    await station.say(station.dialect.request(action, status=word, **more))
