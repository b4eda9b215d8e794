"""What tells the OCPI modules apart. One row each; everything else about them is shared code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import NotFound, UnknownLocation, UnknownToken
from hub.models import extensions, objects
from hub.models.clientinfo import ClientInfo
from hub.models.values import Party, Role


@dataclass(frozen=True)
class Module:
    """A functional module whose objects the hub keeps.

    ``kind`` is the OCPI class of its objects, the name by which ``Version`` knows the schema.
    Changes are told to everybody in the opposite roles, or of ``private`` objects only to the one
    party that each is for (HUB-22, HUB-23): ``receiver_in`` finds it in the object, where it is
    not there whoever writes it must say it. ``record`` objects are final and owed until answered,
    others that are ``reposted`` replace what is kept under their id. ``pushed_by`` are the methods
    of the Receiver interface besides GET; all else is 405. ``since`` is the oldest version that has
    it.

    ``name`` is the hub's own, and mostly that of the OCPI module. Objects that are only ``part_of``
    one are below its endpoint at ``path``. Where neither URL nor object name the owner, not
    ``names_owner``, it is the party that speaks.
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
    receiver_in: Callable[[Mapping[str, Any]], Party] | None = None
    since: str = "2.1.1"
    part_of: str = ""
    path: tuple[str, ...] = ()
    names_owner: bool = True
    reposted: bool = False

    @property
    def module_id(self) -> str:
        """The OCPI module: what agreements and endpoints name."""
        return self.part_of or self.name

    @property
    def table_name(self) -> str:
        return str(self.table.__tablename__)  # type: ignore[attr-defined]


def token_issuer(document: Mapping[str, Any]) -> Party:
    """The party that issued the token of a session or CDR: the only one that may have it."""
    token: Mapping[str, Any] = document["cdr_token"]
    return Party.of(token["country_code"], token["party_id"])


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
    receiver_in=token_issuer,
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
    receiver_in=token_issuer,
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

# Direct billing is the CPO's, reverse billing the eMSP's (INV-01).
INVOICE_RECONCILIATIONS = Module(
    "invoicereconciliation",
    "InvoiceReconciliationRecord",
    extensions.InvoiceReconciliation,
    owner_roles=CPO | EMSP | {Role.OTHER},
    receiver_roles=CPO | EMSP,
    pushed_by=frozenset({"POST", "PUT", "DELETE"}),
    private=True,
    since="2.3.0",
)


def requester(document: Mapping[str, Any]) -> Party:
    """The eMSP that asked for a booking (BOOK-16)."""
    request: Mapping[str, Any] = document["booking_requests"][0]["booking_request"]
    return Party.of(request["country_code"], request["party_id"])


BOOKING_LOCATIONS = Module(
    "booking-locations",
    "BookingLocation",
    extensions.BookingLocation,
    owner_roles=CPO,
    receiver_roles=EMSP | {Role.OTHER},
    since="2.3.0",
    part_of="bookings",
    path=("booking_locations",),
)
BOOKINGS = Module(
    "bookings",
    "Booking",
    extensions.Booking,
    owner_roles=CPO,
    receiver_roles=EMSP,
    private=True,
    receiver_in=requester,
    since="2.3.0",
)

PTP = frozenset({Role.PTP})

# The CPO changes a terminal at its provider's, who tells of new ones only (PAY-02).
TERMINALS = Module(
    "terminals",
    "Terminal",
    extensions.Terminal,
    owner_roles=PTP,
    receiver_roles=CPO,
    pushed_by=frozenset({"POST"}),
    id_field="terminal_id",
    private=True,
    since="2.3.0",
    part_of="payments",
    path=("terminals",),
    names_owner=False,
    reposted=True,
)
FINANCIAL_ADVICE_CONFIRMATIONS = Module(
    "financial-advice-confirmations",
    "FinancialAdviceConfirmation",
    extensions.FinancialAdviceConfirmation,
    owner_roles=PTP,
    receiver_roles=CPO,
    pushed_by=frozenset({"POST"}),
    private=True,
    record=True,
    since="2.3.0",
    part_of="payments",
    path=("financial-advice-confirmations",),
    names_owner=False,
)

# Not pushed by partners and of nobody's ownership: the hub tells who is connected.
HUBCLIENTINFO = Module(
    "hubclientinfo",
    "ClientInfo",
    ClientInfo,
    owner_roles=frozenset(),
    receiver_roles=frozenset(),
)

MODULES = {
    module.name: module
    for module in (
        LOCATIONS,
        TARIFFS,
        SESSIONS,
        CDRS,
        TOKENS,
        INVOICE_RECONCILIATIONS,
        TERMINALS,
        FINANCIAL_ADVICE_CONFIRMATIONS,
        BOOKING_LOCATIONS,
        BOOKINGS,
    )
}
MODULE_IDS = frozenset(module.module_id for module in MODULES.values())
