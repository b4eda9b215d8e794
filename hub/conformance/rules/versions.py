"""Before anything else: tokens, versions, and what a version offers."""

from collections import Counter

from hub.conformance.checks import Checks, Fault, Faults, NotChecked, Weight
from hub.conformance.documents import complaints
from hub.conformance.subject import UNAUTHORIZED, Subject, members

CHECKS = check = Checks()
UNKNOWN_TOKEN = "nobody-was-ever-given-this-token"  # noqa: S105


@check("TRANSPORT-38", "A request without a token is answered with HTTP 401.")
async def without_a_token(subject: Subject) -> Faults:
    asked = await subject.get(subject.versions_url, token=None)
    if asked.answer.http_status != UNAUTHORIZED:
        yield Fault(asked, "Ask for the token on every URL, versions included; answer 401 without.")


@check("TRANSPORT-38", "A request with an unknown token is answered with HTTP 401.")
async def with_an_unknown_token(subject: Subject) -> Faults:
    asked = await subject.get(subject.versions_url, token=UNKNOWN_TOKEN)
    if asked.answer.http_status != UNAUTHORIZED:
        yield Fault(asked, "Compare the token with those you gave out; answer 401 to others.")


@check("TRANSPORT-31", "The token is understood in Base64.", since="2.2.1")
async def token_in_base64(subject: Subject) -> Faults:
    asked = await subject.get(subject.details_url, form="base64")
    if asked.answer.http_status == UNAUTHORIZED:
        yield Fault(asked, "Decode the value behind `Token ` from Base64 before you look it up.")


@check("TRANSPORT-32", "The token is understood as it is, without Base64.", until="2.1.1")
async def token_as_it_is(subject: Subject) -> Faults:
    asked = await subject.get(subject.details_url, form="raw")
    if asked.answer.http_status == UNAUTHORIZED:
        yield Fault(asked, "In 2.1.1 the value behind `Token ` is the token itself.")


@check("TRANSPORT-40", "The name of the header is read in any case.")
async def header_in_lower_case(subject: Subject) -> Faults:
    assert subject.versions is not None
    header = {"authorization": subject.versions.sent["Authorization"]}
    asked = await subject.get(subject.versions_url, token=None, headers=header)
    if asked.answer.http_status == UNAUTHORIZED:
        yield Fault(asked, "Look headers up without regard to case: `authorization` is the same.")


@check("VER-01", "The versions endpoint answers with a list of versions and URLs.")
async def versions_are_a_list(subject: Subject) -> Faults:
    asked = subject.versions
    assert asked is not None
    if not isinstance(asked.data, list):
        yield Fault(asked, "Let `data` be a list, also when there is one version only.")
        return
    for one in asked.data:
        for fault in complaints(subject.number, "Version", one):
            yield fault.at(asked, "VER-01")


@check("VER-01", "The version details say the version and list its endpoints.")
async def details_are_valid(subject: Subject) -> Faults:
    asked = subject.details
    assert asked is not None
    for fault in complaints(subject.number, "VersionDetails", asked.data):
        yield fault.at(asked, "VER-01")


@check("VER-01", "The version details are those of the version that the URL was listed for.")
async def details_of_the_version_listed(subject: Subject) -> Faults:
    asked = subject.details
    assert asked is not None
    told = asked.data.get("version") if isinstance(asked.data, dict) else None
    if isinstance(told, str) and told != subject.number:
        mend = "List each version with the URL of its own details."
        yield Fault(asked, mend, f"{told} at the URL listed for {subject.number}")


@check("VER-03", "An interface of a module is listed once.", since="2.2.1")
async def endpoints_are_unique(subject: Subject) -> Faults:
    assert subject.details is not None
    listed = Counter(
        (str(one.get("identifier")).lower(), str(one.get("role")))
        for one in members(subject.details.data, "endpoints")
    )
    for (identifier, role), times in listed.items():
        if times > 1:
            got = f"{identifier} {role} {times} times"
            yield Fault(subject.details, "List one URL per module and role.", got)


@check("VER-06", "Credentials are among the endpoints.")
async def credentials_are_offered(subject: Subject) -> Faults:
    if not subject.serves("credentials", "SENDER"):
        yield Fault(subject.details, "List the endpoint of credentials, in every version.", "none")


@check(
    "TRANSPORT-23", "The URLs of endpoints contain the number of the version.", weight=Weight.SHOULD
)
async def urls_contain_the_version(subject: Subject) -> Faults:
    for (module, _), url in subject.endpoints.items():
        if subject.number not in url:
            mend = "Put the number into the path, so that versions can live side by side."
            yield Fault(subject.details, mend, f"{module}: {url}")
            return


@check("TRANSPORT-01", "Endpoints are reached over HTTPS, as the versions are.")
async def endpoints_are_encrypted(subject: Subject) -> Faults:
    if not subject.versions_url.startswith("https:"):
        raise NotChecked("the versions URL is plain HTTP itself, as on one's own machine")
    for (module, _), url in subject.endpoints.items():
        if not url.startswith("https:"):
            mend = "Build URLs from the public address; a proxy in front of you may hide the TLS."
            yield Fault(subject.details, mend, f"{module}: {url}")
            return
