"""Getting registered, renewing, and parting.

    handshake     when a partner calls us
    joining       when we call a partner; ``exchange`` is what is said then
    discovery     what a platform serves
    claims        what it says of itself, and how much is believed
    introduction  how the hub introduces itself, with its ``logo``
    trace         every step, for whoever has to find out why it failed

Begin with ``handshake``. No transaction is open while a partner is called.
"""
