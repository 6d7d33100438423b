"""10. Raw values never appear in logs, traces, errors or messages: canaries planted in the data."""

from __future__ import annotations

import io
import json
import traceback
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from stage import RUN, Federation, Probe, Stage

from sealane.core.secret import Secret
from sealane.errors import InputError, SealaneError
from sealane.rpc.notices import Failure
from sealane.secagg.layout import encode, plan
from sealane.secagg.messages import Contribution
from sealane.secagg.terms import count, real, update

Build = Callable[..., Stage]
Federate = Callable[..., Federation]
NUMBER, COUNT, TEXT = 2718.28125, 8675309, "canary-oystercatcher"
CANARIES = (repr(NUMBER), str(COUNT), TEXT)


def data() -> dict[str, pd.DataFrame]:
    out = {}
    for k, name in enumerate(("north", "south", "west", "east")):
        x = np.random.default_rng(k).normal(size=30)
        x[3] = NUMBER
        out[name] = pd.DataFrame({"x": x, "n": [COUNT, *range(29)], "grade": [TEXT] + ["ordinary"] * 29})
    return out


def clean(text: str) -> bool:
    return not any(canary in text for canary in CANARIES)


def said_by(error: SealaneError) -> str:
    return json.dumps(error.to_dict()) + str(error) + repr(error)


RAISED: dict[str, Callable[[pd.DataFrame], object]] = {
    "a message made of rows": lambda frame: (_ for _ in ()).throw(ValueError(f"bad value {NUMBER} {TEXT} {COUNT}")),
    "a key error": lambda frame: {}[TEXT],  # type: ignore[index]
    "pandas": lambda frame: frame.assign(x=f"{NUMBER} {TEXT}")["x"].astype(float),
    "numpy": lambda frame: np.array([NUMBER, COUNT]).reshape(3),
    "an exception group": lambda frame: (_ for _ in ()).throw(ExceptionGroup(TEXT, [ValueError(str(NUMBER))])),
    "an int": lambda frame: int(f"{TEXT}{COUNT}"),
}


@pytest.mark.parametrize("how", RAISED)
async def test_invariant_10_not_through_an_exception_in_a_computation(
    how: str, stage: Build, probe: Probe, log: io.StringIO
) -> None:
    on = stage()
    probe.before = lambda frame, number: RAISED[how](frame) and None
    await on.offer()
    await on.begin()
    failure = on.heard("a", Failure)
    assert failure.error.code == "computation.failed"
    assert clean(said_by(failure.error))
    assert "computation.failed" in log.getvalue()
    assert clean(log.getvalue())
    assert failure.error.got is not None


def test_invariant_10_not_through_the_error_of_a_whole_run(
    federation: Federate, probe: Probe, log: io.StringIO
) -> None:
    fed = federation(data())
    probe.before = lambda frame, number: RAISED["a message made of rows"](frame) and None
    error = fed.fails()
    assert error.code == "computation.failed"
    shown = "".join(traceback.format_exception(error))
    assert clean(said_by(error))
    assert clean(shown)
    assert clean(log.getvalue())
    assert clean(repr(fed.engine.seen))


@pytest.mark.parametrize("terms", [
    {"n": count([COUNT], 10)}, {"x": real([NUMBER], 1.0)}, {"x": real([np.nan, NUMBER], 1e9)},
    {"u": update([NUMBER, np.inf], 1.0)},
])
def test_invariant_10_not_through_a_bound_that_is_crossed(terms: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        encode(plan(terms, 3), terms, Secret(b"r" * 32))  # type: ignore[arg-type]
    assert clean(said_by(caught.value))
    assert clean("".join(traceback.format_exception_only(caught.value)))


@pytest.mark.parametrize(("computation", "parameters"), [
    ("statistics.describe", {"columns": ["x", "n", "grade"]}),
    ("statistics.quantiles", {"columns": ["x", "n"], "probabilities": [0.5]}),
    ("statistics.histogram", {"column": "x"}),
    ("statistics.correlation", {"columns": ["x", "n"], "method": "spearman"}),
    ("glm.fit", {"outcome": "x", "features": ["n"], "family": "gaussian"}),
    ("test.probe", {}),
])
def test_invariant_10_not_in_a_run_that_goes_well(
    computation: str, parameters: dict[str, object], federation: Federate, log: io.StringIO
) -> None:
    fed = federation(data())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = fed.run(computation=computation, **parameters)
    assert fed.seen(Contribution)
    assert clean(log.getvalue())
    assert clean(repr(result.trace))
    wires = repr([m for _, m in fed.engine.seen if not isinstance(m, SealaneError)])
    # The study's parameters, hashes and ciphertext are there; a value of a row is not. Levels are in the contract.
    assert repr(NUMBER) not in wires
    assert str(COUNT) not in wires


def test_invariant_10_not_in_the_representation_of_what_holds_them() -> None:
    secret = Secret(TEXT.encode())
    assert clean(repr(secret) + str(secret) + f"{secret}")
    held = Contribution(RUN, 0, 0, bytes(32), bytes(64), TEXT.encode(), 64, True, {"x": TEXT.encode()})
    assert clean(repr(held))
