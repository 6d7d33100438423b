"""grpcio is held to TLS 1.3 before it is imported, or nothing starts. Each case needs an interpreter of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"
CATCH = """
{first}
from sealane.errors import SealaneError
try:
    {body}
except SealaneError as error:
    print(error.code)
"""


def run(body: str, first: str = "", **environment: str) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GRPC_")}
    done = subprocess.run([sys.executable, "-c", CATCH.format(first=first, body=body)],
                          env={**kept, **environment, "PYTHONPATH": str(SRC)},
                          capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("first", [
    "sealane", "sealane.rpc.tls", "sealane.api.enrolment.v1.enrolment_pb2_grpc", "sealane.coordinator.enrolment",
    "sealane.coordinator.authentication",
])
def test_whatever_is_imported_first_sets_the_list_before_grpc(first: str) -> None:
    body = f"import os, {first}, grpc; print(os.environ['GRPC_SSL_CIPHER_SUITES'])"
    assert run(body) == "ECDHE-RSA-AES256-GCM-SHA384"


@pytest.mark.parametrize("package", ["sealane.rpc", "sealane.api.enrolment.v1.enrolment_pb2_grpc"])
def test_grpc_imported_too_early_is_refused(package: str) -> None:
    assert run(f"import {package}", "import grpc") == "tls.grpc-imported-first"


def test_what_needs_no_network_loads_anyway() -> None:
    assert run("import sealane.governance.study; print('fine')", "import grpc") == "fine"


def test_grpc_imported_early_under_our_list_is_fine() -> None:
    ours = {"GRPC_SSL_CIPHER_SUITES": "ECDHE-RSA-AES256-GCM-SHA384"}
    assert run("import sealane.rpc; print('fine')", "import grpc", **ours) == "fine"


def test_another_list_in_the_environment_is_refused() -> None:
    assert run("import sealane.rpc", GRPC_SSL_CIPHER_SUITES="HIGH") == "tls.other-suites"
