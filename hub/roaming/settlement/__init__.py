"""CDRs after they were accepted: checked, disputed, settled.

    checker     checks in the background; ``checking`` is one round of it
    evidence    what the hub knows that bears on a CDR; ``rivals`` what may bill the same
    disputes    what is said about a CDR, and where that led
    settlement  what two parties owe each other; ``accounts`` reads a month of it
    statements  the same, written down
    invoicing   invoice reconciliation records of our own

Begin with ``checking``. What is right and wrong is computed in ``hub/roaming/pricing/``.
"""
