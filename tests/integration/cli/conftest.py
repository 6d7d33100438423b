"""The README's path on one machine: a coordinator, three nodes and an analyst, made with the command line alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from command_line import run, run_alone, run_well, serving
from loans import CONTRACT, loans
from small_federation import NODES, ROWS, Federation, free_port


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Everything up to proposing: enrolled, serving, datasets registered, peers verified."""
    root = tmp_path_factory.mktemp("federation")
    coordinator = root / "coordinator"
    assert run_alone("coordinator", "init", "--home", coordinator, "--listen", f"127.0.0.1:{free_port()}").code == 0
    with ExitStack() as stack:
        stack.enter_context(serving("coordinator", coordinator))
        prints: dict[str, str] = {}
        for name, role in [*((node, "node") for node in NODES), ("alice", "analyst")]:
            invited = run("coordinator", "invite", name, "--role", role, "--home", coordinator)
            assert invited.code == 0
            assert invited.out.startswith("sealane-invite:v1:")
            (root / "invitation.txt").write_text(invited.out)
            prints[name] = run_well(role, "enrol", root / "invitation.txt", "--home", root / name)["fingerprint"]
        frames = {name: loans(seed, ROWS) for seed, name in enumerate(NODES)}
        for name, frame in frames.items():
            frame.to_csv(root / f"{name}.csv", index=False)
            added = run_well("dataset", "add", "loans", "--from", root / f"{name}.csv", "--contract", CONTRACT,
                             "--home", root / name)
            assert (added["rows"], added["failures"]) == (ROWS, [])
            assert run_well("dataset", "grade", "loans", "--accept", "--home", root / name)["phase"] == "graded"
            # west does not verify alice: see test_refusals
            for peer in [p for p in prints if p != name and (name, p) != ("west", "alice")]:
                run_well("node", "trust", peer, prints[peer], "--home", root / name)
            assert stack.enter_context(serving("node", root / name))["name"] == name
        yield Federation(root, frames, prints)


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory for a demo, with a place for what it leaves behind while it goes on."""
    made = tmp_path_factory.mktemp("demo")
    (made / "temporary").mkdir()
    return made
