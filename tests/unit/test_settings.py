"""Every HUB_* variable: what is taken, and how a wrong value is explained."""

import dataclasses
from ipaddress import ip_network
from pathlib import Path

import pytest

from hub.settings import READERS, Settings, SettingsError

# variable: (texts that are taken, with their value), (texts that are not, with what the error says)
CASES = {
    "HUB_DATABASE_URL": (
        [
            ("postgresql://hub:x@db/hub", "postgresql+asyncpg://hub:x@db/hub"),
            ("postgres://db/hub", "postgresql+asyncpg://db/hub"),
            ("postgresql+asyncpg://db/hub", "postgresql+asyncpg://db/hub"),
        ],
        [
            ("mysql://hub:secret@db/hub", "postgresql://"),
            ("sqlite:///x", "postgresql://"),
            ("", "postgresql://"),
        ],
    ),
    "HUB_DATA_DIR": ([("/tmp/x", Path("/tmp/x")), ("~/x", Path.home() / "x")], [(" ", "empty")]),
    "HUB_HOST": ([("0.0.0.0", "0.0.0.0"), (" ::1 ", "::1")], [("", "empty")]),
    "HUB_PORT": (
        [("1", 1), ("65535", 65535)],
        [
            (text, "a whole number from 1 to 65535")
            for text in ("0", "65536", "-1", "x", "80.5", "")
        ],
    ),
    "HUB_PUBLIC_URL": (
        [
            ("https://hub.example.com/", "https://hub.example.com"),
            ("http://[::1]:8080/base", "http://[::1]:8080/base"),
        ],
        [
            (text, "http or https URL")
            for text in ("hub.example.com", "ftp://x", "https://", "https://x?a=1", "https://x#a")
        ],
    ),
    "HUB_SECRET_KEYS": ([("k1:AAAA", "k1:AAAA")], [("", "empty")]),
    "HUB_LOG_LEVEL": (
        [("debug", "DEBUG"), ("INFO", "INFO"), ("Warning", "WARNING"), ("ERROR", "ERROR")],
        [(text, "DEBUG, INFO, WARNING, ERROR") for text in ("TRACE", "", "10")],
    ),
    "HUB_LOG_FORMAT": (
        [("json", "json"), ("Console", "console")],
        [(text, "json, console") for text in ("logfmt", "")],
    ),
    "HUB_EGRESS_ALLOW_CIDRS": (
        [
            ("10.20.0.0/16", (ip_network("10.20.0.0/16"),)),
            ("10.0.0.1, fd00::/8,", (ip_network("10.0.0.1/32"), ip_network("fd00::/8"))),
            ("", ()),
        ],
        [(text, "such as 10.20.0.0/16") for text in ("private", "10.0.0.0/33", "10.0.0.1/8")],
    ),
    "HUB_EGRESS_ALLOW_HTTP": (
        [("true", True), ("YES", True), ("1", True), ("on", True), ("false", False), ("0", False)],
        [(text, "true or false") for text in ("maybe", "", "2")],
    ),
    "HUB_EGRESS_ALLOW_PORTS": (
        [("9443", (9443,)), ("9443, 10443,", (9443, 10443)), ("", ())],
        [(text, "from 1 to 65535") for text in ("x", "0", "443,70000", "443-445")],
    ),
    "HUB_MAX_BODY_BYTES": (
        [("1024", 1024)],
        [(text, "from 1024 to 67108864") for text in ("1023", "2MB", "1e6")],
    ),
    "HUB_REQUESTS_PER_SECOND": (
        [("0.5", 0.5), ("1000", 1000.0)],
        [(text, "from 0.1 to 1000000") for text in ("0", "-1", "nan", "inf", "fast")],
    ),
    "HUB_REQUEST_BURST": ([("10", 10)], [("0", "from 1 to 1000000")]),
    "HUB_FORWARD_TIMEOUT": ([("2.5", 2.5)], [("0", "from 0.1 to 300"), ("301", "to 300")]),
    "HUB_AUTHORIZE_TIMEOUT": ([("4", 4.0)], [("61", "to 60"), ("nan", "to 60")]),
    "HUB_PAGE_LIMIT": ([("1", 1)], [("0", "from 1 to 10000"), ("10001", "from 1 to 10000")]),
    "HUB_DATABASE_POOL": ([("2", 2)], [("1", "from 2 to 500")]),
    "HUB_WORKERS": ([("4", 4)], [(text, "from 1 to 64") for text in ("0", "65", "all")]),
    "HUB_METRICS_PORT": ([("9100", 9100)], [("0", "from 1 to 65535")]),
    "HUB_FEED_WORKERS": ([("1", 1)], [("0", "from 1 to 1000")]),
    "HUB_FEED_PER_PARTNER": ([("1", 1)], [("101", "from 1 to 100")]),
    "HUB_RENEWAL_OVERLAP": ([("60", 60.0)], [("0", "from 1 to 86400")]),
    "HUB_STILL_ALIVE_AFTER": ([("60", 60.0)], [("x", "from 1 to 86400")]),
    "HUB_AUDIT_MONTHS": ([("6", 6)], [("5", "from 6 to 1200"), ("1201", "from 6 to 1200")]),
    "HUB_METER_VALUE_MONTHS": ([("3", 3)], [("2", "from 3 to 1200")]),
    "HUB_OCPP_TRUSTED_NETWORK": ([("true", True), ("off", False)], [("maybe", "true or false")]),
    "HUB_OCPP_TLS_PORT": (
        [("8443", 8443)],
        [(text, "a whole number from 1 to 65535") for text in ("0", "65536", "x", "")],
    ),
    "HUB_OCPP_TLS_HOST": ([("10.0.0.1", "10.0.0.1")], [("", "empty")]),
    "HUB_OCPP_TLS_CERTIFICATE": ([("/tmp/x.pem", Path("/tmp/x.pem"))], [(" ", "empty")]),
    "HUB_OCPP_TLS_KEY": ([("~/x.key", Path.home() / "x.key")], [(" ", "empty")]),
    "HUB_OCPP_TLS_CLIENT_CA": ([("/tmp/ca.pem", Path("/tmp/ca.pem"))], [(" ", "empty")]),
    "HUB_OCPP_PROXY_CIDRS": (
        [("10.0.0.0/8", (ip_network("10.0.0.0/8"),))],
        [("private", "such as 10.20.0.0/16")],
    ),
}

TAKEN = [(name, text, value) for name, (good, _) in CASES.items() for text, value in good]
REFUSED = [(name, text, reason) for name, (_, bad) in CASES.items() for text, reason in bad]


def field(variable):
    return variable.removeprefix("HUB_").lower()


def test_every_setting_has_its_cases():
    assert {field(variable) for variable in CASES} == {
        each.name for each in dataclasses.fields(Settings)
    }
    assert set(READERS) <= {field(variable) for variable in CASES}


def test_nothing_needs_to_be_set():
    assert Settings.from_env({}) == Settings()


def test_what_is_not_for_the_hub_is_left_alone():
    environ = {"PATH": "/bin", "HUBBLE": "x", "HUB_URL": "x", "HUB_API_KEY": "y", "HUB_DEBUG": "1"}

    assert Settings.from_env(environ) == Settings()


@pytest.mark.parametrize(("variable", "text", "value"), TAKEN)
def test_a_value_is_taken(variable, text, value):
    assert getattr(Settings.from_env({variable: text}), field(variable)) == value


@pytest.mark.parametrize(("variable", "text", "reason"), REFUSED)
def test_a_wrong_value_names_the_variable_and_what_is_allowed(variable, text, reason):
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({variable: text})

    assert variable in str(caught.value)
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("variable", CASES)
def test_a_file_may_hold_the_value(variable, tmp_path):
    text, value = CASES[variable][0][0]
    file = tmp_path / "value"
    file.write_text(f"{text}\n")

    settings = Settings.from_env({f"{variable}_FILE": str(file)})

    assert getattr(settings, field(variable)) == value


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "value"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError, match="HUB_SECRET_KEYS_FILE"):
        Settings.from_env({"HUB_SECRET_KEYS_FILE": str(file)})


def test_a_value_and_a_file_for_it_contradict_each_other(tmp_path):
    file = tmp_path / "value"
    file.write_text("8081")

    with pytest.raises(SettingsError, match="HUB_PORT and HUB_PORT_FILE are both set"):
        Settings.from_env({"HUB_PORT": "8080", "HUB_PORT_FILE": str(file)})


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("HUB_PROT", "Did you mean HUB_PORT?"),
        ("HUB_DATABASE_URI", "Did you mean HUB_DATABASE_URL?"),
        ("HUB_PORTS_FILE", "is not a setting"),
        ("HUB_ZZZZZ", "Known are: HUB_AUDIT_MONTHS"),
    ],
)
def test_a_misspelt_variable_is_not_ignored(variable, hint):
    with pytest.raises(SettingsError, match=variable) as caught:
        Settings.from_env({variable: "8080"})

    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"HUB_PORT": "9000"}, "http://127.0.0.1:9000"),
        ({"HUB_HOST": "0.0.0.0", "HUB_PORT": "9000"}, "http://127.0.0.1:9000"),
        ({"HUB_HOST": "::"}, "http://127.0.0.1:8080"),
        ({"HUB_HOST": "::1"}, "http://[::1]:8080"),
        ({"HUB_HOST": "hub.local"}, "http://hub.local:8080"),
        ({"HUB_HOST": "0.0.0.0", "HUB_PUBLIC_URL": "https://hub.io"}, "https://hub.io"),
    ],
)
def test_the_public_url_follows_the_listener_unless_it_is_set(environ, url):
    assert Settings.from_env(environ).public_url == url


def test_a_public_url_from_a_file_is_kept(tmp_path):
    file = tmp_path / "url"
    file.write_text("https://hub.example.com\n")

    assert Settings.from_env({"HUB_PUBLIC_URL_FILE": str(file)}).public_url == (
        "https://hub.example.com"
    )


def test_settings_are_frozen_and_do_not_show_secrets():
    settings = Settings.from_env(
        {"HUB_DATABASE_URL": "postgresql://hub:hidden@db/hub", "HUB_SECRET_KEYS": "k1:hidden"}
    )

    assert "hidden" not in repr(settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.port = 1
