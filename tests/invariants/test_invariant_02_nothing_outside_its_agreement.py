"""2. A node refuses any dataset, version, purpose, computation, parameter, recipient or round outside its agreement."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from stage import RUN, Stage

from sealane.core.canonical import canonical_bytes
from sealane.core.clock import to_text
from sealane.core.secret import Secret
from sealane.crypto.sealing import sealing_public_key
from sealane.crypto.signing import SigningKey
from sealane.errors import RefusedError
from sealane.governance.approval import Approval, sign_approval
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Study
from sealane.rpc.notices import Failure, RunOffer
from sealane.secagg.messages import Contribution, Endorsed, Endorsement, Join, SealedResult

Build = Callable[..., Stage]
ALL = ("a", "b", "c", "d")


def changes(on: Stage) -> dict[str, dict[str, object]]:
    other = recipient_of("other", SigningKey(Secret(b"o" * 32)), sealing_public_key(Secret(b"p" * 32)))
    return {
        "purpose": {"purpose": "marketing"}, "computation": {"computation": "statistics.summary"},
        "parameter": {"parameters": {"rounds": 2, "tag": 1}}, "recipient": {"recipients": [other]},
        "another recipient": {"recipients": [*on.study.recipients, other]}, "rounds": {"rounds": 500},
        "runs": {"runs": 11}, "contract": {"data_contract": "other.rows/v1"}, "cohort": {"minimum_cohort": 4},
        "count": {"minimum_count": 2}, "colluders": {"colluding": 0}, "expiry": {"expires": "2099-01-01T00:00:00Z"},
    }


@pytest.mark.parametrize("what", ["purpose", "computation", "parameter", "recipient", "another recipient", "rounds",
                                  "runs", "contract", "cohort", "count", "colluders", "expiry"])
async def test_invariant_02_another_study_than_the_one_signed_is_refused(what: str, stage: Build) -> None:
    on = stage(ALL)
    changed: Study = on.make_study(**changes(on)[what])
    assert changed.hash != on.study.hash
    await on.tell("a", RunOffer(RUN, replace(on.record, study=changed.canonical())))
    assert on.refusal("a") == "run.not-signed-here"
    assert not [m for m in on.said["a"] if isinstance(m, Join | Contribution)]


@pytest.mark.parametrize("extra", ["region", "where", "and_also"])
async def test_invariant_02_an_unknown_constraint_is_a_refusal_though_it_was_signed(extra: str, stage: Build) -> None:
    on = stage(ALL)
    study = json.loads(on.record.study) | {extra: "anything"}
    body = canonical_bytes(study)
    await on.tell("a", RunOffer(RUN, replace(on.record, study=body)))
    assert on.refusal("a") == "study.malformed"
    unknown = on.approve(on.make_study(parameters={"rounds": 2, extra: 1}))
    await on.tell("a", RunOffer(RUN, unknown))
    assert on.refusal("a") == "computation.bad-parameters"
    uninstalled = on.approve(on.make_study(computation="test.unheard"))
    await on.tell("a", RunOffer(RUN, uninstalled))
    assert on.refusal("a") == "computation.unknown"


async def test_invariant_02_no_round_past_those_agreed(stage: Build) -> None:
    on = stage(ALL, study_fields={"rounds": 2})
    await on.offer()
    await on.begin()
    await on.announce()
    await on.relay()
    await on.agree()
    assert [on.refusal(name) for name in ALL] == ["study.rounds-exhausted"] * 4
    assert {m.exchange for name in ALL for m in on.said[name] if isinstance(m, Contribution)} == {0}


async def test_invariant_02_the_dataset_that_is_opened_is_the_one_that_was_signed(stage: Build) -> None:
    """The gate hands over what this node's own approval names, and a version that changed is refused."""
    on = stage(ALL)
    opened: list[tuple[str, str]] = []
    node = on.nodes["a"]

    def datasets(approval: Approval, study: Study) -> object:
        opened.append((approval.dataset, approval.dataset_version))
        raise RefusedError("dataset.changed", "the dataset is not the version that was approved")

    node.gate._datasets = datasets  # type: ignore[assignment]
    await on.offer()
    await on.begin()
    assert opened == [("frame", node.dataset_version)]
    assert on.refusal("a") == "dataset.changed"
    assert not [m for m in on.said["a"] if isinstance(m, Contribution)]


async def test_invariant_02_a_node_opens_what_it_signed_not_what_the_offer_says_it_signed(stage: Build) -> None:
    """A second approval by the same key, for another dataset, is a conflict and not a choice for the coordinator."""
    on = stage(ALL)
    other = Approval(on.study.hash, "a", on.fingerprint("a"), "payroll", "ab" * 32, False, to_text(on.clock()))
    second = sign_approval(on.nodes["a"].key, other)
    await on.tell("a", RunOffer(RUN, replace(on.record, statements=(*on.record.statements, second))))
    assert isinstance(on.said["a"][-1], Failure)
    assert on.refusal("a") == "approval.conflicting"


async def test_invariant_02_a_result_is_sealed_to_the_agreed_recipients_alone(stage: Build) -> None:
    on = stage(ALL)
    await on.offer()
    await on.begin()
    for exchange in (0, 2):
        await on.announce(exchange)
        await on.relay(exchange)
        await on.agree(exchange + 1)
    endorsed = Endorsed(RUN, 0, {on.fingerprint(name): on.heard(name, Endorsement) for name in ALL})
    await on.tell("a", endorsed)
    sealed = on.heard("a", SealedResult).sealed
    assert set(sealed) == {r.fingerprint for r in on.study.recipients}
