"""Formulas in R's notation, read but never run.

formulaic's parser turns the text into terms (Wilkinson and Rogers 1973, J. R. Stat. Soc. C 22(3)). Its evaluation,
which would run any Python that an analyst writes, is not used: a factor is a column, ``C(column)`` or one of few
functions, found in the syntax tree, and anything else is refused.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import Any

from sealane.computations.design.terms import Factor, Model, Term, Transform
from sealane.errors import InputError

LONGEST = 2000
MAXIMUM_TERMS = 256
MAXIMUM_PRODUCTS = 10
"""Operators that multiply terms; each may double their number, so their number is bounded before anything is read."""

_FUNCTIONS: dict[str, Transform] = {"log": "log", "np.log": "log", "log1p": "log1p", "np.log1p": "log1p",
                                    "sqrt": "sqrt", "np.sqrt": "sqrt"}
_POWERS: dict[int, Transform] = {2: "square", 3: "cube"}
_TREATMENTS = ("Treatment", "contr.treatment")
_KNOWN = "a column, C(column), C(column, Treatment('level')), log, log1p, sqrt, I(column**2), I(column**3)"


@lru_cache(maxsize=256)
def read_formula(text: str) -> Model:
    """Return the model that a formula describes.

    Raises:
        InputError: no formula, too long, or a factor that is none of those known here.
    """
    if len(text) > LONGEST or len(re.findall(r"\*\*|\*|/|:|%in%|\^", text)) > MAXIMUM_PRODUCTS:
        raise InputError("formula.too-large", "the formula is too large", got=f"{len(text)} characters",
                         expected=f"at most {LONGEST} characters and {MAXIMUM_PRODUCTS} of * : / **")
    from formulaic.parser import DefaultFormulaParser  # late: it is needed by few, and slow to load

    try:
        parsed = DefaultFormulaParser().get_terms(text)
    except Exception as error:  # formulaic raises several kinds, and Python's own for odd syntax
        raise InputError("formula.malformed", "the formula cannot be read", got=repr(text[:80]),
                         expected="such as: outcome ~ age + C(sex) + age:sex", hint=type(error).__name__) from None
    left, right = _sides(parsed)
    terms = [Term(factors) for term in right if (factors := _factors(term))]
    intercept = len(terms) < len(right)
    terms.sort(key=lambda term: len(term.factors))  # main effects first, else in the order written
    if not 1 <= len(terms) <= MAXIMUM_TERMS:
        raise InputError("formula.no-terms", "the right side of the formula has no usable number of terms",
                         got=len(terms), expected=f"1 to {MAXIMUM_TERMS}")
    return Model(_outcome(left), tuple(terms), intercept)


def _sides(parsed: Any) -> tuple[list[Any], list[Any]]:
    keys = set(getattr(parsed, "_structure", {"root": None}))
    if keys == {"lhs", "rhs"}:
        left, right = parsed.lhs, parsed.rhs
    else:
        left, right = [], getattr(parsed, "root", parsed)
    if isinstance(left, tuple) or isinstance(right, tuple):
        raise InputError("formula.several-parts", "the formula has several parts", expected="one outcome ~ one model",
                         hint="leave out |")
    return list(left), list(right)


def _outcome(left: list[Any]) -> str | None:
    if not left:
        return None
    factors = [factor for term in left for factor in _factors(term)]
    if len(left) != 1 or len(factors) != 1 or factors[0] != Factor(factors[0].text, factors[0].variable):
        raise InputError("formula.outcome", "the left side of a formula is one plain column",
                         got=", ".join(str(term) for term in left)[:80],
                         hint="derive a column when the dataset is added")
    return factors[0].variable


def _factors(term: Any) -> tuple[Factor, ...]:
    """Return a term's factors; none for the intercept."""
    found = []
    for factor in term.factors:
        if factor.eval_method.value == "literal":
            if factor.expr not in ("0", "1"):
                raise _unknown(factor.expr)
            continue
        found.append(Factor(factor.expr, factor.expr) if factor.eval_method.value == "lookup" else _call(factor.expr))
    return tuple(found)


def _call(text: str) -> Factor:
    """Read a factor that is more than a name, from its syntax tree."""
    quoted: list[str] = []

    def stand_in(match: re.Match[str]) -> str:
        quoted.append(match[1])
        return f"_quoted_{len(quoted) - 1}_"

    def column(node: ast.expr) -> str:
        if not isinstance(node, ast.Name):
            raise _unknown(text)
        place = re.fullmatch(r"_quoted_(\d+)_", node.id)
        return quoted[int(place[1])] if place and int(place[1]) < len(quoted) else node.id

    try:
        tree = ast.parse(re.sub(r"`([^`]*)`", stand_in, text), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unknown(text) from None
    if not isinstance(tree, ast.Call):
        return Factor(text, column(tree))
    name = ast.unparse(tree.func)
    if name == "C" and 1 <= len(tree.args) <= 2 and not tree.keywords:
        reference = _reference(tree.args[1], text) if len(tree.args) == 2 else None
        return Factor(text, column(tree.args[0]), categorical=True, reference=reference)
    if len(tree.args) != 1 or tree.keywords:
        raise _unknown(text)
    inside = tree.args[0]
    if name == "I" and isinstance(inside, ast.BinOp) and isinstance(inside.op, ast.Pow):
        power = inside.right.value if isinstance(inside.right, ast.Constant) else None
        if isinstance(power, int) and power in _POWERS:
            return Factor(text, column(inside.left), _POWERS[power])
    if name in _FUNCTIONS:
        return Factor(text, column(inside), _FUNCTIONS[name])
    raise _unknown(text)


def _reference(node: ast.expr, text: str) -> str:
    """Return the level that ``Treatment("level")`` names."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in _TREATMENTS:
        given = [*node.args, *(one.value for one in node.keywords if one.arg in ("reference", "base"))]
        if len(given) == 1 and len(node.args) + len(node.keywords) == 1 and isinstance(given[0], ast.Constant):
            value = given[0].value
            if isinstance(value, str | int) and not isinstance(value, bool):
                return str(value)
    raise _unknown(text)


def _unknown(text: str) -> InputError:
    return InputError("formula.unknown-factor", "the formula has a factor that is not known here", got=repr(text[:80]),
                      expected=_KNOWN, hint="derive a column when the dataset is added, and name it")
