"""The OpenAPI documents are current and true, and their page asks nobody else for anything."""

import hashlib
import json
import re
import warnings
from pathlib import Path

import aiohttp
import jsonschema_rs
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from hub.admin.api import operations
from hub.openapi import SURFACES, document, documents
from tests.helpers.documents import location, tariff

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "hub" / "admin" / "static"
METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def written():
    return dict(documents())


def test_the_files_are_what_the_routes_and_schemas_say(written):
    """If this fails: hub openapi."""
    for name, text in written.items():
        assert (ROOT / "openapi" / name).read_text() == text, name


@pytest.mark.parametrize("surface", SURFACES)
def test_every_document_is_valid_openapi(written, surface):
    with warnings.catch_warnings():
        # The validator's own use of what its libraries have deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        OpenAPIV31SpecValidator(yaml.safe_load(written[f"{surface}.yaml"])).validate()


@pytest.mark.parametrize("surface", SURFACES)
def test_every_operation_has_a_name_of_its_own_and_a_summary(surface):
    found = [
        one
        for path in document(surface)["paths"].values()
        for method, one in path.items()
        if method in METHODS
    ]

    names = [one["operationId"] for one in found]
    assert len(names) == len(set(names))
    assert all(one["summary"] for one in found)


def test_the_admin_document_tells_every_operation_and_its_permission():
    told = document("admin")["paths"]

    for _, operation in operations():
        path = re.sub(r":[^}]+}", "}", operation.path)
        described = told[path][operation.method.lower()]
        assert operation.permission in described["description"]


@pytest.mark.parametrize("number", ["2.3.0", "2.2.1"])
def test_an_ocpi_document_accepts_what_the_hub_accepts(number):
    told = document(f"ocpi-{number}")
    reference = "#/components/schemas/{}"

    for kind, body in (
        ("Location", location(version=number)),
        ("Tariff", tariff(version=number)),
        ("TariffPatch", None),
    ):
        if body is None:
            continue
        schema = {"$ref": reference.format(kind), "components": told["components"]}
        validator = jsonschema_rs.Draft202012Validator(schema)
        assert validator.is_valid(body)
        assert not validator.is_valid(body | {"id": 5})


@pytest.mark.parametrize("number", ["2.3.0", "2.2.1"])
def test_an_answer_that_is_a_word_is_told_SES_09(number):
    """TRANSPORT-70."""
    path = f"/{number}/sender/sessions/{{id}}/charging_preferences"
    responses = document(f"ocpi-{number}")["paths"][path]["put"]["responses"]

    schema = responses["200"]["content"]["application/json"]["schema"]
    assert "NOT_POSSIBLE" in schema["allOf"][1]["properties"]["data"]["enum"]
    assert "201" not in responses


async def test_the_page_is_complete_without_anybody_else(hub):
    async with aiohttp.ClientSession() as session:
        for surface in ("", *(f"/{name}" for name in SURFACES)):
            async with session.get(f"{hub.url}/docs{surface}") as answer:
                page = await answer.text()
                policy = answer.headers["Content-Security-Policy"]
            assert answer.status == 200
            assert re.findall(r"https?://", page) == []
            for directive in ("default-src 'none'", "script-src 'self'", "connect-src 'self'"):
                assert directive in policy
            assert "<script>" not in page
            # Beside the sidebar, which a phone does not show, and in it.
            assert page.count('href="/docs/ocpi-2.3.0"') == 2
            assert 'src="/docs/theme.js"' in page
            for path in re.findall(r'(?:src|href|spec-url)="(/[^"]+)"', page):
                async with session.get(hub.url + path) as part:
                    assert part.status == 200, path


async def test_the_page_serves_the_documents_as_they_are(hub):
    async with aiohttp.ClientSession() as session:
        for surface in SURFACES:
            async with session.get(f"{hub.url}/docs/{surface}.json") as answer:
                assert await answer.json() == json.loads(json.dumps(document(surface)))
        for path in ("/docs/nothing", "/docs/nothing.json", "/docs/../admin/api.py"):
            async with session.get(hub.url + path) as answer:
                assert answer.status == 404


def test_vendored_files_are_what_the_manifest_says():
    """T-54. A file that changes without its entry is found here and refused by the hub."""
    manifest = json.loads((STATIC / "MANIFEST.json").read_text())
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in STATIC.iterdir()
        if path.name != "MANIFEST.json"
    }

    assert found == manifest["files"]
    assert any("LICENSE" in name for name in found)


@pytest.mark.parametrize("path", ["", "/", "/docs", "/docs/"])
async def test_who_opens_the_hub_in_a_browser_comes_to_the_documents(hub, path):
    async with aiohttp.ClientSession() as session, session.get(hub.url + path) as answer:
        assert (answer.status, answer.url.path) == (200, "/docs")


async def test_health_says_whether_the_hub_can_serve(hub):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{hub.url}/live") as live:
            assert live.status == 200
        async with session.get(f"{hub.url}/ready") as ready:
            assert (ready.status, (await ready.json())["checks"]["database"]) == (200, "ok")

        from hub.health import HEALTH  # noqa: PLC0415

        hub.app[HEALTH].stopping = True
        async with session.get(f"{hub.url}/ready") as stopping:
            assert stopping.status == 503
            assert "stopping" in (await stopping.json())["checks"]["serving"]
