"""A Flower app as a study's computation, in a whole federation: the same numbers, and what goes wrong on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("flwr")

from tests.support.flower_apps import EXAMPLE, expected_error, write_app

import sealane
from sealane.coordinator.run_facts import Patience
from sealane.errors import InputError, RefusedError
from sealane.flower.run import run_app
from sealane.secagg.messages import Delivery, Letters
from sealane.simulation.faults import Fault
from sealane.simulation.simulate import Simulation

NAMES = ("north", "south", "west")
KEPT = """
import numpy as np
from flwr.app import ArrayRecord, RecordDict
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
app = ServerApp()
@app.main()
def main(grid, context):
    {body}
"""
STARTS = """FedAvg(fraction_evaluate=0.0).start(grid, ArrayRecord([np.zeros(2)]), num_rounds=2)"""
TRAINS = """
import numpy as np
import pandas as pd
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from sealane.flower import secure_sum_mod
app = ClientApp(mods=[{mods}])
@app.train()
def train(message, context):
    rows = pd.read_csv(context.node_config["data-path"])
    metrics = MetricRecord({{"num-examples": len(rows), "least": float(rows["age"].min())}})
    mean = rows["age"].mean()
    {body}
    return Message(RecordDict({{"arrays": ArrayRecord([np.array([mean / 100, len(rows) / 100])]),
                                "metrics": metrics}}), reply_to=message)
"""


def frames() -> dict[str, pd.DataFrame]:
    return {name: pd.DataFrame({"age": np.arange(30.0 + k) + 10 * k, "secret": np.arange(30.0 + k) + 7000})
            for k, name in enumerate(NAMES)}


@pytest.fixture
def federation() -> Simulation:
    return sealane.simulate(frames(), patience=Patience(round_s=10.0, nudge_s=0.1))


def trainer(root: Path, name: str, *, server: str = STARTS, client: str = "pass", mods: str = "") -> Path:
    app = write_app(root, name, server=KEPT.format(body=server))
    (app / name / "client_app.py").write_text(TRAINS.format(body=client, mods=mods))
    return app


def run(federation: Simulation, app: Path, **asked: Any) -> Any:
    options = {"scheme": "none", "server": "south"} | federation.install_app(app) | asked
    return federation.run("flower.app", **options)


def test_the_example_comes_to_the_same_as_over_processes(federation: Simulation) -> None:
    result = run(federation, EXAMPLE, run_config={"num-rounds": 4})
    alone = run_app(EXAMPLE, nodes=3, changes={"num-rounds": 4}, virtual=True)
    assert [e.nodes for e in alone.grid.exchanges] == list(result.exchanges["nodes"]) == [3] * 4
    # The same steps by hand: three nodes' rows of the example, averaged by their numbers.
    weights = np.zeros(3)
    for _ in range(4):
        steps = []
        for partition in range(3):
            rng = np.random.default_rng(partition)
            x = rng.normal(size=(200 + 50 * partition, 3))
            y = x @ [2.0, -1.0, 0.5] + rng.normal(scale=0.1, size=len(x))
            steps.append((len(y), weights - 0.1 * x.T @ (x @ weights - y) / len(y)))
        weights = sum(n * w for n, w in steps) / sum(n for n, _ in steps)
    np.testing.assert_allclose(result.arrays["0"], weights, rtol=1e-12)
    assert list(result.metrics["round"]) == [1, 2, 3, 4]
    assert result.trace.rounds == 9  # two for each exchange of the app, and one that says that it is over


def test_the_clientapp_reads_its_rows_from_a_file(federation: Simulation, tmp_path: Path) -> None:
    result = run(federation, trainer(tmp_path, "reads"), columns=["age"])
    counts = np.array([30, 31, 32])
    means = np.array([frame["age"].mean() for frame in frames().values()])
    np.testing.assert_allclose(result.arrays["0"][0] * 100, np.average(means, weights=counts))
    assert "south saw each institution's messages" in result.summary()
    assert result.to_dict()["arrays"] == [{"name": "0", "dtype": "<f8", "shape": [2]}]


def test_the_coordinator_carries_ciphertext_only(federation: Simulation, tmp_path: Path) -> None:
    seen: list[Any] = []

    def look(message: Any) -> Any:
        seen.append(message)
        return message

    faults = [Fault("replace", message=kind, times=-1, lie=look) for kind in ("Letters", "Delivery", "Contribution")]
    run(federation, trainer(tmp_path, "sealed", client='metrics["mark"] = 4242424242.0'), columns=["age"],
        faults=faults)
    assert {type(message) for message in seen} == {Letters, Delivery}
    carried = b"".join(part for message in seen for part in message.sealed.values())
    assert len(carried) > 5000
    plain = run_app(EXAMPLE, nodes=1, changes={"num-rounds": 1}, virtual=True)  # such messages hold these words
    assert plain.grid.sent > 100
    for word in (b"num-examples", b"numpy", b"arrays", b"train", b"mark", np.float64(4242424242.0).tobytes()):
        assert word not in carried


def test_with_the_mod_the_server_half_sees_sums_only(federation: Simulation, tmp_path: Path) -> None:
    server = """from sealane.flower import SecureSum
    seen = []
    class Seeing(FedAvg):
        def aggregate_train(self, number, replies):
            replies = list(replies)
            seen.append((len(replies), *[dict(r.content["metrics"]) for r in replies]))
            return super().aggregate_train(number, replies)
    Seeing(fraction_evaluate=0.0).start(SecureSum(grid, clip=1.0, cap=100), ArrayRecord([np.zeros(2)]), num_rounds=1)
    assert seen == [(1, {"num-examples": seen[0][1]["num-examples"]})], seen
    assert abs(seen[0][1]["num-examples"] - 93) < 0.05"""
    result = run(federation, trainer(tmp_path, "secure", server=server, mods="secure_sum_mod"), columns=["age"])
    counts = np.array([30, 31, 32])
    means = np.array([frame["age"].mean() for frame in frames().values()])
    np.testing.assert_allclose(result.arrays["0"][0] * 100, np.average(means, weights=counts), atol=0.05)
    assert result.ended is None


def test_a_secure_sum_that_does_not_open_ends_the_run(federation: Simulation, tmp_path: Path) -> None:
    server = """from sealane.flower import SecureSum
    FedAvg(fraction_evaluate=0.0).start(SecureSum(grid, clip=1.0, cap=100), ArrayRecord([np.zeros(2)]), num_rounds=1)"""
    client = "if len(rows) == 31: raise OSError"
    app = trainer(tmp_path, "unopened", server=server, mods="secure_sum_mod", client=client)
    with expected_error("flower.app-ended", got="flower.sum-not-opened"):
        run(federation, app, columns=["age"], tolerate=True)


def test_a_server_half_that_fails_after_its_work_releases_it(federation: Simulation, tmp_path: Path) -> None:
    result = run(federation, trainer(tmp_path, "writes", server=f'{STARTS}\n    open("/nonexistent/x", "w")'),
                 columns=["age"])
    assert result.ended == "FileNotFoundError at server_app.py:10"
    assert result.ended in result.summary()
    assert result.arrays["0"].shape == (2,)
    result.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "model.npz")["0"], result.arrays["0"])


@pytest.mark.parametrize(("server", "client", "asked", "code", "got"), [
    ("raise ValueError(7001)", "pass", {}, "flower.server-app-failed", "ValueError at server_app.py:9"),
    (STARTS, "raise KeyError(rows)", {}, "flower.client-app-failed", "KeyError at client_app.py:13"),
    (STARTS, "return None", {}, "flower.client-app-failed", "TypeError at half.py"),
    (STARTS, "from flwr.app import Error; return Message(Error(7, '7001 rows'), reply_to=message)", {},
     "flower.client-app-failed", "an error in the app's own words"),
    (STARTS, "from flwr.app import Error; return Message(Error(7, 'flower.not-secure: 7001'), reply_to=message)", {},
     "flower.client-app-failed", "flower.not-secure"),
    (STARTS, "pass", {"exchanges": 1}, "flower.too-many-exchanges", ""),
    (STARTS, "pass", {"result_bytes": 15}, "flower.result-too-large", "16 bytes"),
    (STARTS.replace("zeros(2)", "zeros(1000)"), "pass", {"message_bytes": 5000}, "flower.message-too-large", ""),
    (STARTS, "metrics['big'] = [1.0] * 1000", {"message_bytes": 5000}, "flower.message-too-large", ""),
    ("context.state['kept'] = ArrayRecord([np.array(['text'])])", "pass", {}, "flower.not-numbers", "<U4"),
    ("import time\n    time.sleep(3)", "pass", {"seconds": 1}, "flower.out-of-time", ""),
    (STARTS, "import time\n    time.sleep(1.2)", {"seconds": 1}, "flower.out-of-time", ""),
])
def test_what_goes_wrong_has_a_name_and_shows_no_row(
        federation: Simulation, tmp_path: Path, server: str, client: str, asked: dict[str, Any], code: str, got: str,
) -> None:
    app = trainer(tmp_path, "fails", server=server, client=client)
    with expected_error(code, got=got) as caught:
        run(federation, app, columns=["age"], **asked)
    assert "7001" not in str(caught.value.to_dict())


def test_an_error_is_passed_on_where_that_is_agreed(federation: Simulation, tmp_path: Path) -> None:
    app = trainer(tmp_path, "tolerant", client="if len(rows) == 31: raise ValueError",
                  server=STARTS.replace("fraction_evaluate=0.0", "fraction_evaluate=0.0, min_train_nodes=1"))
    result = run(federation, app, columns=["age"], tolerate=True)
    assert result.to_dict()["failed"] == 2
    assert result.to_dict()["failures"][0][0] == "south"


def test_what_a_study_must_say(federation: Simulation, tmp_path: Path) -> None:
    for asked, code in (({"scheme": "masking"}, "study.app-not-secured"), ({"scheme": "rlwe"}, "study.app-not-secured"),
                        ({"server": "elsewhere"}, "study.server-unknown"), ({"code": "0" * 64}, "app.not-installed"),
                        ({"columns": ["weight"]}, "contract.unknown-field"),
                        ({"run_config": {"none": 1}}, "flower.unknown-key")):
        with expected_error(code):
            run(federation, EXAMPLE, **asked)
    with pytest.raises(InputError) as caught:
        federation.run("statistics.describe", scheme="none", columns=["age"])
    assert caught.value.code == "study.scheme-none"


def test_one_node_without_the_app_ends_the_run(federation: Simulation) -> None:
    app = federation.install_app(EXAMPLE)
    federation.nodes["west"].apps.clear()
    with pytest.raises(RefusedError) as caught:
        federation.run("flower.app", scheme="none", server="south", **app)
    assert caught.value.code == "app.not-installed"
    assert "west" in caught.value.message


@pytest.mark.parametrize("faults", [
    [Fault("drop", message="Letters", exchange=1), Fault("drop", message="Delivery", exchange=2, node="west")],
    [Fault("duplicate", message="Letters", times=-1), Fault("duplicate", message="Delivery", times=-1)],
    [Fault("delay", message="Letters", exchange=2, seconds=0.2)],
    [Fault("crash-coordinator", message="Letters", exchange=3, seconds=0.1)],
    [Fault("crash-coordinator", message="Delivery", exchange=2, seconds=0.1)],
])
def test_lost_messages_and_a_killed_coordinator_change_nothing(federation: Simulation, faults: list[Fault]) -> None:
    app = federation.install_app(EXAMPLE)
    asked = {"scheme": "none", "server": "south", "run_config": {"num-rounds": 3}}
    plain = federation.run("flower.app", **asked, **app)
    disturbed = federation.run("flower.app", faults=faults, **asked, **app)
    np.testing.assert_array_equal(disturbed.arrays["0"], plain.arrays["0"])


@pytest.mark.parametrize("node", ["south", "west"])
def test_a_node_that_is_killed_in_mid_run_ends_it(federation: Simulation, node: str) -> None:
    app = federation.install_app(EXAMPLE)
    with pytest.raises(RefusedError) as caught:
        federation.run("flower.app", scheme="none", server="south", **app,
                       faults=[Fault("crash", node=node, message="Letters", exchange=3, seconds=0.1)])
    assert caught.value.code == "cohort.letters-lost"


def test_what_was_run_counts_as_answered(federation: Simulation) -> None:
    run(federation, EXAMPLE, run_config={"num-rounds": 1})
    for node in federation.nodes.values():
        assert node.records.cohorts(node.dataset_version) == [
            frozenset(one.fingerprint for one in federation.nodes.values())]
        assert len(node.ledger.runs(next(iter(node.records.statements)))) == 1
