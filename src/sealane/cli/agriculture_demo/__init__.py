"""``sealane demo agriculture``: soil of five farms, rice in six villages, and made-up market quotes."""

from __future__ import annotations
