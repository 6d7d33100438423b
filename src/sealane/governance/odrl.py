"""Terms as an ODRL 2.2 policy inside a contract agreement of the Dataspace Protocol 2025-1, and back.

Reading is strict: a term, operator or shape outside the profile is a refusal, because a constraint that is not
understood cannot be kept. Contexts are compared as text and never fetched.

Source: ODRL Information Model 2.2 (W3C, 2018), "Policy", "Constraint"; Dataspace Protocol 2025-1, "Contract Agreement
Message". The profile is described in docs/agreements.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from sealane.core.clock import is_moment
from sealane.core.ids import FINGERPRINT, NAME
from sealane.errors import RefusedError
from sealane.governance.currency import CODES
from sealane.governance.study import COMPUTATION, MAXIMUM_PARTICIPANTS
from sealane.governance.tariff import PRICE, UNITS, Tariff
from sealane.governance.terms import COUNTRY, DECIMAL, OUTPUT, Terms

CONTEXT: Final = "https://w3id.org/dspace/2025/1/context.jsonld"
PROFILE: Final = "urn:sealane:odrl:v1"
MAXIMUM_LIST = 64
_HASH = re.compile(r"[0-9a-f]{64}")
_WHOLE = re.compile(r"[1-9][0-9]{0,8}")
Constraint = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Clause:
    """One constraint of the profile.

    Attributes:
        field: of :class:`Terms`, or of a price, that it carries.
        left: left operand, an IRI or one with the prefix of the protocol's context.
        operator: of ODRL; no other is legal for this operand.
        pattern: of the right operand, or of each in a list.
        listed: whether the right operand is a list.
        required: whether an agreement without it is refused.
    """

    field: str
    left: str
    operator: str
    pattern: re.Pattern[str]
    listed: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class _Price:
    """What one duty to pay says."""

    price: str
    currency: str
    per: str


def _own(name: str) -> str:
    return f"{PROFILE}:{name}"


_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
CLAUSES: Final = (
    Clause("purpose", "odrl:purpose", "eq", NAME),
    Clause("computation", _own("computation"), "eq", COMPUTATION),
    Clause("parameters", _own("parameters"), "eq", _HASH),
    Clause("code", _own("code"), "eq", _HASH),
    Clause("participants", _own("participant"), "isAllOf", FINGERPRINT, listed=True),
    Clause("minimum_cohort", _own("minimumCohort"), "gteq", _WHOLE),
    Clause("minimum_count", _own("minimumCount"), "gteq", _WHOLE),
    Clause("recipients", "odrl:recipient", "isAnyOf", FINGERPRINT, listed=True),
    Clause("jurisdictions", "odrl:spatial", "isAnyOf", COUNTRY, listed=True, required=False),
    Clause("outputs", _own("output"), "isAnyOf", OUTPUT, listed=True),
    Clause("rounds", _own("rounds"), "lteq", _WHOLE),
    Clause("runs", "odrl:count", "lteq", _WHOLE),
    Clause("starts", "odrl:dateTime", "gteq", _MOMENT, required=False),
    Clause("expires", "odrl:dateTime", "lt", _MOMENT),
    Clause("epsilon", _own("epsilon"), "lteq", DECIMAL, required=False),
    Clause("delta", _own("delta"), "lteq", DECIMAL, required=False),
    Clause("waives_differencing", _own("differencing"), "eq", re.compile("guarded|waived")),
)
TARIFF: Final = (
    Clause("price", "odrl:payAmount", "eq", PRICE),
    Clause("currency", _own("currency"), "eq", re.compile("|".join(sorted(CODES)))),
    Clause("per", _own("per"), "eq", re.compile("|".join(UNITS))),
)
_WRITE: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: "waived" if value else "guarded", int: str, str: str, tuple: list}


def write_policy(terms: Terms) -> dict[str, Any]:
    """Return the rules of a policy that says exactly these terms."""
    rules: dict[str, Any] = {"permission": [{"action": "use", "constraint": _write(CLAUSES, terms)}]}
    if terms.tariff is not None:
        rules["obligation"] = [
            {"action": "odrl:compensate", "constraint": _write(TARIFF, _Price(price, terms.tariff.currency, unit))}
            for unit, price in terms.tariff.prices()]
    return rules


def read_policy(rules: dict[str, Any]) -> Terms:
    """Return the terms that the rules of a policy say.

    Raises:
        RefusedError: a rule, term, operator or value outside the profile, one missing, or one said twice.
    """
    if not set(rules) <= {"permission", "obligation"}:
        raise _unknown("rule", ", ".join(sorted(set(rules) - {"permission", "obligation"})))
    values = _read(CLAUSES, _rule(rules.get("permission"), "use"))
    for name in ("minimum_cohort", "minimum_count", "rounds", "runs"):
        values[name] = int(values[name])
    values["waives_differencing"] = values["waives_differencing"] == "waived"
    values |= {clause.field: None for clause in CLAUSES if clause.field not in values}
    return Terms(**values, tariff=_tariff(rules["obligation"]) if "obligation" in rules else None)


def _tariff(rules: Any) -> Tariff:
    """Return the tariff that duties to pay make up: one for each price, in one currency, in the order of the units."""
    if not isinstance(rules, list) or not 1 <= len(rules) <= len(UNITS):
        raise _unknown("rule", "not a list of duties", expected=f"at most {len(UNITS)} with the action odrl:compensate")
    read = [_Price(**_read(TARIFF, _rule([one], "odrl:compensate"))) for one in rules]
    units = [one.per for one in read]
    tariff = Tariff(currency=read[0].currency, **{UNITS[one.per]: one.price for one in read})
    if {one.currency for one in read} != {tariff.currency} or [unit for unit, _ in tariff.prices()] != units:
        raise RefusedError("agreement.bad-value", "an agreement's prices make up no tariff",
                           got=", ".join(f"{one.price} {one.currency} per {one.per}" for one in read)[:120],
                           expected=f"one currency, and prices in the order {', '.join(UNITS)}",
                           hint="is the signer's Sealane of the same version?")
    return tariff


def _rule(rules: Any, action: str) -> list[Any]:
    """Return the constraints of the one rule that a list must hold."""
    if not isinstance(rules, list) or len(rules) != 1 or not isinstance(rules[0], dict):
        raise _unknown("rule", "not exactly one", expected=f"one with the action {action}")
    (rule,) = rules
    if set(rule) != {"action", "constraint"} or rule["action"] != action or not isinstance(rule["constraint"], list):
        raise _unknown("rule", ", ".join(sorted(map(str, rule))), expected=f"action {action} and its constraints")
    return rule["constraint"]


def _write(clauses: tuple[Clause, ...], values: Terms | _Price) -> list[Constraint]:
    written = []
    for clause in clauses:
        value = getattr(values, clause.field)
        if value is not None:
            written.append({"leftOperand": clause.left, "operator": clause.operator,
                            "rightOperand": _WRITE[type(value)](value)})
    return written


def _read(clauses: tuple[Clause, ...], constraints: list[Any]) -> dict[str, Any]:
    known = {(clause.left, clause.operator): clause for clause in clauses}
    found: dict[str, Any] = {}
    for constraint in constraints[:len(clauses) + 1]:
        if not isinstance(constraint, dict) or set(constraint) != {"leftOperand", "operator", "rightOperand"}:
            got = ", ".join(sorted(map(str, constraint))) if isinstance(constraint, dict) else type(constraint).__name__
            raise _unknown("constraint", got, expected="leftOperand, operator and rightOperand")
        left, operator = constraint["leftOperand"], constraint["operator"]
        clause = known.get((left, operator)) if isinstance(left, str) and isinstance(operator, str) else None
        if clause is None:
            raise _unknown("term", f"{left} {operator}")
        if clause.field in found:
            raise _unknown("term", f"{clause.left} said twice")
        found[clause.field] = _right(clause, constraint["rightOperand"])
    missing = [clause.left for clause in clauses if clause.required and clause.field not in found]
    if missing:
        raise RefusedError("agreement.missing-term", "an agreement leaves out a term that it must have",
                           got=", ".join(missing)[:200],
                           hint="is the signer's Sealane of the same version?")
    return found


def _right(clause: Clause, right: Any) -> Any:
    values = right if clause.listed else [right]
    legal = isinstance(values, list) and len(values) <= max(MAXIMUM_LIST, MAXIMUM_PARTICIPANTS) and all(
        isinstance(value, str) and clause.pattern.fullmatch(value) for value in values)
    if not legal or (clause.listed and values != sorted(set(values))):
        raise RefusedError("agreement.bad-value", f"an agreement gives {clause.left} a value that it cannot have",
                           got=str(right)[:120], expected="sorted and distinct values" if clause.listed
                           else clause.pattern.pattern[:120], hint="is the signer's Sealane of the same version?")
    if clause.pattern is _MOMENT:
        _check_moment(clause, cast("str", right))
    return tuple(values) if clause.listed else right


def _check_moment(clause: Clause, text: str) -> None:
    if not is_moment(text):
        raise RefusedError("agreement.bad-value", f"an agreement gives {clause.left} a value that it cannot have",
                           got=text, expected="a moment in RFC 3339")


def _unknown(what: str, got: str, *, expected: str | None = None) -> RefusedError:
    return RefusedError("agreement.unknown-term", f"an agreement holds a {what} that is not understood here",
                        got=got[:200], expected=expected or f"the profile {PROFILE}",
                        hint="a constraint that is not understood cannot be kept, so nothing runs under it")
