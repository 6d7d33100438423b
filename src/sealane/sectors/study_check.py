"""Checking a study as far as it can be known without any data, before anybody is asked to sign it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from sealane.computations.pricing import price_under
from sealane.computations.registry import get, read_parameters
from sealane.computations.requirements import most_exchanges, required_columns
from sealane.core.clock import system_clock
from sealane.core.ids import fingerprint
from sealane.errors import RefusedError
from sealane.governance.study import Study
from sealane.governance.study_file import StudyFile, read_study_file
from sealane.sectors.registry import check_purpose, contract, minimum_count


def check_file(path: Path) -> tuple[StudyFile, list[str]]:
    """Read and check a study file; return it with the columns that its computation will read.

    Raises:
        InputError: what is wrong first, from the file's form to the columns.
        RefusedError: as for :func:`check_study`.
    """
    file = read_study_file(path)
    return file, check_study(_with_stand_ins(file))


def check_study(study: Study) -> list[str]:
    """Check what a study asks for; return the columns that its computation will read.

    Raises:
        InputError: the purpose, the contract, the computation, its parameters or a column is unknown.
        RefusedError: the contract belongs to another sector than the study, or a run costs more than it promises.
    """
    check_purpose(study.sector, study.purpose)
    fields = contract(study.data_contract)
    if study.data_contract.partition(".")[0] != study.sector:
        raise RefusedError("study.other-sector", "the data contract belongs to another sector than the study",
                           got=study.data_contract, expected=f"a contract of {study.sector}")
    columns = required_columns(study.computation, study.parameters, fields)
    price_under(study, get(study.computation), read_parameters(study.computation, study.parameters), fields)
    return columns


def _with_stand_ins(file: StudyFile) -> Study:
    """Make the study with stand-ins for parties that only a coordinator knows: its own rules need them."""
    names = list(file.participants) if file.participants is not None else [
        f"stand-in-{number}" for number in range(max(file.minimum_cohort, file.colluding + 2, 0))]
    if file.participants is None and isinstance(file.parameters.get("server"), str):
        names[:1] = [file.parameters["server"]]  # some computations name a participant
    directory: dict[str, str] = {name: fingerprint(sha256(name.encode("utf-8")).digest()) for name in names}
    if isinstance(file.participants, dict):
        directory |= file.participants
    known = {name: code for name, code in file.jurisdictions.items() if name in directory}
    return file.model_copy(update={"recipients": None, "jurisdictions": known}).resolve(
        directory, [], system_clock(), minimum_count=minimum_count(file.sector),
        rounds=most_exchanges(file.computation, file.parameters))
