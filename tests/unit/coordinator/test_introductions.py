"""Introductions at the coordinator: each once, told when all are there, and to each what is for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from circle import Circle

from sealane.coordinator.introductions import Introductions
from sealane.errors import ProtocolError
from sealane.secagg.introduction import introduce


def test_told_when_the_last_one_came() -> None:
    circle = Circle(3)
    held = Introductions(circle.attempt)
    messages = [introduce(circle.attempt, key, agreement)[0]
                for key, agreement in zip(circle.keys, circle.agreements, strict=True)]
    for k, (name, message) in enumerate(zip(circle.names, messages, strict=True)):
        assert held.missing == set(circle.names[k:])
        assert held.told(name) is None
        assert held.add(name, message)
        assert not held.add(name, message)
    for k, name in enumerate(circle.names):
        told = held.told(name)
        assert told is not None
        assert [entry.fingerprint for entry in told.entries] == circle.names
        assert told.sealed == {circle.names[j]: messages[j].sealed[name] for j in range(k)}


def test_two_different_ones_of_a_node_end_the_run() -> None:
    circle = Circle(3)
    held = Introductions(circle.attempt)
    first, second = (introduce(circle.attempt, circle.keys[0], circle.agreements[0])[0] for _ in range(2))
    held.add(circle.names[0], first)
    with pytest.raises(ProtocolError) as caught:
        held.add(circle.names[0], second)
    assert caught.value.code == "run.equivocation"
    with pytest.raises(ProtocolError) as caught:
        held.add(circle.names[1], replace(first, sealed={}))
    assert caught.value.code == "run.introduction-incomplete"
