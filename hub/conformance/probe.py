"""Finding out how to speak to a platform that is registered: reading only, and politely.

    brief   a dozen requests, none of them wrong on purpose: after every registration
    whole   all reading checks of the conformance suite besides: when an operator asks

What comes out is a profile: what the platform serves, the quirks that the hub has to take
(``roaming.quirks`` says what they mean), and the rules of OCPI that it breaks.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from hub.conformance.caller import Caller
from hub.conformance.checks import NotChecked
from hub.conformance.examine import READING, make_all
from hub.conformance.quirks import find_quirks
from hub.conformance.report import Report
from hub.conformance.rules import every_answer, lists, versions
from hub.conformance.rules.credentials import get_credentials
from hub.conformance.subject import SENDER, Subject
from hub.ocpi.outbound import Outbound, Refused, Response, Unreachable

MOST_FINDINGS = 100


class PartnerCaller(Caller):
    """Calls one partner and nobody else. ``looking``: no more is asked, only what came is judged.

    ``redirected`` are the URLs that were answered by adding or dropping a slash.
    """

    def __init__(
        self, outbound: Outbound, *, timeout: float, origins: frozenset[str], pool: str
    ) -> None:
        super().__init__(outbound, timeout=timeout)
        self.origins, self.pool = origins, pool
        self.looking = False
        self.redirected: set[str] = set()

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        if self.looking:
            raise NotChecked("only what was read anyway was looked at")
        response = await self.outbound.request(
            method,
            url,
            headers=headers,
            body=body,
            timeout=self.timeout,
            origins=self.origins,
            pool=self.pool,
        )
        if response.redirected:
            self.redirected.add(url)
        return response


async def probe(
    subject: Subject, caller: PartnerCaller, *, version: str | None, whole: bool
) -> dict[str, Any]:
    """The profile. Raises ``Unusable``, ``Refused`` and ``Unreachable`` where nothing answers."""
    await subject.discover(version)
    [_ async for _ in get_credentials(subject)]
    for module in filter(lambda one: subject.serves(one, SENDER), lists.LISTS):
        # One list that cannot be had does not keep the others from being looked at.
        with suppress(Refused, Unreachable):
            await lists.read_list(subject, module)
    quirks = await find_quirks(subject, caller.redirected)
    caller.looking = not whole
    outcomes = await make_all(versions.CHECKS, subject)
    for rules in READING:
        outcomes += await make_all(rules.CHECKS, subject)
    outcomes += await make_all(every_answer.CHECKS, subject)
    report = Report(subject, wrote=False, outcomes=outcomes)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "whole": whole,
        "version": subject.number,
        "supports": supports(subject),
        "quirks": quirks,
        "findings": [one.as_json() for one in report.findings[:MOST_FINDINGS]],
        "passed": len(report.passed),
        "not_checked": len(report.skipped),
    }


def supports(subject: Subject) -> dict[str, Any]:
    """What it serves: versions, interfaces by module, and what its lists told."""
    assert subject.versions is not None
    offered = [
        str(one.get("version")) for one in subject.versions.data or () if isinstance(one, dict)
    ]
    modules: dict[str, list[str]] = {}
    for module, side in sorted(subject.endpoints):
        modules.setdefault(module, []).append(side)
    totals = {
        module: total
        for module, pages in subject.pages.items()
        if pages and (total := lists.number_in(pages[0], "X-Total-Count")) is not None
    }
    return {
        "versions": offered,
        "modules": modules,
        "token_form": subject.form,
        "lists": totals,
        "page_limit": next(
            (
                limit
                for pages in subject.pages.values()
                if pages and (limit := lists.number_in(pages[0], "X-Limit"))
            ),
            None,
        ),
    }
