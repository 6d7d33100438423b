"""A steward who thinks better of it in mid-run: revoking, putting on hold, and a node in quarantine."""

from __future__ import annotations

import time

import pytest
from disturbed import NODES, Disturbed, Scene, Underway

from sealane.errors import RefusedError
from sealane.node.control import call

pytestmark = pytest.mark.integration
AT_MOST_S = 1.0


def stopped(run: Underway, code: str, told: float) -> RefusedError:
    """Wait for the end of a run that a node stopped, and hold the time it took against the promise."""
    with pytest.raises(RefusedError) as caught:
        run.end()
    assert caught.value.code == code
    assert "west" in caught.value.message
    assert run.moments[-1] - told < AT_MOST_S
    assert run.statuses[-1].exchanges < 12
    return caught.value


def command(federation: Disturbed, name: str, node: str = "west", **arguments: object) -> dict:
    return call(federation.local.homes[node], name, arguments)


def test_a_revocation_stops_the_next_round(scene: Scene) -> None:
    federation = scene.federation
    study = federation.approved("to-be-revoked", NODES)
    run = federation.start_run(study)
    run.await_exchange(4)
    told = time.monotonic()
    revoked = command(federation, "agreement.revoke", study=study, reason="on second thoughts")
    assert (revoked["sent"], revoked["stopped"]) == (True, [run.run_id])
    stopped(run, "study.revoked", told)
    with pytest.raises(RefusedError) as again:
        federation.local.analyst.session.start(study)
    assert again.value.code == "run.not-approved"
    with pytest.raises(RefusedError) as twice:
        command(federation, "agreement.revoke", study=study)
    assert twice.value.code == "agreement.illegal-transition"
    states = {one["hash"]: one["state"] for one in call(federation.local.homes["west"], "agreement.list")}
    assert (states[study], states[scene.study]) == ("REVOKED", "ACTIVE")
    scene.check(scene.start_run())  # the other study is not concerned


def test_a_suspension_stops_runs_until_it_is_resumed(scene: Scene) -> None:
    federation = scene.federation
    study = federation.approved("to-be-suspended", NODES)
    run = federation.start_run(study)
    run.await_exchange(2)
    told = time.monotonic()
    command(federation, "agreement.suspend", study=study, reason="audit")
    stopped(run, "agreement.suspended", told)
    with pytest.raises(RefusedError) as refused:
        federation.start_run(study).end()
    assert refused.value.code == "agreement.suspended"
    command(federation, "agreement.resume", study=study)
    federation.start_run(study).end()


def test_a_node_in_quarantine_refuses_everything_also_after_a_restart(scene: Scene) -> None:
    federation = scene.federation
    run = scene.start_run()
    run.await_exchange(4)
    told = time.monotonic()
    held = command(federation, "quarantine", reason="suspected break-in")
    assert (held["changed"], held["stopped"]) == (True, [run.run_id])
    error = stopped(run, "node.quarantined", told)
    assert error.got == "suspected break-in"
    federation.kill("west")
    federation.start("west")
    federation.await_connected(*NODES)
    assert command(federation, "status")["quarantined"] == "suspected break-in"
    again = federation.start_run(scene.study)
    with pytest.raises(RefusedError) as refused:
        again.end()
    assert refused.value.code == "node.quarantined"
    why = command(federation, "why", wanted=again.run_id)
    assert [(one["clause"], one["error"]["code"]) for one in why["refusals"]] == [("quarantine", "node.quarantined")]
    assert command(federation, "quarantine.lift")["changed"] is True
    scene.check(scene.start_run())
