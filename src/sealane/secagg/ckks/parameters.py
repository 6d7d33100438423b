"""Parameter sets of CKKS, all inside the table of the homomorphic-encryption standard; anything else is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sealane.errors import InputError

LARGEST_MODULUS_BITS: Final = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
"""Degree -> bits of the whole modulus, the prime for key switching included, for 128 bits of classical security.

Source: Albrecht et al., "Homomorphic Encryption Security Standard" v1.1 (2018), Table 1, ternary secrets.
"""


@dataclass(frozen=True, slots=True)
class ParameterSet:
    """A ring and a chain of primes.

    Args:
        name: what a benchmark or an error calls it.
        degree: N of X^N + 1; N / 2 slots to a ciphertext.
        modulus_bits: sizes of the primes; fresh ciphertexts live under all but the last, keys under all.
        scale_bits: a value v is encoded as about v * 2^scale_bits.

    Raises:
        InputError: the set is outside the table.
    """

    name: str
    degree: int
    modulus_bits: tuple[int, ...]
    scale_bits: int

    def __post_init__(self) -> None:
        largest = LARGEST_MODULUS_BITS.get(self.degree)
        bits = sum(self.modulus_bits)
        if largest is None or bits > largest or len(self.modulus_bits) < 2:
            raise InputError("ckks.outside-table", "these parameters do not give 128 bits of security",
                             got=f"degree {self.degree}, primes of {', '.join(map(str, self.modulus_bits))} bits",
                             expected="two primes or more, together at most " + ", ".join(
                                 f"{most} bits at degree {degree}" for degree, most in LARGEST_MODULUS_BITS.items()),
                             hint="take a larger degree or smaller primes")

    @property
    def slots(self) -> int:
        """Values that one ciphertext holds."""
        return self.degree // 2

    @property
    def levels(self) -> int:
        """Primes that a fresh ciphertext lives under."""
        return len(self.modulus_bits) - 1


SCORING: Final = ParameterSet("scoring-8192", 8192, (60, 49, 49, 60), 103)
"""What ``owner`` and ``scoring`` use. After both primes of 49 bits are divided away, scores stand at scale 2^29."""

NVFLARE: Final = ParameterSet("tenseal-nvflare", 8192, (60, 40, 40), 40)
"""What NVFlare sums model updates with.

Source: NVFlare 2.x, ``HEBuilder``: poly_modulus_degree 8192, coeff_mod_bit_sizes [60, 40, 40], scale_bits 40.
"""

TENSEAL_TUTORIAL: Final = ParameterSet("tenseal-8192", 8192, (60, 40, 40, 60), 40)
"""What TenSEAL's own introduction uses."""

SMALLEST: Final = ParameterSet("tenseal-4096", 4096, (54, 54), 40)
"""The smallest set inside the table that leaves room for the sum of updates."""
