"""What meters say, and what it comes to. Pure.

    clocks     stations' clocks: believed, corrected, or not believed
    readings   from what a station says to figures one can count with
    progress   how far a transaction has come
    metering   energy, power, and the periods OCPI wants
    crossings  where a limit of the tariff is crossed

Begin with ``readings``.
"""
