"""Which levels of a category get a column in which term, so that no column follows from the others.

Source: the coding of patsy (N. Smith, "From formula to design matrix"), which is R's made consistent: each term is
split into the parts that earlier terms do not span, a category reduced by its reference level or whole, and parts are
joined again where that gives the same span in fewer pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from sealane.computations.design.terms import Factor, Term
from sealane.computations.design.variables import Variables

Coded = dict[str, bool]
"""For each categorical factor of a part, by text, whether it keeps all its levels."""


@dataclass(frozen=True, slots=True)
class Part:
    """One factor of a column.

    Attributes:
        factor: as the term has it.
        place: of its level in the contract; -1 for a number.
        level: that level.
        whole: whether the category keeps all its levels in this term, which only its name shows.
    """

    factor: Factor
    place: int = -1
    level: str = ""
    whole: bool = False


def columns_of(
    variables: Variables, intercept: bool, present: Mapping[str, Sequence[int]], references: Mapping[str, int]
) -> Iterator[tuple[Part, ...]]:
    """Yield the columns of a model, the intercept left out, each as the factors that it multiplies.

    Args:
        variables: of the model.
        intercept: whether it has one.
        present: places of the levels that have rows, by category.
        references: place of the level that a reduced category leaves out, by category.
    """
    spanned: dict[frozenset[str], set[frozenset[str]]] = {frozenset(): {frozenset()} if intercept else set()}
    for numeric, term in _ordered(variables):
        categorical = [factor.text for factor in term.factors if factor.text not in numeric]
        for coded in _parts(categorical, spanned.setdefault(numeric, set())):
            choices = [_choices(variables, factor, coded, present, references) for factor in term.factors
                       if factor.text in coded or factor.text in numeric]
            # As in R the first factor varies fastest.
            for combination in product(*reversed(choices)):
                yield tuple(reversed(combination))


def _ordered(variables: Variables) -> list[tuple[frozenset[str], Term]]:
    """Return terms with their numeric factors: those without any first, then those of one set together, as in patsy."""
    groups: dict[frozenset[str], list[Term]] = {frozenset(): []}
    for term in variables.terms:
        numeric = frozenset(f.text for f in term.factors if f.variable not in variables.categories)
        groups.setdefault(numeric, []).append(term)
    ordered = [(numeric, term) for numeric, terms in groups.items() for term in terms]
    return ordered if variables.grouped else sorted(ordered, key=lambda one: variables.terms.index(one[1]))


def _parts(categorical: Sequence[str], spanned: set[frozenset[str]]) -> list[Coded]:
    subsets = [frozenset(chosen) for size in range(len(categorical) + 1) for chosen in combinations(categorical, size)]
    parts: list[Coded] = [dict.fromkeys(subset, False) for subset in subsets if subset not in spanned]
    spanned.update(subsets)
    while (joined := _join(parts)) is not None:
        parts = joined
    return parts


def _join(parts: list[Coded]) -> list[Coded] | None:
    """Join the first part with a later one that has one reduced factor more: together that factor is whole."""
    for short, one in enumerate(parts):
        for long in range(short + 1, len(parts)):
            other = parts[long]
            extra = other.keys() - one.keys()
            if len(extra) == 1 and all(other.get(text) == whole for text, whole in one.items()):
                text = next(iter(extra))
                if not other[text]:
                    return [*parts[:short], *parts[short + 1 : long], other | {text: True}, *parts[long + 1 :]]
    return None


def _choices(
    variables: Variables, factor: Factor, coded: Coded, present: Mapping[str, Sequence[int]],
    references: Mapping[str, int],
) -> list[Part]:
    if factor.text not in coded:
        return [Part(factor)]
    whole, levels = coded[factor.text], variables.categories[factor.variable].levels
    left_out = None if whole else references[factor.variable]
    return [Part(factor, place, levels[place], whole) for place in present[factor.variable] if place != left_out]


def name_of(parts: Sequence[Part]) -> str:
    """Return a coefficient's name as patsy does: ``sex[T.male]:age``, or ``sex[male]`` for a category that is whole."""
    return ":".join(part.factor.text if part.place < 0 else
                    f"{part.factor.text}[{'' if part.whole else 'T.'}{part.level}]" for part in parts)


def discrete_sets(variables: Variables) -> list[tuple[Factor, ...]]:
    """Return the sets of factors by whose levels rows are counted: each category and 0/1 number, and their products."""
    found: dict[tuple[str, ...], tuple[Factor, ...]] = {}
    for term in variables.terms:
        factors = tuple(factor for factor in term.factors if variables.levels(factor))
        for factor in factors:
            found.setdefault((factor.variable,), (factor,))
        if len(factors) > 1:
            found.setdefault(tuple(sorted({factor.variable for factor in factors})), factors)
    return list(found.values())

