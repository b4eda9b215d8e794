"""Certificates, and what is proved with them (T-49).

    tls                 what is offered, and whom it trusts
    arrivals            connections that are no station's yet
    authority           the small CA of each tenant
    certificates        of stations; ``renewals`` asks for new ones
    server_certificate  the listener's own, where the operator gives none

Begin with ``tls``.
"""
