"""``sealane.connect`` against real processes: proposes, waits for approvals, runs, checks every signature, opens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pandas as pd
import pytest
from loans import CONTRACT, FEATURES, loans, write_loans

import sealane
from sealane.cli.local_federation import ANALYST, LocalFederation, local_federation
from sealane.errors import InputError, RefusedError, UnavailableError
from sealane.governance.study import parse_study
from sealane.governance.study_file import StudyFile
from sealane.node.control import call

pytestmark = pytest.mark.integration
NAMES = ["north", "south", "west"]
TERMS = {"data_contract": CONTRACT, "purpose": "credit-risk", "wait_s": 20.0}


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFederation]:
    root = tmp_path_factory.mktemp("federation")
    with local_federation(root, write_loans(root, NAMES), CONTRACT) as running:
        yield running


def decide_later(federation: LocalFederation, verb: str = "study.approve") -> threading.Thread:
    """Let every node's steward decide about each study that comes up, from a thread, as people would."""
    def decide() -> None:
        for home in federation.homes.values():
            for _ in range(100):
                waiting = [s for s in call(home, "study.list") if s["decision"] == "waiting"]
                if waiting:
                    break
                time.sleep(0.1)
            for study in waiting:
                call(home, verb, {"study": study["hash"]})

    thread = threading.Thread(target=decide)
    thread.start()
    return thread


def test_the_same_run_as_in_simulation(federation: LocalFederation) -> None:
    frames = {name: loans(seed) for seed, name in enumerate(NAMES)}
    asked = {"outcome": "bad", "features": list(FEATURES), "family": "binomial"}
    told: list[str] = []
    stewards = decide_later(federation)
    with sealane.connect(home=federation.root / ANALYST) as fed:
        fit = fed.run("glm.fit", **TERMS, **asked, tell=told.append)
        again = fed.run("glm.fit", **asked, tell=told.append)
    stewards.join()
    from sealane.sectors.registry import contract

    simulated = sealane.simulate(frames, contract=contract(CONTRACT)).run("glm.fit", **asked)
    pd.testing.assert_series_equal(fit.params, simulated.params, rtol=1e-9)
    assert fit.params.equals(again.params)
    assert fit.trace.study_hash == again.trace.study_hash  # the approved study was found, not proposed again
    assert fit.trace.cohort == simulated.trace.cohort or set(fit.trace.cohort) == set(NAMES)
    assert all(count > 0 for count in fit.trace.bytes_sent.values())
    assert [line for line in told if line.startswith("proposed")] == told[:1]


def test_a_refusal_ends_the_wait(federation: LocalFederation) -> None:
    stewards = decide_later(federation, "study.refuse")
    with sealane.connect(home=federation.root / ANALYST) as fed, pytest.raises(RefusedError) as caught:
        fed.run("statistics.describe", **TERMS, columns=["annual_inc"], tell=lambda line: None)
    stewards.join()
    assert caught.value.code == "study.refused"


def test_waiting_for_approvals_ends(federation: LocalFederation) -> None:
    with sealane.connect(home=federation.root / ANALYST) as fed, pytest.raises(UnavailableError) as caught:
        fed.run("statistics.describe", **TERMS | {"wait_s": 0.5}, columns=["int_rate"], tell=lambda line: None)
    assert caught.value.code == "study.approvals-missing"


def test_too_little_said_to_propose(federation: LocalFederation) -> None:
    with sealane.connect(home=federation.root / ANALYST) as fed:
        with pytest.raises(InputError) as caught:
            fed.run("statistics.describe", columns=["bad"])
        assert caught.value.code == "study.needs-terms"
        with pytest.raises(InputError) as caught:
            fed.run("glm.fit", outcome="bad", feature=["bad"])
        assert caught.value.code == "computation.bad-parameters"


def test_a_node_is_no_analyst(federation: LocalFederation) -> None:
    with pytest.raises(InputError) as caught:
        sealane.connect(home=federation.homes["north"])
    assert caught.value.code == "home.other-role"


def test_a_run_needs_every_approval(federation: LocalFederation) -> None:
    with sealane.connect(home=federation.root / ANALYST) as fed:
        unapproved = fed.propose(StudyFile(
            name="unapproved", sector="finance", purpose=TERMS["purpose"], data_contract=CONTRACT,
            computation="statistics.describe", parameters={"columns": ["bad"]}))
        with pytest.raises(RefusedError) as caught:
            fed.session.start(parse_study(unapproved.study).hash)
        assert caught.value.code == "run.not-approved"
        with pytest.raises(InputError) as missing:
            fed.session.study("nothing-of-that-name")
        assert missing.value.code == "study.unknown"
        with pytest.raises(InputError) as missing:
            fed.session.result("r-" + "a" * 16)
        assert missing.value.code == "run.unknown"
