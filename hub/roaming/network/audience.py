"""Who must know of a change, who may see an object, who may reach whom.

One place, three questions, the same answer: pushes, lists and forwarded requests all ask here.

A party sees an object when it plays a role that receives the module, when the object is meant for
it (sessions and CDRs: it issued the token), and when the agreements between the two parties allow
it. The most specific agreement decides; among equals a BLOCK wins; without any, the tenant's
default (HUB-52).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from hub.models.values import Party, Role
from hub.roaming.modules import HUBCLIENTINFO, MODULE_IDS, TOKENS, Module
from hub.roaming.network.partners import Connection


@dataclass(frozen=True, slots=True)
class Rule:
    """One agreement. None stands for "any"; names of modules are compared without case."""

    giver: Party | None
    taker: Party | None
    module: str | None
    allow: bool
    hold: bool = False
    giver_country: str | None = None
    taker_country: str | None = None

    def applies(self, giver: Party, taker: Party, module: str) -> bool:
        return (
            self.giver in {None, giver}
            and self.taker in {None, taker}
            and (self.module is None or self.module.lower() == module.lower())
            and self.giver_country in {None, giver.country_code}
            and self.taker_country in {None, taker.country_code}
        )

    def concerns_giver(self, party: Party) -> bool:
        return self.giver in {None, party} and self.giver_country in {None, party.country_code}

    @property
    def weight(self) -> tuple[int, bool]:
        """More names, more weight; parties weigh more than countries; BLOCK wins among equals."""
        named = 4 * sum(part is not None for part in (self.giver, self.taker))
        named += 2 * (self.module is not None)
        named += sum(part is not None for part in (self.giver_country, self.taker_country))
        return named, not self.allow


@dataclass(frozen=True)
class Audience:
    """The parties of one tenant's network and what is agreed between them, as of one moment.

    ``own`` is the party of the hub's own stations; it is on no platform (HUB-07).
    """

    connections: tuple[Connection, ...]
    rules: tuple[Rule, ...] = ()
    allow_by_default: bool = True
    own: Party | None = None

    @classmethod
    def of(
        cls,
        connections: Iterable[Connection],
        rules: Iterable[Rule] = (),
        *,
        allow_by_default: bool = True,
        own: Party | None = None,
    ) -> "Audience":
        heaviest_first = tuple(sorted(rules, key=lambda rule: rule.weight, reverse=True))
        return cls(tuple(connections), heaviest_first, allow_by_default, own)

    def allows(self, giver: Party, taker: Party, module: str) -> bool:
        """Whether data or requests of one party may reach another."""
        if giver == taker:
            return True
        for rule in self.rules:
            if rule.applies(giver, taker, module):
                return rule.allow
        return self.allow_by_default

    @property
    def is_open(self) -> bool:
        """Whether nothing is agreed, and everybody may have everything."""
        return self.allow_by_default and not self.rules

    def lets_charge(self, issuer: Party) -> bool:
        """Whether tokens of a party are good at the hub's own stations."""
        return self.own is None or self.allows(issuer, self.own, TOKENS.name)

    def knows(self, viewer: Party, other: Party) -> bool:
        """Whether a party is told that another is there, in HubClientInfo as in the roles of
        credentials (HCI-11, HUB-52): an agreement says so, or some module may pass between them.
        """
        for rule in self.rules:
            if rule.applies(other, viewer, HUBCLIENTINFO.name):
                return rule.allow
        return self.allow_by_default or any(
            self.allows(giver, taker, module)
            for giver, taker in ((viewer, other), (other, viewer))
            for module in MODULE_IDS
        )

    def allows_by_name(self, giver: Party, taker: Party, module: str) -> bool:
        """The same for a module that nobody knows: an agreement must name it, none may forbid it
        that weighs more.
        """
        for rule in self.rules:
            if rule.applies(giver, taker, module) and (not rule.allow or rule.module is not None):
                return rule.allow
        return False

    def modules_named_for(self, parties: Iterable[Party]) -> set[str]:
        """The modules that an agreement allows by name to one of these parties."""
        return {
            rule.module
            for rule in self.rules
            if rule.module is not None
            and rule.allow
            and any(rule.concerns_giver(party) for party in parties)
        }

    def holds(self, giver: Party, taker: Party, module: str) -> bool:
        """Whether records of one party wait for their check before they reach another."""
        rule = next((rule for rule in self.rules if rule.applies(giver, taker, module)), None)
        return rule is not None and rule.hold

    def among(self, connections: Iterable[Connection]) -> "Audience":
        """The same agreements among these platforms."""
        return replace(self, connections=tuple(connections))

    def receivers(
        self, module: Module, owner: Party, receiver: Party | None, origin: UUID | None
    ) -> list[tuple[Connection, Party]]:
        """Every party to be told of a change, each once, never on the platform it came from
        (HUB-26).
        """
        return [
            (connection, party)
            for connection in self.connections
            if connection.id != origin
            for party in self.takers(connection, module, owner, receiver)
        ]

    def takers(
        self, connection: Connection, module: Module, owner: Party, receiver: Party | None
    ) -> list[Party]:
        """The parties on one platform that may have an object."""
        if module.private and receiver is None:
            return []
        return sorted(
            party
            for party in connection.parties
            if party != owner
            and self.takes(connection, module, party, receiver)
            and self.allows(owner, party, module.module_id)
        )

    def takes(
        self, connection: Connection, module: Module, party: Party, receiver: Party | None
    ) -> bool:
        roles = connection.roles_of(party)
        if module.private:
            # Sessions and CDRs are for the party that issued the token and nobody else (HUB-23,
            # SES-17).
            return party == receiver and bool(roles & (module.receiver_roles | {Role.OTHER}))
        return bool(roles & module.receiver_roles)

    def withholds(
        self, connection: Connection, module: Module, owner: Party, receiver: Party | None
    ) -> bool:
        """Whether a private object is for a party on a platform, and it is not agreed that it gets
        it.
        """
        return (
            receiver is not None
            and receiver in connection.parties
            and self.takes(connection, module, receiver, receiver)
            and not self.allows(owner, receiver, module.module_id)
        )

    def may_see(
        self, connection: Connection, module: Module, owner: Party, receiver: Party | None = None
    ) -> bool:
        """Whether a platform may read an object: its own, or one it would be told of."""
        return owner in connection.parties or bool(self.takers(connection, module, owner, receiver))

    def visible_owners(
        self, connection: Connection, module: Module, owners: Sequence[Party]
    ) -> list[Party]:
        """Of the owners given, those whose objects a platform finds in its lists."""
        return [
            owner
            for owner in owners
            if owner not in connection.parties and self.visible_to_any(connection, module, owner)
        ]

    def withheld(
        self, connection: Connection, module: Module, owners: Sequence[Party]
    ) -> tuple[tuple[Party, Party], ...]:
        """Owners, and the parties on a platform that may not have of them what others there may.

        What is not private is for a platform as a whole.
        """
        if not module.private or self.is_open:
            return ()
        parties = sorted(connection.parties)
        return tuple(
            (owner, party)
            for owner in owners
            for party in parties
            if not self.allows(owner, party, module.module_id)
        )

    def visible_to_any(self, connection: Connection, module: Module, owner: Party) -> bool:
        if module.private:
            return any(self.allows(owner, party, module.module_id) for party in connection.parties)
        return bool(self.takers(connection, module, owner, None))

    def hosts(self, party: Party, role: Role | None = None) -> list[Connection]:
        """The platforms that host a party, best connected first."""
        found = [
            connection
            for connection in self.connections
            if party in connection.parties and (role is None or role in connection.roles_of(party))
        ]
        return sorted(found, key=lambda connection: connection.connection_status != "CONNECTED")

    def expects(self, party: Party) -> bool:
        """Whether a platform may register as a party and has not: not yet, or no longer."""
        return any(party in connection.planned for connection in self.connections)
