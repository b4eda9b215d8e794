"""What is valid in each version of OCPI, as marshmallow schemas.

    v2_3_0     every class of the canonical version, by name
    v2_2_1, v2_1_1
               the classes that are different there
    objects    what all classes have in common, and how often a member may occur
    fields     the types that members are of; ``types`` are classes that modules share
    enums      closed ones and open ones
    timestamps as OCPI and as partners write them
    tidying    what is put right in a valid object
    compiled   the same in JSON Schema (``jsonschema``), which decides fast

The classes of OCPI 2.3.0 are in a module for each of its modules: ``locations``, ``tariffs``,
``sessions``, ``cdrs``, ``tokens``, ``commands``, ``chargingprofiles``, ``clientinfo``,
``bookings``, ``payments``, ``invoicereconciliation``, ``credentials`` and ``versions``.

Begin with ``locations``. How a body becomes one of another version is in ``hub/ocpi/versions/``.
"""
