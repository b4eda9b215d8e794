"""What a platform says of itself: its credentials object."""

from collections import Counter

from hub.conformance.checks import Checks, Fault, Faults, NotChecked, Weight
from hub.conformance.documents import complaints
from hub.conformance.subject import SENDER, Subject, members

CHECKS = check = Checks()


def told(subject: Subject) -> dict[str, object]:
    if subject.credentials is None:
        raise NotChecked("it did not show its credentials")
    return subject.credentials


@check("CRED-18", "GET credentials shows a valid credentials object.")
async def get_credentials(subject: Subject) -> Faults:
    if not subject.serves("credentials", SENDER):
        raise NotChecked("it has no endpoint for credentials")
    asked = await subject.module("GET", "credentials", SENDER)
    if not asked.answer.ok or not isinstance(asked.data, dict):
        yield Fault(asked, "Answer with your credentials object: token, url and roles.")
        return
    subject.credentials = asked.data
    for fault in complaints(subject.number, "Credentials", asked.data):
        yield fault.at(asked)


@check("CRED-18", "The token it shows is the one we use.", weight=Weight.SHOULD)
async def token_is_ours(subject: Subject) -> Faults:
    shown = told(subject).get("token")
    if not subject.has_access:
        raise NotChecked("what is shown for a token A is not defined")
    if isinstance(shown, str) and shown != subject.token:
        got = "another token than the one the request was made with"
        yield Fault(None, "Show the token that the caller uses at your platform.", got)


@check("CRED-18", "The URL it shows is that of its versions.")
async def url_is_the_versions_url(subject: Subject) -> Faults:
    url = told(subject).get("url")
    if not isinstance(url, str):
        raise NotChecked("it shows no URL")
    asked = await subject.get(url)
    if not any("version" in one for one in members(asked.data, "versions")):
        mend = "Name the URL of the list of versions, not that of one version."
        yield Fault(asked, mend, f"{asked.told}, no list of versions")


@check("CRED-01", "Every role of a party is listed once.", since="2.2.1")
async def roles_are_unique(subject: Subject) -> Faults:
    told(subject)
    for (party, role), times in Counter(subject.parties).items():
        if times > 1:
            yield Fault(None, "List each role, country and party once.", f"{party} {role} {times}x")


@check("CRED-03", "A hub reports the role HUB and nothing else.", since="2.2.1", until="2.2.1")
async def hub_reports_itself_only(subject: Subject) -> Faults:
    told(subject)
    roles = {role for _, role in subject.parties}
    if "HUB" in roles and roles != {"HUB"}:
        mend = "Tell of parties behind the hub with HubClientInfo, not in your roles."
        yield Fault(None, mend, ", ".join(sorted(roles)))


@check("CRED-04", "A hub names its own party in hub_party_id.", since="2.3.0")
async def hub_names_itself(subject: Subject) -> Faults:
    if subject.serves("hubclientinfo", SENDER) and "hub_party_id" not in told(subject):
        mend = "Whoever serves HubClientInfo is a hub: say which party it is addressed by."
        yield Fault(None, mend, "no hub_party_id")
