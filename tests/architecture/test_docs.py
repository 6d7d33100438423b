"""What the documents say is so: links lead somewhere, commands and computations are described, marked code runs."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sealane.computations.registry import get, names, read_parameters
from sealane.coordinator.settings import Settings
from sealane.governance.contract import load_contract
from sealane.governance.study_file import read_study_file
from sealane.sectors.registry import contract

tool: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("docs_blocks.py")))
PAGES: list[Path] = tool["pages"]()
ADR_HEADINGS = ["Context", "Decision", "Consequences", "Revisit when"]
WRITE = "run `python tests/architecture/docs_blocks.py --write`"


def short(path: Path) -> str:
    return str(path.relative_to(tool["ROOT"]))


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_links_lead_to_something_in_the_repository(page: Path, root: Path) -> None:
    missing = []
    for link in tool["links"](page):
        file, _, anchor = link.target.partition("#")
        target = (page.parent / file).resolve() if file else page
        there = target.is_relative_to(root) and target.exists()
        if not there or (anchor and target.suffix == ".md" and anchor not in tool["anchors"](target)):
            missing.append(link.target)
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_help_blocks_are_what_the_program_prints(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == tool["with_help"](text), WRITE
    assert text.count("<!-- help:") == len(tool["HELP"].findall(text)), "a help block is not well-formed"


def test_the_reference_lists_every_command() -> None:
    assert tool["CLI_PAGE"].read_text(encoding="utf-8") == tool["cli_page"](), WRITE


def test_commands_in_documents_exist_and_take_their_options() -> None:
    known = dict(tool["commands"]())
    wrong = []
    lines = [(page, line) for page in PAGES if page != tool["CLI_PAGE"] for line in tool["command_lines"](page)]
    assert len(lines) > 40
    for page, line in lines:
        words = tuple(line.split())
        called = next((words[:n] for n in (4, 3, 2, 1) if words[:n] in known), None)
        group = called is not None and hasattr(known[called], "commands")
        verb = words[len(called)] if called is not None and len(words) > len(called) else ""
        if called is None or (group and re.match(r"[a-z]", verb)):
            wrong.append(f"{short(page)}: {line}")
            continue
        options = {name for parameter in known[called].params for name in parameter.opts}
        wrong += [f"{short(page)}: {line}: {word}" for word in words
                  if word.startswith("--") and word.partition("=")[0] not in {*options, "--help", "--version"}]
    assert wrong == []


@pytest.mark.parametrize("name", names())
def test_every_computation_is_described_with_its_parameters(name: str, root: Path) -> None:
    pages = (page.read_text(encoding="utf-8") for page in (root / "docs").glob("*.md"))
    text = next((page for page in pages if f"\n## {name}\n" in page), "")
    assert text, "no page of docs/ has a section of that name"
    section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert [field for field in get(name).parameters.model_fields if f"`{field}`" not in section] == []


@pytest.mark.parametrize("page", [page for page in PAGES if tool["runnable"](page)], ids=short)
def test_marked_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = tool["runnable"](page)
    printed = tool["run"](blocks)
    assert printed == [now if said is None else said for (_, said), now in zip(blocks, printed, strict=True)], WRITE


def test_something_is_run() -> None:
    assert any(tool["runnable"](page) for page in PAGES)


def test_every_marked_block_is_found() -> None:
    for page in PAGES:
        assert page.read_text(encoding="utf-8").count("<!-- run -->\n") == len(tool["runnable"](page)), short(page)


def test_contracts_in_documents_are_legal(root: Path) -> None:
    text = (root / "docs" / "data-contracts.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        load_contract(block.encode("utf-8"))


def test_example_studies_are_in_order(root: Path) -> None:
    files = sorted((root / "examples").rglob("study*.toml"))
    assert files
    for file in files:
        found = read_study_file(file)
        known = contract(found.data_contract)
        for column in get(found.computation).columns(read_parameters(found.computation, found.parameters)):
            known.field(column)


def test_settings_in_documents_are_legal(root: Path) -> None:
    text = (root / "docs" / "operations.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        settings = Settings.model_validate(tomllib.loads(block))
        assert settings.deadlines == Settings().deadlines
        assert settings.lifetimes == Settings().lifetimes


def test_every_message_of_the_stream_is_in_the_protocol(root: Path) -> None:
    proto = (root / "protos/sealane/api/stream/v1/stream.proto").read_text(encoding="utf-8")
    carried = {kind.rpartition(".")[2] for body in re.findall(r"oneof message \{(.*?)\}", proto, re.DOTALL)
               for kind in re.findall(r"^\s+([\w.]+) \w+ = \d+;", body, re.MULTILINE)}
    text = (root / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert len(carried) > 15
    assert sorted(kind for kind in carried if f"`{kind}`" not in text) == []


def test_tests_named_in_documents_exist(root: Path) -> None:
    missing = []
    for page in PAGES:
        for file, function in re.findall(r"`(tests/[\w/.-]+)(?:::(\w+))?`", page.read_text(encoding="utf-8")):
            path = root / file
            if not path.exists() or (function and f"def {function}(" not in path.read_text(encoding="utf-8")):
                missing.append(f"{short(page)}: {file}::{function}")
    assert missing == []


def test_files_and_folders_named_in_the_architecture_exist(root: Path) -> None:
    text = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?|_?[a-z_]+\.py)`", text)
    assert len(named) > 15
    places = [root / "src" / "sealane", root]
    known = {"identity/", "authority/"}
    assert sorted({name for name in named if name not in known and not any((p / name).exists() for p in places)}) == []


def test_records_of_decisions_have_one_form(root: Path) -> None:
    records = sorted((root / "docs" / "adr").glob("*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert re.match(rf"# {int(path.name[:4])}\. \S.*\n\nStatus: \w", text), path.name
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ADR_HEADINGS, path.name
        assert len(text.splitlines()) <= 70, f"{path.name} is longer than a page"


def test_the_readme_comes_in_its_order(root: Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    wanted = ["docs/flow.svg", "make demo", "## Three real machines", "## From Python", "## How it protects",
              "## How it compares", "## Where things are"]
    places = [text.find(part) for part in wanted]
    assert -1 not in places
    assert places == sorted(places)
