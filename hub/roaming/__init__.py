"""The rules of roaming, whoever asks: partners, stations or operators. No wire is known here.

    modules         what tells the OCPI modules apart
    merging         how a change meets what is kept
    ports           what each wire needs of the other one
    grouping        many callers, one commit; ``pacing`` lets requests go first
    time_zones      where a place leaves out its own
    rekeying        encrypting anew, when a key of the hub changes
    network/        who takes part, and who may see and reach whom
    store/          the one door in, what is kept, and reading it
    cursors, feed/  the one way out: what changed, in one order, and how far each partner is;
                    ``jumps`` puts a partner elsewhere
    pulls/          what is fetched from partners, when, and how fresh that is
    authorization/  who may charge
    commands/       requests whose result comes later, and those for our own stations
    stations/       our own stations and their EVSEs
    metering/       readings, and what they come to
    charging/       transactions at our own stations, from the first message to the CDR
    projection/     our own stations and sessions as OCPI documents
    pricing/        what charging costs, and whether a CDR is right
    settlement/     CDRs checked, disputed and settled

Rooms need each other in one direction only; ``tests/test_architecture.py`` sees to it.
"""
