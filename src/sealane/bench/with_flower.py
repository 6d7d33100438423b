"""Flower's SecAgg+ by its own primitives: stochastic quantisation, masks from its generator, sums modulo 2^32.

Key agreement and Shamir shares are left out, as they are with our schemes: what is measured grows with the vector.

Source: flwr ``secaggplus_mod`` and ``secaggplus_workflow``, whose stages are followed call by call, over the complete
graph of neighbours and with its default modulus.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.bench.asked import CLIP, Asked
from sealane.bench.vectors import seed_of
from sealane.errors import InputError

MODULUS = 1 << 32


class FlowerMasks:
    """A node's private mask and one mask for each other node of the cohort."""

    backend = "cpu"
    reason = "it has no other"

    def __init__(self, asked: Asked) -> None:
        os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
        try:
            from flwr.common.secure_aggregation import ndarrays_arithmetic, quantization, secaggplus_utils
        except ImportError as error:
            raise InputError("bench.flower-not-installed", "Flower, or the part of it that is measured, is not here",
                             got=type(error).__name__, hint="pip install 'sealane[flower]'") from error
        self._arithmetic: Any = ndarrays_arithmetic
        self._quantization: Any = quantization
        self._generate: Any = secaggplus_utils.pseudo_rand_gen
        self._cohort = asked.cohort
        self._range = 1 << asked.bits
        self.parts = asked.cohort

    def encrypt(self, node: int, vector: NDArray[np.float32]) -> list[NDArray[np.int64]]:
        """Quantise, add the private mask, add or take off the mask shared with every other node."""
        masked: list[NDArray[np.int64]] = self._quantization.quantize([vector], CLIP, self._range)
        shapes = [part.shape for part in masked]
        masked = self._arithmetic.parameters_addition(masked, self._mask(shapes, "private", node))
        for other in range(self._cohort):
            if other != node:
                combine = (self._arithmetic.parameters_addition if node > other
                           else self._arithmetic.parameters_subtraction)
                masked = combine(masked, self._mask(shapes, "pair", *sorted((node, other))))
        reduced: list[NDArray[np.int64]] = self._arithmetic.parameters_mod(masked, MODULUS)
        return reduced

    def serialise(self, encrypted: list[NDArray[np.int64]]) -> list[bytes]:
        """Return NumPy's own form, as Flower sends arrays."""
        written = []
        for part in encrypted:
            buffer = io.BytesIO()
            np.save(buffer, part, allow_pickle=False)
            written.append(buffer.getvalue())
        return written

    def add(self, payloads: Sequence[Sequence[bytes]]) -> list[NDArray[np.int64]]:
        """Return the sum modulo 2^32."""
        total = _read(payloads[0])
        for payload in payloads[1:]:
            total = self._arithmetic.parameters_addition(total, _read(payload))
        reduced: list[NDArray[np.int64]] = self._arithmetic.parameters_mod(total, MODULUS)
        return reduced

    def open(self, total: list[NDArray[np.int64]]) -> NDArray[np.float64]:
        """Take off every node's private mask and read the sum back."""
        shapes = [part.shape for part in total]
        for node in range(self._cohort):
            total = self._arithmetic.parameters_subtraction(total, self._mask(shapes, "private", node))
        total = self._arithmetic.parameters_mod(total, MODULUS)
        (opened,) = self._quantization.dequantize(total, CLIP, self._range)
        opened -= (self._cohort - 1) * CLIP
        return np.asarray(opened, dtype=np.float64)

    def _mask(self, shapes: list[tuple[int, ...]], *of: object) -> list[NDArray[np.int64]]:
        masks: list[NDArray[np.int64]] = self._generate(seed_of("flower", *of).reveal(), MODULUS, shapes)
        return masks


def _read(payload: Sequence[bytes]) -> list[NDArray[np.int64]]:
    return [np.lib.format.read_array(io.BytesIO(part), allow_pickle=False) for part in payload]
