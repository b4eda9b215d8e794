"""Tariffs, as of OCPI 2.3.0."""

from hub.ocpi.schemas.enums import OneOf, closed
from hub.ocpi.schemas.fields import (
    URL,
    CiString,
    Date,
    Integer,
    Number,
    String,
    TimeOfDay,
    Timestamp,
)
from hub.ocpi.schemas.locations import EnergyMix
from hub.ocpi.schemas.objects import Object, many, one, some
from hub.ocpi.schemas.types import DisplayText

DAY_OF_WEEK = closed(
    "DayOfWeek", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"
)
RESERVATION_RESTRICTION_TYPE = closed(
    "ReservationRestrictionType", "RESERVATION", "RESERVATION_EXPIRES"
)
TARIFF_DIMENSION_TYPE = closed("TariffDimensionType", "ENERGY", "FLAT", "PARKING_TIME", "TIME")
TARIFF_TYPE = closed(
    "TariffType", "AD_HOC_PAYMENT", "PROFILE_CHEAP", "PROFILE_FAST", "PROFILE_GREEN", "REGULAR"
)
TAX_INCLUDED = closed("TaxIncluded", "YES", "NO", "N/A")


# Of the Bookings extension.
BOOKING_RESTRICTION_TYPE = closed(
    "BookingRestrictionType",
    "BOOKING",
    "BOOKING_EXPIRES",
    "BOOKING_CANCELLATION_FEES",
    "BOOKING_OVERTIME",
)


class PriceLimit(Object):
    before_taxes = Number(required=True)
    after_taxes = Number()


class PriceComponent(Object):
    type = OneOf(TARIFF_DIMENSION_TYPE, required=True)
    price = Number(required=True)
    vat = Number()
    step_size = Integer(required=True)


class TariffRestrictions(Object):
    """Times and dates are local to the location; powers are in kW, durations in seconds."""

    start_time = TimeOfDay()
    end_time = TimeOfDay()
    start_date = Date()
    end_date = Date()
    min_kwh = Number()
    max_kwh = Number()
    min_current = Number()
    max_current = Number()
    min_power = Number()
    max_power = Number()
    min_duration = Integer()
    max_duration = Integer()
    day_of_week = many(OneOf(DAY_OF_WEEK))
    reservation = OneOf(RESERVATION_RESTRICTION_TYPE)
    booking = OneOf(BOOKING_RESTRICTION_TYPE)


class TariffElement(Object):
    price_components = some(PriceComponent)
    restrictions = one(TariffRestrictions)


class Tariff(Object):
    """``tax_included`` is required, but the specification's own examples lack it (AMB-30).

    ``preauthorize_amount`` is of the Payments extension.
    """

    country_code = CiString(2, key=True, required=True)
    party_id = CiString(3, key=True, required=True)
    id = CiString(36, key=True, required=True)
    currency = String(3, required=True)
    type = OneOf(TARIFF_TYPE)
    tariff_alt_text = many(DisplayText)
    tariff_alt_url = URL()
    min_price = one(PriceLimit)
    max_price = one(PriceLimit)
    elements = some(TariffElement)
    tax_included = OneOf(TAX_INCLUDED, required=True, assume="NO")
    start_date_time = Timestamp()
    end_date_time = Timestamp()
    energy_mix = one(EnergyMix)
    preauthorize_amount = Number()
    last_updated = Timestamp(required=True)
