"""Who has received what, what stands in the way, and trying again."""

import pytest

from tests.helpers.documents import cdr, location, tariff, token
from tests.helpers.faults import http, refuse
from tests.helpers.partner import FakePartner

V = "2.2.1"


def row_of(said, module, partner):
    [row] = [
        row
        for row in said.body["items"]
        if row["module"] == module and row["partner_id"] == partner.id
    ]
    return row


async def test_an_object_tells_who_has_received_it(hub, operator, cpo, emsp):
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await hub.deliver()

    [listed] = (await operator.get("/objects/tariffs", party="NL*ONE")).body["items"]
    shown = (await operator.get(f"/objects/tariffs/{listed['ref']}")).body

    assert listed["ref"] == "NL/ONE/T1"
    assert shown["partner_id"] == cpo.id
    assert shown["document"]["tax_included"] == "NO"
    [delivery] = shown["deliveries"]
    assert (delivery["partner"], delivery["party"]) == ("Two", "DE*TWO")
    assert delivery["state"] == "DELIVERED"


async def test_an_object_tells_who_is_still_waiting_for_it_and_why(hub, operator, cpo, emsp):
    emsp.fail(http(503), on="tariffs")
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await hub.deliver()

    [delivery] = (await operator.get("/objects/tariffs/NL/ONE/T1")).body["deliveries"]
    status = row_of(await operator.get("/feed"), "tariffs", emsp)

    assert delivery["state"] == "WAITING"
    assert "503" in delivery["reason"]
    assert (status["state"], status["failures"]) == ("BACKING_OFF", 1)
    assert "503" in status["reason"]
    assert status["behind"] == 1
    assert status["next_attempt_at"]


async def test_an_object_tells_who_does_not_take_such_things(hub, operator, cpo, stack):
    emsp = FakePartner("DE*TWO EMSP", name="Two")
    emsp.without_modules.add(("tariffs", "RECEIVER"))
    await stack.enter_async_context(emsp)
    await hub.connect(emsp)
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await hub.deliver()

    [delivery] = (await operator.get("/objects/tariffs/NL/ONE/T1")).body["deliveries"]

    assert delivery["state"] == "NOT_TAKEN"
    assert "no receiver" in delivery["reason"]


async def test_a_partner_is_tried_again_at_once_when_an_operator_says_so(hub, operator, cpo, emsp):
    emsp.fail(http(503), on="tariffs", times=1)
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await hub.deliver()

    await operator.post(f"/feed/{emsp.id}/retry")
    await hub.deliver()

    status = row_of(await operator.get("/feed", partner_id=emsp.id), "tariffs", emsp)
    assert (status["state"], status["behind"], status["failures"]) == ("UP_TO_DATE", 0, 0)
    assert emsp.objects["tariffs/NL/ONE/T1"]


async def test_who_is_offline_is_asked_at_once_when_an_operator_says_so(hub, operator, cpo, emsp):
    """HCI-05, HCI-06: nothing is sent to it meanwhile, so nothing is tried at a time either."""
    await emsp.stop_listening()
    await hub.sql("update ocpi_partners set last_seen_at = null where id = :id", id=emsp.id)
    await hub.run("still alive")
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await hub.deliver()

    away = row_of(await operator.get("/feed"), "tariffs", emsp)
    [delivery] = (await operator.get("/objects/tariffs/NL/ONE/T1")).body["deliveries"]
    still = row_of(await operator.post(f"/feed/{emsp.id}/retry"), "tariffs", emsp)
    await emsp.listen()
    back = row_of(await operator.post(f"/feed/{emsp.id}/retry"), "tariffs", emsp)
    await hub.deliver()

    assert (away["state"], still["state"], back["state"]) == ("OFFLINE", "OFFLINE", "BEHIND")
    assert "next_attempt_at" not in away
    assert (delivery["state"], delivery["reason"]) == ("WAITING", "It is OFFLINE.")
    assert emsp.objects["tariffs/NL/ONE/T1"]


async def test_a_partner_that_lost_everything_is_told_again(hub, operator, cpo, emsp):
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await hub.deliver()
    emsp.received.clear()

    await operator.post(f"/feed/{emsp.id}/retry", restart=True)
    await hub.deliver()

    assert [push.path for push in emsp.received] == ["tariffs/NL/ONE/T1"]


async def test_a_partner_that_lost_a_module_is_told_that_one_again(hub, operator, cpo, emsp):
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    await hub.deliver()
    emsp.received.clear()

    said = await operator.post(f"/feed/{emsp.id}/retry", restart=True, module="locations")
    await hub.deliver()

    assert row_of(said, "locations", emsp)["behind"] == 1
    assert row_of(said, "tariffs", emsp)["behind"] == 0
    assert [push.path for push in emsp.received] == ["locations/NL/ONE/L1"]
    [entry] = (await operator.get("/audit", entity_type="ocpi_partner", limit=1)).body["items"]
    assert entry["description"] == "Told locations again"


@pytest.mark.parametrize(
    "body",
    [{"restart": True, "module": "cdrs"}, {"restart": True, "module": "x"}, {"module": "tariffs"}],
    ids=["a record", "nothing", "no restart"],
)
async def test_what_cannot_be_told_again_by_itself_is_refused(operator, emsp, body):
    said = await operator.post(f"/feed/{emsp.id}/retry", **body)

    assert (said.status, said.body["error"]["field"]) == (400, "module")


async def test_what_was_taken_back_is_not_taken_back_again_when_all_is_told_again(
    hub, operator, cpo, emsp
):
    """LOC-05: a new owner of the data behind this partner learns nothing of it."""
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    await hub.deliver()
    await cpo.patch(
        "locations/NL/ONE/L1", {"publish": False, "last_updated": "2025-09-01T00:00:00Z"}
    )
    await cpo.put("locations/NL/ONE/L2", location(version=V, id="L2"))
    await hub.deliver()
    emsp.received.clear()

    said = await operator.post(f"/feed/{emsp.id}/retry", restart=True)
    await hub.deliver()

    assert row_of(said, "locations", emsp)["behind"] == 1
    assert [push.path for push in emsp.received] == ["locations/NL/ONE/L2"]


async def test_a_refused_object_is_a_setback_that_can_be_replayed(hub, operator, cpo, emsp):
    emsp.fail(refuse(2001, "No such currency"), on="tariffs", times=1)
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await hub.deliver()

    [setback] = (await operator.get("/setbacks", partner_id=emsp.id)).body["items"]
    [delivery] = (await operator.get("/objects/tariffs/NL/ONE/T1")).body["deliveries"]
    assert (setback["object_ref"], setback["status_code"]) == ("NL/ONE/T1", 2001)
    assert "No such currency" in setback["reason"]
    assert delivery["state"] == "REFUSED"
    assert row_of(await operator.get("/feed"), "tariffs", emsp)["setbacks"] == 1

    replayed = await operator.post(f"/setbacks/{setback['id']}/replay")
    await hub.deliver()

    assert replayed.status == 200
    assert (await operator.get("/setbacks")).body["items"] == []
    [settled] = (await operator.get("/setbacks", settled="true")).body["items"]
    assert settled["settled_at"]
    assert emsp.objects["tariffs/NL/ONE/T1"]
    assert (await operator.post(f"/setbacks/{setback['id']}/replay")).status == 409
    [entry] = (await operator.get("/audit", entity_type="setback")).body["items"]
    assert "NL/ONE/T1" in entry["description"]


async def test_a_partner_whom_nothing_concerned_is_not_behind(hub, operator, cpo, emsp):
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await hub.deliver()

    status = row_of(await operator.get("/feed"), "tariffs", cpo)

    # A CPO is told of no tariffs: there is nothing it lacks.
    assert (status["state"], status["behind"]) == ("UP_TO_DATE", 0)


async def test_a_refused_push_is_in_quarantine_with_field_and_rule(operator, cpo):
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V, currency="EURO"))

    [listed] = (await operator.get("/quarantine", partner_id=cpo.id)).body["items"]
    shown = (await operator.get(f"/quarantine/{listed['id']}")).body

    assert (listed["kind"], listed["object_ref"]) == ("Tariff", "NL/ONE/T1")
    assert listed["errors"][0]["field"] == "currency"
    assert listed["errors"][0]["rule"]
    assert "EURO" in shown["body"]


@pytest.mark.parametrize("uid", ["AB", "A/B"])
async def test_a_token_that_comes_in_good_shape_leaves_quarantine(hub, operator, emsp, uid):
    """However it is spelled: its key has its type behind a slash, too (TOK-02)."""
    path = f"tokens/DE/TWO/{uid.replace('/', '%2F')}"
    await emsp.put(path, token(uid=uid, whitelist="MAYBE"))
    assert len((await operator.get("/quarantine")).body["items"]) == 1

    assert (await emsp.put(path, token(uid=uid))).ok
    await hub.run("settle quarantine")

    assert (await operator.get("/quarantine")).body["items"] == []


async def test_what_is_still_wrong_cannot_be_replayed(operator, cpo):
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V, currency="EURO"))
    [listed] = (await operator.get("/quarantine")).body["items"]

    said = await operator.post(f"/quarantine/{listed['id']}/replay")

    assert (said.status, said.error["code"]) == (409, "conflict")
    assert "currency" in said.error["message"]
    assert len((await operator.get("/quarantine")).body["items"]) == 1


async def test_what_was_wrong_for_another_reason_is_replayed_and_delivered(
    hub, operator, cpo, emsp, tenant
):
    """As after an upgrade that knows more: what lies there is a good object by now."""
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V, currency="EURO"))
    [listed] = (await operator.get("/quarantine")).body["items"]
    await mend(hub, tenant, listed["id"])

    replayed = await operator.post(f"/quarantine/{listed['id']}/replay")
    await hub.deliver()

    assert replayed.body == {"outcome": "created", "object_ref": "NL/ONE/T1"}
    assert emsp.objects["tariffs/NL/ONE/T1"]["currency"] == "EUR"
    assert (await operator.get("/quarantine")).body["items"] == []
    assert (await operator.post(f"/quarantine/{listed['id']}/replay")).status == 409


async def mend(hub, tenant, entry_id):
    from sqlalchemy import func, update  # noqa: PLC0415

    from hub.models.feed import QuarantinedObject  # noqa: PLC0415

    async with hub.database.transaction(tenant.id) as db:
        await db.execute(
            update(QuarantinedObject)
            .where(QuarantinedObject.id == entry_id)
            .values(body=func.replace(QuarantinedObject.body, "EURO", "EUR"))
        )


async def test_what_nobody_needs_is_dismissed(operator, cpo):
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V, currency="EURO"))
    [listed] = (await operator.get("/quarantine")).body["items"]

    said = await operator.post(f"/quarantine/{listed['id']}/dismiss")

    assert said.status == 204
    assert (await operator.get("/quarantine")).body["items"] == []
    [entry] = (await operator.get("/audit", entity_type="quarantined_object")).body["items"]
    assert "Dismissed" in entry["description"]


async def test_tokens_are_named_with_their_type(operator, emsp):
    await emsp.put("tokens/DE/TWO/T0KEN", token(version=V, uid="T0KEN"), params={"type": "RFID"})

    [listed] = (await operator.get("/objects/tokens")).body["items"]
    shown = await operator.get(f"/objects/tokens/{listed['ref']}")

    assert listed["ref"] == "DE/TWO/T0KEN/RFID"
    assert shown.body["document"]["uid"] == "T0KEN"
    assert (await operator.get("/objects/tokens/de/two/t0ken")).status == 200


async def test_objects_are_found_by_owner_and_id(operator, cpo):
    for number in range(3):
        await cpo.put(f"locations/NL/ONE/L{number}", location(version=V, id=f"L{number}"))

    first = (await operator.get("/objects/locations", limit=2)).body
    second = (await operator.get("/objects/locations", limit=2, after=first["next"])).body
    one = (await operator.get("/objects/locations", id="l1")).body
    none = (await operator.get("/objects/locations", party="BE*ONE")).body

    assert [row["id"] for row in first["items"] + second["items"]] == ["L2", "L1", "L0"]
    assert second["next"] is None
    assert [row["id"] for row in one["items"]] == ["L1"]
    assert none["items"] == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/objects/cars", 400),
        ("/objects/cars/NL/ONE/X", 400),
        ("/objects/locations/NL/ONE/NOPE", 404),
        ("/setbacks/not-an-id", 404),
    ],
)
async def test_what_does_not_exist_is_said_to_be_so(operator, path, status):
    said = await operator.get(path)

    assert said.status == status
    assert said.error["message"]


async def test_a_hidden_location_tells_from_whom_it_was_taken_back(hub, operator, cpo, stack):
    """LOC-05, in all versions."""
    eMSPs = [  # noqa: N806 - they are called so
        await stack.enter_async_context(FakePartner(f"FR*ZZ{n} EMSP", versions=(v,), name=v))
        for n, v in enumerate(("2.1.1", V, "2.3.0"))
    ]
    for one in eMSPs:
        one.id = str(await hub.connect(one))
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    await hub.deliver()
    eMSPs[0].fail(http(503), on="locations/NL/ONE/L1/E2")
    eMSPs[1].fail(refuse(2001, "No patches"), on="locations", times=1)
    late = await stack.enter_async_context(FakePartner("FR*NEW EMSP", name="Late"))

    await cpo.patch(
        "locations/NL/ONE/L1", {"publish": False, "last_updated": "2025-09-01T00:00:00Z"}
    )
    behind = row_of(await operator.get("/feed"), "locations", eMSPs[2])["behind"]
    await hub.deliver()
    await hub.connect(late)
    await hub.deliver()

    shown = (await operator.get("/objects/locations/NL/ONE/L1")).body
    assert shown["document"]["publish"] is False
    states = {delivery["partner"]: delivery["state"] for delivery in shown["deliveries"]}
    assert states == {"2.1.1": "REFUSED", V: "REFUSED", "2.3.0": "WITHDRAWN"}
    assert behind == 1
    assert row_of(await operator.get("/feed"), "locations", eMSPs[2])["behind"] == 0

    eMSPs[0].heal()
    for setback in (await operator.get("/setbacks")).body["items"]:
        assert (await operator.post(f"/setbacks/{setback['id']}/replay")).status == 200
    await hub.deliver()

    shown = (await operator.get("/objects/locations/NL/ONE/L1")).body
    assert {delivery["state"] for delivery in shown["deliveries"]} == {"WITHDRAWN"}
    assert eMSPs[1].objects["locations/NL/ONE/L1"]["publish"] is False
    evses = eMSPs[0].objects["locations/NL/ONE/L1"]["evses"]
    assert [one["status"] for one in evses] == ["REMOVED", "REMOVED"]


async def test_a_location_of_our_own_that_is_hidden_is_taken_back_too(hub, operator, emsp, tenant):
    """LOC-05: an operator hides it with ``hub object put``."""
    await operator.patch(f"/tenants/{tenant.id}", cpo_party="NL*OWN")
    own = location(id="DEPOT", country_code="NL", party_id="OWN")
    path = "/objects/locations/NL/OWN/DEPOT"
    assert (await operator.ask("PUT", path, json=own)).status == 200
    await hub.deliver()
    [whole] = emsp.received
    emsp.received.clear()

    hidden = own | {"publish": False, "name": "Fenced in", "last_updated": "2025-09-01T00:00:00Z"}
    assert (await operator.ask("PUT", path, json=hidden)).status == 200
    await hub.deliver()

    [push] = emsp.received
    assert whole.body["name"] == own["name"]
    assert (push.method, push.path) == ("PATCH", "locations/NL/OWN/DEPOT")
    assert push.body == {"publish": False, "last_updated": "2025-09-01T00:00:00Z"}


async def test_a_cdr_that_was_refused_waits_while_its_receiver_may_not_have_it(
    hub, operator, cpo, emsp
):
    """It is owed: a setback of a state would be settled."""
    emsp.fail(refuse(2001, "Not now"), on="cdrs", times=1)
    await cpo.post("cdrs", cdr(version=V))
    await hub.deliver()
    blocked = (await operator.post("/agreements", effect="BLOCK", module="cdrs")).body
    await hub.retry_now()
    await hub.deliver()
    assert emsp.received == []
    [setback] = (await operator.get("/setbacks")).body["items"]
    assert setback["next_attempt_at"]

    await operator.delete(f"/agreements/{blocked['id']}")
    await hub.retry_now()
    await hub.deliver()

    assert [push.body["id"] for push in emsp.received] == ["C1"]
    assert (await operator.get("/setbacks")).body["items"] == []
