"""2. A node refuses any dataset, version, purpose, computation, parameter, recipient or round outside its agreement."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import signed
from stage import OTHER_RUN, RUN, Stage

from sealane.core.canonical import canonical_bytes
from sealane.core.secret import Secret
from sealane.crypto.sealing import sealing_public_key
from sealane.crypto.signing import SigningKey
from sealane.errors import RefusedError
from sealane.governance.agreement import Agreement
from sealane.governance.recipient import recipient_of
from sealane.governance.signed_statement import SignedAgreement
from sealane.governance.study import Study
from sealane.rpc.notices import Failure, RunOffer
from sealane.secagg.messages import Contribution, Endorsed, Endorsement, Join, SealedResult

Build = Callable[..., Stage]
ALL = ("a", "b", "c", "d")


def changes(on: Stage) -> dict[str, dict[str, object]]:
    other = recipient_of("other", SigningKey(Secret(b"o" * 32)), sealing_public_key(Secret(b"p" * 32)))
    return {
        "purpose": {"purpose": "marketing"}, "computation": {"computation": "statistics.describe"},
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

    def datasets(agreement: Agreement, study: Study) -> object:
        opened.append((agreement.dataset, agreement.dataset_version))
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
    second = signed.agreement(on.study, on.nodes["a"].key, "a", dataset="payroll")
    await on.tell("a", RunOffer(RUN, replace(on.record, statements=(*on.record.statements, second))))
    assert isinstance(on.said["a"][-1], Failure)
    assert on.refusal("a") == "agreement.conflicting"


async def test_invariant_02_a_result_is_sealed_to_the_agreed_recipients_alone(stage: Build) -> None:
    on = stage(ALL)
    await on.to_the_result()
    endorsed = Endorsed(RUN, 0, {on.fingerprint(name): on.heard(name, Endorsement) for name in ALL})
    await on.tell("a", endorsed)
    sealed = on.heard("a", SealedResult).sealed
    assert set(sealed) == {r.fingerprint for r in on.study.recipients}


def _with(on: Stage, name: str, **narrower: object) -> object:
    """The study's record where one institution signed its own narrower terms."""
    said = on.nodes[name].approve(on.study, **narrower)
    others = [s for s in on.record.statements if s.public_key != said.public_key]
    on.record = replace(on.record, statements=(*others, said))
    return said


def _untouched(on: Stage, name: str) -> bool:
    """No message of a run left, no key or run was written, no cohort was remembered."""
    node = on.nodes[name]
    return (not [m for m in on.said[name] if isinstance(m, Join | Contribution)] and node.journal.run(RUN) is None
            and node.records.cohorts(node.dataset_version) == [])


def _resigned(on: Stage, name: str, change: Callable[[dict[str, object]], None]) -> SignedAgreement:
    """An agreement that its institution signed in full, with something changed in it."""
    content = json.loads(next(s.body for s in on.record.statements if s.public_key == on.nodes[name].key.public_key))
    change(content)
    body = canonical_bytes(content)
    key = on.nodes[name].key
    return SignedAgreement(body, key.public_key, key.sign(SignedAgreement.kind, body))


def _constraints(content: dict[str, object]) -> list[dict[str, object]]:
    return content["agreement"]["permission"][0]["constraint"]  # type: ignore[index,no-any-return]


BAD = {
    "an unknown ODRL term": ("agreement.unknown-term", "form", lambda c: _constraints(c).append(
        {"leftOperand": "odrl:industry", "operator": "eq", "rightOperand": "bank"})),
    "an unknown operator": ("agreement.unknown-term", "form", lambda c: _constraints(c)[0].update(operator="isA")),
    "a wrong purpose": ("agreement.wrong-purpose", "terms", lambda c: _constraints(c)[0].update(
        rightOperand="marketing")),
    "another context": ("agreement.malformed", "form", lambda c: c.update({"@context": ["https://example.org/x"]})),
    "other code": ("agreement.code-differs", "code", lambda c: _constraints(c)[3].update(rightOperand="00" * 32)),
}


@pytest.mark.parametrize("whose", ["a", "b"])
@pytest.mark.parametrize("what", BAD)
async def test_invariant_02_a_well_signed_agreement_that_is_not_understood_or_differs(
    what: str, whose: str, stage: Build
) -> None:
    """Whether this node's own or a peer's: refused, told with its clause, and nothing changed."""
    on = stage(ALL)
    code, clause, change = BAD[what]
    bad = _resigned(on, whose, change)
    if whose == "a":
        on.nodes["a"].records.statements[on.study.hash] = bad
        code = code.replace("code-differs", "code-changed")
    kept = [s for s in on.record.statements if s.public_key != bad.public_key]
    await on.tell("a", RunOffer(RUN, replace(on.record, statements=(*kept, bad))))
    assert on.refusal("a") == code
    assert [(m, c, e.code) for m, c, e in on.nodes["a"].records.refusals] == [("admission", clause, code)]
    assert _untouched(on, "a")


@pytest.mark.parametrize(("narrower", "code"), [
    ({"expires": "2000-01-01T00:00:00Z"}, "agreement.expired"),
    ({"starts": "2098-01-01T00:00:00Z"}, "agreement.not-yet"),
    ({"recipients": ()}, "agreement.no-recipient"), ({"outputs": ()}, "agreement.output-not-allowed"),
])
async def test_invariant_02_one_institutions_narrower_term_binds_every_node(
    narrower: dict[str, object], code: str, stage: Build
) -> None:
    on = stage(ALL)
    _with(on, "c", **narrower)
    await on.offer()
    assert [on.refusal(name) for name in ALL] == [code] * 4
    assert all(_untouched(on, name) for name in ALL)


async def test_invariant_02_the_tightest_of_different_narrower_terms_holds(stage: Build) -> None:
    on = stage(ALL)
    _with(on, "b", rounds=2)
    _with(on, "d", rounds=3, minimum_cohort=4, minimum_count=2)
    await on.offer()
    await on.tell("a", on.start(who=("a", "b", "c")))
    assert on.refusal("a") == "agreement.cohort-too-small"
    await on.begin()
    await on.announce()
    await on.relay()
    await on.agree()
    assert [on.refusal(name) for name in ALL] == ["agreement.rounds-exhausted"] * 4
    assert {m.exchange for name in ALL for m in on.said[name] if isinstance(m, Contribution)} == {0}


async def test_invariant_02_runs_of_ones_own_narrower_terms(stage: Build) -> None:
    on = stage(ALL)
    _with(on, "a", runs=1)
    await on.offer()
    await on.begin()
    await on.announce()
    await on.offer(OTHER_RUN, to=["a"])
    assert on.refusal("a") == "agreement.runs-exhausted"


async def test_invariant_02_a_result_goes_only_to_whom_every_agreement_allows(stage: Build) -> None:
    other = recipient_of("other", SigningKey(Secret(b"o" * 32)), sealing_public_key(Secret(b"p" * 32)))
    on = stage(ALL)
    on.study = on.make_study(recipients=[*on.study.recipients, other])
    on.record = on.approve(on.study)
    _with(on, "d", recipients=(other.fingerprint,))
    await on.to_the_result()
    endorsed = Endorsed(RUN, 0, {on.fingerprint(name): on.heard(name, Endorsement) for name in ALL})
    await on.tell("a", endorsed)
    assert set(on.heard("a", SealedResult).sealed) == {other.fingerprint}
