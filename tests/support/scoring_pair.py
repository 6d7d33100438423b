"""An owner and an asker of private scores: two registers on disk, two desks, and what passed between them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from sealane.core.clock import ManualClock, to_text
from sealane.core.secret import Secret
from sealane.crypto.signing import SigningKey
from sealane.governance.score_model import ScoreModel, read_model
from sealane.governance.scoring_grant import Acceptance, sign
from sealane.node.register import Register
from sealane.node.scoring.asker import Scores, ask
from sealane.node.scoring.book import GrantEntry
from sealane.node.scoring.desk import Desk
from sealane.node.scoring.owner import make_grant
from sealane.rpc.notices import Parcel

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OWNER = SigningKey(Secret(b"owner".ljust(32, b".")))
ASKER = SigningKey(Secret(b"asker".ljust(32, b".")))
SALT = b"s" * 32


class Pair:
    """Both sides in one process; every parcel that one posts reaches the other at once, unless ``change`` drops it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = ManualClock(NOW)
        self.sent: list[Parcel] = []
        self.change: Callable[[Parcel], Parcel | None] = lambda parcel: parcel
        self.owner = self.desk("owner", OWNER)
        self.asker = self.desk("asker", ASKER)

    def desk(self, name: str, key: SigningKey) -> Desk:
        """Open a side from what it has on disk, as after a start."""
        register = Register(self.directory / f"{name}.sqlite", key.fingerprint, self.clock)
        for peer, other in (("owner", OWNER), ("asker", ASKER)):
            if peer != name:
                register.trust(peer, other.fingerprint)
        return Desk(register, key, self.clock, self._carry)

    def _carry(self, parcel: Parcel) -> None:
        self.sent.append(parcel)
        changed = self.change(parcel)
        if changed is not None:
            (self.owner if changed.recipient == OWNER.fingerprint else self.asker).receive(changed)

    def grant(self, model: dict[str, Any] | ScoreModel, name: str = "risk", **wanted: Any) -> GrantEntry:
        """Have a model granted and accepted; return the asker's entry."""
        import json

        read = model if isinstance(model, ScoreModel) else read_model(json.dumps(model).encode())
        self.owner.register.scoring.add_model(name, read, SALT)
        fields = {"rows": None, "days": 30, "total": None, "for_days": 90, "may_reveal": False} | wanted
        self.owner.tell(make_grant(self.owner.register, OWNER, "owner", self.clock(), model=name, asker="asker",
                                   **fields))
        entry = self.asker.register.scoring.grants()[-1]
        accepted = Acceptance(grant=entry.hash, asker=ASKER.fingerprint, accepted_at=to_text(self.clock()))
        self.asker.register.scoring.accept(entry.hash, sign(ASKER, accepted))
        return self.asker.register.scoring.grant(entry.hash)

    def ask(self, entry: GrantEntry, rows: pd.DataFrame, wait_s: float = 0.2) -> Scores:
        """Have rows scored."""
        return ask(self.asker.register, ASKER, entry, rows, self.clock(),
                   lambda parcel: self.asker.exchange(parcel, wait_s))

    def charged(self, entry: GrantEntry) -> int:
        """Rows counted at the owner for the grant's model."""
        book = self.owner.register.scoring
        return book.charged(book.grant(entry.hash).grant, "")[1]

    def last(self, kind: str) -> Parcel:
        """The newest parcel of a kind."""
        return [parcel for parcel in self.sent if parcel.kind == kind][-1]

    def close(self) -> None:
        """Close both registers."""
        for desk in (self.owner, self.asker):
            desk.close()
            desk.register.close()
