"""What an operator can set for one partner, as it is stored and as it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Configuration:
    """What the operator set for one partner (``ocpi_partners.configuration``).

    What is agreed:
        supported_modules           the modules; None: all
        required_modules            without these the registration is refused (3003): ``locations``
                                    or ``locations:SENDER``
        delivery                    what a partner gets that was away or is new: ``catch_up`` or
                                    ``live_only``
        allowed_origins             where its endpoints may be besides its versions URL
        rate_limits                 how much it may ask for, where that is not the usual:
                                    ``requests_per_second`` on average, ``burst`` at once
        beside                      the partner of which this is one more registration
        credentials_update_minutes  at least so long apart the hub PUTs its credentials to a partner
                                    that must know of other parties than before (CRED-06); 0: never

    How it is spoken to:
        token_form                  ``auto``, ``base64`` or ``raw``
        time_zone                   of locations that do not name theirs, which 2.1.1 allows
        module_names                what modules are called in its version details, such as
                                    ``bookings`` for Booking (BOOK-14)
        quirks                      go before what was found (``roaming.quirks``)
        probe                       False: nobody looks for quirks
        x_limit                     what X-Limit says: the size of the ``page``, or the most that
                                    the ``server`` would give (AMB-06)
        late_objects                a date_from also finds what reached the hub since (AMB-24)

    What is pulled from it (``sync_terms``):
        auto_sync_enabled           False: nothing, unless somebody asks
        sync                        by module: ``mode``, ``interval_minutes``, ``full_days``,
                                    ``fresh_hours``, ``absent``
    """

    auto_sync_enabled: bool = True
    sync: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quirks: Mapping[str, Any] = field(default_factory=dict)
    probe: bool = True
    late_objects: bool = False
    x_limit: str = "page"
    supported_modules: frozenset[str] | None = None
    required_modules: frozenset[str] = frozenset()
    delivery: str = "catch_up"
    allowed_origins: frozenset[str] = frozenset()
    token_form: str = "auto"  # noqa: S105 - the form, not the token
    beside: str | None = None
    time_zone: str | None = None
    credentials_update_minutes: int = 60
    module_names: Mapping[str, str] = field(default_factory=dict)
    rate_limits: Mapping[str, float] = field(default_factory=dict)
    custom_settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Configuration":
        """Read what is stored; members that are missing or unknown do no harm."""
        known = {name: stored[name] for name in cls.__dataclass_fields__ if name in stored}
        for name in ("supported_modules", "required_modules"):
            if known.get(name) is not None:
                known[name] = frozenset(known[name])
        origins = known.get("allowed_origins") or ()
        known["allowed_origins"] = frozenset(place.rstrip("/").lower() for place in origins)
        return cls(**known)
