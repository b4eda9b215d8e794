"""What tells the OCPI modules apart. One row each; everything else about them is shared code."""

from dataclasses import dataclass

from hub.errors import NotFound, UnknownLocation, UnknownToken
from hub.models import objects
from hub.models.clientinfo import ClientInfo
from hub.models.values import Role


@dataclass(frozen=True)
class Module:
    """A functional module whose objects the hub keeps.

    ``kind`` is the OCPI class of its objects, the name by which ``Version`` knows the schema.
    ``audience`` says who is told of a change: everybody in the opposite roles, or only the party
    that issued the token (HUB-22, HUB-23). ``record`` objects are final and owed until answered.
    ``pushed_by`` are the methods of the Receiver interface besides GET; all else is 405.
    """

    name: str
    kind: str
    table: type[objects.OwnedObject]
    owner_roles: frozenset[Role]
    receiver_roles: frozenset[Role]
    pushed_by: frozenset[str] = frozenset({"PUT", "PATCH"})
    id_field: str = "id"
    private: bool = False
    record: bool = False
    unknown: type[NotFound] = NotFound

    @property
    def table_name(self) -> str:
        return str(self.table.__tablename__)  # type: ignore[attr-defined]


CPO = frozenset({Role.CPO})
EMSP = frozenset({Role.EMSP})

LOCATIONS = Module(
    "locations",
    "Location",
    objects.Location,
    owner_roles=CPO | {Role.NAP},
    receiver_roles=frozenset({Role.EMSP, Role.NSP, Role.OTHER, Role.NAP, Role.PTP}),
    unknown=UnknownLocation,
)
TARIFFS = Module(
    "tariffs",
    "Tariff",
    objects.Tariff,
    owner_roles=CPO | {Role.NAP},
    receiver_roles=LOCATIONS.receiver_roles,
    pushed_by=frozenset({"PUT", "DELETE"}),
)
SESSIONS = Module(
    "sessions",
    "Session",
    objects.Session,
    owner_roles=CPO,
    receiver_roles=frozenset({Role.EMSP, Role.SCSP, Role.PTP}),
    private=True,
)
CDRS = Module(
    "cdrs",
    "CDR",
    objects.CDR,
    owner_roles=CPO,
    receiver_roles=frozenset({Role.EMSP, Role.PTP}),
    pushed_by=frozenset({"POST"}),
    private=True,
    record=True,
)
TOKENS = Module(
    "tokens",
    "Token",
    objects.Token,
    owner_roles=EMSP | {Role.OTHER},
    receiver_roles=CPO,
    id_field="uid",
    unknown=UnknownToken,
)

# Not pushed by partners and of nobody's ownership: the hub tells who is connected.
HUBCLIENTINFO = Module(
    "hubclientinfo",
    "ClientInfo",
    ClientInfo,
    owner_roles=frozenset(),
    receiver_roles=frozenset(),
)

MODULES = {module.name: module for module in (LOCATIONS, TARIFFS, SESSIONS, CDRS, TOKENS)}
