"""The classes of OCPI 2.3.0 and its extensions: the canonical form of all that the hub keeps."""

from collections.abc import Mapping
from types import ModuleType

from hub.ocpi.schemas import (
    bookings,
    cdrs,
    chargingprofiles,
    clientinfo,
    commands,
    credentials,
    invoicereconciliation,
    locations,
    payments,
    sessions,
    tariffs,
    tokens,
    types,
    versions,
)
from hub.ocpi.schemas.objects import Object

MODULES = (
    types,
    versions,
    credentials,
    locations,
    tariffs,
    tokens,
    cdrs,
    sessions,
    commands,
    chargingprofiles,
    clientinfo,
    invoicereconciliation,
    bookings,
    payments,
)


def classes(*modules: ModuleType) -> dict[str, type[Object]]:
    """The OCPI classes that some modules define."""
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Object)
        and value.__module__ == module.__name__
        and value is not Object
    }


SCHEMAS: Mapping[str, type[Object]] = classes(*MODULES)
