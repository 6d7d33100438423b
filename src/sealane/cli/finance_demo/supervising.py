"""The supervisory report on the card model: evidence of its runs, exported and verified, and one page over them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sealane.cli.asking import Answer
from sealane.cli.governance_demo.evidence import prove
from sealane.cli.governance_demo.step import awaited
from sealane.cli.supervising import Files, read_case
from sealane.client.pack.build import build_pack, make_policy, write_pack
from sealane.client.result_file import write_result
from sealane.client.session import Session
from sealane.client.supervision.page import render
from sealane.client.supervision.report import tell

FOLDER = "supervision"
PAGE, POLICY, CLAIMS = "supervisory.html", "policy.json", "claims.json"


def supervise(
    session: Session, answers: Sequence[Answer], claims: Mapping[str, Any], note: str, folder: Path
) -> None:
    """Write evidence, results and the page into a folder, as an analyst's commands would.

    Args:
        session: of the analyst, who may export and has the results.
        answers: the model's first; all of the same institutions.
        claims: the model's report.
        note: at the top of the page.
        folder: where to.
    """
    folder.mkdir(parents=True)
    record = session.study(answers[0].study.hash)
    policy = make_policy(answers[0].study, session.identity.coordinator_key,
                         [one.public_key for one in record.statements])
    (folder / POLICY).write_bytes(policy.to_bytes() + b"\n")
    (folder / CLAIMS).write_text(json.dumps(claims), encoding="utf-8")
    packs, results = [], []
    for answer in answers:
        run = answer.opened.status.run_id
        proved = awaited(lambda run=run: prove(session, run), lambda found: found is not None,  # type: ignore[misc]
                         "a checkpoint with enough cosignatures")
        packs.append(folder / answer.study.name)
        write_pack(build_pack(proved, session.identity.coordinator_key, session.identity.signing_key), packs[-1])
        results.append(folder / f"{answer.study.name}.json")
        results[-1].write_bytes(write_result(run, answer.opened.document))
    told = tell(read_case(Files(tuple(packs), (folder / POLICY,), tuple(results), claims=(folder / CLAIMS,), note=note),
                          Path.read_bytes))
    (folder / PAGE).write_text(render(told), encoding="utf-8")
