"""``survival.cumulative_incidence`` against statsmodels over the pooled rows on the same grid."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from competing import CAUSES, draw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from statsmodels.duration.survfunc import CumIncidenceRight
from survival_tables import earlier, later, spread

from sealane import simulate
from sealane.computations.survival.cumulative_incidence import CumulativeIncidence
from sealane.computations.survival.kaplan_meier import KaplanMeier
from sealane.errors import InputError, RefusedError
from sealane.governance.contract import infer_contract

mpl.use("Agg")
ROWS = draw()
ASKED = {"duration": "days", "event": "cause", "censored": "alive", "resolution": 7.0}


def on_grid(frame, released):
    """Replace times by the merged ones of a result, by the way in which each row leaves."""
    out = frame.copy()
    for cause, ladder in {"alive": released["leavings"], **released["events"]}.items():
        here = out.cause.astype(str) == cause
        out.loc[here, "days"] = later(out.loc[here, "days"], ladder)
    return out


def compare(ours, band, variance, frame):
    """Hold curves (by cause) against statsmodels' on gridded rows."""
    status = pd.Categorical(frame.cause, categories=list(CAUSES)).codes.astype(int)
    theirs = CumIncidenceRight(frame.days.to_numpy(), status)
    for k, cause in enumerate(CAUSES[1:]):
        at = np.searchsorted(ours.index, theirs.times)
        np.testing.assert_allclose(ours[cause].to_numpy()[at], theirs.cinc[k], atol=1e-12)
        known = np.isfinite(theirs.cinc_se[k])
        assert known.sum() > 20
        np.testing.assert_allclose(np.sqrt(variance[cause].to_numpy()[at][known]), theirs.cinc_se[k][known], atol=1e-9)
        f, se = theirs.cinc[k][known], theirs.cinc_se[k][known]
        inside = f > 0
        expected = f[inside] ** np.exp(1.959963984540054 * se[inside] / (f[inside] * np.log(f[inside])))
        upper = band[1][cause].to_numpy()[at][known][inside]
        np.testing.assert_allclose(upper, expected, rtol=1e-9)
        assert (band[0][cause] <= ours[cause] + 1e-15).all()


def bands(result):
    return result.confidence_interval_lower_, result.confidence_interval_upper_


def test_causes_of_one_group(run_pooled, new_meeting):
    meeting = new_meeting(["n0", "n1", "n2"])
    result = run_pooled(spread(ROWS), CumulativeIncidence(), ASKED, meeting=meeting)
    compare(result.cumulative_density_, bands(result), result.variance_,
            on_grid(ROWS, result.to_dict()["groups"]["all"]))
    assert meeting.sums == 2
    assert result.event_table[["censored", "cancer", "heart"]].sum().sum() == len(ROWS)


def test_groups(run_pooled):
    result = run_pooled(spread(ROWS), CumulativeIncidence(), {**ASKED, "by": "arm"})
    for name, frame in ROWS.groupby("arm"):
        placed = on_grid(frame, result.to_dict()["groups"][name])
        compare(result.cumulative_density_[name], [one[name] for one in bands(result)], result.variance_[name], placed)
    assert "control" in result.summary()


def test_no_count_is_small(run_pooled):
    result = run_pooled(spread(ROWS), CumulativeIncidence(), {**ASKED, "resolution": 1.0, "by": "arm"})
    for group in result.to_dict()["groups"].values():
        for steps in (group["leavings"], *group["events"].values()):
            assert min(steps["numbers"]) >= 10
    assert result.grid["merged"] > 0
    assert result.grid["merged_because"] == "minimum-count"


def test_one_cause_is_kaplan_meier(run_pooled):
    frame = ROWS.assign(dead=(ROWS.cause != "alive").astype(int))
    asked = {"duration": "days", "event": "dead", "resolution": 7.0}
    ours = run_pooled(spread(frame), CumulativeIncidence(), asked)
    theirs = run_pooled(spread(frame), KaplanMeier(), asked)
    np.testing.assert_allclose(ours.cumulative_density_["1"], 1 - theirs.survival_function_["KM_estimate"], atol=1e-12)
    np.testing.assert_allclose(ours.variance_["1"], theirs.variance_["KM_estimate"], atol=1e-12)


def test_late_entries_by_hand(run_pooled):
    result = run_pooled(spread(ROWS), CumulativeIncidence(), {**ASKED, "entry": "entered"})
    released = result.to_dict()["groups"]["all"]
    frame = on_grid(ROWS, released)
    start = earlier(frame.entered, released["entries"]["times"])
    survival, incidence = 1.0, {"cancer": 0.0, "heart": 0.0}
    for time in sorted(frame.days[frame.cause != "alive"].unique()):
        at_risk = ((start < time) & (frame.days >= time)).sum()
        here = frame[frame.days == time].cause.value_counts()
        for cause in incidence:
            incidence[cause] += survival * here[cause] / at_risk
        survival *= 1 - (here["cancer"] + here["heart"]) / at_risk
    assert len(released["entries"]["times"]) > 0
    for cause, value in incidence.items():
        assert result.cumulative_density_[cause].iloc[-1] == pytest.approx(value, abs=1e-12)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 4), min_size=300, max_size=300))
def test_how_rows_are_spread_changes_nothing(run_pooled, places):
    table = ROWS.head(300)
    contract = infer_contract({"all": table})
    whole = run_pooled({"all": table}, CumulativeIncidence(), ASKED, contract=contract)
    parts = run_pooled({f"n{i}": table[np.array(places) == i] for i in set(places)}, CumulativeIncidence(), ASKED,
                       contract=contract)
    pd.testing.assert_frame_equal(parts.cumulative_density_, whole.cumulative_density_)


def test_masking_and_rlwe(run_pooled):
    whole = run_pooled({"all": ROWS}, CumulativeIncidence(), {**ASKED, "by": "arm"})
    for scheme in ("masking", "rlwe"):
        ours = simulate(spread(ROWS)).run("survival.cumulative_incidence", by="arm", scheme=scheme, **ASKED)
        pd.testing.assert_frame_equal(ours.cumulative_density_, whole.cumulative_density_)


def test_a_small_group_is_hidden_and_covered(run_pooled):
    arm = np.where((np.arange(len(ROWS)) < 40) & (ROWS.arm == "new"), "rare", ROWS.arm)
    result = run_pooled(spread(ROWS.assign(arm=arm)), CumulativeIncidence(), {**ASKED, "by": "arm"})
    assert result.hidden["rare"] == "minimum-count"
    assert "complementary" in result.hidden.values()
    assert "rare" not in result.to_dict()["groups"]
    assert "hidden: rare (minimum-count)" in result.summary()


def test_refusals(run_pooled):
    def refused(frame, code, branch=RefusedError, **params):
        with pytest.raises(branch) as caught:
            run_pooled(spread(frame), CumulativeIncidence(), {**ASKED, **params})
        assert caught.value.code == code
        return caught.value

    rare = ROWS.assign(cause=pd.Categorical(np.where(np.arange(len(ROWS)) < 7, "stroke", ROWS.cause.astype(str))))
    assert refused(rare, "incidence.rare-cause").got == "stroke"
    refused(ROWS, "incidence.unknown-level", InputError, censored="away")
    refused(ROWS, "incidence.censored-not-named", InputError, censored=None)
    refused(ROWS.assign(number=ROWS.index % 40), "incidence.causes", InputError, event="number", censored=None)
    refused(ROWS.assign(cause="alive"), "incidence.causes", InputError)
    nobody = ROWS.assign(cause=pd.Categorical(["alive"] * len(ROWS), categories=list(CAUSES)))
    contract = infer_contract({"all": ROWS})
    with pytest.raises(RefusedError) as caught:
        run_pooled(spread(nobody), CumulativeIncidence(), ASKED, contract=contract)
    assert caught.value.code == "survival.no-events"
    refused(ROWS, "survival.institutions-not-waived", by="institution")


def test_another_level_is_no_event(run_pooled):
    renamed = ROWS.assign(cause=ROWS.cause.astype(str).replace("alive", "left alive"))  # now the last level
    ours = run_pooled(spread(renamed), CumulativeIncidence(), {**ASKED, "censored": "left alive"})
    whole = run_pooled(spread(ROWS), CumulativeIncidence(), ASKED)
    pd.testing.assert_frame_equal(ours.cumulative_density_, whole.cumulative_density_)
    assert ours.at([0, 50])["heart"].iloc[0] == 0.0


def test_causes_that_no_row_has_are_left_out(run_pooled):
    contract = infer_contract({"all": ROWS})
    levels = ("alive", "accident", "cancer", "fall", "heart")
    fields = [f.model_copy(update={"allowed": levels}) if f.name == "cause" else f for f in contract.fields]
    wide = run_pooled(spread(ROWS), CumulativeIncidence(), ASKED,
                      contract=contract.model_copy(update={"fields": tuple(fields)}))
    whole = run_pooled(spread(ROWS), CumulativeIncidence(), ASKED)
    pd.testing.assert_frame_equal(wide.cumulative_density_, whole.cumulative_density_)


def test_picture(run_pooled):
    ours = run_pooled(spread(ROWS), CumulativeIncidence(), {**ASKED, "by": "arm"})
    assert len(ours.plot().lines) == 4
