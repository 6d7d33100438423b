"""What grpcio reads from the environment when it is imported: hold it to TLS 1.3, and keep it from writing to stderr.

grpcio has no option for the lowest version. Its cipher list speaks about TLS 1.2 only (the suites of 1.3 are fixed),
so a list that holds just one suite for RSA certificates leaves 1.2 nothing to agree on with our P-256 certificates,
and only 1.3 is left. grpcio reads the list once; a later change is ignored without a word, therefore the first import
of this package sets it, and the packages that need the network refuse to load where that came too late.
"""

from __future__ import annotations

import os
import sys

from sealane.errors import RefusedError

VARIABLE = "GRPC_SSL_CIPHER_SUITES"
SUITES = "ECDHE-RSA-AES256-GCM-SHA384"
VERBOSITY = "GRPC_VERBOSITY"


def prepare_grpc() -> None:
    """Set what grpcio will read, unless it was imported already; ``import sealane`` does so first of all."""
    if "grpc" in sys.modules:
        return
    os.environ.setdefault(VARIABLE, SUITES)
    # Its C core writes lines of its own shape to stderr, which is for our JSON; what they say reaches us as errors.
    os.environ.setdefault(VERBOSITY, "NONE")


def require_tls13() -> None:
    """Check that grpcio is held to TLS 1.3; the packages that import it do so before they use it.

    Raises:
        RefusedError: grpc was imported before sealane, or the environment asks for another list.
    """
    present = os.environ.get(VARIABLE)
    if present is None:
        raise RefusedError("tls.grpc-imported-first", "grpc was imported before it could be held to TLS 1.3",
                           hint="import sealane before anything that imports grpc, or start with "
                                f"{VARIABLE}={SUITES} in the environment")
    if present != SUITES:
        raise RefusedError("tls.other-suites", f"the environment sets {VARIABLE} to another list, which would allow "
                           "TLS 1.2", got=present[:200], expected=SUITES, hint=f"unset {VARIABLE}")
