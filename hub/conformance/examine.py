"""Which checks are made, and in which order."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_network

from hub.conformance.caller import Caller
from hub.conformance.checks import Check, Outcome, make
from hub.conformance.report import Report
from hub.conformance.rules import credentials, every_answer, lists, objects, single, versions
from hub.conformance.subject import Subject, Unusable
from hub.models.values import Party, Role
from hub.ocpi.outbound import Outbound, Refused, Unreachable
from hub.settings import Settings

EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
# Nothing is served here, so nothing can be refused for being the hub's own.
NO_SERVER = Settings(public_url="https://conformance.invalid", port=0)


@dataclass(frozen=True)
class Plan:
    """``token`` is a token A for writing; for reading only, any that the platform knows.

    ``version`` None: the newest that both know. ``timeout`` is for one request, in seconds.
    """

    versions_url: str
    token: str
    version: str | None = None
    party: Party | None = None
    roles: tuple[Role, ...] = (Role.CPO, Role.EMSP)
    allow_private: bool = False
    timeout: float = 15.0


async def examine(plan: Plan, progress: Callable[[str], None] = lambda text: None) -> Report:
    """Raises ``Unusable`` where there is nothing to examine."""
    settings = NO_SERVER
    if plan.allow_private:
        settings = replace(settings, egress_allow_cidrs=EVERYWHERE, egress_allow_http=True)
    outbound = Outbound(settings)
    try:
        return await examine_through(outbound, plan, progress)
    except (Refused, Unreachable) as error:
        raise Unusable(f"{plan.versions_url}: {error.reason}.") from None
    finally:
        await outbound.close()


async def examine_through(
    outbound: Outbound, plan: Plan, progress: Callable[[str], None]
) -> Report:
    subject = Subject(
        caller=Caller(outbound, timeout=plan.timeout),
        versions_url=plan.versions_url,
        token_a=plan.token,
        party=plan.party or Party("NL", "TST"),
        roles=plan.roles,
        routed=plan.party is not None,
    )
    progress("versions")
    await subject.discover(plan.version)
    outcomes = await make_all(versions.CHECKS, subject)
    progress("lists")
    await lists.read_lists(subject)
    progress("credentials, objects")
    for rules in (credentials, lists, objects, single, every_answer):
        outcomes += await make_all(rules.CHECKS, subject)
    return Report(subject, wrote=False, outcomes=outcomes)


async def make_all(checks: Iterable[Check], subject: Subject) -> list[Outcome]:
    """One after another: a platform under test should not be under load."""
    outcomes = []
    for check in checks:
        if check.is_for(subject.number):
            outcomes.append(await make(check, subject))
            await asyncio.sleep(0)
    return outcomes
