"""The list of requirements is complete, the page about it is true, and nobody is fooled."""

import re

import pytest

from tests.contract.specification import SHARED
from tests.requirements.covering import covering, shown_by, shown_in
from tests.requirements.known import DATA, ids_in, reasons, requirements, rows
from tests.requirements.table import PAGE, page, section, share

pytest_plugins = ["pytester"]

DOCUMENT = SHARED / "ocpi-requirements.md"
# A row of a table of requirements: id, versions, level. Ambiguities have a topic for a level.
ROW = re.compile(r"^\| ([A-Z]+-\d\d[a-z]?) \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)
VERSIONS = {
    "A": "all",
    "211": "2.1.1",
    "221": "2.2.1",
    "230": "2.3.0",
    "≥221": "2.2.1+",
    "211/221": "2.1.1 2.2.1",
    "221 vs 230": "2.2.1+",
    "230→221": "2.2.1+",
    "230b": "2.3.0-bookings",
    "230p": "2.3.0-payments",
}


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the long list of requirements is not here")
def test_the_list_is_complete():
    told = {
        name: (VERSIONS[versions], "D" if name.startswith("AMB-") else level)
        for name, versions, level in ROW.findall(DOCUMENT.read_text())
    }

    assert {one.id: (one.versions, one.level) for one in requirements().values()} == told


def test_every_id_is_listed_once_and_says_what_it_is_about():
    listed = [row["id"] for row in rows("requirements.csv")]

    assert len(listed) == len(set(listed)) == 432
    assert all(3 < len(one.title) <= 100 for one in requirements().values())


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == page(), "run `make conformance`"


def test_no_test_names_an_id_that_does_not_exist():
    assert covering().keys() - requirements().keys() == set()


def test_what_no_test_shows_has_a_reason_and_nothing_else_has():
    uncovered = requirements().keys() - covering().keys()

    assert reasons().keys() == uncovered
    assert all(why.strip() for why in reasons().values())
    assert len(rows("uncovered.csv")) == len(reasons())
    assert {one for why in reasons().values() for one in ids_in(why)} <= requirements().keys()


def test_of_what_ocpi_demands_and_advises_nearly_all_is_covered():
    assert share([one for one in requirements().values() if one.demanded]) >= 0.95


def test_ids_are_found_in_names_and_docstrings():
    assert list(ids_in("test_ids_come_back_TRANSPORT_45_46")) == ["TRANSPORT-45", "TRANSPORT-46"]
    assert list(ids_in("test_x_HUB_22_HUB_26_T_01")) == ["HUB-22", "HUB-26"]
    assert list(ids_in("TRANSPORT-90, -91; PRICE-03a.")) == [
        "TRANSPORT-90",
        "TRANSPORT-91",
        "PRICE-03a",
    ]
    assert list(ids_in("test_SHUB_22_of_2025_CDR_1 HUB-20 to HUB-24")) == ["HUB-20", "HUB-24"]
    assert shown_by("test_x", None) == set()


def test_what_can_be_skipped_shows_nothing(tmp_path):
    path = tmp_path / "test_x.py"
    path.write_text("specification.need(TABLES)\n\ndef test_x_HUB_20(): ...\n")

    assert list(shown_in(path)) == []


def test_a_skipped_test_with_an_id_fails(pytester):
    """In a session of its own, with the hook of the suite."""
    pytester.makeconftest("from tests.requirements.hook import pytest_runtest_makereport")
    pytester.makepyfile(
        "import pytest\n"
        "def test_a_HUB_20(): pytest.skip('no time')\n"
        "def test_b(): pytest.skip('no time')\n"
        "def test_c_HUB_21(): pass\n"
    )

    result = pytester.runpytest("-p", "no:aiohttp", "-p", "no:asyncio", "-p", "no:cacheprovider")

    result.assert_outcomes(failed=1, skipped=1, passed=1)
    result.stdout.fnmatch_lines(["*HUB-20*skipped*"])


def test_the_page_shows_why_something_is_not_covered():
    for one, why in reasons().items():
        assert f"| {why} |" in next(row for row in section(one.split("-")[0]) if f"| {one} " in row)


def test_the_data_is_ours_and_small():
    assert (DATA / "requirements.csv").stat().st_size < 40_000
