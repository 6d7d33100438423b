"""Parties, studies and what is signed about them, as protobuf and as values: one function each way."""

from __future__ import annotations

from sealane.api.study.v1 import study_pb2 as study_pb
from sealane.errors import ProtocolError
from sealane.governance.counter import MAXIMUM_COUNTERS
from sealane.governance.signed_statement import MAXIMUM_BYTES, SignedAgreement, SignedCounter, SignedRefusal
from sealane.rpc import bounds
from sealane.rpc.notices import PartyRecord, Statement, StudyRecord

_MAXIMUM_STUDY = 1 << 18


def encode_party(party: PartyRecord) -> study_pb.Party:
    """Write a party."""
    return study_pb.Party(name=party.name, role=party.role, fingerprint=party.fingerprint,
                          signing_key=party.signing_key, sealing_key=party.sealing_key, connected=party.connected)


def decode_party(party: study_pb.Party) -> PartyRecord:
    """Read a party.

    Raises:
        ProtocolError: a field is malformed.
    """
    return PartyRecord(bounds.party_name(party.name), bounds.text(party.role, "role", 20),
                       bounds.party_fingerprint(party.fingerprint),
                       bounds.exact(party.signing_key, 32, "signing key"),
                       bounds.exact(party.sealing_key, 32, "sealing key"), party.connected)


_STATEMENTS: dict[study_pb.SignedStatement.Kind, type[Statement]] = {
    study_pb.SignedStatement.KIND_AGREEMENT: SignedAgreement, study_pb.SignedStatement.KIND_REFUSAL: SignedRefusal,
    study_pb.SignedStatement.KIND_COUNTER_OFFER: SignedCounter}


def encode_statement(statement: Statement) -> study_pb.SignedStatement:
    """Write an agreement, a refusal or a counter-offer."""
    kind = next(kind for kind, shape in _STATEMENTS.items() if isinstance(statement, shape))
    return study_pb.SignedStatement(kind=kind, body=statement.body, public_key=statement.public_key,
                                    signature=statement.signature)


def decode_statement(statement: study_pb.SignedStatement) -> Statement:
    """Read an agreement, a refusal or a counter-offer; its signature is checked by whoever uses it.

    Raises:
        ProtocolError: a field is malformed.
    """
    fields = (bounds.at_most(statement.body, MAXIMUM_BYTES, "bytes in a statement"),
              bounds.exact(statement.public_key, 32, "public key"), bounds.exact(statement.signature, 64, "signature"))
    shape = _STATEMENTS.get(statement.kind)
    if shape is None:
        raise ProtocolError("wire.unknown-statement", "statement of an unknown kind", got=statement.kind)
    return shape(*fields)


def encode_study(record: StudyRecord) -> study_pb.StudyRecord:
    """Write a study with what was signed about it."""
    return study_pb.StudyRecord(study=record.study, proposer=record.proposer, proposed_at=record.proposed_at,
                                statements=[encode_statement(s) for s in record.statements])


def decode_study(record: study_pb.StudyRecord) -> StudyRecord:
    """Read a study with what was signed about it.

    Raises:
        ProtocolError: a field is malformed.
    """
    statements = bounds.at_most(tuple(record.statements), (MAXIMUM_COUNTERS + 2) * bounds.MAXIMUM_MEMBERS, "statements")
    return StudyRecord(bounds.at_most(record.study, _MAXIMUM_STUDY, "bytes in a study"),
                       bounds.party_name(record.proposer), bounds.text(record.proposed_at, "moment", 40),
                       tuple(decode_statement(s) for s in statements))
