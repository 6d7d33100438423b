"""``sealane ledger`` over a home that nobody serves: caps, what they leave, and what was spent on what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from command_line import refused, run, run_well
from loans import CONTRACT, loans
from made_identity import make_identity

from sealane.core.secret import Secret
from sealane.node.home import LEDGER, NodeHome, open_home
from sealane.privacy.acts import Request
from sealane.privacy.mechanism import Concentrated, Price, read_mechanism
from sealane.rpc.backup import restore

PEER = "a" * 51 + "q"
TABLE = ("--computation", "statistics.table", "--param", 'columns=["term"]', "--param", "epsilon=1",
         "--param", "delta=1e-6")
# dp-accounting's tests: a Gaussian of multiplier 4.530877117 is exactly (1, 1e-6), so half of its rho twice is too.
HALF = {"kind": "concentrated", "rho": "0.012177984"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_identity(tmp_path / "north")
    loans(1, 40).to_csv(tmp_path / "rows.csv", index=False)
    run_well("dataset", "add", "loans", "--from", tmp_path / "rows.csv", "--contract", CONTRACT, "--home",
             tmp_path / "north")
    run_well("node", "trust", "alice", PEER, "--home", tmp_path / "north")
    return tmp_path / "north"


@contextmanager
def opened(home: Path) -> Iterator[NodeHome]:
    with closing(open_home(home)) as found:
        yield found


def request(home: NodeHome, run_id: str, *, noise: bool = True) -> Request:
    price = Price(read_mechanism(HALF)) if noise else None
    assert price is None or isinstance(price.mechanism, Concentrated)
    return Request(run_id, "loans", home.register.dataset("loans").version, "c" * 64, (("alice", PEER),),
                   "test.count" if noise else "statistics.describe", price)


def test_caps_are_set_and_shown(home: Path) -> None:
    assert "computations with noise are refused" in run("ledger", "show", "loans", "--home", home).out
    found = run_well("ledger", "cap", "loans", "--epsilon", "3", "--delta", "1e-6", "--home", home)
    assert [(c["scope"], c["epsilon"], c["delta"], c["spent"], c["left"]) for c in found["caps"]] == [
        ("dataset", "3", "0.000001", "0", "3")]
    run_well("ledger", "cap", "loans", "--releases", "7", "--home", home)  # and epsilon stays as it was
    run_well("ledger", "cap", "loans", "--epsilon", "0.50", "--delta", "1e-6", "--recipient", "alice", "--home", home)
    found, = run_well("ledger", "show", "--home", home)
    assert [(c["scope"], c["target"], c["epsilon"], c["releases"]) for c in found["caps"]] == [
        ("dataset", "", "3", 7), ("recipient", "alice", "0.5", None)]
    assert found["releases"] == {"cap": 7, "given": 0}
    assert found["unit"] is None


def test_bad_caps_are_refused_and_change_nothing(home: Path) -> None:
    cap = ("ledger", "cap", "loans", "--home", home)
    refused("ledger.bad-cap", 2, *cap, "--epsilon", "3")
    refused("ledger.bad-cap", 2, *cap)
    refused("privacy.bad-amount", 2, *cap, "--epsilon", "three", "--delta", "1e-6")
    refused("ledger.unknown-recipient", 2, *cap, "--releases", "1", "--recipient", "bob")
    assert run(*cap, "--epsilon", "3", "--delta", "1", "--json").error["code"] == "privacy.bad-delta"
    assert run(*cap, "--releases", "1", "--recipient", "alice", "--study", "c" * 64, "--json").error["code"] == (
        "ledger.bad-cap")
    refused("study.unknown", 2, *cap, "--releases", "1", "--study", "c" * 64)
    refused("dataset.unknown", 2, "ledger", "cap", "lones", "--releases", "1", "--home", home)
    refused("dataset.unknown", 2, "ledger", "show", "lones", "--home", home)
    refused("dataset.unknown", 2, "ledger", "explain", "lones", "--home", home)
    found, = run_well("ledger", "show", "--home", home)
    assert found["caps"] == []


def test_what_was_spent_is_shown_and_explained(home: Path) -> None:
    run_well("ledger", "cap", "loans", "--epsilon", "2", "--delta", "1e-6", "--home", home)
    with opened(home) as node:
        for run_id in ("r-one", "r-two", "r-void", "r-held"):
            node.ledger.reserve(request(node, run_id))
        node.ledger.commit("r-one", 0)
        node.ledger.commit("r-two", 0)
        node.ledger.void("r-void")
        node.ledger.reserve(request(node, "r-plain", noise=False))
        node.ledger.commit("r-plain", 3)
    found, = run_well("ledger", "show", "--home", home)
    cap, = found["caps"]
    assert float(cap["spent"]) == pytest.approx(1, abs=2e-6)
    assert 0.1 < float(cap["reserved"]) < 0.46  # three of them: at most 1.46 by the formula of Bun and Steinke
    assert float(cap["left"]) == pytest.approx(2 - float(cap["spent"]) - float(cap["reserved"]), abs=3e-6)
    assert (found["unit"], found["releases"]["given"]) == ("row", 1)
    assert [(r["recipient"], r["spent"], r["releases"]) for r in found["recipients"]] == [("alice", cap["spent"], 1)]
    assert [s["study"] for s in found["studies"]] == ["c" * 64]
    assert [(q["recipient"], q["computation"], q["releases"]) for q in found["queries"]] == [
        ("alice", "statistics.describe", 1)]
    told = run_well("ledger", "explain", "loans", "--home", home)
    assert [(e["run"], e["state"], e["sums_charged"], e["sums_reserved"]) for e in told["entries"]] == [
        ("r-one", "COMMITTED", 1, 0), ("r-two", "COMMITTED", 1, 0), ("r-void", "VOIDED", 0, 0),
        ("r-held", "RESERVED", 0, 1), ("r-plain", "COMMITTED", 1, 0)]
    assert told["entries"][0]["mechanism"] == HALF
    alone = [float(e["epsilon_alone"]) for e in told["entries"] if e["epsilon_alone"]]
    assert float(told["plain_sum"]) == pytest.approx(sum(alone), abs=1e-5)
    assert float(told["total"]) < 0.75 * float(told["plain_sum"])
    assert "square root" in told["why"]
    text = run("ledger", "explain", "loans", "--home", home).out
    for word in ("r-one", "committed", "alice", "concentrated: rho 0.012177", "no noise", "plain sum", "why"):
        assert word in text
    assert "recipient  spent" in run("ledger", "show", "loans", "--home", home).out


def test_a_forecast_is_what_then_fits(home: Path) -> None:
    forecast = ("ledger", "forecast", "loans", *TABLE, "--home", home)
    assert run_well(*forecast)["runs"] == 0
    assert "no privacy budget" in run(*forecast).out
    run_well("ledger", "cap", "loans", "--epsilon", "3.2", "--delta", "1e-6", "--home", home)
    found = run_well(*forecast)
    assert 0.9 < float(found["epsilon_alone"]) <= 1
    # Ten Gaussians of multiplier 4.53 have rho 0.2436: at least 3.2 by dp-accounting's tight accountant, and seven
    # have rho 0.1705, at most 0.1705 + 2 sqrt(0.1705 ln 1e6) = 3.24 by Bun and Steinke.
    assert 6 <= found["runs"] <= 10
    assert found["limit"] == "the cap of dataset loans"
    run_well("ledger", "cap", "loans", "--epsilon", "1", "--delta", "1e-6", "--recipient", "alice", "--home", home)
    assert run_well(*forecast, "--recipient", "alice")["runs"] == 1
    assert run_well(*forecast, "--minimum-cohort", "9")["runs"] == found["runs"]  # more noise, at the same promise
    refused("study.cohort-too-small", 2, *forecast, "--colluding", "2")
    summary = run_well("ledger", "forecast", "loans", "--computation", "statistics.describe", "--param",
                       'columns=["term"]', "--home", home)
    assert (summary["runs"], summary["epsilon_alone"]) == (200, None)
    for wrong in ("columns", "=1", "columns=[1"):
        assert run("ledger", "forecast", "loans", "--computation", "glm.fit", "--param", wrong, "--home", home,
                   "--json").error["code"] == "cli.usage"


def test_a_withdrawn_dataset_keeps_its_account(home: Path) -> None:
    run_well("ledger", "cap", "loans", "--epsilon", "2", "--delta", "1e-6", "--home", home)
    with opened(home) as node:
        node.ledger.reserve(request(node, "r-one"))
        node.ledger.commit("r-one", 0)
    run_well("dataset", "withdraw", "loans", "--home", home)
    found, = run_well("ledger", "show", "--home", home)
    assert float(found["caps"][0]["spent"]) > 0.5
    assert len(run_well("ledger", "explain", "loans", "--home", home)["entries"]) == 1


def test_the_ledger_is_in_backups(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALANE_PASSPHRASE", "a passphrase of some length")
    run_well("ledger", "cap", "loans", "--epsilon", "2", "--delta", "1e-6", "--home", home)
    with opened(home) as node:
        head = node.ledger.head()
    run_well("node", "backup", tmp_path / "node.backup", "--home", home)
    assert LEDGER in restore(tmp_path / "node.backup", Secret(b"a passphrase of some length"), tmp_path / "again")
    with opened(tmp_path / "again") as node:
        assert node.ledger.head() == head
