"""What charging costs: a tariff engine that agrees with the OCPI text, and checks CDRs with it.

A pure library: documents in, values out; no clock, no network, no database. Whoever has a CDR and
its tariffs, of OCPI 2.1.1, 2.2.1 or 2.3.0, asks

    engine.price(tariffs, cdr, time_zone="Europe/Berlin")     -> Priced: totals, parts, pieces
    check.check(cdr, tariffs, time_zone="Europe/Berlin")      -> Verdict: ok, differs, cannot tell
    explain.table(priced), explain.entries(priced)            -> every cent, as text or JSON
    wire.totals(priced, "2.2.1")                              -> the totals as a CDR states them
    lint.lint(tariff)                                         -> what is wrong with a tariff
    english.explain(tariff)                                   -> what a driver pays, in English

and for the hub's own stations

    periods.split(priced)                                     -> divided where the price changes
    periods.charging_periods(tariffs, usage, time_zone=…)     -> the same of what a station saw
    engine.price(tariffs, session, until=now, …)              -> the running price

Documents are dicts as they came; numbers may be int, float or Decimal. A tariff that is used again
and again may be read once with ``tariffs.read`` and passed instead of its document. What has no
price raises ``quantities.CannotPrice``; only ``check`` turns that into a verdict.

Exact throughout: whole Wh and seconds, fractions where something is divided, and rounding only in
``wire``, where amounts are written down. docs/pricing.md tells how it computes and why.

    tariffs       what a tariff says, ready to be priced with: ``components``, ``restrictions``
    records       what a CDR or session says; ``quantities`` are exact
    pieces        what happened when; ``timeline`` cuts it where the price may change
    choosing      which tariff prices which period; ``zones`` tells local time
    engine        the price; ``stepping`` rounds up to steps, ``money`` keeps taxes apart
    periods       charging periods for sessions of our own
    check         is a CDR right; ``faults`` besides its amounts, ``duplicates`` of it
    lint          is a tariff right; ``findings``, found by ``coverage``, ``reach``, ``connectors``
    explain       where every cent comes from; ``english`` what a driver pays
    wire          written down as each version wants it; ``answers`` one line in, one line out
    remembering   tariffs that were used last

Begin with ``engine``.
"""
