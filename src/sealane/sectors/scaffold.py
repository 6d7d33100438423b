"""Writing a new sector pack: a small package that installs, shows up, and passes its own tests at once."""

from __future__ import annotations

import json
import re
import shutil
from importlib.resources import files
from pathlib import Path

from sealane.errors import InputError, RefusedError
from sealane.sectors.names import check_sector, distribution, module
from sealane.sectors.registry import packs

LONGEST_TITLE = 200
MARK = re.compile(r"@([a-z-]+)@")
TEMPLATE = {
    "pyproject.toml": "pyproject.toml.in",
    "README.md": "README.md.in",
    "study.toml": "study.toml.in",
    "src/{module}/__init__.py": "init.py.in",
    "src/{module}/made_up.py": "made_up.py.in",
    "src/{module}/sector.toml": "sector.toml.in",
    "src/{module}/grading.toml": "grading.toml.in",
    "src/{module}/deidentification.toml": "deidentification.toml.in",
    "src/{module}/contracts/record-v1.toml": "record-v1.toml.in",
    "tests/test_pack.py": "test_pack.py.in",
}
"""Files of a new pack, and the templates that they are made of."""


def write_pack(name: str, folder: Path | None = None, title: str | None = None) -> tuple[Path, list[str]]:
    """Write a new pack into a folder that does not exist yet.

    Args:
        name: of the sector.
        folder: to make; by default one called as the distribution is, in the working directory.
        title: of the sector, for people; by default its name.

    Returns:
        the folder, and the files in it.

    Raises:
        InputError: a sector cannot be called so, one of that name is installed, or the title is no line of text.
        RefusedError: there is something at that path.
    """
    texts = pack_files(name, title)
    if name in packs():
        raise InputError("sector.name-taken", "a sector pack of that name is installed", got=name,
                         expected=f"none of {', '.join(sorted(packs()))}", hint="`sealane sector list`")
    target = folder or Path(distribution(name))
    try:
        target.mkdir(parents=True)
    except FileExistsError:
        raise RefusedError("sector.folder-exists", "there is something at that path, and nothing is overwritten",
                           got=str(target), expected="a path where nothing is",
                           hint="name another with --out") from None
    try:
        for path, text in texts.items():
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_text(text, encoding="utf-8")
    except OSError:
        shutil.rmtree(target, ignore_errors=True)  # half a pack is none, and the folder is ours
        raise
    return target, sorted(texts)


def pack_files(name: str, title: str | None = None) -> dict[str, str]:
    """Return the text of every file of a new pack, by its path in the folder.

    Raises:
        InputError: a sector cannot be called so, or the title is no line of text.
    """
    check_sector(name)
    shown = title if title is not None else name.replace("-", " ").capitalize()
    if not 1 <= len(shown) <= LONGEST_TITLE or not shown.isprintable() or shown != shown.strip():
        raise InputError("sector.malformed-title", "the title is no line of text", got=repr(shown[:80]),
                         expected=f"1 to {LONGEST_TITLE} printable characters, no spaces around them",
                         hint="such as 'Wind and solar power'")
    words = {"name": name, "module": module(name), "distribution": distribution(name), "title": shown,
             "quoted-title": json.dumps(shown, ensure_ascii=False)}
    folder = files("sealane.sectors").joinpath("template")

    def filled(template: str) -> str:
        # In one pass, so that a title that looks like a mark stays a title.
        return MARK.sub(lambda mark: words[mark[1]], folder.joinpath(template).read_text(encoding="utf-8"))

    return {path.format(module=module(name)): filled(template) for path, template in TEMPLATE.items()}
