"""Examining a node's, an analyst's or an auditor's home."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sealane.cli.diagnosis import home as home_checks
from sealane.cli.diagnosis import machine, network, steward
from sealane.cli.diagnosis.check import Check, Examination, examine, ok, warn
from sealane.client.session import Session
from sealane.core.clock import system_clock
from sealane.governance.signed_statement import SignedAgreement, SignedRefusal, verify_refusal
from sealane.governance.study import parse_study
from sealane.node.control import call
from sealane.rpc.identity import DIRECTORY, Identity


def examine_party(identity: Identity) -> list[Check]:
    """Return everything found about a party's home and its surroundings."""
    path, is_node = identity.home, identity.role == "node"
    found = examine([
        ("versions", machine.versions), ("tls", machine.own_tls_floor),
        ("permissions", partial(home_checks.permissions, path, DIRECTORY, "node.sqlite", "runs.sqlite",
                                "runs")),
        ("certificate", partial(home_checks.certificate, identity.certificate, system_clock(), renews=is_node)),
        ("disk", partial(machine.disk, path)),
        ("database", partial(home_checks.databases, path, "node.sqlite", "runs.sqlite")),
        ("port", partial(network.port, identity.coordinator_address)),
    ])
    found += examine([("sandbox", partial(machine.sandbox, path))] if is_node else [])
    return found + (_node(path) if is_node else _asked(identity))


def _node(path: Path) -> list[Check]:
    status: dict[str, Any] = {}

    def look() -> Iterator[Check]:
        status.update(call(path, "status"))
        return steward.serving(status)

    found = examine([("serving", look)])
    named: list[dict[str, Any]] = []
    with Session(path) as session:
        found += examine(_of_answers(session, named))
    return found + examine([("peers", partial(steward.peers, path, named)),
                            ("datasets", partial(steward.datasets, path)),
                            ("studies", partial(steward.studies, path))])


def _asked(identity: Identity) -> list[Check]:
    with Session(identity.home) as session:
        return examine(_of_answers(session, []))


def _of_answers(session: Session, named: list[dict[str, Any]]) -> list[Examination]:
    def look() -> Iterator[Check]:
        answers = network.Answers(session)
        named.extend({"name": p.name, "fingerprint": p.fingerprint} for p in answers.parties)
        yield from network.handshake(answers, session.address)
        yield from network.clock(answers, system_clock())
        own = session.identity.fingerprint
        known = [parse_study(record.study) for record in answers.studies]
        concerned = {study.hash for study in known if own in {*(p.fingerprint for p in study.participants),
                                                              *(r.fingerprint for r in study.recipients)}}
        yield from network.refusals([run for run in answers.runs if run.study_hash in concerned])
        if session.identity.role == "analyst":
            yield from _standing(answers, concerned)

    return [("coordinator", look)]


def _standing(answers: network.Answers, concerned: set[str]) -> Iterator[Check]:
    """Say which of an analyst's studies cannot run, and for want of whom."""
    for record in answers.studies:
        study = parse_study(record.study)
        if study.hash not in concerned:
            continue
        refused = [verify_refusal(one, study) for one in record.statements if isinstance(one, SignedRefusal)]
        if refused:
            why = "; ".join(f"{one.node}: {one.reason or 'no reason given'}" for one in refused)
            yield warn("study", f"{study.name} ({study.hash[:12]}) was refused by {why}",
                       "a refusal is final: settle it with them and propose a new study")
            continue
        approvals = sum(isinstance(one, SignedAgreement) for one in record.statements)
        if approvals < len(study.participants):
            yield warn("study", f"{study.name} ({study.hash[:12]}) has {approvals} of "
                                f"{len(study.participants)} approvals", f"`sealane study show {study.hash[:12]}`")
        else:
            yield ok("study", f"{study.name} ({study.hash[:12]}) is approved by all {len(study.participants)}")
