"""The documentation speaks of what there is: links, commands, options, metrics, settings, reasons and files."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli import build
from gateway.decision import REASONS, Kind
from gateway.edge.operator import Status, make_registry

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").glob("*.md")})
OPERATION = (ROOT / "docs/operation.md").read_text("utf-8")

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
SHELL = re.compile(r"(?:^|[|;&$(] ?|/bin/|# )gateway (.+?)(?= \||&&|;|$)")
"""`gateway …` where a shell would run it: at the beginning, after a prompt, behind a path, a separator or in a comment."""
OPTION = re.compile(r"--[a-z][a-z-]*")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@cache
def root() -> Any:
    return typer.main.get_command(build())


def is_group(command: Any) -> bool:
    return hasattr(command, "commands")


def commands(group: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command, as the words behind `gateway`."""
    found = []
    for name, command in group.commands.items():
        found.append((*path, name))
        if is_group(command):
            found += commands(command, (*path, name))
    return found


def said_commands(text: str) -> list[str]:
    """What follows `gateway` wherever a page shows it as a command: in blocks and between backquotes."""
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    spans = [span for span in INLINE.findall(BLOCK.sub("", text)) if span.startswith("gateway ")]
    shown = [line.removeprefix("$ ") for line in lines if not re.match(r"gateway: ", line)] + spans
    return [said.strip() for line in shown for said in SHELL.findall(line)]


def find(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the words behind it."""
    command = root()
    while is_group(command) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    return command, words


@every_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    targets = [link for link in LINK.findall(text) if "://" not in link and not link.startswith("mailto:")]
    missing = []
    for target in targets:
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (fragment and fragment not in anchors(file)):
            missing.append(target)
    assert missing == []


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_command_exists_with_its_options(page: Path) -> None:
    wrong = []
    for said in said_commands(page.read_text("utf-8")):
        command, rest = find(said.split())
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
        group = is_group(command)
        if (group and rest and not rest[0].startswith(("-", "…"))) or not set(OPTION.findall(" ".join(rest))) <= known:
            wrong.append(said)
    assert wrong == []


def test_the_pages_show_commands() -> None:
    """The tests above read what they should: else a change of style would make them say yes to everything."""
    shown = {said.split()[0] for page in PAGES for said in said_commands(page.read_text("utf-8"))}
    assert {"init", "check", "serve", "reload", "demo", "explain", "log", "person", "records", "certs"} <= shown
    assert sum(len(LINK.findall(page.read_text("utf-8"))) for page in PAGES) > 30


@pytest.mark.parametrize("words", commands(root()), ids=" ".join)
def test_every_command_has_help_with_an_example_and_the_common_options(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(build(), [*words, "--help"], prog_name="gateway")
    assert result.exit_code == 0, result.output
    command, rest = find(list(words))
    assert rest == []
    assert command.help
    if not is_group(command):
        assert f"gateway {' '.join(words)}" in " ".join(command.help.split())
        options = {option for parameter in command.params for option in parameter.opts}
        # `init` is told the directory itself, the demo makes its own, and signers of the KSZ's have no gateway.
        without = {("init",), ("demo",), *(("table", word) for word in ("new-key", "rotate-keys", "sign", "merge"))}
        assert {"--json"} | (set() if words in without else {"--config"}) <= options


def test_every_metric_is_documented_and_no_other() -> None:
    certificates = [("127.0.0.1:8443", "server.pem", "EC", 1.0)]
    asked, revocation, lists = (
        [("http://a.example", "answered", 1)],
        [("ocsp", "good", 1)],
        [("http://a.example/", 1.0, 2.0)],
    )
    told = certificates, asked, revocation, lists, 12, 1.0, {"unsigned": 1}, {"same": 1}
    status = Status((), {"permitted": 1}, 0, {"user-0": 1}, "", 0.0, *told)
    exported = {sample.name for family in make_registry(lambda: status).collect() for sample in family.samples}
    table = OPERATION.split("| metric |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(gateway_[a-z_]+)", table, re.MULTILINE)) == exported
    for page in PAGES:
        named = set(re.findall(r"\bgateway_[a-z_]+_(?:total|seconds)\b", page.read_text("utf-8")))
        assert named <= exported, page


def test_every_failure_is_in_operation_and_every_reason_that_it_names_exists() -> None:
    failures = {code for code, reason in REASONS.items() if reason.kind is Kind.FAILURE}
    table = OPERATION.split("| reason | status |")[1].split("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", table, re.MULTILINE))
    assert set(rows) == failures
    assert {code: REASONS[code].status for code in failures} == {code: int(status) for code, status in rows.items()}


def test_every_reason_of_the_readme_exists() -> None:
    policy = (ROOT / "README.md").read_text("utf-8").split("## Policy")[1].split("```")[0]
    rows = [line.split("|") for line in policy.splitlines() if line.startswith(("| no", "| yes"))]
    named = {code for row in rows for code in re.findall(r"`(\w+)`", row[-3])}
    assert len(rows) == 7
    assert named
    assert named <= set(REASONS)


def test_settings_that_other_pages_name_exist() -> None:
    """docs/configuration.md itself is held against the code in tests/policy."""
    documented = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", (ROOT / "docs/configuration.md").read_text("utf-8")))
    sections = {key.partition(".")[0] for key in documented}
    for page in PAGES:
        named = re.findall(r"`([a-z_]+\.[a-z_]+)(?: = [^`]*)?`", page.read_text("utf-8"))
        files = re.compile(r"\.(?:py|md|toml|json|jsonl|png|sqlite|txt|lock|service|pub|pem|key|conf)$")
        keys = {key for key in named if key.partition(".")[0] in sections and not files.search(key)}
        assert keys <= documented, page


def test_files_of_the_code_that_the_pages_name_exist() -> None:
    page = (ROOT / "docs/life-of-a-request.md").read_text("utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)?[a-z_]+\.py)`", page))
    assert len(named) > 50
    assert {file for file in named if not (ROOT / "gateway" / file).is_file()} == set()


def test_the_index_lists_every_page() -> None:
    for index, pages in (
        (ROOT / "docs/README.md", (ROOT / "docs").glob("*.md")),
        (ROOT / "docs/adr/README.md", (ROOT / "docs/adr").glob("*.md")),
    ):
        text = index.read_text("utf-8")
        assert [page.name for page in pages if page != index and f"({page.name})" not in text] == []
