"""Rounding up to the step size, as the text has it (PRICE-30 … PRICE-36).

Once per session for energy, and once for charging and parking time together. The step size that
counts is that of the component which prices the last billable period of the group. What is rounded
up is everything of that period's own dimension that was billed in the session, under whichever
elements and tariffs; the excess is added to that last period, at its price. Of charging and parking
time only the one that came last is rounded, the other is billed to the second. What nobody is asked
to pay for, because no component is active, takes no part.

Reserved time is rounded by itself (PRICE-35), and so is time beyond a booked slot.
"""

from collections.abc import Iterable, Sequence

from hub.roaming.pricing.pieces import Piece
from hub.roaming.pricing.quantities import WATT_HOUR, Exact, tidy
from hub.roaming.pricing.tariffs import Phase

RESERVED = frozenset({Phase.RESERVATION, Phase.EXPIRED, Phase.CANCELLED})


def step_up(pieces: Sequence[Piece]) -> None:
    """Enter on the last billable piece of each group what rounding up adds."""
    step_energy(pieces)
    session = [piece for piece in pieces if piece.in_session]
    step_time(session)
    if len(session) < len(pieces):
        step_time([piece for piece in pieces if piece.phase in RESERVED])
        step_time([piece for piece in pieces if piece.phase is Phase.OVERTIME])


def step_energy(pieces: Iterable[Piece]) -> None:
    last: Piece | None = None
    total: Exact = 0
    for piece in pieces:
        if piece.energy_price is not None and piece.energy:
            total += piece.energy
            last = piece
    if last is not None and last.energy_price is not None:
        last.extra_energy = excess(total, last.energy_price.step * WATT_HOUR)


def step_time(pieces: Iterable[Piece]) -> None:
    totals: dict[bool, Exact] = {}
    last: Piece | None = None
    for piece in pieces:
        if piece.time_price is not None and piece.seconds:
            is_parking = piece.phase is Phase.PARKING
            totals[is_parking] = totals.get(is_parking, 0) + piece.seconds
            last = piece
    if last is not None and last.time_price is not None:
        total = totals[last.phase is Phase.PARKING]
        last.extra_seconds = excess(total, last.time_price.step)


def excess(total: Exact, step: int) -> Exact:
    """How much is missing to the next multiple of the step. Energy fed back is not rounded."""
    if total <= 0:
        return 0
    missing = -total % step
    return missing if isinstance(missing, int) else tidy(missing)
