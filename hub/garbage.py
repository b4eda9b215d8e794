"""When Python looks for garbage that reference counting leaves.

The hub makes hardly any, and what it has loaded once (modules, schemas, routes) it never drops.
With Python's own thresholds that was a tenth of its time under load, and a pause of 0.2 s for
everybody whenever all of it was looked through.
"""

import gc

# Of new containers that are still in use, as many as a hundred large pushes under way hold.
THRESHOLDS = (50_000, 10, 10)


def collect_seldom() -> None:
    """To be called once everything is loaded: what is there now is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
