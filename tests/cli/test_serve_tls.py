"""``hub serve`` with TLS for stations: its certificate, and what it cannot start with."""

import signal
import socket
import ssl

from hub.security import new_key
from tests.cli.test_serve import place, serve
from tests.helpers.charge_points import basic
from tests.helpers.hub import free_port

__all__ = ["place", "serve"]


def answer(port, authority, identity, password):
    """The status line that a station gets which trusts this CA alone, and the certificate."""
    headers = {
        "Host": "localhost",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "ocpp2.0.1",
        **basic(identity, password),
    }
    lines = [
        f"GET /ocpp/{identity} HTTP/1.1",
        *(f"{name}: {told}" for name, told in headers.items()),
    ]
    context = ssl.create_default_context(cadata=authority)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        return connection.recv(12), connection.getpeercert(binary_form=True)


def test_the_hub_signs_a_certificate_for_itself_and_keeps_it_over_a_crash_T_48(serve, place):
    port = str(free_port())
    first = serve(HUB_OCPP_TLS_PORT=port)
    first.wait_ready()
    made = first.call("station", "add", "CP-1", "--profile", "2", "--json").json
    authority = first.call("certificate", "ca").out
    before = answer(int(port), authority, "CP-1", made["password"])
    wrong = answer(int(port), authority, "CP-1", "a-wrong-password-1234")
    ended = first.end(signal.SIGKILL)

    assert f"wss://127.0.0.1:{port}/ocpp" in ended.out
    assert made["url"] == f"wss://127.0.0.1:{port}/ocpp/CP-1"
    assert (before[0], wrong[0]) == (b"HTTP/1.1 101", b"HTTP/1.1 401")

    second = serve(HUB_OCPP_TLS_PORT=port)
    second.wait_ready()
    after = answer(int(port), authority, "CP-1", made["password"])
    assert second.end(signal.SIGTERM).code == 0
    assert after == before

    with socket.create_server(("127.0.0.1", 0)) as taken:
        used = taken.getsockname()[1]
        blocked = serve(HUB_OCPP_TLS_PORT=str(used), HUB_OCPP_TLS_HOST="127.0.0.1")
        blocked.process.wait(60)
    ended = blocked.end(signal.SIGKILL)
    assert ended.code not in {0, None}
    assert f"127.0.0.1:{used} cannot be listened on" in ended.err
    assert "HUB_OCPP_TLS_PORT" in ended.err
    assert "Traceback" not in ended.err

    lost = serve(HUB_OCPP_TLS_PORT=port, HUB_SECRET_KEYS=new_key())
    lost.process.wait(60)
    ended = lost.end(signal.SIGKILL)
    assert (ended.code, "HUB_SECRET_KEYS" in ended.err) == (2, True)
