"""What shows that a message speaks of now, and was not kept back while the station was offline.

A driver who has just shown a token, a command the station has just taken: the transaction that
follows from it is live, and so is whatever comes after, for stations send in order what they kept.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.roaming.authorization.authorization import Decision

# How long, in seconds, an authorisation leads to a transaction; stations wait two minutes or less.
LEADS_TO_START = 300.0
REMEMBERED = 32


@dataclass(frozen=True, slots=True)
class Authorized:
    """What was said about a token, and when it was shown."""

    decision: Decision
    at: datetime
    noted: float


class Presence:
    """Of one connection. ``draining`` is how long, in seconds, it may be busy with the past."""

    def __init__(self, draining: float) -> None:
        self.opened = time.monotonic()
        self.draining = draining
        self.caught_up = False
        self.authorized: OrderedDict[str, Authorized] = OrderedDict()
        self.commands: OrderedDict[str, float] = OrderedDict()

    def shown(self, token: str, decision: Decision) -> None:
        now = time.monotonic()
        self.authorized[token.upper()] = Authorized(decision, datetime.now(UTC), now)
        while len(self.authorized) > REMEMBERED:
            self.authorized.popitem(last=False)

    def decided(self, token: str | None) -> Authorized | None:
        """What was said about this token a moment ago: it need not be asked again."""
        found = self.authorized.get((token or "").upper())
        if found is None or time.monotonic() - found.noted > LEADS_TO_START:
            return None
        return found

    def commanded(self, key: str) -> None:
        """The station took a command that leads to a message with this token or id.

        What was said about the token before is not what the transaction follows from any more.
        """
        self.authorized.pop(key.upper(), None)
        self.commands[key.upper()] = time.monotonic()
        while len(self.commands) > REMEMBERED:
            self.commands.popitem(last=False)

    def live(self, *keys: object) -> bool:
        """Whether a message that names these tokens or ids is about now."""
        now = time.monotonic()
        for key in (str(key).upper() for key in keys if key is not None):
            taken = self.commands.get(key)
            shown = self.authorized.get(key) if now - self.opened >= self.draining else None
            noted = taken if taken is not None else shown.noted if shown is not None else None
            if noted is not None and now - noted <= LEADS_TO_START:
                self.caught_up = True
        return self.caught_up
