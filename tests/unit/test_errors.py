"""The tree of errors and the table in its module's docstring say the same."""

import inspect
import re

import pytest

from hub import errors
from hub.errors import HubError

TREE = [
    error for _, error in inspect.getmembers(errors, inspect.isclass) if issubclass(error, HubError)
]


def documented():
    """Name: (OCPI status code, HTTP status), from the docstring."""
    rows = re.findall(r"^[│├└─ ]*(\w+) +(\d{4})(?: +HTTP (\d{3}))?", errors.__doc__, re.MULTILINE)
    return {name: (int(code), int(http or 200)) for name, code, http in rows}


def test_the_documentation_lists_every_error_as_it_is():
    assert {each.__name__: (each.status_code, each.http_status) for each in TREE} == documented()


@pytest.mark.parametrize("error", TREE)
def test_codes_are_those_that_ocpi_has(error):
    """2xxx blames the client, 3xxx the hub, 4xxx what is behind the hub; HTTP agrees.

    TRANSPORT-84: none is from the ranges that are left to agreements between two parties.
    """
    assert error.status_code // 1000 in {2, 3, 4}
    assert error.status_code % 1000 < 900
    assert error.http_status == 200 or (error.http_status < 500) == (error.status_code < 3000)


@pytest.mark.parametrize("error", TREE)
def test_an_error_without_words_says_its_name(error):
    assert str(error()) == error.__name__
    assert str(error("Say more.")) == "Say more."


def test_headers_and_data_belong_to_one_error_alone():
    headers = {"Retry-After": "1"}
    first = errors.TooManyRequests(headers=headers, data={"errors": []})
    headers["Retry-After"] = "2"

    assert first.headers == {"Retry-After": "1"}
    assert first.data == {"errors": []}
    assert errors.TooManyRequests().headers == {}
