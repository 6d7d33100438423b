"""Secure sums in Flower: what a strategy gets, what crosses, and what a node refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

flwr = pytest.importorskip("flwr")

from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict  # noqa: E402
from flwr.serverapp.strategy import FedAdam, FedAvg  # noqa: E402
from tests.support.flower_apps import expected_error  # noqa: E402
from tests.support.secure_sums import (  # noqa: E402
    CAP,
    CLIP,
    FLOWER,
    KEYS,
    ROWS,
    SEEDS,
    START,
    Change,
    Wire,
    changes,
    client_app,
    expected,
    federation,
    one_round,
    tolerance,
    usual,
)

from sealane.computations.flower_app.grid import make_grid  # noqa: E402
from sealane.core.ids import fingerprint  # noqa: E402
from sealane.flower import SecureSum, SecureSumMod  # noqa: E402
from sealane.flower.processes import seats  # noqa: E402


@pytest.mark.parametrize(("scheme", "nodes", "bits"), [("masking", 3, 16), ("rlwe", 3, 16), ("rlwe", 4, 20)])
def test_fedavg_gets_the_weighted_mean(scheme: str, nodes: int, bits: int) -> None:
    places = tuple(range(nodes))
    with federation(client_app(), nodes) as (grid, _):
        got = one_round(grid, scheme=scheme, bits=bits)
    for array, wanted in zip(got, expected(places), strict=True):
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, wanted, rtol=0, atol=tolerance(places, bits) + 1e-6)


def test_rounds_follow_one_another() -> None:
    with federation(client_app()) as (grid, _):
        got = one_round(grid, rounds=3)
    wanted = expected((0, 1, 2), expected((0, 1, 2), expected((0, 1, 2))))
    np.testing.assert_allclose(got[0], wanted[0], rtol=0, atol=3 * tolerance((0, 1, 2)) + 1e-6)


def test_a_server_optimiser_gets_it_too() -> None:
    def plain(place: int, arrays: list[np.ndarray]) -> list[np.ndarray]:
        return usual(place, arrays)

    def start(grid: Any) -> list[np.ndarray]:
        strategy = FedAdam(fraction_evaluate=0.0, min_train_nodes=1, min_available_nodes=1, eta=0.5,
                            tau=1.0)  # with a small tau, Adam would magnify what rounding leaves of a zero
        out: list[np.ndarray] = strategy.start(grid, ArrayRecord(START), num_rounds=2).arrays.to_numpy_ndarrays()
        return out

    with federation(client_app(plain, mod=None)) as (grid, _):
        wanted = start(grid)
    with federation(client_app(plain)) as (grid, _):
        got = start(SecureSum(grid, clip=CLIP, cap=CAP))
    assert np.abs(wanted[0] - START[0]).max() > 0.01
    np.testing.assert_allclose(got[0], wanted[0], rtol=0, atol=2 * tolerance((0, 1, 2)))


@pytest.mark.parametrize("scheme", ["masking", "rlwe"])
def test_nothing_of_one_node_crosses_in_the_clear(scheme: str) -> None:
    with federation(client_app()) as (grid, wire):
        one_round(grid, scheme=scheme)
    crossed = b"".join(wire.replies)
    assert len(crossed) > 3000
    for place in range(3):
        for array, change in zip(START, changes(place), strict=True):
            assert (array + change).tobytes() not in crossed
            assert change.tobytes() not in crossed
    assert b"private" not in crossed
    with federation(client_app(mod=None)) as (grid, wire):  # the same probe finds it where nothing protects it
        FedAvg(fraction_evaluate=0.0).start(grid, ArrayRecord(START), num_rounds=1)
    assert (START[0] + changes(1)[0]).tobytes() in b"".join(wire.replies)
    assert b"private" in b"".join(wire.replies)


def test_masked_contributions_look_random() -> None:
    same = client_app(lambda place, arrays: [array + np.float32(0.25) for array in arrays])
    with federation(same) as (grid, wire):
        one_round(grid)
    payloads = [bytes(FLOWER.read(data).content["sealane"]["contribution"]) for data in wire.replies
                if "contribution" in FLOWER.read(data).content["sealane"]]
    assert len(set(payloads)) == len(payloads) == 3


def test_a_lost_node_closes_a_masked_round_for_ever() -> None:
    with (federation(client_app(), silent=(102, "contribute")) as (grid, wire),
          expected_error("flower.sum-not-opened", got="node 102: gone")):
        one_round(grid)
    steps = [FLOWER.read(data).content["sealane"] for data in wire.replies]
    assert not any("release" in step for step in steps)


def test_rlwe_goes_on_without_one_of_four() -> None:
    with federation(client_app(), 4, silent=(102, "contribute")) as (grid, _):
        got = one_round(grid, scheme="rlwe")
    np.testing.assert_allclose(got[0], expected((0, 2, 3))[0], rtol=0, atol=tolerance((0, 2, 3)) + 1e-6)


@pytest.mark.parametrize(("change", "reason"), [
    (lambda place, arrays: [array * np.nan for array in arrays], "flower.not-finite"),
    (lambda place, arrays: arrays[:1], "flower.shapes-differ"),
    (lambda place, arrays: [array.astype(np.int64) for array in arrays], "flower.not-floats"),
])
def test_what_cannot_be_summed_is_refused_at_the_node(change: Change, reason: str) -> None:
    with federation(client_app(change)) as (grid, _), expected_error("flower.sum-not-opened", got=reason):
        one_round(grid)


def test_an_app_that_raises_is_named() -> None:
    def raising(place: int, arrays: list[np.ndarray]) -> list[np.ndarray]:
        raise KeyError("a row: 4711")

    with (federation(client_app(raising)) as (grid, _),
          expected_error("flower.sum-not-opened", got="node 101: KeyError at test_secure_sum.py") as caught):
        one_round(grid)
    assert "4711" not in str(caught.value)


def test_a_large_change_is_clipped() -> None:
    with federation(client_app(lambda place, arrays: [array + np.float32(9) for array in arrays])) as (grid, _):
        got = one_round(grid)
    np.testing.assert_allclose(got[0], START[0] + CLIP, atol=tolerance((0, 1, 2)) + 1e-6)


def test_a_node_does_not_train_in_the_clear() -> None:
    with federation(client_app()) as (grid, wire):
        message = Message(RecordDict({"arrays": ArrayRecord(START)}), 101, "train")
        (reply,) = grid.send_and_receive([message])
    assert (reply.error.code, reply.error.reason.split(":")[0]) == (6, "flower.not-secure")
    assert wire.replies


def test_an_app_without_the_mod_is_named() -> None:
    with (federation(client_app(mod=None)) as (grid, _),
          expected_error("flower.sum-not-opened", got="node 101")):
        one_round(grid)


def test_trusted_nodes_sum_and_a_stranger_is_refused(tmp_path: Any) -> None:
    for place, seed in enumerate(SEEDS):
        (tmp_path / str(place)).write_bytes(seed)

    def config(place: int) -> dict[str, Any]:
        trusted = ",".join(fingerprint(key.public_key) for key in KEYS[:3])
        return {"sealane-key": str(tmp_path / str(place)), "sealane-trusted": trusted}

    with federation(client_app(), 3, config) as (grid, _):
        np.testing.assert_allclose(one_round(grid)[0], expected((0, 1, 2))[0], atol=tolerance((0, 1, 2)) + 1e-6)
    with federation(client_app(), 4, config) as (grid, _), expected_error("flower.sum-not-opened", "flower.stranger"):
        one_round(grid)


def test_another_cohort_is_refused() -> None:
    with federation(client_app(), 4) as (grid, _):
        one_round(grid)
        message = [Message(RecordDict({"arrays": ArrayRecord(START)}), node, "train") for node in (101, 102, 103)]
        with expected_error("flower.sum-not-opened", "flower.cohort-changed"):
            SecureSum(grid, clip=CLIP, cap=CAP).send_and_receive(message)


@pytest.mark.parametrize(("mod", "terms"), [
    (SecureSumMod(schemes=("rlwe",)), {}), (SecureSumMod(smallest=4), {"scheme": "masking"})])
def test_a_node_insists_on_its_own_terms(mod: SecureSumMod, terms: dict[str, Any]) -> None:
    with (federation(client_app(mod=mod), 4) as (grid, _),
          expected_error("flower.sum-not-opened", "flower.terms-refused")):
        one_round(grid, **terms)


def test_a_node_cannot_be_told_to_help_two() -> None:
    with (federation(client_app(), 3, lambda place: {"sealane-smallest": 2}) as (grid, _),
          expected_error("flower.sum-not-opened", "flower.bad-terms")):
        one_round(grid)


@pytest.mark.parametrize("step", ["introduce", "release", "open", "contribute", "other"])
def test_a_step_out_of_order_is_refused(step: str) -> None:
    with federation(client_app()) as (grid, _):
        message = Message(RecordDict({"sealane": ConfigRecord({"step": step})}), 101, "train")
        (reply,) = grid.send_and_receive([message])
    assert reply.error.reason.startswith("flower.step-out-of-order")


def test_a_release_is_given_once() -> None:
    with federation(client_app()) as (grid, wire):
        told: list[Any] = []
        send = wire.send

        def listening(node: int, data: bytes) -> None:
            told.append((node, data))
            send(node, data)

        wire.send = listening  # type: ignore[method-assign]
        one_round(grid)
        before = len(wire.replies)
        again = [data for node, data in told if FLOWER.read(data).content["sealane"]["step"] == "release"]
        wire._work(101, again[0])
        answer = FLOWER.read(wire.replies[before])
    assert answer.error.reason.startswith("flower.step-out-of-order")


@pytest.mark.parametrize("terms", [{"clip": 0.0}, {"clip": float("nan")}, {"cap": -1.0}, {"bits": 3}, {"bits": 25},
                                   {"smallest": 2}, {"colluding": 0}, {"scheme": "none"}, {"colluding": 2}])
def test_terms_out_of_range_are_refused(terms: dict[str, Any]) -> None:
    with federation(client_app()) as (grid, _), expected_error("flower.bad-terms"):
        SecureSum(grid, **{"clip": CLIP, "cap": CAP, **terms})


def test_training_goes_out_together_and_by_itself() -> None:
    with federation(client_app()) as (grid, _):
        secure = SecureSum(grid, clip=CLIP, cap=CAP)
        train = Message(RecordDict({"arrays": ArrayRecord(START)}), 101, "train")
        other = Message(RecordDict({"arrays": ArrayRecord([START[0] + 1, START[1]])}), 102, "train")
        with expected_error("flower.pushed-training"):
            secure.push_messages([train])
        with expected_error("flower.mixed-batch"):
            secure.send_and_receive([train, Message(RecordDict(), 102, "query")])
        with expected_error("flower.models-differ"):
            secure.send_and_receive([train, other])
        with expected_error("flower.not-one-model"):
            secure.send_and_receive([Message(RecordDict(), 102, "train")])


def test_a_model_that_nobody_weighs_is_refused() -> None:
    with federation(client_app()) as (grid, _), expected_error("flower.sum-not-opened", "flower.no-weight"):
        one_round(grid, weighted_by="absent")


@pytest.mark.parametrize("content", [None, b"short"])
def test_a_key_that_is_none_is_refused(tmp_path: Any, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with (federation(client_app(), 3, lambda place: {"sealane-key": str(tmp_path / "key")}) as (grid, _),
          expected_error("flower.sum-not-opened", "flower.no-key")):
        one_round(grid)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"scheme": 1}',
                                  '{"clip": 1, "cap": 1, "scheme": "rlwe", "bits": "x"}',
                                  '{"clip": true, "cap": 1, "scheme": "rlwe"}'])
def test_terms_that_are_none_are_refused(text: str) -> None:
    from sealane.flower.secure.terms import read_terms

    with expected_error("flower.terms-malformed"):
        read_terms(text)


def test_a_cohort_of_fewer_than_agreed_is_refused() -> None:
    """A server half that lies: it names two members where the terms, which the node checked, say three."""
    class Lying(SecureSum):
        def _introductions(self, turn: Any, attempt: Any) -> Any:
            import dataclasses

            for fingerprint_ in list(turn.nodes)[2:]:
                del turn.nodes[fingerprint_]
            members = tuple(member for member in attempt.members if member.fingerprint in turn.nodes)
            return super()._introductions(turn, dataclasses.replace(attempt, members=members))

    with federation(client_app()) as (grid, _), expected_error("flower.sum-not-opened", "flower.cohort-too-small"):
        FedAvg(fraction_evaluate=0.0).start(Lying(grid, clip=CLIP, cap=CAP), ArrayRecord(START), num_rounds=1)


def test_nodes_that_open_different_sums_are_noticed() -> None:
    class Bent(Wire):
        def _work(self, node: int, data: bytes) -> None:
            reply = FLOWER.read(self._halves[node].answer(data))
            if node == 103 and reply.has_content() and "hash" in reply.content["sealane"]:
                reply.content["sealane"]["hash"] = b"other"
            self._arrived(node, FLOWER.write(reply))

    with Bent(FLOWER, client_app(), seats("none", 3, {})) as wire, expected_error("flower.sums-differ"):
        one_round(make_grid(FLOWER, wire, tolerate=True))


def test_a_server_half_that_invents_nodes_learns_a_model_where_nobody_is_named(tmp_path: Any) -> None:
    """What docs/flower.md says is not protected, shown: two of the three nodes are the server half's own."""
    (tmp_path / "key").write_bytes(SEEDS[0])

    def invented(place: int, arrays: list[np.ndarray]) -> list[np.ndarray]:
        return usual(0, arrays) if place == 0 else arrays

    def learnt(config: dict[str, Any]) -> np.ndarray:
        with federation(client_app(invented), 3, lambda place: config if place == 0 else {}) as (grid, _):
            got = one_round(grid)[0] - START[0]
        return np.asarray(got * sum(ROWS[:3]) / ROWS[0])

    np.testing.assert_allclose(learnt({}), changes(0)[0], atol=20 * tolerance((0, 1, 2)))
    named = ",".join(str(key.fingerprint) for key in KEYS[:3])
    with expected_error("flower.sum-not-opened", "flower.stranger"):
        learnt({"sealane-trusted": named, "sealane-key": str(tmp_path / "key")})


@pytest.mark.parametrize("lie", ["model", "configuration", "name", "kind"])
def test_nodes_that_were_sent_different_things_open_nothing(lie: str) -> None:
    """The attack by inconsistent models: all but node 101 get what changes nothing, and the sum would be its own."""
    class Lying(SecureSum):
        def _ask(self, turn: Any, asked: list[Any], *, trains: bool = False) -> Any:
            bent = []
            for node, step, message in asked:
                content = RecordDict(dict(message.content.items()))
                if trains and node != 101:
                    if lie == "model":
                        content["arrays"] = ArrayRecord([array * 0 for array in START])
                    elif lie == "configuration":
                        content["config"] = ConfigRecord({**dict(content["config"]), "learning-rate": 0.0})
                    elif lie == "name":
                        content["other"] = ConfigRecord(dict(content["config"]))
                kind = "train.other" if lie == "kind" and node != 101 else "train"
                bent.append((node, step, Message(content, node, kind)))
            return super()._ask(turn, bent, trains=trains)

    with federation(client_app()) as (grid, wire), expected_error("flower.sum-not-opened", "signature.invalid"):
        FedAvg(fraction_evaluate=0.0).start(Lying(grid, clip=CLIP, cap=CAP), ArrayRecord(START), num_rounds=1)
    steps = [FLOWER.read(data).content["sealane"] for data in wire.replies if FLOWER.read(data).has_content()]
    assert not any("release" in step for step in steps)
