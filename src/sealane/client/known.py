"""What an analyst knows without the coordinator: fingerprints of institutions, and the studies it proposed.

A coordinator that names other keys for the institutions could have a result endorsed by nodes of its own making. So
the first fingerprint seen under a name is kept and must not change, ``sealane analyst trust`` says that it was
compared out of band, and a result is opened only for a study that this analyst proposed, or whose participants were
all compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.ids import check_fingerprint, check_name
from sealane.errors import InputError, RefusedError
from sealane.governance.study import Participant, Study
from sealane.rpc.keyfiles import write_private

FILE = "known.json"
MAXIMUM_BYTES = 4 << 20


class Known:
    """An analyst's own memory, in a file of its home."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE

    def peers(self) -> dict[str, dict[str, Any]]:
        """Return fingerprint and whether it was verified, by name."""
        peers: dict[str, dict[str, Any]] = self._read()["peers"]
        return peers

    def trust(self, name: str, fingerprint: str) -> None:
        """Remember a fingerprint as compared out of band.

        Raises:
            InputError: name or fingerprint is malformed.
        """
        content = self._read()
        content["peers"][check_name(name)] = {"fingerprint": check_fingerprint(fingerprint), "verified": True}
        self._write(content)

    def pin(self, participants: Iterable[Participant]) -> list[str]:
        """Keep the fingerprints of institutions seen for the first time; return the names not yet verified.

        Raises:
            RefusedError: one differs from what is kept.
        """
        content = self._read()
        unverified = []
        for party in participants:
            known = content["peers"].setdefault(party.name, {"fingerprint": party.fingerprint, "verified": False})
            if known["fingerprint"] != party.fingerprint:
                raise RefusedError("study.fingerprint-differs", f"the coordinator names another key for {party.name}",
                                   got=party.fingerprint, expected=known["fingerprint"],
                                   hint=f"ask {party.name} itself; if its key is new: `sealane analyst trust`")
            if not known["verified"]:
                unverified.append(party.name)
        self._write(content)
        return unverified

    def remember(self, study: Study) -> None:
        """Keep the hash of a study that this analyst proposed."""
        content = self._read()
        if study.hash not in content["studies"]:
            content["studies"].append(study.hash)
            self._write(content)

    def proposed(self, study_hash: str) -> bool:
        """Tell whether this analyst proposed the study of that hash."""
        return study_hash in self._read()["studies"]

    def check(self, study: Study) -> None:
        """Check that a study is one whose result may be believed.

        Raises:
            RefusedError: this analyst did not propose it and has not compared all its participants' fingerprints.
        """
        content = self._read()
        if study.hash in content["studies"]:
            return
        verified = {name: peer["fingerprint"] for name, peer in content["peers"].items() if peer["verified"]}
        strangers = [p.name for p in study.participants if verified.get(p.name) != p.fingerprint]
        if strangers:
            raise RefusedError("result.unverified-study", "the result is of a study that was not proposed from here",
                               got=f"unverified: {', '.join(strangers)}", expected="every participant verified",
                               hint=f"compare by telephone, then `sealane analyst trust {strangers[0]} FINGERPRINT`")

    def _read(self) -> dict[str, Any]:
        if not self._path.exists():
            return {"peers": {}, "studies": []}
        content = parse_canonical(self._path.read_bytes(), limit=MAXIMUM_BYTES)
        if not isinstance(content, dict) or set(content) != {"peers", "studies"}:
            raise InputError("known.malformed", f"{self._path} is malformed", hint="restore it, or take it away")
        return content

    def _write(self, content: dict[str, Any]) -> None:
        write_private(self._path, canonical_bytes(content))
