"""1. No run starts at a node without that node's own valid signature over the same study hash as every other's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest
import signed
from stage import RUN, Stage

from sealane.governance.signed_statement import SignedAgreement
from sealane.rpc.notices import Failure, RunOffer
from sealane.secagg.messages import Contribution, Join

Build = Callable[..., Stage]
ALL = ("a", "b", "c", "d")


def joined(on: Stage, name: str = "a") -> bool:
    return any(isinstance(message, Join | Contribution) for message in on.said[name])


async def test_invariant_01_with_every_signature_a_run_starts(stage: Build) -> None:
    on = stage(ALL)
    await on.offer(to=["a"])
    assert joined(on)


@pytest.mark.parametrize("missing", [set(some) for size in (1, 2, 3, 4) for some in combinations(range(4), size)])
async def test_invariant_01_no_run_starts_without_each_signature(missing: set[int], stage: Build) -> None:
    on = stage(ALL)
    kept = tuple(s for k, s in enumerate(on.record.statements) if k not in missing)
    await on.tell("a", RunOffer(RUN, replace(on.record, statements=kept)))
    assert on.refusal("a") == "run.not-approved"
    assert not joined(on)


async def test_invariant_01_no_run_starts_without_ones_own_though_the_coordinator_shows_one(stage: Build) -> None:
    on = stage(ALL)
    on.nodes["a"].records.statements.clear()
    await on.offer(to=["a"])
    assert on.refusal("a") == "run.not-signed-here"
    assert not joined(on)


async def test_invariant_01_no_run_starts_where_another_signed_another_hash(stage: Build) -> None:
    on = stage(ALL)
    changed = on.make_study(minimum_count=2)
    theirs = signed.agreement(changed, on.nodes["d"].key, "d")
    others = tuple(s for s in on.record.statements if s.public_key != on.nodes["d"].key.public_key)
    await on.tell("a", RunOffer(RUN, replace(on.record, statements=(*others, theirs))))
    assert on.refusal("a") == "statement.other-study"
    assert not joined(on)


@pytest.mark.parametrize("field", ["body", "signature", "public_key"])
async def test_invariant_01_no_run_starts_where_a_signature_does_not_verify(field: str, stage: Build) -> None:
    on = stage(ALL)
    last = on.record.statements[-1]
    assert isinstance(last, SignedAgreement)
    data = bytearray(getattr(last, field))
    data[len(data) // 2] ^= 1
    forged = replace(last, **{field: bytes(data)})
    await on.tell("a", RunOffer(RUN, replace(on.record, statements=(*on.record.statements[:-1], forged))))
    assert isinstance(on.said["a"][-1], Failure)
    assert not joined(on)


async def test_invariant_01_a_study_changed_after_signing_is_another_study(stage: Build) -> None:
    on = stage(ALL)
    for old, new in ((b'"minimum_cohort":3', b'"minimum_cohort":4'), (b'"rounds":2}', b'"rounds":3}'),
                     (b'"purpose":"development"', b'"purpose":"marketing"')):
        assert old in on.record.study
        await on.tell("a", RunOffer(RUN, replace(on.record, study=on.record.study.replace(old, new))))
        assert on.refusal("a") == "run.not-signed-here"
    assert not joined(on)
