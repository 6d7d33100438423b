"""What a coordinator's database says about parties, studies and runs."""

from __future__ import annotations

import socket
from typing import Any

from sealane.cli.output import facts, table
from sealane.coordinator.home import CoordinatorHome
from sealane.coordinator.hub import approving
from sealane.coordinator.log import Event
from sealane.coordinator.store import Store
from sealane.core.clock import to_text
from sealane.errors import ProtocolError
from sealane.governance.study import Study, parse_study
from sealane.rpc.notices import StudyRecord

CONNECT_SECONDS = 1.0
EVENTS_AT_ONCE = 1000


def describe(made: CoordinatorHome) -> dict[str, Any]:
    """Return the status as JSON-ready values; who is connected is known only while the coordinator serves."""
    store = Store(made.engine, made.clock)
    serving = answers(made.settings.listen.main)
    connected = _connected(store) if serving else set()
    studies = []
    for record in store.all_studies():
        study = parse_study(record.study)
        approvals, problem = _approvals(record, study)
        studies.append({"hash": study.hash, "name": study.name, "proposer": record.proposer,
                        "proposed_at": record.proposed_at, "approvals": approvals, "problem": problem,
                        "participants": len(study.participants), "expires": study.expires})
    return {
        "home": str(made.home), "fingerprint": made.signing_key.fingerprint, "serving": serving,
        "main": made.settings.listen.main, "enrolment": made.settings.listen.enrolment,
        "parties": [{"name": p.name, "role": p.role, "fingerprint": p.fingerprint, "status": p.status,
                     "enrolled_at": to_text(p.enrolled_at), "connected": p.fingerprint in connected}
                    for p in made.registry.all()],
        "studies": studies,
        "runs": [{"run": f.run_id, "study": f.study_hash, "state": str(f.state), "started_at": started,
                  "error": None if f.error is None else f.error.to_dict()} for f, started in store.all_runs()],
    }


def present(status: dict[str, Any]) -> str:
    """Return the status as text."""
    names = {study["hash"]: study["name"] for study in status["studies"]}
    parties = table(("party", "role", "status", "connected", "fingerprint"), (
        (p["name"], p["role"], p["status"], "yes" if p["connected"] else "no" if p["role"] == "node" else "-",
         p["fingerprint"]) for p in status["parties"]), empty="nobody is enrolled: `sealane coordinator invite NAME`")
    studies = table(("study", "hash", "approved", "proposer", "expires"), (
        (s["name"], s["hash"][:12], s["problem"] or f"{s['approvals']} of {s['participants']}", s["proposer"],
         s["expires"])
        for s in status["studies"]), empty="no studies")
    runs = table(("run", "study", "state", "started", "reason"), (
        (r["run"], names.get(r["study"], "?"), r["state"], r["started_at"],
         r["error"]["code"] if r["error"] else "") for r in status["runs"]), empty="no runs")
    head = facts([("home", status["home"]), ("fingerprint", status["fingerprint"]),
                  ("serving", f"{status['main']}, enrolment {status['enrolment']}" if status["serving"] else "no")])
    return "\n\n".join([head, parties, studies, runs])


def _approvals(record: StudyRecord, study: Study) -> tuple[int, str | None]:
    """Return how many approvals stand, and what keeps them from verifying."""
    try:
        return len(approving(record, study)), None
    except ProtocolError as error:
        return 0, error.code


def answers(address: str) -> bool:
    """Tell whether something listens at ``host:port``, as seen from this machine."""
    host, _, port = address.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104 - compared, not bound
    try:
        with socket.create_connection((host, int(port)), CONNECT_SECONDS):
            return True
    except OSError:
        return False


def _connected(store: Store) -> set[str]:
    """Return the fingerprints of nodes whose last event since the last start is that they connected."""
    connected: set[str] = set()
    after = 0
    while events := store.list_events(after, EVENTS_AT_ONCE):
        for event in events:
            _follow(connected, event)
        after = events[-1].sequence
    return connected


def _follow(connected: set[str], event: Event) -> None:
    if event.kind == "coordinator.started":
        connected.clear()
    elif event.kind == "node.connected":
        connected.add(event.subject)
    elif event.kind == "node.disconnected":
        connected.discard(event.subject)
