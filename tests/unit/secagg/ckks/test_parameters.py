"""The table of the homomorphic-encryption standard, and refusal of anything outside it."""

from __future__ import annotations

import pytest
from expected_error import raises

from sealane.errors import InputError, RefusedError
from sealane.secagg.ckks import parameters
from sealane.secagg.ckks.parameters import NVFLARE, SCORING, SMALLEST, TENSEAL_TUTORIAL, ParameterSet
from sealane.secagg.ckks.refusal import CODE, sums_refused


def test_the_table_is_the_standards() -> None:
    # Homomorphic Encryption Security Standard v1.1, Table 1, distribution (-1, 1), lambda = 128, column log q.
    assert parameters.LARGEST_MODULUS_BITS == {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}


@pytest.mark.parametrize("known", [SCORING, NVFLARE, TENSEAL_TUTORIAL, SMALLEST])
def test_our_sets_are_inside(known: ParameterSet) -> None:
    assert ParameterSet(known.name, known.degree, known.modulus_bits, known.scale_bits) == known
    assert known.slots * 2 == known.degree


@pytest.mark.parametrize(("degree", "bits"), [
    (4096, (55, 55)), (8192, (60, 50, 50, 59)), (8192, (218,)), (8000, (40, 40)), (65536, (60, 60)), (1024, (20, 20)),
    (512, (9, 9)), (8192, ()),
])
def test_anything_outside_is_refused(degree: int, bits: tuple[int, ...]) -> None:
    with raises("ckks.outside-table", InputError):
        ParameterSet("too weak", degree, bits, 20)


def test_sums_are_refused_with_the_reason() -> None:
    refusal = sums_refused()
    assert isinstance(refusal, RefusedError)
    assert refusal.code == CODE == "scheme.ckks-sums-refused"
    assert "handed one institution's ciphertext" in str(refusal.got)
    assert "rlwe" in str(refusal.hint)


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from sealane.secagg.ckks.library import tenseal

    monkeypatch.setitem(sys.modules, "tenseal", None)
    with raises("ckks.not-installed", InputError) as caught:
        tenseal()
    assert caught.value.hint == "pip install 'sealane[ckks]'"


def test_primes_that_seal_does_not_find_are_refused() -> None:
    pytest.importorskip("tenseal")
    from sealane.secagg.ckks.library import prepare

    for bits in ((14, 14), (61, 20)):
        with raises("ckks.bad-parameters", InputError):
            prepare(ParameterSet("odd", 8192, bits, 10))
