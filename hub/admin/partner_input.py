"""What operators send about partners: who they are, and what is agreed with them."""

from typing import Any

from marshmallow import fields, validate

from hub.admin.input import Input, Matching, PartyField
from hub.models.values import Role
from hub.ocpi.operations import MODULE_NAMES
from hub.ocpi.versions import VERSIONS
from hub.roaming.network.quirks import DATE_FORMS, LISTS, ROUTING, SLASHES
from hub.roaming.pulls.sync_terms import MODES, PULLED

# What X-Limit says (AMB-06).
X_LIMITS = ("page", "server")
ORIGIN = r"https?://[^/?#@\s]+"


class RoleGranted(Input):
    party = PartyField(required=True)
    role = fields.String(required=True, validate=validate.OneOf(list(Role)))


class SyncTerms(Input):
    """How one module is pulled; what is left out is as usual."""

    mode = fields.String(
        validate=validate.OneOf(MODES),
        metadata={
            "description": "auto: only what the partner does not push; always: at the interval in"
            " any case; never: only when somebody asks."
        },
    )
    interval_minutes = fields.Integer(validate=validate.Range(5, 100_000))
    full_days = fields.Integer(
        validate=validate.Range(1, 365), metadata={"description": "Everything is pulled so often."}
    )
    fresh_hours = fields.Integer(
        validate=validate.Range(1, 10_000),
        metadata={
            "description": "Nothing new for so long is a reason to look. Left out: it is learned."
        },
    )

    absent = fields.String(
        validate=validate.OneOf(("withdraw", "keep")),
        metadata={
            "description": "What becomes of a tariff or location that is listed no longer: by"
            " default it is withdrawn once a second pull a day later has not found it either."
        },
    )


class QuirksSet(Input):
    """How the partner is spoken to; what is set here goes before what a probe found."""

    slash = fields.String(
        allow_none=True,
        validate=validate.OneOf(SLASHES),
        metadata={"description": "What URLs below its endpoints end with."},
    )
    date_form = fields.String(
        allow_none=True,
        validate=validate.OneOf(DATE_FORMS),
        metadata={"description": "How dates in queries are written."},
    )
    page_limit = fields.Integer(
        allow_none=True,
        validate=validate.Range(0, 10_000),
        metadata={"description": "The largest page to ask for; 0: name none."},
    )
    routing = fields.String(
        allow_none=True,
        validate=validate.OneOf(ROUTING),
        metadata={"description": "Whether its lists are asked for with routing headers."},
    )
    lists = fields.String(
        allow_none=True,
        validate=validate.OneOf(LISTS),
        metadata={"description": "Whether each of its parties is asked for a list of its own."},
    )
    short_addresses = fields.Boolean(
        allow_none=True,
        metadata={
            "description": "It takes 45 characters of an address and 20 of a state, as older"
            " editions of OCPI have it: longer ones are cut (AMB-28)."
        },
    )


class RateLimits(Input):
    """How much a partner may ask for; what is left out is as usual."""

    requests_per_second = fields.Float(
        validate=validate.Range(0.1, 1_000_000), metadata={"description": "On average."}
    )
    burst = fields.Integer(
        validate=validate.Range(1, 1_000_000), metadata={"description": "At once."}
    )


class Configuration(Input):
    """What is agreed with one partner."""

    delivery = fields.String(
        validate=validate.OneOf(("catch_up", "live_only")),
        metadata={
            "description": "What a partner gets that was away: what it missed, or only what is new."
        },
    )
    supported_modules = fields.List(
        fields.String(validate=validate.OneOf(MODULE_NAMES)),
        allow_none=True,
        metadata={"description": "The modules agreed on; null for all."},
    )
    required_modules = fields.List(
        fields.String(), metadata={"description": "Without these a registration is refused."}
    )
    allowed_origins = fields.List(
        fields.String(validate=Matching(ORIGIN + "$")),
        metadata={
            "description": "Where its endpoints may be besides its versions URL.",
            "allowed": "origins such as https://ocpi.example.com",
        },
    )
    own_party_as_no_addressee = fields.Boolean(
        metadata={"description": "It names itself as receiver of lists: read that as nobody."}
    )
    broadcast_as_open_routing = fields.Boolean(
        metadata={"description": "It names the hub as receiver of everything: read as nobody."}
    )
    callbacks_need_token = fields.Boolean(
        metadata={"description": "Results of commands are taken with its token only."}
    )
    unlocks_without_session = fields.Boolean(
        metadata={"description": "A help desk: it may unlock connectors that it does not use."}
    )
    late_objects = fields.Boolean(
        metadata={
            "description": "date_from of its lists also finds what reached the hub since, however"
            " old its last_updated: for a partner that pulls and takes no pushes (AMB-24)."
        }
    )
    x_limit = fields.String(
        validate=validate.OneOf(X_LIMITS),
        metadata={
            "description": "page: X-Limit is the size of the page it asked for; server: the most"
            " that it could ask for (AMB-06)."
        },
    )
    token_form = fields.String(validate=validate.OneOf(("auto", "base64", "raw")))
    beside = fields.String(
        allow_none=True,
        validate=Matching(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
        metadata={
            "description": "The partner of which this is one more registration, at one address: "
            "OCPI 2.1.1 has one party in one role for each.",
            "allowed": "the id of a partner",
        },
    )
    module_names = fields.Dict(
        keys=fields.String(validate=validate.OneOf(MODULE_NAMES)),
        values=fields.String(validate=validate.Length(1, 50)),
        metadata={
            "description": "What modules are called in its version details, where it looks for"
            " another name than usual. Replaces what was set before."
        },
    )
    credentials_update_minutes = fields.Integer(
        validate=validate.Range(0, 44_640),
        metadata={
            "description": "How often at most, in minutes, new credentials are put to a partner of"
            " OCPI 2.3.0 when the parties it can reach have changed; 0 for never."
        },
    )
    auto_sync_enabled = fields.Boolean(
        metadata={"description": "Whether anything is pulled that nobody asked for."}
    )
    sync = fields.Dict(
        keys=fields.String(validate=validate.OneOf(PULLED)),
        values=fields.Nested(SyncTerms),
        metadata={
            "description": "By module: how its lists are pulled. Replaces what was set before."
        },
    )
    quirks = fields.Nested(QuirksSet)
    rate_limits = fields.Nested(RateLimits)
    probe = fields.Boolean(metadata={"description": "Whether it is probed when it has registered."})
    custom_settings = fields.Dict(keys=fields.String())


class ConfigurationChange(Configuration):
    """What is to be agreed from now on; null takes back what was."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.allow_none = True


class Introduction(Input):
    name = fields.String(required=True, validate=validate.Length(1, 255))
    roles = fields.List(
        fields.Nested(RoleGranted),
        required=True,
        validate=validate.Length(1, 1000),
        metadata={"description": "What it may register as. It can never add to this itself."},
    )
    configuration = fields.Nested(Configuration, load_default=dict)


class NewInvitation(Introduction):
    valid_days = fields.Integer(load_default=7, validate=validate.Range(1, 90))


class InvitationAgain(Input):
    valid_days = fields.Integer(load_default=7, validate=validate.Range(1, 90))


class VersionWanted(Input):
    version = fields.String(
        validate=validate.OneOf(list(VERSIONS)),
        metadata={"description": "The OCPI version to speak; by default the newest both know."},
    )


class JoiningAgain(VersionWanted):
    versions_url = fields.String(
        required=True,
        validate=[Matching(ORIGIN + r"(/[^\s?#]*)?$"), validate.Length(max=500)],
        metadata={"allowed": "an http or https URL without query", "description": "Theirs."},
    )
    token = fields.String(
        required=True,
        validate=Matching(r"[\x21-\x7e]{1,64}$"),
        load_only=True,
        metadata={"allowed": "their token A", "description": "Their token A."},
    )


class Joining(Introduction, JoiningAgain):
    pass


class PartnerChange(Input):
    name = fields.String(validate=validate.Length(1, 255))
    configuration = fields.Nested(
        ConfigurationChange,
        metadata={"description": "Null takes a member back: it is then what it is by default."},
    )
    sync_frequency_minutes = fields.Integer(
        allow_none=True,
        validate=validate.Range(5, 100_000),
        metadata={"description": "How often its lists are pulled, where `sync` does not say."},
    )
    roles = fields.List(
        fields.Nested(RoleGranted),
        validate=validate.Length(1, 1000),
        metadata={"description": "Replaces what it may register as."},
    )


class Reason(Input):
    reason = fields.String(load_default="", validate=validate.Length(max=500))
