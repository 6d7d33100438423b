"""The cuda backend: the same bytes as the CPU's, made by Triton kernels on a GPU.

Beside the contract it works in place on PyTorch tensors: values that lie on the device (:class:`TensorValues`,
:class:`RoundedValues`), payloads and totals that stay there. With ``TRITON_INTERPRET=1`` the kernels run on a CPU,
slowly, for tests.

What is secret (keys, masks, plaintext) is zeroed on the device when a call ends; errors never leave registers.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sealane.core.secret import Secret
from sealane.errors import InputError, ProtocolError, UnavailableError
from sealane.ring.base import Block, Values
from sealane.ring.cuda_gaussian import draw_key
from sealane.ring.cuda_kernel import INTERPRETED, launch, torch
from sealane.ring.cuda_ntt import transform_key
from sealane.ring.cuda_public import round_keys
from sealane.ring.cuda_tables import ring_tables, seed_words, words
from sealane.ring.cuda_track import GROUPS, Stretch, Track, stretch, stretches, warps_for
from sealane.ring.cuda_values import RoundedValues, TensorValues, not_finite
from sealane.ring.packing import Packing
from sealane.ring.primes import Ring
from sealane.ring.streams import EXTRA

__all__ = ["CudaBackend", "RoundedValues", "TensorValues"]


class CudaBackend:
    """The arithmetic on one GPU: PyTorch's current device, which must stay current in calls.

    Raises:
        UnavailableError: there is no GPU that PyTorch can use.
    """

    name = "cuda"

    def __init__(self) -> None:
        if INTERPRETED:
            self._on, self.device = "cpu", "Triton's interpreter"
        elif torch.cuda.is_available():
            self._on = f"cuda:{torch.cuda.current_device()}"
            self.device = str(torch.cuda.get_device_name(self._on))
        else:
            raise UnavailableError("ring.no-gpu", "PyTorch finds no GPU", got=f"PyTorch {torch.__version__}",
                                   hint="choose the backend cpu")

    def secret_key(self, ring: Ring, seed: Secret) -> NDArray[np.int32]:
        """Draw a key, int32 ``(N,)``."""
        tables, tile = ring_tables(ring, self._on), min(1024, ring.degree)
        stream = seed_words(seed.reveal(), self._on)
        drawn = torch.empty(ring.degree, dtype=torch.int32, device=self._on)
        try:
            launch(draw_key, (ring.degree // tile,), stream, drawn, tables.secret, tables.secret_tail, TILE=tile)
            host = drawn.cpu()
            key: NDArray[np.int32] = host.numpy().copy()
            host.zero_()
            return key
        finally:
            stream.zero_()
            drawn.zero_()

    def encrypt(
        self, packing: Packing, values: Values, *, public_seed: bytes, key: NDArray[np.int32], error_seed: Secret
    ) -> bytes:
        """Return the payload of a vector; while one stretch of groups is worked on, its neighbours are copied."""
        payload = torch.empty(packing.payload_bytes(len(values)) // 4, dtype=torch.int32, pin_memory=self._on != "cpu")
        self._encrypt(payload, packing, values, public_seed, key, error_seed)
        data: bytes = payload.numpy().tobytes()
        return data

    def encrypt_tensor(
        self, packing: Packing, values: Values, *, public_seed: bytes, key: NDArray[np.int32], error_seed: Secret
    ) -> torch.Tensor:
        """Return the payload as a tensor on the device, int32; its memory holds the payload's bytes."""
        payload = torch.empty(packing.payload_bytes(len(values)) // 4, dtype=torch.int32, device=self._on)
        self._encrypt(payload, packing, values, public_seed, key, error_seed)
        return payload

    def total(self, packing: Packing, length: int) -> NDArray[np.uint32]:
        """Return a total of nothing in the host's memory."""
        return np.zeros(packing.residues(length), dtype=np.uint32)

    def device_total(self, packing: Packing, length: int) -> torch.Tensor:
        """Return a total of nothing on the device, int32; :meth:`add`, :meth:`write` and :meth:`open` take it too."""
        return torch.zeros(packing.residues(length), dtype=torch.int32, device=self._on)

    def add(
        self, packing: Packing, length: int, total: NDArray[np.uint32] | torch.Tensor, group: int, block: Block
    ) -> None:
        """Add one group's block to a total, in place."""
        self._check_total(packing, length, total)
        part = stretch(packing, length, group, 1)
        self._check_bytes(memoryview(block).nbytes, packing.block_bytes(length, group))
        here = total[part.offset : part.offset + part.residues]
        device = self._words(here)
        self._add(packing, device, words(np.frombuffer(block, dtype="<u4"), self._on), part)
        if isinstance(here, np.ndarray):
            here[:] = device.cpu().numpy().view(np.uint32)

    def add_payload(self, packing: Packing, length: int, total: torch.Tensor, payload: torch.Tensor) -> None:
        """Add a whole payload that lies on the device to a total there, in place and in one pass."""
        self._check_total(packing, length, total)
        self._check_bytes(4 * payload.numel(), packing.payload_bytes(length))
        if length:
            self._add(packing, total, payload, stretch(packing, length, 0, packing.groups(length)))

    def write(self, packing: Packing, length: int, total: NDArray[np.uint32] | torch.Tensor) -> bytes:
        """Return a total in the form of a payload."""
        self._check_total(packing, length, total)
        payload = np.empty(packing.payload_bytes(length) // 4, dtype=np.uint32)
        track = Track(packing, self._on, groups=0, own_stream=False)
        for part in stretches(packing, length):
            out = track.empty(packing.ring.bits * part.residues // 32)
            track.write(self._words(total[part.offset : part.offset + part.residues]), out)
            at = packing.ring.bits * part.offset // 32
            payload[at : at + out.numel()] = out.cpu().numpy().view(np.uint32)
        return payload.tobytes()

    def open(
        self, packing: Packing, length: int, total: NDArray[np.uint32] | torch.Tensor, *, public_seed: bytes,
        key_sum: NDArray[np.int32],
    ) -> Iterator[NDArray[np.uint32]]:
        """Yield the sums of the values, one array per group in order, uint32."""
        for part, sums in self.open_tensors(packing, length, total, public_seed=public_seed, key_sum=key_sum):
            array = sums.cpu().numpy().view(np.uint32)
            for group in range(part.groups):
                yield array[group * packing.group_values : (group + 1) * packing.group_values].copy()

    def open_tensors(
        self, packing: Packing, length: int, total: NDArray[np.uint32] | torch.Tensor, *, public_seed: bytes,
        key_sum: NDArray[np.int32],
    ) -> Iterator[tuple[Stretch, torch.Tensor]]:
        """Yield the sums on the device, several groups at a time, int32 in storage."""
        self._check_total(packing, length, total)
        flags, keys = self._flags(), words(round_keys(public_seed), self._on)
        key = self._transformed(packing.ring, key_sum)
        track = Track(packing, self._on, min(GROUPS, packing.groups(length)), own_stream=False)
        try:
            for part in stretches(packing, length):
                sums = track.empty(part.count)
                track.mask(keys, key, flags, part)
                track.decode(self._words(total[part.offset : part.offset + part.residues]), sums, flags, part)
                self._check(packing, flags)
                yield part, sums
        finally:
            track.close()
            key.zero_()

    def _encrypt(
        self, out: torch.Tensor, packing: Packing, values: Values, public_seed: bytes, key: NDArray[np.int32],
        error_seed: Secret,
    ) -> None:
        parts = list(stretches(packing, len(values)))
        flags, keys = self._flags(), words(round_keys(public_seed), self._on)
        seed = seed_words(error_seed.reveal(), self._on)
        transformed, tracks = self._transformed(packing.ring, key), list[Track]()
        try:
            for part in parts[:2]:
                tracks.append(Track(packing, self._on, part.groups, own_stream=True))
                tracks[-1].follow()
            for number, part in enumerate(parts):
                track = tracks[number % 2]
                track.wait()  # the buffer that it copies from is free after that
                with track.on():
                    plain = self._plain(track, values, part, flags)
                    track.mask(keys, transformed, flags, part)
                    track.seal(plain, seed, flags, part)
                    at = packing.ring.bits * part.offset // 32
                    place = out[at : at + packing.ring.bits * part.residues // 32]
                    block = place if place.device == track.residues.device else track.empty(place.numel())
                    track.write(track.residues, block)
                    if block is not place:
                        place.copy_(block, non_blocking=True)
        finally:
            for track in tracks:
                track.close()
            transformed.zero_()
            seed.zero_()
        self._check(packing, flags)

    def _plain(self, track: Track, values: Values, part: Stretch, flags: torch.Tensor) -> torch.Tensor:
        stop = part.start + part.count
        if not isinstance(values, TensorValues | RoundedValues):
            read = values.read(part.start, stop)
            if read.dtype != np.uint32 or read.shape != (part.count,):
                raise InputError("rlwe.wrong-values", "values were not read as they must be",
                                 got=f"{read.dtype} of shape {read.shape}", expected=f"uint32 of shape ({part.count},)")
            return track.upload(read)
        if values.tensor.device != flags.device:
            raise InputError("ring.bad-tensor", "values lie on another device than the backend's",
                             got=values.tensor.device, expected=flags.device)
        return values.on_device(part.start, stop, track.buffer, flags)

    def _add(self, packing: Packing, total: torch.Tensor, block: torch.Tensor, part: Stretch) -> None:
        flags = self._flags()
        track = Track(packing, self._on, groups=0, own_stream=False)
        track.accumulate(total, block, flags, part)
        above = int(flags[0])
        if above:
            track.accumulate(total, block, flags, part, take_back=True)
            raise ProtocolError("rlwe.residue-out-of-range", "a residue is not below its prime",
                                got=f"{above} residues", expected="none")

    def _transformed(self, ring: Ring, key: NDArray[np.int32]) -> torch.Tensor:
        """Return 2^32 s-hat for every prime."""
        shaped = key.dtype == np.int32 and key.shape == (ring.degree,)
        if not shaped or np.abs(key.astype(np.int64)).max() >= min(ring.primes):
            raise InputError("rlwe.wrong-key", "this is no key of this ring", got=f"{key.dtype} of shape {key.shape}",
                             expected=f"int32 of shape ({ring.degree},), every magnitude below the primes")
        tables, degree = ring_tables(ring, self._on), ring.degree
        host = torch.from_numpy(key.copy())
        plain = host.to(self._on)
        out = torch.empty(len(ring.primes) * degree, dtype=torch.int32, device=self._on)
        launch(transform_key, (len(ring.primes),), plain, out, tables.forward, tables.forward_quotients, tables.primes,
               N=degree, LOG=degree.bit_length() - 1, warps=warps_for(degree))
        host.zero_()
        plain.zero_()
        return out

    def _words(self, residues: NDArray[np.uint32] | torch.Tensor) -> torch.Tensor:
        """Return residues on the device: a copy of an array, a tensor itself."""
        return words(residues, self._on) if isinstance(residues, np.ndarray) else residues

    def _flags(self) -> torch.Tensor:
        return torch.zeros(4, dtype=torch.int32, device=self._on)

    def _check(self, packing: Packing, flags: torch.Tensor) -> None:
        """Raise what the kernels counted: candidates without a spare, values too large, positions out of range."""
        missing, large, noisy, infinite = flags.tolist()
        if missing:
            raise ProtocolError("rlwe.expansion-exhausted", "too many words of the public polynomial were rejected",
                                got=f"{missing} words without a replacement", expected=f"at most {EXTRA} rejected")
        if infinite:
            raise not_finite()
        if large:
            raise InputError("rlwe.value-out-of-range", "a value is larger than a slot can hold",
                             expected=f"values below {packing.base}")
        if noisy:
            raise ProtocolError("rlwe.noise-out-of-range", "the noise of a sum is beyond its bound",
                                got=f"{noisy} positions", expected="none",
                                hint="a key, a seed or a ciphertext is not the one that was agreed")

    def _check_total(self, packing: Packing, length: int, total: NDArray[np.uint32] | torch.Tensor) -> None:
        expected, kind = packing.residues(length), np.uint32 if isinstance(total, np.ndarray) else torch.int32
        if total.dtype != kind or tuple(total.shape) != (expected,):
            raise InputError("rlwe.wrong-total", "this is no total of this packing and length",
                             got=f"{total.dtype} of shape {tuple(total.shape)}",
                             expected=f"uint32, or int32 in a tensor, of shape ({expected},)")

    def _check_bytes(self, size: int, expected: int) -> None:
        if size != expected:
            raise ProtocolError("rlwe.wrong-length", "the block of a group has the wrong length",
                                got=f"{size} bytes", expected=f"{expected} bytes")
