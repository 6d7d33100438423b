"""What a computation may read besides its rows: the interpreter, the installed packages and the system's libraries."""

from __future__ import annotations

import site
import sys
import sysconfig
from pathlib import Path

from sealane.errors import RefusedError

SYSTEM = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime",
          "/usr/share/zoneinfo", "/dev/null", "/dev/zero", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo",
          "/sys/devices/system/cpu")
PACKAGES = ("site-packages", "dist-packages")


def readable_paths(extra: tuple[str, ...] = ()) -> list[str]:
    """Return the paths, each with everything beneath it; the working directory is none of them.

    Args:
        extra: directories of further computations.
    """
    own = Path(__file__).parents[2]
    installation = sysconfig.get_paths()
    found = {str(own), *SYSTEM, *extra}
    found |= {installation[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {path for path in sys.path if Path(path).name in PACKAGES}
    found |= {f"{prefix}/{part}" for prefix in (sys.prefix, sys.base_prefix) for part in ("lib", "lib64", "pyvenv.cfg")}
    found.add(str(Path(sys.executable).resolve()))
    if site.ENABLE_USER_SITE:
        found.add(site.getusersitepackages())
    return sorted({str(Path(path).resolve()) for path in found} | {path for path in found if Path(path).is_absolute()})


def check_apart(home: Path, extra: tuple[str, ...] = ()) -> None:
    """Refuse a home that computations could read.

    Raises:
        RefusedError: it lies beneath a readable path.
    """
    where = home.resolve()
    for path in readable_paths(extra):
        if where.is_relative_to(path):
            raise RefusedError("sandbox.home-exposed", "the node's home lies where computations may read",
                               got=str(where), expected=f"a directory that is not beneath {path}",
                               hint="move the home, and name it with --home")
