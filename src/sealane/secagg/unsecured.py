"""The scheme ``none``: nothing is summed. A study under it passes letters, which a computation's own half reads."""

from __future__ import annotations

from collections.abc import Mapping

from sealane.core.ids import Fingerprint
from sealane.core.secret import Secret
from sealane.errors import ProtocolError
from sealane.secagg.attempt import Attempt
from sealane.secagg.layout import Vector
from sealane.secagg.scheme import Form, Pairs, Sum, Total

NAME = "none"


class Unsecured:
    """Satisfies :class:`sealane.secagg.scheme.Scheme`, and refuses every sum."""

    name = NAME
    whole_cohort = True
    runs_on = "nothing: no sum is secured"

    def openers(self, attempt: Attempt) -> tuple[Fingerprint, ...]:
        """Return nobody."""
        return ()

    def replies(self, attempt: Attempt) -> int:
        """Return the size of the cohort."""
        return attempt.size

    def word_bits(self, sum_: Sum) -> int:
        """Refuse."""
        raise no_sums()

    def protect(self, sum_: Sum, pairs: Pairs, vector: Vector, seed: Secret, *, common: bool = False) -> bytes:
        """Refuse."""
        raise no_sums()

    def key_shares(self, sum_: Sum, seed: Secret) -> Mapping[Fingerprint, bytes]:
        """Refuse."""
        raise no_sums()

    def total(self, attempt: Attempt, form: Form) -> Total:
        """Refuse."""
        raise no_sums()

    def share(self, sum_: Sum, seed: Secret, held: Mapping[Fingerprint, bytes]) -> bytes:
        """Refuse."""
        raise no_sums()

    def open(
        self, sum_: Sum, total: Total, survivors: frozenset[Fingerprint], shares: Mapping[Fingerprint, bytes]
    ) -> tuple[Vector, list[bytes]]:
        """Refuse."""
        raise no_sums()


def no_sums() -> ProtocolError:
    """Return the error for a sum under a study that secures none."""
    return ProtocolError("scheme.no-sums", "a study with the scheme none opens no sums", expected="letters",
                         hint="computations that sum need masking or rlwe")
