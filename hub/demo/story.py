"""The story of the demo: two platforms register, one drives, the other pays.

Everything a platform sends is written down with what the hub said to it. In the end, what the other
platform holds is compared with what was sent, member by member.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.cli.failures import Failure
from hub.cli.output import lines, note, write_json
from hub.demo import objects
from hub.demo.hub_process import HubProcess
from hub.demo.platform import JSON, Answer, Platform
from hub.demo.stations import OwnStations
from hub.demo.trace import Trace, show_result, show_stations

# Requests a platform has in flight when it sends many objects.
AT_ONCE = 8
# Seconds without anything new arriving before the demo stops waiting.
STANDSTILL = 60.0
MODULES = ("tariffs", "locations", "tokens", "sessions", "cdrs")


@dataclass(frozen=True)
class Plan:
    once: bool
    locations: Path | None = None
    tariffs: Path | None = None
    data_dir: Path | None = None
    # How many charging stations of its own the hub has.
    stations: int = 0
    quiet: bool = False
    as_json: bool = False


@dataclass
class Sent:
    """An object as its owner holds it, and how the hub took it."""

    sender: Platform
    receiver: Platform
    module: str
    path: str
    body: JSON
    accepted: bool = False
    refusals: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Story:
    hub: HubProcess
    cpo: Platform
    emsp: Platform
    trace: Trace
    locations: list[JSON]
    tariffs: list[JSON]
    sent: dict[tuple[str, str], Sent] = field(default_factory=dict)
    own: OwnStations | None = None

    async def tell(self) -> None:
        await self.register()
        self.trace.chapter("The CPO publishes its tariffs and locations")
        await self.publish("tariffs", self.tariffs)
        await self.publish("locations", self.locations)
        await self.arrived()
        self.trace.chapter("The eMSP announces a driver's token")
        await self.put(self.emsp, self.cpo, "tokens", objects.token(), key="uid")
        await self.arrived()
        await self.charge()
        await self.arrived()
        if self.own is not None:
            await self.own.tell()

    async def register(self) -> None:
        operator = self.hub.operator()
        self.trace.chapter("The operator invites the CPO, and it registers")
        invited = await asyncio.to_thread(
            operator.post,
            "/partners/invite",
            {"name": self.cpo.name, "roles": roles(self.cpo)},
        )
        answer = await self.cpo.register(invited["versions_url"], invited["token"])
        if not answer.ok:
            raise Failure(f"The CPO could not register: {answer.message}")
        self.trace.chapter("The eMSP invites the hub, and the operator lets it join")
        token = "token-a-of-the-emsp"  # noqa: S105 - of a platform that lives for a minute
        self.emsp.tokens = {token}
        await asyncio.to_thread(
            operator.post,
            "/partners/join",
            {
                "name": self.emsp.name,
                "roles": roles(self.emsp),
                "versions_url": f"{self.emsp.url}/versions",
                "token": token,
            },
        )

    async def publish(self, module: str, bodies: list[JSON]) -> None:
        """Many objects, a few at a time."""
        waiting = list(reversed(bodies))

        async def work() -> None:
            while waiting:
                await self.put(self.cpo, self.emsp, module, waiting.pop())
                done = len(bodies) - len(waiting)
                if len(bodies) > 50:  # noqa: PLR2004 - fewer are sent before anybody wonders
                    self.trace.progress(f"{module}: {done} of {len(bodies)} sent")

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    async def charge(self) -> None:
        self.trace.chapter("A driver plugs in: authorize, session, status")
        place = next(one for one in self.locations if one.get("evses"))
        path = f"{objects.token()['uid']}/authorize?type=RFID"
        answer = await self.cpo.ask("tokens", path, speaker=party(place))
        if not answer.ok or answer.data["allowed"] != "ALLOWED":
            raise Failure(f"The eMSP's authorization did not come through: {answer.message}")
        started = objects.session(place, "ACTIVE", 0, minutes=0)
        await self.put(self.cpo, self.emsp, "sessions", started)
        await self.evse_status(place, "CHARGING")
        self.trace.chapter("The session goes on")
        changes = {"kwh": 2.1, "last_updated": objects.moment(-15)}
        await self.patch("sessions", (*owner(place), started["id"]), changes, started | changes)
        self.trace.chapter("The driver unplugs: session, status, CDR")
        done = objects.session(place, "COMPLETED", 4.2, minutes=25)
        await self.put(self.cpo, self.emsp, "sessions", done)
        await self.evse_status(place, "AVAILABLE")
        await self.post_cdr(objects.cdr(place))

    async def put(
        self, sender: Platform, receiver: Platform, module: str, body: JSON, *, key: str = "id"
    ) -> None:
        path = (*owner(body), str(body[key]))
        one = self.note(sender, receiver, module, "/".join(path), body)
        take(one, await sender.push("PUT", module, path, body))

    async def post_cdr(self, body: JSON) -> None:
        path = "/".join((*owner(body), body["id"]))
        one = self.note(self.cpo, self.emsp, "cdrs", path, body)
        take(one, await self.cpo.push("POST", "cdrs", (), body))

    async def evse_status(self, place: JSON, status: str) -> None:
        """Of the first EVSE; a location is never older than what is in it."""
        change = {"status": status, "last_updated": objects.moment()}
        evse = place["evses"][0]
        evse |= change
        place["last_updated"] = max(place["last_updated"], change["last_updated"])
        path = (*owner(place), place["id"], evse["uid"])
        await self.patch("locations", path, change, place)

    async def patch(self, module: str, path: tuple[str, ...], changes: JSON, whole: JSON) -> None:
        """Tell of some members; ``whole`` is the object with them."""
        one = self.note(self.cpo, self.emsp, module, "/".join(path[:3]), whole)
        take(one, await self.cpo.push("PATCH", module, path, changes))

    def note(
        self, sender: Platform, receiver: Platform, module: str, path: str, body: JSON
    ) -> Sent:
        sender.own[module, path] = body
        one = self.sent.get((module, path))
        if one is None:
            one = self.sent[module, path] = Sent(sender, receiver, module, path, body)
        one.body = body
        return one

    async def arrived(self) -> None:
        """Wait until everything that was accepted is where it belongs, as it was sent."""
        missing = len(self.missing())
        while missing:
            for receiver in (self.cpo, self.emsp):
                receiver.changed.clear()
            changed = [asyncio.create_task(one.changed.wait()) for one in (self.cpo, self.emsp)]
            done, waiting = await asyncio.wait(
                changed, timeout=STANDSTILL, return_when=asyncio.FIRST_COMPLETED
            )
            for task in waiting:
                task.cancel()
            missing = len(self.missing())
            if not done:
                return
            self.trace.progress(f"{missing} still on their way")

    def missing(self) -> list[Sent]:
        return [one for one in self.sent.values() if one.accepted and not is_intact(one)]

    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                "module": module,
                "sender": found[0].sender.name,
                "receiver": found[0].receiver.name,
                "sent": len(found),
                "accepted": sum(one.accepted for one in found),
                "arrived": sum((module, one.path) in one.receiver.kept for one in found),
                "intact": sum(is_intact(one) for one in found),
            }
            for module in MODULES
            if (found := [one for one in self.sent.values() if one.module == module])
        ]

    def refused(self) -> list[dict[str, str]]:
        return [
            {"module": one.module, "ref": one.path, **refusal}
            for one in self.sent.values()
            for refusal in one.refusals
        ]


def owner(body: JSON) -> tuple[str, str]:
    return str(body["country_code"]), str(body["party_id"])


def party(body: JSON) -> str:
    return "*".join(owner(body))


def roles(platform: Platform) -> list[dict[str, str]]:
    return [{"party": party, "role": platform.role} for party in platform.parties]


def take(one: Sent, answer: Answer) -> None:
    """Write down what the hub said; with parts left out, it still took the rest."""
    errors = answer.data.get("errors") if isinstance(answer.data, dict) else None
    one.accepted = answer.ok
    if not answer.ok:
        one.refusals += errors or [{"field": "", "rule": answer.message}]


def is_intact(one: Sent) -> bool:
    held = one.receiver.kept.get((one.module, one.path))
    return held is not None and comparable(held) == comparable(one.body)


def comparable(value: Any) -> Any:
    """Without what says nothing: absent members may come as null, and EVSEs in any order.

    A location may be as young as the youngest thing in it.
    """
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: comparable(item) for name, item in value.items() if item is not None}
    if "evses" in kept:
        kept["evses"] = sorted(kept["evses"], key=lambda evse: str(evse["uid"]))
        kept["last_updated"] = max(
            kept["last_updated"], *(evse["last_updated"] for evse in kept["evses"]), ""
        )
    return kept


async def play(plan: Plan) -> int:
    locations = read(plan.locations, "--locations") or objects.locations()
    tariffs = read(plan.tariffs, "--tariffs") or objects.tariffs()
    trace = Trace(quiet=plan.quiet or plan.as_json)
    async with contextlib.AsyncExitStack() as stack:
        data_dir = plan.data_dir or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="hub-demo-"))
        )
        note("Starting a hub with a database of its own …")
        hub = HubProcess(data_dir, on_event=lambda text: trace.say(f"  ! {text}"))
        stack.push_async_callback(hub.stop)
        await hub.start()
        own = [f"{objects.CPO['country_code']}*{objects.CPO['party_id']}"]
        parties = sorted({*own, *objects.parties(locations), *objects.parties(tariffs)})
        cpo = await stack.enter_async_context(running("CPO", "CPO", parties, trace))
        emsp = await stack.enter_async_context(running("eMSP", "EMSP", ["DE*DEM"], trace))
        story = Story(hub, cpo, emsp, trace, locations, tariffs)
        if plan.stations:
            story.own = OwnStations(hub, emsp, trace, plan.stations)
        await story.tell()
        finish(story, plan)
        if not plan.once:
            await stay(hub)
        return 0 if whole(story) else 1


def read(path: Path | None, option: str) -> list[JSON] | None:
    return objects.read(path, option) if path else None


@contextlib.asynccontextmanager
async def running(
    name: str, role: str, parties: list[str], trace: Trace
) -> AsyncIterator[Platform]:
    platform = Platform(name, role, parties, trace.hop)
    await platform.start()
    try:
        yield platform
    finally:
        await platform.stop()


def whole(story: Story) -> bool:
    intact = all(is_intact(one) and not one.refusals for one in story.sent.values())
    return intact and (story.own is None or story.own.whole())


def finish(story: Story, plan: Plan) -> None:
    repeated = sum(times - 1 for times in story.emsp.records.values())
    if plan.as_json:
        write_json(
            {
                "intact": whole(story),
                "modules": story.rows(),
                "refused": story.refused(),
                "requests": story.trace.hops,
                "repeated_records": repeated,
                "stations": story.own.rows() if story.own else [],
            }
        )
        return
    show_result(story.rows(), story.refused())
    if story.own is not None:
        show_stations(story.own.rows())
    verdict = "Everything that was sent arrived intact."
    if not whole(story):
        verdict = "Not everything arrived as it was sent: see above."
    lines("", f"{verdict} {story.trace.hops} requests.")


async def stay(hub: HubProcess) -> None:
    lines(
        "",
        "The hub goes on until Ctrl-C. Look around in another terminal:",
        "",
        f"  export HUB_URL={hub.url} HUB_API_KEY_FILE={hub.data_dir}/admin.key",
        "  hub partner list",
        "  hub feed status",
        "  hub object list locations",
        "  hub station list",
    )
    await asyncio.Event().wait()
