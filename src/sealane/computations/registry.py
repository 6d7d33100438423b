"""The computations that are installed here, by name. A study can ask for no others: nobody ships code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from sealane.computations.anomaly.isolation import Isolation
from sealane.computations.base import Computation, Parameters
from sealane.computations.causal.ipw import Ipw
from sealane.computations.flower_app.run import FlowerApp
from sealane.computations.glm.fit import GlmFit
from sealane.computations.harmonise.check import Harmonise
from sealane.computations.meta.fit import MetaFit
from sealane.computations.metrics.ranking import MetricsRanking
from sealane.computations.mixed.fit import MixedFit
from sealane.computations.monitor.drift import MonitorDrift
from sealane.computations.neural.lora.train import NeuralLora
from sealane.computations.neural.train import NeuralTrain
from sealane.computations.scorecard.fit import Scorecard
from sealane.computations.statistics.comparison import Comparison
from sealane.computations.statistics.correlation import Correlation
from sealane.computations.statistics.describe import Describe
from sealane.computations.statistics.histogram import Histogram
from sealane.computations.statistics.quantiles import Quantiles
from sealane.computations.statistics.table import Table
from sealane.computations.surveillance.disproportionality import Disproportionality
from sealane.computations.surveillance.outbreak import Outbreak
from sealane.computations.survival.aft import AftFit
from sealane.computations.survival.cox import Cox
from sealane.computations.survival.cumulative_incidence import CumulativeIncidence
from sealane.computations.survival.fine_gray import FineGray
from sealane.computations.survival.kaplan_meier import KaplanMeier
from sealane.computations.trees.fit import Gbdt
from sealane.computations.typology.rules import TypologyRules
from sealane.errors import InputError

_BUILT_IN: dict[str, Computation[Any]] = {computation.name: computation for computation in (
    AftFit(),
    Comparison(),
    Correlation(),
    Cox(),
    CumulativeIncidence(),
    Describe(),
    Disproportionality(),
    FineGray(),
    FlowerApp(),
    Gbdt(),
    GlmFit(),
    Harmonise(),
    Histogram(),
    Ipw(),
    Isolation(),
    KaplanMeier(),
    MetaFit(),
    MetricsRanking(),
    MixedFit(),
    MonitorDrift(),
    NeuralLora(),
    NeuralTrain(),
    Outbreak(),
    Quantiles(),
    Scorecard(),
    Table(),
    TypologyRules(),
)}
LATE = ("formulaic.parser", "scipy.special")
"""What many computations import when they need it: in a sandbox when there is time, as its children begin anew."""


def names() -> list[str]:
    """Return the names of all computations, sorted."""
    return sorted(_BUILT_IN)


def get(name: str) -> Computation[Any]:
    """Return the computation of that name.

    Raises:
        InputError: there is none.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    near = get_close_matches(name, _BUILT_IN, n=3)
    raise InputError("computation.unknown", "no such computation is installed", got=repr(name[:80]),
                     expected=f"one of {', '.join(names())}", hint=f"did you mean {', '.join(near)}?" if near else None)


def individual_level(name: str) -> bool:
    """Return whether a computation may release a model that remembers single people; yes, unless it declares not to.

    Raises:
        InputError: there is none of that name.
    """
    return bool(getattr(get(name), "individual_level", True))


def opens(name: str) -> str:
    """Return in plain words what nodes see of opened sums beside a computation's result.

    Raises:
        InputError: there is none of that name.
    """
    return str(getattr(get(name), "opens", "unknown: the computation does not say"))


def read_parameters(name: str, values: Mapping[str, Any]) -> Parameters:
    """Check a study's parameters against what the computation takes.

    Raises:
        InputError: unknown computation, or a parameter that is unknown, missing or out of range.
    """
    model: type[Parameters] = get(name).parameters
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        found = error.errors(include_url=False)
        first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])  # it explains more
        where = ".".join(str(part) for part in first["loc"]) or "parameters"
        got, expected = repr(first["input"])[:80], first["msg"].removeprefix("Value error, ")
        hint = first.get("ctx", {}).get("hint")  # of base.misfit
        if first["type"] == "extra_forbidden":
            among = _beside(model, first["loc"])
            got, expected = repr(where[:80]), f"parameters among {', '.join(sorted(among))}"
            near = get_close_matches(str(first["loc"][-1]), among, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else None
        elif first["type"] == "missing":
            got, expected = "no value", f"a value for {where}"
        raise InputError("computation.bad-parameters", f"{name} does not accept its parameters at {where}", got=got,
                         expected=expected, hint=hint) from error


def _beside(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """Return the names that were legal where an unknown one stands; those of the whole where that has alternatives."""
    inner: Any = model
    for step in path[:-1]:
        field = inner.model_fields.get(step)
        inner = None if field is None else field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return list(model.model_fields)
    return list(inner.model_fields)
