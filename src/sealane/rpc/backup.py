"""An encrypted copy of a home directory: identity, settings and register, in one file under a passphrase.

Only what is named goes in. Per-run keys (``runs.sqlite``) never do: a restored copy of them could answer a round twice.

Format: a magic line, salt (16 bytes), nonce (12), then AES-256-GCM over the archive with all of that as associated
data. The archive is the length of a canonical JSON index (8 bytes), the index, and the files' bytes in its order.

Source: RFC 7914 (scrypt; N = 2^17, r = 8, p = 1 as OWASP's Password Storage Cheat Sheet advises), NIST SP 800-38D.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from sealane.core.canonical import canonical_bytes, parse_canonical
from sealane.core.entropy import random_bytes
from sealane.core.secret import Secret
from sealane.errors import InputError, ProtocolError, RefusedError
from sealane.rpc.keyfiles import make_private_directory, read_private, write_private

MAGIC = b"sealane-backup v1\n"
MAX_BYTES = 1 << 30
MAX_FILES = 4096
SHORTEST_PASSPHRASE = 12
INCLUDED = ("identity", "settings.toml", "defaults.toml")
NEVER = "runs.sqlite"
_SALT_BYTES, _NONCE_BYTES = 16, 12
_N, _R, _P = 1 << 17, 8, 1

Snapshot = Callable[[Path], bytes]
"""Returns a consistent copy of a live database, by SQLite's own backup interface."""


def backup(home: Path, passphrase: Secret, out: Path, *, include: Sequence[str] = INCLUDED,
           snapshots: Mapping[str, Snapshot] | None = None) -> int:
    """Write an encrypted copy of parts of a home directory and return its size in bytes.

    Args:
        home: what to copy from.
        passphrase: at least 12 bytes.
        out: a file that does not exist yet.
        include: files and directories, relative to ``home``; missing ones are left out.
        snapshots: databases by file name, each with the function that copies it while it is in use.

    Raises:
        InputError: a short passphrase, nothing to copy, or too much.
        RefusedError: ``out`` exists, or a part is one that must never be copied.
    """
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise InputError("backup.short-passphrase", "passphrase is too short", got=f"{len(passphrase)} bytes",
                         expected=f"at least {SHORTEST_PASSPHRASE}")
    if out.exists():
        raise RefusedError("backup.exists", f"{out} exists already", hint="name another file")
    contents = {name: data for part in include for name, data in _files(home, part)}
    for name, snapshot in (snapshots or {}).items():
        if (home / _allowed(name)).exists():
            contents[name] = snapshot(home / name)
    if not contents or sum(map(len, contents.values())) > MAX_BYTES or len(contents) > MAX_FILES:
        raise InputError("backup.size", "there is nothing to copy, or too much", got=f"{len(contents)} files",
                         expected=f"1 to {MAX_FILES} files, at most {MAX_BYTES} bytes")
    head = MAGIC + random_bytes(_SALT_BYTES) + random_bytes(_NONCE_BYTES)
    sealed = head + AESGCM(_key(passphrase, head)).encrypt(head[-_NONCE_BYTES:], _pack(contents), head)
    write_private(out, sealed)
    return len(sealed)


def restore(source: Path, passphrase: Secret, home: Path) -> list[str]:
    """Write what a backup holds into a home that is missing or empty; return the names of the files.

    Raises:
        RefusedError: the home holds something.
        InputError: the file cannot be read, or is no backup.
        ProtocolError: another passphrase, or the file was changed.
    """
    if home.exists() and any(home.iterdir()):
        raise RefusedError("backup.home-not-empty", f"{home} is not empty", hint="restore into a new directory")
    data = _read(source)
    head, sealed = data[:len(MAGIC) + _SALT_BYTES + _NONCE_BYTES], data[len(MAGIC) + _SALT_BYTES + _NONCE_BYTES:]
    try:
        archive = AESGCM(_key(passphrase, head)).decrypt(head[-_NONCE_BYTES:], sealed, head)
    except InvalidTag:
        raise ProtocolError("backup.does-not-open", "the backup does not open", got=str(source),
                            hint="another passphrase, or the file was changed") from None
    contents = _unpack(archive)
    make_private_directory(home)
    for name, content in contents.items():
        directory = home
        for part in PurePosixPath(name).parts[:-1]:
            directory /= part
            make_private_directory(directory)
        write_private(home / name, content)
    return sorted(contents)


def _files(home: Path, part: str) -> Iterator[tuple[str, bytes]]:
    path = home / _allowed(part)
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    for one in paths:
        if one.is_file() and not one.is_symlink():
            yield _allowed(one.relative_to(home).as_posix()), read_private(one, limit=MAX_BYTES)


def _allowed(name: str) -> str:
    """Return a relative path inside the home, never one of the per-run keys."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\x00" in name or str(path) != name:
        raise RefusedError("backup.path", "a path leads out of the home", got=repr(name[:200]))
    if path.name.startswith(NEVER):
        raise RefusedError("backup.run-keys", "per-run keys never go into a backup", got=name,
                           hint="a restored node asks for new runs instead")
    return name


def _pack(contents: Mapping[str, bytes]) -> bytes:
    index = canonical_bytes([
        {"path": name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for name, data in sorted(contents.items())])
    return b"".join([len(index).to_bytes(8, "big"), index, *(contents[name] for name in sorted(contents))])


def _unpack(archive: bytes) -> dict[str, bytes]:
    end = 8 + int.from_bytes(archive[:8], "big")
    index = parse_canonical(archive[8:end])
    contents: dict[str, bytes] = {}
    try:
        for entry in index:
            start, end = end, end + entry["size"]
            data = archive[start:end]
            if hashlib.sha256(data).hexdigest() != entry["sha256"] or start > end:
                raise ValueError
            contents[_allowed(entry["path"])] = data
        if end != len(archive) or len(contents) != len(index) or len(contents) > MAX_FILES:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise ProtocolError("backup.inconsistent", "the backup's index does not fit its contents") from None
    return contents


def _read(source: Path) -> bytes:
    try:
        with source.open("rb") as file:
            data = file.read(MAX_BYTES * 2 + 1)
    except OSError as error:
        raise InputError("backup.missing", f"{source} cannot be read", got=error.strerror) from error
    if not data.startswith(MAGIC) or not len(MAGIC) + _SALT_BYTES + _NONCE_BYTES < len(data) <= MAX_BYTES * 2:
        raise InputError("backup.malformed", f"{source} is not a Sealane backup")
    return data


def _key(passphrase: Secret, head: bytes) -> bytes:
    salt = head[len(MAGIC):len(MAGIC) + _SALT_BYTES]
    return Scrypt(salt=salt, length=32, n=_N, r=_R, p=_P).derive(passphrase.reveal())
