"""Ciphertexts added up block by block, by somebody who need not know what lies in them."""

from __future__ import annotations

from sealane.core.octets import Octets, stretch
from sealane.errors import ProtocolError
from sealane.ring.base import Backend
from sealane.ring.packing import Packing
from sealane.ring.primes import Ring


class ResidueTotal:
    """Residues added up in place: the memory of one ciphertext.

    Raises:
        ProtocolError: on construction, if no payload has so many bytes.
    """

    def __init__(self, backend: Backend, ring: Ring, payload_bytes: int) -> None:
        # One slot a position: where residues lie depends on the positions only, not on what is packed into them.
        self._packing = Packing(ring, base=2, slots=1, step=1, noise=0)
        self._positions = payload_bytes * 8 // (len(ring.primes) * ring.bits)
        if not self._positions or self._packing.payload_bytes(self._positions) != payload_bytes:
            raise ProtocolError("rlwe.wrong-length", "no ciphertext has this length", got=f"{payload_bytes} bytes")
        self.payload_bytes = payload_bytes
        self._backend = backend
        self.residues = backend.total(self._packing, self._positions)

    def add(self, payload: Octets) -> None:
        """Add a ciphertext, or a total that was written."""
        packing, positions = self._packing, self._positions
        if len(payload) != self.payload_bytes:
            raise ProtocolError("rlwe.wrong-length", "a ciphertext has the wrong length",
                                got=f"{len(payload)} bytes", expected=f"{self.payload_bytes} bytes")
        start = 0
        for group in range(packing.groups(positions)):
            stop = start + packing.block_bytes(positions, group)
            self._backend.add(packing, positions, self.residues, group, stretch(payload, start, stop))
            start = stop

    def write(self) -> Octets:
        """Return the total in the form of a ciphertext."""
        return self._backend.write(self._packing, self._positions, self.residues)
