"""Which level of a category is the event: named by whoever asks, and told by every model of events."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sealane import simulate
from sealane.errors import InputError

TIMES = {"duration": "days", "event": "vital", "features": ["age"]}
FITS = [("survival.cox", {}), ("survival.aft", {}), ("model.meta", {"family": "cox", "method": "fixed"})]


@pytest.fixture(scope="module")
def frame():
    """Deaths come sooner with age; the level that sorts first, DECEASED, is the event."""
    random = np.random.default_rng(8)
    age = random.normal(62.0, 9.0, 600).round()
    event, left = random.exponential(60.0 / np.exp(0.05 * (age - 62.0))), random.uniform(5.0, 120.0, 600)
    died = event <= left
    return pd.DataFrame({"age": age, "days": np.ceil(np.minimum(event, left)), "died": died,
                         "vital": np.where(died, "DECEASED", "LIVING"), "arm": random.choice(["a", "b"], 600)})


@pytest.fixture(scope="module")
def fed(frame):
    return simulate({name: frame.iloc[k::3] for k, name in enumerate("abc")})


@pytest.mark.parametrize(("computation", "more"), FITS)
def test_a_category_gives_what_a_boolean_gives(fed, computation, more):
    plain = fed.run(computation, **TIMES | more | {"event": "died"}).to_dict()
    named = fed.run(computation, **TIMES | more, censored="LIVING").to_dict()
    assert {key for key in plain if named[key] != plain[key]} <= {"event", "event_level"}


@pytest.mark.parametrize(("computation", "more"), FITS)
def test_nobody_guesses_which_level_is_no_event(fed, computation, more):
    with pytest.raises(InputError) as caught:
        fed.run(computation, **TIMES | more)
    assert caught.value.code == "survival.censored-not-named"


@pytest.mark.parametrize("computation", ["survival.cox", "survival.aft"])
def test_a_reference_of_what_is_no_feature_is_refused(fed, computation):
    for reference, code in (({"vital": "LIVING"}, "computation.bad-parameters"),
                            ({"age": "60"}, "model.reference-of-number"), ({"arm": "c"}, "model.unknown-level")):
        with pytest.raises(InputError) as caught:
            fed.run(computation, **TIMES | {"features": ["age", "arm"]}, censored="LIVING", reference=reference)
        assert caught.value.code == code


@pytest.mark.parametrize("computation", ["survival.cox", "survival.aft"])
def test_the_event_is_told(fed, computation):
    assert "event vital = DECEASED" in repr(fed.run(computation, **TIMES, censored="LIVING"))
    assert "event died" in repr(fed.run(computation, **TIMES | {"event": "died"}))


@pytest.mark.parametrize(("computation", "more"), [*FITS[:2], ("survival.fine_gray", {"cause": "DECEASED"})])
def test_a_model_of_times_has_a_text_beside_its_table(fed, computation, more, capsys):
    model = fed.run(computation, **TIMES | more, censored="LIVING")
    assert list(model.summary.columns)[:2] == ["coef", "exp(coef)"]
    assert "age" in model.text()
    model.print_summary()
    assert capsys.readouterr().out == f"{model.text()}\n" == f"{model!r}\n"


def test_models_without_times_tell_the_event_too(fed):
    for reference, level in (({}, "LIVING"), ({"vital": "LIVING"}, "DECEASED")):
        asked = {"outcome": "vital", "features": ["age"], "family": "binomial", "reference": reference}
        assert f"vital = {level} " in fed.run("glm.fit", **asked).summary()
        assert f"Outcome vital = {level}, " in fed.run("glm.fit", **asked, penalty={"kind": "ridge"}).summary()
    effect = fed.run("causal.ipw", treatment="arm", outcome="vital", features=["age"], reference={"vital": "LIVING"})
    assert "of arm = b on vital = DECEASED" in effect.summary()
