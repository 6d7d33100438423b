"""Verify an evidence pack offline: public keys in a policy file, and nothing else.

The first file, or the first leaf, that does not fit is named. Signatures and the log bind the study, the statements,
the cohort, the endorsements and the leaves; the page is made again and compared; the manifest, signed by whoever
exported the pack, binds the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sealane.audit.checkpoint import Checkpoint
from sealane.audit.entry import Entry, cohort_detail, endorsed_detail, parse_entry, statement_digest
from sealane.audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from sealane.audit.note import parse_note, unbase64
from sealane.audit.policy import Policy
from sealane.client.pack.page import render_pack
from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.ids import Fingerprint, fingerprint
from sealane.crypto.signing import verify
from sealane.errors import InputError, ProtocolError, SealaneError, from_dict
from sealane.governance.agreement import verify_agreement
from sealane.governance.counter import verify_counter
from sealane.governance.signed_statement import ACTS, KINDS, SignedAgreement, SignedRefusal, verify_refusal
from sealane.governance.study import Study, parse_study
from sealane.secagg.attempt import Attempt, verify_endorsement
from sealane.secagg.messages import Endorsement, Member

T = TypeVar("T")
MANIFEST = "manifest.json"
PAGE = "report.html"
REQUIRED = ("study.json", "statements.json", "cohort.json", "endorsements.json", "leaves.json", "checkpoint.txt",
            "newest.txt", "consistency.json", "software.json", "policy.json", PAGE, MANIFEST)
MAXIMUM_FILE = 1 << 26
MANIFEST_KIND = "application/vnd.sealane.evidence-pack+json"


@dataclass(frozen=True, slots=True)
class Verified:
    """What a pack was found to show."""

    run: str
    study: str
    leaves: int
    size: int
    newest: int
    endorsed: int
    exported_by: Fingerprint


def verify_pack(files: Mapping[str, bytes], policy: Policy, fresh: bytes | None = None) -> Verified:
    """Verify a pack.

    Args:
        files: by name.
        policy: whose checkpoints count; never the one in the pack.
        fresh: a checkpoint that the verifier holds; a log that does not reach it was cut.

    Raises:
        ProtocolError: a file or a leaf does not fit; the message names it.
        InputError: a file is missing or too large.
    """
    for name in REQUIRED:
        if len(files.get(name, b"")) not in range(1, MAXIMUM_FILE):
            raise InputError("audit.file-missing", f"{name} is missing from the pack, empty or too large")
    exported_by = _named(MANIFEST, lambda: _manifest(files))
    head = _named("checkpoint.txt", lambda: policy.check(parse_note(files["checkpoint.txt"])))
    newest = _named("newest.txt", lambda: policy.check(parse_note(files["newest.txt"])))
    _named("consistency.json", lambda: _consistent(files, head, newest, policy))
    entries = _named("leaves.json", lambda: _leaves(files, head))
    study = _named("study.json", lambda: parse_study(files["study.json"]))
    _named("study.json", lambda: _find(entries, "study.proposed", study.hash))
    run = _named("leaves.json", lambda: next(iter(_find(entries, "run.proposed", None, study.hash))).subject)
    keys, codes = _named("statements.json", lambda: _statements(files, study, entries))
    attempt = _named("cohort.json", lambda: _cohort(files, study, run, entries, keys))
    endorsed = _named("endorsements.json", lambda: _endorsements(files, study, run, entries, attempt))
    _named("software.json", lambda: _software(files, study, codes))
    _named("policy.json", lambda: _policy(files, policy))
    _named(PAGE, lambda: _page(files))
    if fresh is not None:
        _fresh(fresh, newest, policy, files)
    return Verified(run, study.hash, len(entries), head.size, newest.size, endorsed, exported_by)


def _named(name: str, check: Callable[[], T]) -> T:
    """Run a check and name its file in whatever it says."""
    try:
        return check()
    except SealaneError as error:
        raise _naming(error, f"{name}: {error.message}") from None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration):
        raise ProtocolError("audit.file-malformed", f"{name}: is not what a pack's file of that name is") from None


def _naming(error: SealaneError, message: str) -> SealaneError:
    """Return an error with its place named; whatever it was, a file that does not fit is another party's doing."""
    return from_dict(error.to_dict() | {"branch": "ProtocolError", "message": message})


def _manifest(files: Mapping[str, bytes]) -> Fingerprint:
    value = _read(files, MANIFEST)
    key = bytes.fromhex(value["public_key"])
    verify(key, MANIFEST_KIND, canonical_bytes(value["files"]), bytes.fromhex(value["signature"]))
    if value["files"].keys() != files.keys() - {MANIFEST}:
        raise ProtocolError("audit.other-files", "the pack holds other files than its manifest lists",
                            got=", ".join(sorted(value["files"].keys() ^ (files.keys() - {MANIFEST})))[:200])
    for name, digest in value["files"].items():
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise ProtocolError("audit.file-changed", f"{name} was changed after the pack was made", got=name)
    return fingerprint(key)


def _consistent(files: Mapping[str, bytes], head: Checkpoint, newest: Checkpoint, policy: Policy) -> None:
    value = _read(files, "consistency.json")
    verify_consistency(head.size, newest.size, _hashes(value["to_newest"]), head.root, newest.root)
    if "seen.txt" in files:
        seen = policy.check(parse_note(files["seen.txt"]))
        verify_consistency(seen.size, newest.size, _hashes(value["from_seen"]), seen.root, newest.root)


def _leaves(files: Mapping[str, bytes], head: Checkpoint) -> list[Entry]:
    entries, last = [], -1
    for leaf in _read(files, "leaves.json"):
        position, entry = leaf["position"], leaf["entry"].encode()
        if type(position) is not int or position <= last:
            raise ProtocolError("audit.leaves-unsorted", "leaves are not in the order of the log", got=position)
        try:
            verify_inclusion(leaf_hash(entry), position, head.size, _hashes(leaf["proof"]), head.root)
            entries.append(parse_entry(entry))
        except SealaneError as error:
            raise _naming(error, f"leaf {position} does not fit: {error.message}") from None
        last = position
    return entries


def _statements(
    files: Mapping[str, bytes], study: Study, entries: list[Entry]
) -> tuple[dict[str, bytes], set[str]]:
    """Check what was signed; return the signing keys of those that agreed, by fingerprint, and the code they named."""
    seen: set[tuple[str, str]] = set()
    keys: dict[str, bytes] = {}
    codes: set[str] = set()
    for one in _read(files, "statements.json"):
        fields = _signed(one)
        signed = KINDS[one["kind"]](*fields)
        match signed:
            case SignedAgreement():
                agreement = verify_agreement(signed, study)
                keys[str(agreement.fingerprint)] = signed.public_key
                codes.add(agreement.terms.code)
            case SignedRefusal():
                verify_refusal(signed, study)
            case _:
                verify_counter(signed, study)
        seen.add((ACTS[signed.kind], statement_digest(*fields)))
    logged = {(e.kind, e.detail) for e in entries if e.subject == study.hash and e.kind in ACTS.values()}
    if seen != logged:
        raise ProtocolError("audit.statements-differ", "the statements are not those that the log holds",
                            got=f"{len(seen)} statements", expected=f"the {len(logged)} in the log")
    return keys, codes


def _cohort(
    files: Mapping[str, bytes], study: Study, run: str, entries: list[Entry], keys: Mapping[str, bytes]
) -> Attempt | None:
    """Check the cohort as a node does before it takes part; None where the run never came to one."""
    value = _read(files, "cohort.json")
    logged = _find(entries, "run.cohort", run, optional=True)
    members = [(m["fingerprint"], bytes.fromhex(m["agreement_key"]), bytes.fromhex(m["signature"]))
               for m in value["members"]]
    if value["run"] != run or bool(logged) != bool(members):
        raise ProtocolError("audit.cohort-differs", "the cohort is not that of the log's run", got=value["run"][:40])
    if logged and logged[-1].detail != cohort_detail(value["attempt"], study.hash, members):
        raise ProtocolError("audit.cohort-differs", "the cohort is not the one that the log holds",
                            got=f"{len(members)} members", expected=logged[-1].detail[:40])
    if not members:
        return None
    lacking = [p.name for p in study.participants if p.fingerprint not in keys]
    strangers = [f for f, _, _ in members if f not in keys]
    if lacking or strangers or len(members) < study.smallest_cohort:
        raise ProtocolError("audit.cohort-differs", "the cohort is not one that the study allows",
                            got=f"{len(members)} members, {len(strangers)} of them strangers; "
                                f"{len(lacking)} participants without an agreement",
                            expected=f"at least {study.smallest_cohort} of the study's institutions, all agreed")
    attempt = Attempt(run, study.hash, value["attempt"], study.scheme, tuple(
        Member(Fingerprint(f), keys[f], agreement_key, signature) for f, agreement_key, signature in members),
        study.colluding, study.smallest_cohort)
    attempt.verify_members()
    return attempt


def _endorsements(
    files: Mapping[str, bytes], study: Study, run: str, entries: list[Entry], attempt: Attempt | None
) -> int:
    listed = _read(files, "endorsements.json")
    logged = _find(entries, "run.endorsed", run, optional=True)
    if bool(listed) != bool(_find(entries, "run.completed", run, optional=True)):
        raise ProtocolError("audit.endorsements-differ", "a run was completed exactly where its result was endorsed",
                            got=f"{len(listed)} endorsements")
    signers, transcripts = set(), set()
    for one in listed:
        key, result = bytes.fromhex(one["public_key"]), bytes.fromhex(one["result_hash"])
        endorsement = Endorsement(run, one["attempt"], result, bytes.fromhex(one["transcript"]),
                                  bytes.fromhex(one["signature"]))
        verify_endorsement(endorsement, key, study.hash, result)
        if not logged or logged[-1].detail != endorsed_detail(one["attempt"], result):
            raise ProtocolError("audit.endorsements-differ", "the endorsed result is not the one that the log holds",
                                got=one["result_hash"][:16])
        signers.add(fingerprint(key))
        transcripts.add((one["attempt"], one["transcript"]))
    members = frozenset[Fingerprint]() if attempt is None else attempt.cohort
    if listed and (signers != members or len(transcripts) != 1
                   or {number for number, _ in transcripts} != {attempt.number if attempt else None}):
        raise ProtocolError("audit.endorsements-differ", "not every member of the cohort endorsed the same result",
                            got=f"{len(signers)} endorsements, {len(transcripts)} transcripts", expected=len(members))
    return len(signers)


def _software(files: Mapping[str, bytes], study: Study, agreed: set[str]) -> None:
    value = _read(files, "software.json")
    if value["computation"] != study.computation:
        raise ProtocolError("audit.software-differs", "the computation is not the study's", got=value["computation"])
    if value["agreed_code_sha256"] != sorted(agreed):
        raise ProtocolError("audit.software-differs", "the code is not the one that the agreements name",
                            got=str(value["agreed_code_sha256"])[:80], expected=", ".join(sorted(agreed))[:80])


def _signed(one: Mapping[str, str]) -> tuple[bytes, bytes, bytes]:
    return one["body"].encode(), bytes.fromhex(one["public_key"]), bytes.fromhex(one["signature"])


def _policy(files: Mapping[str, bytes], policy: Policy) -> None:
    if files["policy.json"] != policy.to_bytes():
        raise ProtocolError("audit.policy-differs", "the pack names other keys than the policy that it is held against",
                            hint="trust the policy that you got out of band, and ask who exported this pack")


def _page(files: Mapping[str, bytes]) -> None:
    if files[PAGE] != render_pack(files).encode():
        raise ProtocolError("audit.page-differs", "the page does not say what the other files say",
                            hint="it may have been made by another version: read the JSON files")


def _fresh(fresh: bytes, newest: Checkpoint, policy: Policy, files: Mapping[str, bytes]) -> None:
    held = _named("the fresh checkpoint", lambda: policy.check(parse_note(fresh)))
    if held.size > newest.size:
        raise ProtocolError("audit.truncated", "newest.txt: the pack's log is shorter than the fresh checkpoint",
                            got=newest.size, expected=f"at least {held.size}",
                            hint="export the pack again; if it stays so, the log was cut")
    if held.size == newest.size:
        if held.root != newest.root:
            raise ProtocolError("audit.not-consistent", "newest.txt: the log of that size has another root",
                                got=held.size, hint="keep both checkpoints: they show that the log was forked")
    elif files.get("seen.txt", b"") != fresh:
        raise InputError("audit.no-consistency", "the pack has no proof from the checkpoint that you hold",
                         got=f"size {held.size}", expected=f"size {newest.size}",
                         hint="export it with `sealane audit export RUN --seen FILE`")


def _find(
    entries: list[Entry], kind: str, subject: str | None, detail: str | None = None, *, optional: bool = False
) -> list[Entry]:
    found = [e for e in entries if e.kind == kind and subject in (None, e.subject) and detail in (None, e.detail)]
    if not found and not optional:
        raise ProtocolError("audit.leaf-missing", "the log's leaves lack an act that must be there", got=kind)
    return found


def _read(files: Mapping[str, bytes], name: str) -> Any:
    return parse_canonical(files[name].removesuffix(b"\n"), limit=MAXIMUM_FILE)


def _hashes(values: list[str]) -> list[bytes]:
    return [unbase64(one) for one in values]
