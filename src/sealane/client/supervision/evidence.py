"""What a verified evidence pack says, read once more after it was verified, and never before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealane.audit.checkpoint import Checkpoint
from sealane.audit.entry import Entry, parse_entry
from sealane.audit.note import parse_note
from sealane.audit.policy import Policy
from sealane.client.pack.verify import MANIFEST, Verified, verify_pack
from sealane.core.ids import Fingerprint, fingerprint
from sealane.governance.agreement import Agreement, verify_agreement
from sealane.governance.signed_statement import KINDS, Refusal, SignedAgreement, SignedRefusal, verify_refusal
from sealane.governance.study import Study, parse_study

OUTCOMES = ("run.completed", "run.aborted", "run.paused")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run, as its evidence shows it.

    Attributes:
        study: what all participants signed.
        run: id of the run.
        verified: what the verifier found.
        agreements: in the order of the institutions' names.
        refusals: noes and revocations, likewise.
        entries: leaves of the log about study and run, in its order.
        cohort: names of the institutions whose rows are in the result; none where the run never came to a cohort.
        endorsed: names of those that endorsed the result.
        result_hash: that they endorsed, hex; None where no result was released.
        checkpoint: under which the leaves are.
        witnesses: names of the institutions that cosigned it.
        quorum: how many had to.
        manifest: SHA-256 of the pack's manifest, hex, which lists all its files.
    """

    study: Study
    run: str
    verified: Verified
    agreements: tuple[Agreement, ...]
    refusals: tuple[Refusal, ...]
    entries: tuple[Entry, ...]
    cohort: tuple[str, ...]
    endorsed: tuple[str, ...]
    result_hash: str | None
    checkpoint: Checkpoint
    witnesses: tuple[str, ...]
    quorum: int
    manifest: str

    @property
    def institutions(self) -> tuple[str, ...]:
        """Return the names of those that signed an agreement."""
        return tuple(one.node for one in self.agreements)

    @property
    def outcome(self) -> str:
        """Return how the run ended by the log, with the code of an error."""
        last = next((e for e in reversed(self.entries) if e.kind in OUTCOMES and e.subject == self.run), None)
        if last is None:
            return "not ended"
        return last.kind.removeprefix("run.") + ("" if last.kind == "run.completed" else f": {last.detail}")

    def caption(self) -> str:
        """Return what its tables are headed by."""
        return f"{self.study.name}: {self.study.computation}, run {self.run}"


def read_evidence(files: Mapping[str, bytes], policies: Sequence[Policy]) -> Evidence:
    """Verify a pack, and return what it says.

    Args:
        files: of the pack, by name.
        policies: that the reader trusts; the pack is held against the one that it names, or against the first.

    Raises:
        ProtocolError: it does not verify; the message names the file.
        InputError: a file is missing or too large.
    """
    policy = next((one for one in policies if one.to_bytes() == files.get("policy.json")), policies[0])
    verified = verify_pack(files, policy)
    study = parse_study(files["study.json"])
    names = {party.fingerprint: party.name for party in study.participants}
    agreements, refusals = _statements(files, study)
    endorsements = json.loads(files["endorsements.json"])
    note = parse_note(files["checkpoint.txt"])
    return Evidence(
        study, verified.run, verified, agreements, refusals,
        tuple(parse_entry(leaf["entry"].encode()) for leaf in json.loads(files["leaves.json"])),
        tuple(sorted(names[one["fingerprint"]] for one in json.loads(files["cohort.json"])["members"])),
        tuple(sorted(names[str(fingerprint(bytes.fromhex(one["public_key"])))] for one in endorsements)),
        endorsements[0]["result_hash"] if endorsements else None,
        policy.check(note), tuple(sorted(_witness(one, names) for one in policy.cosigners(note))), policy.quorum,
        hashlib.sha256(files[MANIFEST]).hexdigest())


def _statements(files: Mapping[str, bytes], study: Study) -> tuple[tuple[Agreement, ...], tuple[Refusal, ...]]:
    agreements, refusals = [], []
    for one in json.loads(files["statements.json"]):
        signed = KINDS[one["kind"]](one["body"].encode(), bytes.fromhex(one["public_key"]),
                                    bytes.fromhex(one["signature"]))
        if isinstance(signed, SignedAgreement):
            agreements.append(verify_agreement(signed, study))
        elif isinstance(signed, SignedRefusal):
            refusals.append(verify_refusal(signed, study))
    return (tuple(sorted(agreements, key=lambda one: (one.node, one.signed_at))),
            tuple(sorted(refusals, key=lambda one: (one.node, one.refused_at))))


def _witness(one: Fingerprint, names: Mapping[str, str]) -> str:
    return names.get(str(one), str(one))
