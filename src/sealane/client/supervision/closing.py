"""The sections that no report goes without: limits and known risks, and how everything can be verified."""

from __future__ import annotations

from sealane.client.report.tables import enumerated
from sealane.client.supervision.agreed import adds_noise, each, signed
from sealane.client.supervision.case import Case
from sealane.client.supervision.document import Group, Part, Source, Statement, Table
from sealane.client.supervision.evidence import Evidence


def limits(case: Case) -> Part:
    """Return what the sector says of every model, and what follows from these runs."""
    known = Group("For every model of this sector",
                  tuple(Statement(one.name, one.text, case.installed) for one in case.form.limits))
    return Part((*([known] if known.statements else []), *each(case, _limits)))


def _limits(case: Case, one: Evidence) -> list[Statement]:
    study, terms = one.study, Source("derived", ("the agreements",))
    told = [Statement("Collusion", f"If more than {study.colluding} institutions and the coordinator work together, "
                                   "they can learn the contributions of the others.", terms)]
    if not adds_noise(one):
        told.append(Statement("Exact sums", "The result is exact. Who knows all rows but one, or gets several results "
                                            "over nearly the same rows, may learn about a person.", terms))
    waived = [a.node for a in one.agreements if a.waives_differencing]
    if waived:
        told.append(Statement("Contributions that can be told apart", f"{enumerated(waived)} agreed that its own sums "
                                                                      "may become computable.", signed(one)))
    if one.refusals:
        told.append(Statement("Refused or revoked", enumerated(sorted({r.node for r in one.refusals})),
                              Source("signed", tuple(sorted({r.node for r in one.refusals})))))
    absent = sorted({party.name for party in study.participants} - set(one.cohort))
    if absent and one.cohort:
        told.append(Statement("Not in the result", enumerated(absent), Source("log", one.witnesses)))
    told.append(Statement("Later acts", f"The evidence shows a log of {one.verified.newest} leaves. A revocation "
                                        "after that is not in it.", Source("derived", ("the checkpoints",))))
    return told


def verification(case: Case) -> Part:
    """Return the files, the log, and what to type."""
    files = Table("Files that this report was made from. Of an evidence pack: its manifest, which lists the others.",
                  ("File", "What", "SHA-256"), tuple((one.name, one.what, one.sha256) for one in case.files),
                  Source("derived", ("the files given",)))
    return Part(each(case, _verification), (files,))


def _verification(case: Case, one: Evidence) -> list[Statement]:
    log, checkpoint = Source("log", one.witnesses), one.checkpoint
    return [
        Statement("Log", checkpoint.origin, log),
        Statement("Checkpoint", f"{checkpoint.size} leaves, root {checkpoint.root.hex()}", log),
        Statement("Cosigned by", f"{enumerated(one.witnesses)}; {one.quorum} were needed", log),
        Statement("Exported by the party with the key", one.verified.exported_by,
                  Source("derived", ("the signature of the pack's manifest",))),
        Statement("Verify it", "sealane audit verify FOLDER --policy POLICY, with a policy that you got from the "
                               "institutions and not from the sender", case.program),
        Statement("Make this report again", "sealane audit report, with the same files: only the moment of its making "
                                            "differs", case.program),
    ]
