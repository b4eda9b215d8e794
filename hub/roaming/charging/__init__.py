"""Transactions at our own stations, from the first message to the CDR.

    charging          begin, go on, end: in whatever order the messages come
    transactions      as rows, found by whatever a station says of them
    circumstances     place, EVSE and tariff that a session began under
    meter_intake      readings of many transactions at a time; ``meter_values`` as rows
    status_intake     statuses of connectors, many at a time
    endings           the end, reported or supposed
    missing_stops     the end that was never reported: from doubt to a bill
    allowances        how much a token may take
    billing           the Session and the CDR that OCPI sees
    own_prices        what it costs; ``displayed_costs`` what the driver is shown
    session_records   what operators look at; ``charge_records`` the same of CDRs

Begin with ``charging``.
"""
