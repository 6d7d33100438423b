"""The rounds of boosting: gradients of own rows, one tree after the other, scores, losses, and when to stop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from sealane.computations.base import Cohort, Term, count
from sealane.computations.disclosure import effective_rows
from sealane.computations.trees.bins import Bins
from sealane.computations.trees.calls import RootSums
from sealane.computations.trees.fixed_point import Grid, grid
from sealane.computations.trees.ground import Ground, Tally
from sealane.computations.trees.group_quantiles import group_quantiles
from sealane.computations.trees.growth import Answering, Growth
from sealane.computations.trees.histograms import Opened, Terms
from sealane.computations.trees.library import Ended, Library
from sealane.computations.trees.mirror import Step
from sealane.computations.trees.objectives import Loss, Span
from sealane.computations.trees.parameters import GbdtParameters
from sealane.computations.trees.permission import Rule
from sealane.computations.trees.ranking import cells_of, masses_of, ranked
from sealane.computations.trees.reach import beyond, bound_of
from sealane.computations.trees.rows import Asked
from sealane.computations.trees.sampling import Sample, chosen_features, drawn, private_seed
from sealane.computations.trees.table import goes_left
from sealane.errors import RefusedError

Array = NDArray[np.float64]
R = TypeVar("R")


@dataclass(slots=True)
class Boosted:
    """What came of it; the same at every node.

    Attributes:
        text: the model as LightGBM wrote it.
        made: the splits of each tree that is kept.
        outputs: of the leaves of each tree that is kept.
        renewed: whether these are quantiles, and not what LightGBM wrote.
        base: first score by class.
        line: of the objective in a model file.
        rounds: that are kept.
        grown: trees that were grown, those that early stopping threw away included.
        history: mean losses before each round and after the last, by part.
        metrics: of the model that is kept, by part.
        tally: of the trees' sums.
    """

    text: str
    made: list[list[Step]]
    outputs: list[list[float]]
    renewed: bool
    base: list[float]
    line: str
    rounds: int
    grown: int
    history: dict[str, list[float]]
    metrics: dict[str, dict[str, float]]
    tally: Tally


@dataclass(slots=True)
class _State:
    """Own scores and public facts while rounds go on."""

    score: Array
    span: Span
    made: list[list[Step]] = field(default_factory=list)
    outputs: list[list[float]] = field(default_factory=list)
    history: dict[str, list[float]] = field(default_factory=lambda: {"training": [], "validation": []})


class Boosting:
    """All rounds of one run at one node.

    Args:
        cohort: of the run.
        params: of the run.
        asked: what is public of the columns.
        bins: of the useful features.
        codes: own rows as numbers of bins, ``(n_rows, features)``.
        outcome: own outcomes.
        weight: own weights.
        rule: that splits must pass.
        used: rows of the cohort.
    """

    def __init__(self, cohort: Cohort, params: GbdtParameters, asked: Asked, bins: tuple[Bins, ...],
                 codes: NDArray[np.uint8], outcome: Array, weight: Array, rule: Rule, used: int) -> None:
        self._cohort, self._params, self._asked, self._bins = cohort, params, asked, bins
        self._codes, self._used = codes, used
        # LightGBM holds outcomes and weights in single precision.
        weight = weight.astype(np.float32).astype(np.float64)
        self._outcome, self._weight = outcome.astype(np.float32), weight
        target, trees = asked.target, params.params
        self._loss = Loss(target.objective, target.scores, target.low, target.high, trees.scale_pos_weight,
                          trees.poisson_max_delta_step, trees.alpha)
        self._seed = private_seed(params.seed, codes, self._outcome, weight)
        held = drawn(self._seed, "validation", len(codes), params.validation_fraction)
        self._held = held if params.validation_fraction else np.zeros(len(codes), np.bool_)
        parts: dict[str, Any] = {"training": slice(None)}
        if params.validation_fraction:
            parts = {"training": ~self._held, "validation": self._held}
        self._parts = {part: (rows, weight[rows].sum()) for part, rows in parts.items()}
        self._heaviest = asked.heaviest
        self._rule = rule
        self._sample: Sample | None = None

    async def run(self) -> Boosted:
        """Boost.

        Raises:
            RefusedError: ``trees.no-split``, or the outcome does not vary.
        """
        minimum = self._cohort.minimum_count
        if self._params.validation_fraction:
            held = int(self._held.sum())
            await self._behind({"rows held back": (held, minimum),
                                "rows learned from": (len(self._held) - held, minimum)})
        means = await self._means()
        await self._reach(means[0])
        weights = None
        if self._asked.weight is not None:
            weights = self._weight, self._grid(), self._grid(self._heaviest)
        self._ground = Ground(self._cohort, self._bins, self._codes, self._rule, self._params.params, self._used,
                              weights, Tally())
        base = await self._base(means)
        state = _State(np.repeat(np.array(base)[:, None], len(self._codes), axis=1), Span(tuple(base), tuple(base)))
        library = Library(self._bins, self._settings())
        try:
            rounds = await self._rounds(library, state)
            if rounds == 0:
                raise self._nothing()
            text = library.text(rounds)
        finally:
            library.close()
        history = {part: values for part, values in state.history.items() if values}
        metrics = {part: {self._loss.metric: values[rounds]} for part, values in history.items()}
        kept = rounds * self._loss.scores
        boosted = Boosted(text, state.made[:kept], state.outputs[:kept], self._loss.quantile is not None, base,
                          self._loss.line, rounds, len(state.made), history, metrics, self._ground.tally)
        await self._rank(boosted, state)
        return boosted

    def _nothing(self) -> RefusedError:
        barred = self._ground.tally.barred
        return RefusedError(
            "trees.no-split", "no split is permitted that explains the outcome", got=f"{barred} splits barred",
            expected=f"children of {self._rule.rows} rows of {self._rule.institutions} institutions",
            hint="ask for more rows, or leave out features that tell institutions apart" if barred else
                 "no split gains anything: ask for other features or more rows, or lower min_data_in_leaf, "
                 "min_sum_hessian_in_leaf, min_gain_to_split and lambda_l1")

    def _grid(self, largest: float = 1.0) -> Grid:
        """Return the grid for sums over all rows of weighted numbers up to ``largest``."""
        return grid(self._used, largest * self._heaviest, self._cohort.size)

    async def _means(self) -> list[float]:
        """Return the mean outcome of the rows that are learned from, or the share of each class."""
        own, weight = self._outcome[~self._held].astype(np.float64), self._weight[~self._held]
        target = self._asked.target
        shares = range(self._loss.scores) if target.objective == "multiclass" else [None]
        sums = [weight.sum(), *((weight * (own if k is None else own == k)).sum() for k in shares)]
        fine = self._grid(max(1.0, abs(target.low), abs(target.high)))
        opened = fine.fine_values((await self._cohort.sum({"outcome": fine.fine_term(np.array(sums))}))["outcome"])
        means = [float(value) / float(opened[0]) for value in opened[1:]] if opened[0] > 0 else [0.0]
        inside = {"binary": all(0 < mean < 1 for mean in means), "poisson": means[0] > 0,
                  "multiclass": all(mean > 0 for mean in means)}
        if opened[0] <= 0 or not inside.get(target.objective, True):
            raise RefusedError("trees.constant-outcome", "the outcome does not vary among the rows learned from",
                               expected="rows with and without the event, or of every class")
        return means

    async def _reach(self, mean: float) -> None:
        """Have the objective's limits, and the heaviest row, follow the data: one sum, where either may be wide."""
        largest: dict[str, tuple[Array, float]] = {}
        if self._loss.ranged:
            largest["outcome"] = (np.abs(self._outcome.astype(np.float64) - mean),
                                  max(self._loss.high - mean, mean - self._loss.low, 0.0))
        if self._asked.weight is not None:
            largest["weight"] = self._weight, self._heaviest
        if not largest:
            return
        opened = await self._cohort.sum({f"reach {name}": beyond(*one) for name, one in largest.items()})
        found = {name: bound_of(opened[f"reach {name}"], most) for name, (_, most) in largest.items()}
        self._heaviest = found.get("weight", self._heaviest)
        if "outcome" in found:
            self._loss = self._loss.within(mean, found["outcome"])

    async def _base(self, means: list[float]) -> list[float]:
        """Return the first score of every row."""
        if self._loss.quantile is not None:
            everyone = np.flatnonzero(~self._held).astype(np.int32)
            return await self._quantiles("base", self._outcome.astype(np.float64), [everyone], Span((0.0,), (0.0,)))
        return [float(value) for value in await self._cohort.agree(np.array(self._loss.base(means)))]

    async def _rounds(self, library: Library, state: _State) -> int:
        """Grow trees until all are grown or nothing is gained, and return how many rounds are kept."""
        patience = self._params.early_stopping_rounds
        for number in range(self._params.rounds):
            if not await self._one(library, state, number):
                break
            if patience is not None and _best(state.history["validation"]) + patience <= number:
                break
        done = len(state.made) // self._loss.scores
        if len(state.history["training"]) == done:
            self._note(state, await self._cohort.sum(self._losses(state)))
        return done if patience is None else min(done, max(1, _best(state.history["validation"])))

    async def _one(self, library: Library, state: _State, number: int) -> bool:
        """Grow the trees of one round, and return whether there was anything to split."""
        if self._asked.target.objective == "poisson" and number:
            # The extremes of all trees together bound a mean far above any that a row has, and with it the gradient.
            above = [int(bool((state.score[0] > level).any())) for level in state.span.levels()]
            opened = await self._cohort.sum({f"levels {number}": count(above, 1)})
            state.span = state.span.lowered(opened[f"levels {number}"].tolist())
        from sealane.computations.trees.kernels import raise_scores  # numba takes a while to load

        first, second = self._loss.gradients(state.score, self._outcome, self._weight)
        grids = tuple(self._grid(one) for one in self._loss.bounds(state.span))
        sample = await self._drawn(number)
        library.begin()
        grown: list[tuple[list[NDArray[np.int32]], list[Step]]] = []
        growth: Growth | None = None
        while True:
            call = library.next()
            if isinstance(call, RootSums | Ended) and growth is not None:
                grown.append(growth.finish())
            if isinstance(call, Ended):
                break
            if isinstance(call, RootSums):
                place = len(grown)
                label = f"tree {number * self._loss.scores + place}"
                growth = Growth(self._ground, label, sample, first[place], second[place], (grids[0], grids[1]),
                                chosen_features(self._params.seed, label, len(self._bins),
                                                self._params.params.feature_fraction))
                others = self._losses(state) if place == 0 else {}
                root = growth.root(call, others)
                answer, opened = await self._carried(root, root.send(None))
                if others:
                    self._note(state, opened)
                library.follow(growth.answer)
            else:
                answer = await self._carried(call.work, call.terms)
            library.answer(answer)
        if call.finished or not any(made for _, made in grown):
            return False
        for place, (leaves, made) in enumerate(grown):
            outputs = library.leaves(number * self._loss.scores + place, len(made) + 1)
            if self._loss.quantile is not None:
                rate = self._params.params.learning_rate
                residuals = (self._outcome - state.score[0]).astype(np.float64)
                found = await self._quantiles(f"leaves {number}", residuals, leaves, state.span)
                outputs = [rate * value for value in found]
            state.made.append(made)
            state.outputs.append(outputs)
            state.span = state.span.widened(place, outputs)
            if int(sample.rows.size) == len(self._codes):
                for leaf, output in zip(leaves, outputs, strict=True):
                    raise_scores(state.score[place], leaf, output)
            else:  # rows that were not drawn have a score as well
                state.score[place] += np.array(outputs)[route(self._codes, self._bins, made)]
        return True

    async def _carried(self, work: Answering[R], terms: Terms) -> R:
        """Carry on what waits for a sum, until it is done."""
        while True:
            opened = await self._cohort.sum(terms)
            try:
                terms = work.send(opened)
            except StopIteration as done:
                return cast(R, done.value)

    async def _drawn(self, number: int) -> Sample:
        """Return the rows that the trees of a round learn from."""
        trees = self._params.params
        bagged = trees.bagging_freq > 0 and trees.bagging_fraction < 1.0
        label = f"bag {number // trees.bagging_freq}" if bagged else "all"
        if self._sample is None or label != self._sample.label:
            rows = ~self._held
            if bagged:
                rows &= drawn(self._seed, label, len(rows), trees.bagging_fraction)
            own = np.flatnonzero(rows).astype(np.int32)
            samples = {f"rows of {label}": (own.size, 2 * self._rule.rows)}
            if bagged:  # another bag, or what is opened of all rows, shows the sums over those that are left out
                left = int((~self._held).sum()) - own.size
                samples[f"rows left out of {label}"] = left, self._cohort.minimum_count
            self._sample = Sample(label, own, (await self._behind(samples))[0])
        return self._sample

    async def _behind(self, samples: dict[str, tuple[int, int]]) -> list[int]:
        """Return how many rows of the cohort are in samples, before anything else of them is summed.

        Args:
            samples: own rows, and the fewest that the cohort may have, by name.

        Raises:
            RefusedError: ``trees.sample-too-small``.
        """
        opened = await self._cohort.sum({what: count([own], self._used) for what, (own, _) in samples.items()} | {
            f"institutions with {what}": count([int(own > 0)], 1) for what, (own, _) in samples.items()})
        for what, (_, fewest) in samples.items():
            rows, institutions = int(opened[what][0]), int(opened[f"institutions with {what}"][0])
            if rows < fewest or institutions < self._rule.institutions:
                raise RefusedError("trees.sample-too-small", "too few rows or institutions are in a sample of rows",
                                   got=what, expected=f"{fewest} rows of {self._rule.institutions} institutions",
                                   hint="change bagging_fraction or validation_fraction; 1 and 0 draw nothing")
        return [int(opened[what][0]) for what in samples]

    def _losses(self, state: _State) -> dict[str, Term]:
        """Return the terms of the weighted losses and weights by part."""
        self._loss_grid = self._grid(self._loss.largest_loss(state.span))
        losses = self._loss.losses(state.score, self._outcome) * self._weight
        return {f"loss {part}": self._loss_grid.fine_term(np.array([losses[rows].sum(), mass]))
                for part, (rows, mass) in self._parts.items()}

    def _note(self, state: _State, opened: Opened) -> None:
        for part, values in state.history.items():
            if f"loss {part}" in opened:
                loss, mass = self._loss_grid.fine_values(opened[f"loss {part}"]).tolist()
                values.append(loss / mass)

    async def _rank(self, boosted: Boosted, state: _State) -> None:
        """Add AUC and the like of the rounds that are kept, for a binary outcome: one sum.

        Weighted where rows are, as LightGBM's; not told where few rows, or few heavy ones, stand behind a side.
        """
        if self._asked.target.objective != "binary":
            return
        score = state.score
        if boosted.grown != len(boosted.made):
            score = np.full_like(score, boosted.base[0])
            for made, outputs in zip(boosted.made, boosted.outputs, strict=True):
                score[0] += np.array(outputs)[route(self._codes, self._bins, made)]
        part = "validation" if self._params.validation_fraction else "training"
        rows = self._held if part == "validation" else ~self._held
        logits, event, weight = score[0, rows], self._outcome[rows] > 0, self._weight[rows]
        sides, weights, minimum = cells_of(logits, event), self._ground.weights, self._cohort.minimum_count
        if weights is None:
            total = (await self._cohort.sum({"scores": count(sides, self._used)}))["scores"]
            if total.sum(axis=1).min() >= minimum:
                boosted.metrics[part] |= ranked(total)
            return
        squares = np.array([(weight[event == one] ** 2).sum() for one in (False, True)])
        opened = await self._cohort.sum({
            "scores": weights[1].term(masses_of(logits, event, weight)), "squares": weights[2].term(squares),
            "sides": count(sides.sum(axis=1), self._used)})
        heavy = zip(weights[1].values(opened["scores"].sum(axis=1)), weights[2].values(opened["squares"]), strict=True)
        if opened["sides"].min() >= minimum and min(effective_rows(*map(float, one)) for one in heavy) >= minimum:
            boosted.metrics[part] |= ranked(opened["scores"])

    async def _quantiles(self, label: str, values: Array, groups: list[NDArray[np.int32]], span: Span) -> list[float]:
        """Return the objective's quantile of the values of each group of own rows, over the cohort."""
        assert self._loss.quantile is not None
        limits = (self._loss.low - span.high[0], self._loss.high - span.low[0])
        return await group_quantiles(self._cohort, label, [values[rows] for rows in groups],
                                     [self._weight[rows] for rows in groups], self._grid(), limits,
                                     self._loss.quantile)

    def _settings(self) -> dict[str, Any]:
        trees = self._params.params
        names = ("num_leaves", "learning_rate", "max_depth", "min_sum_hessian_in_leaf", "lambda_l1", "lambda_l2",
                 "min_gain_to_split", "max_delta_step", "path_smooth", "max_cat_to_onehot", "max_cat_threshold",
                 "cat_l2", "cat_smooth", "min_data_per_group", "monotone_penalty")
        settings = {name: getattr(trees, name) for name in names}
        settings["min_data_in_leaf"] = self._rule.rows
        directions = [trees.monotone_constraints.get(one.feature.name, 0) for one in self._bins]
        if any(directions):
            settings["monotone_constraints"] = [0, *directions]
        if self._loss.scores > 1:
            settings["num_class"] = self._loss.scores
        return settings


def route(codes: NDArray[np.uint8], bins: tuple[Bins, ...], made: list[Step]) -> NDArray[np.int64]:
    """Return the leaf of every own row, by LightGBM's numbers."""
    leaf = np.zeros(len(codes), np.int64)
    for number, step in enumerate(made, start=1):
        inside = np.flatnonzero(leaf == step.leaf)
        one = bins[step.split.feature - 1]
        column = codes[inside, step.split.feature - 1]
        leaf[inside[~goes_left(column, step.split, one.number - 1 if one.missing else None)]] = number
    return leaf


def _best(losses: list[float]) -> int:
    """Return after how many rounds a loss was smallest."""
    return min(range(len(losses)), key=lambda place: (losses[place], place))
