"""A steward who thinks better of it in mid-run."""

from __future__ import annotations

import time

import pytest
from disturbed import NODES, Scene

from sealane.errors import RefusedError
from sealane.node.control import call

pytestmark = pytest.mark.integration


def test_a_revocation_stops_the_next_round(scene: Scene) -> None:
    federation = scene.federation
    study = federation.approved("to-be-revoked", NODES)
    run = federation.start_run(study)
    run.await_exchange(4)
    refused = call(federation.local.homes["west"], "study.refuse", {"study": study, "reason": "on second thoughts"})
    assert refused["sent"]
    told = time.monotonic()
    with pytest.raises(RefusedError) as caught:
        run.end()
    assert caught.value.code == "study.revoked"
    assert "west" in caught.value.message
    assert run.moments[-1] - told < 2
    assert run.statuses[-1].exchanges < 12
    with pytest.raises(RefusedError) as again:
        federation.local.analyst.session.start(study)
    assert again.value.code == "run.not-approved"
    scene.check(scene.start_run())  # the other study is not concerned
