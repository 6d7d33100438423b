from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CatalogStatement(_message.Message):
    __slots__ = ("kind", "body", "public_key", "signature")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[CatalogStatement.Kind]
        KIND_PUBLICATION: _ClassVar[CatalogStatement.Kind]
        KIND_WITHDRAWAL: _ClassVar[CatalogStatement.Kind]
    KIND_UNSPECIFIED: CatalogStatement.Kind
    KIND_PUBLICATION: CatalogStatement.Kind
    KIND_WITHDRAWAL: CatalogStatement.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    kind: CatalogStatement.Kind
    body: bytes
    public_key: bytes
    signature: bytes
    def __init__(self, kind: _Optional[_Union[CatalogStatement.Kind, str]] = ..., body: _Optional[bytes] = ..., public_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class ListEntriesRequest(_message.Message):
    __slots__ = ("sector", "field", "purpose", "node", "dataset", "text", "after")
    SECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    sector: str
    field: str
    purpose: str
    node: str
    dataset: str
    text: str
    after: str
    def __init__(self, sector: _Optional[str] = ..., field: _Optional[str] = ..., purpose: _Optional[str] = ..., node: _Optional[str] = ..., dataset: _Optional[str] = ..., text: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class ListEntriesResponse(_message.Message):
    __slots__ = ("entries", "next")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[CatalogStatement]
    next: str
    def __init__(self, entries: _Optional[_Iterable[_Union[CatalogStatement, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...
