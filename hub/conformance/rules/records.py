"""Posting CDRs to the Receiver interface."""

from uuid import uuid4

from hub.conformance import samples
from hub.conformance.caller import Exchange
from hub.conformance.checks import Checks, Fault, Faults, NotChecked, Weight
from hub.conformance.pushing import charged_token, different
from hub.conformance.rules.lists import is_absolute
from hub.conformance.subject import RECEIVER, Subject
from hub.models.values import Role
from hub.ocpi.versions.base import Document

CHECKS = check = Checks()


def new(subject: Subject) -> Document:
    charged = charged_token(subject)
    name = f"{samples.PREFIX}-{uuid4().hex[:12]}"
    document = samples.cdr(subject.party, name, charged)
    return samples.written(subject.number, "CDR", document, charged)


async def post(subject: Subject, body: Document) -> Exchange:
    subject.need_registration()
    receives = subject.serves("cdrs", RECEIVER) and Role.CPO in subject.roles
    if not receives or (subject.is_old and "cdrs" in subject.objects):
        raise NotChecked("it receives no CDRs of ours")
    return await subject.module("POST", "cdrs", RECEIVER, body=body)


async def posted(subject: Subject) -> tuple[Document, Exchange, str]:
    """A new CDR that was accepted, and where it is to be found."""
    body = new(subject)
    asked = await post(subject, body)
    if not asked.answer.ok:
        raise NotChecked("it refuses our CDRs")
    return body, asked, asked.answer.headers.get("Location", "")


@check("CDR-03", "A valid CDR is accepted with 1000.")
async def cdrs_are_accepted(subject: Subject) -> Faults:
    asked = await post(subject, new(subject))
    if not asked.answer.ok:
        yield Fault(asked, "Accept what is valid, and say in status_message what is not.")


@check("CDR-03", "The answer to a CDR says in Location where it is, and there it can be read.")
async def cdrs_have_a_location(subject: Subject) -> Faults:
    body, asked, url = await posted(subject)
    if not is_absolute(url):
        got = f"Location: {url}" if url else "no Location"
        yield Fault(asked, "Send `Location` with an absolute URL.", got)
        return
    found = await subject.get(url, functional=True)
    if got := different(body, found.data, "id", "currency"):
        yield Fault(found, "Serve the CDR at the Location that you answered.", got)


@check("CDR-04", "The same CDR again does no harm.", weight=Weight.SHOULD)
async def cdrs_may_come_again(subject: Subject) -> Faults:
    body, _, _ = await posted(subject)
    again = await post(subject, body)
    if not again.answer.ok:
        mend = "Answer 1000 and the same Location: the sender may not have got your answer."
        yield Fault(again, mend)


@check("CDR-04", "Another CDR under an id that is taken is refused.", weight=Weight.SHOULD)
async def cdrs_are_not_replaced(subject: Subject) -> Faults:
    body, _, _ = await posted(subject)
    other = await post(subject, body | {"total_energy": 1, "remark": "Another one"})
    if other.answer.ok:
        yield Fault(other, "Answer 2001: what was invoiced must not change.")


@check("CDR-02", "CDRs cannot be changed.")
async def cdrs_are_final(subject: Subject) -> Faults:
    body, _, url = await posted(subject)
    if not is_absolute(url):
        raise NotChecked("it does not say where the CDR is")
    for method in ("PUT", "PATCH", "DELETE"):
        sent = None if method == "DELETE" else body
        asked = await subject.ask(method, url, body=sent, functional=True)
        if asked.answer.ok:
            yield Fault(asked, "Offer neither PUT nor PATCH nor DELETE for CDRs.")
