"""Who may call the main port, and who is let in at the enrolment port."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from raw_stream import Raw, Town, refused

from sealane._version import __version__
from sealane.api.stream.v1 import stream_pb2 as pb
from sealane.coordinator.authority import Authority
from sealane.core.clock import system_clock
from sealane.core.secret import Secret
from sealane.errors import RefusedError, SealaneError, UnavailableError
from sealane.rpc.certificates import certificate_request, new_tls_key, requested_key
from sealane.rpc.enrolment import enrol
from sealane.rpc.tls import TlsFiles

pytestmark = pytest.mark.integration
HELLO = pb.ConnectRequest(hello=pb.Hello(version=__version__))


def issued(town: Town, authority: Authority, *, begun: timedelta = timedelta(0)) -> TlsFiles:
    """A certificate for ``north`` by an authority; the client trusts the true one in any case."""
    key = new_tls_key()
    leaf = authority.issue_party(requested_key(certificate_request(key, "north")), name="north", role="node",
                                 now=system_clock() - begun, life=timedelta(days=1))
    return TlsFiles(town.home.authority.pem, leaf.public_bytes(Encoding.PEM), key)


async def attempt(town: Town, tls: TlsFiles) -> SealaneError:
    async with Raw(town.identity("north"), tls) as raw:
        await raw.write(HELLO)
        return await raw.end()


async def test_a_certificate_of_another_authority(town: Town) -> None:
    error = await attempt(town, issued(town, Authority.make(system_clock())))
    assert (type(error), error.code) == (UnavailableError, "rpc.closed")
    assert "certificate" in str(error.hint)


async def test_a_certificate_that_has_lapsed(town: Town) -> None:
    error = await attempt(town, issued(town, town.home.authority, begun=timedelta(days=3)))
    assert (type(error), error.code) == (UnavailableError, "rpc.closed")
    assert "lapsed" in str(error.hint)


async def test_a_certificate_of_this_authority_that_belongs_to_no_enrolment(town: Town) -> None:
    """The authority's key alone lets nobody pass as a node that was enrolled."""
    error = await attempt(town, issued(town, town.home.authority))
    assert (type(error), error.code) == (RefusedError, "auth.not-registered")


async def test_a_wrong_token(town: Town, tmp_path: Path) -> None:
    invitation = replace(town.home.invite("east"), token=Secret(bytes(32)))
    with pytest.raises(RefusedError) as caught:
        await enrol(invitation.to_text(), tmp_path / "east")
    assert caught.value.code.startswith("auth.token")
    assert not (tmp_path / "east" / "identity").exists()
    assert "east" not in {party.name for party in town.home.registry.all()}


async def test_an_invitation_used_a_second_time(town: Town, tmp_path: Path) -> None:
    invitation = town.home.invite("east")
    first = await enrol(invitation.to_text(), tmp_path / "first")
    with pytest.raises(RefusedError) as caught:
        await enrol(invitation.to_text(), tmp_path / "second")
    assert caught.value.code == "auth.token-used"
    assert town.node("east").fingerprint == first.fingerprint
    assert (await refused(first, HELLO, HELLO, hello=False)).code == "stream.second-hello"  # the first one is let in
