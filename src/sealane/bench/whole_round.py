"""A whole sum in one process, and what it takes in time and in copies of the model; the nodes take turns.

``measure_round`` lets every node and the coordinator act as in a run, signatures and sealed shares included, without
journals and wires: all keep what they would keep, and every node opens. ``measure_streamed`` is the scheme alone: a
contribution is let go once it is added, and the sum is opened once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealane.bench.asked import CLIP, Asked
from sealane.bench.measure import peak_memory, start_peak, timed
from sealane.bench.vectors import seed_of, vector
from sealane.bench.with_scheme import OurScheme
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.signing import SigningKey
from sealane.secagg.attempt import Attempt, sign_join
from sealane.secagg.coordinator_role import (
    Announced,
    Gathering,
    Relayed,
    SumState,
    accept_contribution,
    accept_release,
    announcement,
    opening,
)
from sealane.secagg.layout import Layout, decode, encode, plan
from sealane.secagg.messages import Member
from sealane.secagg.node_role import Contributed, NodeRole, Released
from sealane.secagg.terms import Term, update

_STUDY = "00" * 32
_RUN = "r-aaaaaaaaaaaaaaaa"
STEPS = ("contribute", "release", "open")


def measure_round(asked: Asked) -> dict[str, Any]:
    """Run the round so often as asked, and return medians of its seconds, and its memory in copies of the model.

    Raises:
        RefusedError: the scheme is not sound for such a cohort.
    """
    roles = _roles(asked)
    one_round(roles, [vector(node, 4096) for node in range(asked.cohort)], asked.bits)  # compiles and loads
    before = start_peak()
    models = [vector(node, asked.length) for node in range(asked.cohort)]
    rounds = []
    for _ in range(asked.rounds):
        seconds, opened = one_round(roles, models, asked.bits)
        rounds.append(seconds)
    peak = peak_memory() - before
    walls = {step: float(np.median([one[step][0] for one in rounds])) for step in STEPS}
    processors = {step: float(np.median([one[step][1] for one in rounds])) for step in STEPS}
    return {
        "backend": "cpu",
        "round_s": float(np.median([sum(wall for wall, _ in one.values()) for one in rounds])),
        **{f"{step}_s": wall for step, wall in walls.items()},
        "cpu": {"round_s": sum(processors.values()), **{f"{step}_s": cpu for step, cpu in processors.items()}},
        "peak_memory_bytes": peak,
        "copies_of_the_model": peak / (4 * asked.length),
        "max_abs_error": _error(opened, models),
    }


def measure_streamed(asked: Asked) -> dict[str, Any]:
    """Run the arithmetic of the round so often as asked, contributions added and let go one by one."""
    short = replace(asked, length=4096)
    _streamed(OurScheme(asked.scheme, short), [vector(node, short.length) for node in range(asked.cohort)])
    before = start_peak()
    subject = OurScheme(asked.scheme, asked)
    models = [vector(node, asked.length) for node in range(asked.cohort)]
    seconds, opened = timed(lambda: _streamed(subject, models), asked.rounds)
    peak = peak_memory() - before
    return {
        "backend": subject.backend, "round_s": seconds.wall, "cpu": {"round_s": seconds.cpu},
        "peak_memory_bytes": peak, "copies_of_the_model": peak / (4 * asked.length),
        "max_abs_error": _error(opened, models),
    }


def _streamed(subject: OurScheme, models: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    subject.forget_shares()
    first = subject.encrypt(0, models[0])
    total = subject.empty(len(first))
    total.add(first)
    del first
    for node, model in enumerate(models[1:], start=1):
        total.add(subject.encrypt(node, model))
    return subject.open(total)


def _error(opened: NDArray[np.float64], models: list[NDArray[np.float32]]) -> float:
    expected = np.zeros(models[0].size)
    for model in models:
        expected += model
    return float(np.abs(opened - expected).max())


def one_round(
    roles: list[NodeRole], models: list[NDArray[np.float32]], bits: int
) -> tuple[dict[str, tuple[float, float]], NDArray[np.float64]]:
    """Run one sum through all roles; return clock and processor seconds of its steps, and what the last node read."""
    layout = plan(_terms(models[0], bits), len(roles))
    transcript = roles[0].attempt.transcript()
    state: SumState = Gathering(roles[0].attempt)
    sent: dict[str, Contributed] = {}
    seconds: dict[str, tuple[float, float]] = {}

    def contribute() -> None:
        nonlocal state
        for node, role in enumerate(roles):
            values = encode(layout, _terms(models[node], bits), seed_of("rounding", node))
            made = role.contribute(0, transcript, layout, values, seed_of("protection", node))
            state = accept_contribution(state, role.own, made.message)
            sent[role.own] = made

    def release() -> None:
        nonlocal state
        assert isinstance(state, Announced)
        announced = state
        for role in roles:
            made = role.release(sent[role.own], announcement(announced, role.own))
            released[role.own] = made
            if made.message is not None:
                state = accept_release(state, role.own, made.message)

    released: dict[str, Released] = {}
    read: list[NDArray[np.float64]] = []

    def open_() -> None:
        assert isinstance(state, Relayed)
        for role in roles:
            read[:] = [_open(role, layout, released.pop(role.own), state)]

    for step, action in zip(STEPS, (contribute, release, open_), strict=True):
        seconds[step] = _timed(action)
    return seconds, read[0]


def _open(role: NodeRole, layout: Layout, released: Released, relayed: Relayed) -> NDArray[np.float64]:
    opened = role.open(released, opening(relayed.announced, role.own))
    return decode(layout, opened.total, overwrite=True)["model"]


def _timed(action: Callable[[], None]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - processor


def _roles(asked: Asked) -> list[NodeRole]:
    keys = sorted((SigningKey(seed_of("signing", node)) for node in range(asked.cohort)),
                  key=lambda key: key.fingerprint)
    agreements = [AgreementKey(seed_of("agreement", node)) for node in range(asked.cohort)]
    members = []
    for key, agreement in zip(keys, agreements, strict=True):
        join = sign_join(key, _STUDY, _RUN, agreement.public_key)
        members.append(Member(key.fingerprint, key.public_key, agreement.public_key, join.signature))
    attempt = Attempt(_RUN, _STUDY, 0, asked.scheme, tuple(members), 1, 3)
    # One secret for all pairs: what introductions cost does not depend on the model.
    introduced = {member.fingerprint: seed_of("introduced") for member in members}
    return [NodeRole(attempt, key, agreement, introduced) for key, agreement in zip(keys, agreements, strict=True)]


def _terms(model: NDArray[np.float32], bits: int) -> dict[str, Term]:
    return {"model": update(model, CLIP, bits)}
