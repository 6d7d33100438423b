from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from sealane.errors import InputError, RefusedError, UnavailableError
from sealane.rpc.keyfiles import make_private_directory, read_private, write_private


def test_a_key_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_private_directory(tmp_path / "keys")
        write_private(tmp_path / "keys" / "one", b"secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys" / "one").stat().st_mode) == 0o600
    assert read_private(tmp_path / "keys" / "one") == b"secret"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o666])
def test_a_key_that_others_may_touch_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    write_private(path, b"secret")
    path.chmod(mode)
    with pytest.raises(RefusedError) as caught:
        read_private(path)
    assert caught.value.code == "identity.open-permissions"
    assert caught.value.got == f"{mode:04o}"
    assert f"chmod 600 {path}" in str(caught.value.hint)
    assert "secret" not in str(caught.value)


def test_a_directory_that_others_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open").chmod(0o755)
    with pytest.raises(RefusedError, match=r"identity.open-permissions"):
        make_private_directory(tmp_path / "open")


def test_missing_and_oversized_files_are_typed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"identity.missing"):
        read_private(tmp_path / "none")
    write_private(tmp_path / "big", b"x" * 11)
    with pytest.raises(InputError, match=r"identity.file-too-large"):
        read_private(tmp_path / "big", limit=10)


def test_a_full_disk_leaves_the_old_bytes_and_no_debris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    write_private(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnavailableError) as caught:
        write_private(path, b"new")
    assert caught.value.code == "storage.full"
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["key"]


def test_a_missing_directory_is_typed(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"storage.refused"):
        write_private(tmp_path / "none" / "key", b"x")
