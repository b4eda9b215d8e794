"""Every module with tables: whoever imports this knows the complete schema."""

from hub.models import (
    aliases,
    audit,
    cdr_checks,
    certificates,
    charging,
    clientinfo,
    commands,
    extensions,
    feed,
    losses,
    objects,
    ocpp,
    operating,
    partners,
    routing,
    stations,
    tenants,
    transactions,
)
from hub.models.base import Base

__all__ = [
    "METADATA",
    "aliases",
    "audit",
    "cdr_checks",
    "certificates",
    "charging",
    "clientinfo",
    "commands",
    "extensions",
    "feed",
    "losses",
    "objects",
    "ocpp",
    "operating",
    "partners",
    "routing",
    "stations",
    "tenants",
    "transactions",
]

METADATA = Base.metadata
