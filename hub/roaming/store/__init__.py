"""Objects: how they come in, how they are kept, how they are read.

    intake          the way in: many writes share a commit, each is answered for itself
    objects         the one door: ``apply`` a group of writes
    writes          what a write says and what became of it
    rows            fetching and flushing what a group touches; ``row_statements`` is its SQL
    holding         CDRs that wait until they were checked
    hiding          what was on show of a location that is published no longer
    receivers       whom a private object is for
    publication     who may see an unpublished location
    lookups         what older versions leave out; ``aliases`` what 2.1.1 calls things
    own_objects     our own documents on their way through the door
    listing         one object, or a page; ``filters``, ``places`` and ``totals`` serve it
    history         who changed what, for the audit log
    quarantine      what came with a fault
    losses          what could not be carried from version to version

Begin with ``objects``: nothing is kept that did not pass it.
"""
