"""What concerns a node's steward: serving, peers, datasets, studies that wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sealane.cli.diagnosis.check import Check, fail, of_error, ok, warn
from sealane.errors import SealaneError, from_dict
from sealane.node.commands import trust_word
from sealane.node.control import call
from sealane.node.datasets import open_dataset
from sealane.node.home import open_home


def serving(status: dict[str, Any]) -> Iterator[Check]:
    """Look whether the node serves and is connected, and repeat its last problem."""
    if not status["serving"]:
        yield warn("serving", "no process serves this node", "`sealane node serve`")
    elif status["connected"]:
        yield ok("serving", f"connected to {status['coordinator']}")
    elif status["problem"] is None:
        yield warn("serving", "the node serves and is just connecting")
    else:
        yield of_error("serving", from_dict(status["problem"]))


def peers(path: Path, named: Sequence[dict[str, Any]]) -> Iterator[Check]:
    """Hold verified fingerprints against those that the coordinator and the studies name."""
    verified = {peer["name"]: peer["verified"] for peer in call(path, "peers") if peer["verified"]}
    words = {party["name"]: trust_word(verified.get(party["name"]), party["fingerprint"]) for party in named
             if party["name"] != call(path, "status")["name"]}
    differs = sorted(name for name, word in words.items() if word == "differs")
    unverified = sorted(name for name, word in words.items() if word == "unverified")
    if differs:
        yield fail("peers", f"the coordinator names another key for {', '.join(differs)} than was verified",
                   "somebody may be impersonating them: ask them, not the coordinator")
    if unverified:
        yield warn("peers", f"not verified: {', '.join(unverified)}",
                   f"compare by telephone, then `sealane node trust {unverified[0]} FINGERPRINT`")
    if not differs and not unverified:
        yield ok("peers", f"{len(verified)} verified")


def datasets(path: Path) -> Iterator[Check]:
    """Read every dataset again: it must be there, and be what was registered."""
    home = open_home(path)
    try:
        entries = home.register.datasets()
        for entry in entries:
            try:
                open_dataset(home.register, entry.name)
                yield ok("dataset", f"{entry.name}: {entry.rows:,} rows, unchanged")
                life = home.register.lives.life(entry.name)
                if life is None or not life.usable:
                    yield warn("dataset", f"{entry.name} is not graded: no study can use it",
                               f"`sealane dataset grade {entry.name}`")
            except SealaneError as error:
                yield fail("dataset", f"{entry.name}: {error}", error.hint)
        if not entries:
            yield warn("dataset", "no dataset is registered", "`sealane dataset add NAME --from SOURCE --contract ID`")
    finally:
        home.close()


def studies(path: Path) -> Iterator[Check]:
    """Name the studies that wait for this node's decision."""
    waiting = [study for study in call(path, "study.list") if study["decision"] == "waiting"]
    for study in waiting:
        yield warn("study", f"{study['name']} ({study['hash'][:12]}) waits for a decision here",
                   f"`sealane study show {study['hash'][:12]}`, then approve or refuse it")
    if not waiting:
        yield ok("study", "none waits for a decision here")
