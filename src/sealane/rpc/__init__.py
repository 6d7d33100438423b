"""What crosses the wire: TLS, identity, enrolment, and errors as gRPC status."""

from __future__ import annotations

from sealane._tls_floor import require_tls13

require_tls13()  # before any connection is made
