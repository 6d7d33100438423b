"""``causal.ipw``: the average effect of a treatment, by weighting with propensity scores of all institutions together.

Nobody's score leaves its institution. Counts are opened and judged before sums of scores, those before sums of weights,
and those before anything of the outcome; a study without overlap ends before its outcome is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.causal.arms import Role, check_arms, check_events, read_outcome, read_treatment
from sealane.computations.causal.balance import open_balance, open_levels
from sealane.computations.causal.effect import open_effect
from sealane.computations.causal.ipw_result import IpwResult
from sealane.computations.causal.parameters import IpwParameters
from sealane.computations.causal.propensity import Propensity, scores
from sealane.computations.causal.support import Arms, Support, open_support
from sealane.computations.causal.weights import largest, weigh
from sealane.computations.design.layout import Design, Measured, lay_out, matrix, original_units
from sealane.computations.design.rare_outcomes import own_events_at_levels, rare_events_at
from sealane.computations.design.rebuild import describe
from sealane.computations.design.screening import Counts, screen, take_counts
from sealane.computations.design.variables import Array, Rows, Variables, read_rows, read_variables
from sealane.computations.disclosure import check_events_per_parameter, hidden_under
from sealane.computations.suppression import SMALL


class Ipw:
    """Inverse probability weighting with a federated propensity score."""

    outputs = ("model",)
    individual_level = False  # sums and coefficients over the cohort
    opens = "all sums of the two fits, counts of levels, and how scores and weights spread in bands"

    @property
    def name(self) -> str:
        """Return ``causal.ipw``."""
        return "causal.ipw"

    @property
    def parameters(self) -> type[IpwParameters]:
        """Return the model of its parameters."""
        return IpwParameters

    def columns(self, params: IpwParameters) -> list[str]:
        """Return treatment, outcome and features."""
        return [params.treatment_column, params.outcome, *params.model.variables]

    async def run(self, data: Dataset, cohort: Cohort, params: IpwParameters) -> Payload:
        """Estimate the effect.

        Raises:
            InputError: a column that cannot play its part, or rows outside the contract.
            RefusedError: too few rows, levels or events, a score without an answer (``model.separation`` …), or arms
                that are not comparable (``ipw.truncated``, ``ipw.no-common-support``, ``ipw.effective-rows``).
        """
        variables = read_variables(data.contract, params.model)
        own, roles = _read(data, params, variables)
        by_level = own_events_at_levels(own.rows, variables, own.arms[0])
        counts = await take_counts(cohort, own.rows, variables, own.numbers(roles) | by_level)
        basis = screen(counts, variables, cohort)
        treated, kept, m = counts.others["treated"], counts.kept, cohort.minimum_count
        check_arms(kept, treated, m)
        if roles[1].binary:
            check_events(kept, treated, counts.others["events"], counts.others["both"], m)
        measured = Measured(params.outcome, roles[1].low, roles[1].high, own.outcome)
        design = await lay_out(cohort, own.rows, variables, counts, intercept=True, beside=[measured])
        sizes = (treated, kept - treated)
        check_events_per_parameter(min(sizes), len(design.columns))
        compared = await open_levels(cohort, design, variables, own.rows, own.arms, sizes)
        x = matrix(design, own.rows)
        propensity = Propensity(cohort, design, x, own.treated, kept)
        beta, solution = await propensity.fit(params, treated / kept)
        score = scores(x @ beta)
        weights = weigh(score, own.arms[0], params.estimand, params.truncate)
        support = await open_support(cohort, params, propensity, score, weights, own.arms)
        top = largest(params.estimand, params.truncate)
        balance = await open_balance(cohort, propensity, support, weights, own.arms, x, compared, sizes,
                                     top)
        effect = await open_effect(cohort, propensity, support, weights, own.arms, x, own.outcome, score, roles[1],
                                   design.measured[params.outcome], top)
        return {
            "computation": self.name, "treatment": params.treatment_column, "outcome": params.outcome,
            "treated_level": roles[0].one, "event_level": roles[1].one,
            "binary": roles[1].binary, "estimand": params.estimand, "truncate": list(params.truncate),
            "confidence": params.confidence, "minimum_count": m, "nobs": kept,
            "dropped": hidden_under(counts.rows - kept, m), "arms": list(sizes),
            "effective_rows": list(support.effective), "mean_weights": _mean_weights(params, support, sizes),
            "truncated": hidden_under(support.truncated, m), "means": list(effect.means),
            "covariance": effect.covariance, "balance": balance, "overlap": support.released(m),
            "propensity": await _released(cohort, design, beta, effect.inverse, counts, solution.iterations),
            "basis": basis,
        }

    def present(self, payload: Payload) -> IpwResult:
        """Return the effect with its diagnostics."""
        return IpwResult(payload)


@dataclass(frozen=True, slots=True)
class _Own:
    """A node's own rows: private. Treatment and outcome are those of the kept ones."""

    rows: Rows
    treated: Array
    outcome: Array

    @property
    def arms(self) -> Arms:
        """Which kept rows are treated, and which are not."""
        return self.treated == 1.0, self.treated == 0.0

    def numbers(self, roles: tuple[Role, Role]) -> dict[str, int]:
        """Return the counts of arms and events."""
        event = (self.outcome == 1.0) & roles[1].binary
        return {"treated": int(self.arms[0].sum()), "events": int(event.sum()),
                "both": int(event[self.arms[0]].sum())}


def _read(data: Dataset, params: IpwParameters, variables: Variables) -> tuple[_Own, tuple[Role, Role]]:
    """Read a node's rows; return them with the public roles of treatment and outcome."""
    roles = read_treatment(data.contract, params), read_outcome(data.contract, params)
    frame = data.frame([params.treatment_column, params.outcome, *params.model.variables])
    rows = read_rows(frame, variables, params.missing)
    columns = [role.read(frame) for role in roles]
    kept = rows.kept & ~np.isnan(columns[0]) & ~np.isnan(columns[1])
    return _Own(replace(rows, kept=kept), columns[0][kept], columns[1][kept]), roles


def _mean_weights(params: IpwParameters, support: Support, sizes: tuple[int, int]) -> list[float]:
    """Return the mean weight of each arm; of stabilised ones near 1 where the score fits."""
    kept = sum(sizes)
    steady = params.stabilised and params.estimand == "ate"
    return [total / (kept if steady else size) for total, size in zip(support.totals, sizes, strict=True)]


async def _released(
    cohort: Cohort, design: Design, beta: Array, inverse: Array, counts: Counts, iterations: int
) -> dict[str, Any]:
    """Return the propensity score's coefficients and their covariance in the contract's units.

    Hidden where few rows at a level are in an arm: the score of a level and the information tell how many.
    """
    told = {"columns": design.names, "design": describe(design, filled=False), "iterations": iterations}
    if rare_events_at(counts, cohort.minimum_count, others_too=True) is not None:
        return told | {"params": None, "covariance": None, "hidden_by": SMALL}
    kept = counts.kept
    upper, settled = np.triu_indices(len(beta)), np.zeros_like(inverse)
    settled[upper] = await cohort.agree(inverse[upper] * kept) / kept
    coefficients, covariance = original_units(design, beta, np.triu(settled) + np.triu(settled, 1).T)
    return told | {"params": coefficients, "covariance": covariance, "hidden_by": None}
