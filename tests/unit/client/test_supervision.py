"""The supervisory report: what it says is what was signed, endorsed or logged, and the rest is refused or marked."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import signed
import statsmodels.api as sm
from command_line import run, run_well
from expected_error import raises
from made_publication import made
from sklearn.metrics import roc_auc_score
from told_run import AT, KEYS, NAMES, RUN, Story, study

import sealane
from sealane.client.result_file import read_result, write_result
from sealane.client.supervision.report import FILLED
from sealane.computations.metrics.scoring_model import model_of
from sealane.core.canonical import canonical_bytes
from sealane.errors import InputError
from sealane.governance.metering import MeteredRun
from sealane.governance.publication import make_publication, sign_publication
from sealane.governance.publication_file import write_publication
from sealane.governance.statement import Side, settle, sign_statement, write_statement
from sealane.governance.tariff import Tariff
from sealane.sectors import registry
from sealane.sectors.finance import PACK
from sealane.sectors.supervision import ALWAYS, PARTS, load_supervision

CONTRACT = "finance.credit-application/v1"
JUDGE, WATCH = "r-bcdefghijklmnopq", "r-cdefghijklmnopqr"
MODEL = {"outcome": "bad", "features": ["int_rate", "annual_inc"], "family": "binomial"}
NARROWER = {"south": {"runs": 3, "minimum_count": 20, "waives_differencing": True}}
HOSTILE = "<script>alert(1)</script>"


def bank(seed: int, rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rate, term = rng.normal(13, 4, rows).clip(5, 28).round(2), rng.choice(["term_36", "term_60"], rows)
    odds = -3.2 + 0.14 * rate + 0.3 * (term == "term_60")
    return pd.DataFrame({"int_rate": rate, "annual_inc": rng.lognormal(11, 0.5, rows).round(0), "term": term,
                         "bad": (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)})


def payments(seed: int, rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    late = np.arange(rows) % 2 == 1
    return pd.DataFrame({"time": np.where(late, "2026-02-10T10:00", "2026-01-10T10:00"),
                         "score": np.where(late, rng.beta(2.6, 3, rows), rng.beta(2, 4, rows)).round(4)})


LOANS = {name: bank(seed) for seed, name in enumerate(NAMES)}
CARDS = {name: payments(seed) for seed, name in enumerate(NAMES)}
POOLED = pd.concat(LOANS.values(), ignore_index=True)


@dataclass
class Scene:
    """Files of three runs: a model, what judges it, what watches a score."""

    folder: Path
    stories: dict[str, Story]
    results: dict[str, Any]

    def arguments(self, *runs: str, results: bool = True) -> list[object]:
        given: list[object] = [self.folder / one for one in runs]
        for one in runs:
            given += ["--result", self.folder / f"{one}.result.json"] if results else []
        return [*given, "--policy", self.folder / "policy.json", "--out", self.folder / "page.html"]

    def report(self, *more: object, runs: tuple[str, ...] = (RUN,), results: bool = True) -> Any:
        return run_well("audit", "report", *self.arguments(*runs, results=results), *more)["report"]

    def page(self) -> str:
        return (self.folder / "page.html").read_text()

    def write(self, story: Story, payload: dict[str, Any] | None = None) -> None:
        folder = self.folder / story.run
        folder.mkdir()
        for name, data in story.files().items():
            (folder / name).write_bytes(data)
        if payload is not None:
            (self.folder / f"{story.run}.result.json").write_bytes(write_result(story.run, salt(payload)))


def salt(payload: dict[str, Any]) -> bytes:
    return b"s" * 32 + canonical_bytes(payload)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    loans = sealane.simulate(LOANS, contract=registry.contract(CONTRACT))
    cards = sealane.simulate(CARDS, contract=registry.contract("finance.card-transaction/v1"))
    model = loans.run("glm.fit", **MODEL)
    asked = {"outcome": "bad", "model": model_of(model), "thresholds": [0.2], "group": "term"}
    watched = {"score": "score", "period": "time", "since": "2026-01", "months": 2, "bins": 5, "psi_limit": 0.1}
    found = {RUN: ("glm.fit", MODEL, model), JUDGE: ("metrics.ranking", asked, loans.run("metrics.ranking", **asked)),
             WATCH: ("monitor.drift", watched, cards.run("monitor.drift", **watched))}
    made = Scene(tmp_path_factory.mktemp("supervision"), {}, {run: one[2] for run, one in found.items()})
    for run_id, (computation, parameters, result) in found.items():
        contract = CONTRACT if run_id != WATCH else "finance.card-transaction/v1"
        purpose = "credit-risk" if run_id == RUN else "model-validation"
        story = Story(
            run=run_id, joined_for=run_id, result=hashlib.sha256(salt(result._payload)).digest(),
            asked=study(name=f"study-{computation.replace('.', '-')}", computation=computation, parameters=parameters,
                        data_contract=contract, purpose=purpose),
            said={name: {"dataset": "cards"} for name in NAMES} if run_id == WATCH else NARROWER)
        made.stories[run_id] = story
        made.write(story, result._payload)
    (made.folder / "policy.json").write_bytes(made.stories[RUN].policy().to_bytes())
    return made


def section(report: Any, shows: str) -> Any:
    return next(one for one in report["sections"] if one["shows"] == shows)


def said(report: Any, shows: str, what: str, place: int = 0) -> tuple[str, str]:
    one = next(s for s in section(report, shows)["groups"][place]["statements"] if s["what"] == what)
    return one["value"], one["source"]["kind"]


def rows(report: Any, shows: str, begins: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = next(
        one["rows"] for one in section(report, shows)["tables"] if one["caption"].startswith(begins))
    return found


def test_the_model_is_told_from_what_was_signed(scene: Scene) -> None:
    report = scene.report()
    assert [one["shows"] for one in report["sections"]] == [one.shows for one in PACK.supervision.sections]  # type: ignore[union-attr]
    assert said(report, "purpose", "Purpose") == ("credit-risk", "signed")
    assert said(report, "purpose", "What the purpose covers")[1] == "installed"
    assert said(report, "method", "Parameter family") == ('"binomial"', "signed")
    assert said(report, "method", "Source of the computation, SHA-256") == ("c0" * 32, "signed")
    assert said(report, "method", "The source installed here")[0].startswith("another: ")
    agreements = rows(report, "institutions", "Agreements")
    assert [one["Institution"] for one in agreements] == list(NAMES)
    assert {one["Signed at"] for one in agreements} == {AT}
    assert [one["Key"] for one in rows(report, "institutions", "Keys")] == [KEYS[name].fingerprint for name in NAMES]
    assert agreements[0]["Narrower than the study"] == "nothing"
    assert "runs 3" in agreements[1]["Narrower than the study"]
    log = rows(report, "institutions", "The audit log")
    assert [one["Act"] for one in log].count("study.approved") == 3
    assert {"Act": "run.completed", "At": AT, "By": "coordinator", "Detail": "attempt 1"} in log


def test_the_tightest_term_is_in_force(scene: Scene) -> None:
    report = scene.report()
    assert said(report, "protection", "Fewest rows behind a released cell") == ("20", "derived")
    assert said(report, "protection", "Most runs") == ("3", "derived")
    assert said(report, "protection", "Own contribution may become computable") == ("agreed to by south", "signed")
    assert said(report, "limits", "Contributions that can be told apart", 1)[0].startswith("south agreed")


def test_levels_are_those_of_the_standard(scene: Scene) -> None:
    """JR/T 0197-2020 puts what tells of one customer at level 3."""
    report = scene.report(runs=(RUN, WATCH))
    fields = rows(report, "data", "Fields that the computation reads. study-glm-fit")
    assert {one["Field"]: one["Level (JR/T 0197-2020)"] for one in fields} == {
        "bad": "3", "int_rate": "3", "annual_inc": "3"}
    assert said(report, "data", "Highest proposed level (JR/T 0197-2020)") == ("3", "derived")
    assert said(report, "data", "Data contract", 1) == ("finance.card-transaction/v1", "signed")


def test_results_are_those_of_other_libraries(scene: Scene) -> None:
    report = scene.report(runs=(RUN, JUDGE, WATCH))
    pooled = sm.GLM(POOLED["bad"], sm.add_constant(POOLED[["int_rate", "annual_inc"]]), sm.families.Binomial()).fit()
    shown = section(report, "explanation")["results"][0]
    assert shown["source"] == {"kind": "endorsed", "by": list(NAMES)}
    joint = {one["name"]: one["joint"] for one in shown["report"]["coefficients"]}
    assert joint["int_rate"] == pytest.approx(pooled.params["int_rate"], rel=1e-6)
    area = roc_auc_score(POOLED["bad"], pooled.fittedvalues)
    value, kind = said(report, "performance", "AUC")
    assert kind == "endorsed"
    assert float(value.split()[0]) == pytest.approx(area, abs=6e-3)
    assert float(said(report, "performance", "Gini")[0]) == pytest.approx(2 * area - 1, abs=1.2e-2)
    assert said(report, "performance", "Score that is judged")[0].startswith("the coefficients")
    assert said(report, "performance", "Rows that are judged")[0].endswith(
        "at north, south and west: no test on other rows")
    assert said(report, "performance", "Rows that are judged", 1)[0].startswith("other datasets")
    picked = POOLED.assign(picked=pooled.fittedvalues >= 0.2).groupby("term")["picked"].mean()
    groups = {one["Group"]: one for one in rows(report, "fairness", "Rates by term")}
    for term, share in picked.items():
        assert float(groups[f"{term}, from 0.2"]["Selected"]) == pytest.approx(share, abs=6e-3)
    assert float(section(report, "fairness")["groups"][0]["statements"][0]["value"]) == pytest.approx(
        picked.min() / picked.max(), abs=2e-2)


def test_stability_is_the_index_over_months(scene: Scene) -> None:
    report = scene.report(runs=(RUN, WATCH))
    pooled = pd.concat(CARDS.values())
    edges = [-1.0, *scene.results[WATCH].edges["score"], 2.0]
    counts = [np.histogram(pooled["score"][pooled["time"].str.startswith(month)], edges)[0]
              for month in ("2026-01", "2026-02")]
    first, second = ((one + 0.5) / (one + 0.5).sum() for one in counts)
    index = float(((second - first) * np.log(second / first)).sum())
    value, kind = said(report, "performance", "Largest index")
    assert (value.split(": ")[1], kind) == ("score in 2026-02", "endorsed")
    assert float(value.split(":")[0]) == pytest.approx(index, rel=0.02)
    assert said(report, "performance", "Alarms")[0] == "score in 2026-02"


def test_what_is_not_given_is_said_to_lack(scene: Scene) -> None:
    report = scene.report(results=False)
    for shows in ("performance", "fairness", "explanation", "claims"):
        assert section(report, shows)["groups"][0]["caption"] == "Not shown"
        assert not section(report, shows)["results"]
    assert said(report, "released", "The result itself") == ("not among the files", "derived")
    assert said(report, "data", "Rows")[0].startswith("no signed figure of north, south and west")
    value, kind = said(report, "released", "Promise of differential privacy")
    assert (value.startswith("none: exact sums"), kind) == (True, "signed")


def statement(name: str, key: str | None = None, rows_read: int = 380, epsilon: str | None = None) -> bytes:
    side, to = (Side(name=n, fingerprint=KEYS[k].fingerprint, signing_key=KEYS[k].public_key.hex())
                for n, k in ((name, key or name), ("analyst", "analyst")))
    event = MeteredRun(run=RUN, study=EVIDENT.hash, node=name, fingerprint=side.fingerprint, dataset="loans",
                       rows=rows_read, rounds=7, bytes_sent=1, cpu_us=1, wall_us=1, epsilon=epsilon,
                       outcome="completed", ended_at=AT)
    return write_statement(sign_statement(KEYS[key or name], settle(
        node=side, recipient=to, study=EVIDENT.hash, study_name=EVIDENT.name,
        period=("2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"), issued_at="2026-07-01T00:00:00Z",
        tariff=Tariff(currency="EUR"), agreement=None, events=[event])))


EVIDENT = study(name="study-glm-fit", computation="glm.fit", parameters=MODEL, data_contract=CONTRACT)


def test_rows_and_charges_are_those_that_nodes_signed(scene: Scene, tmp_path: Path) -> None:
    more: list[object] = []
    for name in ("north", "south"):
        (tmp_path / name).write_bytes(statement(name, epsilon="0.5" if name == "south" else None))
        more += ["--statement", tmp_path / name]
    report = scene.report(*more)
    assert rows(report, "data", "Rows that were read") == [
        {"Institution": "north", "Rows": "at least 380"}, {"Institution": "south", "Rows": "at least 380"}]
    charged = rows(report, "released", "What each ledger charged")
    assert [(one["Institution"], one["Epsilon"][:4], one["Rounds"]) for one in charged] == [
        ("north", "none", "7"), ("south", "0.5", "7")]
    assert said(report, "released", "Charged")[0] == "no signed figure of west is among the files"
    listed = {one["SHA-256"] for one in rows(report, "verification", "Files")}
    assert hashlib.sha256(statement("north")).hexdigest() in listed


def published(name: str, version: str = "0" * 64, **changes: Any) -> bytes:
    said_ = made(node="north", dataset_version=version).model_dump() | {
        "node": name, "fingerprint": KEYS[name].fingerprint, **changes}
    said_["contract_hash"] = changes.get("contract_hash", registry.contract(CONTRACT).hash)
    return write_publication(sign_publication(KEYS[name], make_publication(**said_)))


def test_rows_and_levels_are_those_that_nodes_published(scene: Scene, tmp_path: Path) -> None:
    for name, data in (("early", published("west", rows=500, sequence=6)), ("west", published("west", grade=4))):
        (tmp_path / name).write_bytes(data)
    report = scene.report("--publication", tmp_path / "west", "--publication", tmp_path / "early")
    assert rows(report, "data", "What nodes published") == [{
        "Institution": "west", "Dataset": "loans", "Rows, rounded down": "at least 1\u202f230",
        "Accepted level of the dataset": "4", "Contract": "as installed here", "At": "2026-03-02T08:00:00Z"}]
    assert said(report, "data", "Rows")[0] == "no signed figure of north and south is among the files"
    given = scene.arguments(RUN)
    (tmp_path / "west").write_bytes(published("west", version="1" * 64))
    refused("supervision.not-agreed", 2, *given, "--publication", tmp_path / "west")
    (tmp_path / "west").write_bytes(published("sybil"))
    refused("supervision.not-agreed", 2, *given, "--publication", tmp_path / "west")
    forged = json.loads(published("west"))
    (tmp_path / "west").write_text(json.dumps(forged | {"signatures": json.loads(published("south"))["signatures"]}))
    refused("signature.invalid", 4, *given, "--publication", tmp_path / "west")
    (tmp_path / "west").write_text(json.dumps(forged | {"payloadType": "text/plain"}))
    refused("publication.no-file", 2, *given, "--publication", tmp_path / "west")


def refused(code: str, exit_code: int, *arguments: object) -> None:
    done = run("audit", "report", *arguments, "--json")
    assert (done.code, done.error["code"]) == (exit_code, code), done


def test_only_verified_evidence_is_told(scene: Scene, tmp_path: Path) -> None:
    story = replace(scene.stories[RUN], run="r-defghijklmnopqrs", joined_for="r-defghijklmnopqrs")
    for name, data in story.files().items():
        (tmp_path / name).write_bytes(data)
    changed = (tmp_path / "endorsements.json").read_bytes().replace(b'"attempt":1', b'"attempt":2', 1)
    (tmp_path / "endorsements.json").write_bytes(changed)
    out = tmp_path.parent / "never.html"
    policy = scene.folder / "policy.json"
    refused("audit.file-changed", 4, tmp_path, "--policy", policy, "--out", out)
    other = tmp_path.parent / "other-policy.json"
    other.write_bytes(replace(scene.stories[RUN].policy(), witnesses={}, colluding=0).to_bytes())
    refused("audit.no-quorum", 4, scene.folder / RUN, "--policy", other, "--out", out)
    assert not out.exists()


def test_what_does_not_belong_to_the_evidence_is_refused(scene: Scene, tmp_path: Path) -> None:
    given = scene.arguments(RUN, results=False)
    data = (scene.folder / f"{RUN}.result.json").read_bytes()
    held = json.loads(data)
    forged = tmp_path / "forged.json"
    forged.write_bytes(write_result(RUN, salt(held["result"] | {"nobs": 99})))
    refused("supervision.not-endorsed", 4, *given, "--result", forged)
    refused("supervision.other-run", 2, *given, "--result", scene.folder / f"{JUDGE}.result.json")
    forged.write_bytes(data.replace(b"sealane.result/v1", b"sealane.result/v9"))
    refused("result.no-file", 2, *given, "--result", forged)
    forged.write_bytes(statement("north", key="sybil"))
    refused("supervision.other-key", 4, *given, "--statement", forged)
    again = tmp_path / "again.json"
    again.write_bytes(statement("north", rows_read=10))
    forged.write_bytes(statement("north"))
    refused("supervision.statements-differ", 4, *given, "--statement", forged, "--statement", again)
    refused("supervision.other-run", 2, *scene.arguments(JUDGE, results=False), "--statement", forged)
    forged.write_text("[]")
    refused("supervision.no-claims", 2, *given, "--claims", forged)
    refused("supervision.run-twice", 2, *scene.arguments(RUN, RUN, results=False))


def test_a_result_of_another_form_is_refused(tmp_path: Path, scene: Scene) -> None:
    """Endorsed, but nothing that this version's computation reads."""
    run_id = "r-efghijklmnopqrst"
    made = Scene(tmp_path, {}, {})
    made.write(replace(scene.stories[RUN], run=run_id, joined_for=run_id,
                       result=hashlib.sha256(salt({"computation": "glm.fit"})).digest()), {"computation": "glm.fit"})
    refused("supervision.unreadable-result", 4, tmp_path / run_id, "--policy", scene.folder / "policy.json",
            "--result", tmp_path / f"{run_id}.result.json", "--out", tmp_path / "page.html")


def claims(**fields: Any) -> dict[str, Any]:
    return {"sector": "finance", "cohort": list(NAMES), "rounds": 3, "run": RUN, "event": HOSTILE, "notes": [HOSTILE],
            "study": {"name": "study-glm-fit", "hash": EVIDENT.hash, "purpose": "credit-risk", "computation": "glm.fit",
                      "scheme": "masking", "minimum_cohort": 3,
                      "participants": [{"name": "north", "fingerprint": "x", "rows": 123457}]},
            "metrics": {"auc": {"joint": 0.987, "alone": {HOSTILE: 0.6}}, "within": {
                "north": {"joint": 0.9, "alone": 0.9, "rows": 765431, "bad": 9}}},
            "coefficients": [{"name": "forged", "joint": 4.0}], "shap": {"int_rate": 0.31}, **fields}


def test_claims_stand_apart_and_tell_no_rows(scene: Scene, tmp_path: Path) -> None:
    file = tmp_path / "claimed.json"
    file.write_text(json.dumps(claims()))
    report = scene.report("--claims", file)
    shown, = section(report, "claims")["results"]
    assert shown["source"] == {"kind": "claimed", "by": ["claimed.json"]}
    assert shown["report"]["metrics"]["auc"]["joint"] == 0.987
    text = json.dumps(report) + scene.page()
    assert "nobody signed it" in scene.page()
    for hidden in ("123457", "765431", "765\u202f431", "forged"):
        assert hidden not in text
    file.write_text(json.dumps(claims(study=claims()["study"] | {"hash": "0" * 64})))
    refused("supervision.other-run", 2, *scene.arguments(RUN), "--claims", file)


class Tags(HTMLParser):
    """Names of the elements, their identifiers, and what they load."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_says_what_the_document_says_and_runs_nothing(scene: Scene, tmp_path: Path) -> None:
    file = tmp_path / f"{HOSTILE.replace('/', '-')}.json"
    file.write_text(json.dumps(claims()))
    run_id = "r-fghijklmnopqrstu"
    made = Scene(tmp_path, {}, {})
    made.write(replace(scene.stories[RUN], run=run_id, joined_for=run_id, later=(
        ("west", signed.refusal(EVIDENT, KEYS["west"], "west", reason=f"{HOSTILE}\u202e")),)))
    report = scene.report("--claims", file, "--note", HOSTILE, tmp_path / run_id, runs=(RUN, JUDGE, WATCH))
    page = scene.page()
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.names
    assert tags.loads == []
    assert len(set(tags.ids)) == len(tags.ids)
    assert "Note by the writer, nobody signed it: &lt;script&gt;" in page
    assert "\u202e" not in page
    refusals = rows(report, "institutions", f"Refusals and revocations. study-glm-fit: glm.fit, run {run_id}")
    assert (refusals[0]["Institution"], refusals[0]["Reason"][:8]) == ("west", "<script>")
    plain = re.sub(r"<[^>]*>", "\n", page)
    for one in report["sections"]:
        assert f"<h2>{one['heading']}</h2>" in page
        for group in one["groups"]:
            assert all(each["what"] in plain for each in group["statements"])


def test_every_part_can_be_filled_and_none_is_undeclared() -> None:
    assert set(FILLED) == set(PARTS)
    assert set(ALWAYS) <= {one.shows for one in PACK.supervision.sections}  # type: ignore[union-attr]


def test_another_sector_declares_a_report_of_its_own(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    form = load_supervision(b'title = "For the regulator"\nlevels = "house levels"\n[[sections]]\nshows = "limits"\n'
                            b'heading = "Limits"\n[[sections]]\nshows = "verification"\nheading = "Proof"\n')
    monkeypatch.setattr("sealane.cli.supervising.pack", lambda name: replace(PACK, supervision=form))
    report = scene.report()
    assert (report["title"], [one["heading"] for one in report["sections"]]) == (
        "For the regulator", ["Limits", "Proof"])
    monkeypatch.setattr("sealane.cli.supervising.pack", lambda name: replace(PACK, supervision=None))
    refused("supervision.no-form", 2, *scene.arguments(RUN))
    monkeypatch.setattr("sealane.cli.supervising.pack", lambda name: replace(PACK, name="healthcare"))
    refused("supervision.other-sector", 2, *scene.arguments(RUN))


@pytest.mark.parametrize(("text", "code"), [
    (b'title = "t"\nlevels = "l"\nsections = []\n', "supervision.malformed"),
    (b'title = "t"\nlevels = "l"\n[[sections]]\nshows = "everything"\nheading = "h"\n', "supervision.malformed"),
    (b"\xff", "supervision.not-toml"),
])
def test_a_form_that_leaves_out_what_it_must_not(text: bytes, code: str) -> None:
    with raises(code, InputError):
        load_supervision(text)


def test_a_result_file_is_the_bytes_that_were_endorsed() -> None:
    document = salt({"a": 0.1, "b": [1e-7, 1]})
    assert read_result(write_result(RUN, document)).document == document
    with raises("canonical.not-canonical", InputError):
        read_result(write_result(RUN, document).replace(b"0.1", b"0.10"))
