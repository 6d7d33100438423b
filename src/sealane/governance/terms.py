"""What one institution allows under a study: the study's own terms, or narrower ones."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

from sealane.core.canonical import content_hash
from sealane.core.clock import from_text
from sealane.errors import RefusedError
from sealane.governance.study import Study
from sealane.governance.tariff import Tariff

DECIMAL = re.compile(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,18})?")
COUNTRY = re.compile(r"[A-Z]{2}")
OUTPUT = re.compile(r"[a-z][a-z-]{0,31}")


@dataclass(frozen=True, slots=True)
class Terms:
    """All that an agreement allows; what is not named here is not allowed.

    Attributes:
        purpose: what a result may be used for.
        computation: dotted name of the one computation.
        parameters: SHA-256 over its canonical parameters, hex.
        code: hash of the source of the computation as installed where it was signed, hex.
        participants: fingerprints, sorted.
        minimum_cohort: fewest institutions behind a sum.
        minimum_count: fewest rows behind a released cell.
        recipients: fingerprints to which results may go, sorted.
        jurisdictions: ISO 3166-1 alpha-2 codes that the study may state for recipients; None for any or none.
        outputs: kinds of result that may leave, sorted.
        rounds: most rounds of a run.
        runs: most runs.
        starts: moment before which nothing runs, or None.
        expires: moment from which nothing runs.
        epsilon: most privacy loss of the study, exact decimal, or None for no cap.
        delta: the same for delta.
        tariff: prices, or None.
        waives_differencing: whether sums may be opened from which this institution's own contribution follows.
    """

    purpose: str
    computation: str
    parameters: str
    code: str
    participants: tuple[str, ...]
    minimum_cohort: int
    minimum_count: int
    recipients: tuple[str, ...]
    jurisdictions: tuple[str, ...] | None
    outputs: tuple[str, ...]
    rounds: int
    runs: int
    starts: str | None
    expires: str
    epsilon: str | None = None
    delta: str | None = None
    tariff: Tariff | None = None
    waives_differencing: bool = False


def terms_of(study: Study, *, code: str, outputs: tuple[str, ...]) -> Terms:
    """Return the widest terms that a study allows: its own."""
    return Terms(
        purpose=study.purpose, computation=study.computation, parameters=content_hash(study.parameters).hex(),
        code=code, participants=tuple(party.fingerprint for party in study.participants),
        minimum_cohort=study.smallest_cohort, minimum_count=study.minimum_count,
        recipients=tuple(party.fingerprint for party in study.recipients), jurisdictions=None,
        outputs=tuple(sorted(outputs)), rounds=study.rounds, runs=study.runs, starts=None, expires=study.expires)


def narrow(terms: Terms, study: Study, **changes: Any) -> Terms:
    """Return terms with an institution's own changes, which may only narrow what the study says.

    Raises:
        RefusedError: a change would allow more than the study does.
    """
    narrowed = replace(terms, **changes)
    check_within(narrowed, study)
    return narrowed


def check_within(terms: Terms, study: Study) -> None:
    """Check that terms allow nothing that the study does not.

    Raises:
        RefusedError: another purpose, computation, parameter or participant, or a wider limit.
    """
    whole = terms_of(study, code=terms.code, outputs=terms.outputs)
    if terms.purpose != whole.purpose:
        raise RefusedError("agreement.wrong-purpose", "the agreement is for another purpose than the study",
                           got=terms.purpose[:63], expected=whole.purpose,
                           hint="it was made for another study: have it signed again")
    for name in ("computation", "parameters", "participants"):
        if getattr(terms, name) != getattr(whole, name):
            raise RefusedError("agreement.other-terms", f"the agreement names other {name} than the study",
                               got=str(getattr(terms, name))[:120], expected=str(getattr(whole, name))[:120],
                               hint="it was made for another study: have it signed again")
    wider = [name for name, is_wider in (
        ("minimum_cohort", terms.minimum_cohort < whole.minimum_cohort),
        ("minimum_count", terms.minimum_count < whole.minimum_count),
        ("recipients", not set(terms.recipients) <= set(whole.recipients)),
        ("rounds", not 1 <= terms.rounds <= whole.rounds), ("runs", not 1 <= terms.runs <= whole.runs),
        ("expires", from_text(terms.expires) > from_text(whole.expires)),
    ) if is_wider]
    if wider:
        first = wider[0]
        raise RefusedError("agreement.wider-than-study", f"an agreement can only narrow the study's {first}",
                           got=str(getattr(terms, first))[:120], expected=str(getattr(whole, first))[:120],
                           hint="for more than the study allows, have another study proposed")
    _check_budget(terms, study)


def differences(terms: Terms, study: Study) -> dict[str, tuple[Any, Any]]:
    """Return, by name of the term, what the study says and what the agreement says, where they differ."""
    whole = terms_of(study, code=terms.code, outputs=terms.outputs)
    return {field.name: (getattr(whole, field.name), getattr(terms, field.name)) for field in fields(Terms)
            if getattr(whole, field.name) != getattr(terms, field.name)}


def declared_budget(study: Study) -> dict[str, str | None]:
    """Return the epsilon and delta that a study declares, None where it declares none."""
    return {name: getattr(study, name, None) for name in ("epsilon", "delta")}


def _check_budget(terms: Terms, study: Study) -> None:
    """A cap holds only against a study that says what it spends: sums without noise have no bound."""
    for name, declared in declared_budget(study).items():
        cap = getattr(terms, name)
        if cap is None:
            continue
        if declared is None:
            raise RefusedError("agreement.budget-undeclared", f"the agreement caps {name} and the study declares none",
                               got="no bound", expected=f"at most {cap}",
                               hint="without noise no cap can hold: have a study with a budget proposed")
        if Decimal(str(declared)) > Decimal(cap):
            raise RefusedError("agreement.budget-exceeded", f"the study declares more {name} than the agreement allows",
                               got=declared, expected=f"at most {cap}",
                               hint="have a study with a smaller budget proposed, or raise the cap")
