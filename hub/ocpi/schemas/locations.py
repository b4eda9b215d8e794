"""Locations, their EVSEs, connectors and parking places, as of OCPI 2.3.0."""

from hub.ocpi.schemas.enums import OneOf, closed, open_enum
from hub.ocpi.schemas.fields import (
    URL,
    Boolean,
    CiString,
    Integer,
    Latitude,
    Longitude,
    Number,
    String,
    TimeOfDay,
    Timestamp,
)
from hub.ocpi.schemas.objects import Object, many, one, some
from hub.ocpi.schemas.tokens import TOKEN_TYPE
from hub.ocpi.schemas.types import DisplayText

CAPABILITY = open_enum(
    "Capability",
    "CHARGING_PROFILE_CAPABLE",
    "CHARGING_PREFERENCES_CAPABLE",
    "CHIP_CARD_SUPPORT",
    "CONTACTLESS_CARD_SUPPORT",
    "CREDIT_CARD_PAYABLE",
    "DEBIT_CARD_PAYABLE",
    "PED_TERMINAL",
    "REMOTE_START_STOP_CAPABLE",
    "RESERVABLE",
    "RFID_READER",
    "START_SESSION_CONNECTOR_REQUIRED",
    "TOKEN_GROUP_CAPABLE",
    "UNLOCK_CAPABLE",
)
CONNECTOR_CAPABILITY = open_enum(
    "ConnectorCapability", "ISO_15118_2_PLUG_AND_CHARGE", "ISO_15118_20_PLUG_AND_CHARGE"
)
CONNECTOR_FORMAT = closed("ConnectorFormat", "SOCKET", "CABLE")
CONNECTOR_TYPE = open_enum(
    "ConnectorType",
    "CHADEMO",
    "CHAOJI",
    "DOMESTIC_A",
    "DOMESTIC_B",
    "DOMESTIC_C",
    "DOMESTIC_D",
    "DOMESTIC_E",
    "DOMESTIC_F",
    "DOMESTIC_G",
    "DOMESTIC_H",
    "DOMESTIC_I",
    "DOMESTIC_J",
    "DOMESTIC_K",
    "DOMESTIC_L",
    "DOMESTIC_M",
    "DOMESTIC_N",
    "DOMESTIC_O",
    "GBT_AC",
    "GBT_DC",
    "IEC_60309_2_single_16",
    "IEC_60309_2_three_16",
    "IEC_60309_2_three_32",
    "IEC_60309_2_three_64",
    "IEC_62196_T1",
    "IEC_62196_T1_COMBO",
    "IEC_62196_T2",
    "IEC_62196_T2_COMBO",
    "IEC_62196_T3A",
    "IEC_62196_T3C",
    "MCS",
    "NEMA_5_20",
    "NEMA_6_30",
    "NEMA_6_50",
    "NEMA_10_30",
    "NEMA_10_50",
    "NEMA_14_30",
    "NEMA_14_50",
    "PANTOGRAPH_BOTTOM_UP",
    "PANTOGRAPH_TOP_DOWN",
    "SAE_J3400",
    "TESLA_R",
    "TESLA_S",
)
ENERGY_SOURCE_CATEGORY = closed(
    "EnergySourceCategory",
    "NUCLEAR",
    "GENERAL_FOSSIL",
    "COAL",
    "GAS",
    "GENERAL_GREEN",
    "SOLAR",
    "WIND",
    "WATER",
)
ENVIRONMENTAL_IMPACT_CATEGORY = open_enum(
    "EnvironmentalImpactCategory", "NUCLEAR_WASTE", "CARBON_DIOXIDE"
)
EVSE_POSITION = closed("EVSEPosition", "LEFT", "RIGHT", "CENTER")
FACILITY = open_enum(
    "Facility",
    "HOTEL",
    "RESTAURANT",
    "CAFE",
    "MALL",
    "SUPERMARKET",
    "SPORT",
    "RECREATION_AREA",
    "NATURE",
    "MUSEUM",
    "BIKE_SHARING",
    "BUS_STOP",
    "TAXI_STAND",
    "TRAM_STOP",
    "METRO_STATION",
    "TRAIN_STATION",
    "AIRPORT",
    "PARKING_LOT",
    "CARPOOL_PARKING",
    "FUEL_STATION",
    "WIFI",
)
IMAGE_CATEGORY = open_enum(
    "ImageCategory", "CHARGER", "ENTRANCE", "LOCATION", "NETWORK", "OPERATOR", "OTHER", "OWNER"
)
PARKING_DIRECTION = closed("ParkingDirection", "PARALLEL", "PERPENDICULAR", "ANGLE")
PARKING_RESTRICTION = open_enum(
    "ParkingRestriction",
    "CUSTOMERS",
    "DISABLED",
    "EMPLOYEES",
    "EV_ONLY",
    "MOTORCYCLES",
    "PLUGGED",
    "TAXIS",
    "TENANTS",
)
PARKING_TYPE = open_enum(
    "ParkingType",
    "ALONG_MOTORWAY",
    "PARKING_GARAGE",
    "PARKING_LOT",
    "ON_DRIVEWAY",
    "ON_STREET",
    "UNDERGROUND_GARAGE",
)
POWER_TYPE = closed("PowerType", "AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE", "DC")
STATUS = closed(
    "Status",
    "AVAILABLE",
    "BLOCKED",
    "CHARGING",
    "INOPERATIVE",
    "OUTOFORDER",
    "PLANNED",
    "REMOVED",
    "RESERVED",
    "UNKNOWN",
)
VEHICLE_TYPE = open_enum(
    "VehicleType",
    "MOTORCYCLE",
    "PERSONAL_VEHICLE",
    "PERSONAL_VEHICLE_WITH_TRAILER",
    "VAN",
    "SEMI_TRACTOR",
    "RIGID",
    "TRUCK_WITH_TRAILER",
    "BUS",
    "DISABLED",
)


class GeoLocation(Object):
    latitude = Latitude(required=True)
    longitude = Longitude(required=True)


class AdditionalGeoLocation(GeoLocation):
    name = one(DisplayText)


class Image(Object):
    url = URL(required=True)
    thumbnail = URL()
    category = OneOf(IMAGE_CATEGORY, required=True)
    type = CiString(4, required=True)
    width = Integer(digits=5)
    height = Integer(digits=5)


class BusinessDetails(Object):
    name = String(100, required=True)
    website = URL()
    logo = one(Image)


class EnergySource(Object):
    source = OneOf(ENERGY_SOURCE_CATEGORY, required=True)
    percentage = Number(required=True)


class EnvironmentalImpact(Object):
    category = OneOf(ENVIRONMENTAL_IMPACT_CATEGORY, required=True)
    amount = Number(required=True)


class EnergyMix(Object):
    is_green_energy = Boolean(required=True)
    energy_sources = many(EnergySource)
    environ_impact = many(EnvironmentalImpact)
    supplier_name = String(64)
    energy_product_name = String(64)


class RegularHours(Object):
    weekday = Integer(digits=1, low=1, high=7, required=True)
    period_begin = TimeOfDay(required=True)
    period_end = TimeOfDay(required=True)


class ExceptionalPeriod(Object):
    period_begin = Timestamp(required=True)
    period_end = Timestamp(required=True)


class Hours(Object):
    twentyfourseven = Boolean(required=True)
    regular_hours = many(RegularHours)
    exceptional_openings = many(ExceptionalPeriod)
    exceptional_closings = many(ExceptionalPeriod)


class StatusSchedule(Object):
    period_begin = Timestamp(required=True)
    period_end = Timestamp()
    status = OneOf(STATUS, required=True)


class Connector(Object):
    id = CiString(36, key=True, required=True)
    standard = OneOf(CONNECTOR_TYPE, required=True)
    format = OneOf(CONNECTOR_FORMAT, required=True)
    power_type = OneOf(POWER_TYPE, required=True)
    max_voltage = Integer(required=True)
    max_amperage = Integer(required=True)
    max_electric_power = Integer()
    tariff_ids = many(CiString(36))
    terms_and_conditions = URL()
    capabilities = many(OneOf(CONNECTOR_CAPABILITY))
    last_updated = Timestamp(required=True)


class EVSEParking(Object):
    parking_id = CiString(36, required=True)
    evse_position = OneOf(EVSE_POSITION)


class EVSE(Object):
    uid = CiString(36, key=True, required=True)
    evse_id = CiString(48)
    status = OneOf(STATUS, required=True)
    status_schedule = many(StatusSchedule)
    capabilities = many(OneOf(CAPABILITY))
    connectors = some(Connector)
    floor_level = String(4)
    coordinates = one(GeoLocation)
    physical_reference = String(16)
    directions = many(DisplayText)
    parking_restrictions = many(OneOf(PARKING_RESTRICTION))
    parking = many(EVSEParking)
    images = many(Image)
    accepted_service_providers = many(String(50))
    last_updated = Timestamp(required=True)


class Parking(Object):
    """A parking place. Weights are in kg, sizes in cm, the time limit in minutes (LOC-22)."""

    id = CiString(36, key=True, required=True)
    physical_reference = String(12)
    vehicle_types = some(OneOf(VEHICLE_TYPE))
    max_vehicle_weight = Number()
    max_vehicle_height = Number()
    max_vehicle_length = Number()
    max_vehicle_width = Number()
    parking_space_length = Number()
    parking_space_width = Number()
    dangerous_goods_allowed = Boolean()
    direction = OneOf(PARKING_DIRECTION)
    drive_through = Boolean()
    restricted_to_type = Boolean(required=True)
    reservation_required = Boolean(required=True)
    time_limit = Number()
    roofed = Boolean()
    images = many(Image)
    lighting = Boolean()
    refrigeration_outlet = Boolean()
    standards = many(CiString(36))
    apds_reference = CiString()


class PublishTokenType(Object):
    """Whose drivers may see an unpublished location (LOC-06)."""

    needs = {"uid": "type", "visual_number": "issuer"}
    any_of = ("uid", "visual_number", "group_id")

    uid = CiString(36)
    type = OneOf(TOKEN_TYPE)
    visual_number = String(64)
    issuer = String(64)
    group_id = CiString(36)


class Location(Object):
    country_code = CiString(2, key=True, required=True)
    party_id = CiString(3, key=True, required=True)
    id = CiString(36, key=True, required=True)
    publish = Boolean(required=True)
    publish_allowed_to = many(PublishTokenType)
    name = String(255)
    address = String(255, required=True)
    city = String(45, required=True)
    postal_code = String(10)
    state = String(45)
    country = String(3, required=True)
    coordinates = one(GeoLocation, required=True)
    related_locations = many(AdditionalGeoLocation)
    parking_type = OneOf(PARKING_TYPE)
    evses = many(EVSE)
    parking_places = many(Parking)
    directions = many(DisplayText)
    operator = one(BusinessDetails)
    suboperator = one(BusinessDetails)
    owner = one(BusinessDetails)
    facilities = many(OneOf(FACILITY))
    time_zone = String(255, required=True)
    opening_times = one(Hours)
    charging_when_closed = Boolean()
    images = many(Image)
    energy_mix = one(EnergyMix)
    help_phone = CiString(25)
    last_updated = Timestamp(required=True)
