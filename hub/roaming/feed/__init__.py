"""Everything that changed, in one order: what partners are told of.

    sources           the streams that partners follow, one per module and two more
    changes           what changed since a place, and how it is told
    location_changes  locations and their EVSEs as one stream
    withdrawals       locations that are not published any more, as taken back
    disclosure        what an agreement opens, told to those who may see it now
    active_profiles   active charging profiles as a stream
    results           results of commands as a stream
    tariff_turns      tariffs that came into force without anybody's saying so
    setbacks          objects that one partner would not take
    backlog           what partners have not been told yet

Begin with ``changes``. A partner's place in it is a cursor (``hub/roaming/cursors.py``).
"""
