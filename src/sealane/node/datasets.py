"""Registering datasets at the node, and opening them for a computation in exactly the version registered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pandas as pd

from sealane.core.canonical import content_hash
from sealane.core.clock import from_text, to_text
from sealane.core.ids import check_name
from sealane.errors import InputError, RefusedError, UnavailableError
from sealane.governance.agreement import Agreement
from sealane.governance.contract import Contract
from sealane.governance.quality import Profile, suppress
from sealane.governance.repair import Repair, stored_repair
from sealane.governance.study import Study
from sealane.node.conformance import ROW_RULES, Checked, Failure, check_rows, narrow
from sealane.node.mapping import Mapped, full_mapping
from sealane.node.profiling import count_rows
from sealane.node.reading import hash_of, read_table, state_of
from sealane.node.register import DatasetEntry, Register
from sealane.node.repairing import Repaired, repair_columns
from sealane.node.sources import parse_source
from sealane.node.streamed import StreamedFile, can_stream, require
from sealane.sectors.registry import contract as find_contract
from sealane.telemetry.logs import get_logger, log

_LOG = get_logger(__name__)
FAILURES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Report:
    """What checking a source against its contract found: fields, rules and numbers of rows, never a value.

    Attributes:
        name: of the dataset.
        contract_id: of the contract.
        version: of the dataset, hex.
        rows: rows in the source.
        invalid: rows that break some rule.
        failures: by field and rule, in the order of the contract.
        absent: nullable fields without a column; no computation can read them.
        drop_invalid: whether invalid rows are left out rather than refused.
        repaired: what each step of the declared repair did.
        counted: what became of what the source holds, such as resources left out, by reason.
        unfilled: fields for which a mapping found nothing at all.
    """

    name: str
    contract_id: str
    version: str
    rows: int
    invalid: int
    failures: tuple[Failure, ...]
    absent: tuple[str, ...]
    drop_invalid: bool
    repaired: tuple[Repaired, ...] = ()
    counted: Mapping[str, int] = field(default_factory=dict)
    unfilled: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Return whether the dataset can be registered."""
        mended = self.drop_invalid and all(failure.rule in ROW_RULES for failure in self.failures)
        return self.usable > 0 and (not self.failures or mended)

    @property
    def usable(self) -> int:
        """Return the number of rows that computations would read."""
        return self.rows - self.invalid

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values."""
        return {
            "name": self.name, "contract": self.contract_id, "version": self.version, "accepted": self.accepted,
            "rows": self.rows, "invalid": self.invalid, "drop_invalid": self.drop_invalid, "absent": list(self.absent),
            "failures": [{"field": one.field, "rule": one.rule, "rows": one.rows} for one in self.failures],
            "repaired": [one.to_dict() for one in self.repaired], "counted": dict(self.counted),
            "unfilled": list(self.unfilled),
        }


@dataclass(frozen=True, slots=True)
class Loaded:
    """A source as it was read, mapped, repaired and checked.

    Attributes:
        report: what was found.
        frame: the valid rows, typed.
        columns: source column by field.
        content: SHA-256 of the source's content, hex.
        raw: columns as they were read and repaired, by field.
        checked: the same, typed, all rows.
    """

    report: Report
    frame: pd.DataFrame
    columns: dict[str, str]
    content: str
    raw: dict[str, pd.Series[Any]]
    checked: Checked

    def __repr__(self) -> str:
        return f"Loaded({self.report.name}, {self.report.rows} rows)"


class NodeDataset:
    """A dataset that was opened: all valid rows of the registered version, in memory, read-only.

    It satisfies :class:`sealane.computations.base.Dataset`.
    """

    def __init__(self, entry: DatasetEntry, contract: Contract, frame: pd.DataFrame) -> None:
        self.version = entry.version
        self._name = entry.name
        self._contract = contract
        self._frame = frame

    @property
    def contract(self) -> Contract:
        """Return the data contract that the rows conform to."""
        return self._contract

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return len(self._frame)

    def frame(self, columns: Sequence[str]) -> pd.DataFrame:
        """Return a copy of the named fields of all rows.

        Raises:
            InputError: the contract has no such field.
            RefusedError: the dataset has no column for it.
        """
        self.require(columns)
        return self._frame[list(columns)].copy()

    def chunks(self, columns: Sequence[str], size: int) -> Iterator[pd.DataFrame]:
        """Yield the named fields of so many rows at a time. Raises as :meth:`frame` does."""
        self.require(columns)
        for start in range(0, self.rows, size):
            yield self._frame[list(columns)].iloc[start : start + size]

    def require(self, columns: Sequence[str]) -> None:
        """Check that the named fields can be read, without reading them.

        Raises:
            InputError: the contract has no such field.
            RefusedError: the dataset has no column for it.
        """
        require(self._contract, self._name, self._frame.columns, columns)

    def __repr__(self) -> str:
        return f"NodeDataset({self._name}, {self.rows} rows)"


Opened = NodeDataset | StreamedFile


def check_dataset(name: str, source: str, contract: Contract, mapping: Mapping[str, Mapped], *,
                  drop_invalid: bool = False, repair: Repair | None = None, today: date | None = None) -> Report:
    """Read a source and report how it fits the contract, without registering it.

    Raises:
        InputError: the source cannot be read, or the mapping does not fit.
        RefusedError: the file changed while it was read.
    """
    return load(name, source, contract, mapping, drop_invalid=drop_invalid, repair=repair, today=today).report


def add_dataset(register: Register, name: str, source: str, contract_id: str, mapping: Mapping[str, Mapped], *,
                now: datetime, drop_invalid: bool = False, repair: Repair | None = None) -> Report:
    """Check a source against its contract, register it, or its new version, and profile it.

    Args:
        register: the node's register.
        name: of the dataset.
        source: as :func:`sealane.node.sources.parse_source` takes it.
        contract_id: id of a contract in an installed sector pack.
        mapping: source columns of fields that are named otherwise there.
        now: the present moment.
        drop_invalid: leave out rows that break the contract instead of refusing the dataset; recorded.
        repair: what is done to the columns at every read, before they are held against the contract.

    Raises:
        InputError: the contract is unknown, the source cannot be read, or the mapping does not fit.
        RefusedError: rows break the contract, or none is left.
    """
    contract = find_contract(contract_id)
    loaded = load(check_name(name, "dataset name"), source, contract, mapping, drop_invalid=drop_invalid,
                  repair=repair, today=now.date())
    report = loaded.report
    if not report.accepted:
        raise _violation(report)
    register.put_dataset(DatasetEntry(
        name=name, source=absolute_source(source), mapping=loaded.columns, contract_id=contract.id,
        contract_hash=contract.hash, version=report.version, rows=report.usable, excluded=report.invalid,
        drop_invalid=drop_invalid, added_at=to_text(now), repair="" if repair is None else repair.to_text(),
    ))
    for step in report.repaired:
        log(_LOG, "dataset.repaired", dataset=name, do=step.do, field=step.field, rows=step.rows)
    register.lives.profile(name, report.version, loaded.content,
                           suppress(count_rows(contract, loaded.raw, loaded.checked, now)))
    return report


def profile_dataset(register: Register, name: str, *, now: datetime) -> Profile:
    """Read the registered version again, and keep and return its profile with small cells hidden.

    Raises:
        InputError: unknown, or its source cannot be read.
        RefusedError: ``dataset.changed``.
    """
    loaded, contract = _load_registered(register.dataset(name))
    profile = suppress(count_rows(contract, loaded.raw, loaded.checked, now))
    register.lives.profile(name, loaded.report.version, loaded.content, profile)
    return profile


def open_dataset(register: Register, name: str, version: str | None = None) -> NodeDataset:
    """Read a registered dataset again and return it if it is still what was registered.

    Args:
        register: the node's register.
        name: of the dataset.
        version: what an agreement names, hex; None for whatever is registered.

    Raises:
        InputError: unknown, or its source cannot be read.
        RefusedError: ``dataset.changed``; the rows, the contract or the registration are others by now.
    """
    entry = register.dataset(name)
    if version is not None:
        check_version(entry, version)
    loaded, contract = _load_registered(entry, as_text=bool(entry.repair))
    return NodeDataset(entry, contract, loaded.frame)


def contract_of(entry: DatasetEntry) -> Contract:
    """Return the contract that a registered dataset conforms to.

    Raises:
        InputError: no installed sector pack has it any more.
        RefusedError: ``dataset.changed``; its text is another by now.
    """
    contract = find_contract(entry.contract_id)
    if contract.hash != entry.contract_hash:
        raise _changed(entry, "the data contract's text", contract.hash, entry.contract_hash)
    return contract


def check_version(entry: DatasetEntry, version: str) -> None:
    """Refuse another version than the registered one.

    Raises:
        RefusedError: ``dataset.changed``.
    """
    if version != entry.version:
        raise _changed(entry, "the registered version", entry.version, version)


def open_approved(register: Register, agreement: Agreement, study: Study, *, streamed: bool = False) -> Opened:
    """Open the dataset that this institution agreed to use for a study, in the version agreed.

    Args:
        register: the node's register.
        agreement: of this institution.
        study: that it is for.
        streamed: whether a file is read chunk by chunk where it can be; it is not held then.

    Raises:
        InputError: unknown, or its source cannot be read.
        UnavailableError: the source is not where it was: what waits for it can go on once it is back.
        RefusedError: it changed since, or is under another contract than the study's.
    """
    opening = _open_streamed if streamed and can_stream(register.dataset(agreement.dataset)) else open_dataset
    try:
        dataset = opening(register, agreement.dataset, agreement.dataset_version)
    except InputError as error:
        if error.code != "dataset.not-found":
            raise
        raise UnavailableError("dataset.source-missing", "the source of a dataset cannot be read", got=error.got,
                               hint="put it back at that node (`sealane dataset list` there says where), then "
                               "`sealane run resume RUN`") from None
    if dataset.contract.id != study.data_contract:
        raise RefusedError("dataset.other-contract", "the dataset is under another contract than the study",
                           got=dataset.contract.id, expected=study.data_contract)
    return dataset


def _open_streamed(register: Register, name: str, version: str | None) -> StreamedFile:
    entry = register.dataset(name)
    if version is not None:
        check_version(entry, version)
    contract, source = contract_of(entry), parse_source(entry.source)
    state = state_of(source.path)
    found = _version(hash_of(source.path), entry.mapping, contract, drop_invalid=entry.drop_invalid, repair="")
    if found != entry.version:
        raise _changed(entry, "its content", found, entry.version)
    return StreamedFile(entry, contract, state)


def absolute_source(text: str) -> str:
    """Return a source as it is stored: with an absolute path, so that it means the same from any directory."""
    source = parse_source(text)
    return text if source.kind == "postgresql" else source.text


def load(name: str, source: str, contract: Contract, mapping: Mapping[str, Mapped], *, drop_invalid: bool,
         repair: Repair | None, today: date | None = None, as_text: bool = True) -> Loaded:
    """Read a source, map its columns, repair them and hold them against the contract, as of the day of adding it.

    Without ``as_text``, numbers of a CSV file are read as such; then what they were written like is not known.

    Raises:
        InputError: the source cannot be read, or the mapping does not fit.
        RefusedError: the file changed while it was read.
    """
    columns: dict[str, str] = {}
    duplicates: set[str] = set()
    numeric: set[str] = set()

    def choose(names: list[str]) -> list[str]:
        columns.update(full_mapping(contract, mapping, names, repair))
        if not as_text:
            numbers = {name: contract.field(name).type in ("number", "integer") for name in columns}
            numeric.update(columns[name] for name, number in numbers.items() if number)
            numeric.difference_update(columns[name] for name, number in numbers.items() if not number)
        duplicates.update(column for column in columns.values() if names.count(column) > 1)
        return [column for column in dict.fromkeys(columns.values()) if column not in duplicates]

    table = read_table(parse_source(source), choose, contract, numeric)
    rows = len(table.frame)
    raw = {field: table.frame[column] for field, column in columns.items() if column not in duplicates}
    repaired: list[Repaired] = []
    if repair is not None:
        raw, rows, repaired = repair_columns(repair, contract, raw, rows)
    checked = check_rows(contract, raw, rows, today)
    whole = [Failure(field, "duplicate-column", rows) for field, column in columns.items() if column in duplicates]
    unfilled = [field for field in contract.fields if field.name not in columns]
    whole += [Failure(field.name, "missing-column", rows) for field in unfilled if not field.nullable]
    # Which rows lie in the future depends on the day; where some do, the day is part of the version.
    day = {"today": str(today)} if any(failure.rule == "future" for failure in checked.failures) else {}
    version = _version(table.content, columns, contract, drop_invalid=drop_invalid,
                       repair="" if repair is None else repair.to_text(), **day)
    report = Report(name, contract.id, version, rows, int(checked.invalid.sum()), (*whole, *checked.failures),
                    tuple(field.name for field in unfilled if field.nullable), drop_invalid, tuple(repaired),
                    table.counted, tuple(name for name, column in columns.items() if column in table.unfilled))
    valid = checked.frame[~checked.invalid].reset_index(drop=True)
    return Loaded(report, narrow(valid, contract), columns, table.content, raw, checked)


def _version(content: str, mapping: Mapping[str, str], contract: Contract, **said: str | bool) -> str:
    """Return the hash of all that decides which rows computations read."""
    return content_hash({"content": content, "mapping": dict(mapping), "contract": contract.hash, **said}).hex()


def _load_registered(entry: DatasetEntry, *, as_text: bool = True) -> tuple[Loaded, Contract]:
    contract = contract_of(entry)
    mapping = {field: Mapped(column) for field, column in entry.mapping.items()}
    loaded = load(entry.name, entry.source, contract, mapping, drop_invalid=entry.drop_invalid,
                  repair=stored_repair(entry.repair), today=from_text(entry.added_at).date(), as_text=as_text)
    if loaded.report.version != entry.version:
        raise _changed(entry, "its content", loaded.report.version, entry.version)
    return loaded, contract


def _violation(report: Report) -> RefusedError:
    if not report.failures:
        return RefusedError("dataset.empty", "the source has no rows", got="0 rows", expected="at least 1")
    shown = "; ".join(map(str, report.failures[:FAILURES_SHOWN]))
    more = len(report.failures) - FAILURES_SHOWN
    rows_only = all(failure.rule in ROW_RULES for failure in report.failures) and report.usable > 0
    return RefusedError(
        "dataset.violates-contract", f"the dataset breaks its contract {report.contract_id}",
        got=shown + (f"; and {more} more" if more > 0 else ""),
        expected=f"{report.rows} rows that keep every rule",
        hint="mend the source, or add it with --drop-invalid to leave those rows out" if rows_only
        else "mend the source, or map its columns with --map FIELD=COLUMN",
    )


def _changed(entry: DatasetEntry, what: str, got: str, expected: str | None) -> RefusedError:
    return RefusedError("dataset.changed", f"dataset {entry.name} changed since: {what} differs",
                        got=got[:16], expected=(expected or "")[:16],
                        hint=f"put that version back; or `sealane dataset add {entry.name} --from SOURCE --contract "
                        f"{entry.contract_id}`, `sealane dataset grade {entry.name} --accept`, and have studies "
                        "proposed again")
