"""What crosses the wire: TLS, identity, enrolment, and errors as gRPC status."""

from __future__ import annotations

from sealane._tls_floor import prepare_grpc

prepare_grpc()  # before any module of this package imports grpc
