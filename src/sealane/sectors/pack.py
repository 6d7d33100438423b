"""What a sector pack holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from sealane.governance.classification import GradingTable, load_grading
from sealane.governance.contract import Contract, load_contract
from sealane.governance.deidentification import Deidentification, load_deidentification
from sealane.governance.study_file import DEFAULT_MINIMUM_COUNT
from sealane.sectors.code_system import CodeSystem, load_code_systems
from sealane.sectors.supervision import SupervisoryReport, load_supervision


@dataclass(frozen=True, slots=True)
class StudyExample:
    """What ``sealane study new`` writes for a sector, to begin from.

    Attributes:
        name: of the study.
        purpose: one of the pack's.
        data_contract: one of the pack's.
        computation: dotted name.
        parameters: of the computation, in TOML.
    """

    name: str
    purpose: str
    data_contract: str
    computation: str
    parameters: str


@dataclass(frozen=True, slots=True)
class SectorPack:
    """Contracts, purposes and proposed labels of one sector.

    Attributes:
        name: of the sector, such as ``finance``.
        title: for people.
        contracts: by id.
        purposes: what a study of this sector may be for, each with one sentence that says what it covers.
        grading: labels that are proposed for fields; without a table of the pack's own, cautious ones.
        code_systems: those that the pack brings, by URI.
        deidentification: what is done to a table that is shown, where its steward gives no rules; None for no default.
        minimum_count: fewest rows behind a released cell, where a study file does not say.
        example: a study to begin from; None for one without parameters.
        supervision: what is handed to a supervisor about a model; None where the sector has no such report.
    """

    name: str
    title: str
    contracts: Mapping[str, Contract]
    purposes: Mapping[str, str]
    grading: GradingTable = field(default_factory=GradingTable)
    code_systems: Mapping[str, CodeSystem] = field(default_factory=dict)
    deidentification: Deidentification | None = None
    minimum_count: int = DEFAULT_MINIMUM_COUNT
    example: StudyExample | None = None
    supervision: SupervisoryReport | None = None


def load_contracts(package: str) -> dict[str, Contract]:
    """Read the contracts that lie in a pack's ``contracts`` folder, by id.

    Raises:
        InputError: a file is no contract.
    """
    found = (load_contract(entry.read_bytes()) for entry in sorted(files(package).joinpath("contracts").iterdir(),
                                                                   key=lambda entry: entry.name)
             if entry.name.endswith(".toml"))
    return {contract.id: contract for contract in found}


def load_table(package: str) -> GradingTable:
    """Read the grading table that lies beside a pack's contracts.

    Raises:
        InputError: it is no table of labels.
    """
    return load_grading(files(package).joinpath("grading.toml").read_bytes())


def load_systems(package: str) -> Mapping[str, CodeSystem]:
    """Read the table of code systems that lies beside a pack's contracts.

    Raises:
        InputError: it is no table of code systems.
    """
    return load_code_systems(files(package).joinpath("code_systems.toml").read_bytes())


def load_defaults(package: str) -> Deidentification:
    """Read the defaults of de-identification that lie beside a pack's contracts.

    Raises:
        InputError: they are malformed.
    """
    return load_deidentification(files(package).joinpath("deidentification.toml").read_bytes())


def load_report(package: str) -> SupervisoryReport:
    """Read what a sector hands to its supervisor, which lies beside a pack's contracts.

    Raises:
        InputError: it is malformed.
    """
    return load_supervision(files(package).joinpath("supervision.toml").read_bytes())
