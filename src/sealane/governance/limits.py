"""The tightest of a study and of every agreement signed for it: what a run has to obey, and whose limit it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sealane.core.clock import from_text
from sealane.governance.agreement import Agreement
from sealane.governance.study import Recipient, Study

T = TypeVar("T")
STUDY = "the study"


@dataclass(frozen=True, slots=True)
class Limit(Generic[T]):
    """A value and who set it: :data:`STUDY`, or the name of an institution whose agreement is narrower."""

    value: T
    whose: str = STUDY

    @property
    def own(self) -> bool:
        """True where the study itself says so."""
        return self.whose == STUDY


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for every run of a study under the agreements signed for it.

    Attributes:
        smallest_cohort: fewest institutions behind a sum.
        minimum_count: fewest rows behind a released cell.
        rounds: most rounds of a run.
        runs: most runs.
        starts: moment before which nothing runs, or None.
        expires: moment from which nothing runs.
        recipients: to whom every agreement lets results go.
        outputs: kinds of result that every agreement lets out; None where no agreement was looked at.
        barred: by fingerprint of a recipient, the institution that leaves it out.
    """

    smallest_cohort: Limit[int]
    minimum_count: Limit[int]
    rounds: Limit[int]
    runs: Limit[int]
    starts: Limit[str] | None
    expires: Limit[str]
    recipients: tuple[Recipient, ...]
    outputs: frozenset[str] | None
    barred: dict[str, str]


def tightest(study: Study, agreements: Iterable[Agreement]) -> Limits:
    """Return the limits under which every institution's own terms are kept."""
    signed = sorted(agreements, key=lambda one: one.node)

    def most(first: T, name: str, better: Callable[[Any, Any], bool]) -> Limit[T]:
        limit = Limit(first)
        for one in signed:
            value = getattr(one.terms, name)
            if better(value, limit.value):
                limit = Limit(value, one.node)
        return limit

    def larger(new: int, old: int) -> bool:
        return new > old

    def smaller(new: int, old: int) -> bool:
        return new < old

    starts = [Limit(one.terms.starts, one.node) for one in signed if one.terms.starts is not None]
    barred = {party.fingerprint: one.node for party in study.recipients for one in signed
              if party.fingerprint not in one.terms.recipients}
    outputs = [frozenset(one.terms.outputs) for one in signed]
    return Limits(
        smallest_cohort=most(study.smallest_cohort, "minimum_cohort", larger),
        minimum_count=most(study.minimum_count, "minimum_count", larger),
        rounds=most(study.rounds, "rounds", smaller), runs=most(study.runs, "runs", smaller),
        starts=max(starts, key=lambda limit: from_text(limit.value), default=None),
        expires=most(study.expires, "expires", lambda new, old: from_text(new) < from_text(old)),
        recipients=tuple(party for party in study.recipients if party.fingerprint not in barred),
        outputs=frozenset.intersection(*outputs) if outputs else None, barred=barred)
