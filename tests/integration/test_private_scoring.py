"""Private scoring between real processes: right scores, counted rows, a killed owner, an end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from command_line import run_well
from loans import CONTRACT, loans, write_loans
from score_models import CARD, LINEAR, NETWORK, card_points, linear_scores, network_scores

from sealane.cli.local_federation import DATASET, LocalFederation, local_federation
from sealane.errors import InputError, RefusedError
from sealane.node.control import call
from sealane.node.scoring.python import ask

pytest.importorskip("tenseal")
pytestmark = pytest.mark.integration
OWNER, ASKER = "north", "south"
ROWS = loans(1)
"""Of the asker: the second table that ``write_loans`` writes."""


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFederation]:
    root = tmp_path_factory.mktemp("scoring")
    with local_federation(root, write_loans(root, [OWNER, ASKER]), CONTRACT) as running:
        yield running


def agree(federation: LocalFederation, name: str, model: dict[str, Any], **caps: Any) -> str:
    """Register a model, grant it and have it accepted; return the grant's hash."""
    call(federation.homes[OWNER], "score.model.add", {"name": name, "text": json.dumps(model)})
    grant: str = call(federation.homes[OWNER], "score.grant", {"model": name, "asker": ASKER} | caps)["grant"]
    await_standing(federation, ASKER, grant, "offered")
    call(federation.homes[ASKER], "score.accept", {"model": name})
    await_standing(federation, OWNER, grant, "accepted")
    return grant


def await_standing(federation: LocalFederation, node: str, grant: str, standing: str) -> dict[str, Any]:
    """Wait until a node knows of a grant that it stands so."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        found = {one["grant"]: one for one in call(federation.homes[node], "score.list")}
        if grant in found and found[grant]["standing"] == standing:
            return dict(found[grant])
        time.sleep(0.05)
    raise AssertionError(f"{node} never had {grant[:8]} {standing}")


def used(federation: LocalFederation, grant: str) -> int:
    found = {one["grant"]: one for one in call(federation.homes[OWNER], "score.list")}
    return int(found[grant]["used"]["ever"])


def test_a_linear_model_up_to_its_cap(federation: LocalFederation, tmp_path: Path) -> None:
    grant = agree(federation, "risk", LINEAR)
    out = tmp_path / "scores.parquet"
    found = run_well("score", "ask", "risk", "--dataset", DATASET, "--rows", "2:5", "--out", out, "--home",
                     federation.homes[ASKER])
    expected = linear_scores(ROWS)[2:5]
    assert np.abs(np.array(found["scores"]) - expected).max() <= found["largest_error"] < 1e-3
    assert np.allclose(found["probabilities"], 1 / (1 + np.exp(-expected)), atol=1e-3)
    written = duckdb.sql(f"SELECT row, score FROM '{out}' ORDER BY row").fetchall()
    assert written == [(2 + k, score) for k, score in enumerate(found["scores"])]
    assert used(federation, grant) == 3
    with pytest.raises(RefusedError) as caught:  # 4 weights and an intercept: 4 rows by default, 3 are gone
        ask(federation.homes[ASKER], "risk", dataset=DATASET, first=0, last=2)
    assert caught.value.code == "score.total-reached"
    assert used(federation, grant) == 3
    assert len(ask(federation.homes[ASKER], "risk", dataset=DATASET, first=0, last=1)) == 1
    with pytest.raises(RefusedError) as caught:
        ask(federation.homes[ASKER], "risk", dataset=DATASET, first=0, last=1)
    assert caught.value.code == "score.total-reached"


def test_a_scorecard_and_a_network_over_a_whole_table(federation: LocalFederation) -> None:
    wide = {"total": 5000, "may_reveal": True}
    agree(federation, "card", CARD, **wide)
    agree(federation, "net", NETWORK, **wide)
    points = ask(federation.homes[ASKER], "card", dataset=DATASET)
    assert points["score"].tolist() == card_points(ROWS).tolist()
    assert points.attrs["largest_error"] == 0.0
    scores = ask(federation.homes[ASKER], "net", dataset=DATASET)
    assert np.abs(scores["score"].to_numpy() - network_scores(ROWS)).max() <= scores.attrs["largest_error"] < 1e-4


def test_a_killed_owner_answers_once_it_is_back(federation: LocalFederation) -> None:
    higher = CARD | {"intercept": 700}  # over the fields of the one above, so its rows count on from there
    grant = agree(federation, "killed", higher, total=10_000, may_reveal=True)
    before = used(federation, grant)
    owner = federation.processes[OWNER]
    owner.kill()
    owner.wait()
    found: list[Any] = []
    asking = threading.Thread(target=lambda: found.append(
        ask(federation.homes[ASKER], "killed", dataset=DATASET, last=20, wait_s=60.0)))
    asking.start()
    time.sleep(1.0)
    federation.start(OWNER)
    asking.join(60)
    assert found[0]["score"].tolist() == (card_points(ROWS)[:20] + 100).tolist()
    assert used(federation, grant) == before + 20


def test_an_end_is_final_on_both_sides(federation: LocalFederation) -> None:
    grant = agree(federation, "ended", CARD)
    call(federation.homes[OWNER], "score.end", {"grant": grant[:12]})
    await_standing(federation, ASKER, grant, "ended")
    with pytest.raises(InputError) as caught:  # before anything is encrypted
        ask(federation.homes[ASKER], "ended", dataset=DATASET, last=1)
    assert caught.value.code == "score.which-grant"
