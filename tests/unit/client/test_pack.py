"""A pack about a run that never was: honest witnesses cosign whatever log is consistent, so the verifier must look."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import signed
from circle import seed_of

from sealane.audit import tree
from sealane.audit.checkpoint import cosign, sign_checkpoint
from sealane.audit.entry import Entry, cohort_detail, endorsed_detail, statement_digest
from sealane.audit.note import Note
from sealane.client.pack.build import build_pack, make_policy
from sealane.client.pack.verify import Verified, verify_pack
from sealane.crypto.agreement import AgreementKey
from sealane.crypto.sealing import sealing_public_key
from sealane.crypto.signing import SigningKey
from sealane.errors import ProtocolError
from sealane.governance.recipient import recipient_of
from sealane.governance.study import Participant, Study, make_study
from sealane.secagg.attempt import ENDORSEMENT, endorsement_body, sign_join

AT, RUN, RESULT = "2026-06-01T12:00:00Z", "r-abcdefghijklmnop", b"r" * 32
NAMES = ("north", "south", "west")
KEYS = {name: SigningKey(seed_of("pack", name)) for name in (*NAMES, "coordinator", "auditor", "analyst", "sybil")}


def study() -> Study:
    return make_study(
        name="scorecard", sector="finance", purpose="credit-risk", data_contract="test.rows/v1",
        computation="glm.fit", parameters={}, expires="2099-01-01T00:00:00Z",
        participants=[Participant(name=n, fingerprint=KEYS[n].fingerprint) for n in NAMES],
        recipients=[recipient_of("analyst", KEYS["analyst"], sealing_public_key(seed_of("sealing")))])


@dataclass
class Story:
    """What a coordinator tells of one run; everything in the log, cosigned by all."""

    members: tuple[str, ...] = NAMES
    agreed: tuple[str, ...] = NAMES
    joined_for: str = RUN
    endorsed_attempt: int = 1
    transcripts: dict[str, bytes] = field(default_factory=dict)

    def verify(self) -> Verified:
        asked = study()
        statements = [signed.agreement(asked, KEYS[n], n) for n in self.agreed]
        members = []
        for name in sorted(self.members, key=lambda n: KEYS[n].fingerprint):
            key = AgreementKey(seed_of("agreement", name)).public_key
            members.append((KEYS[name].fingerprint, key,
                            sign_join(KEYS[name], asked.hash, self.joined_for, key).signature))
        entries = [
            Entry(AT, "study.proposed", "analyst", asked.hash, "scorecard"),
            *(Entry(AT, "study.approved", n, asked.hash, statement_digest(s.body, s.public_key, s.signature))
              for n, s in zip(self.agreed, statements, strict=True)),
            Entry(AT, "run.proposed", "coordinator", RUN, asked.hash),
            Entry(AT, "run.cohort", "coordinator", RUN, cohort_detail(1, asked.hash, members)),
            Entry(AT, "run.endorsed", "coordinator", RUN, endorsed_detail(self.endorsed_attempt, RESULT)),
            Entry(AT, "run.completed", "coordinator", RUN, "attempt 1"),
        ]
        hashes = tree.MemoryHashes()
        for place, entry in enumerate(entries):
            tree.append(hashes, place, entry.hash)
        size = len(entries)
        note = sign_checkpoint(KEYS["coordinator"], size, tree.root(hashes, size))
        note = Note(note.text, note.signatures + tuple(cosign(KEYS[n], note.text, 1780000000) for n in NAMES))
        proved: Any = SimpleNamespace(
            study=asked.canonical(), run_id=RUN, attempt=1, version="0.1.0",
            statements=[SimpleNamespace(kind=s.kind, body=s.body, public_key=s.public_key, signature=s.signature)
                        for s in statements],
            members=[SimpleNamespace(fingerprint=f, agreement_key=a, signature=s) for f, a, s in members],
            endorsements=[self.endorsement(asked, n) for n in self.members],
            leaves=[SimpleNamespace(position=i, entry=e.canonical(), proof=tree.inclusion(hashes, i, size))
                    for i, e in enumerate(entries)],
            checkpoint=note.to_bytes(), newest=note.to_bytes(), newest_proof=(), seen_proof=())
        files = build_pack(proved, KEYS["coordinator"].public_key, KEYS["auditor"])
        policy = make_policy(asked, KEYS["coordinator"].public_key, [KEYS[n].public_key for n in NAMES])
        return verify_pack(files, policy)

    def endorsement(self, asked: Study, name: str) -> SimpleNamespace:
        transcript = self.transcripts.get(name, b"t" * 32)
        body = endorsement_body(asked.hash, RUN, self.endorsed_attempt, transcript, RESULT)
        return SimpleNamespace(public_key=KEYS[name].public_key, attempt=self.endorsed_attempt, result_hash=RESULT,
                               transcript=transcript, signature=KEYS[name].sign(ENDORSEMENT, body))


def test_an_honest_story_is_believed() -> None:
    assert Story().verify().endorsed == 3


@pytest.mark.parametrize(("story", "code"), [
    (Story(members=("sybil",)), "audit.cohort-differs"),
    (Story(members=(*NAMES, "sybil")), "audit.cohort-differs"),
    (Story(members=("north", "south")), "audit.cohort-differs"),
    (Story(agreed=("north", "south")), "audit.cohort-differs"),
    (Story(joined_for="r-bbbbbbbbbbbbbbbb"), "signature.invalid"),
    (Story(endorsed_attempt=2), "audit.endorsements-differ"),
    (Story(transcripts={"north": b"u" * 32}), "audit.endorsements-differ"),
])
def test_an_invented_run_is_not(story: Story, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        story.verify()
    assert caught.value.code == code
