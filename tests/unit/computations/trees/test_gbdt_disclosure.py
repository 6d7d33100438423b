"""What leaves a node, what is opened in which order, and which splits the rule bars."""

from __future__ import annotations

import importlib
import struct
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import sealane
from sealane.computations.trees import fit, kernels, library
from sealane.computations.trees.fit import Gbdt
from sealane.computations.trees.growth import Growth
from sealane.computations.trees.histograms import Histograms
from sealane.computations.trees.permission import Rule, judge
from sealane.computations.trees.sampling import drawn, private_seed
from sealane.errors import ProtocolError, RefusedError
from sealane.node.cohort import NodeCohort
from sealane.rpc.codec import encode_from_node
from sealane.secagg.messages import Contribution, Endorsement, Join, Proposal, Release, SealedResult

simulation = importlib.import_module("sealane.simulation.simulate")
FROM_NODE = (Join, Contribution, Release, Proposal, Endorsement, SealedResult)
PARAMS = {"outcome": "event", "features": ["a", "b", "m"], "rounds": 2, "minimum_count": 5,
          "params": {"num_leaves": 4, "max_bin": 12}}


@pytest.fixture
def seen(monkeypatch, parts):
    """A run with everything that was said and computed in it."""
    engines, plain, local, gathers = [], [], [], []

    class Kept(simulation.Engine):
        def __post_init__(self):
            super().__post_init__()
            engines.append(self)

    summed, added, gathered = NodeCohort.sum, kernels.add_up, library.Library._gather

    async def sum_(self, terms):
        plain.append({name: term.values.copy() for name, term in terms.items()})
        return await summed(self, terms)

    def add(codes, rows, first, second, starts, out, counts):
        added(codes, rows, first, second, starts, out, counts)
        local.append((out.copy(), first.copy(), second.copy(), counts.copy()))

    def gather(self, data, size, *rest):
        gathers.append(library.ctypes.string_at(data, size))
        return gathered(self, data, size, *rest)

    monkeypatch.setattr(simulation, "Engine", Kept)
    monkeypatch.setattr(NodeCohort, "sum", sum_)
    monkeypatch.setattr(kernels, "add_up", add)
    monkeypatch.setattr(library.Library, "_gather", gather)
    small = {name: part.iloc[:500] for name, part in parts.items()}
    result = sealane.simulate(small).run("trees.gbdt", **PARAMS)
    return engines[0], plain, local, gathers, result


def words(data):
    return {data[k : k + 8] for k in range(0, len(data) - 7, 8)}


def test_no_message_holds_a_number_of_one_node_s_rows(seen):
    engine, plain, local, gathers, _ = seen
    numbers = [float(value) for histogram, *_ in local for value in histogram.reshape(-1)]
    numbers += [float(value) for _, first, second, _ in local for value in (first.sum(), second.sum())]
    numbers += [float(value) for _, first, second, _ in local[::4] for value in (*first[:200], *second[:200])]
    needles = {struct.pack("<d", value) for value in numbers} | {repr(value).encode() for value in numbers}
    summed = {word for terms in plain for name, values in terms.items() for word in words(values.tobytes())}
    needles |= summed
    # The whole of what LightGBM hands to a gather, the unwritten tail of a split included, at every offset.
    needles |= {data[k : k + 8] for data in gathers for k in range(len(data) - 7)}
    # Own rows by bin: two neighbours at once, and what is packed of several bins before it is masked.
    needles |= {word for *_, counts in local for word in (*words(counts.tobytes()), *words(counts[1:].tobytes()))}
    # Words with zero bytes are short numbers: they lie in any message by chance, as lengths and counters.
    needles = {needle for needle in needles if len(needle) >= 8 and needle.count(0) < 3}
    assert len(needles) > 1000
    sent = [encode_from_node(message).SerializeToString() for _, message in engine.seen
            if isinstance(message, FROM_NODE)]
    assert {type(message) for _, message in engine.seen} >= set(FROM_NODE)
    assert len(sent) > 50
    assert [needle for data in sent for needle in _all_words(data) & needles] == []
    # The search would find them: what is summed holds the histograms, before it is masked.
    assert len(summed & needles) > 150
    packed = {word for terms in plain for name, values in terms.items() if name.endswith("census")
              for word in words(values.tobytes())}
    assert len(packed & needles) > 20
    raw = Contribution(*_fields_with(engine, plain))
    assert _all_words(encode_from_node(raw).SerializeToString()) & needles != set()


def _all_words(data):
    return {data[k : k + 8] for k in range(len(data) - 7)} | {
        data[k : k + n] for n in range(9, 25) for k in range(len(data) - n + 1) if data[k] in b"-0123456789"}


def _fields_with(engine, plain):
    """Return the fields of a contribution that an engine saw, with a sum in the clear for its payload."""
    one = next(message for _, message in engine.seen if isinstance(message, Contribution))
    clear = next(values for terms in plain for name, values in terms.items() if name.endswith("histograms")).tobytes()
    return [clear if name == "payload" else getattr(one, name) for name in one.__dataclass_fields__]


def test_lightgbm_holds_no_row_and_its_calls_are_the_same_at_every_node(seen):
    *_, gathers, _ = seen
    from sealane.computations.trees.calls import _FIELDS

    def written(data):
        if len(data) == 24:
            return data[:20]
        half = len(data) // 2
        return data[: _FIELDS.size], data[half : half + _FIELDS.size] if data[half : half + 4] != b"\xff" * 4 else b""

    each = {}
    for data in gathers:
        each[written(data)] = each.get(written(data), 0) + 1
    assert each
    assert all(number % 3 == 0 for number in each.values())


@pytest.mark.parametrize("weight", [None, "weight"])  # verdicts are read off; where rows are weighted, asked for
def test_a_split_is_judged_before_anything_of_its_children_is_summed(weight, run_pooled, parts, monkeypatch):
    summed, terms = {}, Histograms.terms

    def note(self, nodes):
        for node in nodes:
            for one in (node, node.sibling) if node.parent is not None else ():
                summed.setdefault((self._ground.tally.rounds, one.name), []).append(len(one.rows))
                above = [verdict for verdict in node.parent.verdicts.values()
                         if one.total in (verdict.left_rows, verdict.right_rows)]
                assert any(verdict.permitted for verdict in above)
        return terms(self, nodes)

    frames = {name: part.assign(where=place + np.random.default_rng(place).uniform(0, 1.4, len(part)),
                                amount=part["amount"] + 2.0 * place)
              for place, (name, part) in enumerate(parts.items())}
    monkeypatch.setattr(Histograms, "terms", note)
    monkeypatch.setattr(fit, "rule_for", lambda cohort, least: Rule(100, 100, 3))
    result = run_pooled(frames, Gbdt(), {
        "outcome": "amount", "features": ["a", "b", "m", "where", "grade"], "rounds": 3, "weight": weight,
        "params": {"num_leaves": 12, "max_bin": 12}}, minimum_count=5)
    # What the nodes themselves hold of each: the rule, over all of them, from their own rows.
    assert len(summed) > 20
    assert all(len(rows) == 3 and sum(rows) >= 100 and min(rows) > 0 for rows in summed.values())
    assert result.sums["barred_splits"] > 0
    counts = [leaf for tree in result.booster.dump_model()["tree_info"] for leaf in _counts(tree["tree_structure"])]
    assert min(counts) >= 100


def _counts(node):
    if "leaf_count" in node and "leaf_value" in node:
        return [node["leaf_count"]]
    return _counts(node["left_child"]) + _counts(node["right_child"])


@pytest.mark.parametrize(("opened", "weights", "permitted"), [
    ([200, 3, 3], None, True), ([199, 3, 3], None, False), ([801, 3, 3], None, False), ([200, 2, 3], None, False),
    ([200, 3, 2], None, False), ([200, 3, 3], [200.0, 200.0, 800.0, 800.0], True),
    ([200, 3, 3], [200.0, 400.0, 800.0, 800.0], False), ([200, 3, 3], [200.0, 200.0, 800.0, 6400.0], False),
])
def test_both_children_need_rows_institutions_and_weight(opened, weights, permitted):
    found = judge(Rule(200, 150, 3), 1000, np.array(opened), None if weights is None else np.array(weights))
    assert found.permitted is permitted
    assert (found.left_rows, found.right_rows) == (opened[0], 1000 - opened[0])


def test_a_feature_that_tells_institutions_apart_is_not_split_on(parts):
    rng = np.random.default_rng(5)
    frames = {}
    for place, (name, part) in enumerate(parts.items()):
        frame = part[["a", "b"]].copy()
        frame["where"] = place + rng.uniform(0, 0.9, len(frame))
        frame["branch"] = np.where(rng.random(len(frame)) < 0.5, f"only {name}", "shared")
        frame["amount"] = 10.0 * place + frame["a"] + rng.normal(size=len(frame))
        frames[name] = frame
    result = sealane.simulate(frames).run("trees.gbdt", outcome="amount", features=["a", "b", "where", "branch"],
                                          rounds=3, minimum_count=5, params={"num_leaves": 6})
    assert result.sums["barred_splits"] >= 3
    assert result.sums["replaced_splits"] >= 3
    assert result.bins["branch"] == ["shared"]  # levels of one institution are not told apart
    assert result.feature_importance["split"]["a"] > 0
    tops = [tree["tree_structure"] for tree in result.booster.dump_model()["tree_info"]]
    assert all(result.features[top["split_feature"]] != "where" for top in tops)


def test_nodes_whose_trees_differ_open_nothing(parts, monkeypatch):
    init = Growth.__init__
    turn = iter(range(100))

    def other(self, ground, label, *rest):
        init(self, ground, label if next(turn) else label + " of another tree", *rest)

    monkeypatch.setattr(Growth, "__init__", other)
    with pytest.raises(ProtocolError):
        sealane.simulate(parts).run("trees.gbdt", **PARAMS)


@pytest.mark.parametrize("which", ["histograms", "census"])
def test_a_node_that_lies_about_the_size_of_its_histogram_ends_the_run(which, parts, monkeypatch):
    honest = Histograms.terms
    turn = iter(range(1000))

    def longer(self, nodes):
        terms = honest(self, nodes)
        term = terms[which]
        return terms if next(turn) else terms | {
            which: replace(term, values=np.concatenate([term.values, term.values]))}

    monkeypatch.setattr(Histograms, "terms", longer)
    with pytest.raises(ProtocolError) as caught:
        sealane.simulate(parts).run("trees.gbdt", **PARAMS)
    assert caught.value.code == "run.payload-length"


def test_the_same_rows_are_drawn_after_a_restart_and_no_others_know_them(run_pooled, parts):
    params = {"outcome": "amount", "features": ["a", "b"], "rounds": 3,
              "params": {"num_leaves": 4, "bagging_fraction": 0.6, "bagging_freq": 1, "feature_fraction": 0.5}}
    first, again = (run_pooled(parts, Gbdt(), params, minimum_count=5).model_text for _ in range(2))
    assert first == again
    changed = {name: part.copy() for name, part in parts.items()}
    changed["north"].loc[0, "amount"] += 1e-3
    assert run_pooled(changed, Gbdt(), params, minimum_count=5).model_text != first
    counts = [sum(_counts(tree["tree_structure"]))
              for tree in run_pooled(parts, Gbdt(), params, minimum_count=5).booster.dump_model()["tree_info"]]
    assert all(0.55 * 4000 < number < 0.65 * 4000 for number in counts)
    assert len(set(counts)) == 3


@pytest.mark.parametrize("label", ["validation", "bag 3"])
def test_a_sample_does_not_lie_within_one_at_another_fraction(label):
    seed, rows = private_seed(0, np.arange(9.0)), 40_000
    at = [drawn(seed, label, rows, fraction) for fraction in (0.3, 0.3 + 1e-5, 0.7)]
    assert [np.mean(one) for one in at] == pytest.approx([0.3, 0.3, 0.7], abs=0.01)
    assert np.mean(at[0] & at[1]) == pytest.approx(0.09, abs=0.01)  # of nested ones, 0.3
    assert np.mean(at[0] & at[2]) == pytest.approx(0.21, abs=0.01)
    others = drawn(seed, label + "1", rows, 0.3), drawn(private_seed(0, np.arange(10.0)), label, rows, 0.3)
    assert [np.mean(at[0] & other) for other in others] == pytest.approx([0.09, 0.09], abs=0.01)
    assert (at[0] == drawn(seed, label, rows, 0.3)).all()


@pytest.mark.parametrize("sampled", [{"validation_fraction": 0.3}, {"params": {"bagging_fraction": 0.7,
                                                                               "bagging_freq": 1}}])
def test_models_of_two_fractions_do_not_differ_by_a_row(sampled, run_pooled, parts):
    def root(fraction):
        name = "validation_fraction" if "params" not in sampled else "bagging_fraction"
        trees = {"num_leaves": 3, "learning_rate": 1.0, "objective": "regression_l1"} | sampled.get("params", {})
        changed = {name: fraction}
        asked = {"outcome": "amount", "features": ["a", "b"], "rounds": 1, "params": trees} | (
            changed if name not in trees else {"params": trees | changed})
        tree = run_pooled(parts, Gbdt(), asked, minimum_count=5).booster.dump_model()["tree_info"][0]
        return sum(_counts(tree["tree_structure"]))

    # Nested samples differ by at most a row or so at such fractions; independent ones by dozens.
    near = [root(0.3 + k * 1e-5) for k in range(6)]
    assert max(near) - min(near) > 20


def test_a_bag_that_leaves_out_a_row_or_two_is_not_summed(run_pooled, parts):
    with pytest.raises(RefusedError) as caught:
        run_pooled(parts, Gbdt(), {"outcome": "event", "features": ["a"], "rounds": 2,
                                   "params": {"bagging_fraction": 0.9995, "bagging_freq": 1}}, minimum_count=5)
    assert (caught.value.code, caught.value.got) == ("trees.sample-too-small", "rows left out of bag 0")


def test_a_sum_of_the_trees_is_of_whole_numbers(run_pooled, parts, monkeypatch):
    kinds, sum_ = set(), Growth._sum
    monkeypatch.setattr(Growth, "_sum", lambda self, terms: kinds.update(
        (name.split()[0], term.kind) for name, term in terms.items()) or sum_(self, terms))
    run_pooled(parts, Gbdt(), {k: v for k, v in PARAMS.items() if k != "minimum_count"}, minimum_count=5)
    assert kinds == {("loss", "count"), ("histograms", "count"), ("census", "count")}


def test_rlwe_gives_the_same_model_as_masking():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(900, 2)), columns=["a", "b"])
    frame["amount"] = frame["a"] + frame["b"] ** 2
    frames = {name: frame.iloc[k::3].reset_index(drop=True) for k, name in enumerate(("x1", "x2", "x3"))}
    params = {"outcome": "amount", "features": ["a", "b"], "rounds": 1, "minimum_count": 5,
              "params": {"num_leaves": 3, "max_bin": 8}}
    models = [sealane.simulate(frames).run("trees.gbdt", scheme=scheme, **params).model_text
              for scheme in ("masking", "rlwe")]
    assert models[0] == models[1]
