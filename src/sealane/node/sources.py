"""Where a dataset's rows lie: a file, or a table of a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from sealane.errors import InputError

Kind = Literal["csv", "parquet", "sqlite", "postgresql", "fhir", "omop", "features"]
SUFFIXES: dict[str, Kind] = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet"}
SQLITE_SUFFIXES = (".sqlite", ".sqlite3", ".db")
POSTGRESQL_PREFIXES = ("postgresql://", "postgres://")
IDENTIFIER_BYTES = 63
"""PostgreSQL cuts longer identifiers silently, and could so read another table than was meant."""
MAPPED: tuple[Kind, ...] = ("fhir", "omop", "features")
"""What is read through a mapping: ``fhir:PATH?mapping=FILE``."""
FORMS = ("path.csv, path.parquet, sqlite:path.db?table=NAME, postgresql://HOST/DATABASE?table=NAME, "
         "fhir:PATH?mapping=FILE, omop:PATH?mapping=FILE or features:PATH?mapping=FILE")


@dataclass(frozen=True, slots=True)
class Source:
    """One place to read rows from.

    Attributes:
        kind: what reads it.
        location: absolute path, or a PostgreSQL URL without our own parameters. It may hold a password: never shown.
        table: name of the table; empty for files that are one table.
        schema: of the table in PostgreSQL; empty for the server's search path.
        mapping: absolute path of the file that says how rows are made, for ``fhir``, ``omop`` and ``features``.
    """

    kind: Kind
    location: str = field(repr=False)
    table: str = ""
    schema: str = ""
    mapping: Path = Path()

    @property
    def remote(self) -> bool:
        """Return whether a database server holds the rows."""
        return self.location.startswith(POSTGRESQL_PREFIXES)

    @property
    def path(self) -> Path:
        """Return the file that is read (not for ``postgresql``)."""
        return Path(self.location)

    def __str__(self) -> str:
        """Return the source as it may be shown: without user, password or options."""
        where = self.location
        if self.remote:
            parts = urlsplit(self.location)
            where = f"postgresql://{_host(parts)}{parts.path}"
        if self.kind in MAPPED:
            return f"{self.kind}:{where} by {self.mapping}"
        table = ".".join(part for part in (self.schema, self.table) if part)
        return f"{where} table {table}" if table else where

    @property
    def text(self) -> str:
        """Return the source as it is stored: with absolute paths, so that it means the same from any directory."""
        if self.kind in MAPPED:
            options = {"mapping": str(self.mapping)} | ({"schema": self.schema} if self.schema else {})
            return f"{self.kind}:{self.location}{'&' if '?' in self.location else '?'}{urlencode(options)}"
        if self.kind == "sqlite":
            return f"sqlite:{self.location}?table={self.table}"
        return self.location


def parse_source(text: str) -> Source:
    """Read what a person gave as ``--from``; relative paths become absolute.

    Raises:
        InputError: none of the forms, or a table is missing.
    """
    if "\x00" in text or not text.strip():
        raise InputError("dataset.source-malformed", "the source is empty or holds a NUL", expected=FORMS)
    if text.startswith(POSTGRESQL_PREFIXES):
        return _postgresql(text)
    for kind in MAPPED:
        if text.startswith(f"{kind}:"):
            return _mapped(kind, text.removeprefix(f"{kind}:"))
    path, _, query = text.removeprefix("sqlite:").partition("?table=")
    suffix = Path(path).suffix.lower()
    if text.startswith("sqlite:") or suffix in SQLITE_SUFFIXES:
        if not query:
            raise InputError("dataset.source-malformed", "the source names no table",
                             expected="sqlite:path.db?table=NAME",
                             hint="add ?table=NAME")
        return Source("sqlite", str(Path(path).absolute()), query)
    suffix = Path(text).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError("dataset.source-malformed", "the source is of no known kind", got=suffix or "no suffix",
                         expected=FORMS)
    return Source(SUFFIXES[suffix], str(Path(text).absolute()))


def with_mapping(text: str, mapping: Path | None) -> str:
    """Return a source with the file of its mapping named in it.

    Raises:
        InputError: a mapping is given for a source that takes none.
    """
    if mapping is None:
        return text
    if not text.startswith(tuple(f"{kind}:" for kind in MAPPED)):
        raise InputError("dataset.mapping-unused", "only FHIR, OMOP and features sources take a mapping",
                         got=str(mapping), expected=" or ".join(f"{kind}:PATH" for kind in MAPPED),
                         hint="--map FIELD=COLUMN names the columns of a table")
    return f"{text}{'&' if '?' in text else '?'}{urlencode({'mapping': str(mapping.absolute())})}"


def _mapped(kind: Kind, text: str) -> Source:
    where, _, query = text.rpartition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
        _host(urlsplit(where))
    except ValueError:
        pairs = []
    own = {key: value for key, value in pairs if key in ("mapping", "schema")}
    if not (where and own.get("mapping")) or "\x00" in own["mapping"]:
        raise InputError("dataset.source-malformed", "the source names no mapping",
                         expected=f"{kind}:PATH?mapping=FILE",
                         hint="`sealane dataset add NAME --from PATH --mapping FILE` adds it")
    mapping = Path(own["mapping"]).absolute()
    if not where.startswith(POSTGRESQL_PREFIXES):
        return Source(kind, str(Path(where).absolute()), mapping=mapping)
    if kind != "omop":
        raise InputError("dataset.source-malformed", f"{kind} sources are read from files",
                         expected=f"{kind}:PATH?mapping=FILE")
    rest = urlencode([(key, value) for key, value in pairs if key not in own])
    schema = own.get("schema", "")
    if len(schema.encode()) > IDENTIFIER_BYTES:
        raise InputError("dataset.source-malformed", "a schema name is too long for PostgreSQL",
                         expected=f"at most {IDENTIFIER_BYTES} bytes")
    return Source(kind, where + (f"?{rest}" if rest else ""), schema=schema, mapping=mapping)


def _postgresql(text: str) -> Source:
    try:
        parts = urlsplit(text)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        _host(parts)
    except ValueError:
        # Not chained: the message quotes the URL, which may hold a password.
        raise InputError("dataset.source-malformed", "the database URL is malformed", expected=FORMS) from None
    own = {key: value for key, value in pairs if key in ("table", "schema")}
    if not own.get("table"):
        raise InputError("dataset.source-malformed", "the source names no table", expected=FORMS,
                         hint="add ?table=NAME")
    if any(len(value.encode()) > IDENTIFIER_BYTES for value in own.values()):
        raise InputError("dataset.source-malformed", "a table or schema name is too long for PostgreSQL",
                         expected=f"at most {IDENTIFIER_BYTES} bytes")
    rest = urlencode([(key, value) for key, value in pairs if key not in own])
    location = f"postgresql://{parts.netloc}{parts.path}" + (f"?{rest}" if rest else "")
    return Source("postgresql", location, own["table"], own.get("schema", ""))


def _host(parts: SplitResult) -> str:
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname or ''}{port}"
