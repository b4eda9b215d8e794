"""What the operators' documents and files say is true: settings, commands, metrics, alerts."""

import asyncio
import configparser
import contextlib
import dataclasses
import io
import json
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest
import yaml
from alembic.script import ScriptDirectory

from hub.cli import make_parser
from hub.embedded import EmbeddedPostgres
from hub.health import newest_migration
from hub.metrics import Metrics
from hub.migrate import alembic_config, migrate
from hub.programs import find_programs
from hub.settings import CLIENT_VARIABLES, Settings
from tests.helpers import promql

ROOT = Path(__file__).parent.parent
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
RULES = ROOT / "deploy" / "prometheus-rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("README.md")])

SETTINGS = {f"HUB_{field.name.upper()}": field for field in dataclasses.fields(Settings)}
# A row of the table: variable, default, meaning.
ROW = re.compile(r"^\| `(HUB_[A-Z_]+)` \| (?:`([^`]*)`)? ?\| (.+) \|$", re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`(hub [a-z][^`]*)`(?!`)")
VARIABLE = re.compile(r"\b(HUB_[A-Z][A-Z_]*[A-Z])\b")
METRIC = re.compile(r"\bocpi_hub_\w+")
DURATION = re.compile(r"\d+[smhd]")


def anchors(page: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


# Settings.


def test_every_setting_is_documented_with_its_default():
    documented = {variable: default for variable, default, _ in ROW.findall(OPERATIONS)}
    empty = {None, ()}

    shown = {
        variable: "" if field.default in empty else str(field.default)
        for variable, field in SETTINGS.items()
    }

    assert documented == shown


def test_what_the_command_line_reads_is_documented():
    assert {name for name in CLIENT_VARIABLES if f"`{name}`" not in OPERATIONS} == set()


@pytest.mark.parametrize(
    "path", [*PAGES, *sorted((ROOT / "deploy").iterdir())], ids=lambda path: path.name
)
def test_no_variable_is_named_that_the_hub_does_not_read(path):
    known = {*SETTINGS, *CLIENT_VARIABLES, "HUB_X", "HUB_X_FILE"}
    known |= {f"{name}_FILE" for name in SETTINGS}

    assert set(VARIABLE.findall(path.read_text())) - known == set()


# Commands.


def commands_of(page: str):
    """Every ``hub …`` in a block of shell or between backticks, as its arguments."""
    for language, block in FENCE.findall(page):
        if language in {"", "sh", "bash", "shell", "console"}:
            for line in block.replace("\\\n", " ").splitlines():
                yield from calls(line.removeprefix("$ "))
    for text in INLINE.findall(FENCE.sub("", page)):
        yield from calls(text)


def calls(line: str):
    """The ``hub`` commands in one line of shell, without what is before and behind them."""
    if "hub" not in line:
        return
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, ";"]:
        if not set(word) <= set("|&;<>()"):
            command.append(word)
            continue
        called = without_prefix(command)
        if called and (called[0] == "hub" or called[0].endswith("/bin/hub")) and "…" not in called:
            yield called[1:]
        command = []


def without_prefix(command: list[str]) -> list[str]:
    """A command without what only says how it is to be run."""
    while command:
        if command[0] == "sudo" and command[1:2] == ["-u"]:
            command = command[3:]
        elif "=" in command[0] or command[0] in {"sudo", "env", "until", "while", "do", "if", "!"}:
            command = command[1:]
        else:
            break
    return command


ALL_CALLS = sorted(
    {
        (path.relative_to(ROOT).as_posix(), tuple(call))
        for path in PAGES
        for call in commands_of(path.read_text())
        if call
    }
)


@pytest.mark.parametrize(("page", "call"), ALL_CALLS, ids=str)
def test_every_command_in_the_documents_exists(page, call):
    # A name alone, such as `hub partner` or `hub key create`, is no call.
    if len(call) <= len(("key", "create")) and parses([*call, "--help"]):
        return
    problem = io.StringIO()
    with contextlib.redirect_stderr(problem):
        good = parses(list(call))
    assert good, f"{page}: hub {shlex.join(call)}: {problem.getvalue().splitlines()[-1:]}"


def parses(arguments: list[str]) -> bool:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            make_parser().parse_args(arguments)
    except SystemExit as end:
        return end.code == 0
    return True


def test_the_search_for_commands_finds_them():
    page = (
        "```sh\nsudo -u x hub key list | head\nA=b /opt/bin/hub whoami && ls\n```\n`hub nonsense`"
    )

    assert list(commands_of(page)) == [["key", "list"], ["whoami"], ["nonsense"]]
    with contextlib.redirect_stderr(io.StringIO()):
        assert not parses(["nonsense"])
    assert len(ALL_CALLS) > 20


def test_links_lead_somewhere():
    links = re.findall(r"\]\(#([^)]+)\)", OPERATIONS)

    assert links
    assert set(links) - anchors(OPERATIONS) == set()


# Metrics and alerts.


@pytest.fixture(scope="module")
def labels() -> dict[str, set[str]]:
    """The labels of all samples that the hub can show, by their names; and Prometheus' own."""
    declared = {
        family.name: set(collector._labelnames)
        for collector in vars(Metrics()).values()
        if hasattr(collector, "_labelnames")
        for family in collector.collect()
    }
    names = {"up": set()}
    for family in Metrics().registry.collect():
        own = declared.get(family.name, set())
        suffixes = {
            "counter": {"_total": set()},
            "histogram": {"_bucket": {"le"}, "_sum": set(), "_count": set()},
        }.get(family.type, {"": set()})
        names |= {family.name + suffix: own | more for suffix, more in suffixes.items()}
    return names


@pytest.fixture(scope="module")
def metrics(labels) -> set[str]:
    """Their names, and those of histograms."""
    return {name.removesuffix("_bucket") for name in labels}.union(labels) - {"up"}


def rules():
    [group] = yaml.safe_load(RULES.read_text())["groups"]
    return group["rules"]


def expressions():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    for panel in panels:
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])
    yield from ((rule["alert"], rule["expr"]) for rule in rules())


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_expressions_can_be_read_and_ask_for_what_is_there(where, expression, labels):
    promql.check(expression, labels)

    # A counter means nothing by itself.
    for counter in re.findall(r"\b(ocpi_hub_\w+_total)\b", expression):
        assert re.search(rf"(rate|increase)\({counter}", expression), where


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("max(ocpi_hub_setbacks_open", "\\) is missing"),
        ("ocpi_hub_setbacks_open)", "too much"),
        ("ocpi_hub_setbacks", "no metric"),
        ('ocpi_hub_setbacks_open{status="1"}', "label status"),
        ("sum by (status) (ocpi_hub_setbacks_open)", "label status"),
        ("sum by (partner) (max by (module) (ocpi_hub_setbacks_open))", "label partner"),
        ("rate(ocpi_hub_deliveries_total)", "wants a range"),
        ("ocpi_hub_deliveries_total[5m] > 1", "a range"),
        ("rate(ocpi_hub_deliveries_total[5 m])", "nobody can read"),
        ("histogram_quantile(0.5, rate(ocpi_hub_deliveries_total[5m]))", "label le"),
        ("ocpi_hub_setbacks_open >", "word is missing"),
    ],
)
def test_a_wrong_expression_is_found(expression, fault, labels):
    with pytest.raises(promql.Wrong, match=fault):
        promql.check(expression, labels)


def test_no_label_is_one_that_prometheus_puts_on_every_series(labels):
    """It would keep its own and call ours ``exported_…``: alerts and panels would show its own."""
    assert {name for name, own in labels.items() if own & promql.ADDED} == set()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_names_only_labels_that_its_expression_leaves(rule, labels):
    named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))

    assert named - promql.check(rule["expr"], labels) == set()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_says_what_is_wrong_and_where_to_read_on(rule):
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Hub[A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert DURATION.fullmatch(rule.get("for", "1m"))
    assert rule["annotations"]["summary"].endswith(".")
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in anchors((ROOT / page).read_text())


def test_alerts_have_names_of_their_own():
    assert [n for n, times in Counter(r["alert"] for r in rules()).items() if times > 1] == []


def test_every_metric_is_documented(metrics):
    documented = set(METRIC.findall(OPERATIONS))
    ours = {name for name in metrics if "_process_" not in name}
    parts = {name + suffix for name in documented for suffix in ("_bucket", "_sum", "_count")}

    assert ours - documented - parts == set()
    # Of the process only the beginning of the names is given.
    assert documented - metrics == {"ocpi_hub_process_"}


def test_the_dashboard_can_be_imported():
    board = json.loads(DASHBOARD.read_text())
    panels = board["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels)
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource"]


# Deploying.


def test_the_unit_starts_the_hub_and_waits_until_it_has_ended():
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string((ROOT / "deploy" / "hub.service").read_text())
    service = unit["Service"]

    [call] = calls(service["ExecStart"])
    assert parses(call)
    # The grace that `hub serve` gives requests, and the time its PostgreSQL may take to stop.
    assert int(service["TimeoutStopSec"]) >= 20 + 60
    assert service["User"] == "hub"


def test_the_containers_run_commands_that_exist_as_roles_that_are_made():
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    services = compose["services"]

    assert parses(services["migrate"]["command"])
    roles = compose["configs"]["roles"]["content"]
    for service in ("migrate", "hub"):
        role = re.match(
            r"postgresql://(\w+):", services[service]["environment"]["HUB_DATABASE_URL"]
        )
        assert f"CREATE ROLE {role[1]} LOGIN NOSUPERUSER NOBYPASSRLS" in roles
    assert services["hub"]["ports"] == ["127.0.0.1:8080:8080"]
    assert services["hub"]["depends_on"]["migrate"] == {
        "condition": "service_completed_successfully"
    }


def test_the_newest_migration_is_told_by_its_file_name():
    script = ScriptDirectory.from_config(alembic_config(None))

    assert script.get_current_head() == newest_migration()


async def test_a_backup_of_the_running_server_starts_elsewhere_with_its_place_in_time(own_dir):
    """As docs/operations.md says: a physical copy, so transaction ids go on where they were."""
    first, second = own_dir / "first", own_dir / "second"
    second.mkdir(mode=0o755)
    server = EmbeddedPostgres.start(first)
    try:
        await migrate(server.admin_url)
        server.run_sql("hub", "CREATE TABLE kept AS SELECT pg_current_xact_id() AS xid")
        backup = second / "postgres"
        # As whoever operates the hub: root, where the hub is root's.
        copy = [
            find_programs() / "pg_basebackup",
            f"--host={server._postmaster.socket_dir}",
            "--username=postgres",
            "--checkpoint=fast",
            "--wal-method=stream",
            f"--pgdata={backup}",
        ]
        await (await asyncio.create_subprocess_exec(*copy)).wait()
    finally:
        server.stop()

    restored = EmbeddedPostgres.start(second)
    try:
        assert restored.run_sql("hub", "SELECT xid < pg_current_xact_id() FROM kept") == "t"
    finally:
        restored.stop()
