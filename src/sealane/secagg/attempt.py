"""The facts of one attempt at a run, the same at every node, and what is signed over them."""

from __future__ import annotations

from dataclasses import dataclass, field

from sealane.core.canonical import sha256
from sealane.core.ids import Fingerprint, fingerprint
from sealane.crypto.signing import SigningKey, verify
from sealane.errors import ProtocolError
from sealane.secagg.messages import Endorsement, Join, Member
from sealane.secagg.transcript import Transcript

JOIN = "application/vnd.sealane.join"
CONTRIBUTION = "application/vnd.sealane.contribution"
PROPOSAL = "application/vnd.sealane.proposal"
ENDORSEMENT = "application/vnd.sealane.endorsement"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a run: who takes part, under which study and scheme.

    Attributes:
        members: in order of fingerprint.
        colluding: how many of them may collude with the coordinator, by the study.
        smallest: fewest survivors whose sum is opened, by the study.
        cohort: the fingerprints of all members.
    """

    run_id: str
    study_hash: str
    number: int
    scheme: str
    members: tuple[Member, ...]
    colluding: int
    smallest: int
    cohort: frozenset[Fingerprint] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.smallest < self.colluding + 2:
            raise ProtocolError("run.survivors-too-few", "a sum of so few would tell colluding nodes of one node",
                                got=self.smallest, expected=f"at least {self.colluding + 2}")
        order = [member.fingerprint for member in self.members]
        if order != sorted(set(order)):
            raise ProtocolError("run.cohort-malformed", "cohort is not in strict order of fingerprint",
                                got=f"{len(order)} members")
        object.__setattr__(self, "cohort", frozenset(order))  # asked for several times in every round

    @property
    def size(self) -> int:
        """Number of institutions."""
        return len(self.members)

    @property
    def first(self) -> Fingerprint:
        """The member that proposes values and delivers the result: the lowest fingerprint."""
        return self.members[0].fingerprint

    def member(self, of: Fingerprint) -> Member:
        """Return a member.

        Raises:
            ProtocolError: there is none of that fingerprint.
        """
        for member in self.members:
            if member.fingerprint == of:
                return member
        raise ProtocolError("run.not-a-member", "party is not in the cohort", got=of)

    def after(self, of: Fingerprint) -> tuple[Member, ...]:
        """Return the members whose fingerprints come after one."""
        return tuple(member for member in self.members if member.fingerprint > of)

    def transcript(self) -> Transcript:
        """Return the transcript at the start of the attempt."""
        keys = [part for m in self.members for part in (m.signing_key, m.agreement_key)]
        return Transcript.start(bytes.fromhex(self.study_hash), self.run_id.encode(), str(self.number).encode(),
                                self.scheme.encode(), *keys)

    def verify_own(self, own: Fingerprint, agreement_key: bytes) -> None:
        """Check every member's keys, and that this one's are its own.

        Raises:
            ProtocolError: a key was substituted, or this node is not a member.
        """
        self.verify_members()
        if self.member(own).agreement_key != agreement_key:
            raise ProtocolError("run.key-substituted", "this node's own agreement key was replaced")

    def verify_members(self) -> None:
        """Check that every member's agreement key was signed for this run by the key its fingerprint names.

        Raises:
            ProtocolError: a key was substituted, or its signature does not verify.
        """
        for member in self.members:
            if fingerprint(member.signing_key) != member.fingerprint:
                raise ProtocolError("run.key-substituted", "a signing key does not match its fingerprint",
                                    got=fingerprint(member.signing_key), expected=member.fingerprint)
            verify(member.signing_key, JOIN, join_body(self.study_hash, self.run_id, member.agreement_key),
                   member.signature)


def join_body(study_hash: str, run_id: str, agreement_key: bytes) -> bytes:
    """Return what a join signs."""
    return sha256(bytes.fromhex(study_hash), run_id.encode(), agreement_key)


def sign_join(key: SigningKey, study_hash: str, run_id: str, agreement_key: bytes) -> Join:
    """Make a signed join."""
    return Join(run_id, agreement_key, key.sign(JOIN, join_body(study_hash, run_id, agreement_key)))


def endorsement_body(study_hash: str, run_id: str, attempt: int, transcript: bytes, result_hash: bytes) -> bytes:
    """Return what an endorsement signs."""
    return sha256(bytes.fromhex(study_hash), run_id.encode(), str(attempt).encode(), transcript, result_hash)


def sign_endorsement(key: SigningKey, attempt: Attempt, transcript: Transcript, result_hash: bytes) -> Endorsement:
    """Make a signed endorsement of a result."""
    shown = transcript.absorb("endorsed").value  # the transcript itself stays among the nodes: keys derive from it
    body = endorsement_body(attempt.study_hash, attempt.run_id, attempt.number, shown, result_hash)
    return Endorsement(attempt.run_id, attempt.number, result_hash, shown, key.sign(ENDORSEMENT, body))


def verify_endorsement(endorsement: Endorsement, signing_key: bytes, study_hash: str, result_hash: bytes) -> None:
    """Check that a node endorsed exactly this result of this study.

    Raises:
        ProtocolError: another result, or a signature that does not verify.
    """
    if endorsement.result_hash != result_hash:
        raise ProtocolError("result.differs", "a node endorsed another result",
                            got=endorsement.result_hash.hex()[:16], expected=result_hash.hex()[:16])
    body = endorsement_body(study_hash, endorsement.run_id, endorsement.attempt, endorsement.transcript, result_hash)
    verify(signing_key, ENDORSEMENT, body, endorsement.signature)
