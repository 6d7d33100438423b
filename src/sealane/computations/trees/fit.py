"""``trees.gbdt``: gradient-boosted trees over the rows of all institutions, grown by stock LightGBM."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from sealane.computations.base import Cohort, Dataset, Payload
from sealane.computations.disclosure import hidden_under
from sealane.computations.trees.bins import Bins, agree_on_bins
from sealane.computations.trees.boosting import Boosted, Boosting
from sealane.computations.trees.model_text import (
    FLOATS,
    add_base,
    check,
    gather_floats,
    in_units,
    put_floats,
    read_trees,
    write_model,
)
from sealane.computations.trees.parameters import GbdtParameters
from sealane.computations.trees.permission import Rule, check_quantile, rule_for
from sealane.computations.trees.result import GbdtResult
from sealane.computations.trees.rows import Asked, read_asked, read_own
from sealane.computations.trees.screening import Screened, screen
from sealane.errors import RefusedError


class Gbdt:
    """Gradient-boosted trees."""

    outputs = ("model",)
    individual_level = False  # every leaf rests on 20 times the minimum count of rows, of several institutions
    opens = ("by node of a tree and bin: gradients, rows (weights), institutions' first and last; by score: rows; "
             "reach of outcomes")

    @property
    def name(self) -> str:
        """Return ``trees.gbdt``."""
        return "trees.gbdt"

    @property
    def late(self) -> tuple[str, ...]:
        """Return what a sandbox imports beforehand, where LightGBM is installed: all take long to load."""
        if find_spec("lightgbm") is None:
            return ()
        return "lightgbm", "sealane.computations.trees.kernels", "sealane.computations.trees.bin_kernels"

    @property
    def parameters(self) -> type[GbdtParameters]:
        """Return the model of its parameters."""
        return GbdtParameters

    def columns(self, params: GbdtParameters) -> list[str]:
        """Return outcome, features and weight."""
        return [params.outcome, *params.features, *([params.weight] if params.weight else [])]

    def exchanges(self, params: GbdtParameters) -> int:
        """Return most exchanges of a run: a histogram and a verdict for every leaf, of trees of up to 50 classes."""
        trees = params.rounds * (50 if params.params.objective == "multiclass" else 1)
        return 100 + trees * 2 * params.params.num_leaves

    async def run(self, data: Dataset, cohort: Cohort, params: GbdtParameters) -> Payload:
        """Train the model.

        Raises:
            InputError: a column that cannot play its part, rows outside the contract, or no LightGBM here.
            RefusedError: too few rows, events or institutions, or nothing that may be split.
            ProtocolError: LightGBM asks for what is not known, or grows another tree than was followed.
        """
        asked = read_asked(data.contract, params)
        own = read_own(data, asked)
        rule = rule_for(cohort, params.params.min_data_in_leaf)
        check_quantile(params.params, rule, cohort.minimum_count)
        screened = await screen(cohort, asked, own, rule.rows)
        kept = screened.kept
        whole = bool(kept.all())  # then a copy would be in vain
        values = {}
        for feature in asked.features:  # what is copied is let go of at once, and what has a code as well
            column = own.features.pop(feature.name)
            values[feature.name] = column if whole else column[kept]
        bins = await agree_on_bins(cohort, asked.features, values, screened.used, screened.missing, screened.levels,
                                   params.params.max_bin)
        useful = tuple(one for one in bins if one.useful)
        if not useful:
            raise RefusedError("trees.constant-features", "no feature varies", got="one bin of each",
                               expected="a feature with two bins of the minimum count of rows")
        codes = np.empty((len(own.outcome[kept]), len(useful)), np.uint8)
        for place, one in enumerate(useful):
            codes[:, place] = one.codes(values.pop(one.feature.name))
        values.clear()
        boosting = Boosting(cohort, params, asked, useful, codes, own.outcome[kept], own.weight[kept], rule,
                            screened.used)
        boosted = await boosting.run()
        text = await _model(cohort, params, asked, useful, boosted)
        return _payload(cohort, params, asked, screened, bins, rule, boosted, text)

    def present(self, payload: Payload) -> GbdtResult:
        """Return the result with a LightGBM booster."""
        return GbdtResult(payload)


async def _model(cohort: Cohort, params: GbdtParameters, asked: Asked, useful: tuple[Bins, ...],
                 boosted: Boosted) -> str:
    """Return the model file: floats settled, units of the contract."""
    trees = read_trees(boosted.text)[: len(boosted.made)]
    for tree, made, outputs in zip(trees, boosted.made, boosted.outputs, strict=True):
        check(tree, made, useful)
        if boosted.renewed:
            put_floats([tree], "leaf_value", np.array(outputs))
    for name in FLOATS:
        values = gather_floats(trees, name)
        if values.size:
            put_floats(trees, name, await cohort.agree(values))
    places = [params.features.index(one.feature.name) for one in useful]
    for tree in trees:
        in_units(tree, useful, places)
    for tree, base in zip(trees, boosted.base, strict=False):
        add_base(tree, base)
    noted: dict[str, Any] = {"boosting": "gbdt", "objective": asked.target.objective, "num_iterations": boosted.rounds}
    noted |= {name: value for name, value in params.params.model_dump(mode="json").items()
              if name not in ("objective", "monotone_constraints")}
    monotone = [params.params.monotone_constraints.get(name, 0) for name in params.features]
    return write_model(trees, asked.features, useful, boosted.line, asked.target.scores, monotone, noted)


def _payload(cohort: Cohort, params: GbdtParameters, asked: Asked, screened: Screened, bins: tuple[Bins, ...],
             rule: Rule, boosted: Boosted, text: str) -> Payload:
    tally = boosted.tally
    described = [{"name": one.feature.name, "levels": list(one.feature.levels), "zero": one.feature.zero,
                  "type": one.feature.field.type, "edges": list(one.edges), "apart": list(one.levels),
                  "missing": one.missing} for one in bins]
    return {
        "computation": "trees.gbdt",
        "outcome": asked.target.field.name,
        "objective": asked.target.objective,
        "classes": list(asked.target.classes),
        "features": described,
        "model": text,
        "rounds": boosted.rounds,
        "trees": len(boosted.made),
        "history": boosted.history,
        "metrics": boosted.metrics,
        "nobs": screened.used,
        "dropped": hidden_under(screened.rows - screened.used, cohort.minimum_count),
        "basis": screened.basis,
        "smallest_leaf": {"rows": rule.rows, "institutions": rule.institutions},
        "sums": {"rounds_per_tree": tally.rounds / max(boosted.grown, 1),
                 "trees_grown": boosted.grown,
                 "barred_splits": tally.barred, "replaced_splits": tally.replaced, "verdicts_asked": tally.asked,
                 "histograms_unused": tally.unused},
    }
