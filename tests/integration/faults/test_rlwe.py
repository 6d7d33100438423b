"""The scheme ``rlwe`` between real processes, killed as the others are."""

from __future__ import annotations

import pytest
from disturbed import NODES, Scene, payload_bytes

pytestmark = pytest.mark.integration


def test_a_run_under_rlwe_survives_kills_and_ends_like_one_under_masks(scene: Scene) -> None:
    federation = scene.federation
    study = federation.approved("lattice", NODES, scheme="rlwe")
    undisturbed = federation.start_run(study).end()
    assert payload_bytes(undisturbed) == scene.result  # exact sums: not a bit of the model depends on the scheme
    run = federation.start_run(study)
    for number, name in enumerate((NODES[0], "coordinator", NODES[2])):
        run.await_exchange(2 + 4 * number)
        federation.kill(name)
        federation.start(name)
    finished = run.end()
    assert payload_bytes(finished) == scene.result
    assert set(finished.opened.endorsed_by) == set(NODES)
