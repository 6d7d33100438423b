"""The owner of the data: makes the key, encrypts its features, opens the answer.

Only its public key and ciphertexts leave it. The answer must not be shared with the party that computed it: what CKKS
decrypts to carries the error of the ciphertext (see ``refusal``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.errors import InputError, ProtocolError
from sealane.secagg.ckks.library import Context, prepare
from sealane.secagg.ckks.parameters import SCORING
from sealane.secagg.ckks.scoring import ANSWER_LEVELS, LARGEST_FEATURE, LARGEST_SCORE, answer_scale
from sealane.secagg.ckks.wire import LARGEST_COLUMNS, Kind, key_hash, read, write


@dataclass(frozen=True, slots=True, eq=False)
class Owner:
    """A key pair of the owner's, for as many requests as it likes. It never prints."""

    public: bytes = field(repr=False)
    """What the model's holder needs: the public key, and nothing that decrypts."""
    _context: Context = field(repr=False)
    _encryptor: Any = field(repr=False)
    _decryptor: Any = field(repr=False)

    @classmethod
    def create(cls) -> Owner:
        """Make a key pair; SEAL seeds its generator from the operating system.

        Raises:
            InputError: TenSEAL is not installed.
        """
        context = prepare(SCORING)
        generator = context.api.KeyGenerator(context.seal)
        public_key = context.api.PublicKey()
        generator.create_public_key(public_key)
        residues = context.read(public_key.data(), len(context.primes))
        public = write(context, Kind.PUBLIC_KEY, bytes(32), 1, residues[None])
        return cls(public, context, context.api.Encryptor(context.seal, public_key),
                   context.api.Decryptor(context.seal, generator.secret_key()))

    def encrypt(self, features: NDArray[np.float64]) -> bytes:
        """Return a request that scores rows of features, ``(rows, columns)``, each within [-1, 1].

        A column is one ciphertext with a row in each slot: 1 to 4096 rows take the same 393 kB a column.

        Raises:
            InputError: another shape, or a feature outside its range.
        """
        matrix = np.asarray(features, dtype=np.float64)
        slots = self._context.parameters.slots
        if matrix.ndim != 2 or not (1 <= matrix.shape[0] <= slots and 1 <= matrix.shape[1] <= LARGEST_COLUMNS):
            raise InputError("ckks.bad-features", "the features are not a table of this size", got=matrix.shape,
                             expected=f"1 to {slots} rows, 1 to {LARGEST_COLUMNS} columns")
        if not (np.abs(matrix) <= LARGEST_FEATURE).all():
            raise InputError("ckks.bad-features", "features are outside [-1, 1]",
                             got=f"{int((~(np.abs(matrix) <= LARGEST_FEATURE)).sum())} of {matrix.size}",
                             expected="none", hint="scale each column by the range in its data contract")
        columns = np.stack([self._column(column) for column in matrix.T])
        return write(self._context, Kind.REQUEST, key_hash(self.public), matrix.shape[0], columns)

    def open(self, answer: bytes, rows: int) -> NDArray[np.float64]:
        """Return the scores of a request's rows, ``(rows,)``; noise and rounding take at most 2^-14 from each.

        Raises:
            ProtocolError: the answer has another form, belongs to another key or number of rows, or a score is out of
                range.
        """
        context = self._context
        message = read(context, Kind.ANSWER, answer, levels=ANSWER_LEVELS)
        if (message.key, message.rows) != (key_hash(self.public), rows):
            raise ProtocolError("ckks.wrong-answer", "the answer belongs to another request",
                                got=f"{message.rows} rows", expected=f"{rows} rows under this key")
        plain = context.api.Plaintext()
        ciphertext = context.ciphertext(message.residues[0], context.bottom, answer_scale(context))
        self._decryptor.decrypt(ciphertext, plain)
        scores = np.array(context.encoder.decode_double(plain)[:rows])
        beyond = int((~(np.abs(scores) <= LARGEST_SCORE + 1)).sum())
        if beyond:
            raise ProtocolError("ckks.score-out-of-range", "scores are beyond what a model may give",
                                got=f"{beyond} of {rows}", expected="none")
        return scores

    def _column(self, values: NDArray[np.float64]) -> NDArray[np.uint64]:
        context = self._context
        ciphertext = context.api.Ciphertext()
        plain = context.encode(values.tolist(), 2.0**context.parameters.scale_bits, context.top)
        self._encryptor.encrypt(plain, ciphertext)
        return context.read(ciphertext, context.parameters.levels)
