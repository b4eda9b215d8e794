"""One connection of one station.

    link       frames in, frames out, and nothing that can hurt the others
    incoming   CALLs of the station, answered in order
    outgoing   CALLs to the station, one at a time
    frames     what one WebSocket text may be
    messages   what the messages of each version must look like
    rates      how fast a station may talk
    patience   what a station waits for the database
    presence   whether a message speaks of now
    redaction  what an operator may see of a message
    registry   who is connected to this process

Begin with ``link``.
"""
