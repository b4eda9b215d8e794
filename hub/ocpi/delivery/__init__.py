"""The way out: every partner is told what it has not seen.

    sender    follows the feed, and begins rounds; ``lookout`` looks where there is work
    rounds    read what is new, see whom it concerns, lease their cursors; ``batches`` are
              what each gets, ``streams`` what a process remembers
    courier   one partner, one batch; ``slots`` lets the urgent ones through first
    delivery  one change told to one party, and what the answer means
    window    the end of the feed, rendered once for all
    ledger    what came of batches, written down
    bell      telling other processes

Begin with ``sender``.
"""
