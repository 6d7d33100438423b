"""Rows of one subject that follow one another: at risk once at a time, near lifelines, and nothing small told."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxTimeVaryingFitter

from sealane import simulate
from sealane.computations.survival.grid import fine_grid
from sealane.computations.survival.rows import Placed, Times, place
from sealane.computations.survival.settling import OwnRows, settle
from sealane.computations.survival.turns import lasting, net, up_to
from sealane.errors import RefusedError
from sealane.governance.contract import Field

DAYS = Field(name="days", type="integer", unit="d", minimum=0.0, maximum=60.0)
STRETCHES = {"start": "start", "stop": "stop", "event": "died", "resolution": 1.0}


def patients(rows, seed):
    random = np.random.default_rng(seed)
    age = random.normal(62, 9, rows).round()
    event, left = random.exponential(60 / np.exp(0.04 * (age - 62))), random.uniform(5, 120, rows)
    return pd.DataFrame({"id": np.arange(rows), "age": age, "start": 0, "stop": np.ceil(np.minimum(event, left)),
                         "died": event <= left, "dose": 0.0}).astype({"stop": int})


def cut(frame, days, seed=0):
    """Cut each row at one day (a number, or one for each row), after which the dose, pure noise, may be another."""
    days = np.broadcast_to(days, len(frame))
    later = frame[frame["stop"] > days].assign(start=days[frame["stop"] > days])
    later["dose"] = np.random.default_rng(seed).integers(0, 2, len(later)).astype(float)
    before = frame.assign(died=frame["died"] & (frame["stop"] <= days), stop=np.minimum(frame["stop"], days))
    return pd.concat([before, later])


def federation(frame):
    return simulate({name: frame[frame["id"] % 3 == k].drop(columns="id") for k, name in enumerate("abc")})


def lifelines_table(frame):
    fitter = CoxTimeVaryingFitter()
    return fitter.fit(frame, id_col="id", event_col="died", start_col="start", stop_col="stop").summary


@pytest.mark.parametrize("days", [(10,), (10, 20, 40)])
def test_a_cox_model_of_rows_cut_on_grid_times_is_near_lifelines(days):
    frame = patients(600, 0)
    for day in days:
        frame = pd.concat([frame[frame["start"] >= day], cut(frame[frame["start"] < day], day, seed=day)])
    model = federation(frame).run("survival.cox", **STRETCHES, features=["age", "dose"])
    theirs = lifelines_table(frame)
    shift = (model.params_ - theirs["coef"][["age", "dose"]]) / theirs["se(coef)"][["age", "dose"]]
    assert np.abs(shift).max() < 0.25
    np.testing.assert_allclose(model.standard_errors_, theirs["se(coef)"][["age", "dose"]], rtol=0.03)


def test_a_few_rows_that_are_not_cut_change_little():
    whole = patients(600, 1)
    frame = pd.concat([whole[:4], cut(whole[4:], 10)])
    model = federation(frame).run("survival.cox", **STRETCHES, features=["age", "dose"])
    theirs = lifelines_table(frame).loc["dose"]
    assert abs(model.params_["dose"] - theirs["coef"]) < 0.25 * theirs["se(coef)"]


@pytest.mark.parametrize("days", [10, "any"])
def test_a_curve_is_that_of_rows_that_are_not_cut(days):
    whole = patients(600, 2)
    days = np.random.default_rng(3).integers(1, 60, 600) if days == "any" else days
    uncut = federation(whole).run("survival.kaplan_meier", duration="stop", event="died", resolution=1.0)
    found = federation(cut(whole, days)).run("survival.kaplan_meier", **STRETCHES)
    assert found.to_dict()["groups"] == uncut.to_dict()["groups"]
    pd.testing.assert_frame_equal(found.survival_function_, uncut.survival_function_)


def test_cumulative_incidence_is_that_of_rows_that_are_not_cut():
    whole = patients(600, 4)
    uncut = federation(whole).run("survival.cumulative_incidence", duration="stop", event="died", resolution=1.0)
    found = federation(cut(whole, 10)).run("survival.cumulative_incidence", **STRETCHES)
    assert found.to_dict()["groups"] == uncut.to_dict()["groups"]


def test_changes_at_times_of_their_own_are_refused():
    frame = cut(patients(600, 5), np.random.default_rng(6).integers(1, 100, 600))
    with pytest.raises(RefusedError) as caught:
        federation(frame).run("survival.cox", **STRETCHES, features=["age", "dose"])
    assert caught.value.code == "survival.rows-overlap"
    exact = federation(frame).run("survival.cox", **STRETCHES, features=["age", "dose"], minimum_count=1)
    np.testing.assert_allclose(exact.params_, lifelines_table(frame)["coef"][["age", "dose"]], rtol=1e-6)


def test_a_curve_by_a_group_that_changes_is_refused_where_changes_have_times_of_their_own():
    frame = cut(patients(600, 5), np.random.default_rng(6).integers(1, 100, 600))
    frame["dosed"] = frame["start"] > 0
    with pytest.raises(RefusedError) as caught:
        federation(frame).run("survival.kaplan_meier", **STRETCHES, by="dosed")
    assert caught.value.code == "survival.rows-overlap"


def test_a_row_begins_where_the_one_before_ends():
    # 3 to 10 follows 0 to 3; 8 follows nobody. On a grid of 7 who is cut at 3 is there once at 7.
    begin, end = np.array([0.0, 3.0, 8.0, 3.0, 3.0]), np.array([3.0, 10.0, 20.0, 5.0, 6.0])
    times = Times(end, begin, np.array([0, 0, 1, 0, 1]))
    found = place(times, fine_grid(DAYS, 7.0, 56.0), np.ones(5, dtype=np.bool_), several=True)
    assert found.rows.tolist() == [0, 1, 2, 4]  # the fourth ends, without the event, in the interval it begins in
    assert found.start.tolist() == [-1, 1, 1, -1]
    assert found.stop.tolist() == [1, 2, 3, 1]
    assert place(times, fine_grid(DAYS, 7.0, 56.0), np.ones(5, dtype=np.bool_)).start.tolist() == [-1, -1, 1, -1, -1]


def test_netting_and_times_that_last():
    leaving, late = np.array([0, 9, 0, 12, 3, 11]), np.array([0, 4, 2, 10, 0, 10])
    assert [one.tolist() for one in net(leaving, late, 5)] == [[0, 5, 0, 2, 3, 1], [0, 0, 2, 0, 0, 0]]
    assert [one.tolist() for one in net(leaving[:3], late[:3], 5)] == [[0, 9, 0], [0, 4, 2]]  # 4 met: not told
    assert lasting(leaving, late, 20, 10) == (3, 5)
    assert lasting(np.append(leaving, 3), np.append(late, 0), 20, 10) == (3,)  # 3 after 5 need those at 5
    assert lasting(leaving, late, 2, 10) == (5,)  # 8 begin before 3
    assert up_to(np.array([[1, 2, 3, 4, 5, 6]]), (1, 3)).tolist() == [[0, 3, 0, 7, 0, 11]]


class Alone:
    """A cohort of one, whose sums are its own."""

    minimum_count = 10

    async def sum(self, terms):
        return {name: term.values for name, term in terms.items()}


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(150, 400), st.sampled_from([0.7, 0.97, 1.0]), st.sampled_from([0.0, 0.3]))
def test_kept_times_tell_of_no_few_rows(seed, rows, cut_share, entering):
    random = np.random.default_rng(seed)
    start = np.where(random.random(rows) < entering, random.integers(1, 15, rows), -1)
    stop = start + 1 + random.integers(1, 40, rows)
    kind = random.integers(0, 2, rows)
    for day in (8, 20, 31):
        chosen = (start < day) & (stop > day) & (random.random(len(start)) < cut_share)
        start, stop, kind = (np.concatenate(pair) for pair in (
            (start, np.full(chosen.sum(), day)), (np.where(chosen, day, stop), stop[chosen]),
            (np.where(chosen, 0, kind), kind[chosen])))
    own = OwnRows(Placed(start, stop, kind, np.arange(len(start))), np.zeros(len(start), dtype=np.int64))
    try:
        groups, moved = asyncio.run(settle(Alone(), own, fine_grid(DAYS, 1.0, None), kinds=2, sharing=[(0,)],
                                           turns="kept"))
    except RefusedError as error:
        assert error.code in ("survival.no-grid", "survival.rows-overlap")  # noqa: PT017 - others are none
        return
    begins, ends, group = moved.placed.start, moved.placed.stop, groups[0]
    assert (begins <= start).all()
    assert (ends >= stop).all()

    def there(at):
        return (begins < at) & (ends >= at)

    for at in range(61):
        assert group.at_risk(np.array([at]))[0] == there(at).sum()
        assert there(at).sum() == 0 or there(at).sum() >= 10
    for counted in (begins[begins >= 0], ends[kind == 0], ends[kind == 1]):
        assert np.unique(counted, return_counts=True)[1].min(initial=10) >= 10
    for first, last in pairwise(group.events[0].places.tolist()):  # of which sums are opened, and of events at each
        assert (there(first) & ~there(last)).sum() >= 10
        staying = there(first) & ~((ends == first) & (kind == 1))
        changed = (staying ^ there(last)).sum()
        assert changed == 0 or changed >= 10
