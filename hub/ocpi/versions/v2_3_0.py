"""OCPI 2.3.0, the canonical form."""

from hub.ocpi.schemas.v2_3_0 import SCHEMAS
from hub.ocpi.versions.base import Version

V2_3_0 = Version("2.3.0", SCHEMAS)
