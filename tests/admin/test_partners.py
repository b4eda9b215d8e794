"""Partners, as an operator meets them: invited, joined, watched, shut out, parted from."""

import pytest

from tests.helpers.documents import location
from tests.helpers.faults import http
from tests.helpers.partner import FakePartner, HandshakeError

ACM = [{"party": "NL*ACM", "role": "CPO"}]


@pytest.fixture
async def acme(stack):
    """NL*ACM, a CPO that knows nothing of the hub yet."""
    return await stack.enter_async_context(FakePartner("NL*ACM CPO", name="Acme"))


async def audit_of(operator, partner_id):
    found = await operator.get("/audit", entity_type="ocpi_partner", entity_id=partner_id)
    return [entry["description"] for entry in found.body["items"]]


async def test_an_invited_platform_registers_with_the_token_it_was_shown(operator, acme):
    invited = (await operator.post("/partners/invite", name="Acme", roles=ACM)).body

    answer = await acme.register(invited["versions_url"], invited["token"])

    assert answer.ok
    partner = (await operator.get(f"/partners/{invited['partner']['id']}")).body
    assert (partner["status"], partner["connection_status"]) == ("ACTIVE", "CONNECTED")
    assert partner["ocpi_version"] == "2.2.1"
    [role] = partner["roles"]
    assert role == {"party": "NL*ACM", "role": "CPO", "approved": True, "declared": True}
    assert {endpoint["identifier"] for endpoint in partner["endpoints"]} >= {"credentials"}
    assert "Registered" in await audit_of(operator, partner["id"])


async def test_no_answer_shows_a_token_again(operator, acme):
    """T-16: neither the token A nor those that follow it."""
    invited = (await operator.post("/partners/invite", name="Acme", roles=ACM)).body
    await acme.register(invited["versions_url"], invited["token"])
    partner_id = invited["partner"]["id"]

    shown = ""
    for path in (
        "/partners",
        f"/partners/{partner_id}",
        f"/partners/{partner_id}/traces",
        "/audit",
    ):
        shown += str((await operator.get(path)).body)

    for secret in (invited["token"], *acme.tokens.accepted, acme.tokens.to_hub):
        assert secret not in shown


async def test_the_hub_joins_a_platform_that_invited_it(operator, acme):
    versions_url, token = acme.invite()

    joined = await operator.post(
        "/partners/join", name="Acme", roles=ACM, versions_url=versions_url, token=token
    )

    assert joined.status == 201
    assert joined.body["status"] == "ACTIVE"
    [trace] = (await operator.get(f"/partners/{joined.body['id']}/traces")).body["items"]
    assert (trace["kind"], trace["outcome"]) == ("join", "DONE")
    assert {"GET", "POST"} <= {step.get("method") for step in trace["steps"]}


async def test_a_join_that_fails_can_be_understood_and_repeated(operator, acme):
    versions_url, token = acme.invite()
    acme.fail(http(500), on="POST .*credentials", times=1)

    failed = await operator.post(
        "/partners/join", name="Acme", roles=ACM, versions_url=versions_url, token=token
    )

    assert (failed.status, failed.error["code"]) == (502, "partner_failed")
    assert "hub partner trace" in failed.error["next"]
    [partner] = (await operator.get("/partners")).body["items"]
    assert partner["status"] == "PENDING_VERIFICATION"
    [trace] = (await operator.get(f"/partners/{partner['id']}/traces")).body["items"]
    assert trace["outcome"] == "REFUSED"
    assert trace["steps"][-1]["http_status"] == 500

    again = await operator.post(
        f"/partners/{partner['id']}/join", versions_url=versions_url, token=token
    )
    assert (again.status, again.body["status"]) == (200, "ACTIVE")


async def test_a_suspended_platform_is_shut_out_at_once_and_let_back_in(operator, cpo):
    """T-18."""
    suspended = await operator.post(f"/partners/{cpo.id}/suspend", reason="Unpaid")
    refused = await cpo.put("locations/NL/ONE/L1", location(version="2.2.1"))
    resumed = await operator.post(f"/partners/{cpo.id}/resume")
    taken = await cpo.put("locations/NL/ONE/L1", location(version="2.2.1"))

    assert suspended.body["status"] == "SUSPENDED"
    assert refused.http_status == 403
    assert resumed.body["status"] == "ACTIVE"
    assert taken.ok
    assert {"Unpaid", "Resumed"} <= set(await audit_of(operator, cpo.id))


async def test_what_the_state_forbids_is_refused_and_says_what_to_do(operator, cpo):
    invited = (await operator.post("/partners/invite", name="Acme", roles=ACM)).body["partner"]

    twice = [await operator.post(f"/partners/{cpo.id}/suspend") for _ in range(2)][-1]
    renew = await operator.post(f"/partners/{invited['id']}/renew")
    leave = await operator.post(f"/partners/{invited['id']}/leave")
    resume = await operator.post(f"/partners/{invited['id']}/resume")
    join = await operator.post(
        f"/partners/{cpo.id}/join", versions_url="http://127.0.0.1:1/", token="a"
    )

    for said in (twice, renew, leave, resume, join):
        assert (said.status, said.error["code"]) == (409, "conflict")
    for said in (twice, renew, leave, join):
        assert said.error["next"].startswith("hub partner ")


async def test_a_partner_is_limited_as_agreed(operator, cpo):
    """T-25. At once, and without a handshake."""
    limits = {"requests_per_second": 0.1, "burst": 1}
    path = "locations/NL/ONE/L1"
    changed = await operator.patch(
        f"/partners/{cpo.id}", configuration={"rate_limits": limits | {"burst": 0}}
    )
    assert (changed.status, changed.error["field"]) == (400, "configuration.rate_limits.burst")
    await operator.patch(f"/partners/{cpo.id}", configuration={"rate_limits": limits})

    answers = [await cpo.put(path, location(version="2.2.1")) for _ in range(2)]

    assert [answer.http_status for answer in answers] == [201, 429]


async def test_an_invitation_that_was_wrong_is_taken_back(hub, operator, acme, emsp):
    """Its token is worth nothing, and its party is free for another."""
    await hub.deliver()
    invited = (await operator.post("/partners/invite", name="Acne", roles=ACM)).body
    await hub.deliver()
    removed = await operator.delete(f"/partners/{invited['partner']['id']}")
    with pytest.raises(HandshakeError, match="HTTP 401"):
        await acme.register(invited["versions_url"], invited["token"])
    again = (await operator.post("/partners/invite", name="Acme", roles=ACM)).body
    registered = await acme.register(again["versions_url"], again["token"])
    await hub.deliver()

    assert removed.status == 204
    assert registered.ok
    assert [one["name"] for one in (await operator.get("/partners")).body["items"]] == [
        "Acme",
        "Two",
    ]
    seen = {one["party_id"]: one["status"] for one in (await emsp.get("hubclientinfo")).data}
    assert seen["ACM"] == "CONNECTED"


async def test_who_was_registered_cannot_be_removed(operator, cpo):
    """What it brought is kept, so it must be known who that was."""
    registered = await operator.delete(f"/partners/{cpo.id}")
    await operator.post(f"/partners/{cpo.id}/leave")
    left = await operator.delete(f"/partners/{cpo.id}")

    for said in (registered, left):
        assert (said.status, said.error["code"]) == (409, "conflict")
    assert (await operator.get(f"/partners/{cpo.id}")).body["status"] == "INACTIVE"


async def test_tokens_are_renewed_without_a_gap(operator, cpo):
    before = (await operator.get(f"/partners/{cpo.id}")).body

    renewed = await operator.post(f"/partners/{cpo.id}/renew")

    assert renewed.status == 200
    assert renewed.body["tokens"] != before["tokens"]
    assert (await cpo.put("locations/NL/ONE/L1", location(version="2.2.1"))).ok


async def test_the_hub_leaves_and_both_sides_know(operator, cpo):
    left = await operator.post(f"/partners/{cpo.id}/leave")

    assert left.body["told"] is True
    assert left.body["partner"]["status"] == "INACTIVE"
    assert left.body["partner"]["tokens"] == []
    assert (await cpo.put("locations/NL/ONE/L1", location(version="2.2.1"))).http_status == 401


async def test_the_hub_leaves_a_platform_that_is_gone(operator, cpo):
    cpo.fail(http(503), on="DELETE")

    left = await operator.post(f"/partners/{cpo.id}/leave")

    assert (left.status, left.body["told"]) == (200, False)
    assert left.body["partner"]["status"] == "INACTIVE"


async def test_a_platform_that_lost_its_tokens_is_invited_again(operator, cpo):
    invited = await operator.post(f"/partners/{cpo.id}/invite")

    answer = await cpo.register(invited.body["versions_url"], invited.body["token"])

    assert (invited.status, answer.ok) == (201, True)
    assert (await cpo.put("locations/NL/ONE/L1", location(version="2.2.1"))).ok


async def test_roles_are_given_and_taken_by_the_operator_alone(operator, cpo):
    """CRED-24: what is taken away stops working with the next request."""
    both = [{"party": "NL*ONE", "role": "CPO"}, {"party": "NL*TWO", "role": "EMSP"}]
    more = await operator.patch(f"/partners/{cpo.id}", roles=both)
    other = await operator.patch(f"/partners/{cpo.id}", roles=both[1:])

    refused = await cpo.put("locations/NL/ONE/L1", location(version="2.2.1"))

    assert [role["declared"] for role in more.body["roles"]] == [True, False]
    assert [role["party"] for role in other.body["roles"]] == ["NL*TWO"]
    assert not refused.ok


async def test_a_party_plays_a_role_in_one_place_only(operator, cpo):
    """T-03. And nothing is left of the attempt."""
    said = await operator.post(
        "/partners/invite", name="Thief", roles=[{"party": "nl-one", "role": "CPO"}]
    )

    assert said.status == 400
    assert "One" in said.error["message"]
    assert len((await operator.get("/partners")).body["items"]) == 1


async def test_settings_of_a_partner_are_changed_one_by_one(operator, cpo):
    await operator.patch(f"/partners/{cpo.id}", configuration={"delivery": "live_only"})

    changed = await operator.patch(
        f"/partners/{cpo.id}", name="One BV", configuration={"token_form": "raw"}
    )

    assert changed.body["name"] == "One BV"
    assert changed.body["configuration"]["delivery"] == "live_only"
    assert changed.body["configuration"]["token_form"] == "raw"


async def test_a_setting_of_a_partner_is_taken_back(operator, cpo):
    """It is then what it is by default, and not there any more."""
    agreed = {"delivery": "live_only", "token_form": "raw", "rate_limits": {"burst": 10}}
    await operator.patch(f"/partners/{cpo.id}", configuration=agreed)

    back = {"delivery": None, "rate_limits": None}
    changed = await operator.patch(f"/partners/{cpo.id}", configuration=back)

    assert changed.status == 200, changed.body
    assert "delivery" not in changed.body["configuration"]
    assert "rate_limits" not in changed.body["configuration"]
    assert changed.body["configuration"]["token_form"] == "raw"


@pytest.mark.parametrize(
    ("configuration", "field"),
    [
        ({"sync": {"locations": {"mode": "often"}}}, "configuration.sync.locations.mode"),
        ({"sync": {"cars": {"mode": "auto"}}}, "configuration.sync.cars"),
        ({"module_names": {"tariffs": ""}}, "configuration.module_names.tariffs"),
    ],
)
async def test_a_bad_setting_within_a_setting_is_named(operator, cpo, configuration, field):
    said = await operator.patch(f"/partners/{cpo.id}", configuration=configuration)

    assert (said.status, said.error["field"]) == (400, field)


async def test_who_read_an_older_version_does_not_overwrite_a_newer_one(operator, cpo):
    read = await operator.get(f"/partners/{cpo.id}")
    await operator.patch(f"/partners/{cpo.id}", name="Somebody was faster")

    late = await operator.patch(
        f"/partners/{cpo.id}", headers={"If-Match": read.headers["ETag"]}, name="Too late"
    )

    assert (late.status, late.error["code"]) == (412, "changed_meanwhile")
    assert (await operator.get(f"/partners/{cpo.id}")).body["name"] == "Somebody was faster"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "", "roles": ACM}, "name"),
        ({"name": "x" * 256, "roles": ACM}, "name"),
        ({"name": "Acme"}, "roles"),
        ({"name": "Acme", "roles": []}, "roles"),
        ({"name": "Acme", "roles": [{"party": "NL*ACM"}]}, "roles.0.role"),
        ({"name": "Acme", "roles": [{"party": "NLACME", "role": "CPO"}]}, "roles.0.party"),
        ({"name": "Acme", "roles": [{"party": "NL*ACM", "role": "MSP"}]}, "roles.0.role"),
        ({"name": "Acme", "roles": [*ACM, *ACM]}, "roles"),
        ({"name": "Acme", "roles": ACM, "valid_days": 0}, "valid_days"),
        ({"name": "Acme", "roles": ACM, "valid_days": "seven"}, "valid_days"),
        ({"name": "Acme", "roles": ACM, "rolls": 1}, "rolls"),
        (
            {"name": "Acme", "roles": ACM, "configuration": {"delivery": "never"}},
            "configuration.delivery",
        ),
        (
            {"name": "Acme", "roles": ACM, "configuration": {"supported_modules": ["cars"]}},
            "configuration.supported_modules.0",
        ),
    ],
)
async def test_a_bad_invitation_names_the_field_and_what_is_allowed(operator, body, field):
    said = await operator.post("/partners/invite", **body)

    assert (said.status, said.error["code"], said.error["field"]) == (400, "bad_input", field)
    assert (await operator.get("/partners")).body["items"] == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"versions_url": "ftp://example.com/versions"}, "versions_url"),
        ({"versions_url": "https://user:secret@example.com/versions"}, "versions_url"),
        ({"versions_url": "https://example.com/versions?key=1"}, "versions_url"),
        ({"versions_url": "https://example.com/versions#x"}, "versions_url"),
        ({"token": "with a blank"}, "token"),
        ({"token": "x" * 65}, "token"),
        ({"token": ""}, "token"),
    ],
)
async def test_a_bad_join_is_refused_before_anybody_is_called(operator, changes, field):
    body = {"versions_url": "https://example.com/versions", "token": "a"} | changes

    said = await operator.post("/partners/join", name="Acme", roles=ACM, **body)

    assert (said.status, said.error["field"]) == (400, field)
    assert (await operator.get("/partners")).body["items"] == []


async def test_pages_go_through_all_partners_without_a_repeat(operator):
    parties = [f"NL*P{number:02}" for number in range(7)]
    for party in parties:
        await operator.post("/partners/invite", name=party, roles=[{"party": party, "role": "CPO"}])

    names, after = [], ""
    while after is not None:
        query = {"limit": 3} | ({"after": after} if after else {})
        page = (await operator.get("/partners", **query)).body
        names += [partner["name"] for partner in page["items"]]
        after = page["next"]

    assert names == parties[::-1]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 501}, {"after": "x"}, {"page": 2}])
async def test_a_bad_page_is_refused(operator, query):
    said = await operator.get("/partners", **query)

    assert (said.status, said.error["code"]) == (400, "bad_input")
