"""``sealane audit``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealane.cli.groups import noun
from sealane.cli.names import run_ids, study_names
from sealane.cli.output import show
from sealane.cli.settings import settings_of
from sealane.errors import InputError

if TYPE_CHECKING:
    from sealane.audit.policy import Policy
    from sealane.client.session import Session

_FILE = click.Path(exists=True, path_type=Path)
_OUT = click.Path(path_type=Path)


@noun("audit", examples=("audit policy joint-scorecard --out policy.json", "audit export r-abcdefghijklmnop",
                         "audit verify ./r-abcdefghijklmnop --policy policy.json",
                         "audit report ./evidence --policy policy.json --result result.json"))
def audit() -> None:
    """Export and prove what the audit log holds; verify it offline."""


@audit.command(examples=("audit policy joint-scorecard --out policy.json",))
@click.argument("study", shell_complete=study_names)
@click.option("--out", type=_OUT, default=Path("policy.json"), help="File to write.")
def policy(study: str, out: Path) -> None:
    """Write a study's policy: the log's key, its witnesses' keys, and how many of them must cosign.

    Keys are those whose fingerprints the study names. Compare them with the institutions, out of band, before you rely
    on them.
    """
    from sealane.client.pack.build import make_policy
    from sealane.governance.study import parse_study

    with _session() as session:
        record = session.study(study)
        log = session.identity.coordinator_key
    made = make_policy(parse_study(record.study), log, [s.public_key for s in record.statements])
    out.write_bytes(made.to_bytes() + b"\n")
    show({"file": str(out), "witnesses": sorted(made.witnesses), "quorum": made.quorum},
         f"{out}: {made.quorum} of {len(made.witnesses)} witnesses must cosign")


@audit.command(examples=("audit export r-abcdefghijklmnop --out ./evidence", "audit export r-abc --seen newest.txt"))
@click.argument("run_id", metavar="RUN", shell_complete=run_ids)
@click.option("--out", type=_OUT, help="Folder to write; the run's id by default.")
@click.option("--seen", type=_FILE, help="A checkpoint you hold: the pack proves that the log continues it.")
def export(run_id: str, out: Path | None, seen: Path | None) -> None:
    """Write an evidence pack of RUN: what was agreed, what ran, what was released, and proofs."""
    from sealane.audit.checkpoint import parse_checkpoint
    from sealane.audit.note import parse_note
    from sealane.client.pack.build import build_pack, write_pack

    held = seen.read_bytes() if seen is not None else None
    size = parse_checkpoint(parse_note(held).text).size if held is not None else 0
    with _session() as session:
        proved = session.prove_run(run_id, size)
        files = build_pack(proved, session.identity.coordinator_key, session.identity.signing_key, held)
    folder = out or Path(proved.run_id)
    written = write_pack(files, folder)
    show({"run": proved.run_id, "folder": str(folder), "files": [str(path) for path in written]},
         "\n".join(map(str, written)))


@audit.command(examples=("audit prove 12 --out leaf-12.proof",))
@click.argument("leaf", type=click.IntRange(min=0))
@click.option("--out", type=_OUT, help="File to write; leaf-N.proof by default.")
def prove(leaf: int, out: Path | None) -> None:
    """Write the inclusion proof of one LEAF, by its number from 0, as a C2SP tlog-proof file."""
    from sealane.audit.evidence import Leaf
    from sealane.audit.proof_file import write_proof

    with _session() as session:
        proved = session.prove_leaf(leaf)
    path = out or Path(f"leaf-{leaf}.proof")
    path.write_bytes(write_proof(Leaf(proved.leaf.position, proved.leaf.entry, tuple(proved.leaf.proof)),
                                 proved.checkpoint))
    show({"leaf": leaf, "file": str(path)}, str(path))


@audit.command(examples=("audit verify ./r-abcdefghijklmnop --policy policy.json",
                         "audit verify leaf-12.proof --policy policy.json --json"))
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--policy", "policy_file", type=_FILE, required=True, help="Policy file that you trust.")
@click.option("--checkpoint", type=_FILE, help="A fresh checkpoint: shows whether the log was cut.")
def verify(files: tuple[Path, ...], policy_file: Path, checkpoint: Path | None) -> None:
    """Verify evidence packs and proof files offline; say yes, or name the first file or leaf that does not fit."""
    from sealane.audit.policy import parse_policy

    trusted = parse_policy(_bytes(policy_file))
    fresh = _bytes(checkpoint) if checkpoint is not None else None
    found = [_verify(path, trusted, fresh) for path in files]
    show(found, lambda: "\n".join(one["text"] for one in found))


@audit.command(examples=("audit report ./evidence --policy policy.json --result result.json --out supervisory.html",
                         "audit report ./model ./watch --policy policy.json --result model.json --result watch.json",
                         "audit report ./evidence --policy policy.json --statement north.json --json"))
@click.argument("evidence", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--policy", "policies", multiple=True, required=True, type=_FILE,
              help="Policy file that you trust; of each study that needs another, one more.")
@click.option("--result", "results", multiple=True, type=_FILE,
              help="A run's result.json: refused unless it is the one that the evidence says was endorsed.")
@click.option("--statement", "statements", multiple=True, type=_FILE,
              help="A node's metering statement: rows, rounds and epsilon that it signed.")
@click.option("--publication", "published", multiple=True, type=_FILE,
              help="What a node published of its dataset: rounded rows and accepted level, as it signed them.")
@click.option("--claims", multiple=True, type=_FILE,
              help="A run's report.json: shown apart, as claims that nobody signed.")
@click.option("--note", help="A sentence of your own at the top, marked as such: a reference number, say.")
@click.option("--out", type=_OUT, default=Path("supervisory.html"), show_default=True, help="Page to write.")
def report(evidence: tuple[Path, ...], policies: tuple[Path, ...], results: tuple[Path, ...],
           statements: tuple[Path, ...], published: tuple[Path, ...], claims: tuple[Path, ...], note: str | None,
           out: Path) -> None:
    """Write a supervisory report from evidence packs, the model's run first; offline, and only if all of it verifies.

    Which sections it has is the sector pack's to say. Each statement says who vouches for it: who signed, the log, this
    program, or nobody. With --json the same report is printed as a document.
    """
    from sealane.cli.supervising import Files, read_case
    from sealane.client.supervision.page import render
    from sealane.client.supervision.report import tell

    told = tell(read_case(Files(evidence, policies, results, statements, published, claims, note), _bytes))
    out.write_text(render(told), encoding="utf-8")
    show({"file": str(out), "report": told.to_dict()}, lambda: f"{out}: {told.lead}")


def _verify(path: Path, trusted: Policy, fresh: bytes | None) -> dict[str, Any]:
    from sealane.audit.proof_file import verify_proof
    from sealane.client.pack.verify import verify_pack

    if path.is_dir():
        verified = verify_pack({file.name: _bytes(file) for file in sorted(path.iterdir()) if file.is_file()}, trusted,
                               fresh)
        return {"file": str(path), "verified": True, **asdict(verified),
                "text": f"{path}: verified: run {verified.run}, {verified.leaves} leaves among {verified.size}, "
                        f"endorsed by {verified.endorsed}"}
    entry, position, size = verify_proof(_bytes(path), trusted)
    return {"file": str(path), "verified": True, "leaf": position, "size": size, "entry": asdict(entry),
            "text": f"{path}: verified: leaf {position} among {size}: {entry.kind} by {entry.party} at {entry.at}"}


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > 1 << 26:
        raise InputError("audit.file-too-large", "a file is larger than any that this version writes", got=str(path))
    return path.read_bytes()


def _session() -> Session:
    from sealane.cli.connecting import session

    return session(settings_of().home_of("auditor", "analyst"))
