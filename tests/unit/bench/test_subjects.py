"""Every system that is measured sums rightly: a benchmark of wrong sums would be of nothing."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from expected_error import raises

from sealane.bench.asked import CLIP, PEERS, Asked
from sealane.bench.subject import make
from sealane.bench.vectors import vector
from sealane.errors import InputError

LENGTH = 5000
# Largest error of a sum of four: rounding to 16 bits for those who quantise, else that of float32 and CKKS at 2^40.
QUANTISED = 4 * 2 * CLIP / (2**16 - 2)
ERRORS = {"rlwe": QUANTISED, "masking": QUANTISED, "ckks": 1e-6, "tenseal-nvflare": 1e-6, "tenseal-8192": 1e-6,
          "tenseal-4096": 1e-6, "flower-secaggplus": QUANTISED, "numpy": 1e-7}
NEEDS = {"ckks": "tenseal", "tenseal-nvflare": "tenseal", "tenseal-8192": "tenseal", "tenseal-4096": "tenseal",
         "flower-secaggplus": "flwr"}


@pytest.mark.parametrize("name", ERRORS)
def test_a_system_sums(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    subject = make(name, Asked(length=LENGTH))
    vectors = [vector(node, LENGTH) for node in range(4)]
    payloads = [subject.serialise(subject.encrypt(node, values)) for node, values in enumerate(vectors)]
    assert all(isinstance(block, bytes) for payload in payloads for block in payload)
    for _ in range(2):  # an opening leaves no trace that spoils the next
        opened = subject.open(subject.add(payloads))
        assert opened.shape == (LENGTH,)
        assert np.abs(opened - np.sum(np.array(vectors, dtype=np.float64), axis=0)).max() < ERRORS[name]


@pytest.mark.parametrize("name", ["flower-secaggplus", "tenseal-4096", "masking", "rlwe"])
def test_a_contribution_does_not_look_like_its_vector(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    zeros = np.zeros(LENGTH, dtype=np.float32)
    subject = make(name, Asked(length=LENGTH))
    payload = b"".join(subject.serialise(subject.encrypt(1, zeros)))
    whole = np.frombuffer(payload[: len(payload) // 8 * 8], "<u8")
    assert np.unique(whole).size > 0.95 * min(whole.size, LENGTH)


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_of_the_list_can_be_made(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    assert make(name, Asked(length=64)).parts >= 4


@pytest.mark.parametrize(("name", "package", "code", "extra"), [
    ("tenseal-4096", "tenseal", "ckks.not-installed", "ckks"),
    ("flower-secaggplus", "flwr.common.secure_aggregation", "bench.flower-not-installed", "flower"),
])
def test_without_its_extra_a_peer_names_it(
    name: str, package: str, code: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package.partition(".")[0], None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError) as caught:
        make(name, Asked())
    assert (caught.value.code, caught.value.hint) == (code, f"pip install 'sealane[{extra}]'")


def test_an_unknown_system_is_refused() -> None:
    with raises("bench.unknown", InputError):
        make("paillier", Asked())
