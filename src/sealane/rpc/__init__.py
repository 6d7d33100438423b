"""What crosses the wire: TLS, identity, enrolment, and errors as gRPC status."""

from __future__ import annotations

from sealane._tls_floor import hold_to_tls13

hold_to_tls13()  # before any module of this package imports grpc
