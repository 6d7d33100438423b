"""``secure_sum_mod``: the Flower mod that lets nothing but a sum leave a node's training."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealane.computations.flower_app.library import load
from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.errors import InputError, RefusedError, SealaneError
from sealane.flower.secure.node_half import Guard, NodeHalf
from sealane.flower.secure.terms import RECORD, SCHEMES

MOD_FAILED = 6
"""Code of a Flower ``Error``: a mod's precondition failed."""
Next = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class SecureSumMod:
    """A Flower mod for a node's ClientApp; :class:`~sealane.flower.secure.grid.SecureSum` is its other half.

    It answers ``train`` messages only as steps of a secure sum: the model that the app returns leaves the node
    encrypted, the app's other metrics do not leave it. ``evaluate`` and ``query`` pass as they are.

    What a node insists on is set here, or by its operator in the node's configuration, which outweighs it:
    ``sealane-trusted`` (fingerprints, separated by commas), ``sealane-key`` (a file with 32 bytes, the seed of its
    signing key), ``sealane-terms`` and ``sealane-smallest``. **Without ``trusted``, whoever runs the server half can
    invent the other nodes, and so learn this one's model; without ``terms``, whoever starts several runs can weigh the
    nodes differently in each, and learn it from the differences.**

    Attributes:
        trusted: fingerprints of the nodes that are summed, of all of them, this one's among them; None takes anybody.
        smallest: fewest nodes whose sum it helps to open, at least 3.
        schemes: that it takes part in.
        terms: ``SecureSum(…).terms.hash()`` of the sums that it helps with; None takes those of a run's first round.
    """

    trusted: Collection[str] | None = None
    smallest: int = 3
    schemes: Collection[str] = SCHEMES
    terms: str | None = None

    def __call__(self, message: Any, context: Any, call_next: Next) -> Any:
        """Answer a message, or pass it on."""
        flower = load()
        if message.metadata.message_type.split(".")[0] != "train":
            return call_next(message, context)
        try:
            if RECORD not in message.content:
                raise RefusedError("flower.not-secure", "this node trains for secure sums only",
                                   hint="the server half wraps its grid: SecureSum(grid, …)")
            content = flower.app.RecordDict({name: record for name, record in message.content.items()
                                             if name != RECORD})
            step = dict(message.content[RECORD])
            message.content = content
            key, guard = self._insisted(context.node_config)
            return NodeHalf(flower, context, key, guard).take(step, message, lambda rest: call_next(rest, context))
        except SealaneError as error:
            reason = f"{error.code}: {error.message}" + (f" ({error.got})" if error.got else "")
            return flower.app.Message(flower.app.Error(MOD_FAILED, reason[:500]), reply_to=message)

    def _insisted(self, config: Any) -> tuple[SigningKey | None, Guard]:
        named = config.get("sealane-trusted")
        trusted = self.trusted if named is None else [one.strip() for one in str(named).split(",") if one.strip()]
        smallest = int(config.get("sealane-smallest", self.smallest))
        if smallest < 3:
            raise InputError("flower.bad-terms", "a secure sum cannot have this smallest", got=smallest,
                             expected="at least 3", hint="of two nodes, each learns the other's model")
        path, terms = config.get("sealane-key"), config.get("sealane-terms", self.terms)
        guard = Guard(None if trusted is None else frozenset(map(Fingerprint, trusted)), smallest, self.schemes,
                      None if terms is None else str(terms).strip())
        return None if path is None else _read_key(Path(str(path))), guard


def _read_key(path: Path) -> SigningKey:
    try:
        seed = path.read_bytes()
    except OSError as error:
        raise InputError("flower.no-key", "the node's key cannot be read", got=type(error).__name__,
                         expected="the file that sealane-key names") from None
    if len(seed) != 32:
        raise InputError("flower.no-key", "the node's key is no seed", got=f"{len(seed)} bytes", expected="32 bytes")
    return SigningKey(Secret(seed))


secure_sum_mod = SecureSumMod()
