"""What a check is: a rule of OCPI, with its requirement ids, and the function that tries it.

    @check("TRANSPORT-38", "A request without a token is answered with HTTP 401.")
    async def without_a_token(subject):
        asked = await subject.get(subject.versions_url, token=None)
        if asked.answer.http_status != 401:
            yield Fault(asked, "Look at the token before anything else.")

The title is what is expected; a ``Fault`` says what came instead and how to mend it.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from hub.conformance.caller import Exchange
from hub.conformance.subject import NotChecked, Subject
from hub.ocpi.outbound import Refused, Unreachable

__all__ = ["Check", "Checks", "Fault", "Faults", "NotChecked", "Outcome", "Weight", "make"]


class Weight(StrEnum):
    """What OCPI demands, and what it advises (or what practice has shown)."""

    MUST = "must"
    SHOULD = "should"


@dataclass(frozen=True)
class Fault:
    """``ids`` where the fault breaks a narrower rule than the whole check."""

    exchange: Exchange | None
    mend: str
    got: str = ""
    ids: tuple[str, ...] = ()


Faults: TypeAlias = AsyncIterator[Fault]
Run: TypeAlias = Callable[[Subject], Faults]


@dataclass(frozen=True)
class Check:
    """``since`` is the oldest version that it is for, ``until`` the newest."""

    ids: tuple[str, ...]
    title: str
    run: Run
    weight: Weight = Weight.MUST
    since: str = "2.1.1"
    until: str = "2.3.0"

    def is_for(self, version: str) -> bool:
        return self.since <= version <= self.until


@dataclass(frozen=True)
class Outcome:
    """A check that was made (``faults`` empty: passed) or, with ``skipped``, why it was not."""

    check: Check
    faults: list[Fault] = field(default_factory=list)
    skipped: str = ""


class Checks(list[Check]):
    """The checks of one module of rules, in the order in which they are written."""

    def __call__(
        self,
        ids: str,
        title: str,
        *,
        weight: Weight = Weight.MUST,
        since: str = "2.1.1",
        until: str = "2.3.0",
    ) -> Callable[[Run], Run]:
        """Decorate a check. ``ids`` are separated by blanks."""

        def add(run: Run) -> Run:
            self.append(Check(tuple(ids.split()), title, run, weight, since, until))
            return run

        return add


async def make(check: Check, subject: Subject) -> Outcome:
    """Make one check. A platform that does not answer has failed it."""
    outcome = Outcome(check)
    try:
        async for fault in check.run(subject):
            outcome.faults.append(fault)
            if fault.exchange is not None:
                subject.blamed.add(fault.exchange)
    except NotChecked as why:
        # What was found before counts.
        return outcome if outcome.faults else Outcome(check, skipped=str(why))
    except (Refused, Unreachable) as error:
        outcome.faults.append(Fault(None, "Answer every request.", f"no answer: {error.reason}"))
    return outcome
