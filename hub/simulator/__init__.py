"""Simulated charging stations on real sockets.

They speak through the ``ocpp`` library and know nothing of the hub but its URL: what they do is
what a station of somebody else does, so that a fault of the hub's own frames cannot hide in them.
"""
