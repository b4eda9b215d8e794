"""Deliberate mistakes in the engine, to prove that the suite would notice them.

Each mutant changes one place of one module. A child process imports the package with that mistake
in it and runs the tests below; one of them must fail. A mutant whose place is gone is out of date,
one that cannot be imported proves nothing: both are errors.

    python -m tests.pricing.mutants            # all of them
"""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

# Imported before the children are made, so that each of them need not. Never the engine itself.
import hypothesis  # noqa: F401
import orjson  # noqa: F401
import pytest  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "hub.roaming.pricing"
SUITE = ("test_rules", "test_sessions_and_options", "test_verdicts", "test_shapes")

KILLED, SURVIVED, BROKEN = 0, 1, 2


@dataclass(frozen=True)
class Mutant:
    name: str
    module: str
    right: str
    wrong: str


MUTANTS = [
    Mutant(
        "the last matching element wins",
        "timeline.py",
        "    for component, _, tests in candidates:\n",
        "    for component, _, tests in reversed(candidates):\n",
    ),
    Mutant(
        "restrictions are ignored",
        "timeline.py",
        "            if not test(moment):\n                break\n",
        "            if test(moment):\n                continue\n",
    ),
    Mutant(
        "flat fees are charged in every period",
        "timeline.py",
        "if flat is not None and flat not in self.charged:",
        "if flat is not None:",
    ),
    Mutant(
        "energy consumed before is forgotten",
        "timeline.py",
        "            self.consumed += piece.energy",
        "            self.consumed += 0",
    ),
    Mutant(
        "periods are not cut by energy",
        "timeline.py",
        "if tariff.energies and piece.energy and piece.in_session:",
        "if False and piece.energy and piece.in_session:",
    ),
    Mutant(
        "periods are not cut by duration",
        "timeline.py",
        "                if 0 < duration - elapsed < length:",
        "                if False:",
    ),
    Mutant(
        "periods are not cut by local time",
        "timeline.py",
        "if tariff.marks and self.crosses(piece, tariff):",
        "if False:",
    ),
    Mutant(
        "reserved time counts as session time",
        "timeline.py",
        "    start = next((piece.start for piece in laid_out if piece.in_session), first)",
        "    start = first",
    ),
    Mutant(
        "the calm does not end with the hour",
        "timeline.py",
        "            until = piece.start + following(tariff.marks, moment.clock) - moment.clock\n",
        "            until = FOREVER\n",
    ),
    Mutant(
        "the calm does not end with the energy",
        "timeline.py",
        "(limit for limit in tariff.energies if limit > moment.energy)",
        "(limit for limit in () if limit > moment.energy)",
    ),
    Mutant(
        "min_kwh is exclusive",
        "restrictions.py",
        "moment.energy >= limit",
        "moment.energy > limit",
    ),
    Mutant(
        "max_kwh is inclusive", "restrictions.py", "moment.energy < limit", "moment.energy <= limit"
    ),
    Mutant(
        "min_duration is exclusive",
        "restrictions.py",
        "moment.elapsed >= limit",
        "moment.elapsed > limit",
    ),
    Mutant(
        "max_duration is inclusive",
        "restrictions.py",
        "moment.elapsed < limit",
        "moment.elapsed <= limit",
    ),
    Mutant(
        "start_date is exclusive", "restrictions.py", "moment.day >= first", "moment.day > first"
    ),
    Mutant("end_date is inclusive", "restrictions.py", "moment.day < end", "moment.day <= end"),
    Mutant(
        "the week starts on another day",
        "restrictions.py",
        "FIRST_WEEKDAY = 3",
        "FIRST_WEEKDAY = 4",
    ),
    Mutant(
        "end_time is inclusive",
        "restrictions.py",
        "start <= moment.clock < end",
        "start <= moment.clock <= end",
    ),
    Mutant(
        "start_time is exclusive",
        "restrictions.py",
        "start <= moment.clock < end",
        "start < moment.clock < end",
    ),
    Mutant(
        "windows past midnight are empty",
        "restrictions.py",
        "moment.clock >= start or moment.clock < end",
        "moment.clock >= start and moment.clock < end",
    ),
    Mutant(
        "an unknown power is below every limit",
        "restrictions.py",
        "moment.power.reaches(limit) is False",
        "moment.power.reaches(limit) is not True",
    ),
    Mutant(
        "a power at the limit is below it",
        "restrictions.py",
        "if self.low is not None and self.low >= limit:",
        "if self.low is not None and self.low > limit:",
    ),
    Mutant("local time is UTC", "zones.py", "difference.days * DAY + difference.seconds", "0"),
    Mutant(
        "clocks change a day long",
        "zones.py",
        "    if before == after:\n",
        "    if before or after:\n",
    ),
    Mutant(
        "step sizes are applied to each piece",
        "stepping.py",
        "            totals[is_parking] = totals.get(is_parking, 0) + piece.seconds\n",
        "            totals[is_parking] = piece.seconds\n",
    ),
    Mutant(
        "energy is rounded by its last piece alone",
        "stepping.py",
        "            total += piece.energy\n",
        "            total = piece.energy\n",
    ),
    Mutant(
        "parking and charging are rounded as one",
        "stepping.py",
        "is_parking = piece.phase is Phase.PARKING\n",
        "is_parking = last is not None and last.phase is Phase.PARKING\n",
    ),
    Mutant(
        "free time is rounded as well",
        "stepping.py",
        "if piece.time_price is not None and piece.seconds:",
        "if piece.seconds:",
    ),
    Mutant(
        "a reservation is rounded together with the session",
        "stepping.py",
        "[piece for piece in pieces if piece.in_session]",
        "[piece for piece in pieces if piece.phase is not Phase.OVERTIME]",
    ),
    Mutant(
        "a full step makes another one",
        "stepping.py",
        "    missing = -total % step\n",
        "    missing = step - total % step\n",
    ),
    Mutant(
        "steps are rounded down",
        "stepping.py",
        "missing = -total % step",
        "missing = -(total % step)",
    ),
    Mutant(
        "reservations price the session",
        "tariffs.py",
        "    Phase.CHARGING: frozenset({None}),",
        '    Phase.CHARGING: frozenset({None, "RESERVATION"}),',
    ),
    Mutant(
        "the session prices reservations",
        "tariffs.py",
        '    Phase.RESERVATION: frozenset({"RESERVATION", "BOOKING"}),',
        '    Phase.RESERVATION: frozenset({"RESERVATION", "BOOKING", None}),',
    ),
    Mutant(
        "the order of elements decides expired time",
        "tariffs.py",
        "restrictions.purpose not in EXPIRES)",
        "restrictions.purpose is None)",
    ),
    Mutant(
        "expired fees come before the order of elements",
        "tariffs.py",
        "if phase is Phase.EXPIRED and dimension is Dimension.TIME:",
        "if phase is Phase.EXPIRED:",
    ),
    Mutant(
        "the end of a tariff is inclusive",
        "tariffs.py",
        "(self.end is None or moment < self.end)",
        "(self.end is None or moment <= self.end)",
    ),
    Mutant(
        "of several versions of a tariff the first one given counts",
        "choosing.py",
        "if known is None or age(known, start) < age(tariff, start):",
        "if known is None:",
    ),
    Mutant(
        "a version that came after the start counts",
        "choosing.py",
        "return 0 if updated is None or updated > start else updated",
        "return 0 if updated is None else updated",
    ),
    Mutant(
        "the average power is never taken",
        "engine.py",
        "average_power = record.version == V2_1_1",
        "average_power = False",
    ),
    Mutant(
        "the clock does not tell the total time",
        "check.py",
        "lasted = priced.record.end - priced.record.start",
        "lasted = total",
    ),
    Mutant(
        "a tariff without tax_included is gross",
        "tariffs.py",
        "    if value is None:\n        return TaxIncluded.NO\n",
        "    if value is None:\n        return TaxIncluded.YES\n",
    ),
    Mutant(
        "reservations expire when they are used",
        "pieces.py",
        "else Phase.RESERVATION\n",
        "else unused\n",
    ),
    Mutant(
        "coarse hours are believed",
        "pieces.py",
        "abs(seconds - wall) <= SNAP and coarse(period.hours)",
        "False and coarse(period.hours)",
    ),
    Mutant(
        "the clock is believed more than the CDR",
        "pieces.py",
        "abs(seconds - wall) <= SNAP and coarse(period.hours)",
        "seconds >= 0",
    ),
    Mutant(
        "hours are cut off to seconds",
        "quantities.py",
        "    nearest = (2 * abs(billionths) + BILLION) // (2 * BILLION)",
        "    nearest = abs(billionths) // BILLION",
    ),
    Mutant(
        "vat is a fraction",
        "components.py",
        "share = Fraction(self.percentage) / HUNDRED",
        "share = Fraction(self.percentage)",
    ),
    Mutant(
        "gross prices are taxed again",
        "money.py",
        "    if kind is TaxIncluded.NO:\n",
        "    if kind is not TaxIncluded.NOT_APPLICABLE:\n",
    ),
    Mutant(
        "a gross amount passes for a net one",
        "money.py",
        "        net = None if hidden else cost\n",
        "        net = cost\n",
    ),
    Mutant(
        "VAT that is not stated is zero",
        "money.py",
        "        is_free = is_free and not item.component.price\n",
        "        is_free = True\n",
    ),
    Mutant(
        "2.1.1 has no VAT instead of an unknown one",
        "money.py",
        "    tells = rules.taxed and known\n",
        "    tells = known\n",
    ),
    Mutant(
        "only the net limits hold",
        "money.py",
        "amount_of(before, held(after, low.after, high.after), amount.charges)",
        "amount_of(before, after, amount.charges)",
    ),
    Mutant(
        "limits leave the taxes alone",
        "money.py",
        "            after = in_proportion(amount, before, tariff)",
        "            pass",
    ),
    Mutant(
        "limits hold for reservations that were never used",
        "engine.py",
        "money.limited(amount, tariff) if is_session else amount",
        "money.limited(amount, tariff)",
    ),
    Mutant(
        "limits hold for the sum of all tariffs",
        "engine.py",
        "mine = [charge for charge in charges if charge.tariff is tariff]",
        "mine = charges if tariff is tariffs[-1] else []",
    ),
    Mutant(
        "fees for parking are fixed costs",
        "engine.py",
        "    if piece.phase is Phase.PARKING and element.for_parking:\n",
        "    if False:\n",
    ),
    Mutant(
        "the end of the session decides the tariff",
        "choosing.py",
        "    start = record.start if record.start is not None else record.periods[0].start\n",
        "    start = record.end\n",
    ),
    Mutant(
        "the untyped tariff beats the typed one",
        "choosing.py",
        "(tariff_type, None, REGULAR)",
        "(None, tariff_type, REGULAR)",
    ),
    Mutant(
        "periods without a tariff have one all the same",
        "choosing.py",
        'by_name.get(period.tariff_id or "")',
        "by_name.get(period.tariff_id or min(by_name))",
    ),
    Mutant(
        "the tolerance is exclusive",
        "check.py",
        "difference * allowed.denominator > allowed.numerator * below * bottom",
        "difference * allowed.denominator >= allowed.numerator * below * bottom",
    ),
    Mutant(
        "a credit CDR is expected to bill",
        "wire.py",
        "    if not priced.record.is_credit:\n        return total\n",
        "    if priced.record.is_credit or total:\n        return total\n",
    ),
    Mutant(
        "halves are rounded to even",
        "quantities.py",
        "    nearest = (doubled + value.denominator) // divisor\n",
        "    nearest = round(Fraction(doubled, divisor))\n",
    ),
    Mutant(
        "a credit is held against the price and not against what it credits",
        "check.py",
        "    if taken_back is None:\n",
        "    if True:\n",
    ),
    Mutant(
        "a second credit is as good as the first",
        "faults.py",
        '        if other.get("credit") and identity(other, "credit_reference_id") == wanted:\n',
        "        if False:\n",
    ),
    Mutant(
        "a session that still runs ends where it was seen last",
        "faults.py",
        '    if session.get("status") != "COMPLETED":\n        end = None\n',
        "",
    ),
    Mutant(
        "limits of a published tariff do not matter",
        "faults.py",
        'PRICED_BY = ("currency", "elements", "min_price", "max_price", "tax_included")',
        'PRICED_BY = ("currency", "elements", "tax_included")',
    ),
    Mutant(
        "a tariff that nobody knows costs nothing",
        "choosing.py",
        "        if not any(by_name.values()):\n",
        "        if not by_name:\n",
    ),
]


@dataclass
class Mistake(MetaPathFinder, Loader):
    """Imports one module with a mistake in it."""

    mutant: Mutant

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == f"{PACKAGE}.{Path(self.mutant.module).stem}":
            return ModuleSpec(name, self)
        return None

    def exec_module(self, module: ModuleType) -> None:
        file = ROOT / Path(*PACKAGE.split(".")) / self.mutant.module
        text = file.read_text()
        if text.count(self.mutant.right) != 1:
            raise LookupError(f"{self.mutant.name}: its place in {self.mutant.module} is gone.")
        wrong = text.replace(self.mutant.right, self.mutant.wrong)
        exec(compile(wrong, str(file), "exec"), module.__dict__)


def attempt(mutant: Mutant | None) -> int:
    """Run the suite in this process, with the mistake in it. None is the engine as it is."""
    if mutant is not None:
        sys.meta_path.insert(0, Mistake(mutant))
    try:
        importlib.import_module(f"{PACKAGE}.answers")
        modules = [importlib.import_module(f"tests.pricing.{name}") for name in SUITE]
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing was proved
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return BROKEN
    for module in modules:
        for test, arguments in cases(module):
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    test(**arguments)
            except BaseException:  # noqa: BLE001 - pytest.fail is not an Exception
                return KILLED
    return SURVIVED


def cases(module: ModuleType) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The test functions of a module, once for each set of parameters."""
    for name, test in vars(module).items():
        if not name.startswith("test_"):
            continue
        marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
        if not marks:
            yield test, {}
        for mark in marks:
            names, values = mark.args
            names = [names] if isinstance(names, str) else names
            for value in values:
                given = (value,) if len(names) == 1 else value
                yield test, dict(zip(names, given, strict=True))


def outcomes(mutants: Sequence[Mutant | None]) -> Iterator[tuple[Mutant | None, int]]:
    """What became of each mutant, as many at a time as there are processors."""
    running: dict[int, Mutant | None] = {}
    waiting = list(mutants)
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            mutant = waiting.pop(0)
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                os._exit(attempt(mutant))
            running[child] = mutant
        child, status = os.wait()
        yield running.pop(child), os.waitstatus_to_exitcode(status)


def main() -> int:
    wrong = []
    for mutant, outcome in outcomes([None, *MUTANTS]):
        expected = SURVIVED if mutant is None else KILLED
        name = "no mistake" if mutant is None else mutant.name
        verdict = {KILLED: "killed", SURVIVED: "survived"}.get(outcome, "broken")
        sys.stdout.write(f"{verdict:<9} {name}\n")
        if outcome != expected:
            wrong.append(name)
    sys.stdout.write(f"{len(MUTANTS) - len(wrong)} of {len(MUTANTS)} as expected\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
