"""Generated from protos/ by `make protos`; only this file and the empty packages below are written by hand."""

from sealane._tls_floor import require_tls13

require_tls13()  # generated modules import grpc
