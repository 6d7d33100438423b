"""What adapters take on the wire and in memory, beside the whole model: by calculation."""

from __future__ import annotations

from dataclasses import dataclass

SINGLE = 4
"""Bytes of a weight in single precision."""
STATES = {"sgd": 0, "adam": 2, "adamw": 2}
"""Numbers that an optimiser keeps for each trained weight."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Weights and bytes.

    Attributes:
        frozen: weights of the frozen model, which stay where they are installed.
        trained: weights of adapters and head: the entries of each sum of updates.
        bits: of an entry as it is rounded; None where updates are summed exactly.
        optimizer: of a node's steps.
        sent: bytes that the node that sent most sent for a round; None where nobody counted.
    """

    frozen: int
    trained: int
    bits: int | None
    optimizer: str
    sent: float | None

    @property
    def share(self) -> float:
        """Part of the whole model's weights that travels."""
        return self.trained / (self.frozen + self.trained)

    @property
    def whole_bytes(self) -> int:
        """Bytes of the whole model in single precision."""
        return SINGLE * (self.frozen + self.trained)

    @property
    def memory(self) -> int:
        """Bytes that weights, gradients and the optimiser take at a node, in single precision, beside activations."""
        return SINGLE * (self.frozen + self.trained * (2 + STATES[self.optimizer]))

    @property
    def memory_of_all(self) -> int:
        """The same, were all weights trained."""
        return SINGLE * (self.frozen + self.trained) * (2 + STATES[self.optimizer])

    def lines(self) -> list[tuple[str, str]]:
        """Return what a reader is told."""
        out = [("weights that travel", f"{self.trained:,} of {self.frozen + self.trained:,} ({self.share:.2%})"),
               ("an update's entries", "exact" if self.bits is None else f"{self.bits} bits"),
               ("memory at a node", f"{self.memory / 1e6:.1f} MB beside activations and libraries "
                                    f"({self.memory_of_all / 1e6:.1f} MB if all were trained)")]
        if self.sent is not None:
            out.append(("sent by a node in a round", f"{self.sent / 1e3:.1f} kB, where the whole model has "
                                                     f"{self.whole_bytes / 1e3:.1f} kB"))
        return out
