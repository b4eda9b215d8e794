"""The admin API as the commands see it: ask, get an answer or a ``Failure`` that tells more."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import requests
from requests.exceptions import InvalidHeader, InvalidSchema, InvalidURL, MissingSchema

from hub import __version__
from hub.cli.failures import Failure, NotFound, Refused, Unavailable, Usage

API = "/admin/v1"
KEY_FILE = "admin.key"
# Joining a partner takes several requests to its server.
TIMEOUT = (5, 120)
BYTES = {"Content-Type": "application/octet-stream"}
FAILURES: Mapping[int, type[Failure]] = {
    400: Usage,
    401: Refused,
    403: Refused,
    404: NotFound,
    405: Usage,
    409: Refused,
    412: Refused,
    413: Usage,
    429: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def default_url() -> str:
    port = os.environ.get("HUB_PORT", "8080")
    return os.environ.get("HUB_URL") or f"http://127.0.0.1:{port}"


def data_dir() -> Path:
    return Path(os.environ.get("HUB_DATA_DIR") or "hub-data").expanduser()


def find_key() -> str:
    """HUB_API_KEY, the file named by HUB_API_KEY_FILE, or what the first start left behind."""
    if key := os.environ.get("HUB_API_KEY", "").strip():
        return key
    named = os.environ.get("HUB_API_KEY_FILE")
    path = Path(named).expanduser() if named else data_dir() / KEY_FILE
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Refused(
            f"There is no API key: {path} cannot be read ({error.strerror}).",
            code="no_key",
            next_step="Put it into HUB_API_KEY or a file named by HUB_API_KEY_FILE, or run the"
            " command where the hub was started, so that hub-data/admin.key is found.",
        ) from None


class Hub:
    """A connection to one hub, in the name of one key, for one tenant."""

    def __init__(self, url: str, *, key: str | None = None, tenant: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.headers["User-Agent"] = f"hub/{__version__}"
        if key is not None:
            self.session.headers["Authorization"] = f"Bearer {key}"
        if tenant:
            self.session.headers["Hub-Tenant"] = tenant

    def get(self, path: str, **query: Any) -> Any:
        return self.ask("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        return self.ask("POST", path, query=query, body=body or {})

    def patch(self, path: str, body: Mapping[str, Any], **query: Any) -> Any:
        if not body:
            raise Usage("There is nothing to change.", next_step="Say what: see --help.")
        return self.ask("PATCH", path, query=query, body=body)

    def delete(self, path: str, **query: Any) -> Any:
        return self.ask("DELETE", path, query=query)

    def upload(self, path: str, content: IO[bytes], **query: Any) -> Any:
        """Send a file as it is."""
        answer = self.send("POST", f"{API}{path}", query=query, data=content, headers=BYTES)
        return accepted(answer).json()

    def download(self, path: str, **query: Any) -> bytes:
        """What is there, byte for byte: it need not be JSON."""
        return accepted(self.send("GET", f"{API}{path}", query=query)).content

    def all(self, path: str, *, limit: int | None = None, **query: Any) -> list[Any]:
        """The items of a list, page after page, at most ``limit``."""
        items: list[Any] = []
        for page in self.pages(path, limit, query):
            items += page
            if limit is not None and len(items) >= limit:
                return items[:limit]
        return items

    def pages(self, path: str, limit: int | None, query: dict[str, Any]) -> Iterator[list[Any]]:
        after: str | None = None
        while True:
            size = min(limit, 500) if limit else 500
            page = self.get(path, **query, limit=size, after=after)
            yield page["items"]
            after = page["next"]
            if after is None:
                return

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        patience: float = TIMEOUT[1],
    ) -> Any:
        """One request; None where there is nothing to answer. ``patience`` is in seconds."""
        sent = self.send(method, f"{API}{path}", query=query, patience=patience, json=body)
        answer = accepted(sent)
        return answer.json() if answer.content else None

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        patience: float = TIMEOUT[1],
        **content: Any,
    ) -> requests.Response:
        """One request to any path of the hub, and its answer, whatever that says. ``content`` is
        what ``requests`` calls ``json``, ``data`` and ``headers``.
        """
        params = {name: spell(value) for name, value in (query or {}).items() if value is not None}
        try:
            return self.session.request(
                method,
                f"{self.url}{path}",
                params=params,
                timeout=(TIMEOUT[0], patience),
                # The key is for this server and no other.
                allow_redirects=False,
                **content,
            )
        except requests.ConnectionError:
            raise Unavailable(
                f"No hub answers at {self.url}.",
                next_step="Start one with `hub serve`, or name yours with --url or HUB_URL.",
            ) from None
        except requests.Timeout:
            raise Unavailable(f"The hub at {self.url} did not answer in time.") from None
        except (InvalidURL, InvalidSchema, MissingSchema):
            raise Usage(
                f"--url: {self.url!r} is not the URL of a hub.",
                field="--url",
                allowed="a URL such as http://127.0.0.1:8080",
            ) from None
        except (InvalidHeader, UnicodeEncodeError):
            raise Usage(
                "The API key or the tenant has characters that cannot be sent.",
                next_step="Look at HUB_API_KEY or its file, and at --tenant or HUB_TENANT.",
            ) from None


def accepted(answer: requests.Response) -> requests.Response:
    """The answer, unless it says no, or that what is asked for is elsewhere."""
    if answer.ok and not answer.is_redirect:
        return answer
    raise failure(answer)


def spell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def failure(answer: requests.Response) -> Failure:
    """The hub's error, with the exit code that goes with it."""
    kind = FAILURES.get(answer.status_code, Failure)
    try:
        error = answer.json()["error"]
        message = str(error["message"])
    except (ValueError, KeyError, TypeError):
        url = answer.url.partition("?")[0]
        return kind(
            f"{url} answered HTTP {answer.status_code}, and not like a hub.",
            next_step="Check --url or HUB_URL: does a hub answer there?",
        )
    return kind(
        message,
        code=error.get("code"),
        field=error.get("field"),
        allowed=error.get("allowed"),
        next_step=error.get("next"),
    )
