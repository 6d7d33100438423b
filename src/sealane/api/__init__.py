"""Generated from protos/ by `make protos`; only this file and the empty packages below are written by hand."""

from sealane._tls_floor import hold_to_tls13

hold_to_tls13()  # generated modules import grpc
