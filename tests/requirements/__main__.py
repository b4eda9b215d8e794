"""Write docs/conformance.md and drop reasons of what has a test now: ``make conformance``."""

import csv

from tests.requirements.covering import covering
from tests.requirements.known import DATA, reasons
from tests.requirements.table import PAGE, page

PAGE.write_text(page())
with (DATA / "uncovered.csv").open("w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("id", "why"))
    writer.writerows((one, why) for one, why in reasons().items() if one not in covering())
