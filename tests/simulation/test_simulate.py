"""``sealane.simulate`` as a user meets it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from stage import Federation, first_step, frames

import sealane
from sealane.errors import InputError
from sealane.rpc.notices import Nudge
from sealane.simulation.faults import Fault, Script

Federate = Callable[..., Federation]


def loans() -> dict[str, pd.DataFrame]:
    out = {}
    for k, name in enumerate(("north", "south", "west")):
        rng = np.random.default_rng(k)
        income = rng.normal(50, 10, 200).clip(10, 90)
        bad = rng.random(200) < 1 / (1 + np.exp(0.05 * (income - 50)))
        out[name] = pd.DataFrame({"income": income, "bad": bad.astype(int)})
    return out


def test_a_joint_regression() -> None:
    fed = sealane.simulate(loans())
    result = fed.run("glm.fit", outcome="bad", features=["income"], family="binomial")
    assert list(result.params.index) == ["Intercept", "income"]
    assert -0.1 < result.params["income"] < 0
    assert set(result.trace.cohort) == {"north", "south", "west"}
    assert result.trace.rounds > 2
    assert all(count > 1000 for count in result.trace.bytes_sent.values())
    assert fed.contract.id == "simulation.inferred/v1"


def test_it_runs_inside_a_running_loop() -> None:
    async def cell() -> object:
        before = asyncio.get_running_loop()
        result = sealane.simulate(loans()).run("statistics.describe", columns=["income"])
        assert asyncio.get_running_loop() is before
        await asyncio.sleep(0)
        return result.rows

    assert asyncio.run(cell()) == 600


def test_the_same_federation_runs_again(federation: Federate) -> None:
    fed = federation()
    first, second = fed.run(), fed.run()
    assert first.steps == second.steps
    assert fed.engines[0].run_id != fed.engines[1].run_id


@pytest.mark.parametrize("data", [{}, {"alone": pd.DataFrame({"x": [1.0]})}])
def test_a_federation_has_two_institutions_at_least(data: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(InputError) as caught:
        sealane.simulate(data)
    assert caught.value.code == "simulation.too-few"


def test_two_institutions_compute_only_if_both_waive(federation: Federate) -> None:
    data = frames(("north", "south"))
    fed = federation(data)
    assert fed.fails(colluding=0, minimum_cohort=2).code == "cohort.differencing"
    assert fed.fails(colluding=0, minimum_cohort=2, waive_differencing=["north"]).code == "cohort.differencing"
    result = fed.run(colluding=0, minimum_cohort=2, waive_differencing=["north", "south"])
    assert result.steps[0][:3] == first_step(data)
    assert fed.fails(waive_differencing=["nowhere"]).code == "simulation.unknown-institution"


@pytest.mark.parametrize(("call", "code", "kind"), [
    ({"computation": "test.prob"}, "computation.unknown", InputError),
    ({"rounds": "many"}, "computation.bad-parameters", InputError),
    ({"scheme": "none"}, "study.scheme-none", InputError),
    ({"minimum_cohort": 5}, "study.too-few-participants", InputError),
])
def test_a_wrong_call_says_what_is_wrong(
    call: dict[str, object], code: str, kind: type[Exception], federation: Federate
) -> None:
    fed = federation()
    error = fed.fails(**call)  # type: ignore[arg-type]
    assert error.code == code
    assert isinstance(error, kind)
    assert fed.engines == []


def test_what_one_node_refuses_names_it(federation: Federate) -> None:
    fed = federation()
    error = fed.fails(Fault("replace", node="west", message="Start", times=-1, lie=lambda m: type(m)(
        m.run_id, m.attempt, m.members[1:] if m.members[0].fingerprint == fed.nodes["west"].fingerprint
        else m.members[:0])))
    assert error.code in {"run.not-in-cohort", "run.cohort-too-small"}
    assert "node west" in error.message


def test_a_fault_happens_as_often_and_as_late_as_it_says() -> None:
    script = Script((Fault("drop", node="a", message="Nudge", times=2, after=1), Fault("delay", message="Nudge")))
    nudge = Nudge("r-aaaaaaaaaaaaaaaa")
    kinds = [fault.kind if (fault := script.next("a", nudge)) else None for _ in range(5)]
    assert kinds == ["delay", "drop", "drop", None, None]
    assert script.happened == {0: 2, 1: 1}
    assert script.next("b", nudge) is None
