"""The hub's own TLS listener for stations: whom it lets in (T-48, T-49)."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs

from hub.ocpp.tls.authority import uses
from tests.helpers.certificates import DAY, SERVERS, authority, client_context, issue
from tests.helpers.charge_points import PASSWORD, basic

# The profiles.


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_a_station_of_profile_2_charges_over_tls_with_its_password_T_48(secured, version):
    names = {"1.6": "OCPP_1_6", "2.0.1": "OCPP_2_0_1", "2.1": "OCPP_2_1"}
    made = await secured.csms.add_station(names[version], security_profile=2)
    async with secured.connect(made, version=version) as station:
        assert (await station.boot()).status == "Accepted"
        assert secured.listener.arrivals.count == 0


@pytest.mark.parametrize(
    ("profile", "tls", "shown", "outcome"),
    [
        (1, False, "password", 200),
        (1, True, "password", 200),
        (1, True, "", 401),
        (1, True, "certificate", 200),
        (2, False, "password", 401),
        (2, True, "password", 200),
        (2, True, "", 401),
        (2, True, "certificate", 200),
        (3, False, "password", 401),
        (3, True, "password", 401),
        (3, True, "certificate", 200),
        (3, True, "certificate password", 200),
    ],
)
async def test_no_profile_below_that_of_the_record_T_48(secured, profile, tls, shown, outcome):
    made = await secured.csms.add_station()
    own = issue(made.identity, secured.operators)
    await secured.pin(made, own, profile)
    if not tls:
        secured.url = lambda path: secured.csms.url("x").with_path(path)

    got = await secured.outcome(
        made,
        own if "certificate" in shown else None,
        password=PASSWORD if "password" in shown else None,
    )

    assert got == outcome


async def test_the_log_says_why_a_station_is_refused_T_44(secured, operators):
    """An operator sees which of the many reasons it is; the station is told none."""
    made = await secured.csms.add_station()
    await secured.pin(made, issue(made.identity, operators))
    path, foreign = f"/ocpp/{made.identity}", issue("CP-other", operators)

    with capture_logs() as logs:
        await secured.refusal(path, basic(made.identity, PASSWORD), None)
        await secured.refusal(path, basic(made.identity, "wrong-password-123"), None)
        await secured.refusal(path, basic("somebody-else", PASSWORD), None)
        await secured.refusal(path, {}, foreign)

    assert [log["reason"] for log in logs if log["event"] == "station refused"] == [
        "without certificate, but its record has security profile 3",
        "unknown identity, or wrong password",
        "neither a certificate, nor a password with its identity as the user name",
        "unknown identity, or a certificate that is not in its record",
    ]
    assert PASSWORD not in str(logs)


async def test_unknown_station_and_wrong_certificate_cannot_be_told_apart_T_44(secured, operators):
    made = await secured.csms.add_station()
    other = await secured.csms.add_station()
    await secured.pin(made, issue(made.identity, operators))
    foreign = issue(other.identity, operators)
    await secured.pin(other, foreign)
    path = f"/ocpp/{made.identity}"

    answers = [
        await secured.refusal(path, {}, foreign),
        await secured.refusal(path, {}, None),
        await secured.refusal(path, basic(made.identity, PASSWORD), None),
        await secured.refusal(path, basic(made.identity, "wrong-password-123"), foreign),
        await secured.refusal("/ocpp/CP-unknown", {}, foreign),
        await secured.refusal("/ocpp/CP-unknown", basic("CP-unknown", PASSWORD), None),
    ]

    assert [answer[0] for answer in answers] == [401] * 6
    assert all(answer == answers[0] for answer in answers)


async def test_nothing_but_stations_is_served(secured):
    for path in ("/", "/ocpi/versions", "/admin/v1/me", "/docs", "/metrics", "/live"):
        async with secured.csms.session.get(
            secured.url(path), ssl=client_context(secured.root.pem)
        ) as response:
            assert response.status == 404


async def test_headers_of_a_proxy_are_not_believed_T_49(secured, operators):
    made = await secured.csms.add_station()
    own = issue(made.identity, operators)
    await secured.pin(made, own)
    headers = {"X-Client-Verify": "SUCCESS", "X-Client-Cert": own.pem.replace("\n", "%0A")}

    status, _, _ = await secured.refusal(f"/ocpp/{made.identity}", headers, None)

    assert status == 401


# Bad certificates.


NO_SIGNATURES = uses("key_encipherment")
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


def bad_certificates(operators, made):
    """What is shown instead of ``good``, and how it is refused."""
    other = authority("Another CA")
    namesake = authority("Operator's CA")
    between = issue("Not a CA", operators)
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return {
        "self_signed": (issue(made.identity), "TLS"),
        "other_ca": (issue(made.identity, other), "TLS"),
        "ca_of_the_same_name": (issue(made.identity, namesake), "TLS"),
        "expired": (issue(made.identity, operators, start=-2 * DAY, end=-DAY), "TLS"),
        "not_yet_valid": (issue(made.identity, operators, start=DAY, end=2 * DAY), "TLS"),
        "for_servers": (issue(made.identity, operators, usage=SERVERS), "TLS"),
        "signed_by_a_leaf": (issue(made.identity, between), "TLS"),
        "weak_key": (issue(made.identity, operators, key=weak), "TLS"),
        "for_encryption_only": (issue(made.identity, operators, more=[NO_SIGNATURES]), "TLS"),
        "unknown_critical_extension": (issue(made.identity, operators, more=[UNKNOWN]), "TLS"),
        "of_another_station": (issue("CP-other", operators), 401),
        "same_name_other_certificate": (issue(made.identity, operators), 401),
    }


KINDS = (
    "self_signed", "other_ca", "ca_of_the_same_name", "expired", "not_yet_valid", "for_servers",
    "signed_by_a_leaf", "weak_key", "for_encryption_only",
    "unknown_critical_extension", "of_another_station", "same_name_other_certificate",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
async def test_a_bad_certificate_opens_nothing_T_49(secured, operators, kind):
    made = await secured.csms.add_station()
    good = issue(made.identity, operators)
    bad, how = bad_certificates(operators, made)[kind]
    await secured.pin(made, good if how == 401 else bad)

    assert await secured.outcome(made, bad) == how
    await secured.pin(made, good)
    assert await secured.outcome(made, good) == 200


async def test_a_certificate_of_an_intermediate_ca_is_good_with_its_chain(secured, operators):
    made = await secured.csms.add_station()
    own = issue(made.identity, authority("Stations of the north", operators))
    await secured.pin(made, own)

    assert await secured.outcome(made, own) == 200
