"""``hub price`` and ``hub tariff``, as they are called."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pricing.documents import ROOT, cdr, element, part, tariff

RULES = ROOT / "tests" / "data" / "tariffs"
UNSPLIT = RULES / "unsplit-period"


def hub(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "hub", *arguments]
    return subprocess.run(command, input=given, capture_output=True, cwd=ROOT, check=False)


def answers(*lines: object) -> list[dict]:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    done = hub("price", "--jsonl", given=text.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_cdr_is_priced_and_checked_as_a_table():
    done = hub(
        "price",
        *("--cdr", str(UNSPLIT / "cdr-crosses-five.json")),
        *("--tariff", str(UNSPLIT / "tariff.json")),
        *("--time-zone", "Europe/Amsterdam"),
    )

    text = done.stdout.decode()
    assert done.returncode == 0
    assert "2025-06-02T15:00:00Z ENERGY    8.0000 kWh" in text
    assert "total_cost                   10.0000 excl.      12.0000 incl. EUR" in text
    assert "verdict: ok" in text
    assert "fault: Another price applies from some time within period 1." in text


def test_the_answer_may_be_json():
    done = hub(
        "price",
        *("--cdr", str(UNSPLIT / "cdr-crosses-five.json")),
        *("--tariff", str(UNSPLIT / "tariff.json")),
        *("--time-zone", "Europe/Amsterdam", "--ocpi-version", "2.2.1", "--json"),
    )

    found = json.loads(done.stdout)
    assert found["verdict"] == "ok"
    assert found["expected"]["total_cost"] == {"excl_vat": "10.0000", "incl_vat": "12.0000"}
    assert found["ocpi_version"] == "2.2.1"


def test_json_holds_what_a_line_is_answered_with(tmp_path: Path):
    line = {
        "tariffs": [tariff(element(part("ENERGY", 0.25)))],
        "cdr": cdr("2025-06-02T08:00", [(60, {"ENERGY": 20})], total_cost={"excl_vat": 4}),
    }
    file, prices = tmp_path / "cdr.json", tmp_path / "tariff.json"
    file.write_text(json.dumps(line["cdr"]))
    prices.write_text(json.dumps(line["tariffs"]))

    done = hub("price", "--cdr", str(file), "--tariff", str(prices), "--json")

    [answered] = answers(line)
    assert answered.items() <= json.loads(done.stdout).items()


def test_several_tariffs_in_several_files_or_one(tmp_path: Path):
    folder = RULES / "step-over-two-tariffs"
    both = tmp_path / "both.json"
    files = [folder / "tariff.json", folder / "tariff-2.json"]
    both.write_text(json.dumps([json.loads(file.read_text()) for file in files]))
    record = str(folder / "cdr-switch.json")

    apart = hub("price", "--cdr", record, "--tariff", str(files[0]), "--tariff", str(files[1]))
    together = hub("price", "--cdr", record, "--tariff", str(both))

    assert b"verdict: ok" in apart.stdout
    assert apart.stdout == together.stdout


def test_a_cdr_may_come_from_standard_input_and_carry_its_tariffs():
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})]) | {
        "tariffs": [tariff(element(part("ENERGY", 0.3)))]
    }

    done = hub("price", "--cdr", "-", given=json.dumps(record).encode())

    assert b"total_cost                    3.0000 excl." in done.stdout
    assert b"verdict: cannot tell\n  The CDR claims no total cost." in done.stdout


def test_what_cannot_be_priced_says_why_and_what_to_do(tmp_path: Path):
    record = json.loads((UNSPLIT / "cdr-crosses-five.json").read_text())
    record["cdr_location"]["country"] = "USA"
    file = tmp_path / "cdr.json"
    file.write_text(json.dumps(record))

    done = hub("price", *("--cdr", str(file)), *("--tariff", str(UNSPLIT / "tariff.json")))

    assert done.returncode == 1
    assert b"time zone is not known" in done.stderr
    assert b"--time-zone" in done.stderr


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000])
def test_a_file_that_is_no_json_is_wrong_usage(tmp_path: Path, content: bytes):
    file = tmp_path / "cdr.json"
    file.write_bytes(content)

    done = hub("price", "--cdr", str(file))

    assert done.returncode == 2
    assert b"not JSON" in done.stderr


def test_a_file_that_is_not_there_is_wrong_usage():
    assert hub("price", "--cdr", "/nowhere/cdr.json").returncode == 2
    assert hub("price").returncode == 2
    assert hub("tariff", "lint", "/nowhere/tariff.json").returncode == 2


def test_lines_are_answered_one_by_one_in_the_shape_agreed():
    line = {
        "ocpi_version": "2.3.0",
        "time_zone": "Europe/Amsterdam",
        "tariffs": [
            tariff(
                element(part("FLAT", 2.5, 1, 15)),
                element(part("TIME", 1.25, 600, 20), min_current=32),
                element(part("PARKING_TIME", 6, 300, 10), start_time="10:00", end_time="17:00"),
            )
        ],
        "cdr": cdr(
            "2025-06-07T13:30",
            [(114, {"TIME": 1.9, "MIN_CURRENT": 43}), (71, {"PARKING_TIME": 1.1833})],
            zone="Europe/Amsterdam",
            total_cost={"before_taxes": 12.28, "taxes": [{"name": "VAT", "amount": 1.581}]},
            total_energy=0,
            total_time=3.0833,
        ),
    }

    [found] = answers(line)

    assert list(found) == ["expected", "cdr_check", "explanation"]
    assert found["expected"] == {
        "total_cost": {"excl_vat": "12.3750", "incl_vat": "13.9750"},
        "total_fixed_cost": {"excl_vat": "2.5000", "incl_vat": "2.8750"},
        "total_energy_cost": None,
        "total_time_cost": {"excl_vat": "2.3750", "incl_vat": "2.8500"},
        "total_parking_cost": {"excl_vat": "7.5000", "incl_vat": "8.2500"},
        "total_reservation_cost": None,
    }
    assert found["cdr_check"] == {"ok": False, "mismatches": ["total_cost"], "flags": []}
    assert [step["dimension"] for step in found["explanation"]] == ["FLAT", "TIME", "PARKING_TIME"]


def test_a_bad_line_gets_an_error_and_the_run_goes_on():
    good = {
        "tariffs": [tariff(element(part("ENERGY", 0.25)))],
        "cdr": cdr("2025-06-02T08:00", [(60, {"ENERGY": 20})]),
    }
    surrogate = json.dumps(good).replace('"T1"', '"\\ud800"')

    found = answers(
        "nonsense",
        "",
        "5",
        "{}",
        '{"cdr": 5}',
        '{"cdr": {}}',
        '{"cdr": {}, "tariffs": {}}',
        '{"cdr": {"status": [[]]}, "tariffs": [1]}',
        "[" * 50_000,
        '{"cdr": {"charging_periods": [1e400]}}',
        surrogate,
        good,
    )

    assert len(found) == 12
    assert all(set(answer) == {"error"} and answer["error"] for answer in found[:11])
    assert found[1] == {"error": "This line is empty."}
    assert found[11]["expected"]["total_cost"] == {"excl_vat": "5.0000", "incl_vat": None}


def test_an_empty_line_is_a_line_too():
    """Whoever feeds us one by one waits for its answer, also for the last."""
    good = json.dumps({"cdr": cdr("2025-06-02T08:00", [(60, {"ENERGY": 20})])})
    empty = {"error": "This line is empty."}

    assert answers(good, "", "  ") == [{"error": "There is no tariff."}, empty, empty]


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        ({"time_zone": "Mars/Phobos"}, "'Mars/Phobos' is not a time zone."),
        ({"time_zone": 5}, "time_zone is not a text."),
        ({"ocpi_version": 2.2}, "ocpi_version is not a text."),
        ({"ocpi_version": "9.9"}, "OCPI version '9.9' is not known."),
    ],
)
def test_a_slip_beside_the_documents_does_not_go_unnoticed(slip, said):
    """Even where this price does not depend on it: the next one may."""
    line = {
        "tariffs": [tariff(element(part("ENERGY", 0.25)))],
        "cdr": cdr("2025-06-02T08:00", [(60, {"ENERGY": 20})]),
    }

    assert answers(line | slip) == [{"error": said}]


def test_an_unknown_tariff_has_no_price_and_is_flagged():
    line = {
        "tariffs": [tariff(element(part("ENERGY", 0.25)))],
        "cdr": cdr("2025-06-02T08:00", [(60, {"ENERGY": 20}, "T9")]),
    }

    assert answers(line) == [
        {
            "error": "Tariff T9 is not known.",
            "cdr_check": {"ok": False, "mismatches": [], "flags": ["unknown_tariff"]},
        }
    ]


def test_lint_fails_for_errors_only(tmp_path: Path):
    bad = tmp_path / "bad.json"
    bad.write_text(
        json.dumps([tariff(element(part("ENERGY", 1)), element(part("ENERGY", 2)), id="BAD")])
    )

    wrong = hub("tariff", "lint", str(bad))
    fine = hub("tariff", "lint", str(RULES / "steps-of-time" / "tariff.json"))

    assert wrong.returncode == 1
    assert wrong.stdout.startswith(b"BAD: error: element 2: The price for ENERGY never applies")
    assert fine.returncode == 0
    assert b"advice" in fine.stdout


def test_lint_answers_with_json_too():
    done = hub("tariff", "lint", str(RULES / "steps-of-time" / "tariff.json"), "--json")

    [found] = json.loads(done.stdout)
    assert found["tariff_id"] == "T1"
    assert found["findings"][0]["code"] == "step_size"


def test_lint_says_so_when_there_is_nothing_to_say():
    done = hub("tariff", "lint", str(RULES / "taxes-on-top" / "tariff.json"))

    assert done.stdout == b"T1: nothing to complain about\n"


def test_explain_prints_english():
    file = RULES / "bookings" / "tariff.json"

    done = hub("tariff", "explain", str(file))

    assert done.stdout.decode() == file.with_name("explain.txt").read_text()


def test_explain_refuses_what_it_cannot_read(tmp_path: Path):
    file = tmp_path / "tariff.json"
    file.write_text('{"id": "X", "currency": "EUR"}')

    done = hub("tariff", "explain", str(file))

    assert done.returncode == 1
    assert b"has no elements" in done.stderr
