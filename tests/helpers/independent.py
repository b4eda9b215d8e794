"""A platform that speaks OCPI 2.1.1 by a library that is not ours: ``extrawest-ocpi``.

Run with the Python of an environment of its own, for the library needs old versions of others:

    python -P independent.py PORT ROLE COUNTRY_CODE PARTY_ID TOKEN_A

The library serves and pushes OCPI; what it leaves to its user is here: where objects are kept, and
what is answered to commands and authorizations. Below ``/control`` a test tells the platform what
to do and looks at what it has got.
"""

import os
import secrets
import sys
from collections import defaultdict
from typing import Annotated, Any

PORT, ROLE, COUNTRY_CODE, PARTY_ID, TOKEN_A = sys.argv[1:]
HOST = f"127.0.0.1:{PORT}"
# The library reads these when it is imported.
os.environ |= {
    "OCPI_HOST": HOST,
    "PROTOCOL": "http",
    "COUNTRY_CODE": COUNTRY_CODE,
    "PARTY_ID": PARTY_ID,
    "ENVIRONMENT": "testing",
}

import httpx  # noqa: E402
import uvicorn  # noqa: E402
from fastapi import Body  # noqa: E402
from py_ocpi.core import endpoints as offered  # noqa: E402
from py_ocpi.core.authentication.authenticator import Authenticator  # noqa: E402
from py_ocpi.core.crud import Crud  # noqa: E402
from py_ocpi.core.endpoints.v_2_1_1 import utils as generators  # noqa: E402
from py_ocpi.core.enums import Action, ModuleID, RoleEnum  # noqa: E402
from py_ocpi.main import get_application  # noqa: E402
from py_ocpi.modules.cdrs.v_2_1_1.schemas import Cdr  # noqa: E402
from py_ocpi.modules.commands.v_2_1_1.schemas import CommandResponse  # noqa: E402
from py_ocpi.modules.credentials.v_2_1_1.schemas import Credentials  # noqa: E402
from py_ocpi.modules.locations.v_2_1_1.schemas import Connector, Location  # noqa: E402
from py_ocpi.modules.sessions.v_2_1_1.schemas import Session  # noqa: E402
from py_ocpi.modules.tariffs.v_2_1_1.schemas import Tariff  # noqa: E402
from py_ocpi.modules.tokens.v_2_1_1.schemas import AuthorizationInfo, Token  # noqa: E402
from py_ocpi.modules.versions.enums import VersionNumber  # noqa: E402

VERSION = VersionNumber.v_2_1_1
Row = dict[str, Any]

own: defaultdict[str, dict[str, Row]] = defaultdict(dict)
received: defaultdict[str, dict[str, Row]] = defaultdict(dict)
commands: list[Row] = []
# What we know of the hub: its credentials, and the token it uses here.
hub: Row = {"credentials": None, "token": None}


def kept(module: ModuleID, role: RoleEnum) -> dict[str, Row]:
    """Our own objects where we are the owner of the module's, else what the hub has sent."""
    sends = (module is ModuleID.tokens) == (role is RoleEnum.emsp)
    return (own if sends else received)[module.value]


class Store(Crud):
    @classmethod
    async def get(cls, module: ModuleID, role: RoleEnum, id_: Any, *args: Any, **more: Any) -> Any:
        if module is ModuleID.credentials_and_registration:
            return hub["token"] and our_credentials()
        if module is ModuleID.commands:
            return {"result": "ACCEPTED"}
        return kept(module, role).get(str(id_))

    @classmethod
    async def list(
        cls, module: ModuleID, role: RoleEnum, filters: Row, *args: Any, **more: Any
    ) -> Any:
        found = list(kept(module, role).values())
        page = found[filters["offset"] : filters["offset"] + filters["limit"]]
        return page, len(found), filters["offset"] + filters["limit"] >= len(found)

    @classmethod
    async def create(
        cls, module: ModuleID, role: RoleEnum, data: Row, *args: Any, **more: Any
    ) -> Any:
        if module is ModuleID.credentials_and_registration:
            hub["credentials"], hub["token"] = data["credentials"], secrets.token_urlsafe(24)
            return our_credentials()
        kept(module, role)[str(data["uid" if module is ModuleID.tokens else "id"])] = data
        return data

    @classmethod
    async def update(
        cls, module: ModuleID, role: RoleEnum, data: Row, id_: Any, *args: Any, **more: Any
    ) -> Any:
        return await cls.create(module, role, data)

    @classmethod
    async def delete(
        cls, module: ModuleID, role: RoleEnum, id_: Any, *args: Any, **more: Any
    ) -> None:
        if module is ModuleID.credentials_and_registration:
            hub["credentials"] = hub["token"] = None
        else:
            kept(module, role).pop(str(id_), None)

    @classmethod
    async def do(
        cls, module: ModuleID, role: RoleEnum | None, action: Action, *args: Any, **more: Any
    ) -> Any:
        if action is Action.get_client_token:
            return hub["credentials"]["token"]
        if action is Action.send_command:
            commands.append({"command": more["command"], **args[0]})
            return {"result": "ACCEPTED"}
        token = own["tokens"][more["data"]["token_uid"]]
        return {"allowed": "ALLOWED" if token["valid"] else "BLOCKED"}


class MendedCdr(Cdr):
    """With the end of a CDR as 2.1.1 calls it; the library calls it as newer versions do."""

    class Config:
        allow_population_by_field_name = True

    def dict(self, **options: Any) -> Row:
        return super().dict(**options | {"by_alias": True})


for mended in (Cdr, MendedCdr):
    mended.__fields__["end_date_time"].alias = "stop_date_time"
# Both are optional in 2.1.1, and the library requires them.
for field in (Connector.__fields__["tariff_id"], Location.__fields__["time_zone"]):
    field.required, field.allow_none = False, True


class Schemas:
    """The library's own classes for what goes out."""

    location_adapter = staticmethod(lambda data, version=VERSION: Location(**data))
    tariff_adapter = staticmethod(lambda data, version=VERSION: Tariff(**data))
    session_adapter = staticmethod(lambda data, version=VERSION: Session(**data))
    cdr_adapter = staticmethod(lambda data, version=VERSION: MendedCdr(**data))
    token_adapter = staticmethod(lambda data, version=VERSION: Token(**data))
    credentials_adapter = staticmethod(lambda data, version=VERSION: Credentials(**data))
    command_response_adapter = staticmethod(lambda data, version=VERSION: CommandResponse(**data))
    authorization_adapter = staticmethod(lambda data, version=VERSION: AuthorizationInfo(**data))


class Tokens(Authenticator):
    @classmethod
    async def get_valid_token_a(cls) -> list[str]:
        return [] if hub["token"] else [TOKEN_A]

    @classmethod
    async def get_valid_token_c(cls) -> list[str]:
        return [hub["token"]] if hub["token"] else []


def our_credentials() -> Row:
    return {
        "token": hub["token"],
        "url": f"http://{HOST}/ocpi/versions",
        "business_details": {"name": "Independent"},
        "country_code": COUNTRY_CODE,
        "party_id": PARTY_ID,
    }


# The library serves commands, but leaves them out of its version details.
generator = generators.cpo_generator if ROLE == "CPO" else generators.emsp_generator
offered.ENDPOINTS[VERSION][RoleEnum(ROLE)].setdefault(
    ModuleID.commands, generator.generate_endpoint(ModuleID.commands)
)
app = get_application(
    version_numbers=[VERSION],
    roles=[RoleEnum(ROLE)],
    modules=[
        ModuleID.credentials_and_registration,
        ModuleID.locations,
        ModuleID.tariffs,
        ModuleID.sessions,
        ModuleID.cdrs,
        ModuleID.tokens,
        ModuleID.commands,
    ],
    crud=Store,
    adapter=Schemas,
    authenticator=Tokens,
    http_push=True,
)


@app.post("/control/own/{module}")
async def keep(module: str, document: Annotated[Row, Body()]) -> Row:
    """Have an object of our own."""
    own[module][document["uid" if module == "tokens" else "id"]] = document
    return {}


@app.get("/control/state")
async def state() -> Row:
    return {
        "received": received,
        "commands": commands,
        "token": hub["token"],
        "hub": hub["credentials"],
    }


@app.post("/control/call")
async def call(request: Annotated[Row, Body()]) -> Row:
    """Call the hub as the platform, for what the library has no client for."""
    headers = {"Authorization": f"Token {hub['credentials']['token']}"}
    async with httpx.AsyncClient() as client:
        answer = await client.request(
            request["method"], request["url"], json=request.get("body"), headers=headers
        )
    return {"http_status": answer.status_code, "json": answer.json()}


uvicorn.run(app, host="127.0.0.1", port=int(PORT), log_level="warning")
