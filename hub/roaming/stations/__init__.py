"""Charging stations of our own, whatever version they speak.

    stations          what they report of themselves; ``boot_intake`` takes many boots at a time
    connectors        what they report of their connectors
    placement         where they stand, and which EVSEs are published
    own_evses         what OCPI is told of them
    station_settings  what they say of their settings, abilities and health
    station_reports   events, limits, answers in parts
    station_jobs      firmware updates and logs
    caches            what they remember of tokens
    local_lists       which tokens they let charge when they cannot ask

Begin with ``stations``. The words of OCPP end in ``hub/ocpp/versions/``.
"""
