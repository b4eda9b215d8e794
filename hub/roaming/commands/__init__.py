"""Requests whose result comes later, and what eMSPs may ask of our own stations.

    commands          the life of a command, whoever receives it
    earlier_commands  which command came before, for those that refer to one
    orders            what is asked of our own stations, and where it leads
    local             starting, stopping, unlocking
    reservations      reserving, canceling, expiring
    preferences       charging preferences of drivers
    session_profiles  charging profiles of sessions

Begin with ``commands``. None of it knows a module of OCPI by name.
"""
