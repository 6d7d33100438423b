from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Event(_message.Message):
    __slots__ = ("sequence", "at", "kind", "party", "subject", "detail")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PARTY_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    at: str
    kind: str
    party: str
    subject: str
    detail: str
    def __init__(self, sequence: _Optional[int] = ..., at: _Optional[str] = ..., kind: _Optional[str] = ..., party: _Optional[str] = ..., subject: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ("after", "limit")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after: int
    limit: int
    def __init__(self, after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class ProvedLeaf(_message.Message):
    __slots__ = ("position", "entry", "proof")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    position: int
    entry: bytes
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, position: _Optional[int] = ..., entry: _Optional[bytes] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ProveRunRequest(_message.Message):
    __slots__ = ("run_id", "seen")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    seen: int
    def __init__(self, run_id: _Optional[str] = ..., seen: _Optional[int] = ...) -> None: ...

class ProveRunResponse(_message.Message):
    __slots__ = ("run_id", "study", "statements", "endorsements", "checkpoint", "leaves", "newest", "newest_proof", "seen_proof", "version", "members", "attempt")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STUDY_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENTS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    NEWEST_PROOF_FIELD_NUMBER: _ClassVar[int]
    SEEN_PROOF_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    study: bytes
    statements: _containers.RepeatedCompositeFieldContainer[Signed]
    endorsements: _containers.RepeatedCompositeFieldContainer[RunEndorsement]
    checkpoint: bytes
    leaves: _containers.RepeatedCompositeFieldContainer[ProvedLeaf]
    newest: bytes
    newest_proof: _containers.RepeatedScalarFieldContainer[bytes]
    seen_proof: _containers.RepeatedScalarFieldContainer[bytes]
    version: str
    members: _containers.RepeatedCompositeFieldContainer[RunMember]
    attempt: int
    def __init__(self, run_id: _Optional[str] = ..., study: _Optional[bytes] = ..., statements: _Optional[_Iterable[_Union[Signed, _Mapping]]] = ..., endorsements: _Optional[_Iterable[_Union[RunEndorsement, _Mapping]]] = ..., checkpoint: _Optional[bytes] = ..., leaves: _Optional[_Iterable[_Union[ProvedLeaf, _Mapping]]] = ..., newest: _Optional[bytes] = ..., newest_proof: _Optional[_Iterable[bytes]] = ..., seen_proof: _Optional[_Iterable[bytes]] = ..., version: _Optional[str] = ..., members: _Optional[_Iterable[_Union[RunMember, _Mapping]]] = ..., attempt: _Optional[int] = ...) -> None: ...

class RunMember(_message.Message):
    __slots__ = ("fingerprint", "agreement_key", "signature")
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    agreement_key: bytes
    signature: bytes
    def __init__(self, fingerprint: _Optional[str] = ..., agreement_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Signed(_message.Message):
    __slots__ = ("kind", "body", "public_key", "signature")
    KIND_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    body: bytes
    public_key: bytes
    signature: bytes
    def __init__(self, kind: _Optional[str] = ..., body: _Optional[bytes] = ..., public_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class RunEndorsement(_message.Message):
    __slots__ = ("public_key", "attempt", "result_hash", "transcript", "signature")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RESULT_HASH_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    public_key: bytes
    attempt: int
    result_hash: bytes
    transcript: bytes
    signature: bytes
    def __init__(self, public_key: _Optional[bytes] = ..., attempt: _Optional[int] = ..., result_hash: _Optional[bytes] = ..., transcript: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class ProveLeafRequest(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: int
    def __init__(self, position: _Optional[int] = ...) -> None: ...

class ProveLeafResponse(_message.Message):
    __slots__ = ("checkpoint", "leaf")
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    LEAF_FIELD_NUMBER: _ClassVar[int]
    checkpoint: bytes
    leaf: ProvedLeaf
    def __init__(self, checkpoint: _Optional[bytes] = ..., leaf: _Optional[_Union[ProvedLeaf, _Mapping]] = ...) -> None: ...
