from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from command_line import ENVIRONMENT, MODULE, run, run_well
from made_identity import make_identity

PEER = "a" * 51 + "q"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_sealane(shell: str) -> None:
    done = run("completion", shell)
    assert done.code == 0
    assert f"_SEALANE_COMPLETE={shell}_complete" in done.out
    assert run("completion", "csh", "--json").error["code"] == "cli.usage"


def complete(words: str, number: int, home: Path | None = None) -> list[str]:
    environment = ENVIRONMENT | {"_SEALANE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}
    if home is not None:
        environment["SEALANE_HOME"] = str(home)
    done = subprocess.run(MODULE, env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_commands_and_choices() -> None:
    assert complete("sealane coord", 1) == ["coordinator"]
    assert complete("sealane coordinator invite north --role a", 5) == ["analyst", "auditor"]
    assert complete("sealane dataset add x --contract finance.credit", 5) == ["finance.credit-application/v1"]
    assert complete("sealane sector ch", 2) == ["check"]
    assert complete("sealane sector check man", 3) == ["manufacturing"]
    assert complete("sealane study new --sector tr", 4) == ["transport"]


def test_names_come_from_the_home(tmp_path: Path) -> None:
    make_identity(tmp_path / "north")
    run_well("node", "trust", "south", PEER, "--home", tmp_path / "north")
    assert complete("sealane node trust so", 3, tmp_path / "north") == ["south"]


def test_where_nothing_is_known_nothing_is_offered(tmp_path: Path) -> None:
    make_identity(tmp_path / "north")
    assert complete("sealane run show r-", 3, tmp_path / "north") == []
    assert complete("sealane dataset withdraw l", 3, tmp_path / "none") == []
    assert os.listdir(tmp_path) == ["north"]
