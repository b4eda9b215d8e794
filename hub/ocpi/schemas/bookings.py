"""Bookings of charging time ahead, an extension of OCPI 2.3.0 (Bookings 1.1)."""

from hub.ocpi.schemas.enums import OneOf, closed
from hub.ocpi.schemas.fields import URL, Boolean, CiString, Integer, Number, String, Timestamp
from hub.ocpi.schemas.locations import (
    CONNECTOR_FORMAT,
    CONNECTOR_TYPE,
    EVSE_POSITION,
    POWER_TYPE,
    VEHICLE_TYPE,
)
from hub.ocpi.schemas.objects import Object, many, one, some
from hub.ocpi.schemas.tokens import TOKEN_TYPE
from hub.ocpi.schemas.types import ROLE

ACCESS_METHOD = closed(
    "AccessMethod",
    "OPEN",
    "TOKEN",
    "LICENSE_PLATE",
    "ACCESS_CODE",
    "INTERCOM",
    "PARKING_TICKET",
)
CANCELED_REASON = closed(
    "CanceledReason",
    "POWER_OUTAGE",
    "BROKEN_CHARGER",
    "FULL",
    "BLOCKED",
    "TRAFFIC",
    "BROKEN_VEHICLE",
    "NO_CANCELED",
    "UNKNOWN",
)
RESERVATION_REQUEST_STATUS = closed(
    "ReservationRequestStatus", "PENDING", "ACCEPTED", "DECLINED", "FAILED"
)
RESERVATION_STATUS = closed(
    "ReservationStatus",
    "PENDING",
    "RESERVED",
    "CANCELED",
    "FAILED",
    "NO_SHOW",
    "FULFILLED",
    "REJECTED",
    "UNKNOWN",
)
# The table says Role, its link says InterfaceRole (AMB-33).
WHO_CANCELED = closed("WhoCanceled", *ROLE.values, "SENDER", "RECEIVER")


class Timeslot(Object):
    """Powers are in W (BOOK-08)."""

    start_date_time = Timestamp(required=True)
    end_date_time = Timestamp(required=True)
    min_power = Number()
    max_power = Number()
    green_energy_support = Boolean()


class Calendar(Object):
    """``timeslot_increment`` is in minutes."""

    id = CiString(36, key=True, required=True)
    begin_from = Timestamp(required=True)
    end_before = Timestamp(required=True)
    timeslot_increment = Integer()
    available_timeslots = some(Timeslot)
    last_updated = Timestamp(required=True)


class BookingOption(Object):
    """What must be fulfilled; weights are in kg, sizes in cm."""

    evse_uid = CiString(36)
    connector_id = CiString(36)
    parking_id = CiString(36)
    evse_position = many(OneOf(EVSE_POSITION))
    vehicle_types = many(OneOf(VEHICLE_TYPE))
    connector_format = many(OneOf(CONNECTOR_FORMAT))
    connector_types = many(OneOf(CONNECTOR_TYPE))
    power_types = many(OneOf(POWER_TYPE))
    max_vehicle_weight = Number()
    max_vehicle_height = Number()
    max_vehicle_length = Number()
    max_vehicle_width = Number()
    min_parking_space_length = Number()
    min_parking_space_width = Number()
    dangerous_goods_allowed = Boolean()
    drive_through = Boolean()
    refrigeration_outlet = Boolean()


class BookingTerms(Object):
    """Times are in minutes (BOOK-07)."""

    rfid_auth_required = Boolean()
    token_groups_supported = Boolean()
    remote_auth_supported = Boolean()
    supported_access_methods = some(OneOf(ACCESS_METHOD))
    change_until_minutes = Number(required=True)
    cancel_until_minutes = Number(required=True)
    change_not_allowed = Boolean()
    early_start_allowed = Boolean()
    early_start_time = Number()
    noshow_timeout = Number()
    noshow_fee = Boolean()
    late_stop_allowed = Boolean()
    late_stop_time = Number()
    overlapping_bookings_allowed = Boolean()
    min_booking_duration = Number()
    max_booking_duration = Number()
    booking_terms = URL()


class Policy(Object):
    reservation_required = Boolean(required=True)
    ad_hoc = Number()


class BookingLocation(Object):
    country_code = CiString(2, key=True, required=True)
    party_id = CiString(3, key=True, required=True)
    id = CiString(36, key=True, required=True)
    location_id = CiString(36, required=True)
    booking_option = one(BookingOption)
    policy = one(Policy)
    tariff_ids = many(CiString(36))
    booking_terms = one(BookingTerms)
    calendars = many(Calendar)
    last_updated = Timestamp(required=True)


class BookingToken(Object):
    country_code = CiString(2, key=True, required=True)
    party_id = CiString(3, key=True, required=True)
    uid = CiString(36, required=True)
    type = OneOf(TOKEN_TYPE, required=True)
    contract_id = CiString(36, required=True)


class AccessInformation(Object):
    method = OneOf(ACCESS_METHOD, required=True)
    value = String()


class Cancellation(Object):
    cancellation_reason = OneOf(CANCELED_REASON, required=True)
    who_canceled = OneOf(WHO_CANCELED, required=True)


class Period(Object):
    start_date_time = Timestamp(required=True)
    end_date_time = Timestamp(required=True)


class BookingRequest(Object):
    """``power_required`` is in kW (BOOK-08)."""

    country_code = CiString(2, key=True, required=True)
    party_id = CiString(3, key=True, required=True)
    request_id = CiString(36, key=True, required=True)
    booking_option = one(BookingOption)
    location_id = CiString(36, required=True)
    booking_location_id = CiString(36, required=True)
    tokens = many(BookingToken)
    access_information = many(AccessInformation)
    period = one(Period, required=True)
    authorization_reference = CiString(36, required=True)
    power_required = Integer()
    canceled = one(Cancellation)


class BookingRequestStatus(Object):
    request_status = OneOf(RESERVATION_REQUEST_STATUS, required=True)
    booking_request = one(BookingRequest, required=True)
    request_received = Timestamp(required=True)


class Booking(Object):
    id = CiString(36, key=True, required=True)
    country_code = CiString(2, key=True, required=True)
    party_id = CiString(3, key=True, required=True)
    request_id = CiString(36, required=True)
    booking_option = one(BookingOption)
    location_id = CiString(36, required=True)
    booking_tokens = many(BookingToken)
    tariff_ids = many(CiString(36))
    period = one(Timeslot, required=True)
    reservation_status = OneOf(RESERVATION_STATUS, required=True)
    canceled = one(Cancellation)
    access_information = many(AccessInformation)
    authorization_reference = CiString(36, required=True)
    booking_terms = one(BookingTerms, required=True)
    booking_requests = some(BookingRequestStatus)
    last_updated = Timestamp(required=True)
