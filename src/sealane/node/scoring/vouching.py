"""What an owner waits for around every answer: that its peers vouch that it remembers each row that it counted.

It is what runs wait for (``node/fresh.py``), among the nodes that this one verified: since its start enough of them
answered which head of its acts they hold, and enough hold its newest. Before a row is counted this finds out an owner
that was put back from an old copy; after it, and before the answer leaves, it has peers know what no copy may forget.
One of the peers may lie, such as the asker, where there are two or more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sealane.audit.fresh import answers_needed, holders_needed
from sealane.errors import UnavailableError
from sealane.node.fresh import Fresh, vouched
from sealane.rpc.notices import ActsHead, FreshQuestion

PATIENCE_S = 10.0
"""How long one request holds up the desk."""


@dataclass(frozen=True, slots=True)
class Vouching:
    """One start of an owner.

    Attributes:
        fresh: what its peers hold of it.
        tell: sends its head, or its question, to its peers; without a stream it is dropped.
        patience_s: how long to wait.
    """

    fresh: Fresh
    tell: Callable[[ActsHead | FreshQuestion], None]
    patience_s: float = PATIENCE_S

    def wait(self) -> None:
        """Wait until peers vouch for all acts so far; no event loop may run in this thread.

        Raises:
            RefusedError: ``node.rolled-back``, a peer holds a head that this node signed and does not remember.
            UnavailableError: ``score.not-vouched``, too few peers vouch for it.
        """
        others = self.fresh.kept.verified_nodes(self.fresh.key.fingerprint)
        colluding = max(0, min(1, len(others) - 1))
        head = self.fresh.head()
        if not self.fresh.held(others, colluding, head.count):
            self.tell(head)
        if not self.fresh.answered(others, colluding):
            self.tell(self.fresh.question())
        try:
            asyncio.run(vouched(self.fresh, others, colluding, head.count, self.patience_s))
        except UnavailableError as error:
            size = len(others) + 1
            raise UnavailableError(
                "score.not-vouched", "too few nodes vouch that the owner remembers every row that it counted",
                got=f"{len(others)} other nodes that the owner verified",
                expected=f"{answers_needed(size, colluding)} that answered since its start, and "
                         f"{holders_needed(size, colluding)} that hold its acts",
                hint="the nodes that the owner verified must serve and have verified it; it forgets those that are "
                     "gone with `sealane node trust NAME --forget`; then ask again") from error
