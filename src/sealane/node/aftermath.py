"""Runs that ended while this node was away: it asks, hears that they are over, meters them, forgets their secrets."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing

from sealane.core.ids import Fingerprint
from sealane.crypto.agreement import AgreementKey
from sealane.errors import SealaneError
from sealane.governance.metering import MeteredRun
from sealane.node.home import NodeHome
from sealane.node.journal import Journal
from sealane.node.ledger_heads import record_over
from sealane.node.meters import meters
from sealane.node.run_meter import metered_run
from sealane.rpc.codec import FromNode
from sealane.rpc.notices import RunEnded
from sealane.secagg.attempt import sign_join
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)


def questions(home: NodeHome, under_way: Collection[str]) -> list[FromNode]:
    """Return a join for each run that the journal has as active and nobody carries here.

    Of a run that is over the coordinator answers that it is; of one under way a join is the same bytes as before,
    and changes nothing.
    """
    key = home.identity().signing_key
    with closing(Journal(home.runs_path)) as journal:
        return [sign_join(key, row.study_hash, row.run_id, AgreementKey(row.agreement_seed).public_key)
                for row in journal.active() if row.run_id not in under_way]


def end(home: NodeHome, ended: RunEnded) -> None:
    """Meter and close a run that ended while nobody carried it here; of another run nothing is done."""
    with closing(Journal(home.runs_path)) as journal:
        row = journal.run(ended.run_id)
        if row is None or row.ended:
            return
        try:
            study = home.register.study(row.study_hash)
            own = Fingerprint(home.identity().fingerprint)
            home.ledger.void(ended.run_id)
            record_over(home.ledger, ended.run_id, home.register.record_act)
            record(home, metered_run(journal, ended.run_id, study, own, ended.error, home.clock(),
                                     home.ledger.charged(ended.run_id, study.delta)))
            journal.end(ended.run_id)
        except SealaneError as error:
            log(_LOG, "run.end-not-kept", error=error, run=ended.run_id)  # asked again after the next hello
            return
    log(_LOG, "run.ended", run=ended.run_id, code=ended.error.code if ended.error else "completed")


def record(home: NodeHome, event: MeteredRun) -> None:
    """Keep a metered event."""
    with meters(home.path / "node.sqlite") as kept:
        kept.record(event)
