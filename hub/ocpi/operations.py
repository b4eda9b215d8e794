"""Every request OCPI knows: the rows of its modules' interface tables."""

from typing import Any

from hub.models.values import InterfaceRole, Party
from hub.ocpi.operation import (
    OWNED,
    PARTY,
    RECEIVER,
    SENDER,
    CallsBack,
    Operation,
    lists,
    owned,
)
from hub.ocpi.schemas.sessions import CHARGING_PREFERENCES_RESPONSE
from hub.ocpi.versions.base import Version

CANNOT = {"result": "NOT_SUPPORTED", "timeout": 0}
REJECTED = {"result": "REJECTED", "timeout": 0}


def command(name: str, kind: str | None, *, since: str = "2.1.1") -> Operation:
    """One command; without ``kind`` any other that partners may have agreed on (CMD-16)."""
    return Operation(
        "commands",
        RECEIVER,
        "POST",
        f"/{name}",
        "post_command",
        body=kind,
        answer="CommandResponse",
        since=since,
        calls_back=CallsBack("body", name if kind else "", "CommandResult"),
        unsupported=CANNOT,
        failed=REJECTED,
    )


def profile(method: str, command: str, result: str, **more: Any) -> Operation:
    """A request about the charging profile of a session (CHP-02)."""
    return Operation(
        "chargingprofiles",
        RECEIVER,
        method,
        "/{session_id}",
        "charging_profile",
        answer="ChargingProfileResponse",
        since="2.2.1",
        calls_back=CallsBack("body" if "body" in more else "query", command, result),
        unsupported=CANNOT,
        **more,
    )


TERMINAL, ADVICE = "/terminals", "/financial-advice-confirmations"


BOOKABLE: dict[str, Any] = {"objects": "booking-locations", "since": "2.3.0"}
PLACE, ITS_CALENDAR = "/booking_locations/{id}", "/booking_locations/{id}/{calendar_id}"
# The examples have another order than the definition (BOOK-12).
VARIANT = "/bookinglocations" + OWNED


def bookable(place: str, calendar: str) -> tuple[Operation, ...]:
    """The Receiver interface of booking locations and their calendars."""
    return (
        *owned("bookings", "BookingLocation", "GET PUT", place, **BOOKABLE),
        *owned("bookings", "BookingLocation", "PATCH", place, "booking", **BOOKABLE),
        *owned("bookings", "Calendar", "GET", calendar, "calendar", **BOOKABLE),
        *owned("bookings", "Calendar", "PUT PATCH", calendar, **BOOKABLE),
    )


def payments(
    interface: InterfaceRole, method: str, path: str, endpoint: str, **more: Any
) -> Operation:
    """A request of the Payments extension; its URLs name no owner (PAY-10)."""
    objects = path.split("/")[1]
    return Operation(
        "payments", interface, method, path, endpoint, objects=objects, since="2.3.0", **more
    )


OPERATIONS: tuple[Operation, ...] = (
    # Locations
    lists("locations", "Location"),
    Operation("locations", SENDER, "GET", "/{id}", "find_object", answer="Location"),
    Operation("locations", SENDER, "GET", "/{id}/{evse_uid}", "find_evse", answer="EVSE"),
    Operation(
        "locations",
        SENDER,
        "GET",
        "/{id}/{evse_uid}/{connector_id}",
        "find_evse",
        answer="Connector",
    ),
    *owned("locations", "Location", "GET PUT PATCH"),
    *owned("locations", "EVSE", "GET PUT PATCH", OWNED + "/{evse_uid}", "evse"),
    *owned("locations", "Connector", "GET PUT PATCH", OWNED + "/{evse_uid}/{connector_id}", "evse"),
    # Sessions
    lists("sessions", "Session"),
    Operation(
        "sessions",
        SENDER,
        "PUT",
        "/{id}/charging_preferences",
        "put_charging_preferences",
        body="ChargingPreferences",
        words=CHARGING_PREFERENCES_RESPONSE.values,
        since="2.2.1",
        unsupported="NOT_POSSIBLE",
    ),
    *owned("sessions", "Session", "GET PUT PATCH"),
    # CDRs
    lists("cdrs", "CDR"),
    Operation("cdrs", RECEIVER, "POST", "", "post_cdr", body="CDR"),
    *owned("cdrs", "CDR", "GET"),
    # Tariffs
    lists("tariffs", "Tariff"),
    *owned("tariffs", "Tariff", "GET PUT DELETE"),
    *owned("tariffs", "Tariff", "PATCH", only="2.1.1"),
    # Tokens
    lists("tokens", "Token"),
    Operation(
        "tokens",
        SENDER,
        "POST",
        "/{id}/authorize",
        "authorize",
        body="LocationReferences",
        body_optional=True,
        answer="AuthorizationInfo",
        timeout="authorize_timeout",
        failed={"allowed": "NOT_ALLOWED"},
    ),
    *owned("tokens", "Token", "GET PUT PATCH"),
    # Commands. Their results come to a URL of the hub's own making (callbacks.py).
    command("START_SESSION", "StartSession"),
    command("STOP_SESSION", "StopSession"),
    command("RESERVE_NOW", "ReserveNow"),
    command("CANCEL_RESERVATION", "CancelReservation", since="2.2.1"),
    command("UNLOCK_CONNECTOR", "UnlockConnector"),
    command("{command}", None, since="2.2.1"),
    # InvoiceReconciliation
    lists("invoicereconciliation", "InvoiceReconciliationRecord", since="2.3.0"),
    Operation(
        "invoicereconciliation",
        RECEIVER,
        "POST",
        "",
        "post_invoice_reconciliation",
        body="InvoiceReconciliationRecord",
        since="2.3.0",
    ),
    *owned("invoicereconciliation", "InvoiceReconciliationRecord", "GET PUT DELETE", since="2.3.0"),
    # Bookings
    lists("bookings", "BookingLocation", "/booking_locations", **BOOKABLE),
    Operation(
        "bookings", SENDER, "GET", PLACE, "find_object", answer="BookingLocation", **BOOKABLE
    ),
    Operation(
        "bookings", SENDER, "GET", ITS_CALENDAR, "find_calendar", answer="Calendar", **BOOKABLE
    ),
    lists("bookings", "Booking", since="2.3.0"),
    Operation(
        "bookings",
        SENDER,
        "POST",
        "",
        "request_booking",
        body="BookingRequest",
        answer="Booking",
        keeps="answer",
        since="2.3.0",
    ),
    *bookable(PARTY + PLACE, PARTY + ITS_CALENDAR),
    *bookable(VARIANT, VARIANT + "/{calendar_id}"),
    *owned("bookings", "Booking", "GET", since="2.3.0"),
    *owned("bookings", "Booking", "PUT PATCH", OWNED, "booking", keeps="body", since="2.3.0"),
    # Payments: terminals, and what was captured at them
    lists("payments", "Terminal", TERMINAL, objects="terminals", since="2.3.0"),
    payments(SENDER, "GET", f"{TERMINAL}/{{id}}", "find_object", answer="Terminal"),
    payments(SENDER, "PUT", f"{TERMINAL}/{{id}}", "put_terminal", body="Terminal", keeps="body"),
    payments(
        SENDER,
        "PATCH",
        f"{TERMINAL}/{{id}}",
        "put_terminal",
        body="Terminal",
        partial=True,
        keeps="body",
    ),
    payments(SENDER, "POST", f"{TERMINAL}/activate", "activate_terminal", body="Terminal"),
    payments(SENDER, "POST", f"{TERMINAL}/{{id}}/deactivate", "deactivate_terminal"),
    lists(
        "payments",
        "FinancialAdviceConfirmation",
        ADVICE,
        objects=ADVICE.removeprefix("/"),
        since="2.3.0",
    ),
    payments(
        SENDER, "GET", f"{ADVICE}/{{id}}", "find_object", answer="FinancialAdviceConfirmation"
    ),
    payments(RECEIVER, "GET", f"{TERMINAL}/{{id}}", "get_posted", answer="Terminal"),
    payments(RECEIVER, "POST", TERMINAL, "post_terminal", body="Terminal"),
    payments(
        RECEIVER, "GET", f"{ADVICE}/{{id}}", "get_posted", answer="FinancialAdviceConfirmation"
    ),
    payments(
        RECEIVER,
        "POST",
        ADVICE,
        "post_financial_advice_confirmation",
        body="FinancialAdviceConfirmation",
    ),
    # HubClientInfo
    Operation(
        "hubclientinfo",
        SENDER,
        "GET",
        "",
        "list_clients",
        answer="ClientInfo",
        many=True,
        since="2.2.1",
        routed=False,
    ),
    Operation(
        "hubclientinfo",
        RECEIVER,
        "GET",
        PARTY,
        "get_client",
        answer="ClientInfo",
        since="2.2.1",
        routed=False,
    ),
    Operation(
        "hubclientinfo",
        RECEIVER,
        "PUT",
        PARTY,
        "put_client",
        body="ClientInfo",
        since="2.2.1",
        routed=False,
    ),
    # Charging profiles; what a CPO learns of them later it tells whoever set one.
    profile(
        "GET", "GET_ACTIVE_CHARGING_PROFILE", "ActiveChargingProfileResult", params=("duration",)
    ),
    profile("PUT", "SET_CHARGING_PROFILE", "ChargingProfileResult", body="SetChargingProfile"),
    profile("DELETE", "CLEAR_CHARGING_PROFILE", "ClearProfileResult"),
    Operation(
        "chargingprofiles",
        SENDER,
        "PUT",
        "/{session_id}",
        "put_active_profile",
        body="ActiveChargingProfile",
        since="2.2.1",
    ),
)


MODULE_NAMES = tuple(dict.fromkeys(operation.module for operation in OPERATIONS))


# What a module is called in the version details where that is not its name (BOOK-14).
IDENTIFIERS = {"bookings": "Booking"}


def interfaces(module: str, version: Version) -> list[InterfaceRole]:
    """The interfaces of a module that a version knows, for the version details (VER-03).

    Where a Receiver answers later there is a Sender to take it. A version without interfaces has
    one URL for all of a module.
    """
    known = [
        operation
        for operation in OPERATIONS
        if operation.module == module and operation.is_in(version.number)
    ]
    found = [operation.interface for operation in known]
    if any(operation.calls_back for operation in known):
        found.append(SENDER)
    return list(dict.fromkeys(found))[: 1 if version.peer_to_peer else None]


def endpoint_path(version: Version, interface: InterfaceRole, module: str) -> str:
    """Where the hub serves an interface, below its OCPI root.

    In 2.1.1 with a slash at the end, as in its own examples: there are clients that put behind an
    endpoint's URL what comes below it, as they are (TRANSPORT-22).
    """
    if version.peer_to_peer:
        return f"{version.number}/{module}/"
    return f"{version.number}/{interface.lower()}/{module}"


def owner_named(operation: Operation, caller: Party, receiver: Party) -> Party:
    """Whose objects a request and its answer name by their ids.

    The Sender's, but that commands and authorizations are about the locations of the CPO.
    """
    sends = operation.interface is SENDER
    about_cpo = operation.module == "commands" or operation.answer == "AuthorizationInfo"
    return receiver if sends is not about_cpo else caller
