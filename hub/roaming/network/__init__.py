"""Who takes part in a tenant's network, and what is agreed between them.

    partners       connected platforms as everybody else sees them: ``Connection``
    registration   what a handshake leaves behind
    invitations    what the operator decides: who may come, as whom, and who stays out
    configuration  what can be set for one partner
    quirks         what one partner wants said differently
    agreements     which party gets what of which other one, as rows
    audience       the same as answers: who may see, who is told, who may reach whom
    clientinfo     who is told to be connected

Begin with ``audience``, which answers the questions that everybody asks.
"""
