"""What may be said of drivers' tokens: where, when and how much they may charge."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from hub.admin.input import Input, Matching, ZoneField
from hub.models.values import AuthTokenType

# API keys have commands of their own, and nobody shows one at a station.
TYPES = [kind for kind in AuthTokenType if kind is not AuthTokenType.API_KEY]
DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]$"
# Of OCPP 2.1's identifierString with a little of what readers make up; 1.6 takes 20 of them.
UID = r"[A-Za-z0-9*\-_=:+|@.]{1,255}$"
AMOUNT = r"[0-9]{1,9}(\.[0-9]{1,4})?$"


class Clock(fields.String):
    """A time of day."""

    def __init__(self, **kwargs: Any) -> None:
        allowed = {"allowed": "a time of day such as 07:30"}
        super().__init__(validate=Matching(CLOCK), metadata=allowed, **kwargs)


class Amount(fields.String):
    """Money, in the tenant's currency: a decimal written as text."""

    def __init__(self, **kwargs: Any) -> None:
        allowed = {"allowed": "an amount as text, such as 25.00"}
        super().__init__(validate=Matching(AMOUNT), metadata=allowed, **kwargs)


class TimeRestriction(Input):
    allowed_days = fields.List(fields.String(validate=validate.OneOf(DAYS)))
    start_time = Clock()
    end_time = Clock()
    timezone = ZoneField()

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        if ("start_time" in data) != ("end_time" in data):
            missing = "end_time" if "start_time" in data else "start_time"
            raise ValidationError("A window has a start and an end.", missing)


class GeographicRestriction(Input):
    allowed_countries = fields.List(
        fields.String(validate=Matching("[A-Z]{3}$")),
        metadata={"allowed": "ISO 3166-1 alpha-3 codes such as NLD"},
    )
    allowed_regions = fields.List(
        fields.String(validate=validate.Length(1, 20)),
        metadata={"description": "The `state` of a location."},
    )
    latitude = fields.Float(validate=validate.Range(-90, 90))
    longitude = fields.Float(validate=validate.Range(-180, 180))
    radius_km = fields.Float(validate=validate.Range(0.001, 20_040))

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        circle = ("latitude", "longitude", "radius_km")
        missing = [name for name in circle if name not in data]
        if missing and len(missing) < len(circle):
            raise ValidationError("A circle has a centre and a radius.", missing[0])


class UsageRestriction(Input):
    max_sessions_per_day = fields.Integer(validate=validate.Range(0, 10_000))
    max_sessions_per_month = fields.Integer(validate=validate.Range(0, 100_000))
    max_amount_per_session = Amount()
    max_amount_per_month = Amount()
    max_duration_minutes = fields.Integer(validate=validate.Range(1, 100_000))


class Restrictions(Input):
    allowed_stations = fields.List(
        fields.String(validate=validate.Length(1, 48)),
        metadata={"description": "OCPP identities; a station or its group must be among these."},
    )
    allowed_groups = fields.List(fields.String(validate=validate.Length(1, 100)))
    time_restriction = fields.Nested(TimeRestriction)
    geographic = fields.Nested(GeographicRestriction)
    usage = fields.Nested(UsageRestriction)


class TokenMetadata(Input):
    issuer = fields.String(validate=validate.Length(max=64))
    card_type = fields.String(validate=validate.Length(max=64))
    manufacturer_data = fields.String(validate=validate.Length(max=255))
    custom_fields = fields.Dict(
        keys=fields.String(validate=validate.Length(max=64)),
        values=fields.String(validate=validate.Length(max=255)),
    )
    description = fields.String(validate=validate.Length(max=500))


class TokenChange(Input):
    user_id = fields.UUID(
        allow_none=True, metadata={"description": "The driver, a user of the tenant."}
    )
    group_id = fields.String(
        allow_none=True,
        validate=validate.Length(1, 36),
        metadata={"description": "Tokens of one group may stop each other's sessions."},
    )
    visual_number = fields.String(allow_none=True, validate=validate.Length(1, 50))
    expires_at = fields.AwareDateTime(allow_none=True)
    active = fields.Boolean(metadata={"description": "False: as if it were blocked."})
    metadata = fields.Nested(TokenMetadata)
    restrictions = fields.Nested(Restrictions, metadata={"description": "Replaces all of them."})


class NewToken(TokenChange):
    uid = fields.String(
        required=True,
        validate=Matching(UID),
        metadata={
            "description": "What the reader reads. Compared without case.",
            "allowed": "letters, digits and * - _ = : + | @ .",
        },
    )
    type = fields.String(
        load_default=AuthTokenType.RFID_ISO14443.value, validate=validate.OneOf(TYPES)
    )
