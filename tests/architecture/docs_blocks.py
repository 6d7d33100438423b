"""Keep the documents true: help texts, the reference of the command line, links, and code that runs.

``python tests/architecture/docs_blocks.py --write`` makes docs/cli.md again, every block under a comment such as
``<!-- help: sealane study propose -->``, and what the python block before ``<!-- prints -->`` prints.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CLI_PAGE = ROOT / "docs" / "cli.md"
WIDTH = 100
HELP = re.compile(
    r"(?P<mark><!-- help: (?P<command>sealane[a-z0-9 -]*?) -->\n+```text\n)(?P<text>.*?)(?P<end>```)", re.DOTALL
)
RUN = re.compile(
    r"<!-- run -->\n+```python\n(?P<code>.*?)```(?:\n+<!-- prints -->\n+```text\n(?P<prints>.*?)```)?", re.DOTALL
)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEAD = """\
# Command line

Noun, then verb. Data goes to stdout, logs and progress to stderr. `--json` prints one JSON document; exit codes are 0,
2 (input), 3 (refused), 4 (protocol), 75 (unavailable: trying later may help) and 130 (Ctrl-C).

This page is made from the program by `python tests/architecture/docs_blocks.py --write`, and a test compares the two.
"""


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a document, as written."""

    page: Path
    target: str


def pages() -> list[Path]:
    """Return every document that is written by hand or made for readers."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    return sorted(path for path in found if path.is_file())


def root_command() -> Any:
    """Return the command that ``sealane`` is."""
    from sealane.cli.main import root

    return root


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with the words that call it, groups before what is in them."""
    import click

    def below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield words, command
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=words[-1])
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                if inner is not None and not inner.hidden:
                    yield from below((*words, name), inner)

    yield from below(("sealane",), root_command())


def help_text(words: tuple[str, ...]) -> str:
    """Return what a command prints for ``--help``, at a fixed width."""
    from click.testing import CliRunner

    result = CliRunner().invoke(root_command(), [*words[1:], "--help"], prog_name="sealane", terminal_width=WIDTH,
                                env={"SEALANE_HOME": None, "COLUMNS": str(WIDTH)})
    if result.exit_code != 0:
        raise LookupError(f"{' '.join(words)} --help ends with {result.exit_code}: {result.output[:200]}")
    return "\n".join(line.rstrip() for line in result.stdout.strip().splitlines()) + "\n"


def with_help(text: str) -> str:
    """Return a document with each of its help blocks as the program has it now."""
    return HELP.sub(lambda match: match["mark"] + help_text(tuple(match["command"].split())) + match["end"], text)


def cli_page() -> str:
    """Return docs/cli.md."""
    parts = [HEAD]
    for words, _ in commands():
        depth = "##" if len(words) < 3 else "###"
        parts.append(f"{depth} {' '.join(words)}\n\n```text\n{help_text(words)}```\n")
    return "\n".join(parts)


def runnable(path: Path) -> list[tuple[str, str | None]]:
    """Return the python blocks of a document that are marked to be run, in order, each with what it says it prints."""
    return [(match["code"], match["prints"]) for match in RUN.finditer(path.read_text(encoding="utf-8"))]


def run(blocks: list[tuple[str, str | None]]) -> list[str]:
    """Run the blocks of one document, one after the other, and return what each prints."""
    shared: dict[str, Any] = {"__name__": "document"}
    printed = []
    for number, (code, _) in enumerate(blocks):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, f"block {number}", "exec"), shared)
        printed.append("".join(line.rstrip() + "\n" for line in out.getvalue().splitlines()))
    return printed


def with_output(text: str, printed: list[str]) -> str:
    """Return a document with what its blocks print, where it shows that."""
    left = iter(printed)

    def renew(match: re.Match[str]) -> str:
        now = next(left)
        if match["prints"] is None:
            return match[0]
        return match[0][: match.start("prints") - match.start()] + now + "```"

    return RUN.sub(renew, text)


def command_lines(path: Path) -> Iterator[str]:
    """Yield each command line of ours that a document shows: in a sentence, or as a line of an indented block."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    prose = FENCE.sub("", text)
    for shown in [*re.findall(r"`([^`\n]+)`", prose), *re.findall(r"^ {4}(sealane .*)$", prose, re.MULTILINE)]:
        if shown.startswith("sealane "):
            yield re.split(r"  +#| [<>|&]", shown)[0].strip()


def links(path: Path) -> Iterator[Link]:
    """Yield the links of a document that lead into this repository; code is no link."""
    text = CODE.sub("", FENCE.sub("", path.read_text(encoding="utf-8")))
    for match in LINK.finditer(text):
        if not match["target"].startswith(("http://", "https://", "mailto:")):
            yield Link(path, match["target"])


def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ +(.+?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def write() -> None:
    """Bring every generated part up to date."""
    CLI_PAGE.write_text(cli_page(), encoding="utf-8")
    for path in pages():
        text = path.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):  # some blocks write files
            printed = run(runnable(path))
        new = with_output(with_help(text), printed)
        if new != text:
            path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    write()
