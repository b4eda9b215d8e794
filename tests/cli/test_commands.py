"""What commands send, show and end with, whatever the hub may answer."""

import argparse
import json
import os
import re
from contextlib import redirect_stdout, suppress

import pytest
import requests
import responses

from hub.cli import main
from tests.cli.conftest import URL

PARTNER = {
    "id": "6f0f7a3e-1d37-4a53-b5fd-8f2c2d0a7a11",
    "name": "Acme",
    "status": "ACTIVE",
    "connection_status": "CONNECTED",
    "roles": [{"party": "NL*ACM", "role": "CPO", "approved": True, "declared": True}],
    "ocpi_version": "2.2.1",
    "versions_url": "https://acme.example/versions",
    "hub_party_id": None,
    "endpoints": [],
    "tokens": [],
    "configuration": {},
    "last_seen_at": None,
    "connected_at": None,
    "renewal_due": False,
}


@pytest.fixture
def hub():
    with responses.RequestsMock() as mocked:
        yield mocked


def answers(hub, method, path, body=None, status=200, **options):
    return hub.add(method, f"{URL}/admin/v1{path}", json=body, status=status, **options)


def error(code, message, **said):
    return {"error": {"code": code, "message": message} | said}


def test_the_key_goes_with_every_request_and_nowhere_else(run, hub):
    asked = answers(hub, "GET", "/partners", {"items": [], "next": None})

    ended = run("partner", "list")

    assert asked.calls[0].request.headers["Authorization"] == "Bearer hubk_test"
    assert "hubk_test" not in ended.out + ended.err + asked.calls[0].request.url


def test_a_partner_is_found_by_its_name_or_the_beginning_of_it(run, hub):
    other = PARTNER | {"id": "7" * 8 + PARTNER["id"][8:], "name": "Acme Two"}
    answers(hub, "GET", "/partners", {"items": [PARTNER, other], "next": None})
    setbacks = answers(hub, "GET", "/setbacks", {"items": [], "next": None})

    for name, partner in (("acme", PARTNER), ("acme t", other), ("7777", other)):
        assert run("setback", "list", "--partner", name).code == 0
        assert setbacks.calls[-1].request.params["partner_id"] == partner["id"]
    several = run("setback", "list", "--partner", "a")
    nobody = run("setback", "list", "--partner", "Nope")

    assert (several.code, "2 partners are called 'a'" in several.err) == (2, True)
    assert (nobody.code, "There is no partner 'Nope'" in nobody.err) == (3, True)


def test_the_key_is_found_where_the_first_start_left_it(run, hub, monkeypatch, tmp_path):
    monkeypatch.delenv("HUB_API_KEY")
    (tmp_path / "hub-data").mkdir()
    (tmp_path / "hub-data" / "admin.key").write_text("hubk_kept\n")
    asked = answers(hub, "GET", "/partners", {"items": [], "next": None})

    run("partner", "list")

    assert asked.calls[0].request.headers["Authorization"] == "Bearer hubk_kept"


def test_the_key_is_read_from_a_file_that_is_named(run, hub, monkeypatch, tmp_path):
    monkeypatch.delenv("HUB_API_KEY")
    monkeypatch.setenv("HUB_API_KEY_FILE", str(tmp_path / "key"))
    (tmp_path / "key").write_text("hubk_file\n")
    asked = answers(hub, "GET", "/partners", {"items": [], "next": None})

    run("partner", "list")

    assert asked.calls[0].request.headers["Authorization"] == "Bearer hubk_file"


def test_without_a_key_it_says_where_one_would_be(run, monkeypatch):
    monkeypatch.delenv("HUB_API_KEY")

    ended = run("partner", "list")

    assert ended.code == 4
    assert "hub-data/admin.key" in ended.err
    assert "HUB_API_KEY" in ended.err


def test_another_tenant_is_named_in_a_header(run, hub, monkeypatch):
    asked = answers(hub, "GET", "/partners", {"items": [], "next": None})

    run("partner", "list", "--tenant", "north.example")
    monkeypatch.setenv("HUB_TENANT", "south.example")
    run("partner", "list")

    named = [call.request.headers["Hub-Tenant"] for call in asked.calls]
    assert named == ["north.example", "south.example"]


def test_a_redirect_is_not_followed_with_the_key(run, hub):
    answers(hub, "GET", "/partners", status=302, headers={"Location": "https://evil.example/"})

    ended = run("partner", "list")

    assert ended.code == 1
    assert "302" in ended.err


def test_a_redirect_is_no_answer_to_a_file_that_is_sent_or_fetched(run, hub, tmp_path):
    (tmp_path / "v2.bin").write_bytes(b"firmware")
    station = f"/stations/{PARTNER['id']}"
    elsewhere = {"status": 302, "headers": {"Location": "https://hub.test/"}}
    answers(hub, "POST", "/firmware", **elsewhere)
    job = {"id": PARTNER["id"], "file": {"size": 3, "name": "log"}, "finished": True}
    answers(hub, "POST", f"{station}/logs", job)
    answers(hub, "GET", f"{station}/jobs/{PARTNER['id']}/file", **elsewhere)

    sent = run("firmware", "add", str(tmp_path / "v2.bin"))
    fetched = run("station", "diagnostics", PARTNER["id"], "-o", str(tmp_path / "log"))

    assert (sent.code, "HTTP 302" in sent.err) == (1, True)
    assert (fetched.code, "HTTP 302" in fetched.err) == (1, True)
    assert not (tmp_path / "log").exists()


def test_a_failure_without_a_word_is_a_failure(run, hub):
    hub.add("DELETE", f"{URL}/admin/v1/keys/{PARTNER['id']}", status=502)

    ended = run("key", "revoke", PARTNER["id"])

    assert (ended.code, "HTTP 502" in ended.err) == (1, True)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, error("bad_input", "name: Too long.", field="name"), 2),
        (401, error("not_authenticated", "The API key is not known."), 4),
        (403, error("not_allowed", "This needs partners.read."), 4),
        (404, error("not_found", "There is no partner."), 3),
        (409, error("conflict", "It is suspended."), 4),
        (412, error("changed_meanwhile", "Somebody was faster."), 4),
        (429, error("too_many_requests", "Too many."), 5),
        (500, error("failed", "The hub failed."), 1),
        (502, error("partner_failed", "GET versions: HTTP 500."), 1),
        (503, error("unavailable", "No database."), 5),
    ],
)
def test_every_kind_of_failure_has_its_exit_code(run, hub, status, body, code):
    answers(hub, "GET", f"/partners/{PARTNER['id']}", body, status)

    plain = run("partner", "show", PARTNER["id"])
    as_json = run("partner", "show", PARTNER["id"], "--json")

    assert plain.code == as_json.code == code
    assert body["error"]["message"] in plain.err
    assert plain.out == ""
    assert as_json.json["error"]["code"] == body["error"]["code"]


def test_an_error_says_what_is_allowed_and_what_to_do_next(run, hub):
    body = error(
        "bad_input",
        "roles.0.role: Must be one of.",
        field="roles.0.role",
        allowed=["CPO", "EMSP"],
        next="hub partner invite --help",
    )
    answers(hub, "POST", "/partners/invite", body, 400)

    ended = run("partner", "invite", "Acme", "--role", "NL*ACM:HUB")

    assert ended.code == 2
    assert "allowed: CPO, EMSP" in ended.err
    assert "next: hub partner invite --help" in ended.err


def test_what_answers_but_is_no_hub_is_told_from_one(run, hub):
    hub.add("GET", f"{URL}/admin/v1/partners", body="<h1>nginx</h1>", status=404)

    ended = run("partner", "list")

    assert ended.code == 3
    assert "not like a hub" in ended.err


@pytest.mark.parametrize("fault", [requests.ConnectionError(), requests.Timeout()])
def test_a_hub_that_is_away_is_exit_code_5(run, hub, fault):
    hub.add("GET", f"{URL}/admin/v1/partners", body=fault)

    ended = run("partner", "list", "--json")

    assert ended.code == 5
    assert ended.json["error"]["code"] == "unavailable"


def test_an_invitation_shows_the_token_once_and_what_to_do_with_it(run, hub):
    made = {
        "partner": PARTNER,
        "versions_url": "https://hub.example/ocpi/versions",
        "token": "the-token-a",
        "expires_at": "2025-01-08T00:00:00+00:00",
    }
    asked = answers(hub, "POST", "/partners/invite", made, 201)

    ended = run("partner", "invite", "Acme", "--role", "NL*ACM:cpo", "--role", "NL*ACX:EMSP")

    assert json.loads(asked.calls[0].request.body) == {
        "name": "Acme",
        "roles": [{"party": "NL*ACM", "role": "CPO"}, {"party": "NL*ACX", "role": "EMSP"}],
        "valid_days": 7,
    }
    assert ended.code == 0
    assert "the-token-a" in ended.out
    assert f"hub partner trace {PARTNER['id']}" in ended.err


@pytest.mark.parametrize("roles", [(), ("--role", "NLACM"), ("--role", "CPO"), ("--role", ":CPO")])
def test_a_role_that_is_none_is_refused_before_the_hub_is_asked(run, roles):
    ended = run("partner", "invite", "Acme", *roles)

    assert ended.code == 2
    assert "NL*ACM:CPO" in ended.err


def test_the_token_of_a_platform_comes_from_a_file(run, hub, tmp_path):
    (tmp_path / "token").write_text("their-token\n")
    asked = answers(hub, "POST", "/partners/join", PARTNER, 201)

    ended = run(
        *("partner", "join", "Acme", "https://acme.example/versions"),
        *("--role", "NL*ACM:CPO", "--token-file", str(tmp_path / "token")),
    )

    assert ended.code == 0
    assert json.loads(asked.calls[0].request.body)["token"] == "their-token"
    assert "their-token" not in ended.out + ended.err


def test_the_token_of_a_platform_comes_from_standard_input(run, hub, monkeypatch):
    import io  # noqa: PLC0415

    monkeypatch.setattr("sys.stdin", io.StringIO("piped-token\n"))
    asked = answers(hub, "POST", "/partners/join", PARTNER, 201)

    run("partner", "join", "Acme", "https://acme.example/versions", "--role", "NL*ACM:CPO")

    assert json.loads(asked.calls[0].request.body)["token"] == "piped-token"


def test_there_is_no_option_that_takes_a_secret(run):
    ended = run("partner", "join", "Acme", "https://acme.example/", "--token", "secret")

    assert ended.code == 2
    assert "unrecognized arguments: --token" in ended.err


def test_what_a_command_does_not_know_is_said_with_its_own_usage(run):
    ended = run("agreement", "block", "NL*ACM")

    assert (ended.code, ended.out) == (2, "")
    assert "usage: hub agreement block" in ended.err
    assert "unrecognized arguments: NL*ACM" in ended.err


@pytest.mark.parametrize(
    ("arguments", "complaint", "usage"),
    [
        (("object", "list", "chargers"), "invalid choice: 'chargers'", "hub object list"),
        (("object", "show", "cdrs", "NL/ACM"), "NL/ACM/LOC1, not 'NL/ACM'", "hub object show"),
        (("cdr", "note", "NL/ACM/C1", "--say", "no"), "unrecognized arguments", "hub cdr note"),
        (("transaction", "begin"), "invalid choice: 'begin'", "hub transaction"),
        (("nothing",), "invalid choice: 'nothing'", "hub"),
    ],
)
def test_a_program_is_told_in_json_that_the_command_line_is_wrong(run, arguments, complaint, usage):
    ended = run(*arguments, "--json")

    assert (ended.code, ended.err) == (2, "")
    assert ended.json["error"]["code"] == "usage"
    assert complaint in ended.json["error"]["message"]
    assert ended.json["error"]["next"] == f"{usage} --help"


def test_a_program_is_told_in_json_that_a_setting_is_wrong(run, monkeypatch):
    monkeypatch.setenv("HUB_PORT", "abc")

    ended = run("serve", "--settings", "--json")

    assert (ended.code, ended.err) == (2, "")
    assert "HUB_PORT must be" in ended.json["error"]["message"]


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_token_file_is_refused(run, tmp_path, content):
    (tmp_path / "token").write_text(content)

    ended = run(
        *("partner", "join", "Acme", "https://acme.example/"),
        *("--role", "NL*ACM:CPO", "--token-file", str(tmp_path / "token")),
    )

    assert (ended.code, "--token-file" in ended.err) == (2, True)


def test_a_partner_can_be_called_by_the_beginning_of_its_name(run, hub):
    other = PARTNER | {"id": "0c7a3f0e-1d37-4a53-b5fd-8f2c2d0a7a12", "name": "Bolt"}
    answers(hub, "GET", "/partners", {"items": [PARTNER, other], "next": None})
    asked = answers(hub, "POST", f"/partners/{PARTNER['id']}/suspend", PARTNER)

    ended = run("partner", "suspend", "acm", "--reason", "Unpaid")

    assert ended.code == 0
    assert json.loads(asked.calls[0].request.body) == {"reason": "Unpaid"}


def test_a_name_that_means_several_partners_is_refused_with_their_ids(run, hub):
    other = PARTNER | {"id": "0c7a3f0e-1d37-4a53-b5fd-8f2c2d0a7a12", "name": "Acme East"}
    answers(hub, "GET", "/partners", {"items": [PARTNER, other], "next": None})

    ended = run("partner", "show", "acm")

    assert ended.code == 2
    assert PARTNER["id"] in ended.err
    assert other["id"] in ended.err


def test_a_list_is_read_to_its_end_and_no_further_than_asked(run, hub):
    rows = [PARTNER | {"name": f"P{number}"} for number in range(3)]
    first = answers(hub, "GET", "/partners", {"items": rows[:2], "next": "place"})
    second = answers(hub, "GET", "/partners", {"items": rows[2:], "next": None})

    ended = run("partner", "list", "--json")

    assert [row["name"] for row in ended.json["items"]] == ["P0", "P1", "P2"]
    assert first.call_count == 1
    assert "after=place" in second.calls[0].request.url


def test_a_table_is_plain_text_where_nobody_looks_at_colours(run, hub):
    answers(hub, "GET", "/partners", {"items": [PARTNER], "next": None})

    ended = run("partner", "list")

    assert "\x1b" not in ended.out
    header, row = ended.out.splitlines()
    assert header.split() == [
        "ID",
        "NAME",
        "PARTIES",
        "STATUS",
        "CONNECTION",
        "OCPI",
        "SEEN",
        "RENEWED",
    ]
    assert row.split()[1:] == ["Acme", "NL*ACM:CPO", "ACTIVE", "CONNECTED", "2.2.1", *["never"] * 2]


def test_what_a_partner_calls_itself_cannot_act_on_the_terminal(run, hub):
    """T-26. Neither escape sequences nor markup."""
    name = "\x1b[31mEvil\x07 [bold]x[/]"
    answers(hub, "GET", "/partners", {"items": [PARTNER | {"name": name}], "next": None})

    ended = run("partner", "list")

    assert "\x1b" not in ended.out
    assert "\x07" not in ended.out
    assert "[bold]x[/]" in ended.out


def test_an_empty_list_says_what_to_do_next(run, hub):
    answers(hub, "GET", "/partners", {"items": [], "next": None})

    ended = run("partner", "list")

    assert (ended.code, ended.out) == (0, "")
    assert "hub partner invite" in ended.err


def test_what_cannot_be_undone_asks_first(run, hub, monkeypatch):
    ended = run("partner", "leave", PARTNER["id"])

    assert ended.code == 2
    assert "--yes" in ended.err


@pytest.mark.parametrize("answer", [(200, 0), (503, 5)])
def test_health_tells_by_its_exit_code(run, hub, answer):
    status, code = answer
    hub.add(
        "GET", f"{URL}/ready", json={"status": "ready", "checks": {"database": "ok"}}, status=status
    )

    assert run("health").code == code
    quiet = run("health", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (code, "", "")


def test_help_is_worth_reading(run):
    ended = run("--help")

    assert ended.code == 0
    for word in ("partner", "HUB_URL", "exit codes", "first steps", "--json"):
        assert word in ended.out


def test_every_command_has_a_help_and_takes_json(run):
    from hub.cli import make_parser  # noqa: PLC0415

    for command in leaves(make_parser()):
        assert command.description, command.prog
        assert "--json" in command.format_help(), command.prog


def leaves(parser):
    groups = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    if not groups:
        yield parser
    for group in groups:
        for child in group.choices.values():
            yield from leaves(child)


@pytest.mark.parametrize("arguments", [(), ("partner",), ("nonsense",), ("partner", "list", "-x")])
def test_wrong_usage_is_exit_code_2(run, arguments):
    assert run(*arguments).code == 2


def test_a_failure_that_nobody_foresaw_is_told_in_one_line(run, hub, monkeypatch):
    """As when the hub is of an older release; with HUB_DEBUG it is shown where."""
    answers(hub, "GET", "/me", {"key_name": "old"})

    told, as_json = run("whoami"), run("whoami", "--json", "--url", URL)
    monkeypatch.setenv("HUB_DEBUG", "1")

    assert (told.code, told.out) == (1, "")
    assert "same release" in told.err
    assert "Traceback" not in told.err
    assert as_json.json == {"key_name": "old"}
    with pytest.raises(KeyError):
        run("whoami")


def on_a_terminal(columns, monkeypatch, *arguments):
    """What a command shows on a terminal of so many columns."""
    master, slave = os.openpty()
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    with os.fdopen(slave, "w", encoding="utf-8") as terminal, redirect_stdout(terminal):
        assert main(arguments) == 0
    shown = b""
    # Linux says EIO where the other end is closed; what is shown may come in pieces.
    with suppress(OSError):
        while piece := os.read(master, 100_000):
            shown += piece
    os.close(master)
    return [line.rstrip() for line in re.sub(r"\x1b\[\d+m", "", shown.decode()).splitlines()]


def test_a_file_that_is_no_request_for_a_certificate_is_named(run, tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    missing = run("certificate", "sign", "CP-1", str(tmp_path / "absent"))
    binary = run("certificate", "sign", "CP-1", str(tmp_path / "binary"))

    assert (missing.code, binary.code) == (2, 2)
    assert "absent cannot be read: No such file or directory." in missing.err
    assert "binary is not PEM." in binary.err


def test_on_a_terminal_no_word_is_broken_whatever_its_width(run, hub, monkeypatch):
    """A table where there is room for one; else rows below each other, ids in one piece."""
    other = PARTNER | {"id": "0c7a3f0e-1d37-4a53-b5fd-8f2c2d0a7a12", "name": "Bolt"}
    answers(hub, "GET", "/partners", {"items": [PARTNER, other], "next": None})
    run("partner", "list")

    wide = on_a_terminal(140, monkeypatch, "partner", "list")
    narrow = on_a_terminal(80, monkeypatch, "partner", "list")

    assert len(wide) == 3
    assert wide[0].split()[:4] == ["ID", "NAME", "PARTIES", "STATUS"]
    assert wide[1].split()[:2] == [PARTNER["id"], "Acme"]
    assert f"ID          {other['id']}" in narrow
    assert "CONNECTION  CONNECTED" in narrow
    assert max(map(len, narrow)) <= 80


def test_a_table_breaks_long_texts_between_words(run, hub, monkeypatch):
    reason = "HTTP 200, OCPI 2001: elements.0.price_components.0.step_size must be 1 or more"
    setback = {
        "id": PARTNER["id"],
        "party": "DE*TWO",
        "module": "tariffs",
        "object_ref": "NL/ACM/T",
    }
    setback |= {"http_status": 200, "status_code": 2001, "attempts": 1, "reason": reason}
    answers(hub, "GET", "/setbacks", {"items": [setback], "next": None})
    run("setback", "list")

    shown = on_a_terminal(140, monkeypatch, "setback", "list")

    assert len(shown) > 2
    assert all(any(word in line.split() for line in shown) for word in reason.split())


@pytest.mark.parametrize("text", [" " * 40, "\u5145\u96fb " * 20])
def test_a_table_takes_whatever_text_a_partner_sent(run, hub, monkeypatch, text):
    setback = {"id": PARTNER["id"], "party": "DE*TWO", "module": "tariffs", "reason": text}
    setback |= {"object_ref": "NL/ACM/T", "http_status": 200, "status_code": 2001, "attempts": 1}
    answers(hub, "GET", "/setbacks", {"items": [setback], "next": None})

    assert any("NL/ACM/T" in line for line in on_a_terminal(140, monkeypatch, "setback", "list"))


@pytest.mark.parametrize("group", ["setback", "quarantine"])
def test_who_may_not_replay_is_told_so_for_all_of_a_partner_as_well(run, hub, group):
    path = "/setbacks" if group == "setback" else "/quarantine"
    answers(hub, "GET", "/partners", {"items": [PARTNER], "next": None})
    answers(hub, "GET", path, {"items": [{"id": PARTNER["id"]}], "next": None})
    forbidden = error("forbidden", "You lack feed.execute.")
    answers(hub, "POST", f"{path}/{PARTNER['id']}/replay", forbidden, status=403)

    ended = run(group, "replay", "--partner", PARTNER["name"])

    assert (ended.code, "You lack feed.execute." in ended.err) == (4, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("tenant", "change", PARTNER["id"]),
        ("user", "change", PARTNER["id"]),
        ("role", "change", PARTNER["id"]),
        ("station", "edit", PARTNER["id"]),
    ],
    ids=" ".join,
)
def test_a_change_of_nothing_is_a_mistake(run, hub, arguments):
    ended = run(*arguments)

    assert (ended.code, "nothing to change" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HUB_URL", "hub.example"),
        ("HUB_URL", "ftp://hub.example"),
        ("HUB_API_KEY", "hubk_\u2026"),
        ("HUB_API_KEY", "hubk_a\nb"),
        ("HUB_TENANT", "second\u2026"),
    ],
)
def test_what_cannot_be_sent_is_a_mistake_of_the_caller(run, hub, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    # Without the mock, which would send anything.
    hub.stop(allow_assert=False)

    ended = run("partner", "list")

    assert ended.code == 2
    assert "next: " in ended.err or "allowed: " in ended.err
    assert "not foreseen" not in ended.err
    hub.start()


def test_nobody_reading_on_is_no_failure(hub, run, monkeypatch):
    """As with `hub partner show NAME | head -1`."""
    answers(hub, "GET", f"/partners/{PARTNER['id']}", PARTNER)
    answers(hub, "GET", f"/partners/{PARTNER['id']}/sync", {"items": []})
    run("partner", "show", PARTNER["id"])
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w", buffering=1) as closed, redirect_stdout(closed):
        assert main(["partner", "show", PARTNER["id"]]) == 0


def test_a_role_is_found_by_its_name(run, hub):
    role = {"id": PARTNER["id"], "name": "Night shift", "permissions": ["feed.read"]}
    answers(hub, "GET", "/roles", {"items": [role], "next": None})
    asked = answers(hub, "DELETE", f"/roles/{PARTNER['id']}", status=204)

    ended, unknown = run("role", "delete", "Night shift", "--yes"), run("role", "show", "Day shift")

    assert (ended.code, len(asked.calls)) == (0, 1)
    assert (unknown.code, "hub role list" in unknown.err) == (3, True)


def test_what_a_partner_wrote_does_nothing_to_the_terminal(run, hub):
    """T-26: in a trace, and in a body that is kept as it came."""
    step = {"at": "2026-01-01T00:00:00Z", "step": "versions", "message": "\x1b[2Jgone"}
    trace = {"kind": "join", "outcome": "REFUSED", "created_at": step["at"], "steps": [step]}
    answers(hub, "GET", "/partners", {"items": [PARTNER], "next": None})
    path = f"/partners/{PARTNER['id']}"
    page = {"items": [trace | {"reason": "said \x1b]0;x\x07"}], "next": None}
    answers(hub, "GET", f"{path}/traces", page)
    entry = {"kind": "Tariff", "object_ref": "NL/ACM/T1", "partner_id": PARTNER["id"]}
    entry |= {"created_at": step["at"], "settled_at": None, "ocpi_version": "2.2.1"}
    entry |= {"errors": [], "body": '{"id": "\x1b[31m\u202e"}'}
    answers(hub, "GET", f"/quarantine/{PARTNER['id']}", entry)
    answers(hub, "GET", path, PARTNER)

    shown = [run("partner", "trace", "acme"), run("quarantine", "show", PARTNER["id"])]

    for ended in shown:
        assert ended.code == 0
        assert "\\x1b[" in ended.out
        assert not {"\x1b", "\x07", "\u202e"} & set(ended.out)
