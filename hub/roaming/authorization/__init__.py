"""Who may charge.

    authorization       may this token charge here?
    token_restrictions  where, when and how often, for tokens of our own
    token_aliases       what a station calls a token that does not fit into OCPP

Begin with ``authorization``; it asks nobody, the wires do.
"""
