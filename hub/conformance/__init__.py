"""Examining somebody else's OCPI platform: ``hub conformance``.

    caller     one request to the platform, and everything that was said in it
    subject    the platform under test: its versions, endpoints, roles and objects
    callbacks  a small OCPI server of our own, for the platform to call
    checks     what a check is, and running one
    samples    objects of ours, to be pushed
    pushing    such objects on their way, and what the platform has made of them
    rules/     the checks themselves, by subject
    examine    which checks are made, in which order
    report     what was found, for people and for programs

Nothing in here knows of the hub's database: a partner can run it anywhere.
"""
