"""Requests from one party to another.

    parties       who speaks and who is spoken to; ``peers`` for versions without such headers
    ownership     whose an object is
    kept_objects  what the hub keeps, as far as the caller may see it
    owners        whom a request is for that names nobody; ``hints`` what passed through before
    forward       found, checked, passed on, and the answer brought back
    ways          which platform, and at which URL; ``links`` are URLs of ours that stand for theirs
    bodies        what requests and answers say between two versions
    calls         calling within the time that the caller has
    callbacks     requests whose result comes later
    passed        what passes through and is kept as well; ``booked`` for bookings
    own           the party of our own stations: one more receiver

Begin with ``forward``. Nothing here but ``booked`` is written for one module.
"""
