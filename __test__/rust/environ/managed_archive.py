"""Packs the running interpreter as uv's own downloads are packed, and writes the list of downloads.

Usage: managed_archive.py FOLDER. Prints the version.
"""

import hashlib
import json
import os
import pathlib
import platform
import sys
import sysconfig
import tarfile
from typing import Optional

# What neither the probe nor `python -m venv --without-pip` imports.
LEFT_OUT = {
    "__pycache__",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "test",
    "tests",
    "tkinter",
    "turtledemo",
}


def keep(info: tarfile.TarInfo) -> Optional[tarfile.TarInfo]:
    """Leaves out what no test needs."""
    name = pathlib.PurePath(info.name)
    return None if name.name in LEFT_OUT or name.suffix == ".a" else info


def pack(archive: pathlib.Path) -> None:
    """Writes the archive."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(os.path.realpath(sys.executable), "python/bin/" + name)
        for alias in ("python", "python3"):
            link = tarfile.TarInfo("python/bin/" + alias)
            link.type = tarfile.SYMTYPE
            link.linkname = name
            tar.addfile(link)
        tar.add(sysconfig.get_path("stdlib"), "python/lib/" + name, filter=keep)


def main() -> None:
    """Writes both files."""
    folder = pathlib.Path(sys.argv[1])
    archive = folder / "python.tar.gz"
    pack(archive)
    major, minor, patch = sys.version_info[:3]
    machine = platform.machine()
    libc = "gnu" if platform.libc_ver()[0] == "glibc" else "musl"
    key = f"cpython-{major}.{minor}.{patch}-linux-{machine}-{libc}"
    download = {
        "name": "cpython",
        "arch": {"family": machine, "variant": None},
        "os": "linux",
        "libc": libc,
        "major": major,
        "minor": minor,
        "patch": patch,
        "prerelease": "",
        "url": archive.as_uri(),
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "variant": None,
    }
    (folder / "downloads.json").write_text(json.dumps({key: download}))
    print(f"{major}.{minor}.{patch}")


main()
