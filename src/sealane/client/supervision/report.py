"""The report itself: the sections that the sector's pack declares, each filled from the case."""

from __future__ import annotations

from collections.abc import Callable

from sealane.client.report.tables import enumerated
from sealane.client.supervision import agreed, closing, judged
from sealane.client.supervision.case import Case
from sealane.client.supervision.document import Part, Section, Told
from sealane.sectors.supervision import Shows

FILLED: dict[Shows, Callable[[Case], Part]] = {
    "purpose": agreed.purpose, "institutions": agreed.institutions, "data": agreed.data, "method": agreed.method,
    "released": judged.released, "protection": agreed.protection, "performance": judged.performance,
    "fairness": judged.fairness, "explanation": judged.explanation, "claims": judged.claims,
    "limits": closing.limits, "verification": closing.verification,
}


def tell(case: Case) -> Told:
    """Return the report."""
    model = case.evidence[0]
    others = len(case.evidence) - 1
    study = model.study
    lead = (f"{study.name} ({study.computation}), for {study.purpose}, by {enumerated(model.cohort)}. "
            f"Evidence of {'one run' if not others else f'{others + 1} runs'} was verified before this was written; "
            "each statement says who vouches for it.")
    sections = [Section(one.shows, one.heading, one.text, FILLED[one.shows](case)) for one in case.form.sections]
    return Told(case.form.title, case.pack.name, lead, case.created, sections, case.note)
