"""Messages of each version, to and from the words of the rules.

    station                            what all versions have in common
    v16, v201, v21                     what one of them has
    transactions_16, transactions_2x   charging; ``samples`` are the readings
    provisioning_16, provisioning_2x   setting up a station after a boot; ``device_model`` is what
                                       2.x reports
    notices                            what no session follows from
    answers                            what answers to our own CALLs say about a station
    profiles                           charging profiles and schedules

Begin with ``v16``: translate, decide nothing.
"""
