"""What the finance demo asks and says: one set of features for all kinds, and never a claim from made-up rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from sealane.cli.example_data import find_example
from sealane.cli.finance_demo import cards, loans, walk
from sealane.cli.finance_demo.view import show
from sealane.computations.requirements import required_columns
from sealane.errors import InputError
from sealane.sectors.registry import contract

AUC = {"alone": {"north": 0.61, "south": 0.66}, "joint": 0.72, "pooled": 0.721}
BESIDE = [{"name": name, "auc": AUC, "ks": AUC} for name in loans.KINDS.values()]


def test_every_question_fits_the_contract_of_its_rows() -> None:
    example, payments = find_example("finance"), find_example("card-fraud")
    asked = [(question, example) for question in loans.questions(example).values()]
    asked += [(question, payments) for question in (cards.training(payments), *cards.watching(payments).values())]
    for question, of in asked:
        columns = required_columns(question.computation, question.parameters, contract(of.contract))
        assert of.outcome in columns, question.name
    kinds = loans.questions(example)
    assert len({tuple(question.parameters["features"]) for question in kinds.values()}) == 1


def test_made_up_rows_are_called_so_and_their_numbers_are_in_no_lead() -> None:
    told = walk.lead(BESIDE, fraud=True)
    assert "made up" in told
    assert "0.720" in told
    assert "made up" not in walk.lead(BESIDE, fraud=False)
    one = {"variable": "amount", "period": "2025-06", "alarm": True}
    drifted = cards.drift_text(SimpleNamespace(to_dict=lambda: {"psi": [one, one | {"alarm": False, "variable": "b"}]}))
    assert drifted.startswith("Made-up payments")
    assert "Over the limit: amount in 2025-06." in drifted
    still = cards.drift_text(SimpleNamespace(to_dict=lambda: {"psi": [one | {"alarm": False}]}))
    assert "Nothing is over its limit." in still


def test_a_feature_whose_points_run_the_wrong_way_is_named() -> None:
    right = SimpleNamespace(params=pd.Series({"Intercept": 1.0, "income": -0.9}))
    wrong = SimpleNamespace(params=pd.Series({"Intercept": 1.0, "income": -0.9, "term": 0.4}))
    assert len(loans.notes("card", right)) == 1
    assert "in term" in loans.notes("card", wrong)[1]
    assert loans.notes("glm", right) == []


def test_without_lightgbm_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        walk.check_lightgbm()
    assert (caught.value.code, "sealane[examples]" in str(caught.value.hint)) == ("demo.no-lightgbm", True)


def test_the_end_on_a_terminal(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run = {"heldout": {"rows": 41, "bad": 17}, "rounds": 15, "wall_s": 1.5}
    show({"beside": BESIDE, "chapters": [{"title": "Loans", "text": "Not shown.", "report": run},
                                         {"title": "Fraud (synthetic)", "text": f"{cards.LABEL} Seen.", "report": run}],
          "timings": {"Loans": 3.0}, "wall_s": 4.0, "data": [{"source": "A lender", "licence": "CC0"}]}, tmp_path)
    told = capsys.readouterr().out
    assert "41 held-out loans, 17 of them bad" in told
    assert "0.720  0.720" in told
    assert "north alone" in told
    assert "Fraud (synthetic): Seen." in told
    assert cards.LABEL in told
    assert "Not shown." not in told
    assert "15 rounds of the regression in 1.50 s; Loans 3.0 s; 4.0 s in all" in told
