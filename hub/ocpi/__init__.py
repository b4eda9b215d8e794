"""The OCPI wire: what partners say and hear. Translates, and decides nothing that is a rule.

    api              what every request passes through, and which function serves it
    operations       every request OCPI knows, as rows; ``operation`` is such a row
    request          what the middlewares learn and the endpoints read
    envelope         what every answer wears; ``paging`` is for lists
    versions/        the ladder between OCPI versions; ``schemas/`` is what is valid in each
    translation      up and down the ladder, with what must be looked up for it
    short_addresses  for partners of an older edition of their version
    endpoints/       requests for the hub itself
    routing/         requests for somebody else; ``custom`` for modules that nobody knows
    handshake/       getting registered, renewing, parting; ``renewals`` come by themselves
    directory        who is calling; ``limits`` how much one may ask for
    delivery/        the way out: following the feed
    pulls/           fetching what partners have
    presence         is a partner there, and what does it serve
    issuers          asking the issuer of a token, for our own stations
    client           calling a partner, through ``outbound``, the only door to other servers;
                     ``egress`` is what may be called
    description      all of it as OpenAPI documents

Begin with ``api``.
"""
