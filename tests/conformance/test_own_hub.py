"""The hub stands the examination that it sets others."""

import pytest

from hub.conformance.callbacks import Callbacks
from hub.conformance.examine import Plan, examine
from hub.models.values import Role
from tests.helpers.documents import location, tariff, token
from tests.helpers.partner import FakePartner


@pytest.mark.parametrize(
    ("version", "roles"),
    [
        ("2.1.1", ("EMSP",)),
        ("2.2.1", ("CPO", "EMSP")),
        ("2.3.0", ("CPO", "EMSP")),
    ],
    ids=str,
)
async def test_the_hub_itself_is_clean(hub, version, roles):
    tester = FakePartner(*(f"NL*TST {role}" for role in roles))
    async with FakePartner("NL*ONE CPO", "DE*TWO EMSP", versions=("2.2.1",)) as other:
        await hub.connect(other)
        for number in range(3):
            await other.put(
                f"locations/NL/ONE/L{number}", location(version="2.2.1", id=f"L{number}")
            )
            await other.put(f"tariffs/NL/ONE/T{number}", tariff(version="2.2.1", id=f"T{number}"))
        other.own["tokens"] = [token()]
        await other.put(f"tokens/DE/TWO/{token()['uid']}", token(), from_="DE*TWO")
        invitation = await hub.invite(tester)

        report = await examine(
            Plan(
                invitation.versions_url,
                invitation.token,
                version=version,
                roles=tuple(map(Role, roles)),
                allow_private=True,
                callbacks=Callbacks(),
            )
        )

    assert [line for finding in report.findings for line in finding.told()] == []
    assert len(report.passed) > 65
    assert {one.skipped for one in report.skipped} <= {
        "the versions URL is plain HTTP itself, as on one's own machine",
        "a hub brings the objects of others",
        "it has no cdrs",
        "it does not offer chargingprofiles",
        # Of 2.1.1, where a platform plays one role.
        "it receives nothing that we could send in our roles",
        "it receives no CDRs of ours",
        "it does not offer tokens",
    }
