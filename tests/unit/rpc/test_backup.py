from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from sealane.core.secret import Secret
from sealane.errors import InputError, ProtocolError, RefusedError, SealaneError
from sealane.rpc import backup as module
from sealane.rpc.backup import backup, restore
from sealane.rpc.keyfiles import make_private_directory, write_private

PASSPHRASE = Secret(b"correct horse battery staple")


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_N", 1 << 4)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    make_private_directory(home)
    make_private_directory(home / "identity")
    write_private(home / "identity" / "signing.key", b"s" * 32)
    write_private(home / "settings.toml", b"x = 1\n")
    write_private(home / "runs.sqlite", b"per-run keys")
    with sqlite3.connect(home / "node.sqlite") as database:
        database.execute("CREATE TABLE t (x)")
        database.execute("INSERT INTO t VALUES (7)")
    return home


def snapshot(path: Path) -> bytes:
    """Copy a database as SQLite advises."""
    source, target = sqlite3.connect(path), sqlite3.connect(":memory:")
    source.backup(target)
    return target.serialize()


def code_of(call: object, *arguments: object, **named: object) -> str:
    with pytest.raises(SealaneError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    return caught.value.code


def test_it_comes_back_without_the_run_keys(home: Path, tmp_path: Path) -> None:
    size = backup(home, PASSPHRASE, tmp_path / "b", snapshots={"node.sqlite": snapshot})
    assert size == (tmp_path / "b").stat().st_size
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    new = tmp_path / "new"
    assert restore(tmp_path / "b", PASSPHRASE, new) == ["identity/signing.key", "node.sqlite", "settings.toml"]
    assert (new / "identity" / "signing.key").read_bytes() == b"s" * 32
    assert sqlite3.connect(new / "node.sqlite").execute("SELECT x FROM t").fetchall() == [(7,)]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in new.rglob("*")}
    assert modes.pop("identity") == 0o700
    assert set(modes.values()) == {0o600}


def test_nothing_of_it_is_readable(home: Path, tmp_path: Path) -> None:
    backup(home, PASSPHRASE, tmp_path / "b")
    data = (tmp_path / "b").read_bytes()
    assert b"signing" not in data
    assert b"s" * 8 not in data


def test_another_passphrase_or_a_changed_byte_opens_nothing(home: Path, tmp_path: Path) -> None:
    backup(home, PASSPHRASE, tmp_path / "b")
    good = (tmp_path / "b").read_bytes()
    assert code_of(restore, tmp_path / "b", Secret(b"another passphrase"), tmp_path / "n") == "backup.does-not-open"
    for position in (len(module.MAGIC), len(good) // 2, len(good) - 1):
        changed = bytearray(good)
        changed[position] ^= 1
        (tmp_path / "c").write_bytes(changed)
        assert code_of(restore, tmp_path / "c", PASSPHRASE, tmp_path / "n") == "backup.does-not-open"
    assert not (tmp_path / "n").exists()


def test_run_keys_are_refused_even_when_named(home: Path, tmp_path: Path) -> None:
    assert code_of(backup, home, PASSPHRASE, tmp_path / "b", include=["runs.sqlite"]) == "backup.run-keys"
    assert code_of(backup, home, PASSPHRASE, tmp_path / "b", snapshots={"runs.sqlite": snapshot}) == "backup.run-keys"


@pytest.mark.parametrize("part", ["../outside", "/etc/passwd", "identity/../..", "", "a//b"])
def test_paths_stay_inside(home: Path, tmp_path: Path, part: str) -> None:
    assert code_of(backup, home, PASSPHRASE, tmp_path / "b", include=[part]) == "backup.path"


def test_a_hostile_archive_writes_nothing_outside(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = module._pack({"../escaped": b"evil"})
    monkeypatch.setattr(module, "_pack", lambda contents: packed)
    backup(home, PASSPHRASE, tmp_path / "b")
    assert code_of(restore, tmp_path / "b", PASSPHRASE, tmp_path / "new") == "backup.path"
    assert not (tmp_path / "escaped").exists()


def test_an_index_that_does_not_fit_is_refused(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = module._pack({"a": b"one", "b": b"two"})
    for wrong in (packed[:-1], packed + b"x", packed.replace(b"one", b"own"), packed.replace(b'"size":3', b'"size":x')):
        with monkeypatch.context() as patch:
            patch.setattr(module, "_pack", lambda contents, wrong=wrong: wrong)
            backup(home, PASSPHRASE, tmp_path / "b")
        with pytest.raises((ProtocolError, InputError)) as caught:
            restore(tmp_path / "b", PASSPHRASE, tmp_path / "new")
        assert caught.value.code in ("backup.inconsistent", "canonical.not-json")
        (tmp_path / "b").unlink()


def test_what_is_refused_before_anything_is_written(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "b"
    assert code_of(backup, home, Secret(b"short"), out) == "backup.short-passphrase"
    assert code_of(backup, tmp_path / "nothing", PASSPHRASE, out) in ("backup.size", "identity.missing")
    assert code_of(backup, home, PASSPHRASE, out, include=[]) == "backup.size"
    backup(home, PASSPHRASE, out)
    assert code_of(backup, home, PASSPHRASE, out) == "backup.exists"
    assert code_of(restore, out, PASSPHRASE, home) == "backup.home-not-empty"
    assert code_of(restore, tmp_path / "none", PASSPHRASE, tmp_path / "n") == "backup.missing"
    (tmp_path / "junk").write_bytes(b"junk")
    assert code_of(restore, tmp_path / "junk", PASSPHRASE, tmp_path / "n") == "backup.malformed"


def test_a_key_that_others_may_read_is_not_copied(home: Path, tmp_path: Path) -> None:
    (home / "identity" / "signing.key").chmod(0o644)
    with pytest.raises(RefusedError, match=r"identity.open-permissions"):
        backup(home, PASSPHRASE, tmp_path / "b")


def test_the_default_cost_is_what_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert (module._N, module._R, module._P) == (2**17, 8, 1)
