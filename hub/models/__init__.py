"""The tables. docs/data-model.md draws them.

    base          what all have in common: tenant, id, times, who changed it
    values        enumerations and values that rules use as well
    tenants       with users, roles and API keys; ``audit`` what they did
    partners      with parties, tokens, endpoints, agreements
    objects       of OCPI, one row each; ``extensions`` those of newer modules
    clientinfo    who is connected, as an object
    aliases       other names of objects; ``losses`` what a version could not say
    feed          cursors, setbacks, quarantine
    routing       ways back, hints, and how far is pulled
    commands      and their results
    cdr_checks    verdicts and disputes
    stations      with connectors and settings; ``ocpp`` their EVSEs, calls and reports
    operating     charging profiles, firmware and logs of stations; ``certificates``
    transactions  as stations know them, with reservations
    charging      the same as sessions with readings and costs, and tokens of our own
    all           every one of these: the complete schema

Begin with ``base``.
"""
