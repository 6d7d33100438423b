"""A study in plain words, for the steward who is asked to sign it."""

from __future__ import annotations

from typing import Any

from sealane.governance.defaults import Defaults
from sealane.governance.study import UNSECURED, Study
from sealane.governance.tariff import Tariff
from sealane.governance.terms import Terms, declared_budget, differences


def review(study: Study, terms: Terms, defaults: Defaults, opens: str) -> dict[str, Any]:
    """Return what an agreement under ``terms`` would allow, to whom, at what cost, and what the defaults change.

    Args:
        study: what was proposed.
        terms: what this institution would sign now.
        defaults: of the institution.
        opens: what the computation lets nodes see beside the result.
    """
    recipients = [party.name for party in study.recipients if party.fingerprint in terms.recipients]
    others = [party.name for party in study.participants]
    narrower = {name: {"study": _plain(wide), "here": _plain(own)}
                for name, (wide, own) in differences(terms, study).items() if name != "waives_differencing"}
    return {
        "allows": [
            f"use {study.computation} for {study.purpose} ({study.sector}), with exactly the parameters shown",
            f"over rows under {study.data_contract}, together with {', '.join(sorted(others))}",
            _hidden(study, terms),
            f"in at most {terms.runs} runs of at most {terms.rounds} rounds, "
            f"{f'from {terms.starts} ' if terms.starts else ''}until {terms.expires}",
            f"with the code {terms.code[:16]} of the computation, as it is installed here",
        ],
        "recipients": recipients,
        "outputs": list(terms.outputs),
        "privacy": _privacy(study),
        "opens": opens,
        "parameters": study.parameters,
        "narrower": narrower,
        "notes": _notes(study, recipients, defaults),
    }


def _hidden(study: Study, terms: Terms) -> str:
    """Return what stands between this institution's rows and the others."""
    if study.scheme == UNSECURED:
        return (f"without secure sums: {study.parameters.get('server')} runs the server half of the app "
                f"{study.parameters.get('app')} and sees what this institution sends by itself; the code "
                f"{str(study.parameters.get('code'))[:16]} of that app decides what it is, and runs here on the "
                f"columns {', '.join(study.parameters.get('columns', [])) or '(none)'}")
    return (f"in sums of at least {terms.minimum_cohort} institutions, {study.colluding} of which may collude, and "
            f"cells of at least {terms.minimum_count} rows")


def _privacy(study: Study) -> str:
    if study.scheme == UNSECURED:
        return ("none is promised: nothing is summed, no noise is added, and the minimum cohort and count protect "
                "nobody; an app may hold protection of its own, such as sealane.flower.secure_sum_mod")
    budget = declared_budget(study)
    if budget["epsilon"] is None:
        return ("sums are exact: no noise is added and no epsilon bounds what a result tells; the guard against "
                "differencing, the minimum cohort and the minimum count protect institutions and small cells")
    delta = f", delta {budget['delta']}" if budget["delta"] is not None else ""
    return f"epsilon {budget['epsilon']}{delta}, charged in full when a sum can open, and never given back"


def _notes(study: Study, recipients: list[str], defaults: Defaults) -> list[str]:
    """Return what a steward should look at twice."""
    notes = []
    if not recipients:
        notes.append("nobody could read a result under these terms")
    if len(study.participants) == 2 or study.colluding == 0:
        notes.append("of two institutions each learns the other's contribution by subtraction: it takes a waiver")
    if study.scheme == UNSECURED:
        notes.append("scheme none: read the app's code before you sign; by its hash it is the one that runs, and what "
                     "it sends and releases nobody checks")
    if defaults.purposes is None:
        notes.append("the defaults name no purposes: any purpose of the sector pack may be approved")
    return notes


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.describe() if isinstance(value, Tariff) else value
