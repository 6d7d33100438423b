"""A run that never was, told by a coordinator whose log all witnesses cosign: packs without processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import signed
from circle import seed_of

from sealane.audit import tree
from sealane.audit.checkpoint import cosign, sign_checkpoint
from sealane.audit.entry import Entry, cohort_detail, endorsed_detail, statement_digest
from sealane.audit.note import Note
from sealane.audit.policy import Policy
from sealane.client.pack.build import build_pack, make_policy
from sealane.client.pack.verify import Verified, verify_pack
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.sealing import sealing_public_key
from sealane.crypto.signing import SigningKey
from sealane.governance.recipient import recipient_of
from sealane.governance.signed_statement import ACTS, Statement
from sealane.governance.study import Participant, Study, make_study
from sealane.secagg.attempt import ENDORSEMENT, endorsement_body, sign_join

AT, RUN, RESULT = "2026-06-01T12:00:00Z", "r-abcdefghijklmnop", b"r" * 32
NAMES = ("north", "south", "west")
KEYS = {name: SigningKey(seed_of("pack", name)) for name in (*NAMES, "coordinator", "auditor", "analyst", "sybil")}


def study(**fields: Any) -> Study:
    return make_study(**{
        "name": "scorecard", "sector": "finance", "purpose": "credit-risk", "data_contract": "test.rows/v1",
        "computation": "glm.fit", "parameters": {}, "expires": "2099-01-01T00:00:00Z",
        "participants": [Participant(name=n, fingerprint=KEYS[n].fingerprint) for n in NAMES],
        "recipients": [recipient_of("analyst", KEYS["analyst"], sealing_public_key(seed_of("sealing")))]} | fields)


@dataclass
class Story:
    """What a coordinator tells of one run; everything in the log, cosigned by all.

    Attributes:
        said: of each institution's agreement, what is not as usual.
        result: the endorsed hash.
        later: statements beside the agreements.
    """

    members: tuple[str, ...] = NAMES
    agreed: tuple[str, ...] = NAMES
    joined_for: str = RUN
    endorsed_attempt: int = 1
    transcripts: dict[str, bytes] = field(default_factory=dict)
    asked: Study = field(default_factory=study)
    run: str = RUN
    result: bytes = RESULT
    said: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    later: tuple[tuple[str, Statement], ...] = ()

    def verify(self) -> Verified:
        return verify_pack(self.files(), self.policy())

    def policy(self) -> Policy:
        return make_policy(self.asked, KEYS["coordinator"].public_key, [KEYS[n].public_key for n in NAMES])

    def files(self) -> dict[str, bytes]:
        asked = self.asked
        statements = [(n, signed.agreement(asked, KEYS[n], n, **self.said.get(n, {}))) for n in self.agreed]
        statements += self.later
        members = []
        for name in sorted(self.members, key=lambda n: KEYS[n].fingerprint):
            key = AgreementKey(seed_of("agreement", name)).public_key
            members.append((KEYS[name].fingerprint, key,
                            sign_join(KEYS[name], asked.hash, self.joined_for, key).signature))
        entries = [
            Entry(AT, "study.proposed", "analyst", asked.hash, asked.name),
            *(Entry(AT, ACTS[s.kind], n, asked.hash, statement_digest(s.body, s.public_key, s.signature))
              for n, s in statements),
            Entry(AT, "run.proposed", "coordinator", self.run, asked.hash),
            Entry(AT, "run.cohort", "coordinator", self.run, cohort_detail(1, asked.hash, members)),
            Entry(AT, "run.endorsed", "coordinator", self.run, endorsed_detail(self.endorsed_attempt, self.result)),
            Entry(AT, "run.completed", "coordinator", self.run, "attempt 1"),
        ]
        hashes = tree.MemoryHashes()
        for place, entry in enumerate(entries):
            tree.append(hashes, place, entry.hash)
        size = len(entries)
        note = sign_checkpoint(KEYS["coordinator"], size, tree.root(hashes, size))
        note = Note(note.text, note.signatures + tuple(cosign(KEYS[n], note.text, 1780000000) for n in NAMES))
        proved: Any = SimpleNamespace(
            study=asked.canonical(), run_id=self.run, attempt=1, version="0.1.0",
            statements=[SimpleNamespace(kind=s.kind, body=s.body, public_key=s.public_key, signature=s.signature)
                        for _, s in statements],
            members=[SimpleNamespace(fingerprint=f, agreement_key=a, signature=s) for f, a, s in members],
            endorsements=[self.endorsement(asked, n) for n in self.members],
            leaves=[SimpleNamespace(position=i, entry=e.canonical(), proof=tree.inclusion(hashes, i, size))
                    for i, e in enumerate(entries)],
            checkpoint=note.to_bytes(), newest=note.to_bytes(), newest_proof=(), seen_proof=())
        return build_pack(proved, KEYS["coordinator"].public_key, KEYS["auditor"])

    def endorsement(self, asked: Study, name: str) -> SimpleNamespace:
        transcript = self.transcripts.get(name, b"t" * 32)
        body = endorsement_body(asked.hash, self.run, self.endorsed_attempt, transcript, self.result)
        return SimpleNamespace(public_key=KEYS[name].public_key, attempt=self.endorsed_attempt,
                               result_hash=self.result, transcript=transcript,
                               signature=KEYS[name].sign(ENDORSEMENT, body))
