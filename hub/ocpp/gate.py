"""How fast stations are let in, and what wrong guesses cost."""

import asyncio
import time

from aiohttp import web

from hub.db import Database
from hub.ocpp.conversation.rates import Bucket, Tally

# At each port: nobody is known yet, and who floods one port shall not keep stations from another.
HANDSHAKES_PER_SECOND = 200.0
# While more messages wait for the database, nobody else is let in; who is to wait for so many
# seconds is sent away.
CROWD = 50
TURN_DEADLINE = 20.0
WRONG_TRIES = 60
TARPITS = 200


def pace_of_port() -> Bucket:
    return Bucket(HANDSHAKES_PER_SECOND, HANDSHAKES_PER_SECOND)


class Gate:
    """What all pass who come to any port, in one line, for it is one database that they wait for.

    A right password is never refused for wrong ones that came from the same address, or of the
    same name: that would let anybody lock stations out. A guesser is only answered later and later
    (T-45).
    """

    def __init__(self) -> None:
        self.turn_within = TURN_DEADLINE
        self.line = asyncio.Lock()
        self.wrong: dict[str, Tally] = {}
        self.waiting = 0

    async def take_turn(self, database: Database, pace: Bucket) -> None:
        """Wait for one's turn at the port that has this pace.

        Raises HTTPServiceUnavailable when it does not come in a while.

        Who is connected already goes first: were all let in that come back after an outage, the
        database would have more to do for each of them than stations wait for an answer (F-17).
        """
        later = web.HTTPServiceUnavailable(headers={"Retry-After": "30"})
        if pace.at > time.monotonic() + self.turn_within:
            raise later
        try:
            async with asyncio.timeout(self.turn_within):
                if pause := pace.wait(time.monotonic()):
                    await asyncio.sleep(pause)
                async with self.line:
                    if database.turns is not None:
                        await database.turns.ease(CROWD)
        except TimeoutError as error:
            raise later from error
        except asyncio.CancelledError:
            pace.give_back()
            raise

    async def punish(self, address: str, seconds: float) -> None:
        if len(self.wrong) > 10_000:  # noqa: PLR2004
            self.wrong.clear()
        tally = self.wrong.setdefault(address, Tally(WRONG_TRIES))
        if tally.exceeded(time.monotonic()) and self.waiting < TARPITS:
            self.waiting += 1
            try:
                await asyncio.sleep(seconds)
            finally:
                self.waiting -= 1
