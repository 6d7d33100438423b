"""The door through which randomness comes in: the operating system, and nothing else."""

from __future__ import annotations

import os

from sealane.core.secret import Secret


def random_bytes(count: int) -> bytes:
    """Return ``count`` bytes from the operating system's generator."""
    return os.urandom(count)


def random_secret(count: int = 32) -> Secret:
    """Return ``count`` fresh secret bytes (a seed, a key)."""
    return Secret(os.urandom(count))
