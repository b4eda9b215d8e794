"""Requests for the hub itself.

    objects      lists, and objects one by one: pushed, read, deleted
    pushes       what a push says, whose it is, and what to keep of it
    posted       records, which are posted once and for all
    locations    EVSEs and connectors, which have URLs of their own
    sessions     charging preferences
    tokens       real-time authorization
    commands     whom commands and charging profiles are for; ``results`` of them
    bookings     and calendars; ``payments`` are terminals and what was captured at them
    clientinfo   who can be reached
    versions     what the hub speaks and where; ``credentials`` lead to ``handshake/``

Begin with ``objects``. Which request comes to which function is in ``hub/ocpi/api.py``.
"""
