"""``sealane demo finance``: three kinds of credit model on real loans, and a watch on made-up card payments."""

from __future__ import annotations
