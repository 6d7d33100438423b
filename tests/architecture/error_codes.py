"""Read every error code out of the source and write docs/errors.md from it: ``error_codes.py --write``."""

from __future__ import annotations

import ast
import itertools
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "errors.md"
EXIT_CODES = {"InputError": 2, "RefusedError": 3, "ProtocolError": 4, "UnavailableError": 75}
Function = ast.FunctionDef | ast.AsyncFunctionDef
HEAD = """\
# Errors

Everything Sealane refuses has a stable code. An error says what happened, what was got, what was expected, and what to
do next; with `--json` the same fields come as an object. The branch decides the exit code and the gRPC status.

| branch | exit code | means |
|---|---|---|
| `InputError` | 2 | the caller's input is wrong: a file, an option, a value |
| `RefusedError` | 3 | a policy, an agreement or an identity check says no |
| `ProtocolError` | 4 | another party broke the protocol |
| `UnavailableError` | 75 | something needed is not there now; trying later may help |

This page is made from the source by `python tests/architecture/error_codes.py --write`, and a test compares the two.
"""


@dataclass(frozen=True, slots=True)
class Raised:
    """One place where an error is made."""

    code: str | None
    branch: str
    message: str
    hint: str
    where: str


def raised_in(module: str, tree: ast.Module) -> Iterator[Raised]:
    """Yield each construction of an error of the four branches; ``code`` is None where it is not written out."""
    calls = list(calls_in(tree, None))
    for call, function in calls:
        if called(call) not in EXIT_CODES:
            continue
        hint = next((wording(keyword.value) for keyword in call.keywords if keyword.arg == "hint"), "")
        message = wording(call.args[1]) if len(call.args) > 1 else ""
        for code in spelled_out(call.args[0], function, calls) if call.args else [None]:
            yield Raised(code, called(call), message, hint, f"{module}:{call.lineno}")


def calls_in(node: ast.AST, function: Function | None) -> Iterator[tuple[ast.Call, Function | None]]:
    """Yield each call below a node with the function it stands in."""
    if isinstance(node, ast.Call):
        yield node, function
    inside = node if isinstance(node, Function) else function
    for child in ast.iter_child_nodes(node):
        yield from calls_in(child, inside)


def called(call: ast.Call) -> str:
    """Return the last part of the name that is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def spelled_out(
    node: ast.expr, function: Function | None, calls: list[tuple[ast.Call, Function | None]], depth: int = 3
) -> list[str | None]:
    """Return the texts an expression can be: literals, also through a parameter that every caller passes as one.

    None stands for a text that only running would tell.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return [code for side in (node.body, node.orelse) for code in spelled_out(side, function, calls, depth)]
    if isinstance(node, ast.FormattedValue) and node.conversion == -1:
        return spelled_out(node.value, function, calls, depth)
    if isinstance(node, ast.JoinedStr):
        parts = [spelled_out(part, function, calls, depth) for part in node.values]
        return [None if None in row else "".join(map(str, row)) for row in itertools.product(*parts)]
    if isinstance(node, ast.Name) and function is not None and depth:
        names = [each.arg for each in function.args.posonlyargs + function.args.args]
        names = names[1:] if names[:1] in (["self"], ["cls"]) else names
        passed = [
            spelled_out(argument, caller, calls, depth - 1)
            for call, caller in calls
            if called(call) == function.name
            for argument in [*(pair[1] for pair in zip(names, call.args, strict=False) if pair[0] == node.id),
                             *(keyword.value for keyword in call.keywords if keyword.arg == node.id)]
        ]
        return list(dict.fromkeys(itertools.chain.from_iterable(passed))) or [None]
    return [None]


def wording(node: ast.expr) -> str:
    """Return a text argument with … for what is filled in."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.IfExp):
        return wording(node.body) or wording(node.orelse)
    return "…"


def page(found: list[Raised]) -> str:
    """Return docs/errors.md for what was found."""
    by_code: defaultdict[str, list[Raised]] = defaultdict(list)
    for raised in found:
        if raised.code is not None:
            by_code[raised.code].append(raised)
    text, area = HEAD, ""
    for code in sorted(by_code):
        if code.partition(".")[0] != area:
            area = code.partition(".")[0]
            text += f"\n## {area}\n\n| code | branch | what happened | hint |\n|---|---|---|---|\n"
        cells = [
            " / ".join(dict.fromkeys(value for value in values if value)).replace("|", "\\|")
            for values in zip(*((one.branch, one.message, one.hint) for one in by_code[code]), strict=True)
        ]
        text += f"| `{code}` | {' | '.join(cells)} |\n"
    return text


def read_source() -> list[Raised]:
    """Return all of src."""
    src = ROOT / "src"
    return [
        raised
        for path in sorted(src.rglob("*.py"))
        for raised in raised_in(path.relative_to(src).as_posix(), ast.parse(path.read_bytes()))
    ]


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    PAGE.write_text(page(read_source()), encoding="utf-8")
