"""The life of a dataset: registered, profiled, graded, published; stale when its rows are others; withdrawn.

    REGISTERED ──profile──▶ PROFILED ──grade──▶ GRADED ──publish──▶ PUBLISHED
        registered in another version ──▶ STALE ──profile, grade──▶ GRADED
        any but WITHDRAWN ──withdraw──▶ WITHDRAWN ──register──▶ REGISTERED

A move that the diagram lacks is a refusal, and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sealane.errors import RefusedError


class Phase(StrEnum):
    """Where a dataset is in its life."""

    REGISTERED = "registered"
    PROFILED = "profiled"
    GRADED = "graded"
    PUBLISHED = "published"
    STALE = "stale"
    WITHDRAWN = "withdrawn"


USABLE = frozenset((Phase.GRADED, Phase.PUBLISHED))
"""Phases in which a study may be approved and run over a dataset."""


@dataclass(frozen=True, slots=True)
class Life:
    """The state of one dataset.

    Attributes:
        phase: where it is.
        version: of the rows, hex.
        profiled: whether this version was profiled; a stale dataset is profiled before it is graded again.
    """

    phase: Phase
    version: str
    profiled: bool

    @property
    def usable(self) -> bool:
        """Return whether studies may use it."""
        return self.phase in USABLE


def registered(life: Life | None, version: str) -> Life:
    """Return the life after a dataset was registered, or registered again; the same version changes nothing."""
    if life is None or life.phase is Phase.WITHDRAWN:
        return Life(Phase.REGISTERED, version, profiled=False)
    if life.version == version:
        return life
    return Life(Phase.STALE, version, profiled=False)


def profiled(life: Life) -> Life:
    """Return the life after this version was profiled, for the first time or again.

    Raises:
        RefusedError: it was withdrawn.
    """
    if life.phase is Phase.WITHDRAWN:
        raise _illegal("profile", life)
    phase = Phase.PROFILED if life.phase is Phase.REGISTERED else life.phase
    return Life(phase, life.version, profiled=True)


def graded(life: Life) -> Life:
    """Return the life after a steward decided the labels; a published dataset is to be published again.

    Raises:
        RefusedError: this version was not profiled, or the dataset was withdrawn.
    """
    if life.phase is Phase.WITHDRAWN or not life.profiled:
        raise _illegal("grade", life)
    return Life(Phase.GRADED, life.version, profiled=True)


def published(life: Life) -> Life:
    """Return the life after its metadata were offered to others; a second time changes nothing.

    Raises:
        RefusedError: it is not graded in this version.
    """
    if not life.usable:
        raise _illegal("publish", life)
    return Life(Phase.PUBLISHED, life.version, profiled=True)


def unpublished(life: Life) -> Life:
    """Return the life after its metadata were taken back; studies may use it as before.

    Raises:
        RefusedError: it is not published.
    """
    if life.phase is not Phase.PUBLISHED:
        raise _illegal("unpublish", life)
    return Life(Phase.GRADED, life.version, profiled=True)


def withdrawn(life: Life) -> Life:
    """Return the life after a steward took the dataset back.

    Raises:
        RefusedError: it was withdrawn before.
    """
    if life.phase is Phase.WITHDRAWN:
        raise _illegal("withdraw", life)
    return Life(Phase.WITHDRAWN, life.version, life.profiled)


def check_usable(name: str, life: Life | None, version: str) -> None:
    """Decide whether a study may use a version of a dataset.

    Raises:
        RefusedError: it is not graded or published in that version.
    """
    if life is None or not life.usable or life.version != version:
        word = "not registered" if life is None else life.phase.value
        raise RefusedError("dataset.not-graded", f"dataset {name} is not graded in the version asked for", got=word,
                           expected="graded or published",
                           hint=f"`sealane dataset grade {name}` shows what is proposed, --accept accepts it")


def _illegal(act: str, life: Life) -> RefusedError:
    hints = {"grade": "`sealane dataset profile NAME` first", "publish": "`sealane dataset grade NAME` first"}
    return RefusedError("dataset.illegal-move", f"a dataset cannot be asked to {act} now",
                        got=life.phase.value + ("" if life.profiled else ", not profiled"),
                        hint=hints.get(act, "register it again"))
