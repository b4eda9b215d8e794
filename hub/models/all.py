"""Every module with tables: whoever imports this knows the complete schema."""

from hub.models import (
    audit,
    charging,
    commands,
    feed,
    objects,
    partners,
    routing,
    stations,
    tenants,
)
from hub.models.base import Base

__all__ = [
    "METADATA",
    "audit",
    "charging",
    "commands",
    "feed",
    "objects",
    "partners",
    "routing",
    "stations",
    "tenants",
]

METADATA = Base.metadata
