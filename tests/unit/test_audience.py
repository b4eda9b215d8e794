"""Agreements decide who sees and reaches whom: HUB-22, HUB-23, HUB-26, HUB-52, T-05."""

from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.models.values import ConnectionStatus, PartnerStatus, Party, Role
from hub.roaming.modules import CDRS, LOCATIONS, MODULE_IDS, MODULES, SESSIONS, TOKENS
from hub.roaming.network.audience import Audience, Rule
from hub.roaming.network.partners import Connection

ONE, TWO, THREE = Party("NL", "ONE"), Party("DE", "TWO"), Party("FR", "THR")
HUB = Party("NL", "HUB")


def platform(*roles: tuple[Party, Role]) -> Connection:
    return Connection(
        uuid4(),
        uuid4(),
        "platform",
        PartnerStatus.ACTIVE,
        ConnectionStatus.CONNECTED,
        HUB,
        version="2.2.1",
        roles=frozenset(roles),
    )


CPO, EMSP, OTHER_EMSP = (
    platform((ONE, Role.CPO)),
    platform((TWO, Role.EMSP)),
    platform((THREE, Role.EMSP)),
)
NETWORK = (CPO, EMSP, OTHER_EMSP)


def parties(found):
    return [party for _, party in found]


def test_locations_go_to_every_party_in_the_opposite_role_and_not_back_HUB_22_HUB_26():
    found = Audience.of(NETWORK).receivers(LOCATIONS, ONE, None, CPO.id)

    assert parties(found) == [TWO, THREE]


def test_a_platform_with_three_parties_is_told_three_times_HUB_26():
    many = platform((TWO, Role.EMSP), (THREE, Role.EMSP), (Party("BE", "FOU"), Role.NSP))

    assert len(Audience.of([CPO, many]).receivers(LOCATIONS, ONE, None, CPO.id)) == 3


def test_tokens_go_to_cpos_only():
    assert parties(Audience.of(NETWORK).receivers(TOKENS, TWO, None, EMSP.id)) == [ONE]


def test_sessions_and_cdrs_go_to_the_issuer_of_the_token_only_HUB_23():
    audience = Audience.of(NETWORK)

    for module in (SESSIONS, CDRS):
        assert parties(audience.receivers(module, ONE, TWO, CPO.id)) == [TWO]
        assert audience.receivers(module, ONE, None, CPO.id) == []
        assert audience.may_see(EMSP, module, ONE, TWO)
        assert not audience.may_see(OTHER_EMSP, module, ONE, TWO)
        assert audience.may_see(CPO, module, ONE, TWO)


def test_a_block_between_two_parties_leaves_the_others_alone():
    audience = Audience.of(NETWORK, [Rule(ONE, TWO, "locations", allow=False)])

    assert parties(audience.receivers(LOCATIONS, ONE, None, CPO.id)) == [THREE]
    assert not audience.may_see(EMSP, LOCATIONS, ONE)
    assert audience.visible_owners(OTHER_EMSP, LOCATIONS, [ONE]) == [ONE]
    assert audience.visible_owners(EMSP, LOCATIONS, [ONE]) == []


def test_the_most_specific_agreement_decides_and_among_equals_the_block():
    rules = [
        Rule(None, None, None, allow=False),
        Rule(ONE, None, None, allow=True),
        Rule(ONE, TWO, "tokens", allow=False),
        Rule(ONE, TWO, "tokens", allow=True),
    ]
    audience = Audience.of(NETWORK, rules)

    assert audience.allows(ONE, THREE, "locations")
    assert not audience.allows(ONE, TWO, "tokens")
    assert not audience.allows(THREE, ONE, "locations")


def test_a_country_weighs_less_than_a_party():
    rules = [
        Rule(None, None, None, allow=False, giver_country="NL"),
        Rule(ONE, None, None, allow=True),
    ]

    assert Audience.of(NETWORK, rules).allows(ONE, TWO, "locations")
    assert not Audience.of(NETWORK, rules).allows(Party("NL", "ABC"), TWO, "locations")


GERMAN = Party("DE", "ABC")


@pytest.mark.parametrize(
    ("light", "heavy"),
    [
        ({}, {"giver_country": "NL"}),
        ({"giver_country": "NL"}, {"giver_country": "NL", "taker_country": "DE"}),
        ({"taker_country": "DE"}, {"module": "tariffs", "giver_country": "NL"}),
        ({"giver_country": "NL"}, {"module": "TARIFFS"}),
        (
            {"giver_country": "NL", "taker_country": "DE", "module": "tariffs"},
            {"giver": ONE, "taker": TWO},
        ),
        ({"module": "tariffs", "taker_country": "DE"}, {"giver": ONE}),
        ({"giver": ONE}, {"giver": ONE, "module": "tariffs"}),
        ({"giver": ONE, "module": "tariffs", "taker_country": "DE"}, {"giver": ONE, "taker": TWO}),
    ],
)
def test_what_names_more_decides_HUB_52(light, heavy):
    nobody = {"giver": None, "taker": None, "module": None}
    for allow in (True, False):
        rules = [Rule(**nobody | light, allow=not allow), Rule(**nobody | heavy, allow=allow)]
        for network in (Audience.of(NETWORK, rules), Audience.of(NETWORK, rules[::-1])):
            assert network.allows(ONE, TWO, "tariffs") is allow
        # What names others, or another module, decides nothing here.
        other = {"giver": THREE, "taker": THREE, "module": "cdrs"}
        other |= {"giver_country": "FR", "taker_country": "FR"}
        for name in heavy:
            elsewhere = Rule(**nobody | heavy | {name: other[name]}, allow=not allow)
            assert Audience.of(NETWORK, [*rules, elsewhere]).allows(ONE, TWO, "tariffs") is allow


def test_nobody_is_kept_from_its_own():
    audience = Audience.of(NETWORK, [Rule(None, None, None, allow=False)], own=ONE)

    assert audience.allows(ONE, ONE, "tariffs")
    assert audience.lets_charge(ONE)
    assert not audience.lets_charge(TWO)
    assert Audience.of(NETWORK, audience.rules).lets_charge(TWO)


def test_of_what_is_for_one_party_others_on_its_platform_get_nothing_T_05():
    many = platform((TWO, Role.EMSP), (THREE, Role.EMSP), (GERMAN, Role.CPO))
    audience = Audience.of([CPO, many], [Rule(ONE, THREE, "cdrs", allow=False)])

    assert audience.withheld(many, CDRS, [ONE, GERMAN]) == ((ONE, THREE),)
    assert audience.withheld(many, LOCATIONS, [ONE]) == ()
    assert not audience.may_see(many, CDRS, ONE, THREE)
    # Who does not receive such things is told of none, whoever it may be.
    assert audience.takers(many, CDRS, ONE, GERMAN) == []


def test_a_closed_network_lets_nothing_through_without_an_agreement():
    audience = Audience.of(NETWORK, [Rule(ONE, TWO, None, allow=True)], allow_by_default=False)

    assert parties(audience.receivers(LOCATIONS, ONE, None, CPO.id)) == [TWO]
    assert audience.hosts(TWO) == [EMSP]


def test_the_connected_platform_of_a_party_comes_first():
    away = replace(platform((TWO, Role.NSP)), connection_status=ConnectionStatus.OFFLINE)

    assert Audience.of([away, EMSP]).hosts(TWO) == [EMSP, away]


some = st.sampled_from([ONE, TWO, THREE])
rules = st.builds(
    Rule,
    giver=st.none() | some,
    taker=st.none() | some,
    module=st.none() | st.sampled_from(sorted(MODULE_IDS)),
    allow=st.booleans(),
)


@given(st.lists(rules, max_size=6), some, some, st.sampled_from(list(MODULES.values())))
def test_what_is_not_allowed_is_neither_pushed_nor_listed_nor_read_T_05(
    rules, owner, viewer, module
):
    audience = Audience.of(NETWORK, rules)
    [connection] = audience.hosts(viewer)
    receiver = viewer if module.private else None

    told = viewer in parties(audience.receivers(module, owner, receiver, None))
    seen = audience.may_see(connection, module, owner, receiver)

    assert seen == (told or owner == viewer)
    if not audience.allows(owner, viewer, module.module_id):
        assert not told
        assert owner not in audience.visible_owners(connection, module, [owner])
