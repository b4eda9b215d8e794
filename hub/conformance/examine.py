"""Which checks are made, and in which order."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from ipaddress import ip_network

from hub.conformance.callbacks import Callbacks
from hub.conformance.caller import Caller
from hub.conformance.checks import Check, Outcome, make
from hub.conformance.report import Report
from hub.conformance.rules import (
    credentials,
    every_answer,
    every_call,
    hubs,
    lists,
    modules,
    objects,
    pushes,
    records,
    registration,
    requests,
    single,
    versions,
)
from hub.conformance.subject import Subject, Unusable
from hub.models.values import Party, Role
from hub.ocpi.outbound import Outbound, Refused, Unreachable
from hub.settings import Settings

EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
# Where nothing is served, nothing can be refused for being the hub's own.
NO_SERVER = Settings(public_url="https://conformance.invalid", port=0)

READING = (credentials, lists, objects, single)
WRITING = (pushes, modules, records, requests, hubs)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """``token`` is a token A for writing; for reading only, any that the platform knows.

    ``version`` None: the newest that both know. ``timeout`` is for one request, in seconds.
    ``callbacks`` is where the platform can call us; None: nothing is written.
    """

    versions_url: str
    token: str = field(repr=False)
    version: str | None = None
    party: Party | None = None
    roles: tuple[Role, ...] = (Role.CPO, Role.EMSP)
    allow_private: bool = False
    timeout: float = 15.0
    callbacks: Callbacks | None = None


async def examine(plan: Plan, progress: Progress = lambda text: None) -> Report:
    """Raises ``Unusable`` where there is nothing to examine."""
    async with AsyncExitStack() as stack:
        settings = NO_SERVER
        if plan.callbacks:
            await stack.enter_async_context(plan.callbacks)
            settings = Settings(public_url=plan.callbacks.public_url, port=plan.callbacks.port)
        if plan.allow_private:
            settings = replace(settings, egress_allow_cidrs=EVERYWHERE, egress_allow_http=True)
        outbound = Outbound(settings)
        stack.push_async_callback(outbound.close)
        subject = Subject(
            caller=Caller(outbound, timeout=plan.timeout),
            versions_url=plan.versions_url,
            token_a=plan.token,
            party=plan.party or Party("NL", "TST"),
            roles=plan.roles,
            routed=plan.party is not None or plan.callbacks is not None,
            callbacks=plan.callbacks,
        )
        try:
            await subject.discover(plan.version)
            outcomes = await run(subject, progress)
        except (Refused, Unreachable) as error:
            raise Unusable(f"{plan.versions_url}: {error.reason}.") from None
        return Report(subject, wrote=plan.callbacks is not None, outcomes=outcomes)


async def run(subject: Subject, progress: Progress) -> list[Outcome]:
    progress("versions")
    outcomes = await make_all(versions.CHECKS, subject)
    if subject.callbacks:
        subject.callbacks.version = subject.number
        progress("registering")
        for checks in (registration.BEFORE, registration.REGISTERING):
            outcomes += await make_all(checks, subject)
    progress("lists and objects")
    await lists.read_lists(subject)
    for rules in READING:
        outcomes += await make_all(rules.CHECKS, subject)
    if subject.callbacks:
        progress("pushing")
        for rules in WRITING:
            outcomes += await make_all(rules.CHECKS, subject)
        progress("renewing and leaving")
        outcomes += await make_all(registration.AFTER, subject)
        outcomes += await make_all(every_call.CHECKS, subject)
    return outcomes + await make_all(every_answer.CHECKS, subject)


async def make_all(checks: Iterable[Check], subject: Subject) -> list[Outcome]:
    """One after another: a platform under test should not be under load."""
    outcomes = []
    for check in checks:
        if check.is_for(subject.number):
            outcomes.append(await make(check, subject))
            await asyncio.sleep(0)
    return outcomes
