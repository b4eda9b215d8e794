"""The admin API: what operators ask, say and decide. One module for what stands in one list.

Of the network
    partners          platforms; ``partner_input`` and ``partner_output`` are what is said of them
    probes            what a platform serves and how it wants it
    agreements        which party gets what of which other one; ``disclosure`` tells them of it
    feed              how deliveries go
    syncs             pulls, and how fresh data is
    refusals          what partners would not take (``setbacks``), or came with a fault
                      (``quarantine``)
    objects           what the hub keeps; ``own_objects`` what the operator writes
    losses            what could not be carried from version to version
    commands          who asked whom for what

Of money
    cdrs              verdicts, disputes, what is held; ``cdr_lists`` finds them
    settlements       what parties owe each other in a month

Of our own stations
    stations          as operators keep them; ``station_output`` as they see them
    evses             what OCPI is to see of them
    station_passwords, certificates
                      how stations prove who they are
    station_settings  what they said of themselves
    station_calls     any message of OCPP to them; ``station_jobs`` firmware and logs
    charging_profiles, local_lists
                      what they are given
    transactions      at them; ``reservations``
    tokens            of the operator's own drivers; ``token_input`` is what may be said of them

Of people
    tenants           networks on one hub
    users, roles, keys
                      who may what; ``lockout`` leaves one who can undo it; ``me`` is the caller
    audit             who did what; ``authors`` by name

Of all of them
    api               how it is mounted; ``auth`` is who calls
    routes            an operation: path, permission, what goes in and comes out
    input, output     reading what is sent; showing it, a page at a time
    errors            what can go wrong
    description       all of it as OpenAPI; ``docs`` shows it

Begin with ``routes``, then read any list, such as ``roles``. ``hub/cli/`` has a module of the same
name for most of them.
"""
