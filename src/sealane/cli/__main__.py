"""``python -m sealane.cli`` is ``sealane``."""

from __future__ import annotations

from sealane.cli.main import main

if __name__ == "__main__":
    main()
