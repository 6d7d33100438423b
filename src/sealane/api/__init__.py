"""Generated from protos/ by `make protos`; only this file and the empty packages below are written by hand."""

from sealane._tls_floor import prepare_grpc

prepare_grpc()  # generated modules import grpc
