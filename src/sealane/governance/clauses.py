"""Which clause a refusal comes from, by its code, and what the clause means: for whoever has to explain it."""

from __future__ import annotations

from sealane.errors import SealaneError

CLAUSE_OF = {
    "node.quarantined": "quarantine",
    "run.not-signed-here": "signature", "run.not-approved": "signature", "study.refused": "signature",
    "study.revoked": "revocation", "agreement.withdrawn-elsewhere": "revocation", "study.refused-before": "revocation",
    "agreement.suspended": "suspension",
    "study.expired": "time", "agreement.expired": "time", "agreement.not-yet": "time",
    "agreement.wrong-purpose": "terms", "agreement.other-terms": "terms", "agreement.wider-than-study": "terms",
    "agreement.budget-undeclared": "budget", "agreement.budget-exceeded": "budget",
    "agreement.code-changed": "code", "agreement.code-differs": "code",
    "dataset.changed": "dataset", "dataset.other-contract": "dataset",
    "run.stranger-in-cohort": "cohort", "run.not-in-cohort": "cohort", "run.cohort-too-small": "cohort",
    "agreement.cohort-too-small": "cohort", "cohort.differencing": "differencing",
    "study.rounds-exhausted": "rounds", "agreement.rounds-exhausted": "rounds",
    "study.runs-exhausted": "runs", "agreement.runs-exhausted": "runs",
    "agreement.no-recipient": "recipients", "agreement.recipient-abroad": "recipients",
    "agreement.output-not-allowed": "outputs", "result.too-large": "outputs",
    "study.not-private": "privacy budget", "study.price-exceeded": "privacy budget",
    "ledger.cap-exceeded": "privacy budget", "ledger.no-cap": "privacy budget",
    "ledger.releases-exhausted": "privacy budget", "ledger.unit-differs": "privacy budget",
    "ledger.not-reserved": "privacy price", "ledger.sum-without-noise": "privacy price",
    "ledger.sum-differs": "privacy price", "ledger.price-not-of-a-sum": "privacy price",
    "rows.differencing": "differencing",
    "agreement.unknown-term": "form", "agreement.missing-term": "form", "agreement.bad-value": "form",
    "agreement.malformed": "form", "statement.malformed": "form",
    "signature.invalid": "signature", "signature.malformed": "signature", "statement.wrong-key": "signature",
    "statement.other-study": "signature", "agreement.conflicting": "signature", "agreement.not-ours": "signature",
}
MEANING = {
    "quarantine": "the node refuses everything until its steward lifts the quarantine",
    "signature": "every participant's own valid signature over this study is needed",
    "revocation": "an institution withdrew, which is final for this study",
    "suspension": "the institution's steward put the agreement on hold",
    "time": "study and agreements hold between their start and their end only",
    "terms": "an agreement allows at most what the study says",
    "budget": "the privacy budget that was agreed bounds what a study may spend",
    "privacy budget": "what the ledger has counted on this dataset leaves no room for this run under the caps",
    "privacy price": "a computation with noise opens only the sums that it said it would, with no less noise",
    "code": "the computation that runs must be the code that every institution agreed to",
    "dataset": "an agreement covers one version of one dataset",
    "cohort": "a sum opens for enough institutions of the study only",
    "differencing": "sums already answered must not reveal one institution by subtraction",
    "rounds": "a run may have so many rounds",
    "runs": "a study may be run so many times",
    "recipients": "results go only where every agreement lets them",
    "outputs": "only agreed kinds of result leave",
    "form": "what is not understood cannot be kept, so it is refused",
}


def clause_of(error: SealaneError) -> str:
    """Return the clause that an error comes from; for other parts' errors the first part of its code."""
    return CLAUSE_OF.get(error.code) or error.code.partition(".")[0]


def meaning(clause: str) -> str | None:
    """Return what a clause means in plain words, if it is one of the policy's."""
    return MEANING.get(clause)
