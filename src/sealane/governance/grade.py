"""The steward's decision over the labels that are proposed, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sealane.errors import InputError, RefusedError
from sealane.governance.classification import Label, Proposal, at_least, lowers, read_label

MAXIMUM_REASON = 500


@dataclass(frozen=True, slots=True)
class Decided:
    """The label in force for a field.

    Attributes:
        label: as the steward decided.
        proposed: what stood against it.
        reason: for protecting less than was proposed; empty otherwise.
        derived: whether the proposal came from the data that this dataset was derived from.
    """

    label: Label
    proposed: Label
    reason: str = ""
    derived: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"label": str(self.label), "proposed": str(self.proposed), "reason": self.reason,
                "derived": self.derived}


def read_decided(values: Mapping[str, Any]) -> Decided:
    """Read what :meth:`Decided.to_dict` wrote."""
    return Decided(read_label(values["label"]), read_label(values["proposed"]), values["reason"], values["derived"])


@dataclass(frozen=True, slots=True)
class Standing:
    """A proposal as it stands before the steward.

    Attributes:
        proposal: label and reasons.
        reason: an earlier decision's reason that goes on to hold.
        floor: the label of what the dataset was derived from, if it was.
    """

    proposal: Proposal
    reason: str = ""
    floor: Label | None = None


def stand(fresh: Mapping[str, Proposal], *, earlier: Mapping[str, Decided], inputs: Mapping[str, Label]
          ) -> dict[str, Standing]:
    """Return the proposals for a version of a dataset.

    Args:
        fresh: from the table and the content.
        earlier: what the steward decided for the version before; it carries over, unless more is found now.
        inputs: labels of the data that this dataset was derived from; derived data is proposed no lower.
    """
    standing: dict[str, Standing] = {}
    for name, proposal in fresh.items():
        reason = ""
        before = earlier.get(name)
        if before is not None:
            known = not lowers(before.proposed, proposal.label)
            label = before.label if known else at_least(before.label, proposal.label)
            reason = before.reason if known else ""
            proposal = Proposal(name, label, ("decided for the version before",
                                              *(() if known else proposal.reasons)))
        floor = inputs.get(name)
        if floor is not None and before is None:
            proposal = Proposal(name, at_least(proposal.label, floor), (*proposal.reasons, "what it was derived from"))
        standing[name] = Standing(proposal, reason, floor)
    return standing


def decide(standing: Mapping[str, Standing], current: Mapping[str, Decided], *, accept: bool,
           changes: Mapping[str, Label], reason: str = "", review: str = "") -> dict[str, Decided]:
    """Return the labels in force after the steward's act.

    Args:
        standing: the proposals.
        current: labels in force for this version; empty before the first decision.
        accept: take every proposal that ``changes`` does not speak of.
        changes: the steward's own labels.
        reason: for protecting less than was proposed.
        review: for grading derived data under what it was derived from: who looked, and what was found.

    Raises:
        InputError: an unknown field, or a reason that is too long.
        RefusedError: a field is left without a label, or protected less without a reason or a review.
    """
    for name in changes:
        if name not in standing:
            near = get_close_matches(name, list(standing), n=3)
            raise InputError("grade.unknown-field", "the dataset's contract has no such field", got=repr(name[:80]),
                             expected=f"one of {len(standing)} fields",
                             hint=f"did you mean {', '.join(near)}?" if near else "its fields are in the sector pack")
    if max(len(reason), len(review)) > MAXIMUM_REASON:
        raise InputError("grade.reason-too-long", "the reason or review is too long",
                         got=f"{max(len(reason), len(review))} characters", expected=f"at most {MAXIMUM_REASON}")
    decided: dict[str, Decided] = {}
    for name, stands in standing.items():
        if name in changes:
            decided[name] = _changed(name, stands, changes[name], reason.strip(), review.strip())
        elif accept:
            decided[name] = Decided(stands.proposal.label, stands.proposal.label, stands.reason,
                                    stands.floor is not None)
        elif name in current:
            decided[name] = current[name]
    left = [name for name in standing if name not in decided]
    if left:
        raise RefusedError("grade.incomplete", "fields are left without a label", got=", ".join(left)[:200],
                           expected="a label for every field", hint="--accept takes what is proposed for the others")
    return decided


def _changed(name: str, stands: Standing, label: Label, reason: str, review: str) -> Decided:
    proposed = stands.proposal.label
    if stands.floor is not None and lowers(label, stands.floor) and not review:
        raise RefusedError("grade.derived-below-inputs", f"derived data would be graded under its inputs at {name}",
                           got=str(label), expected=str(stands.floor),
                           hint="have the derivation reviewed and say so with --review TEXT; it is recorded")
    if lowers(label, proposed) and not (reason or review):
        raise RefusedError("grade.reason-missing", f"{name} would be protected less than is proposed, without a reason",
                           got=str(label), expected=str(proposed), hint="say why with --reason TEXT; it is recorded")
    return Decided(label, proposed, (review or reason) if lowers(label, proposed) else "", stands.floor is not None)
