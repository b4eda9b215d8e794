"""What one partner gets next, and in which order.

Of what concerns a partner as much is chosen as may go at the same time; what was set aside before
is recognized in it.
"""

from dataclasses import dataclass

from hub.models.values import Party, Place
from hub.ocpi.delivery.courier import Entry, Run
from hub.ocpi.delivery.delivery import Outcome, Verdict
from hub.ocpi.delivery.window import Message
from hub.roaming.feed.setbacks import Open

Concerned = list[tuple[Message, list[Party]]]


@dataclass
class Batch:
    """What one partner gets next."""

    entries: list[Entry]
    end: Place
    behind: bool
    urgent_up_to: Place | None = None


def cut(concerned: Concerned, limit: int) -> tuple[Concerned, Message | None]:
    """As many as may go at the same time, and the first one that may not.

    An EVSE that changed after its location was read must come after it; one that the location holds
    already is left out.
    """
    chosen: Concerned = []
    locations: dict[str, Place] = {}
    for message, parties in concerned:
        change = message.change
        if change.parent in locations and not change.withdraws:
            if change.place < locations[change.parent]:
                continue
            return chosen, message
        if len(chosen) >= limit:
            return chosen, message
        if change.kind == "Location" and not change.withdraws:
            locations[change.ref] = message.held
        chosen.append((message, parties))
    return chosen, None


def spread(chosen: Concerned, *, ahead: bool = False) -> list[Entry]:
    """One delivery per receiving party (HUB-26)."""
    return [Entry(message, party, ahead) for message, parties in chosen for party in parties]


def kept_back(message: Message, receiver: Party, module: str) -> Entry:
    """A record that its receiver may not have as things are: owed, so set aside and not sent."""
    reason = f"No agreement lets {message.change.owner} send {module} to {receiver}."
    return Entry(message, receiver, verdict=Verdict(Outcome.REFUSED, reason, later=True))


def concerns(entry: Entry) -> list[str]:
    change = entry.message.change
    return [change.ref] if change.after is None else [change.ref, change.after]


def recall(run: Run, setback: Open) -> bool:
    """Tell the entries what is known of them; whether the object of the setback is among them."""
    found = False
    for entry in run.entries:
        if entry.party != setback.party:
            continue
        change = entry.message.change
        if change.ref == setback.ref:
            entry.setback = setback
            found = True
        elif change.after == setback.ref:
            entry.blocked = setback.ref
    return found
