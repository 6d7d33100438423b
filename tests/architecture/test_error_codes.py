"""Codes are literals of one shape and one branch each, and docs/errors.md lists exactly those in the source."""

from __future__ import annotations

import ast
import re
import runpy
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

CODE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+")
tool: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("error_codes.py")))


@pytest.fixture(scope="module")
def found() -> list[Any]:
    raised = tool["read_source"]()
    assert len(raised) > 20
    return raised


def test_every_code_is_written_out_and_well_formed(found: list[Any]) -> None:
    assert [one.where for one in found if one.code is None] == []
    assert [(one.where, one.code) for one in found if one.code and not CODE.fullmatch(one.code)] == []


def test_a_code_belongs_to_one_branch(found: list[Any]) -> None:
    branches = defaultdict(set)
    for one in found:
        branches[one.code].add(one.branch)
    assert {code: names for code, names in branches.items() if len(names) > 1} == {}


def test_the_page_lists_what_the_source_raises(found: list[Any]) -> None:
    hint = "run `python tests/architecture/error_codes.py --write`"
    assert tool["PAGE"].read_text(encoding="utf-8") == tool["page"](found), hint


def test_every_code_is_met_by_a_test(found: list[Any], root: Path) -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in sorted((root / "tests").rglob("*.py")))
    assert sorted({one.code for one in found if one.code and one.code not in tests}) == []


def test_the_reader_sees_each_way_of_writing_a_code() -> None:
    source = '''
raise InputError("a.plain", f"value {x} is bad", hint="do this")
raise errors.RefusedError("b.first" if late else "b.second", "no")
raise ProtocolError(code, "computed")
raise ValueError("not.ours")
def check(what, limit):
    raise InputError(f"{what}.too-long", f"{what} is too long")
check("reason", 3)
check(limit=4, what="name")
def unheard(code):
    raise InputError(code, "nobody calls this")
'''
    found = list(tool["raised_in"]("m.py", ast.parse(source)))
    assert sorted((one.code or "", one.branch, one.message, one.hint) for one in found) == [
        ("", "InputError", "nobody calls this", ""),
        ("", "ProtocolError", "computed", ""),
        ("a.plain", "InputError", "value … is bad", "do this"),
        ("b.first", "RefusedError", "no", ""),
        ("b.second", "RefusedError", "no", ""),
        ("name.too-long", "InputError", "… is too long", ""),
        ("reason.too-long", "InputError", "… is too long", ""),
    ]
