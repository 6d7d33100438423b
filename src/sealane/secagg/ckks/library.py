"""The one door to TenSEAL: its SEAL API, loaded when it is needed, and the form in which its objects cross a wire.

Nothing that another party sent is handed to SEAL's deserialiser. Residues cross as plain words, are checked, and the
bytes that SEAL reads are written here around them: SEAL's own form may be compressed twice over, and inflates
before it looks at a size.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.errors import InputError, ProtocolError
from sealane.secagg.ckks.parameters import ParameterSet

Residues = NDArray[np.uint64]
POLYNOMIALS = 2
"""Of a ciphertext and of a public key."""


def tenseal() -> Any:
    """Return the package ``tenseal`` with its ``sealapi``.

    Raises:
        InputError: it is not installed.
    """
    try:
        import tenseal

        import_module("tenseal.sealapi")
    except ImportError as error:
        raise InputError("ckks.not-installed", "CKKS needs TenSEAL, which is not installed",
                         hint="pip install 'sealane[ckks]'") from error
    return tenseal


@dataclass(frozen=True, slots=True)
class Context:
    """A parameter set made ready: the primes that SEAL chose for it, its encoder and its evaluator."""

    parameters: ParameterSet
    primes: tuple[int, ...]
    api: Any = field(repr=False)
    seal: Any = field(repr=False)
    encoder: Any = field(repr=False)
    evaluator: Any = field(repr=False)
    version: bytes = field(repr=False)

    @property
    def top(self) -> list[int]:
        """SEAL's id of the level of fresh ciphertexts."""
        return list(self.seal.first_parms_id())

    @property
    def bottom(self) -> list[int]:
        """SEAL's id of the level at which one prime is left."""
        return list(self.seal.last_parms_id())

    def encode(self, values: Sequence[complex], scale: float, level: list[int]) -> Any:
        """Return the plaintext with these values in its slots, zeros in those that are left."""
        plain = self.api.Plaintext()
        self.encoder.encode(values, level, scale, plain)
        return plain

    def constant(self, value: float, scale: float) -> Any:
        """Return the plaintext with one value in every slot: round(value * scale), a polynomial of degree 0."""
        plain = self.api.Plaintext()
        self.encoder.encode(value, self.top, scale, plain)
        return plain

    def read(self, polynomials: Any, levels: int) -> Residues:
        """Return a ciphertext's residues, uint64 ``(2, levels, N)``."""
        shape = (POLYNOMIALS, levels, self.parameters.degree)
        count = POLYNOMIALS * levels * self.parameters.degree
        return np.fromiter((polynomials[i] for i in range(count)), np.uint64, count).reshape(shape)

    def ciphertext(self, residues: Residues, level: list[int], scale: float) -> Any:
        """Return the ciphertext of these residues.

        Raises:
            ProtocolError: a residue is not below its prime, or SEAL read something else than was written.
        """
        self._check(residues)
        loaded = self._load(self.api.Ciphertext(), residues, level, scale)
        return check_ciphertext(loaded, self.parameters, residues.shape[1], level, scale)

    def public_key(self, residues: Residues) -> Any:
        """Return the public key of these residues.

        Raises:
            ProtocolError: as for a ciphertext.
        """
        self._check(residues)
        level = list(self.seal.key_parms_id())
        loaded = self._load(self.api.PublicKey(), residues, level, 1.0)
        check_ciphertext(loaded.data(), self.parameters, len(self.primes), level, 1.0)
        return loaded

    def _check(self, residues: Residues) -> None:
        primes = np.array(self.primes[: residues.shape[1]], dtype=np.uint64)
        beyond = int((residues >= primes[:, None]).sum())
        if beyond:
            raise ProtocolError("ckks.residue-out-of-range", "residues are not below their prime",
                                got=f"{beyond} of {residues.size}", expected="none")

    def _load(self, empty: Any, residues: Residues, level: list[int], scale: float) -> Any:
        # sealapi reads from a path only. What is written there is public: ciphertexts and public keys.
        with tempfile.NamedTemporaryFile(prefix="sealane-ckks-") as file:
            file.write(_seal_form(residues, level, scale, self.version))
            file.flush()
            try:
                empty.load(self.seal, file.name)
            except (RuntimeError, ValueError) as error:
                raise ProtocolError("ckks.unreadable", "SEAL does not read these residues",
                                    got=type(error).__name__) from error
        return empty


def check_ciphertext(ciphertext: Any, parameters: ParameterSet, levels: int, level: list[int], scale: float) -> Any:
    """Return a ciphertext that has the form it should have.

    Raises:
        ProtocolError: another degree, level, number of polynomials or scale, or nothing hides what it holds.
    """
    got = (ciphertext.size(), ciphertext.poly_modulus_degree(), ciphertext.coeff_modulus_size(),
           list(ciphertext.parms_id()), ciphertext.scale, ciphertext.is_ntt_form())
    if got != (POLYNOMIALS, parameters.degree, levels, level, scale, True):
        raise ProtocolError("ckks.wrong-form", "a ciphertext is not of the form that was announced",
                            got=f"{got[0]} polynomials of degree {got[1]} under {got[2]} primes, scale {got[4]:g}",
                            expected=f"{POLYNOMIALS} of degree {parameters.degree} under {levels}, scale {scale:g}")
    if ciphertext.is_transparent():
        raise ProtocolError("ckks.transparent", "a ciphertext or a key hides nothing: its second polynomial is zero")
    return ciphertext


@lru_cache(maxsize=4)
def prepare(parameters: ParameterSet) -> Context:
    """Make a parameter set ready.

    Raises:
        InputError: TenSEAL is not installed, or SEAL does not hold the set for one of 128 bits.
    """
    api = tenseal().sealapi
    wanted = api.EncryptionParameters(api.SCHEME_TYPE.CKKS)
    wanted.set_poly_modulus_degree(parameters.degree)
    try:
        primes = api.CoeffModulus.Create(parameters.degree, list(parameters.modulus_bits))
        wanted.set_coeff_modulus(primes)
        seal = api.SEALContext(wanted, True, api.SEC_LEVEL_TYPE.TC128)
        refused = None if seal.parameters_set() else seal.parameters_error_message()
    except (RuntimeError, ValueError) as error:
        refused = str(error)
    if refused:
        raise InputError("ckks.bad-parameters", "SEAL refuses the parameter set", got=f"{parameters.name}: {refused}")
    with tempfile.NamedTemporaryFile(prefix="sealane-ckks-") as file:
        wanted.save(file.name)
        version = file.read(_HEADER.size)[3:5]
    return Context(parameters, tuple(prime.value() for prime in primes), api, seal, api.CKKSEncoder(seal),
                   api.Evaluator(seal), version)


# Source: SEAL 4.1, native/src/seal/serialization.h (header) and ciphertext.cpp, dynarray.h (members), uncompressed.
_HEADER = struct.Struct("<HBBBBHQ")  # magic, size of this, version, compression, reserved, size of all
_MEMBERS = struct.Struct("<4QBQQQdQ")  # level, in NTT form, polynomials, degree, primes, scale, correction of BGV
_COUNT = struct.Struct("<Q")
_MAGIC = 0xA15E


def _seal_form(residues: Residues, level: list[int], scale: float, version: bytes) -> bytes:
    polynomials, levels, degree = residues.shape
    words = residues.astype("<u8").tobytes()
    size = _HEADER.size + _COUNT.size + len(words)
    array = _HEADER.pack(_MAGIC, _HEADER.size, *version, 0, 0, size) + _COUNT.pack(residues.size) + words
    members = _MEMBERS.pack(*level, 1, polynomials, degree, levels, scale, 1)
    size = _HEADER.size + len(members) + len(array)
    return _HEADER.pack(_MAGIC, _HEADER.size, *version, 0, 0, size) + members + array
