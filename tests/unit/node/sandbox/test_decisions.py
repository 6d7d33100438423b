"""How computations run at a node: never weaker than was asked for."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import hostile
import pytest
from locked_in import LIMITS, LockedIn, locked_in

from sealane.errors import InputError, RefusedError
from sealane.node.execution import Unconfined
from sealane.node.sandbox import chosen as module
from sealane.node.sandbox.chosen import chosen
from sealane.node.sandbox.offer import Offer, decide
from sealane.node.sandbox.probe import probe
from sealane.node.sandbox.readable import check_apart, readable_paths
from sealane.node.settings import read_node_settings

FULL = Offer(landlock=1, namespaces=True, seccomp=True)
WEAK = [Offer(), Offer(0, True, True), Offer(7, False, True), Offer(7, True, False), Offer(7)]


def test_full_strength_is_all_of_it() -> None:
    assert FULL.full
    assert not any(offer.full for offer in WEAK)
    for mode in ("auto", "require"):
        choice = decide(mode, FULL)
        assert choice.confinement == FULL
        assert choice.full


@pytest.mark.parametrize("offer", WEAK)
def test_what_is_required_and_not_there_is_refused_never_weakened(offer: Offer) -> None:
    with pytest.raises(RefusedError) as caught:
        decide("require", offer)
    assert caught.value.code == "sandbox.not-offered"
    assert all(name in str(caught.value.got) for name in offer.lacking)
    choice = decide("auto", offer)
    assert choice.confinement == offer
    assert not choice.full
    assert all(name in choice.why for name in offer.lacking)


def test_off_is_never_full() -> None:
    assert not decide("off", FULL).full
    assert decide("off", FULL).confinement is None
    assert not Unconfined.full
    with pytest.raises(InputError) as caught:
        decide("maybe", FULL)
    assert caught.value.code == "sandbox.unknown-mode"


def test_a_node_on_a_host_without_it_does_not_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "probe", lambda: Offer(landlock=7, namespaces=False, seccomp=True))
    with pytest.raises(RefusedError) as caught, chosen("require", tmp_path, LIMITS):
        raise AssertionError("it served")
    assert caught.value.code == "sandbox.not-offered"
    caplog.set_level(logging.INFO)
    with chosen("auto", tmp_path, LIMITS) as execution:
        assert not execution.full
    assert [r for r in caplog.records if r.message == "sandbox.chosen" and r.levelno == logging.WARNING]


def test_a_home_that_could_be_read_from_inside(tmp_path: Path) -> None:
    check_apart(tmp_path)
    with pytest.raises(RefusedError) as caught:
        check_apart(Path(readable_paths()[0]) / "home")
    assert caught.value.code == "sandbox.home-exposed"
    assert all(Path.cwd().resolve() != Path(path) and not tmp_path.is_relative_to(path) for path in readable_paths())


def test_the_probe_says_what_the_kernel_lets_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    found = probe()
    assert 0 <= found.landlock < 100
    monkeypatch.setattr("sys.executable", "/nonexistent")
    assert probe() == Offer()


async def test_code_that_is_not_what_the_node_expects_computes_nothing(inside: LockedIn) -> None:
    with pytest.raises(RefusedError) as caught:
        await inside.act("compute", code="0" * 64)
    assert caught.value.code == "sandbox.other-code"


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    folder = tmp_path / "support"
    folder.mkdir()
    installed = Path(hostile.__file__).with_name("hostile_installed.py")
    (folder / installed.name).write_text(installed.read_text())
    (folder / "hostile.py").write_text(Path(hostile.__file__).read_text() + "\n# one byte more\n")
    return folder


async def test_code_that_changed_on_disk_since_the_node_started(changed: Path, inside: LockedIn) -> None:
    with locked_in(inside.sandbox.server.offer) as other:
        other.sandbox.server.extra = (str(changed),)
        other.sandbox.server._stop()  # the next one is started with the changed code
        with pytest.raises(RefusedError) as caught:
            await other.act("compute")
    assert caught.value.code == "sandbox.other-code"


@pytest.mark.parametrize(("text", "code"), [
    ("sandbox = 3", "settings.malformed"), ("[sandbox]\nmode = 'weak'", "settings.malformed"),
    ("[sandbox]\nmemory_byte = 1", "settings.unknown-field"), ("[sandboxes]", "settings.unknown-field"),
    ("[sandbox", "settings.not-toml"), ("[sandbox]\ncpu_seconds = 0", "settings.malformed"),
    (" " * 70_000, "settings.too-large"),
])
def test_settings_that_are_wrong(text: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_node_settings(tmp_path)
    assert caught.value.code == code


def test_settings(tmp_path: Path) -> None:
    defaults: Any = read_node_settings(tmp_path).sandbox
    assert defaults.mode == "auto"
    assert defaults.limits().memory_bytes >= 512 << 20
    (tmp_path / "settings.toml").write_text("[sandbox]\nmode = 'require'\nmemory_bytes = 1000000000\n"
                                            "step_seconds = 2.5")
    given = read_node_settings(tmp_path).sandbox
    assert (given.mode, given.limits().memory_bytes, given.limits().step_seconds) == ("require", 10**9, 2.5)
    assert given.limits().cpu_seconds == defaults.limits().cpu_seconds
