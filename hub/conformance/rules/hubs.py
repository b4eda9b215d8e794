"""What only a hub does: it passes requests on, and says when it cannot."""

from hub.conformance.checks import Checks, Fault, Faults, NotChecked, Weight
from hub.conformance.pushing import new, pushable
from hub.conformance.subject import RECEIVER, SENDER, Subject
from hub.models.values import Party

CHECKS = check = Checks()
NOBODY = Party("XX", "XXX")
UNKNOWN_RECEIVER = 4001


def the_hub(subject: Subject) -> Party:
    subject.need_registration()
    if subject.hub is None:
        raise NotChecked("it is no hub")
    return subject.hub


@check("HUB-45", "A request to an unknown party is answered with 4001.", since="2.2.1")
async def unknown_receivers(subject: Subject) -> Faults:
    the_hub(subject)
    module = pushable(subject)[0]
    pushed = new(subject, module)
    asked = await subject.module("PUT", module, RECEIVER, *pushed.path, body=pushed.body, to=NOBODY)
    if asked.answer.status_code != UNKNOWN_RECEIVER:
        yield Fault(asked, "Answer HTTP 200 with 4001: there is no such party.")


@check(
    "HUB-30", "A list that is asked of the hub itself holds what all parties have.", since="2.2.1"
)
async def get_all(subject: Subject) -> Faults:
    hub = the_hub(subject)
    if not subject.serves("locations", SENDER):
        raise NotChecked("it lists no locations")
    asked = await subject.module("GET", "locations", SENDER, to=hub)
    if not asked.answer.ok or not isinstance(asked.data, list):
        yield Fault(asked, "Answer a GET that is addressed to the hub from all its parties.")


@check("HUB-16", "Half an address is refused.", weight=Weight.SHOULD, since="2.2.1")
async def half_an_address(subject: Subject) -> Faults:
    the_hub(subject)
    if not subject.serves("locations", SENDER):
        raise NotChecked("it lists no locations")
    half = {"OCPI-to-country-code": NOBODY.country_code}
    asked = await subject.module("GET", "locations", SENDER, to=None, headers=half)
    if asked.answer.ok:
        yield Fault(asked, "Answer 2001 when one of the two OCPI-to headers is missing.")


@check(
    "HUB-44",
    "Nobody speaks for a party that is not on the platform.",
    weight=Weight.SHOULD,
    since="2.2.1",
)
async def strangers_cannot_speak(subject: Subject) -> Faults:
    the_hub(subject)
    if not subject.serves("locations", SENDER):
        raise NotChecked("it lists no locations")
    stranger = {
        "OCPI-from-country-code": NOBODY.country_code,
        "OCPI-from-party-id": NOBODY.party_id,
    }
    asked = await subject.module("GET", "locations", SENDER, headers=stranger)
    if asked.answer.ok:
        yield Fault(asked, "Compare OCPI-from with the roles of the caller: HTTP 403.")
