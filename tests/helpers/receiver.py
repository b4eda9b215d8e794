"""The Receiver half of an exemplary platform: what others push, post and command."""

from typing import Any

from aiohttp import web

from hub.conformance.subject import KNOWN
from hub.errors import InvalidRequest
from tests.helpers.replies import JSON, NOW, Reply, refuse

KINDS = {
    "locations": "Location",
    "tariffs": "Tariff",
    "sessions": "Session",
    "cdrs": "CDR",
    "tokens": "Token",
}
COMMANDS = {
    "START_SESSION": "StartSession",
    "STOP_SESSION": "StopSession",
    "RESERVE_NOW": "ReserveNow",
    "CANCEL_RESERVATION": "CancelReservation",
    "UNLOCK_CONNECTOR": "UnlockConnector",
}
LOCATION_PARTS = {4: ("evses", "uid", "EVSE"), 5: ("connectors", "id", "Connector")}


class Receiver:
    """``kept`` is what was pushed, by module, owner and id; ``posted`` CDRs by id."""

    def __init__(self, version: str, wrong: str) -> None:
        self.version, self.wrong = version, wrong
        self.kept: dict[tuple[str, ...], JSON] = {}
        self.posted: dict[str, JSON] = {}
        self.locations: set[str] = set()

    @property
    def old(self) -> bool:
        return self.version == "2.1.1"

    def receive(self, request: web.Request, module: str, path: list[str], body: Any) -> Reply:
        """Commands, profiles, CDRs; PUT, PATCH, GET and DELETE of what others own."""
        match module:
            case "commands":
                return self.command(path, body)
            case "chargingprofiles":
                told = request.query if request.method != "PUT" else body or {}
                timed = {"result": "UNKNOWN_SESSION", "timeout": 30}
                return Reply(timed) if "response_url" in told else refuse(2001)
            case "cdrs":
                return self.record(request, path, body)
        longest = 5 if module == "locations" else 3
        if module not in KINDS or not 3 <= len(path) <= longest:
            return refuse(2000, 404)
        if request.method not in self.methods(module):
            return refuse(2000, 405)
        if not self.old and self.wrong != "finds ids by their case":
            path = [*(part.upper() for part in path[:3]), *path[3:]]
        return self.owned(request.method, module, path, body)

    def methods(self, module: str) -> str:
        if module == "tariffs":
            return "GET PUT DELETE PATCH" if self.old else "GET PUT DELETE"
        return "GET PUT PATCH"

    def owned(self, method: str, module: str, path: list[str], body: Any) -> Reply:
        key = (module, *path[:3])
        missing = refuse(2003 if module == "locations" else 2001, 404)
        known = part_of(self.kept.get(key), path)
        if method in {"GET", "DELETE"} or (len(path) > 3 and key not in self.kept):
            if method == "DELETE" and known and self.wrong != "keeps deleted tariffs":
                del self.kept[key]
            return missing if known is None else Reply(known if method == "GET" else None)
        if refused := self.refusal(module, path, body, partial=method == "PATCH"):
            return refused
        if method == "PUT":
            self.put(key, path, self.put_over(known or {}, body))
            return Reply(http_status=201 if known is None else 200)
        if known is None and self.wrong != "creates on PATCH":
            return missing
        self.put(key, path, self.patched(module, known or {}, body))
        return Reply()

    def refusal(self, module: str, path: list[str], body: Any, *, partial: bool) -> Reply | None:
        kind = LOCATION_PARTS[len(path)][2] if len(path) > 3 else KINDS[module]
        if not self.valid(kind, body, partial=partial) or self.contradicts(path, body, kind):
            return refuse(2001)
        if path[0:2] != ["NL", "TST"] and self.wrong != "takes objects of anybody":
            return refuse(2001, 404)
        return None

    def put_over(self, known: JSON, body: JSON) -> JSON:
        periods = known.get("charging_periods")
        if self.wrong == "merges on PUT":
            return known | {"charging_periods": None} | body
        if self.wrong == "keeps periods on PUT" and periods:
            return {"charging_periods": periods} | body
        return body

    def patched(self, module: str, known: JSON, body: JSON) -> JSON:
        if self.wrong == "forgets the rest on PATCH" and module != "sessions":
            return {name: known[name] for name in ("evses", "last_updated") if name in known} | body
        before = known.get("charging_periods") or []
        changed = known | body
        if body.get("charging_periods") and self.wrong != "replaces periods on PATCH":
            changed["charging_periods"] = [*before, *body["charging_periods"]]
        return changed

    def put(self, key: tuple[str, ...], path: list[str], body: JSON) -> None:
        """A part lifts last_updated of everything it is in (LOC-10)."""
        if len(path) == 3:
            self.kept[key] = body
            return
        above = self.kept[key]
        stamp = body.get("last_updated", NOW)
        for depth, name in enumerate(path[3:], start=4):
            members, id_name, _ = LOCATION_PARTS[depth]
            if self.wrong != "does not lift locations":
                above["last_updated"] = max(above["last_updated"], stamp)
            parts = above.setdefault(members, [])
            index = next((i for i, one in enumerate(parts) if one[id_name] == name), len(parts))
            if depth == len(path):
                parts[index : index + 1] = [body]
            else:
                above = parts[index]

    def contradicts(self, path: list[str], body: JSON, kind: str) -> bool:
        """The URL names another object, or another owner, than the body."""
        named = {"uid" if kind in {"Token", "EVSE"} else "id": path[-1]}
        if self.wrong == "believes any id":
            named = {}
        if len(path) == 3 and self.wrong != "believes any owner":
            named |= {"country_code": path[0], "party_id": path[1]}
        return any(
            str(body.get(name, value)).upper() != value.upper() for name, value in named.items()
        )

    def command(self, path: list[str], body: Any) -> Reply:
        if not path or path[0] not in COMMANDS or not self.valid(COMMANDS[path[0]], body):
            return refuse(2001)
        timeout = {} if self.old else {"timeout": 30}
        if body.get("location_id", "L1-0") not in self.locations:
            return Reply({"result": "REJECTED"} | timeout, 2003)
        return Reply({"result": "UNKNOWN_SESSION"} | timeout)

    def record(self, request: web.Request, path: list[str], body: Any) -> Reply:
        """CDRs are posted, and read where the answer said."""
        if path and request.method == "GET":
            found = self.posted.get(path[0])
            return Reply(found) if found else refuse(2001, 404)
        if request.method != "POST" or path:
            return refuse(2000, 405)
        if not self.valid("CDR", body):
            return refuse(2001)
        if self.wrong == "refuses CDRs again" and body["id"] in self.posted:
            return refuse(2001)
        known = self.posted.setdefault(body["id"], body)
        if known != body and self.wrong != "overwrites CDRs":
            return refuse(2001)
        return Reply(http_status=201, headers={"Location": f"{request.url}/{body['id']}"})

    def valid(self, kind: str, body: Any, *, partial: bool = False) -> bool:
        if isinstance(body, dict):
            if partial and (self.old or self.wrong == "patches without a date"):
                body = {"last_updated": NOW} | body
            if not partial and self.wrong == "believes any date" and "last_updated" in body:
                body = body | {"last_updated": NOW}
            if self.wrong == "refuses what it does not know" and "conformance_note" in body:
                return False
        try:
            KNOWN[self.version].check(kind, body, partial=partial)
        except InvalidRequest:
            return False
        return True


def part_of(found: Any, path: list[str]) -> Any:
    for name, (members, key, _) in zip(path[3:], LOCATION_PARTS.values(), strict=False):
        found = next((one for one in (found or {}).get(members, []) if one[key] == name), None)
    return found
