"""An owner that is killed outright: before its write nothing was counted, after it the answer is on disk."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from loans import loans
from score_models import CARD
from scoring_pair import OWNER, Pair

from sealane.errors import UnavailableError
from sealane.rpc.notices import Parcel

pytest.importorskip("tenseal")
CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.append({support!r})
from scoring_pair import OWNER, Pair
from sealane.node.scoring.book import ScoringBook
from sealane.rpc.notices import Parcel

pair = Pair(Path({directory!r}))
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if {moment!r} == "before":
    ScoringBook.charge = kill
pair.owner.post = kill  # as an answer is about to leave
body = Path({body!r}).read_bytes()
subject, key, signature = body[:32], body[32:64], body[64:128]
pair.owner.receive(Parcel(OWNER.fingerprint, "request", subject, body[128:], key, signature))
"""


@pytest.mark.parametrize(("moment", "counted"), [("before", 0), ("after", 3)])
def test_a_killed_owner(tmp_path: Path, moment: str, counted: int) -> None:
    pair = Pair(tmp_path)
    entry = pair.grant(CARD, total=4, may_reveal=True)
    pair.change = lambda parcel: None if parcel.kind == "request" else parcel
    with pytest.raises(UnavailableError):
        pair.ask(entry, loans(3, 3))
    request: Parcel = pair.last("request")
    pair.close()
    body = tmp_path / "request"
    body.write_bytes(request.subject + request.public_key + request.signature + request.body)
    support = str(Path(__file__).parents[3] / "support")
    done = subprocess.run([sys.executable, "-c", CHILD.format(
        support=support, directory=str(tmp_path), moment=moment, body=str(body))], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    pair = Pair(tmp_path)
    assert pair.charged(entry) == counted
    for _ in range(2):
        pair.owner.receive(request)
    answers = {parcel.body for parcel in pair.sent if parcel.kind == "answer"}
    assert len(answers) == 1
    assert pair.charged(entry) == 3
    assert OWNER.fingerprint == request.recipient
    pair.close()
