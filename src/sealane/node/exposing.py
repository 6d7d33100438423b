"""Writing tables that a steward shows inside the institution: desensitised rows, or rows that are made up."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd

from sealane.core.entropy import random_bytes
from sealane.core.secret import Secret
from sealane.errors import InputError, RefusedError, UnavailableError
from sealane.governance.classification import Label
from sealane.governance.contract import Contract
from sealane.governance.dataset_state import check_usable
from sealane.governance.desensitise import (
    Desensitisation,
    columns_read,
    desensitise,
    load_desensitisation,
    smallest_group,
)
from sealane.governance.synthetic import synthetic_table
from sealane.node.datasets import contract_of, open_dataset
from sealane.node.register import DatasetEntry, Register
from sealane.rpc.keyfiles import read_private, write_private
from sealane.sectors.registry import deidentification

KEY_FILE = "identity/desensitise.key"  # so that a backup holds it
KEY_BYTES = 32
SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Exposed:
    """A table that was written.

    Attributes:
        path: of the file.
        rows: how many.
        sha256: of its bytes, hex; a dataset added from them is known to be derived.
        k: fewest rows that agree in the quasi-identifiers; None for made-up rows.
    """

    path: Path
    rows: int
    sha256: str
    k: int | None


def write_desensitised(register: Register, home: Path, name: str, rules: bytes | None, output: Path) -> Exposed:
    """Write a desensitised table of a graded dataset, by a steward's rules or by the sector pack's defaults.

    Raises:
        InputError: the dataset is unknown, the rules do not fit, or the output is there or of another kind.
        RefusedError: the dataset is not graded or changed, or too few rows agree in the quasi-identifiers.
    """
    entry = register.dataset(name)
    labels = _labels(register, entry)
    contract = contract_of(entry)
    wanted = _defaults(entry, contract) if rules is None else load_desensitisation(rules, contract)
    _check_output(output)
    opened = open_dataset(register, name, entry.version)
    table = desensitise(opened.frame(columns_read(wanted)), wanted, desensitisation_key(home))
    return _write(register, entry, table, output, labels, smallest_group(table, wanted.quasi_identifiers))


def write_mock(register: Register, name: str, rows: int, output: Path) -> Exposed:
    """Write a made-up table of a graded dataset's contract, from its suppressed profile alone.

    Raises:
        InputError: the dataset is unknown, or the output is there or of another kind.
        RefusedError: the dataset is not graded, or has too few rows to show anything of.
    """
    entry = register.dataset(name)
    labels = _labels(register, entry)
    _check_output(output)
    profile = register.lives.profile_of(name, entry.version)
    assert profile is not None  # graded, so profiled
    return _write(register, entry, synthetic_table(profile, contract_of(entry), rows), output, labels, None)


def desensitisation_key(home: Path) -> Secret:
    """Return this node's key of pseudonyms and date shifts, made at its first use; only its owner may read it.

    Raises:
        RefusedError: others may read the file.
        InputError: it is no key.
    """
    path = home / KEY_FILE
    if not path.exists():
        write_private(path, random_bytes(KEY_BYTES))
    data = read_private(path)
    if len(data) != KEY_BYTES:
        raise InputError("desensitise.key-malformed", "the key of pseudonyms is malformed", got=f"{len(data)} bytes",
                         expected=f"{KEY_BYTES} bytes", hint="restore it: under another key pseudonyms do not match")
    return Secret(data)


def _defaults(entry: DatasetEntry, contract: Contract) -> Desensitisation:
    found = deidentification(contract.id)
    if found is None:
        raise InputError("desensitise.no-default", "the sector pack has no defaults for its tables", got=contract.id,
                         hint="write the rules, and name them with --rules")
    return found.for_fields(contract, entry.mapping)


def _labels(register: Register, entry: DatasetEntry) -> dict[str, Label]:
    check_usable(entry.name, register.lives.life(entry.name), entry.version)
    return {field: decided.label for field, decided in register.lives.labels(entry.name, entry.version).items()}


def _check_output(output: Path) -> None:
    if output.suffix not in SUFFIXES:
        raise InputError("output.unknown-kind", "no such kind of table can be written", got=repr(output.suffix[:20]),
                         expected=" or ".join(SUFFIXES))
    if output.exists():
        raise RefusedError("output.exists", "the output is there already and is not overwritten", got=output.name,
                           hint="name another file, or remove it")


def _write(register: Register, entry: DatasetEntry, table: pd.DataFrame, output: Path, labels: dict[str, Label],
           k: int | None) -> Exposed:
    """Write a table for its owner alone, whole or not at all, and remember what it was derived from before that."""
    # In a directory that only the owner enters: DuckDB makes its own file and knows no mode.
    private = output.with_name(f".{random_bytes(6).hex()}")
    temporary = private / f"table{output.suffix}"
    try:
        private.mkdir(mode=0o700)
        if output.suffix == ".csv":
            table.to_csv(temporary, index=False)
        else:
            _write_parquet(table, temporary, "synthetic" if k is None else "desensitised")
        temporary.chmod(0o600)
        with temporary.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        register.lives.derive(content, entry.name, entry.version, labels)
        temporary.rename(output)
    except (OSError, duckdb.Error) as error:
        failure = type(error).__name__
    else:
        return Exposed(output, len(table), content, k)
    finally:
        temporary.unlink(missing_ok=True)
        if private.exists():
            private.rmdir()
    # Out here, so that the writer's own words, which may quote a row, are no context of this error.
    raise UnavailableError("output.refused", "the output cannot be written", got=failure, expected=output.name,
                           hint="check that its directory is there and yours, and that the disk has space")


def _write_parquet(table: pd.DataFrame, path: Path, kind: str) -> None:
    quoted = str(path).replace("'", "''")
    with closing(duckdb.connect(":memory:", config={"autoinstall_known_extensions": False,
                                                    "autoload_known_extensions": False})) as connection:
        connection.register("given", table)
        connection.execute(f"COPY given TO '{quoted}' (FORMAT parquet, KV_METADATA {{sealane: '{kind}'}})")
