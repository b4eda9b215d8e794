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


# By the operator: neither heard nor told anything.
SHUT_OUT = frozenset({PartnerStatus.SUSPENDED, PartnerStatus.BLOCKED})


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
        well_formed = letters.isascii() and letters.isalnum() and letters[:2].isalpha()
        if len(letters) != len("NLTNM") or not well_formed:
            raise ValueError(f"{text!r} is not a party: write it as NL*TNM.")
        return cls(letters[:2], letters[2:])

    def __str__(self) -> str:
        return f"{self.country_code}*{self.party_id}"


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """A place in the feed: the transaction that changed the object, and its turn in it."""

    xid: int = 0
    seq: int = 0


class TenantType(StrEnum):
    CPO = "CPO"
    EMSP = "EMSP"
    HUB = "HUB"
    SAAS_PROVIDER = "SAAS_PROVIDER"
    HYBRID = "HYBRID"


class TenantStatus(StrEnum):
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    TERMINATED = "TERMINATED"
    PENDING_ACTIVATION = "PENDING_ACTIVATION"


class AuthProvider(StrEnum):
    LOCAL = "LOCAL"
    OIDC = "OIDC"
    SAML = "SAML"
    LDAP = "LDAP"
    OAUTH2_GOOGLE = "OAUTH2_GOOGLE"
    OAUTH2_AZURE = "OAUTH2_AZURE"
    OAUTH2_CUSTOM = "OAUTH2_CUSTOM"


class UserType(StrEnum):
    INDIVIDUAL = "INDIVIDUAL"
    BUSINESS = "BUSINESS"
    FLEET = "FLEET"
    ADMIN = "ADMIN"
    SERVICE_ACCOUNT = "SERVICE_ACCOUNT"


class UserStatus(StrEnum):
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    BLOCKED = "BLOCKED"
    PENDING_VERIFICATION = "PENDING_VERIFICATION"
    DELETED = "DELETED"


class RoleType(StrEnum):
    SYSTEM = "SYSTEM"
    TENANT = "TENANT"
    CUSTOM = "CUSTOM"


class PermissionScope(StrEnum):
    """How far a permission reaches: all tenants, the own one, only what the user owns."""

    GLOBAL = "GLOBAL"
    TENANT = "TENANT"
    OWNED = "OWNED"


class AuditAction(StrEnum):
    CREATE = "CREATE"
    READ = "READ"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    LOGIN = "LOGIN"
    LOGOUT = "LOGOUT"
    AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"
    AUTHORIZATION_FAILED = "AUTHORIZATION_FAILED"
    SESSION_START = "SESSION_START"
    SESSION_STOP = "SESSION_STOP"
    COMMAND_SENT = "COMMAND_SENT"
    CONFIGURATION_CHANGED = "CONFIGURATION_CHANGED"
    SYSTEM_EVENT = "SYSTEM_EVENT"
    ERROR = "ERROR"
    SECURITY_EVENT = "SECURITY_EVENT"


class AuditSeverity(StrEnum):
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    CRITICAL = "CRITICAL"


class CDRVerdict(StrEnum):
    """Whether what a CDR claims is right."""

    OK = "OK"
    DIFFERS = "DIFFERS"
    CANNOT_TELL = "CANNOT_TELL"


class Dispute(StrEnum):
    """A dispute about a CDR. ACCEPTED: its owner owes a credit; REJECTED: it is to be paid."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    SETTLED = "SETTLED"


class TariffStatus(StrEnum):
    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    DRAFT = "DRAFT"
    ARCHIVED = "ARCHIVED"


class OCPPVersion(StrEnum):
    OCPP_1_6 = "OCPP_1_6"
    OCPP_2_0_1 = "OCPP_2_0_1"
    OCPP_2_1 = "OCPP_2_1"


class OCPPStatus(StrEnum):
    """What a station says of itself as a whole."""

    AVAILABLE = "AVAILABLE"
    PREPARING = "PREPARING"
    CHARGING = "CHARGING"
    SUSPENDED_EVSE = "SUSPENDED_EVSE"
    SUSPENDED_EV = "SUSPENDED_EV"
    FINISHING = "FINISHING"
    RESERVED = "RESERVED"
    UNAVAILABLE = "UNAVAILABLE"
    FAULTED = "FAULTED"
    OFFLINE = "OFFLINE"


class StationStatus(StrEnum):
    """What the operator holds of a station."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"
    MAINTENANCE = "MAINTENANCE"
    FAULTY = "FAULTY"
    OFFLINE = "OFFLINE"
    DECOMMISSIONED = "DECOMMISSIONED"


class StationAvailability(StrEnum):
    OPERATIVE = "OPERATIVE"
    INOPERATIVE = "INOPERATIVE"
    SCHEDULED = "SCHEDULED"


class ConnectorStatus(StrEnum):
    AVAILABLE = "AVAILABLE"
    OCCUPIED = "OCCUPIED"
    RESERVED = "RESERVED"
    UNAVAILABLE = "UNAVAILABLE"
    FAULTED = "FAULTED"


class ChargingStatus(StrEnum):
    """The life of a charging session at a station of our own."""

    INITIATED = "INITIATED"
    AUTHORIZED = "AUTHORIZED"
    PREPARING = "PREPARING"
    CHARGING = "CHARGING"
    SUSPENDED_EV = "SUSPENDED_EV"
    SUSPENDED_EVSE = "SUSPENDED_EVSE"
    FINISHING = "FINISHING"
    COMPLETED = "COMPLETED"
    INTERRUPTED = "INTERRUPTED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    RESERVED = "RESERVED"


class StopReason(StrEnum):
    EMERGENCY_STOP = "EMERGENCY_STOP"
    EV_DISCONNECTED = "EV_DISCONNECTED"
    HARD_RESET = "HARD_RESET"
    LOCAL = "LOCAL"
    OTHER = "OTHER"
    POWER_LOSS = "POWER_LOSS"
    REBOOT = "REBOOT"
    REMOTE = "REMOTE"
    SOFT_RESET = "SOFT_RESET"
    UNLOCK_COMMAND = "UNLOCK_COMMAND"
    DE_AUTHORIZED = "DE_AUTHORIZED"
    ENERGY_LIMIT_REACHED = "ENERGY_LIMIT_REACHED"
    GROUND_FAULT = "GROUND_FAULT"
    IMMEDIATE_RESET = "IMMEDIATE_RESET"
    LOCAL_OUT_OF_CREDIT = "LOCAL_OUT_OF_CREDIT"
    MASTER_PASS = "MASTER_PASS"  # noqa: S105 - a reason, not a password
    OVERCURRENT_FAULT = "OVERCURRENT_FAULT"
    POWER_QUALITY = "POWER_QUALITY"
    SOC_LIMIT_REACHED = "SOC_LIMIT_REACHED"
    STOPPED_BY_EV = "STOPPED_BY_EV"
    TIME_LIMIT_REACHED = "TIME_LIMIT_REACHED"
    TIMEOUT = "TIMEOUT"


class ChargingAuthMethod(StrEnum):
    """How a driver identified at a station of our own."""

    RFID = "RFID"
    NFC = "NFC"
    QR_CODE = "QR_CODE"
    ISO15118 = "ISO15118"
    AUTOCHARGE = "AUTOCHARGE"
    API = "API"
    ROAMING = "ROAMING"
    MANUAL = "MANUAL"
    RESERVED = "RESERVED"


class AuthTokenType(StrEnum):
    RFID_ISO14443 = "RFID_ISO14443"
    RFID_MIFARE = "RFID_MIFARE"
    NFC_SMARTPHONE = "NFC_SMARTPHONE"
    QR_CODE_DYNAMIC = "QR_CODE_DYNAMIC"
    ISO15118_CONTRACT = "ISO15118_CONTRACT"
    AUTOCHARGE_VIN = "AUTOCHARGE_VIN"
    API_KEY = "API_KEY"
    ROAMING_TOKEN = "ROAMING_TOKEN"  # noqa: S105 - a kind, not a token
    TEMPORARY = "TEMPORARY"
    TEST_TOKEN = "TEST_TOKEN"  # noqa: S105 - a kind, not a token


class ProfilePurpose(StrEnum):
    """What a charging profile of the operator's limits: the station, or whatever charges there."""

    STATION_MAX = "STATION_MAX"
    TX_DEFAULT = "TX_DEFAULT"


class ProfileKind(StrEnum):
    ABSOLUTE = "ABSOLUTE"
    RECURRING = "RECURRING"
    RELATIVE = "RELATIVE"


class Recurrency(StrEnum):
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"


class FileKind(StrEnum):
    FIRMWARE = "FIRMWARE"
    LOG = "LOG"


class Measurand(StrEnum):
    CURRENT_EXPORT = "CURRENT_EXPORT"
    CURRENT_IMPORT = "CURRENT_IMPORT"
    CURRENT_OFFERED = "CURRENT_OFFERED"
    ENERGY_ACTIVE_EXPORT_REGISTER = "ENERGY_ACTIVE_EXPORT_REGISTER"
    ENERGY_ACTIVE_IMPORT_REGISTER = "ENERGY_ACTIVE_IMPORT_REGISTER"
    ENERGY_REACTIVE_EXPORT_REGISTER = "ENERGY_REACTIVE_EXPORT_REGISTER"
    ENERGY_REACTIVE_IMPORT_REGISTER = "ENERGY_REACTIVE_IMPORT_REGISTER"
    ENERGY_ACTIVE_EXPORT_INTERVAL = "ENERGY_ACTIVE_EXPORT_INTERVAL"
    ENERGY_ACTIVE_IMPORT_INTERVAL = "ENERGY_ACTIVE_IMPORT_INTERVAL"
    ENERGY_REACTIVE_EXPORT_INTERVAL = "ENERGY_REACTIVE_EXPORT_INTERVAL"
    ENERGY_REACTIVE_IMPORT_INTERVAL = "ENERGY_REACTIVE_IMPORT_INTERVAL"
    FREQUENCY = "FREQUENCY"
    POWER_ACTIVE_EXPORT = "POWER_ACTIVE_EXPORT"
    POWER_ACTIVE_IMPORT = "POWER_ACTIVE_IMPORT"
    POWER_FACTOR = "POWER_FACTOR"
    POWER_OFFERED = "POWER_OFFERED"
    POWER_REACTIVE_EXPORT = "POWER_REACTIVE_EXPORT"
    POWER_REACTIVE_IMPORT = "POWER_REACTIVE_IMPORT"
    RPM = "RPM"
    SOC = "SOC"
    TEMPERATURE = "TEMPERATURE"
    VOLTAGE = "VOLTAGE"


class ReadingContext(StrEnum):
    INTERRUPTION_BEGIN = "INTERRUPTION_BEGIN"
    INTERRUPTION_END = "INTERRUPTION_END"
    OTHER = "OTHER"
    SAMPLE_CLOCK = "SAMPLE_CLOCK"
    SAMPLE_PERIODIC = "SAMPLE_PERIODIC"
    TRANSACTION_BEGIN = "TRANSACTION_BEGIN"
    TRANSACTION_END = "TRANSACTION_END"
    TRIGGER = "TRIGGER"


class ValueFormat(StrEnum):
    RAW = "RAW"
    SIGNED_DATA = "SIGNED_DATA"


class MeasurementLocation(StrEnum):
    BODY = "BODY"
    CABLE = "CABLE"
    EV = "EV"
    INLET = "INLET"
    OUTLET = "OUTLET"


class CommandDirection(StrEnum):
    """FORWARDED from one partner to another, LOCAL to a station of our own, or ISSUED by us."""

    FORWARDED = "FORWARDED"
    LOCAL = "LOCAL"
    ISSUED = "ISSUED"


class CommandState(StrEnum):
    """OPENED; then ANSWERED: accepted, the result is due, or REFUSED: it was not carried out, or
    UNKNOWN: it was sent and nobody answered. FINISHED by a result, or EXPIRED without one.
    """

    OPENED = "OPENED"
    ANSWERED = "ANSWERED"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"
    FINISHED = "FINISHED"
    EXPIRED = "EXPIRED"


class RouteKind(StrEnum):
    """What a route hint finds the owner of."""

    SESSION = "SESSION"
    LOCATION = "LOCATION"


class RewrittenURL(StrEnum):
    """What in a forwarded answer points back at a server and is rewritten to the hub."""

    LINK = "LINK"
    LOCATION = "LOCATION"
