"""One institution's steward with a graded dataset, and a gate that is offered runs of studies that all have signed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import signed
from loans import CONTRACT, loans

from sealane.computations.installed import code_hash, output_kinds
from sealane.computations.registry import get
from sealane.core.clock import ManualClock, to_text
from sealane.core.ids import new_run_id
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import SealaneError
from sealane.governance.classification import read_label
from sealane.governance.recipient import recipient_of
from sealane.governance.signed_statement import SignedAgreement
from sealane.governance.study import Participant, Study, make_study
from sealane.node.datasets import add_dataset, open_approved
from sealane.node.decisions import Decisions
from sealane.node.gate import Admission, Gate
from sealane.node.grading import grade
from sealane.node.ledger import NodeLedger
from sealane.node.protection import check_approved
from sealane.node.register import Register
from sealane.rpc.notices import RunOffer, StudyRecord

NAMES = ("north", "south", "west", "alice")
KEYS = {name: SigningKey(Secret(bytes([number]) * 32)) for number, name in enumerate(NAMES)}


@dataclass
class Steward:
    """North's steward. ``sandboxed`` is what the node says of itself."""

    root: Path
    clock: ManualClock
    sandboxed: bool = False
    register: Register = field(init=False)

    def __post_init__(self) -> None:
        self.register = Register(self.root / "node.sqlite", KEYS["north"].fingerprint, self.clock)
        for name in NAMES[1:]:
            self.register.trust(name, KEYS[name].fingerprint)

    def add(self, frame: pd.DataFrame | None = None, name: str = "loans", **options: Any) -> Any:
        path = self.root / f"{name}.csv"
        (loans(1, 300) if frame is None else frame).to_csv(path, index=False)
        return add_dataset(self.register, name, str(path), CONTRACT, {}, now=self.clock(), **options)

    def label(self, **labels: str) -> None:
        grade(self.register, "loans", accept=True, reason="a test's", changes={
            name: read_label(text) for name, text in labels.items()})

    def study(self, *, jurisdictions: dict[str, str] | None = None, **changes: Any) -> Study:
        where = jurisdictions or {}
        fields: dict[str, Any] = {
            "name": "s", "sector": "finance", "purpose": "credit-risk", "data_contract": CONTRACT,
            "computation": "glm.fit", "expires": "2027-01-01T00:00:00Z",
            "parameters": {"outcome": "bad", "features": ["int_rate", "term"], "family": "binomial"},
            "participants": [Participant(name=name, fingerprint=KEYS[name].fingerprint, jurisdiction=where.get(name))
                             for name in NAMES[:3]],
            "recipients": [recipient_of("alice", KEYS["alice"], bytes(32)).model_copy(
                update={"jurisdiction": where.get("alice")})]}
        return self.register.record_study(make_study(**(fields | changes)).canonical())

    def approve(self, study: Study) -> SignedAgreement:
        decisions = Decisions(self.register, "north", KEYS["north"], self.clock, NodeLedger(":memory:", self.clock),
                              sandboxed=self.sandboxed)
        return decisions.approve(study.hash)

    def admit(self, study: Study) -> Admission:
        """Offer a run that everybody signed, north by whatever it said."""
        computation = get(study.computation)
        others = [signed.agreement(study, KEYS[name], name, at=to_text(self.clock()), code=code_hash(computation),
                                   outputs=output_kinds(computation)) for name in NAMES[1:3]]
        own = self.register.own_statement(study.hash)
        assert own is not None
        record = StudyRecord(study.canonical(), "alice", to_text(self.clock()), (own, *others))
        fingerprint = KEYS["north"].fingerprint
        gate = Gate(fingerprint, self.register, partial(open_approved, self.register),
                    partial(check_approved, self.register, fingerprint, sandboxed=self.sandboxed), self.clock,
                    NodeLedger(":memory:", self.clock))
        return gate.admit(RunOffer(new_run_id(), record), runs_released=lambda study_hash: frozenset())

    def refusal(self, study: Study) -> str:
        """Return the code with which an approval is refused, and see that nothing was signed."""
        try:
            self.approve(study)
        except SealaneError as error:
            assert self.register.own_statement(study.hash) is None
            return error.code
        return "approved"
