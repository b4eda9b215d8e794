"""What keeps docs/conformance.md honest: a test that shows a requirement is never skipped."""

from collections.abc import Generator

import pytest

from tests.requirements.covering import shown_by


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    ids = shown_by(item.name.split("[")[0], getattr(item.obj, "__doc__", None))
    if report.skipped and ids:
        report.outcome = "failed"
        report.longrepr = (
            f"{', '.join(sorted(ids))}: a test that names a requirement was skipped. "
            "Let it run everywhere, or take the id out of it."
        )
    return report
