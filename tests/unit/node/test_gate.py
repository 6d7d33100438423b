"""What the gate asks before a run, a cohort, a round, a release and a result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from stage import OTHER_RUN, RUN, Stage

from sealane.core.clock import to_text
from sealane.errors import RefusedError, SealaneError, UnavailableError
from sealane.governance.signed_statement import Refusal, SignedAgreement, sign_refusal
from sealane.node.gate import Admission, Gate
from sealane.rpc.notices import RunOffer, StudyRecord
from sealane.secagg.result import MAXIMUM_RESULT

Build = Callable[..., Stage]
ALL = ("a", "b", "c", "d")


def none(study_hash: str) -> frozenset[str]:
    return frozenset()


def gate_of(stage: Stage, name: str = "a") -> Gate:
    return stage.nodes[name].gate


def admit(stage: Stage, record: StudyRecord | None = None, name: str = "a",
          released: Callable[[str], frozenset[str]] = none) -> Admission:
    return gate_of(stage, name).admit(RunOffer(RUN, record or stage.record), runs_released=released)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(SealaneError) as caught:
        call()
    return caught.value.code


def cohort(stage: Stage, *names: str) -> frozenset[str]:
    return frozenset(stage.fingerprint(name) for name in names or ALL)


async def test_a_run_that_everybody_approved_is_let_in(stage: Build) -> None:
    on = stage()
    admission = admit(on)
    assert admission.study == on.study
    assert admission.own.fingerprint == on.fingerprint("a")
    assert admission.own.dataset_version == on.nodes["a"].dataset_version
    assert admission.waived == frozenset()
    assert admission.parameters.model_dump() == {"rounds": 2, "tag": 0}
    assert gate_of(on).open_dataset(admission).frame(["x"]).equals(on.frames["a"])


async def test_what_this_node_did_not_sign_is_refused(stage: Build) -> None:
    on = stage()
    del on.nodes["a"].records.statements[on.study.hash]
    assert refused(lambda: admit(on)) == "run.not-signed-here"  # though all four approvals are in the offer


async def test_what_another_did_not_sign_is_refused(stage: Build) -> None:
    on = stage()
    fewer = replace(on.record, statements=on.record.statements[:3])
    assert refused(lambda: admit(on, fewer)) == "run.not-approved"


async def test_what_another_signed_otherwise_is_refused(stage: Build) -> None:
    on = stage()
    other = on.approve(on.make_study(parameters={"rounds": 3}))
    on.approve(on.study)
    mixed = replace(on.record, statements=(*on.record.statements[:3], other.statements[3]))
    assert refused(lambda: admit(on, mixed)) == "statement.other-study"


async def test_a_changed_approval_does_not_verify(stage: Build) -> None:
    on = stage()
    first = on.record.statements[1]
    assert isinstance(first, SignedAgreement)
    waived = first.body.replace(b'"guarded"', b'"waived"')
    assert waived != first.body
    forged = replace(on.record, statements=(on.record.statements[0], replace(first, body=waived),
                                            *on.record.statements[2:]))
    assert refused(lambda: admit(on, forged)) == "signature.invalid"


async def test_a_study_that_is_over_or_withdrawn_is_refused(stage: Build) -> None:
    on = stage()
    admission = admit(on)
    rounds = gate_of(on).rounds(admission, cohort(on), runs_released=none)
    rounds.check_round(0)
    on.clock.advance(timedelta(days=2))
    assert refused(lambda: admit(on)) == "study.expired"
    assert refused(lambda: rounds.check_round(1)) == "study.expired"
    on.clock.advance(-timedelta(days=2))
    refusal = Refusal(on.study.hash, "a", on.fingerprint("a"), "no more", to_text(on.clock()))
    on.nodes["a"].records.statements[on.study.hash] = sign_refusal(on.nodes["a"].key, refusal)
    assert refused(lambda: admit(on)) == "study.revoked"
    assert refused(lambda: rounds.check_round(1)) == "study.revoked"
    assert refused(lambda: gate_of(on).check_result(admission, b"{}")) == "study.revoked"


async def test_only_as_many_rounds_as_agreed(stage: Build) -> None:
    on = stage(study_fields={"rounds": 3})
    rounds = gate_of(on).rounds(admit(on), cohort(on), runs_released=none)
    for number in range(3):
        rounds.check_round(number)
    assert refused(lambda: rounds.check_round(3)) == "study.rounds-exhausted"
    assert refused(lambda: rounds.check_round(-1)) == "study.rounds-exhausted"


async def test_only_as_many_runs_as_agreed_and_the_run_itself_does_not_count(stage: Build) -> None:
    on = stage(study_fields={"runs": 1})
    assert refused(lambda: admit(on, released=lambda _: frozenset({OTHER_RUN}))) == "study.runs-exhausted"
    # Begun, released, killed and offered again: it is the one run that was agreed.
    admission = admit(on, released=lambda _: frozenset({RUN}))
    gate_of(on).rounds(admission, cohort(on), runs_released=lambda _: frozenset({RUN})).check_release(cohort(on))


async def test_runs_let_in_together_do_not_all_release(stage: Build) -> None:
    on = stage(study_fields={"runs": 1})
    admission = admit(on)
    gate = gate_of(on)
    gate.rounds(admission, cohort(on), runs_released=none).check_release(cohort(on))
    # The journal does not have the first one yet.
    second = gate.rounds(replace(admission, run_id=OTHER_RUN), cohort(on), runs_released=none)
    assert refused(lambda: second.check_release(cohort(on))) == "study.runs-exhausted"


async def test_a_cohort_is_remembered_once_before_it_is_answered(stage: Build) -> None:
    on = stage()
    admission = admit(on)
    gate = gate_of(on)
    kept = on.nodes["a"].records
    assert kept.cohorts(admission.own.dataset_version) == []
    rounds = gate.rounds(admission, cohort(on), runs_released=none)
    rounds.check_round(0)
    assert kept.cohorts(admission.own.dataset_version) == []
    for _ in range(3):
        rounds.check_release(cohort(on))
    assert kept.cohorts(admission.own.dataset_version) == [cohort(on)]
    assert refused(lambda: gate.check_cohort(admission, cohort(on, "a", "b", "c"))) == "cohort.differencing"
    other = gate.rounds(replace(admission, run_id=OTHER_RUN), cohort(on), runs_released=none)
    assert refused(lambda: other.check_release(cohort(on, "a", "b", "d"))) == "cohort.differencing"
    assert kept.cohorts(admission.own.dataset_version) == [cohort(on)]


async def test_two_threads_do_not_both_answer(stage: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run has its own thread: between looking and remembering, another must not look."""
    on = stage()
    gate, admission, records = gate_of(on), admit(on), on.nodes["a"].records
    look = records.cohorts

    def slow(version: str) -> list[frozenset[str]]:
        found = look(version)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(records, "cohorts", slow)
    codes: list[str] = []
    together = threading.Barrier(3)

    def answer(run_id: str, names: tuple[str, ...]) -> None:
        rounds = gate.rounds(replace(admission, run_id=run_id), cohort(on, *names), runs_released=none)
        together.wait()
        try:
            rounds.check_release(cohort(on, *names))
            codes.append("answered")
        except RefusedError as error:
            codes.append(error.code)

    runs = [(RUN, ALL), (OTHER_RUN, ("a", "b", "c")), ("r-" + "c" * 16, ("a", "c", "d"))]
    threads = [threading.Thread(target=answer, args=one) for one in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["answered", "cohort.differencing", "cohort.differencing"]


@pytest.mark.parametrize(("names", "code"), [
    (("b", "c", "d"), "run.not-in-cohort"), (("a", "b"), "run.cohort-too-small"), (("a",), "run.cohort-too-small"),
])
async def test_a_cohort_that_is_too_small_or_not_ours(names: tuple[str, ...], code: str, stage: Build) -> None:
    on = stage()
    assert refused(lambda: gate_of(on).check_cohort(admit(on), cohort(on, *names))) == code


async def test_a_stranger_in_the_cohort(stage: Build) -> None:
    on = stage()
    whole = cohort(on) | {"z" * 52}
    assert refused(lambda: gate_of(on).check_cohort(admit(on), whole)) == "run.stranger-in-cohort"


async def test_what_is_not_installed_or_not_understood_is_refused(stage: Build) -> None:
    on = stage()
    unknown = on.approve(on.make_study(computation="test.unheard"))
    assert refused(lambda: admit(on, unknown)) == "computation.unknown"
    strange = on.approve(on.make_study(parameters={"rounds": 2, "where": "income > 5"}))
    assert refused(lambda: admit(on, strange)) == "computation.bad-parameters"


async def test_a_result_that_is_too_large_is_not_endorsed(stage: Build) -> None:
    on = stage()
    admission = admit(on)
    gate_of(on).check_result(admission, b"{}")
    assert refused(lambda: gate_of(on).check_result(admission, bytes(MAXIMUM_RESULT + 1))) == "result.too-large"


async def test_only_the_agreement_that_this_node_keeps_counts(stage: Build) -> None:
    """The same key signed another one once, and the coordinator shows that."""
    on = stage()
    on.nodes["a"].approve(on.study, rounds=1)
    assert refused(lambda: admit(on)) == "agreement.not-ours"


async def test_what_was_decided_is_kept(stage: Build) -> None:
    on = stage(study_fields={"rounds": 2})
    admission, records = admit(on), on.nodes["a"].records
    rounds = gate_of(on).rounds(admission, cohort(on), runs_released=none)
    for number in range(2):
        rounds.check_round(number)
        rounds.check_release(cohort(on))
    gate_of(on).check_result(admission, b"{}")
    assert records.refusals == []
    assert records.permits == {"offer": 1, "admission": 1, "round": 2, "release": 1, "result": 1}
    assert refused(lambda: rounds.check_round(2)) == "study.rounds-exhausted"
    assert [(moment, clause, error.code) for moment, clause, error in records.refusals] == [
        ("round", "rounds", "study.rounds-exhausted")]


async def test_a_full_disk_turns_no_refusal_into_something_else(stage: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    on = stage()
    records = on.nodes["a"].records

    def full(*said: object) -> None:
        raise UnavailableError("disk.full", "the disk is full")

    monkeypatch.setattr(records, "record_refusal", full)
    monkeypatch.setattr(records, "record_permits", full)
    admission = admit(on)
    records.quarantined = "break-in"
    assert refused(lambda: gate_of(on).check_result(admission, b"{}")) == "node.quarantined"
    monkeypatch.undo()
    records.quarantined = None
    gate_of(on).check_result(admission, b"{}")
    assert records.permits["admission"] == 1  # counted when there was room again


async def test_a_studys_limits_reach_the_computation_as_the_tightest_of_all(stage: Build) -> None:
    on = stage()
    said = on.nodes["c"].approve(on.study, minimum_count=7)
    others = [s for s in on.record.statements if s.public_key != said.public_key]
    assert admit(on, replace(on.record, statements=(*others, said))).limits.minimum_count.value == 7
