"""The model's holder: a linear model over encrypted features, and an answer that says no more than the scores.

The answer is sum_j w_j c_j, plus a fresh encryption under the owner's public key of bias and noise, divided by two
primes. Each part hides something from the owner, who knows the secret key and the randomness of its own ciphertexts:

- The fresh encryption replaces c1. Without it c1 is sum_j w_j c1_j in numbers that the owner knows, and the weights
  follow by linear algebra; noise added as a plaintext changes c0 only and does not help.
- Noise of 2^20 times the largest score lies on every slot that is no row and on every imaginary part, so that a
  request cannot fetch more scores than it announces rows (statistical distance 2^-21 each). On the rows themselves it
  is 2^-24 times the largest score. Both are constants: an amplitude taken from the model would tell about the model.
- Dividing by P, about 2^98, rounds away what the weights do to the errors of the owner's ciphertexts. Their sum is
  below 2^24 * 256 * 2^8 = 2^40 before, so any of the N = 2^13 coefficients is rounded otherwise than without them
  with probability 2^(13 + 40 - 98) = 2^-45 at most: the noise that floods the error is the rounding itself.

What this does not do: d + 1 scores reveal a linear model of d weights, so rows must be metered by the asker, and
nothing proves that a request encrypts features within [-1, 1] or that a public key was drawn as it should be. An owner
that deviates must be taken to learn the model from one answer. The features stay hidden from the model's holder in
every case, as long as no score comes back to it.

Source: noise flooding and its bound as in Asharov et al., "Multiparty Computation with Low Communication, Computation
and Interaction via Threshold FHE" (EUROCRYPT 2012), Lemma 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sealane.core.secret import Secret
from sealane.errors import InputError, ProtocolError
from sealane.ring.prg import expand
from sealane.secagg.ckks.library import Context, prepare
from sealane.secagg.ckks.parameters import SCORING
from sealane.secagg.ckks.wire import LARGEST_COLUMNS, Kind, key_hash, read, write

LARGEST_FEATURE: Final = 1.0
LARGEST_SCORE: Final = 256.0
WEIGHT_SCALE: Final = 2.0**24
ANSWER_LEVELS: Final = 1
ROW_NOISE: Final = LARGEST_SCORE * 2.0**-24
SLOT_NOISE: Final = LARGEST_SCORE * 2.0**20


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """Weights ``(columns,)`` and a bias; it never prints.

    Raises:
        InputError: not a vector, or scores could leave the range: the sum of |weights| and |bias| is over 256.
    """

    weights: NDArray[np.float64] = field(repr=False)
    bias: float = field(repr=False)

    def __post_init__(self) -> None:
        if self.weights.ndim != 1 or not 1 <= self.weights.size <= LARGEST_COLUMNS:
            raise InputError("ckks.bad-model", "the weights are not a vector of this size", got=self.weights.shape,
                             expected=f"1 to {LARGEST_COLUMNS} weights")
        if not float(np.abs(self.weights).sum()) + abs(self.bias) <= LARGEST_SCORE:
            raise InputError("ckks.bad-model", "the model's scores could leave their range",
                             expected=f"|weights| and |bias| together at most {LARGEST_SCORE:g}",
                             hint="scale the model down; what it is scaled by may be public")


def score(model: LinearModel, public: bytes, request: bytes, seed: Secret) -> bytes:
    """Return the answer to an owner's request.

    Args:
        model: what to compute.
        public: the owner's public key, as it came.
        request: its encrypted features, as they came.
        seed: 32 fresh bytes, used for this answer only; the noise is drawn from it.

    Raises:
        InputError: TenSEAL is not installed.
        ProtocolError: the key or the request has another form, or they do not belong together.
    """
    context = prepare(SCORING)
    key = context.public_key(read(context, Kind.PUBLIC_KEY, public, levels=len(context.primes)).residues[0])
    message = read(context, Kind.REQUEST, request, levels=context.parameters.levels)
    if message.key != key_hash(public):
        raise ProtocolError("ckks.wrong-request", "the request was made under another public key")
    if message.residues.shape[0] != model.weights.size:
        raise ProtocolError("ckks.wrong-request", "the request has another number of columns than the model",
                            got=message.residues.shape[0], expected=model.weights.size)
    scale = 2.0**context.parameters.scale_bits
    total = context.api.Ciphertext()
    encryptor = context.api.Encryptor(context.seal, key)
    encryptor.encrypt(context.encode(_noise(model.bias, message.rows, context, seed).tolist(),
                                     scale * WEIGHT_SCALE, context.top), total)
    for weight, residues in zip(model.weights.tolist(), message.residues, strict=True):
        column = context.ciphertext(residues, context.top, scale)
        if round(weight * WEIGHT_SCALE) != 0:  # SEAL refuses to multiply by zero
            context.evaluator.multiply_plain_inplace(column, context.constant(weight, WEIGHT_SCALE))
            context.evaluator.add_inplace(total, column)
    while total.coeff_modulus_size() > ANSWER_LEVELS:
        context.evaluator.rescale_to_next_inplace(total)
    return write(context, Kind.ANSWER, key_hash(public), message.rows, context.read(total, ANSWER_LEVELS)[None])


def answer_scale(context: Context) -> float:
    """Return the scale of an answer, in the order in which SEAL divides."""
    scale = 2.0**context.parameters.scale_bits * WEIGHT_SCALE
    for prime in reversed(context.primes[ANSWER_LEVELS:-1]):
        scale /= prime
    return scale


def _noise(bias: float, rows: int, context: Context, seed: Secret) -> NDArray[np.complex128]:
    """Return what the fresh encryption holds: bias and little noise on the rows, large noise everywhere else."""
    slots = context.parameters.slots
    uniform = (expand(seed, 2 * slots) >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0
    real, imaginary = uniform[:slots] * SLOT_NOISE, uniform[slots:] * SLOT_NOISE
    real[:rows] = uniform[:rows] * ROW_NOISE + bias
    return real + 1j * imaginary
