"""How fast stations are let in, whatever port they come to, and what wrong guesses cost."""

import asyncio
import time

from aiohttp import web

from hub.db import Database
from hub.ocpp.rates import Bucket, Tally

HANDSHAKES_PER_SECOND = 200.0
# While more messages wait for the database, nobody else is let in; who is to wait for so many
# seconds is sent away.
CROWD = 50
TURN_DEADLINE = 20.0
WRONG_TRIES = 60
TARPITS = 200


class Gate:
    """A right password is never refused for wrong ones that came from the same address, or of the
    same name: that would let anybody lock stations out. A guesser is only answered later and later
    (T-45).
    """

    def __init__(self) -> None:
        self.handshakes = Bucket(HANDSHAKES_PER_SECOND, HANDSHAKES_PER_SECOND)
        self.line = asyncio.Lock()
        self.wrong: dict[str, Tally] = {}
        self.waiting = 0

    async def take_turn(self, database: Database) -> None:
        """Wait for one's turn. Raises HTTPServiceUnavailable when it does not come in a while.

        Who is connected already goes first: were all let in that come back after an outage, the
        database would have more to do for each of them than stations wait for an answer (F-17).
        """
        later = web.HTTPServiceUnavailable(headers={"Retry-After": "30"})
        if self.handshakes.at > time.monotonic() + TURN_DEADLINE:
            raise later
        try:
            async with asyncio.timeout(TURN_DEADLINE):
                if pause := self.handshakes.wait(time.monotonic()):
                    await asyncio.sleep(pause)
                async with self.line:
                    if database.turns is not None:
                        await database.turns.ease(CROWD)
        except TimeoutError as error:
            raise later from error

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
