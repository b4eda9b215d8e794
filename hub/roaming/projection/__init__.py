"""Our own stations and sessions as OCPI 2.3.0 documents. Pure: facts in, documents out.

    evses       what operators and stations say of an EVSE, and the one status it has
    sessions    a transaction, while it runs and when it has ended
    periods     what was measured, as the charging periods of both
    cdrs        an ended transaction at its place, and the CDR that takes one back
    signed_data the signed readings of meters, byte for byte

Begin with ``evses``. From here on they are like anybody else's: the documents go through
``objects.apply`` and along the feed. What OCPI must not see (the OCPP identity of a station, T-47)
is not among the facts.
"""
