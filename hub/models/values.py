"""Values that tables and rules share. Enumerations are spelled as OCPI and PostgreSQL show them."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """OCPI roles. ``HUB`` exists in 2.2.1 only; ``PTP`` comes with the Payments extension."""

    CPO = "CPO"
    EMSP = "EMSP"
    HUB = "HUB"
    NAP = "NAP"
    NSP = "NSP"
    OTHER = "OTHER"
    PTP = "PTP"
    SCSP = "SCSP"


class InterfaceRole(StrEnum):
    SENDER = "SENDER"
    RECEIVER = "RECEIVER"


class ConnectionStatus(StrEnum):
    """How a party is connected, as HubClientInfo tells it to the others (HCI-06)."""

    CONNECTED = "CONNECTED"
    OFFLINE = "OFFLINE"
    PLANNED = "PLANNED"
    SUSPENDED = "SUSPENDED"


class PartnerStatus(StrEnum):
    """What the operator and the handshake made of a partner."""

    PENDING_VERIFICATION = "PENDING_VERIFICATION"
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    SUSPENDED = "SUSPENDED"
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, order=True, slots=True)
class Party:
    """A country code and a party id. Compared without case: both are kept in upper case."""

    country_code: str
    party_id: str

    @classmethod
    def of(cls, country_code: str, party_id: str) -> "Party":
        return cls(country_code.upper(), party_id.upper())

    @classmethod
    def parse(cls, text: str) -> "Party":
        """Read ``NL*TNM``, ``NL-TNM`` or ``NLTNM``; ValueError for anything else."""
        letters = text.strip().replace("*", "").replace("-", "").upper()
        if len(letters) != 5 or not letters.isascii() or not letters.isalnum():
            raise ValueError(f"{text!r} is not a party: write it as NL*TNM.")
        return cls(letters[:2], letters[2:])

    def __str__(self) -> str:
        return f"{self.country_code}*{self.party_id}"


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """A place in the feed: the transaction that changed the object, and its turn in it."""

    xid: int = 0
    seq: int = 0
