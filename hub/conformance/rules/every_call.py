"""What has to be so in every request that the platform made to our server."""

from hub.conformance.callbacks import Call
from hub.conformance.checks import Checks, Fault, Faults, NotChecked
from hub.conformance.subject import Subject

CHECKS = check = Checks()
IDS = ("X-Request-ID", "X-Correlation-ID")


def calls(subject: Subject) -> list[Call]:
    if not subject.server.calls:
        raise NotChecked("the platform has not called us")
    return subject.server.calls


@check("TRANSPORT-31", "The platform sends our token in Base64.", since="2.2.1")
async def tokens_in_base64(subject: Subject) -> Faults:
    for call in calls(subject):
        if call.form != "base64":
            mend = "Encode the token with Base64 behind `Token `, without a line break."
            yield Fault(None, mend, f"{call.line}: the token as it is")


@check("TRANSPORT-32", "The platform sends our token as it is.", until="2.1.1")
async def tokens_as_they_are(subject: Subject) -> Faults:
    for call in calls(subject):
        if call.form != "raw":
            yield Fault(None, "In 2.1.1 tokens are not encoded.", f"{call.line}: in Base64")


@check(
    "TRANSPORT-45 TRANSPORT-46",
    "The platform's requests have ids, each its own X-Request-ID.",
    since="2.2.1",
)
async def requests_have_ids(subject: Subject) -> Faults:
    seen = set()
    for call in calls(subject):
        for name in IDS:
            if not call.headers.get(name):
                yield Fault(None, "Send both ids with every request.", f"{call.line}: no {name}")
        request_id = call.headers.get(IDS[0])
        if request_id and request_id in seen:
            got = f"{call.line}: the same {IDS[0]} again"
            yield Fault(None, "Draw a new X-Request-ID for every request.", got)
        seen.add(request_id)


@check(
    "HUB-12", "The platform sends no routing headers to versions and credentials.", since="2.2.1"
)
async def configuration_is_not_routed(subject: Subject) -> Faults:
    for call in calls(subject):
        named = [name for name in call.headers if name.lower().startswith("ocpi-")]
        if named and (not call.functional or "/hubclientinfo" in call.path):
            mend = "Leave them out: these modules are between two platforms, not two parties."
            yield Fault(None, mend, f"{call.line}: {', '.join(named)}")


@check("TRANSPORT-05", "The platform says that its bodies are JSON.", since="2.2.1")
async def bodies_are_json(subject: Subject) -> Faults:
    for call in calls(subject):
        kind = call.headers.get("Content-Type", "")
        if call.body is not None and not kind.lower().startswith("application/json"):
            got = f"{call.line}: {kind or 'no Content-Type'}"
            yield Fault(None, "Send Content-Type: application/json with a body.", got)
