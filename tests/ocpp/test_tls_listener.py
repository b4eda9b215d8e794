"""The TLS listener: what it shows and offers, and those who do not mean it (T-45)."""

import asyncio
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from structlog.testing import capture_logs

from hub.models.certificates import key_place
from hub.ocpp.gate import TURN_DEADLINE
from hub.ocpp.listener import Listener
from hub.ocpp.server import PACE
from hub.ocpp.tls import tls
from hub.ocpp.tls.authority import Authority, new_authority, to_pem
from hub.ocpp.tls.server_certificate import RENEWED_BEFORE, names_of, still_good, write
from hub.security import Keyring
from hub.security import new_key as new_hub_key
from hub.settings import Settings, SettingsError
from hub.sockets import NotListening
from tests.helpers.certificates import SERVERS, authority, client_context, issue, new_key
from tests.helpers.tls import Secured
from tests.helpers.waiting import until

# The listener's own certificate.


def served(secured):
    """The certificate that the next connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = ("127.0.0.1", secured.settings.ocpp_tls_port)
    with (
        socket.create_connection(address, timeout=5) as plain,
        context.wrap_socket(plain) as connection,
    ):
        return connection.getpeercert(binary_form=True)


async def test_a_renewed_certificate_is_shown_to_the_next_station_and_cuts_nobody_off(secured):
    made = await secured.csms.add_station(security_profile=2)
    renewed = issue("localhost", secured.root, usage=SERVERS, names=["localhost"])
    async with secured.connect(made) as station:
        before = await asyncio.to_thread(served, secured)
        renewed.write(secured.folder, "server")
        await secured.listener.look()
        after = await asyncio.to_thread(served, secured)
        assert (await station.boot()).status == "Accepted"

    assert x509.load_der_x509_certificate(before) == secured.server.certificate
    assert x509.load_der_x509_certificate(after) == renewed.certificate
    assert await secured.outcome(made) == 200


async def test_half_a_renewal_changes_nothing_and_is_told_once(secured):
    made = await secured.csms.add_station(security_profile=2)
    certificate, key = secured.files
    renewed = issue("localhost", secured.root, usage=SERVERS, names=["localhost"])
    certificate.write_text(renewed.pem)
    with capture_logs() as logs:
        await secured.listener.look()
        await secured.listener.look()
    told = [entry["reason"] for entry in logs if entry["event"] == "TLS certificate not taken over"]

    assert len(told) == 1
    assert "HUB_OCPP_TLS_KEY does not belong to HUB_OCPP_TLS_CERTIFICATE" in told[0]
    assert await secured.outcome(made) == 200
    key.write_text(renewed.key_pem)
    await secured.listener.look()
    shown = await asyncio.to_thread(served, secured)
    assert x509.load_der_x509_certificate(shown) == renewed.certificate


async def test_an_operators_ca_that_is_taken_out_is_trusted_no_more_T_49(secured, operators):
    made = await secured.csms.add_station()
    own = issue(made.identity, operators)
    await secured.pin(made, own)
    assert await secured.outcome(made, own) == 200
    (secured.folder / "operators.pem").write_text(authority("Its successor").pem)
    await secured.listener.look()

    assert await secured.outcome(made, own) == "TLS"


def own_authority():
    keyring = Keyring.from_text(new_hub_key())
    row = new_authority(keyring, "Operator")
    key = load_pem_private_key(
        keyring.decrypt(row.private_key, context=key_place(row.id)).encode(), None
    )
    return Authority(row, x509.load_pem_x509_certificate(row.pem.encode()), key)


def test_the_hubs_own_certificate_is_kept_until_it_ends_or_names_something_else(tmp_path):
    ours, path, names = own_authority(), tmp_path / "ocpp-tls.pem", ["hub.example.com"]
    assert not still_good(path, ours, names)
    write(path, ours, names)

    assert still_good(path, ours, names)
    assert not still_good(path, own_authority(), names)
    assert not still_good(path, ours, ["hub.example.org"])
    assert path.stat().st_mode & 0o077 == 0
    key = new_key()
    short = ours.sign_server(names, key.public_key(), RENEWED_BEFORE.days - 1)
    path.write_text(to_pem(short))
    assert not still_good(path, ours, names)


@pytest.mark.parametrize(
    ("public_url", "host", "names"),
    [
        ("https://hub.example.com", None, ["hub.example.com"]),
        ("https://hub.example.com", "10.0.0.1", ["hub.example.com", "10.0.0.1"]),
        ("https://hub.example.com", "0.0.0.0", ["hub.example.com"]),
        ("http://localhost:8080", "::", ["localhost", "127.0.0.1", "::1"]),
        ("http://127.0.0.1:8080", None, ["127.0.0.1", "localhost", "::1"]),
    ],
)
def test_the_hubs_own_certificate_names_what_stations_call_it(public_url, host, names):
    settings = Settings(public_url=public_url, ocpp_tls_host=host)
    assert names_of(settings) == names


# Settings that cannot be used.


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"HUB_OCPP_TLS_HOST": "::"}, "HUB_OCPP_TLS_HOST is nothing without HUB_OCPP_TLS_PORT"),
        (
            {"HUB_OCPP_TLS_PORT": "8443", "HUB_OCPP_TLS_CERTIFICATE": "x"},
            "HUB_OCPP_TLS_KEY is missing",
        ),
        (
            {"HUB_OCPP_TLS_PORT": "8443", "HUB_OCPP_TLS_KEY": "x"},
            "HUB_OCPP_TLS_CERTIFICATE is missing",
        ),
    ],
)
def test_half_a_tls_listener_is_an_error(environ, named):
    with pytest.raises(SettingsError, match=named):
        tls.check(Settings.from_env(environ))


BROKEN = {
    "no file": (lambda folder, secured: (folder / "server.pem").unlink(), "cannot be read"),
    "no certificate": (
        lambda folder, secured: (folder / "server.pem").write_text("none"),
        "HUB_OCPP_TLS_CERTIFICATE and HUB_OCPP_TLS_KEY must name",
    ),
    "another key": (
        lambda folder, secured: (folder / "server.key").write_text(secured.root.key_pem),
        "HUB_OCPP_TLS_KEY does not belong to HUB_OCPP_TLS_CERTIFICATE",
    ),
    "an encrypted key": (
        lambda folder, secured: (folder / "server.key").write_bytes(encrypted(secured.server.key)),
        "HUB_OCPP_TLS_KEY is encrypted",
    ),
    "no authorities": (
        lambda folder, secured: (folder / "operators.pem").write_text("none"),
        "HUB_OCPP_TLS_CLIENT_CA must name a file with certificates",
    ),
}


def encrypted(key):
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"a password")
    )


@pytest.mark.parametrize("kind", BROKEN)
async def test_what_cannot_be_listened_with_is_named(csms, tmp_path, operators, kind):
    secured = Secured(csms, tmp_path, operators)
    damage, named = BROKEN[kind]
    damage(tmp_path, secured)

    with pytest.raises(SettingsError, match=named):
        await secured.listener.start()


async def test_a_port_that_is_taken_is_named(csms, secured, tmp_path):
    with pytest.raises(NotListening, match="cannot be listened on") as refused:
        await Listener(csms.wire, secured.settings).start()

    assert refused.value.variable == "HUB_OCPP_TLS_PORT"


@pytest.mark.parametrize(
    ("public_url", "shown"),
    [
        ("https://hub.example.com/base", "wss://hub.example.com:8443/ocpp"),
        ("http://[::1]:8080", "wss://[::1]:8443/ocpp"),
    ],
)
def test_stations_are_told_where_it_is(public_url, shown):
    environ = {"HUB_OCPP_TLS_PORT": "8443", "HUB_PUBLIC_URL": public_url}
    assert Settings.from_env(environ).ocpp_tls_url == shown
    assert Settings.from_env({}).ocpp_tls_url is None


# What is offered.


def handshake(secured, **limits):
    """The version and suite that come about with a client of these limits."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(limits.get("ciphers", "ALL:@SECLEVEL=0"))
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = limits.get("version", ssl.TLSVersion.TLSv1_2)
    address = ("127.0.0.1", secured.settings.ocpp_tls_port)
    with (
        socket.create_connection(address, timeout=5) as plain,
        context.wrap_socket(plain) as connection,
    ):
        return connection.version(), connection.cipher()[0]


RSA_SUITES = ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256")


@pytest.mark.parametrize(
    "suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", *RSA_SUITES]
)
async def test_the_suites_that_ocpp_demands_are_offered(secured, suite):
    """A00.FR.317 and A00.FR.318."""
    if suite in RSA_SUITES:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        issue("localhost", secured.root, key=key, usage=SERVERS).write(secured.folder, "server")
        await secured.listener.look()

    assert await asyncio.to_thread(handshake, secured, ciphers=suite) == ("TLSv1.2", suite)


@pytest.mark.parametrize(
    "limits",
    [
        {"version": ssl.TLSVersion.TLSv1_1},
        {"ciphers": "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"},
        {"ciphers": "ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0"},
        {"ciphers": "aNULL:@SECLEVEL=0"},
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_nothing_older_or_weaker_than_tls_1_2_with_gcm_is_offered(secured, limits):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.to_thread(handshake, secured, **limits)


async def test_tls_1_3_is_spoken_with_those_who_can(secured):
    version, _ = await asyncio.to_thread(handshake, secured, version=ssl.TLSVersion.TLSv1_3)
    assert version == "TLSv1.3"


# Those who do not mean it.


async def opened(secured):
    return await asyncio.open_connection("127.0.0.1", secured.settings.ocpp_tls_port)


async def is_let_go(reader):
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionError:
        return True


async def test_plain_http_gets_no_answer_that_could_be_taken_for_one(secured):
    reader, writer = await opened(secured)
    writer.write(b"GET /ocpp/CP-1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()

    assert not answer.startswith(b"HTTP")
    assert secured.listener.arrivals.count == 0


async def test_handshakes_that_never_end_hold_up_nobody_T_45(secured):
    made = await secured.csms.add_station(security_profile=2)
    silent = [await opened(secured) for _ in range(50)]
    for _, writer in silent[:25]:
        # The beginning of a ClientHello.
        writer.write(bytes.fromhex("16030100c8010000c40303"))

    assert await secured.outcome(made) == 200
    assert secured.listener.arrivals.count == 50
    for _, writer in silent:
        writer.close()


async def test_too_many_on_their_way_push_out_the_oldest_T_45(secured):
    made = await secured.csms.add_station(security_profile=2)
    secured.listener.arrivals.limit = 10
    async with secured.connect(made) as station:
        silent = [await opened(secured) for _ in range(15)]
        for reader, _ in silent[:5]:
            assert await is_let_go(reader)
        assert secured.listener.arrivals.count == 10
        # Who has arrived is not on the way any more.
        assert (await station.boot()).status == "Accepted"
    assert await secured.outcome(made) == 200
    for _, writer in silent:
        writer.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_who_never_becomes_a_station_is_let_go_T_45(secured, tls):
    """Silent in the handshake, or silent after it."""
    secured.listener.arrivals.patience = 0.2
    context = client_context(secured.root.pem) if tls else None
    reader, writer = await asyncio.open_connection(
        "localhost", secured.settings.ocpp_tls_port, ssl=context
    )
    assert await is_let_go(reader)
    writer.close()
    assert secured.listener.arrivals.count == 0


async def test_the_time_to_become_a_station_does_not_run_while_the_hub_is_slow_T_45(secured):
    """Neither in the line, which may be as long after an outage, nor at the database."""
    wire = secured.csms.wire
    made = await secured.csms.add_station(security_profile=2)
    go = asyncio.Event()

    async def work():
        async with wire.database.platform():
            await go.wait()

    async with wire.gate.line:
        coming = asyncio.create_task(secured.outcome(made))
        await until(lambda: is_kept_waiting(secured))
        # All that may be at the database are; who comes through the gate waits for them.
        busy = [asyncio.create_task(work()) for _ in range(20)]
        await until(lambda: wire.database.turns.waiting)
        crowd = wire.database.turns.waiting
    await until(lambda: wire.database.turns.waiting == crowd + 1)
    assert is_kept_waiting(secured)
    go.set()

    assert await coming == 200
    await asyncio.gather(*busy)


def is_kept_waiting(secured):
    """The one connection there is has no time that runs, and is none of too many."""
    return len(connections(secured)) == 1 and not secured.listener.arrivals.count


def connections(secured):
    """Those that have not hung up."""
    return [one for one in secured.listener.runner.server.connections if one.transport is not None]


async def test_a_flood_of_the_plain_port_locks_nobody_out_of_this_one_T_45(secured):
    made = await secured.csms.add_station(security_profile=2)
    secured.csms.plain[PACE].at = time.monotonic() + 2 * TURN_DEADLINE
    async with secured.csms.session.get(secured.csms.url(made.identity)) as refused:
        assert refused.status == 503

    assert await secured.outcome(made) == 200


async def test_nobody_is_looked_up_who_hung_up_in_line_T_45(secured):
    gate, url = secured.csms.wire.gate, secured.url("/ocpp/NOBODY")
    context = client_context(secured.root.pem)
    async with gate.line:
        going = asyncio.create_task(secured.csms.session.get(url, ssl=context))
        await until(lambda: is_kept_waiting(secured))
        going.cancel()
        await until(lambda: not connections(secured))
        staying = asyncio.create_task(secured.csms.session.get(url, ssl=context))
        await until(lambda: is_kept_waiting(secured))
    async with await staying as refused:
        assert refused.status == 401

    assert [tally.count for tally in gate.wrong.values()] == [1]
