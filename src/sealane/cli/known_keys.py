"""Which keys of nodes are known in a home, whoever it belongs to."""

from __future__ import annotations

from pathlib import Path


def known_keys(home: Path, role: str) -> dict[str, tuple[str, bool]]:
    """Return fingerprint, and whether it was compared out of band, by name of a node.

    A node knows its own key and those of peers it verified; an analyst or auditor what is in its own memory.
    """
    from sealane.client.known import Known

    if role != "node":
        return {name: (str(peer["fingerprint"]), bool(peer["verified"])) for name, peer in Known(home).peers().items()}
    from sealane.node.control import call

    status = call(home, "status")
    verified = {peer["name"]: peer["verified"] for peer in call(home, "peers") if peer["verified"]}
    return {status["name"]: (status["fingerprint"], True)} | {n: (f, True) for n, f in verified.items()}
