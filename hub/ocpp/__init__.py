"""The OCPP wire: what stations say and hear. Translates, and decides nothing that is a rule.

    service        all of it as one thing; ``wire`` is what conversations need of the hub
    server         where stations connect; ``listener`` is the port with TLS, ``gate`` lets them in
    identity       which station is calling
    conversation/  frames, deadlines and limits of one connection; ``frame_log`` shows the last ones
    versions/      messages of 1.6, 2.0.1 and 2.1, in and out; ``timestamps`` as stations write them
    tls/           certificates: of stations, of the listener, of each tenant's CA
    stations       what the hub may ask of a station, in no version's words
    relay          calls for stations of other processes; ``call_rows`` keeps them
    calls          any message, for operators; ``jobs``, ``local_lists`` and ``templates`` send
                   what takes several, ``files`` is where stations fetch and bring files
    upkeep         what must be done now and then; ``doubts`` looks into transactions without end

Begin with ``server``.
"""
