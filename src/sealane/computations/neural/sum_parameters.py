"""What a study says of how updates are summed: in fewer bytes, and against institutions whose updates are bad."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sealane.computations.base import Parameters


class Compression(Parameters):
    """How updates are made small before they are protected.

    Attributes:
        bits: of an entry.
        rotation: spreads what is large over many entries, so that few bits fit all of them.
        share: of the entries, the part that travels in a round.
        choose: which: ``drawn`` anew in each round, or ``largest``, those that the last opened mean changed most,
            with some drawn beside them.
        error_feedback: a node keeps what did not travel, and adds it to its next update.
    """

    bits: Literal[4, 8, 16] = 8
    rotation: bool = True
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    choose: Literal["drawn", "largest"] = "drawn"
    error_feedback: bool = True

    @model_validator(mode="after")
    def _coherent(self) -> Compression:
        if self.choose == "largest" and self.share == 1:
            raise ValueError("all entries travel: set a share to choose the largest")
        if self.choose == "largest" and not self.error_feedback:
            raise ValueError("the largest entries alone are a biased update: they need error_feedback")
        return self


class Robust(Parameters):
    """How the updates of groups of institutions are joined, when some of them may be bad.

    Attributes:
        method: ``trimmed_mean`` leaves out the smallest and largest groups of each entry; ``krum`` takes the one group
            that lies nearest to the others.
        bad: so many groups may be bad.
    """

    method: Literal["trimmed_mean", "krum"] = "trimmed_mean"
    bad: Annotated[int, Field(ge=1, le=1000)] = 1

    @property
    def fewest(self) -> int:
        """Groups that the method needs."""
        return 2 * self.bad + (1 if self.method == "trimmed_mean" else 3)
