"""A version of OCPP as a station speaks it, through the ``ocpp`` library.

A dialect makes the requests that a station has in mind, and answers what the CSMS asks for. What a
station is and does is the same in all of them: see ``station.py``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import ocpp.messages  # type: ignore[import-untyped]

from hub.simulator.answers import ANSWERS, Answer, Payload

if TYPE_CHECKING:
    from hub.simulator.station import SimulatedStation

# Threads for the sake of a few kilobytes cost more than they bring.
ocpp.messages.ASYNC_VALIDATION = False


class Dialect:
    """``answers`` are by action; an action that is not there is refused, as the library does it."""

    version: ClassVar[str]
    library: ClassVar[Any]
    answers: ClassVar[Mapping[str, Answer]] = ANSWERS

    def __init__(self, station: "SimulatedStation") -> None:
        self.station = station

    def request(self, action: str, **payload: Any) -> Any:
        return getattr(self.library.call, action)(**payload)

    def boot(self) -> Any:
        raise NotImplementedError

    def status(self, word: str) -> Any:
        raise NotImplementedError

    def started(self, remote: Payload | None) -> Any:
        raise NotImplementedError

    def metered(self, power: float) -> Any:
        raise NotImplementedError

    def stopped(self, reason: str) -> Any:
        raise NotImplementedError

    def after_start(self, answer: Any) -> str:
        """What the answer to a start says of the token; sets the transaction's number in 1.6."""
        raise NotImplementedError
