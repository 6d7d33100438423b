"""What ``report.json`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from sealane.errors import InputError

Rate = Annotated[FiniteFloat, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[FiniteFloat, Field(ge=0)]
Size = Annotated[FiniteFloat, Field(ge=0)]


class Part(BaseModel):
    """Base of every part: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ParticipantPart(Part):
    """One institution of the study.

    Args:
        rows: rows that it computed on, or None where it does not say.
    """

    name: str
    fingerprint: str
    rows: Count | None = None


class StudyPart(Part):
    """What every participant signed."""

    name: str
    hash: str
    purpose: str
    computation: str
    scheme: str
    minimum_cohort: Count
    participants: list[ParticipantPart] = Field(default_factory=list)


class ByModel(Part):
    """One metric of each institution's own model, of the joint model, and of one fitted on all rows together."""

    alone: dict[str, Rate] = Field(default_factory=dict)
    joint: Rate
    pooled: Rate | None = None


class WithinPart(Part):
    """AUC on one institution's own held-out rows."""

    alone: Rate
    joint: Rate
    pooled: Rate | None = None
    rows: Count
    bad: Count


class MetricsPart(Part):
    """How well the models rank the held-out rows.

    Args:
        auc: area under the ROC curve.
        ks: Kolmogorov–Smirnov distance.
        auc_se: standard error of ``auc`` over the choice of held-out rows.
        within: AUC on each institution's own held-out rows.
    """

    auc: ByModel
    ks: ByModel | None = None
    auc_se: ByModel | None = None
    within: dict[str, WithinPart] = Field(default_factory=dict)


class CurvePart(Part):
    """A ROC curve, from (0, 0) to (1, 1)."""

    fpr: list[Rate]
    tpr: list[Rate]

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if len(self.fpr) != len(self.tpr):
            raise ValueError("as many true as false positive rates")
        return self


class CoefficientPart(Part):
    """One coefficient of the joint model, on its column's own unit.

    Args:
        name: column, ``column[T.level]`` or ``Intercept``.
        joint: estimate of the joint model.
        se: its standard error.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        pooled: estimate of a model fitted on all rows together.
        scale: standard deviation of the column (1 for a level), to put all estimates on one axis.
    """

    name: str
    joint: FiniteFloat
    se: Annotated[FiniteFloat, Field(ge=0)] | None = None
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    pooled: FiniteFloat | None = None
    scale: Annotated[FiniteFloat, Field(ge=0)] | None = None


class HeldOutPart(Part):
    """The rows that no step has trained on.

    Args:
        incomplete: rows of the fold that are left out because a feature is missing.
    """

    rows: Count
    bad: Count
    incomplete: Count = 0


class CalibrationGroup(Part):
    """Held-out rows of like predicted risk: mean prediction, and the share observed with its 95 % interval."""

    predicted: Rate
    observed: Rate
    low: Rate
    high: Rate
    rows: Count


class CalibrationPart(Part):
    """Whether one model's risks are what happens on the held-out rows.

    Args:
        slope: 1 where risks are spread as they should be, under 1 where they are too extreme.
        slope_se: its standard error.
        intercept: 0 where as many events happen as are predicted, with the slope held at 1.
        intercept_se: its standard error.
        groups: tenths of predicted risk.
    """

    slope: FiniteFloat
    slope_se: FiniteFloat
    intercept: FiniteFloat
    intercept_se: FiniteFloat
    groups: list[CalibrationGroup] = Field(default_factory=list)


class LiftPart(Part):
    """A tenth of the held-out rows, in the order of the joint model's score.

    Args:
        rows: in it.
        events: rows with the event.
        lift: their rate, over that of all rows.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        gain: share of all events in this tenth and those before.
    """

    rows: Count
    events: Count
    lift: Annotated[FiniteFloat, Field(ge=0)]
    low: Annotated[FiniteFloat, Field(ge=0)]
    high: Annotated[FiniteFloat, Field(ge=0)]
    gain: Rate


class ConcordancePart(Part):
    """Share of pairs of held-out rows whose order of events a survival model gets right.

    Args:
        all: on all held-out rows.
        within: on each institution's own.
    """

    all: ByModel
    within: dict[str, WithinPart] = Field(default_factory=dict)


class GridPart(Part):
    """What putting event times on a public grid did to a survival model.

    Args:
        resolution: width of the grid's intervals.
        unit: of the resolution.
        furthest_from_pooled: largest difference of a coefficient from the pooled fit on the same grid.
        furthest_from_ungridded_in_se: largest difference from the pooled fit on times as they were, in standard errors.
        ungridded: coefficients of that fit.
    """

    resolution: FiniteFloat
    unit: str | None = None
    furthest_from_pooled: FiniteFloat
    furthest_from_ungridded_in_se: FiniteFloat
    ungridded: dict[str, FiniteFloat] = Field(default_factory=dict)


class WithinErrors(Part):
    """Errors on one institution's own held-out rows.

    Args:
        rows: how many they are.
        errors: root mean squared error by model.
        mean: that of predicting the mean of its training rows.
        away: that of its own model on the held-out rows of all others.
    """

    rows: Count
    errors: dict[str, Size]
    mean: Size
    away: Size | None = None


class PointsPart(Part):
    """Held-out rows of one institution: what was observed, and what each model predicts."""

    observed: list[FiniteFloat]
    predicted: dict[str, list[FiniteFloat]]

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if any(len(values) != len(self.observed) for values in self.predicted.values()):
            raise ValueError("as many predictions as observations")
        return self


class ErrorsPart(Part):
    """How far models of a number are off, on held-out rows. Models are named as the evaluation names them.

    Args:
        outcome: what is predicted.
        unit: of it, and of the errors.
        all: root mean squared error over all held-out rows by model; a model of each institution's own counts at home.
        median: median absolute error, likewise.
        within: on each institution's own.
        points: by institution, for a picture.
        learning: by model, how many units of its own an institution has, and its mean error over its own spread.
        units: what those units are.
        splits: error of the pooled model under other ways to hold rows out.
    """

    outcome: str
    unit: str
    all: dict[str, Size]
    median: dict[str, Size] = Field(default_factory=dict)
    within: dict[str, WithinErrors] = Field(default_factory=dict)
    points: dict[str, PointsPart] = Field(default_factory=dict)
    learning: dict[str, list[tuple[Size, Size]]] = Field(default_factory=dict)
    units: str = "own rows"
    splits: dict[str, Size] = Field(default_factory=dict)


class DataPart(Part):
    """Which data were used, and on what terms.

    Args:
        sha256: hex digest of the data, one for all or one for each institution.
    """

    title: str
    source: str
    licence: str
    rows: Count
    sha256: str | dict[str, str] | None = None


class Report(Part):
    """One run, told to a reader. Everything after ``rounds`` may be missing.

    Args:
        sector: sector pack of the study.
        study: what was agreed.
        cohort: institutions whose rows are in the result.
        rounds: exchanges that the run took.
        metrics: how well the result ranks held-out rows.
        roc: curves by model: an institution's name, ``joint`` or ``pooled``.
        coefficients: the model.
        ratio: what the exponential of a coefficient is, such as ``Hazard ratio``; None where it is nothing.
        calibration: by model, as ``roc``.
        lift: tenths of the held-out rows, the riskiest first by the joint model.
        shap: mean size of each feature's SHAP value, of the joint model.
        concordance: how well a survival model orders the held-out rows.
        grid: cost of the grid of event times.
        errors: how far a model of a number is off.
        result: the released result with what follows from it, as the computation's ``to_dict`` gives it.
        heldout: the fold behind ``metrics``, ``roc``, ``calibration`` and ``concordance``.
        event: what a row with the outcome is called.
        notes: what a reader has to know beside the numbers.
        bytes_sent: bytes that each node sent.
        wall_s: seconds from start to end.
        timings: seconds by step.
        data: where the rows come from.
        run: identifier of the run.
        created: when, in RFC 3339.
    """

    sector: str
    study: StudyPart
    cohort: list[str]
    rounds: Count
    metrics: MetricsPart | None = None
    roc: dict[str, CurvePart] = Field(default_factory=dict)
    coefficients: list[CoefficientPart] = Field(default_factory=list)
    ratio: str | None = None
    calibration: dict[str, CalibrationPart] = Field(default_factory=dict)
    lift: list[LiftPart] = Field(default_factory=list)
    shap: dict[str, FiniteFloat] = Field(default_factory=dict)
    concordance: ConcordancePart | None = None
    grid: GridPart | None = None
    errors: ErrorsPart | None = None
    result: dict[str, Any] = Field(default_factory=dict)
    heldout: HeldOutPart | None = None
    event: str = "bad"
    notes: list[str] = Field(default_factory=list)
    bytes_sent: dict[str, Count] = Field(default_factory=dict)
    wall_s: Seconds | None = None
    timings: dict[str, Seconds] = Field(default_factory=dict)
    data: DataPart | None = None
    run: str | None = None
    created: str | None = None


def parse_report(fields: Mapping[str, Any]) -> Report:
    """Return the report that these JSON-ready fields describe.

    Raises:
        InputError: a field is missing, unknown or out of range.
    """
    try:
        return Report.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            "report.malformed",
            f"the report's {'.'.join(map(str, first['loc'])) or 'top level'} is malformed",
            got=first["type"],
            expected=first["msg"],
            hint="write the file anew: sealane run report RUN",
        ) from error
