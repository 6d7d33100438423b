from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import grpc.aio
import pytest

from sealane.errors import RefusedError
from sealane.rpc.peer import authenticated_peer, source_address


class Context:
    """The two methods of a servicer's context that are asked."""

    def __init__(self, peer: str = "", auth: Mapping[str, list[bytes]] | None = None) -> None:
        self._peer, self._auth = peer, auth or {}

    def peer(self) -> str:
        return self._peer

    def auth_context(self) -> Mapping[str, list[bytes]]:
        return self._auth


def context(**fields: Any) -> grpc.aio.ServicerContext[Any, Any]:
    return cast("grpc.aio.ServicerContext[Any, Any]", Context(**fields))


@pytest.mark.parametrize(("peer", "source"), [
    ("ipv4:192.0.2.7:51234", "192.0.2.7"),
    ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:51234", "2001:db8:1:2::/64"),
    ("ipv6:[2001:db8:1:2::9]:51234", "2001:db8:1:2::/64"),
    ("ipv6:[::ffff:192.0.2.7]:51234", "::ffff:192.0.2.7"),
    ("ipv6:[fe80::1%25eth0]:51234", "fe80::/64"),
    ("unix:", "unix"),
    ("ipv6:[junk]:1", "junk"),
])
def test_failures_are_counted_by_network_not_by_port(peer: str, source: str) -> None:
    assert source_address(context(peer=peer)) == source


@pytest.mark.parametrize("auth", [{}, {"x509_pem_cert": []}, {"x509_pem_cert": [b"a", b"b"]}])
def test_a_caller_without_one_certificate_is_refused(auth: dict[str, list[bytes]]) -> None:
    with pytest.raises(RefusedError) as caught:
        authenticated_peer(context(auth=auth))
    assert caught.value.code == "auth.no-certificate"
