"""Whether this node may have rows of a dataset scored elsewhere: its own grades and its quarantine say so."""

from __future__ import annotations

from collections.abc import Collection

from sealane.errors import RefusedError
from sealane.governance.dataset_state import check_usable
from sealane.governance.protection import required_protection
from sealane.node.lives import IMPORTANT
from sealane.node.register import DatasetEntry, Register


def check_permitted(register: Register, entry: DatasetEntry, fields: Collection[str]) -> None:
    """Decide whether fields of a dataset may leave, encrypted under this node's own key.

    Raises:
        RefusedError: the node is in quarantine, the dataset is not graded, a field is core data, or important data
            without an approval on record.
    """
    if register.standings.quarantined() is not None:
        raise RefusedError("score.asker-quarantined", "this node is in quarantine and asks for nothing",
                           hint="its data steward ends it: `sealane node quarantine --lift`")
    check_usable(entry.name, register.lives.life(entry.name), entry.version)
    labels = register.lives.labels(entry.name, entry.version)
    bare = [name for name in fields if name not in labels]
    if bare:
        raise RefusedError("score.labels-missing", "fields that the model is over have no label",
                           got=", ".join(bare)[:200], hint=f"`sealane dataset profile {entry.name}`, then grade it")
    needs = {name: required_protection([labels[name].label]) for name in fields}
    core = [name for name, need in needs.items() if need.forbidden]
    if core:
        raise RefusedError("score.core-data", "the model is over core data, which is never used",
                           got=", ".join(core)[:200], hint="ask the owner for a model without these fields")
    important = [name for name, need in needs.items() if need.important]
    if important and all(filing.jurisdiction != IMPORTANT for filing in register.lives.filings(entry.name)):
        raise RefusedError("score.important-data", "important data asks for an approval on record",
                           got=", ".join(important)[:200],
                           hint="`sealane dataset filing NAME --important --reference TEXT`")
