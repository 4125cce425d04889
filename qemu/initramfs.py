# SPDX-License-Identifier: GPL-2.0-only
"""The guest's initramfs: busybox, chosen programs with their libraries, kernel modules with
everything they depend on, lcpfs and its tools, and the case. Written as an uncompressed cpio,
which costs nothing to unpack under emulation.

Kernel modules are unpacked here and their modules.dep rewritten, so that `modprobe NAME` in the
guest works whatever the distribution's compression.
"""

import fcntl
import lzma
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent

# Loaded by init, in this order, where they are modules.
DRIVERS = ["virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod", "virtio_rng"]
# Taken along wherever the kernel has them: what lcpfs may need and what cases stack under it.
USUAL = ["crc32c_intel", "libcrc32c", "crc32c_generic", "xxhash_generic", "lz4_compress", "lz4_decompress",
         "zstd_compress", "xxhash", "raid6_pq", "kunit", "ext4", "loop", "dm_mod", "dm_flakey",
         "dm_delay", "dm_log_writes", "dm_dust", "null_blk", "scsi_debug", "overlay"]
PROGRAMS = ["mount", "umount", "losetup", "blkid", "blockdev", "wipefs", "fallocate", "findmnt", "fsfreeze",
            "truncate", "stat", "cp", "dd", "dmsetup", "mkfs.ext4"]


class Missing(Exception):
    """Something the case needs is not on this machine."""


class Archive:
    """A newc cpio being written. Directories are made as paths need them."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.inode = 1
        self.names = set()

    def entry(self, name, mode, data=b"", rdev=(0, 0)):
        name = name.strip("/")
        if name in self.names:
            return
        parent = os.path.dirname(name)
        if parent and parent not in self.names:
            self.entry(parent, stat.S_IFDIR | 0o755)
        self.names.add(name)
        encoded = name.encode() + b"\0"
        head = "070701" + "".join(f"{value:08x}" for value in (
            self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(encoded), 0))
        self.inode += 1
        self.file.write(head.encode() + encoded)
        self.file.write(b"\0" * (-(110 + len(encoded)) % 4))
        self.file.write(data)
        self.file.write(b"\0" * (-len(data) % 4))

    def add(self, name, data, mode=0o755):
        self.entry(name, stat.S_IFREG | mode, data if isinstance(data, bytes) else data.encode())

    def copy(self, name, source, mode=None):
        source = Path(source)
        self.add(name, source.read_bytes(), mode or source.stat().st_mode & 0o777)

    def link(self, name, target):
        self.entry(name, stat.S_IFLNK | 0o777, target.encode())

    def close(self):
        self.entry("TRAILER!!!", 0)
        self.file.close()


def libraries(program, beside=None):
    """The shared objects a program needs, the loader included; first those below the directory `beside`."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(beside)} if beside else None
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False, env=environment)
    lost = re.findall(r"(\S+) => not found", done.stdout)
    if lost:
        raise Missing(f"{program} needs {' '.join(lost)}")
    return sorted(set(re.findall(r"(/\S+) \(0x", done.stdout)))


def lean(path):
    """A program or module of ours without its debugging information, most of it: a guest of 512 MiB has no room for that."""
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["objcopy", "--strip-debug", str(path), stripped.name], check=True)
        return Path(stripped.name).read_bytes()


def add_program(archive, source, name):
    archive.add(name, lean(source) if Path(source).is_relative_to(TOP / "build") else Path(source).read_bytes())
    for library in libraries(source):
        archive.copy(library, os.path.realpath(library))


def plain(name):
    return re.sub(r"\.ko(\.(xz|zst|gz))?$", "", os.path.basename(name)).replace("-", "_")


def add_modules(archive, kernel, wanted, ours):
    base = kernel.root / "lib" / "modules" / kernel.release
    depends = {}
    for line in (base / "modules.dep").read_text().splitlines():
        target, _, needs = line.partition(":")
        depends[plain(target)] = (target, needs.split())
    builtin = {plain(line) for line in (base / "modules.builtin").read_text().splitlines()}
    lines, done = [], {}

    def module(name):
        """Adds it and everything below it; returns paths in modprobe's order, itself first, each before what it needs."""
        name = name.replace("-", "_")
        if name in done:
            return done[name]
        if name not in depends:
            return []
        target, needs = depends[name]
        data = (base / target).read_bytes()
        if target.endswith(".xz"):
            data = lzma.decompress(data)
        elif target.endswith(".zst"):
            data = subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
        path = re.sub(r"\.(xz|zst|gz)$", "", target)
        archive.add(f"lib/modules/{kernel.release}/{path}", data, 0o644)
        below = []
        for need in needs:
            lower = module(plain(need))
            # What two need comes behind both: it is loaded from the end.
            below = [path for path in below if path not in lower] + lower
        done[name] = [path] + below
        lines.append(f"{path}: {' '.join(below)}")
        return done[name]

    for name in wanted:
        module(name)
    for path in ours:
        needs = subprocess.run(["/sbin/modinfo", "-F", "depends", str(path)], capture_output=True, text=True,
                               check=True).stdout.strip()
        below = []
        for need in filter(None, needs.split(",")):
            paths = module(need)
            if not paths and need.replace("-", "_") not in builtin:
                raise Missing(f"{path.name} needs module {need}, which {kernel.release} lacks")
            below = [item for item in below if item not in paths] + paths
        archive.add(f"lib/modules/{kernel.release}/extra/{path.name}", lean(path), 0o644)
        lines.append(f"extra/{path.name}: {' '.join(below)}")
    archive.add(f"lib/modules/{kernel.release}/modules.dep", "\n".join(lines) + "\n", 0o644)
    # The kernel itself asks by alias: crypto-crc32c, fs-ext4.
    aliases = [line for line in (base / "modules.alias").read_text().splitlines()
               if line.rpartition(" ")[2].replace("-", "_") in done]
    archive.add(f"lib/modules/{kernel.release}/modules.alias", "\n".join(aliases) + "\n", 0o644)
    archive.link(f"lib/modules/{kernel.release}/.drivers", " ".join(d for d in DRIVERS if d in done) or "none")


def find_programs(case):
    """Paths of the programs the case names; their packages are installed when one is missing."""
    names = case.words("programs")
    missing = [name for name in names if not which(name)]
    if missing and case.words("packages"):
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *case.words("packages")],
                       env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                       stdout=subprocess.DEVNULL, check=False)
        missing = [name for name in names if not which(name)]
    if missing:
        raise Missing(f"programs not on this machine: {' '.join(missing)}")
    return [which(name) for name in names]


# What nobody runs: documents, translations, and what only another compiler's library could use.
LEFT_OUT = re.compile(r"^usr/share/(doc|man|locale|lintian)/|/man/|/bitcode/|/llvmjit")


def unpack(case, cache):
    """Debian packages' files in a directory of the cache; nothing of them is installed or run on this machine."""
    packages = case.words("unpack")
    place = cache / "unpacked" / "+".join(packages)
    with open(cache / "lock-unpacked", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            fresh = place.with_name("new")
            shutil.rmtree(fresh, ignore_errors=True)
            (fresh / "debs").mkdir(parents=True)
            got = subprocess.run(["apt-get", "download", "-q", *packages], cwd=fresh / "debs", stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, check=False)
            if got.returncode:
                raise Missing(f"apt-get does not give the packages {' '.join(packages)}")
            for package in sorted((fresh / "debs").glob("*.deb")):
                subprocess.run(["dpkg-deb", "-x", str(package), str(fresh / "root")], check=True)
            (fresh / "root").rename(place)
            shutil.rmtree(fresh)
    return place


def add_unpacked(archive, root):
    beside = root / "usr" / "lib" / f"{os.uname().machine}-linux-gnu"
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if LEFT_OUT.search(name) or path.is_dir() and not path.is_symlink():
            continue
        if path.is_symlink():
            archive.link(name, os.readlink(path))
            continue
        archive.copy(name, path)
        with open(path, "rb") as file:
            is_program = file.read(4) == b"\x7fELF"
        for library in libraries(path, beside) if is_program else []:
            if not library.startswith(str(root)):
                archive.copy(library, os.path.realpath(library))


def which(name):
    """A path is one of this repository's own, made before: build/test/guestkit."""
    if "/" in name:
        return str(TOP / name) if (TOP / name).is_file() else None
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def build(path, kernel, case, options):
    archive = Archive(path)
    for directory in ("proc", "sys", "dev", "tmp", "mnt", "run", "etc"):
        archive.entry(directory, stat.S_IFDIR | 0o755)
    archive.entry("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
    busybox = which("busybox")
    if not busybox:
        raise Missing("busybox is not installed (make deps)")
    archive.copy("bin/busybox", busybox)
    archive.link("bin/sh", "busybox")
    archive.link("sbin/modprobe", "../bin/busybox")
    for name in PROGRAMS:
        source = which(name)
        if source:
            add_program(archive, source, f"usr/local/bin/{name}")
    for source in find_programs(case):
        add_program(archive, source, f"usr/local/bin/{Path(source).name}")
    if case.words("unpack"):
        add_unpacked(archive, unpack(case, options.cache))
    tools = TOP / "build" / "bin"
    for tool in sorted(tools.glob("*")) if tools.is_dir() else []:
        if os.access(tool, os.X_OK) and tool.is_file():
            # mount(8) looks for its helpers in /sbin.
            add_program(archive, tool, f"sbin/{tool.name}")
    for name in case.words("files"):
        archive.copy(f"files/{Path(name).name}", TOP / name)
    # The module with the tests is larger than all the rest, and only one case loads it.
    ours = [path for path in sorted(kernel.modules.glob("*.ko")) if case.name == "kunit" or path.name != "lcpfs_kunit.ko"]
    if case.name == "kunit" and not any(path.name == "lcpfs_kunit.ko" for path in ours):
        raise Missing(f"no lcpfs_kunit.ko in {kernel.modules}")
    add_modules(archive, kernel, DRIVERS + USUAL + case.words("modules"), ours)
    archive.copy("init", HERE / "guest" / "init", 0o755)
    archive.copy("lib.sh", HERE / "guest" / "lib.sh", 0o755)
    archive.copy("case.sh", case.path, 0o755)
    environment = case.words("environment") + list(options.set)
    environment.append(f"KERNEL={kernel.name}")
    environment.append(f"LOAD_MODULE={case.head.get('module', 'yes')}")
    archive.add("environment", "".join(f"export {item}\n" for item in environment), 0o644)
    archive.close()
    return path
