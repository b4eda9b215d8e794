"""What a platform serves: its versions, and the endpoints of the version to be used.

Asked in every handshake, whichever side began it. All of it is judged before it is believed: the
endpoints must be where the versions URL is or where the operator allowed it, so that nobody can
make the hub call somebody else's server (T-32), least of all itself (T-08).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from uuid import UUID

from hub import codec
from hub.errors import InvalidRequest, MissingEndpoints, UnsupportedVersion, UnusableClient
from hub.models.values import InterfaceRole, Role
from hub.ocpi.client import Answer, Client, Refused, Unreachable
from hub.ocpi.envelope import unwrapped
from hub.ocpi.handshake.trace import Trace
from hub.ocpi.outbound import origin
from hub.ocpi.versions import VERSIONS
from hub.ocpi.versions.base import Known, Version
from hub.roaming.network.partners import Connection, Endpoint
from hub.roaming.network.registration import Grant, only_role

# Where a platform may be called: said to partners instead of the details, which are the operator's.
CALLABLE = (
    "The hub calls only https URLs at public addresses, on the host of your versions URL or where "
    "its operator allowed it."
)
LONGEST_URL = 255
LONGEST_IDENTIFIER = 50


@dataclass(frozen=True)
class Found:
    """``form`` is how the platform was found to want the token written."""

    version: Version
    versions_url: str
    endpoints: tuple[Endpoint, ...]
    form: str

    @property
    def credentials_url(self) -> str:
        return next(e.url for e in self.endpoints if e.identifier.lower() == "credentials")


@dataclass
class Visit:
    """Calls one platform during one handshake and notes each step.

    ``attempts`` are tokens and forms to try, best first. Before the first contact nobody knows how
    a platform wants the token written, so versions and credentials may be asked again after a 401
    (TRANSPORT-35); what was refused once is not tried again. ``spoken`` is the version in which it
    is known how they want it.
    """

    client: Client
    trace: Trace
    partner_id: UUID
    origins: frozenset[str]
    attempts: list[tuple[str, str]] = field(repr=False)
    spoken: str | None = None

    @property
    def form(self) -> str:
        return self.attempts[0][1]

    def prefer(self, form: str) -> None:
        """Try this form of the token first, if it was not refused and is not out of question."""
        self.attempts.sort(key=lambda attempt: attempt[1] != form)

    async def get(self, step: str, url: str) -> Any:
        """The ``data`` of a successful answer; anything else is ``UnusableClient`` (3001)."""
        try:
            answer = await self.send(step, "GET", url)
        except Refused:
            raise UnusableClient(f"The hub does not call {url}. {CALLABLE}") from None
        except Unreachable as error:
            raise UnusableClient(f"GET {url} failed: {error.reason}.") from None
        if not answer.ok:
            raise UnusableClient(f"GET {url} failed: {answer.reason}.")
        return answer.data

    async def send(self, step: str, method: str, url: str, body: Any = None) -> Answer:
        while True:
            token, form = self.attempts[0]
            began = time.monotonic()
            try:
                answer = await self.client.ask(
                    method,
                    url,
                    token=token,
                    form=form,
                    origins=self.origins,
                    pool=str(self.partner_id),
                    body=None if body is None else codec.write(body),
                )
            except (Refused, Unreachable) as error:
                self.trace.note(step, error.reason, method=method, url=url, detail=body)
                raise
            self.trace.answered(step, method, url, answer, began=began, request=body)
            if answer.http_status != HTTPStatus.UNAUTHORIZED or len(self.attempts) == 1:
                return answer
            self.attempts.pop(0)
            self.trace.note(step, f"once more, with the token written as {self.form}")


def token_forms(partner: Connection, *, known: bool, form: str = "base64") -> list[str]:
    """The forms to try: the operator's word, else what was learned, else ``form`` and the other."""
    configured = partner.settings.token_form
    if configured in {"base64", "raw"}:
        return [configured]
    likely = partner.token_form_sent if known else form
    return [likely, "raw" if likely == "base64" else "base64"]


async def discover(
    visit: Visit,
    versions_url: str,
    *,
    version: str | None,
    required: frozenset[str],
    grants: frozenset[Grant],
) -> Found:
    """Read versions and details. ``version`` None: the newest both know (VER-08). ``grants`` are
    the roles of the platform, which tell what its endpoints are where its version does not.
    """
    offered = read_versions(await visit.get("versions", versions_url))
    chosen = choose(offered, version)
    url = offered[chosen.number]
    role = only_role(grants) if chosen.peer_to_peer else None
    if chosen.number != visit.spoken:
        visit.prefer(chosen.token_form)
    data = await visit.get(f"details of {chosen.number}", url)
    endpoints = read_endpoints(visit.trace, data, chosen, role)
    check_origins(visit, endpoints)
    check_required(endpoints, required)
    return Found(chosen, versions_url, endpoints, visit.form)


def read_versions(data: Any) -> dict[str, str]:
    """Version number to URL. One that is not in a list, or in an object around it, is taken too."""
    if isinstance(data, dict):
        data = data.get("versions", [data])
    entries = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    offered = {
        str(entry["version"]): entry["url"]
        for entry in entries
        if entry.get("version") and isinstance(entry.get("url"), str)
    }
    if not offered:
        raise UnusableClient("The versions endpoint did not answer with a list of versions.")
    return offered


def choose(offered: dict[str, str], wanted: str | None) -> Version:
    """The version asked for, or the newest one both sides know; unknown ones are ignored."""
    mutual = [number for number in VERSIONS if number in offered and wanted in {None, number}]
    if not mutual:
        listed = ", ".join(sorted(offered))
        known = wanted or ", ".join(VERSIONS)
        raise UnsupportedVersion(f"Your versions endpoint lists {listed}; needed is {known}.")
    return VERSIONS[max(mutual)]


def read_endpoints(
    trace: Trace, data: Any, version: Version, role: Role | None
) -> tuple[Endpoint, ...]:
    """The endpoints, also from details that are wrapped in a list; bad entries are left out."""
    entries = endpoint_entries(data, version, role)
    if entries is None:
        raise UnusableClient("The version details have no list of endpoints.")
    found: dict[tuple[str, InterfaceRole], Endpoint] = {}
    for entry in entries:
        endpoint = read_endpoint(entry)
        if endpoint is None:
            trace.note("endpoint left out", "not an endpoint as OCPI has it", detail=entry)
        else:
            found.setdefault((endpoint.identifier.lower(), endpoint.role), endpoint)
    return tuple(found.values())


def endpoint_entries(data: Any, version: Version, role: Role | None) -> list[Any] | None:
    """What version details list, whatever it is, with the interfaces that follow from the role."""
    data = unwrapped(data)
    if not isinstance(data, dict) or not isinstance(data.get("endpoints"), list):
        return None
    entries: list[Any] = version.upgrade("VersionDetails", data, known=Known(role=role))[
        "endpoints"
    ]
    return entries


def read_endpoint(entry: Any) -> Endpoint | None:
    if not isinstance(entry, dict):
        return None
    identifier, url = entry.get("identifier"), entry.get("url")
    role = str(entry.get("role", "SENDER")).upper()
    if not isinstance(identifier, str) or not isinstance(url, str):
        return None
    if identifier.lower() == "credentials":
        # Its role means nothing (VER-03).
        role = InterfaceRole.SENDER
    if role not in InterfaceRole.__members__:
        return None
    if not identifier or len(identifier) > LONGEST_IDENTIFIER or len(url) > LONGEST_URL:
        return None
    return Endpoint(identifier, InterfaceRole(role), url)


def check_origins(visit: Visit, endpoints: Sequence[Endpoint]) -> None:
    """Every endpoint must be on a host that the versions URL or the operator vouches for (T-32)."""
    for endpoint in endpoints:
        try:
            place = origin(endpoint.url)
        except Refused as error:
            raise UnusableClient(f"{endpoint.identifier}: {error.reason}.") from None
        if place not in visit.origins:
            visit.trace.note("origins", f"{place} needs the operator's approval", url=endpoint.url)
            raise UnusableClient(
                f"Your endpoint for {endpoint.identifier} is on {place}, not where your versions "
                "URL is. The operator of the hub can allow that origin."
            )


def check_required(endpoints: Sequence[Endpoint], required: frozenset[str]) -> None:
    """Credentials, and the modules without which the operator does not want the partner (3003)."""
    served = {endpoint.identifier.lower() for endpoint in endpoints}
    served |= {f"{endpoint.identifier.lower()}:{endpoint.role.lower()}" for endpoint in endpoints}
    missing = sorted(name for name in {"credentials", *required} if name.lower() not in served)
    if missing:
        raise MissingEndpoints(f"Your version details do not list {', '.join(missing)}.")


def check_versions_url(url: str, own_url: str) -> str:
    """The origin of a versions URL that may be asked; the hub's own may not (T-08)."""
    try:
        place = origin(url)
    except Refused as error:
        raise InvalidRequest(f"url: {error.reason}.") from None
    if place == origin(own_url):
        raise InvalidRequest("url: this is the hub's own address; it must be your versions URL.")
    return place
