from sealane.api.catalog.v1 import catalog_pb2 as _catalog_pb2
from sealane.api.errors.v1 import error_detail_pb2 as _error_detail_pb2
from sealane.api.study.v1 import study_pb2 as _study_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConnectRequest(_message.Message):
    __slots__ = ("hello", "join", "contribution", "release", "proposal", "endorsement", "sealed_result", "failure", "statement", "chunk", "introduction", "letters", "catalog_statement", "witness_head", "cosigned", "acts_head", "head_held", "fresh_question", "fresh_answer", "parcel")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    JOIN_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENT_FIELD_NUMBER: _ClassVar[int]
    SEALED_RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    INTRODUCTION_FIELD_NUMBER: _ClassVar[int]
    LETTERS_FIELD_NUMBER: _ClassVar[int]
    CATALOG_STATEMENT_FIELD_NUMBER: _ClassVar[int]
    WITNESS_HEAD_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_FIELD_NUMBER: _ClassVar[int]
    ACTS_HEAD_FIELD_NUMBER: _ClassVar[int]
    HEAD_HELD_FIELD_NUMBER: _ClassVar[int]
    FRESH_QUESTION_FIELD_NUMBER: _ClassVar[int]
    FRESH_ANSWER_FIELD_NUMBER: _ClassVar[int]
    PARCEL_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    join: Join
    contribution: Contribution
    release: Release
    proposal: Proposal
    endorsement: Endorsement
    sealed_result: SealedResult
    failure: Failure
    statement: _study_pb2.SignedStatement
    chunk: Chunk
    introduction: Introduction
    letters: Letters
    catalog_statement: _catalog_pb2.CatalogStatement
    witness_head: WitnessHead
    cosigned: Cosigned
    acts_head: ActsHead
    head_held: HeadHeld
    fresh_question: FreshQuestion
    fresh_answer: FreshAnswer
    parcel: Parcel
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., join: _Optional[_Union[Join, _Mapping]] = ..., contribution: _Optional[_Union[Contribution, _Mapping]] = ..., release: _Optional[_Union[Release, _Mapping]] = ..., proposal: _Optional[_Union[Proposal, _Mapping]] = ..., endorsement: _Optional[_Union[Endorsement, _Mapping]] = ..., sealed_result: _Optional[_Union[SealedResult, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., statement: _Optional[_Union[_study_pb2.SignedStatement, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., introduction: _Optional[_Union[Introduction, _Mapping]] = ..., letters: _Optional[_Union[Letters, _Mapping]] = ..., catalog_statement: _Optional[_Union[_catalog_pb2.CatalogStatement, _Mapping]] = ..., witness_head: _Optional[_Union[WitnessHead, _Mapping]] = ..., cosigned: _Optional[_Union[Cosigned, _Mapping]] = ..., acts_head: _Optional[_Union[ActsHead, _Mapping]] = ..., head_held: _Optional[_Union[HeadHeld, _Mapping]] = ..., fresh_question: _Optional[_Union[FreshQuestion, _Mapping]] = ..., fresh_answer: _Optional[_Union[FreshAnswer, _Mapping]] = ..., parcel: _Optional[_Union[Parcel, _Mapping]] = ...) -> None: ...

class ConnectResponse(_message.Message):
    __slots__ = ("welcome", "study", "run_offer", "start", "arrival", "opening", "proposal", "endorsed", "run_ended", "nudge", "chunk", "directory", "introduced", "delivery", "log_update", "log_evidence", "peer_head", "head_held", "fresh_question", "fresh_answer", "parcel")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    STUDY_FIELD_NUMBER: _ClassVar[int]
    RUN_OFFER_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    ARRIVAL_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    ENDORSED_FIELD_NUMBER: _ClassVar[int]
    RUN_ENDED_FIELD_NUMBER: _ClassVar[int]
    NUDGE_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    INTRODUCED_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    LOG_UPDATE_FIELD_NUMBER: _ClassVar[int]
    LOG_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    PEER_HEAD_FIELD_NUMBER: _ClassVar[int]
    HEAD_HELD_FIELD_NUMBER: _ClassVar[int]
    FRESH_QUESTION_FIELD_NUMBER: _ClassVar[int]
    FRESH_ANSWER_FIELD_NUMBER: _ClassVar[int]
    PARCEL_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    study: _study_pb2.StudyRecord
    run_offer: RunOffer
    start: Start
    arrival: Arrival
    opening: Opening
    proposal: Proposal
    endorsed: Endorsed
    run_ended: RunEnded
    nudge: Nudge
    chunk: Chunk
    directory: Directory
    introduced: Introduced
    delivery: Delivery
    log_update: LogUpdate
    log_evidence: LogEvidence
    peer_head: PeerHead
    head_held: HeadHeld
    fresh_question: FreshQuestion
    fresh_answer: FreshAnswer
    parcel: Parcel
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., study: _Optional[_Union[_study_pb2.StudyRecord, _Mapping]] = ..., run_offer: _Optional[_Union[RunOffer, _Mapping]] = ..., start: _Optional[_Union[Start, _Mapping]] = ..., arrival: _Optional[_Union[Arrival, _Mapping]] = ..., opening: _Optional[_Union[Opening, _Mapping]] = ..., proposal: _Optional[_Union[Proposal, _Mapping]] = ..., endorsed: _Optional[_Union[Endorsed, _Mapping]] = ..., run_ended: _Optional[_Union[RunEnded, _Mapping]] = ..., nudge: _Optional[_Union[Nudge, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., directory: _Optional[_Union[Directory, _Mapping]] = ..., introduced: _Optional[_Union[Introduced, _Mapping]] = ..., delivery: _Optional[_Union[Delivery, _Mapping]] = ..., log_update: _Optional[_Union[LogUpdate, _Mapping]] = ..., log_evidence: _Optional[_Union[LogEvidence, _Mapping]] = ..., peer_head: _Optional[_Union[PeerHead, _Mapping]] = ..., head_held: _Optional[_Union[HeadHeld, _Mapping]] = ..., fresh_question: _Optional[_Union[FreshQuestion, _Mapping]] = ..., fresh_answer: _Optional[_Union[FreshAnswer, _Mapping]] = ..., parcel: _Optional[_Union[Parcel, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("version", "computations")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    COMPUTATIONS_FIELD_NUMBER: _ClassVar[int]
    version: str
    computations: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, version: _Optional[str] = ..., computations: _Optional[_Iterable[str]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("version", "maximum_message_bytes", "chunk_bytes")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHUNK_BYTES_FIELD_NUMBER: _ClassVar[int]
    version: str
    maximum_message_bytes: int
    chunk_bytes: int
    def __init__(self, version: _Optional[str] = ..., maximum_message_bytes: _Optional[int] = ..., chunk_bytes: _Optional[int] = ...) -> None: ...

class Directory(_message.Message):
    __slots__ = ("parties",)
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    parties: _containers.RepeatedCompositeFieldContainer[_study_pb2.Party]
    def __init__(self, parties: _Optional[_Iterable[_Union[_study_pb2.Party, _Mapping]]] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("transfer", "total_bytes", "offset", "data")
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    transfer: int
    total_bytes: int
    offset: int
    data: bytes
    def __init__(self, transfer: _Optional[int] = ..., total_bytes: _Optional[int] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class RunOffer(_message.Message):
    __slots__ = ("run_id", "study")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STUDY_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    study: _study_pb2.StudyRecord
    def __init__(self, run_id: _Optional[str] = ..., study: _Optional[_Union[_study_pb2.StudyRecord, _Mapping]] = ...) -> None: ...

class Join(_message.Message):
    __slots__ = ("run_id", "agreement_key", "signature")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    agreement_key: bytes
    signature: bytes
    def __init__(self, run_id: _Optional[str] = ..., agreement_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("fingerprint", "signing_key", "agreement_key", "signature")
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    SIGNING_KEY_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    signing_key: bytes
    agreement_key: bytes
    signature: bytes
    def __init__(self, fingerprint: _Optional[str] = ..., signing_key: _Optional[bytes] = ..., agreement_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Start(_message.Message):
    __slots__ = ("run_id", "attempt", "members")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    members: _containers.RepeatedCompositeFieldContainer[Member]
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ...) -> None: ...

class Introduction(_message.Message):
    __slots__ = ("run_id", "attempt", "sealed", "signature")
    class SealedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    sealed: _containers.ScalarMap[str, bytes]
    signature: bytes
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., sealed: _Optional[_Mapping[str, bytes]] = ..., signature: _Optional[bytes] = ...) -> None: ...

class IntroductionEntry(_message.Message):
    __slots__ = ("fingerprint", "hashes", "signature")
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    signature: bytes
    def __init__(self, fingerprint: _Optional[str] = ..., hashes: _Optional[_Iterable[bytes]] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Introduced(_message.Message):
    __slots__ = ("run_id", "attempt", "entries", "sealed")
    class SealedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    entries: _containers.RepeatedCompositeFieldContainer[IntroductionEntry]
    sealed: _containers.ScalarMap[str, bytes]
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[IntroductionEntry, _Mapping]]] = ..., sealed: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class Contribution(_message.Message):
    __slots__ = ("run_id", "attempt", "exchange", "description_hash", "signature", "payload", "relay_whole", "word_bits", "shares", "opens_on_arrival", "tagged")
    class SharesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_HASH_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    RELAY_WHOLE_FIELD_NUMBER: _ClassVar[int]
    WORD_BITS_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    OPENS_ON_ARRIVAL_FIELD_NUMBER: _ClassVar[int]
    TAGGED_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    exchange: int
    description_hash: bytes
    signature: bytes
    payload: bytes
    relay_whole: bool
    word_bits: int
    shares: _containers.ScalarMap[str, bytes]
    opens_on_arrival: bool
    tagged: bool
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., exchange: _Optional[int] = ..., description_hash: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., payload: _Optional[bytes] = ..., relay_whole: _Optional[bool] = ..., word_bits: _Optional[int] = ..., shares: _Optional[_Mapping[str, bytes]] = ..., opens_on_arrival: _Optional[bool] = ..., tagged: _Optional[bool] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("fingerprint", "payload_hash", "description_hash", "signature", "shares_hash")
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_HASH_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_HASH_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    SHARES_HASH_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    payload_hash: bytes
    description_hash: bytes
    signature: bytes
    shares_hash: bytes
    def __init__(self, fingerprint: _Optional[str] = ..., payload_hash: _Optional[bytes] = ..., description_hash: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., shares_hash: _Optional[bytes] = ...) -> None: ...

class Arrival(_message.Message):
    __slots__ = ("run_id", "attempt", "exchange", "entries", "payloads", "aggregate", "shares")
    class PayloadsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    class SharesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    exchange: int
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    payloads: _containers.ScalarMap[str, bytes]
    aggregate: bytes
    shares: _containers.ScalarMap[str, bytes]
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., exchange: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ..., payloads: _Optional[_Mapping[str, bytes]] = ..., aggregate: _Optional[bytes] = ..., shares: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ("run_id", "attempt", "exchange", "sealed")
    class SealedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    exchange: int
    sealed: _containers.ScalarMap[str, bytes]
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., exchange: _Optional[int] = ..., sealed: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class Opening(_message.Message):
    __slots__ = ("run_id", "attempt", "exchange", "sealed")
    class SealedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    exchange: int
    sealed: _containers.ScalarMap[str, bytes]
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., exchange: _Optional[int] = ..., sealed: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("run_id", "attempt", "exchange", "value", "signature")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    exchange: int
    value: bytes
    signature: bytes
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., exchange: _Optional[int] = ..., value: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Letters(_message.Message):
    __slots__ = ("run_id", "attempt", "exchange", "sealed", "hashes", "signature")
    class SealedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    exchange: int
    sealed: _containers.ScalarMap[str, bytes]
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    signature: bytes
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., exchange: _Optional[int] = ..., sealed: _Optional[_Mapping[str, bytes]] = ..., hashes: _Optional[_Iterable[bytes]] = ..., signature: _Optional[bytes] = ...) -> None: ...

class LettersEntry(_message.Message):
    __slots__ = ("fingerprint", "hashes", "signature")
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    signature: bytes
    def __init__(self, fingerprint: _Optional[str] = ..., hashes: _Optional[_Iterable[bytes]] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("run_id", "attempt", "exchange", "entries", "sealed")
    class SealedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    exchange: int
    entries: _containers.RepeatedCompositeFieldContainer[LettersEntry]
    sealed: _containers.ScalarMap[str, bytes]
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., exchange: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[LettersEntry, _Mapping]]] = ..., sealed: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class Endorsement(_message.Message):
    __slots__ = ("run_id", "attempt", "result_hash", "transcript", "signature")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    RESULT_HASH_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    result_hash: bytes
    transcript: bytes
    signature: bytes
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., result_hash: _Optional[bytes] = ..., transcript: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Endorsed(_message.Message):
    __slots__ = ("run_id", "attempt", "endorsements")
    class EndorsementsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Endorsement
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Endorsement, _Mapping]] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ENDORSEMENTS_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    endorsements: _containers.MessageMap[str, Endorsement]
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., endorsements: _Optional[_Mapping[str, Endorsement]] = ...) -> None: ...

class SealedResult(_message.Message):
    __slots__ = ("run_id", "attempt", "sealed")
    class SealedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    sealed: _containers.ScalarMap[str, bytes]
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., sealed: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("run_id", "error")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    error: _error_detail_pb2.ErrorDetail
    def __init__(self, run_id: _Optional[str] = ..., error: _Optional[_Union[_error_detail_pb2.ErrorDetail, _Mapping]] = ...) -> None: ...

class RunEnded(_message.Message):
    __slots__ = ("run_id", "error")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    error: _error_detail_pb2.ErrorDetail
    def __init__(self, run_id: _Optional[str] = ..., error: _Optional[_Union[_error_detail_pb2.ErrorDetail, _Mapping]] = ...) -> None: ...

class Nudge(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class WitnessHead(_message.Message):
    __slots__ = ("size",)
    SIZE_FIELD_NUMBER: _ClassVar[int]
    size: int
    def __init__(self, size: _Optional[int] = ...) -> None: ...

class LogUpdate(_message.Message):
    __slots__ = ("old", "proof", "note")
    OLD_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    old: int
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    note: bytes
    def __init__(self, old: _Optional[int] = ..., proof: _Optional[_Iterable[bytes]] = ..., note: _Optional[bytes] = ...) -> None: ...

class Cosigned(_message.Message):
    __slots__ = ("size", "line")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    size: int
    line: str
    def __init__(self, size: _Optional[int] = ..., line: _Optional[str] = ...) -> None: ...

class ActsHead(_message.Message):
    __slots__ = ("count", "root", "signature")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    count: int
    root: bytes
    signature: bytes
    def __init__(self, count: _Optional[int] = ..., root: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class PeerHead(_message.Message):
    __slots__ = ("public_key", "head")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    public_key: bytes
    head: ActsHead
    def __init__(self, public_key: _Optional[bytes] = ..., head: _Optional[_Union[ActsHead, _Mapping]] = ...) -> None: ...

class HeadHeld(_message.Message):
    __slots__ = ("node", "count", "root", "public_key", "signature")
    NODE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    node: str
    count: int
    root: bytes
    public_key: bytes
    signature: bytes
    def __init__(self, node: _Optional[str] = ..., count: _Optional[int] = ..., root: _Optional[bytes] = ..., public_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class FreshQuestion(_message.Message):
    __slots__ = ("node", "nonce")
    NODE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    node: str
    nonce: bytes
    def __init__(self, node: _Optional[str] = ..., nonce: _Optional[bytes] = ...) -> None: ...

class FreshAnswer(_message.Message):
    __slots__ = ("node", "nonce", "size", "root", "head", "public_key", "signature")
    NODE_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    node: str
    nonce: bytes
    size: int
    root: bytes
    head: ActsHead
    public_key: bytes
    signature: bytes
    def __init__(self, node: _Optional[str] = ..., nonce: _Optional[bytes] = ..., size: _Optional[int] = ..., root: _Optional[bytes] = ..., head: _Optional[_Union[ActsHead, _Mapping]] = ..., public_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Parcel(_message.Message):
    __slots__ = ("recipient", "kind", "subject", "body", "public_key", "signature")
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    recipient: str
    kind: str
    subject: bytes
    body: bytes
    public_key: bytes
    signature: bytes
    def __init__(self, recipient: _Optional[str] = ..., kind: _Optional[str] = ..., subject: _Optional[bytes] = ..., body: _Optional[bytes] = ..., public_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class LogLeaf(_message.Message):
    __slots__ = ("position", "entry", "proof")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    position: int
    entry: bytes
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, position: _Optional[int] = ..., entry: _Optional[bytes] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class LogEvidence(_message.Message):
    __slots__ = ("run_id", "attempt", "stage", "note", "leaves")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    attempt: int
    stage: int
    note: bytes
    leaves: _containers.RepeatedCompositeFieldContainer[LogLeaf]
    def __init__(self, run_id: _Optional[str] = ..., attempt: _Optional[int] = ..., stage: _Optional[int] = ..., note: _Optional[bytes] = ..., leaves: _Optional[_Iterable[_Union[LogLeaf, _Mapping]]] = ...) -> None: ...
