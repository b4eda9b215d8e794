"""Single objects of the Sender interfaces."""

from typing import Any

from hub.conformance.checks import Checks, Fault, Faults, NotChecked, Weight
from hub.conformance.documents import complaints
from hub.conformance.rules.lists import need_lists
from hub.conformance.subject import SENDER, Subject, members

CHECKS = check = Checks()
NOT_FOUND = 404
NOWHERE = "CONFORMANCE-NO-SUCH-ID"


def some_location(subject: Subject) -> dict[str, Any]:
    """A location with an EVSE, if there is one."""
    if "locations" not in need_lists(subject):
        raise NotChecked("it lists no locations")
    found = [one for one in subject.objects["locations"] if isinstance(one, dict) and one.get("id")]
    if not found:
        raise NotChecked("it has no location")
    return next((one for one in found if one.get("evses")), found[0])


@check("TRANSPORT-70", "One location is answered as one object, the one in the list.")
async def one_location(subject: Subject) -> Faults:
    location = some_location(subject)
    asked = await subject.module("GET", "locations", SENDER, str(location["id"]))
    if not isinstance(asked.data, dict) or asked.data.get("id") != location["id"]:
        yield Fault(asked, "Let `data` be the location itself.")


@check("TRANSPORT-70", "One EVSE and one connector of a location can be asked for.")
async def one_evse(subject: Subject) -> Faults:
    location = some_location(subject)
    evse: dict[str, Any] = next(iter(members(location, "evses")), {})
    connector = next(iter(members(evse, "connectors")), {})
    if not evse.get("uid") or not connector.get("id"):
        raise NotChecked("it has no location with an EVSE and a connector")
    path = [str(location["id"]), str(evse["uid"]), str(connector["id"])]
    for kind, segments in (("EVSE", path[:2]), ("Connector", path)):
        asked = await subject.module("GET", "locations", SENDER, *segments)
        wrong = complaints(subject.number, kind, asked.data)
        if not asked.answer.ok or wrong:
            mend = f"Let `data` at …/{{location_id}}/{{evse_uid}}/{{connector_id}} be the {kind}."
            told = f", but no {kind}: {wrong[0].path} {wrong[0].rule}" if wrong else ""
            yield Fault(asked, mend, asked.told + told)


@check("TRANSPORT-82", "What does not exist is answered with HTTP 404.", weight=Weight.SHOULD)
async def unknown_location(subject: Subject) -> Faults:
    if "locations" not in need_lists(subject):
        raise NotChecked("it lists no locations")
    asked = await subject.module("GET", "locations", SENDER, NOWHERE)
    if asked.answer.http_status != NOT_FOUND:
        yield Fault(asked, "Answer HTTP 404 with an envelope of 2003 when the id is unknown.")
