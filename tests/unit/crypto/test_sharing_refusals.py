"""What a sharing refuses, each by its code."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sealane.core.secret import Secret
from sealane.crypto.sharing import PRIME, Sharing
from sealane.errors import SealaneError

SEED = Secret(b"s" * 32)
VALUES = np.arange(-8, 8, dtype=np.int32)
SHARING = Sharing(5, 2, 2, most=100)
SHARES = SHARING.share(VALUES, SEED)


@pytest.mark.parametrize(("refused", "code"), [
    (lambda: Sharing(5, 0, 2), "sharing.bad-threshold"),
    (lambda: Sharing(5, 4, 2), "sharing.bad-threshold"),
    (lambda: Sharing(PRIME, 2, 2), "sharing.too-many-parties"),
    (lambda: Sharing(5, 2, 2, most=PRIME), "sharing.sum-too-large"),
    (lambda: SHARING.share(VALUES * 100, SEED), "sharing.out-of-range"),
    (lambda: SHARING.share(VALUES, Secret(b"short")), "sharing.bad-seed"),
    (lambda: SHARING.recover({0: SHARES[0], 1: SHARES[0], 2: SHARES[1], 3: SHARES[2]}, 16), "rlwe.share-outsider"),
    (lambda: SHARING.recover({1: SHARES[0], 2: SHARES[1], 6: SHARES[2], 3: SHARES[3]}, 16), "rlwe.share-outsider"),
    (lambda: SHARING.recover({1: SHARES[0], 2: SHARES[1], 3: SHARES[2]}, 16), "rlwe.shares-missing"),
    (lambda: SHARING.read_share(b"\xff\xff" * 8, 16), "rlwe.share-malformed"),
    (lambda: SHARING.recover({k + 1: SHARES[0] for k in range(4)}, 16), "rlwe.shares-inconsistent"),
])
def test_it_is_refused(refused: Callable[[], object], code: str) -> None:
    assert SHARING.recover({k + 1: SHARES[k] for k in range(4)}, 16).tolist() == VALUES.tolist()  # the control
    with pytest.raises(SealaneError) as caught:
        refused()
    assert caught.value.code == code
