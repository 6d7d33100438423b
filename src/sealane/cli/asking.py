"""One study of the demo: proposed, signed by every node's steward, run, and turned into a chapter's report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sealane.cli.demo_steps import Teller, study_part
from sealane.cli.local_federation import DATASET, LocalFederation
from sealane.client.connection import Finished
from sealane.client.report.results.regression import coefficients, ratio
from sealane.client.session import Opened
from sealane.governance.study import Study, parse_study
from sealane.governance.study_file import StudyFile

APPROVAL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one federation.

    Attributes:
        name: of the study.
        computation: dotted name.
        parameters: of the computation.
        step: what is told as it begins.
        waive: every institution signs that its own contribution may become computable.
        dataset: that every institution signs for.
        epsilon: most privacy that the run may cost, with ``delta``; None for a computation without noise.
        delta: see above.
    """

    name: str
    computation: str
    parameters: Mapping[str, Any]
    step: str
    waive: bool = False
    dataset: str = DATASET
    epsilon: str | None = None
    delta: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    Attributes:
        study: as it was signed.
        result: as the analyst sees it.
        report: fields of the run's report.
        opened: the result as it was endorsed.
    """

    study: Study
    result: Any
    report: dict[str, Any] = field(repr=False)
    opened: Opened = field(repr=False)


def ask(
    federation: LocalFederation, example: Any, question: Question, rows: Mapping[str, int], teller: Teller
) -> Answer:
    """Put one question to a federation, and wait for its answer."""
    teller.step(question.step)
    record = federation.analyst.propose(StudyFile(
        name=question.name, sector=example.sector, purpose=example.purpose, data_contract=example.contract,
        computation=question.computation, participants=list(example.institutions), valid_days=1, runs=1,
        epsilon=question.epsilon, delta=question.delta, parameters=dict(question.parameters)))
    study = parse_study(record.study)
    federation.approve(study.hash, waive_differencing=question.waive, dataset=question.dataset)
    federation.analyst.await_approvals(record, APPROVAL_SECONDS, lambda line: None)
    finished = federation.analyst.finish(federation.analyst.session.start(study.hash), teller.status)
    return Answer(study, finished.present_traced(), report_of(study, finished, rows), finished.opened)


def report_of(study: Study, finished: Finished, rows: Mapping[str, int]) -> dict[str, Any]:
    """Return a run's report, as far as the run itself tells it."""
    shown, trace = finished.present_traced().to_dict(), finished.trace
    return {
        "sector": study.sector, "study": study_part(study, rows), "cohort": sorted(trace.cohort),
        "rounds": trace.rounds, "bytes_sent": dict(trace.bytes_sent), "wall_s": round(trace.seconds, 3),
        "run": trace.run_id, "result": shown, "ratio": ratio(shown),
        "coefficients": [one.model_dump() for one in coefficients(shown)],
    }
