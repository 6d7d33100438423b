"""Made-up hospitals in which it is known who records what; factors against what the units' definitions give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from expected_error import raises
from scipy import constants

import sealane
from sealane.computations.harmonise.check import Harmonise
from sealane.computations.harmonise.factors import QUANTITIES, SOURCES, conversions
from sealane.computations.harmonise.grid import grid_of
from sealane.computations.harmonise.parameters import HarmoniseParameters
from sealane.errors import InputError, ProtocolError, RefusedError
from sealane.governance.contract import Contract, Field, infer_contract
from sealane.sectors.registry import contract

mpl.use("Agg")
HOSPITALS = ("aachen", "basel", "budapest", "longbeach")


def hearts(rows: int = 200, seed: int = 0, names: tuple[str, ...] = HOSPITALS) -> dict[str, pd.DataFrame]:
    out = {}
    for k, name in enumerate(names):
        rng = np.random.default_rng([seed, k])
        out[name] = pd.DataFrame({
            "chol": rng.normal(245 + 8 * k, 52, rows).clip(100, 600).round(),
            "age": rng.integers(29, 78, rows), "sex": rng.choice(["male", "female"], rows),
            "code": rng.choice(["I20", "I21", "I25", "none"], rows), "smokes": rng.integers(0, 2, rows)})
    return out


def check(run_pooled: Callable[..., Any], frames: dict[str, pd.DataFrame], **change: Any) -> Any:
    options = {key: change.pop(key) for key in ("minimum_count", "contract") if key in change}
    return run_pooled(frames, Harmonise(), {"columns": ["chol"]} | change, **options)


def test_a_hospital_in_other_units_is_named_and_nobody_else(run_pooled: Callable[..., Any]) -> None:
    frames = hearts()
    frames["basel"]["chol"] /= 38.67
    found = check(run_pooled, frames, columns=["chol", "age", "sex", "code", "smokes"])
    assert found.verdicts["chol"].to_dict() == {
        "aachen": "agrees", "basel": "looks like mmol/L among mg/dL (cholesterol)", "budapest": "agrees",
        "longbeach": "agrees"}
    assert (found.verdicts[["age", "sex", "code", "smokes"]] == "agrees").all(axis=None)
    assert found.conclusions.to_dict() == {"chol": "odd", "age": "agree", "sex": "agree", "code": "agree",
                                           "smokes": "agree"}
    (repair,) = found.repairs.to_dict(orient="records")
    assert (repair["institution"], repair["column"]) == ("basel", "chol")
    assert 'do = "convert"\nfield = "chol"\nfactor = 38.67\nfrom_unit = "mmol/L"' in repair["step"]
    assert "basel, chol: looks like" in found.summary()
    assert found.to_dict()["repairs"][0]["institution"] == "basel"


def test_no_histogram_shows_the_one_that_stands_apart(run_pooled: Callable[..., Any]) -> None:
    frames = hearts()
    frames["basel"]["chol"] /= 38.67
    found = check(run_pooled, frames, columns=["chol", "age"])
    assert set(found.histograms) == {"age"}
    with raises("harmonise.no-histogram", InputError):
        found.plot("chol")


def test_the_joint_histogram_is_the_pooled_one_with_small_cells_hidden(run_pooled: Callable[..., Any]) -> None:
    frames = hearts()
    frames["basel"].loc[:2, "age"] = np.nan
    found = check(run_pooled, frames, columns=["age", "code"])
    table, pooled = found.histograms["age"], pd.concat(frames.values())
    assert table.loc["missing", "count"] != 3
    shown = 0
    for row in table.iloc[:-1].itertuples():
        rows = int(((pooled["age"] >= row.low) & (pooled["age"] < row.high)).sum())
        if np.isnan(row.count):
            continue
        assert row.count == rows
        assert rows == 0 or rows >= 10
        shown += rows
    assert shown > 600
    assert found.histograms["code"]["count"].drop("missing").to_dict() == pooled["code"].value_counts().to_dict()


@pytest.mark.parametrize(("quantity", "unit", "change", "said"), [
    ("temperature", "Cel", lambda x: x * 1.8 + 32, "looks like [degF] among Cel (temperature)"),
    ("mass", "kg", lambda x: x / 0.45359237, "looks like [lb_av] among kg (mass)"),
    ("length", "cm", lambda x: x / 2.54, "looks like [in_i] among cm (length)"),
    ("glucose", "mg/dL", lambda x: x / 18.016, "looks like mmol/L among mg/dL (glucose)"),
    ("triglycerides", "mmol/L", lambda x: x * 88.57, "looks like mg/dL among mmol/L (triglycerides)"),
    ("creatinine", "umol/L", lambda x: x / 88.42, "looks like mg/dL among umol/L (creatinine)"),
    ("haemoglobin", "g/L", lambda x: x / 10, "looks like g/dL among g/L (haemoglobin)"),
    ("HbA1c", "%", lambda x: (x - 2.152) / 0.09148, "looks like mmol/mol among % (HbA1c)"),
    ("mass fraction", "g/kg", lambda x: x / 10, "looks like % among g/kg (mass fraction)"),
    ("duration", "d", lambda x: x / 7, "looks like wk among d (duration)"),
    ("duration", "d", lambda x: x / 365.25, "looks like a among d (duration)"),
    ("duration", "mo", lambda x: x / 12, "looks like a among mo (duration)"),
    ("duration", "mo", lambda x: x * 30.4375, "looks like d among mo (duration)"),
])
@pytest.mark.parametrize("stated", [True, False])
def test_each_known_unit_is_recognised(
    run_pooled: Callable[..., Any], quantity: str, unit: str, change: Callable[[Any], Any], said: str, stated: bool
) -> None:
    normal = {"temperature": (37, 0.7), "mass": (75, 15), "length": (170, 10), "glucose": (105, 25),
              "triglycerides": (1.6, 0.6), "creatinine": (85, 20), "haemoglobin": (138, 15), "HbA1c": (6.2, 0.9),
              "mass fraction": (450, 60), "duration": (500, 180)}[quantity]
    frames = {}
    for k in range(5):
        values = np.random.default_rng(k).normal(*normal, 150).clip(normal[0] / 4)
        frames[f"h{k}"] = pd.DataFrame({"x": change(values) if k == 3 else values})
    # The contract knows the right range only: what lies outside of it still counts.
    field = Field(name="x", type="number", unit=unit, minimum=normal[0] / 10, maximum=normal[0] * 5)
    found = run_pooled(frames, Harmonise(), {"columns": ["x"], "quantities": {"x": quantity} if stated else {}},
                       contract=Contract(id="test.units/v1", fields=(field,)))
    verdicts = found.verdicts["x"].to_dict()
    if stated or quantity in ("temperature", "mass", "length", "duration", "HbA1c"):
        assert verdicts.pop("h3") == said
    else:  # several substances share a unit and, nearly, a factor
        assert verdicts.pop("h3").startswith("looks like ")
    assert set(verdicts.values()) == {"agrees"}


@pytest.mark.parametrize(("name", "factor", "said"), [
    ("cholesterol", 38.67, "looks like mmol/L among mg/dL (cholesterol)"),
    ("creatinine", 1 / 88.42, "looks like umol/L among mg/dL (creatinine)"),
    ("weight", 0.45359237, "looks like [lb_av] among kg (mass)"),
])
def test_what_is_measured_is_read_from_the_code_in_the_contract(
    run_pooled: Callable[..., Any], name: str, factor: float, said: str
) -> None:
    usual = {"cholesterol": (200, 40), "creatinine": (0.9, 0.2), "weight": (75, 12)}[name]
    frames = {hospital: pd.DataFrame({name: np.random.default_rng(k).normal(*usual, 100).clip(usual[0] / 3)})
              for k, hospital in enumerate(HOSPITALS)}
    frames["basel"][name] /= factor
    found = check(run_pooled, frames, columns=[name], contract=contract("healthcare.cohort/v1"))
    assert found.verdicts[name].tolist() == ["agrees", said, "agrees", "agrees"]
    assert found.repairs.loc[0, "step"].count("factor") == 1


def test_no_false_alarm_where_all_is_equal(run_pooled: Callable[..., Any]) -> None:
    """False alarms: at most 1 in 1000 institution-columns; here none in 60 runs × 4 institutions × 10 columns."""
    alarms = cannot = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        frames = {}
        for k in range(4):
            rows = int(rng.integers(10, 400))
            own = np.random.default_rng([seed, k])
            frames[f"h{k}"] = pd.DataFrame({
                **{f"narrow{j}": own.normal(120, 15, rows) for j in range(3)},
                **{f"wide{j}": own.lognormal(1, 1.2, rows) for j in range(3)},
                **{f"count{j}": own.poisson(2.5, rows).astype(float) for j in range(2)},
                "signed": own.normal(0, 3, rows), "code": own.choice(list("abcd"), rows, p=[0.4, 0.3, 0.2, 0.1])})
        columns = list(frames["h0"].columns)
        field = {name: Field(name=name, type="number", minimum=low, maximum=1000.0) for name, low in
                 [*((c, 0.0) for c in columns if c not in ("signed", "code")), ("signed", -1000.0)]}
        field["code"] = Field(name="code", type="category", allowed=tuple("abcd"))
        found = check(run_pooled, frames, columns=columns,
                      contract=Contract(id="test.equal/v1", fields=tuple(field[name] for name in columns)))
        alarms += int((~found.verdicts.isin(["agrees", "cannot tell"])).sum().sum())
        cannot += int((found.verdicts == "cannot tell").sum().sum())
    assert alarms == 0
    assert cannot < 0.1 * 2400


@pytest.mark.parametrize("seed", range(5))
def test_small_real_differences_are_no_alarm_and_large_ones_are(run_pooled: Callable[..., Any], seed: int) -> None:
    frames = hearts(seed=seed)
    frames["basel"]["chol"] *= 1.2
    known = {"quantities": {"chol": "cholesterol"}}
    assert set(check(run_pooled, frames, **known).verdicts["chol"]) == {"agrees"}
    frames["basel"]["chol"] *= 4.0
    assert check(run_pooled, frames, **known).verdicts["chol"].tolist() == ["agrees", "shifted", "agrees", "agrees"]
    # Where nothing says what is measured, any known factor may explain it.
    assert check(run_pooled, frames).verdicts["chol"].tolist()[1] == "looks like wk among mo (duration)"


def test_one_large_institution_does_not_outvote_the_others(run_pooled: Callable[..., Any]) -> None:
    frames = hearts(60)
    frames["basel"] = pd.concat([frames["basel"]] * 50, ignore_index=True)
    frames["basel"]["chol"] /= 38.67
    found = check(run_pooled, frames)
    assert found.conclusions["chol"] == "odd"
    assert found.clusters("chol")["agrees"] == ["aachen", "budapest", "longbeach"]


def test_without_a_majority_the_column_is_contradictory_and_clusters_are_named(run_pooled: Callable[..., Any]) -> None:
    frames = hearts()
    for name in ("basel", "longbeach"):
        frames[name]["chol"] /= 38.67
        frames[name]["code"] = frames[name]["code"].map({"I20": "413", "I21": "410", "I25": "414", "none": "none"})
    found = check(run_pooled, frames, columns=["chol", "code"], quantities={"chol": "cholesterol"})
    assert found.conclusions.to_dict() == {"chol": "contradictory", "code": "contradictory"}
    assert sorted(found.clusters("chol").values()) == [["aachen", "budapest"], ["basel", "longbeach"]]
    assert found.histograms == {}
    with raises("harmonise.not-checked", InputError):
        found.clusters("age")


def test_other_codes_are_named(run_pooled: Callable[..., Any]) -> None:
    frames = hearts()
    frames["budapest"]["code"] = frames["budapest"]["code"].map({"I20": "413", "I21": "410", "I25": "414",
                                                                 "none": "none"})
    found = check(run_pooled, frames, columns=["code"])
    assert found.verdicts["code"].tolist() == ["agrees", "agrees", "other codes", "agrees"]
    # Codes that the contract does not know at all are other codes too.
    frames = hearts()
    inferred = infer_contract(frames)
    frames["basel"]["code"] = "unheard"
    assert check(run_pooled, frames, columns=["code"], contract=inferred).verdicts["code"].tolist() == [
        "agrees", "other codes", "agrees", "agrees"]


def test_all_missing_few_rows_and_mostly_zero(run_pooled: Callable[..., Any]) -> None:
    frames = hearts(names=(*HOSPITALS, "zurich", "geneva"))
    frames["basel"]["chol"] = np.nan
    frames["zurich"] = frames["zurich"].head(9)
    frames["geneva"].loc[:150, "chol"] = 0.0
    found = check(run_pooled, frames)
    assert found.verdicts["chol"].to_dict() == {
        "aachen": "agrees", "basel": "all missing", "budapest": "agrees", "longbeach": "agrees",
        "zurich": "cannot tell", "geneva": "mostly zero"}
    assert "zero may stand for missing" in found.summary()


def test_too_few_that_can_tell_compare_nothing(run_pooled: Callable[..., Any]) -> None:
    frames = hearts()
    frames["basel"]["chol"] = frames["budapest"]["chol"] = np.nan
    frames["longbeach"].loc[5:, "chol"] = np.nan
    frames["aachen"]["code"] = [str(k) for k in range(200)]  # each in one row
    found = check(run_pooled, frames, columns=["chol", "code"])
    assert found.conclusions["chol"] == "cannot tell"
    assert found.verdicts["chol"].tolist() == ["cannot tell", "all missing", "all missing", "cannot tell"]
    assert found.verdicts["code"].tolist()[0] == "other codes"


def test_all_zero_and_all_negative_columns(run_pooled: Callable[..., Any]) -> None:
    frames = {name: pd.DataFrame({"zero": np.zeros(30), "minus": np.random.default_rng(k).normal(-20, 2, 30)})
              for k, name in enumerate(HOSPITALS)}
    frames["basel"]["minus"] = frames["basel"]["minus"] * 1.8 + 32
    fields = (Field(name="zero", type="number", minimum=0.0, maximum=5.0),
              Field(name="minus", type="number", unit="Cel", minimum=-60.0, maximum=50.0))
    found = check(run_pooled, frames, columns=["zero", "minus"],
                  contract=Contract(id="test.cold/v1", fields=fields))
    assert set(found.verdicts["zero"]) == {"agrees"}
    assert found.verdicts["minus"].tolist() == ["agrees", "looks like [degF] among Cel (temperature)", "agrees",
                                                "agrees"]
    frames["basel"]["zero"] = 3.0
    assert check(run_pooled, frames, columns=["zero"], contract=Contract(id="test.cold/v1", fields=fields)).verdicts[
        "zero"].tolist() == ["agrees", "shifted", "agrees", "agrees"]


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_through_real_sums(scheme: str) -> None:
    frames = hearts(60, names=HOSPITALS[:3])
    frames["basel"]["chol"] /= 38.67
    simulation = sealane.simulate(frames)
    found = simulation.run("quality.harmonise", scheme=scheme, columns=["chol", "sex"])
    assert found.clusters("chol") == {"agrees": ["aachen", "budapest"],
                                      "looks like mmol/L among mg/dL (cholesterol)": ["basel"]}
    assert set(found.verdicts["sex"]) == {"agrees"}
    # One of three does not know it: fewer are left than may stand behind a sum while one colludes.
    frames["basel"]["chol"] = np.nan
    assert scheme == "rlwe" or sealane.simulate(frames, contract=simulation.contract).run(
        "quality.harmonise", columns=["chol"]).conclusions["chol"] == "cannot tell"


def test_pictures_are_drawn(run_pooled: Callable[..., Any]) -> None:
    frames = hearts()
    frames["basel"]["chol"] /= 38.67
    found = check(run_pooled, frames, columns=["chol", "age"])
    written = {text.get_text().replace("\n", " ") for text in found.plot().texts}
    assert written == {"agrees", "looks like mmol/L among mg/dL (cholesterol)"}
    bars = sum(bar.get_height() for bar in found.plot("age").patches)
    assert bars == np.nansum(found.histograms["age"]["count"].iloc[:-1])
    assert "<pre>" in found._repr_html_()


def test_factors_are_those_of_the_definitions() -> None:
    per_mmol = {"glucose": 180.156, "cholesterol": 386.65, "triglycerides": 885.7}
    for substance, molar_mass in per_mmol.items():
        assert conversions(substance, None)[0].factor == pytest.approx(molar_mass / 10, rel=1e-3)
    assert conversions("creatinine", None)[0].factor == pytest.approx(1e4 / 113.12, rel=1e-3)
    assert conversions("mass", None)[0].factor == pytest.approx(constants.pound, rel=1e-15)
    assert conversions("length", None)[0].factor == pytest.approx(constants.inch * 100, rel=1e-15)
    assert (conversions("temperature", None)[0].factor * 100 + 32) == pytest.approx(
        constants.convert_temperature(100, "Celsius", "Fahrenheit"))
    year = next(one for one in conversions("duration", "d") if one.own == "a" and one.to == "d")
    assert year.factor == constants.Julian_year / constants.day
    assert set(SOURCES) == set(QUANTITIES)
    assert {one.quantity for one in conversions(None, None)} == set(QUANTITIES) - {"area", "crop yield"}
    hectare, acre = 1e4, 666 + 2 / 3  # m2; a mu is the latter
    assert conversions("area", None)[0].factor == pytest.approx(acre / hectare)
    assert {one.own: one.factor for one in conversions(None, "kg/har") if one.to == "kg/har"} == pytest.approx(
        {"kg/mu": hectare / acre, "t/har": 1000.0})
    for one in conversions(None, None):
        assert one.back.back.factor == pytest.approx(one.factor, rel=1e-15)
        assert one.back.factor * (3.0 * one.factor + one.offset) + one.back.offset == pytest.approx(3.0)


def test_the_grid_reaches_as_far_as_a_wrong_unit() -> None:
    field = Field(name="chol", type="number", unit="mg/dL", minimum=50.0, maximum=700.0)
    grid = grid_of(field, conversions("cholesterol", "mg/dL"))
    assert grid.edges[0] <= 50 / 38.67
    assert grid.edges[-1] >= 700 * 38.67
    np.testing.assert_allclose(np.diff(np.log2(grid.edges)), 0.25, rtol=1e-12)
    assert grid.places(np.array([0.0, grid.edges[0], 1e9])).tolist() == [0, 1, grid.cells - 1]


def test_a_false_name_does_not_go_unnoticed(run_pooled: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealane.computations.harmonise.check._own_verdict", lambda *_: 99)
    with raises("harmonise.bad-verdict", ProtocolError):
        check(run_pooled, hearts())


def test_refusals(run_pooled: Callable[..., Any]) -> None:
    frames = {name: frame.assign(day=pd.Timestamp("2020-01-01")) for name, frame in hearts(2).items()}
    with raises("harmonise.too-few-rows", RefusedError):
        check(run_pooled, frames)
    with raises("harmonise.column-type", InputError):
        check(run_pooled, frames, columns=["day"])
    with raises("harmonise.no-quantity", InputError):
        check(run_pooled, frames, columns=["sex"], quantities={"sex": "mass"})
    with raises("contract.unknown-field", InputError):
        check(run_pooled, frames, columns=["height"])
    inferred = infer_contract(frames)
    frames["basel"]["chol"] = "much"
    with raises("columns.not-numeric", InputError):
        check(run_pooled, frames, contract=inferred)
    many = tuple(Field(name=f"c{k}", type="category", allowed=tuple(map(str, range(7000)))) for k in range(3))
    with raises("harmonise.too-many-levels", InputError):
        check(run_pooled, {name: pd.DataFrame({f"c{k}": ["1"] for k in range(3)}) for name in HOSPITALS},
              columns=["c0", "c1", "c2"], contract=Contract(id="test.many/v1", fields=many))


@pytest.mark.parametrize("change", [
    {"columns": []}, {"columns": ["a", "a"]}, {"quantities": {"b": "mass"}}, {"quantities": {"a": "luck"}},
    {"factor": 3.0},
])
def test_other_parameters_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        HarmoniseParameters(**({"columns": ["a"]} | change))
