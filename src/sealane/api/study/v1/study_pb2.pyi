from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Party(_message.Message):
    __slots__ = ("name", "role", "fingerprint", "signing_key", "sealing_key", "connected")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    SIGNING_KEY_FIELD_NUMBER: _ClassVar[int]
    SEALING_KEY_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: str
    fingerprint: str
    signing_key: bytes
    sealing_key: bytes
    connected: bool
    def __init__(self, name: _Optional[str] = ..., role: _Optional[str] = ..., fingerprint: _Optional[str] = ..., signing_key: _Optional[bytes] = ..., sealing_key: _Optional[bytes] = ..., connected: _Optional[bool] = ...) -> None: ...

class SignedStatement(_message.Message):
    __slots__ = ("kind", "body", "public_key", "signature")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[SignedStatement.Kind]
        KIND_AGREEMENT: _ClassVar[SignedStatement.Kind]
        KIND_REFUSAL: _ClassVar[SignedStatement.Kind]
        KIND_COUNTER_OFFER: _ClassVar[SignedStatement.Kind]
    KIND_UNSPECIFIED: SignedStatement.Kind
    KIND_AGREEMENT: SignedStatement.Kind
    KIND_REFUSAL: SignedStatement.Kind
    KIND_COUNTER_OFFER: SignedStatement.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    kind: SignedStatement.Kind
    body: bytes
    public_key: bytes
    signature: bytes
    def __init__(self, kind: _Optional[_Union[SignedStatement.Kind, str]] = ..., body: _Optional[bytes] = ..., public_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class StudyRecord(_message.Message):
    __slots__ = ("study", "proposer", "statements", "proposed_at")
    STUDY_FIELD_NUMBER: _ClassVar[int]
    PROPOSER_FIELD_NUMBER: _ClassVar[int]
    STATEMENTS_FIELD_NUMBER: _ClassVar[int]
    PROPOSED_AT_FIELD_NUMBER: _ClassVar[int]
    study: bytes
    proposer: str
    statements: _containers.RepeatedCompositeFieldContainer[SignedStatement]
    proposed_at: str
    def __init__(self, study: _Optional[bytes] = ..., proposer: _Optional[str] = ..., statements: _Optional[_Iterable[_Union[SignedStatement, _Mapping]]] = ..., proposed_at: _Optional[str] = ...) -> None: ...

class ListPartiesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPartiesResponse(_message.Message):
    __slots__ = ("parties",)
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    parties: _containers.RepeatedCompositeFieldContainer[Party]
    def __init__(self, parties: _Optional[_Iterable[_Union[Party, _Mapping]]] = ...) -> None: ...

class ProposeStudyRequest(_message.Message):
    __slots__ = ("study",)
    STUDY_FIELD_NUMBER: _ClassVar[int]
    study: bytes
    def __init__(self, study: _Optional[bytes] = ...) -> None: ...

class ProposeStudyResponse(_message.Message):
    __slots__ = ("study_hash",)
    STUDY_HASH_FIELD_NUMBER: _ClassVar[int]
    study_hash: str
    def __init__(self, study_hash: _Optional[str] = ...) -> None: ...

class ListStudiesRequest(_message.Message):
    __slots__ = ("after",)
    AFTER_FIELD_NUMBER: _ClassVar[int]
    after: str
    def __init__(self, after: _Optional[str] = ...) -> None: ...

class ListStudiesResponse(_message.Message):
    __slots__ = ("studies", "next")
    STUDIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    studies: _containers.RepeatedCompositeFieldContainer[StudyRecord]
    next: str
    def __init__(self, studies: _Optional[_Iterable[_Union[StudyRecord, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class GetStudyRequest(_message.Message):
    __slots__ = ("study",)
    STUDY_FIELD_NUMBER: _ClassVar[int]
    study: str
    def __init__(self, study: _Optional[str] = ...) -> None: ...

class GetStudyResponse(_message.Message):
    __slots__ = ("study",)
    STUDY_FIELD_NUMBER: _ClassVar[int]
    study: StudyRecord
    def __init__(self, study: _Optional[_Union[StudyRecord, _Mapping]] = ...) -> None: ...
