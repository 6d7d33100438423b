"""Why ``ckks`` does not sum between institutions, as the error that a study naming it gets.

Its ciphertexts all open under one key. Whoever holds that key can be handed one institution's ciphertext as "the sum"
and opens it; and what a decryption gives away beyond the rounded value helps to find the key.

Source: Li and Micciancio, "On the Security of Homomorphic Encryption on Approximate Numbers" (EUROCRYPT 2021): CKKS is
not IND-CPA-D secure, so results of decryption must not be shared with those who chose the ciphertexts.
"""

from __future__ import annotations

from typing import Final

from sealane.errors import RefusedError

NAME: Final = "ckks"
CODE: Final = "scheme.ckks-sums-refused"


def sums_refused() -> RefusedError:
    """Return the refusal of a study or a run that names ``ckks`` as its scheme, for the caller to raise."""
    return RefusedError(
        "scheme.ckks-sums-refused",
        "the scheme ckks does not sum between institutions",
        got="ckks: whoever holds its one key can be handed one institution's ciphertext as the sum, and opens it",
        expected="rlwe or masking",
        hint="name rlwe (updates of models, many nodes) or masking (small vectors, many rounds) as the scheme; "
             "ckks is for scoring under the asker's own key, and sums in benchmarks only",
    )
