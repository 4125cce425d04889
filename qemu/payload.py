# SPDX-License-Identifier: GPL-2.0-only
"""A real source tree for the guests, as a tar on a read-only disk, from the kernel header packages
that kernels/get.sh unpacked.

    tree    at least 20,000 files: all of Debian's 6.12 headers and as much of the 6.1 ones as it takes
    part    5,000 files of the same
    small   1,500

Beside the tree, under src/, stands `sha256`, the sum of every file as sha256sum prints it, and
`count`, how many there are. Symbolic links and empty directories are in the tree too.
"""

import fcntl
import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = {"tree": 20500, "part": 5000, "small": 1500}


def sources():
    for kernel in ("6.12", "6.1"):
        directory = subprocess.run([str(HERE / "kernels" / "get.sh"), kernel], stdout=subprocess.PIPE,
                                   text=True, check=True).stdout.strip()
        for path in sorted((Path(directory) / "root" / "usr" / "src").iterdir()):
            yield path.name, path.resolve()


def make(kind, cache):
    """The path of the tar, made when it is not there."""
    wanted = FILES[kind]
    roots = list(sources())
    recipe = Path(__file__).read_text(encoding="utf-8")
    key = hashlib.sha256("\n".join([kind, recipe, *(name for name, _ in roots)]).encode())
    target = cache / f"payload-{kind}-{key.hexdigest()[:12]}.tar"
    with open(cache / "lock-payload", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            write(target, roots, wanted)
    return target


def write(target, roots, wanted):
    sums, temporary = [], target.with_suffix(".new")
    with tarfile.open(temporary, "w", format=tarfile.GNU_FORMAT) as tar:
        for top, root in roots:
            for directory, names, files in os.walk(root):
                names.sort()
                place = Path(directory)
                below = "" if place == root else f"{place.relative_to(root)}/"
                tar.add(place, arcname=f"src/{top}/{below}".rstrip("/"), recursive=False)
                for name in sorted(files + [n for n in names if (place / n).is_symlink()]):
                    path = place / name
                    inside = f"{top}/{below}{name}"
                    # One object of 5 MB says nothing about a tree of small files.
                    if name == "vmlinux":
                        continue
                    tar.add(path, arcname=f"src/{inside}", recursive=False)
                    if not path.is_symlink():
                        sums.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {inside}\n")
                    if len(sums) >= wanted:
                        break
                if len(sums) >= wanted:
                    break
            if len(sums) >= wanted:
                break
        for name, text in (("sha256", "".join(sums)), ("count", f"{len(sums)}\n")):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    if len(sums) < wanted:
        raise RuntimeError(f"only {len(sums)} files in the header packages")
    os.rename(temporary, target)
