"""Members that classes of OCPI 2.1.1 do not have and those of 2.2.1 do."""

from hub.ocpi.schemas import v2_1_1, v2_2_1
from hub.ocpi.versions.base import Translate
from hub.ocpi.versions.rewriting import added, early, without


def newer(name: str) -> Translate:
    """What somebody ahead of 2.1.1 may send in an object of this class: see ``early``."""
    schema = v2_2_1.SCHEMAS[name]
    return early(schema, *added(schema, v2_1_1.SCHEMAS[name]))


def older(name: str) -> Translate:
    """Leave out what 2.1.1 does not have."""
    return without(*added(v2_2_1.SCHEMAS[name], v2_1_1.SCHEMAS[name]))
