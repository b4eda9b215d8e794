"""What has to be so in every answer; looked at in the end, over everything that was asked."""

from collections.abc import Iterator

from hub.conformance.caller import Exchange
from hub.conformance.checks import Checks, Fault, Faults
from hub.conformance.documents import is_moment
from hub.conformance.subject import Subject

CHECKS = check = Checks()
HTTP_ERROR, SERVER_ERROR = 400, 500
LATER = "2.2.1"
# From here to the next thousand, status codes are for agreements between two parties.
CUSTOM = 900


def envelopes(subject: Subject) -> Iterator[Exchange]:
    return (asked for asked in subject.caller.exchanges if asked.answer.envelope is not None)


@check("TRANSPORT-07", "Every answer is JSON, by its Content-Type.")
async def answers_are_json(subject: Subject) -> Faults:
    for asked in subject.caller.exchanges:
        kind = asked.answer.headers.get("Content-Type", "")
        if kind.partition(";")[0].strip().lower() != "application/json":
            yield Fault(
                asked, "Send Content-Type: application/json.", f"{kind or 'no Content-Type'}"
            )


@check("TRANSPORT-07", "Every answer is an envelope with a status_code, errors included.")
async def answers_are_envelopes(subject: Subject) -> Faults:
    for asked in subject.caller.exchanges:
        if asked.answer.envelope is None:
            yield Fault(asked, "Answer errors of HTTP, too, with status_code and timestamp.")


@check("TRANSPORT-93", "Every envelope has a timestamp in UTC.")
async def envelopes_have_a_timestamp(subject: Subject) -> Faults:
    for asked in envelopes(subject):
        stamp = (asked.answer.envelope or {}).get("timestamp")
        if not is_moment(stamp):
            yield Fault(asked, "Say when the answer was made: 2025-06-29T20:39:09Z.", f"{stamp!r}")


@check("TRANSPORT-45", "Every answer repeats X-Request-ID.", since=LATER)
async def request_id_comes_back(subject: Subject) -> Faults:
    for fault in echoed(subject, "X-Request-ID"):
        yield fault


@check("TRANSPORT-46", "Every answer repeats X-Correlation-ID.", since=LATER)
async def correlation_id_comes_back(subject: Subject) -> Faults:
    for fault in echoed(subject, "X-Correlation-ID"):
        yield fault


def echoed(subject: Subject, header: str) -> Iterator[Fault]:
    for asked in envelopes(subject):
        told = asked.answer.headers.get(header)
        if told != asked.sent[header]:
            got = f"another {header}" if told else f"no {header}"
            yield Fault(asked, f"Put the request's {header} on the answer, errors included.", got)


@check("HUB-12", "Versions, credentials and hubclientinfo have no routing headers.", since=LATER)
async def configuration_is_not_routed(subject: Subject) -> Faults:
    for asked in subject.caller.exchanges:
        named = [name for name in asked.answer.headers if name.lower().startswith("ocpi-")]
        if named and not asked.functional:
            mend = "Leave them out: these modules are between two platforms, not two parties."
            yield Fault(asked, mend, ", ".join(named))


@check("HUB-14", "The answer to a party comes from a party: routing headers swap.", since=LATER)
async def routing_headers_swap(subject: Subject) -> Faults:
    for asked in subject.caller.exchanges:
        if not asked.functional or not asked.answer.ok or "OCPI-from-party-id" not in asked.sent:
            continue
        wanted = {("to", part): asked.sent[f"OCPI-from-{part}"] for part in PARTS}
        if "OCPI-to-party-id" in asked.sent:
            wanted |= {("from", part): asked.sent[f"OCPI-to-{part}"] for part in PARTS}
        told = {key: asked.answer.headers.get(f"OCPI-{key[0]}-{key[1]}") for key in wanted}
        if all(value is None for value in told.values()) and is_alone(subject):
            continue
        wrong = [
            f"OCPI-{key[0]}-{key[1]}: {told[key] or 'missing'}"
            for key in wanted
            if str(told[key]).upper() != wanted[key].upper()
        ]
        if wrong:
            mend = "Answer to whom the request came from, in the name of whom it was sent to."
            yield Fault(asked, mend, ", ".join(wrong))


PARTS = ("country-code", "party-id")


def is_alone(subject: Subject) -> bool:
    """One party in one role may do without routing headers (HUB-13)."""
    return len(subject.parties) == 1 and len(subject.roles) == 1 and subject.hub is None


@check("TRANSPORT-84", "Status codes are those of OCPI.", since=LATER)
async def codes_are_standard(subject: Subject) -> Faults:
    for asked in envelopes(subject):
        code = asked.answer.status_code or 0
        if code % 1000 >= CUSTOM or not 1000 <= code < 5000:  # noqa: PLR2004 - the four ranges
            yield Fault(asked, "Use 1000, 2000 to 2004, 3000 to 3003, 4000 to 4003.")


@check("TRANSPORT-81", "No request makes the platform fail with HTTP 5xx.")
async def nothing_makes_it_fail(subject: Subject) -> Faults:
    for asked in subject.caller.exchanges:
        if asked.answer.http_status >= SERVER_ERROR and asked not in subject.blamed:
            yield Fault(asked, "Answer what you cannot serve with HTTP 200 and an OCPI code.")


@check("TRANSPORT-74", "A failure in HTTP is a failure in OCPI.")
async def statuses_agree(subject: Subject) -> Faults:
    for asked in envelopes(subject):
        failed = asked.answer.http_status >= HTTP_ERROR
        if failed and (asked.answer.status_code or 0) < 2000:  # noqa: PLR2004 - successes are below
            yield Fault(asked, "Do not say 1000 in an answer with an HTTP error.")
