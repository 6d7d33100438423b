"""The study file that ``sealane study new`` writes: the sector's example, or the fields that a contract offers."""

from __future__ import annotations

from sealane.governance.study_file import study_template
from sealane.sectors.registry import contract as find_contract
from sealane.sectors.registry import pack


def new_study(sector: str, contract_id: str | None = None) -> str:
    """Return the text of a study to begin from.

    Args:
        sector: whose pack has the example.
        contract_id: of another contract than the example's; None for that one, or the pack's first.

    Raises:
        InputError: the sector or the contract is unknown.
    """
    chosen = pack(sector)
    example = chosen.example
    if example is not None and contract_id in (None, example.data_contract):
        return study_template(name=example.name, sector=sector, purpose=example.purpose,
                              data_contract=example.data_contract, computation=example.computation,
                              parameters=example.parameters)
    fields = find_contract(contract_id or next(iter(chosen.contracts)))
    offered = "".join(f"# {field.name}: {', '.join(filter(None, (field.type, field.unit)))}\n"
                      for field in fields.fields)
    return study_template(name="new-study", sector=sector, purpose=next(iter(chosen.purposes), "none"),
                          data_contract=fields.id, computation="glm.fit",
                          parameters=f'outcome = ""\nfeatures = []\n# fields of the contract:\n{offered}')
