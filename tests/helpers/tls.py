"""The TLS listener on a real port, and stations that connect to it with real certificates."""

import ssl
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import WSServerHandshakeError
from cryptography import x509
from sqlalchemy import update

from hub.models.stations import ChargingStation
from hub.ocpp.listener import Listener
from hub.settings import Settings
from tests.helpers.certificates import (
    SERVERS,
    Issued,
    authority,
    client_context,
    issue,
    new_key,
    signing_request,
)
from tests.helpers.charge_points import CLIENTS, PASSWORD, Socket, basic
from tests.helpers.hub import free_port

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "ocpp1.6",
}


class Secured:
    """The listener, and stations that connect to it."""

    def __init__(self, csms, folder, operators):
        self.csms, self.folder, self.operators = csms, folder, operators
        self.root = authority("Root of the server")
        self.server = issue("localhost", self.root, usage=SERVERS, names=["localhost"])
        (folder / "operators.pem").write_text(operators.pem)
        self.files = self.server.write(folder, "server")
        self.settings = Settings(
            data_dir=folder,
            ocpp_tls_host="127.0.0.1",
            ocpp_tls_port=free_port(),
            ocpp_tls_certificate=self.files[0],
            ocpp_tls_key=self.files[1],
            ocpp_tls_client_ca=folder / "operators.pem",
        )
        self.listener = Listener(csms.wire, self.settings)

    def url(self, path, scheme="https"):
        return f"{scheme}://localhost:{self.settings.ocpp_tls_port}{path}"

    @asynccontextmanager
    async def connect(self, made, shown=None, *, password=PASSWORD, context=None, version="1.6"):
        async with self.csms.session.ws_connect(
            self.url(f"/ocpp/{made.identity}"),
            protocols=[f"ocpp{version}"],
            headers=basic(made.identity, password) if password else {},
            ssl=context or client_context(self.root.pem, self.folder, shown),
        ) as connection:
            client = CLIENTS[version](made.identity, Socket(connection))
            async with client.running():
                yield client

    async def outcome(self, made, shown=None, **more):
        """200, the status of a refusal, or "TLS" where the handshake failed or was not answered."""
        try:
            async with self.connect(made, shown, **more) as station:
                await station.boot()
                return 200
        except WSServerHandshakeError as error:
            return error.status
        except (aiohttp.ClientError, ConnectionError, ssl.SSLError):
            return "TLS"

    async def pin(self, made, issued, profile=3):
        async with self.csms.transaction() as db:
            await db.execute(
                update(ChargingStation)
                .where(ChargingStation.id == made.ref.id)
                .values(security_profile=profile, certificate_fingerprint=issued.fingerprint)
            )

    async def renewed(self, made, *, shown=None, version="1.6"):
        """A certificate that the station asked for over this listener, and got."""
        key = new_key()
        async with self.connect(made, shown, version=version) as station:
            wanted = signing_request(made.identity, key)
            answer = await station.ask(station.messages.SignCertificate(wanted))
            assert answer.status == "Accepted"
            action, payload = await asked(station)
        assert action == "CertificateSigned"
        await self.listener.look()
        return Issued(leaf_of(payload["certificate_chain"]), key)

    async def refusal(self, path, headers, shown):
        """Everything that a refused caller gets to see, without what is different anyway."""
        async with self.csms.session.get(
            self.url(path),
            headers=UPGRADE | headers,
            ssl=client_context(self.root.pem, self.folder, shown),
        ) as response:
            kept = {key: value for key, value in response.headers.items() if key != "Date"}
            return response.status, await response.text(), kept


async def asked(station):
    """The one thing the hub wants of the station."""
    while not station.asked:
        await station.ask(station.messages.Heartbeat())
    [(action, payload)] = station.asked
    return action, payload


def leaf_of(chain):
    return x509.load_pem_x509_certificates(chain.encode())[0]
