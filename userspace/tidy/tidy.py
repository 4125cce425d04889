#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""make tidy: what a compiler does not say about the house's rules.

 - layers: a file in core/ includes only its own folder and folders below it;
 - sizes: a source file past 800 lines fails, past 600 it has to say why, in a line with the words
   `long because`;
 - core/ is freestanding: no header but stddef.h, stdint.h and our own, no floating point, new, delete,
   throw, try, dynamic_cast, typeid, thread_local, [[noreturn]], no unsafe static locals;
 - names of files, licence lines, `#pragma once` in C++ headers, include guards or pragma in C ones;
 - whitespace, and no names of this or that machine;
 - clang's thread-safety analysis and clang-tidy (.clang-tidy) over every C++ file of core/, as errors;
 - that each message of the tools is told in a guest case, but for those that only a failing machine gives;
 - shellcheck over shell scripts, mandoc's lint over manual pages, the examples in Python's doc strings;
 - sparse with endian checks over all C (`make sparse`).

Each check of each file is one result. Prints what is wrong as FILE:LINE: TEXT, then
`lcpfs-result: tidy N passed, N failed`.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LAYERS = ("base host format codec mpio vdev alloc partition io cache tree object txg zil dataset pool fs "
          "check repair api").split()
RANK = {name: index for index, name in enumerate(LAYERS)}
# The two C headers of the boundary are read by the shim too; placement new comes from the host's <new>.
ALLOWED = {(name, target) for name in ("core/host/host.h", "core/api/core.h")
           for target in ("linux/types.h", "stdbool.h")} | {("core/base/move.h", "new")}
OWN_FOLDERS = ("core", "shim", "kmod", "kunit", "userspace", "qemu")
FREESTANDING = {"stddef.h", "stdint.h", "stdarg.h", "host_sizes.h"}

# In code only: comments and strings are blanked first.
FORBIDDEN = [
    (r"\b(float|double|long\s+double)\b", "floating point"),
    (r"(?<!operator )\bnew\b(?!\s*\()", "new (Box<T>::create and its like)"),
    (r"(?<!operator )(?<!= )\bdelete\b(?!\s*;)", "delete"),
    (r"\b(throw|try|catch|dynamic_cast|typeid|thread_local|goto)\b", "forbidden word"),
    (r"\[\[\s*noreturn\s*\]\]", "[[noreturn]]: call, then __builtin_trap()"),
    (r"\bstd::", "the standard library"),
    (r"\b(malloc|calloc|realloc|free|printf|memalign|abort|assert)\s*\(", "a C library call"),
]
# A static inside a function is constinit, const or constexpr, or it has a destructor to run.
STATIC_LOCAL = re.compile(r"^\s{4,}static\s+(?!const\b|constexpr\b|constinit\b|inline\b|_?[Aa]ssert|bool\b|"
                          r"(?:unsigned|int|u?int\d+_t|[ui]\d+|char|size_t)\b)[A-Za-z_][\w:<>, ]*\s+\w+\s*(?:\{|=|;)")
FORBIDDEN = [(re.compile(pattern), text) for pattern, text in FORBIDDEN]


def blank(source):
    """The text without comments and string contents, line numbers kept."""
    def space(found):
        text = found.group(0)
        if text.startswith(("/*", "//")):
            return re.sub(r"[^\n]", " ", text)
        return text[0] + re.sub(r"[^\n]", " ", text[1:-1]) + text[-1]
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', space, source, flags=re.S)


class Tidy:
    def __init__(self):
        self.passed = self.failed = 0

    def result(self, complaints):
        if complaints:
            self.failed += 1
            for line in complaints:
                print(line)
        else:
            self.passed += 1


def source_files():
    """Every file in the project's own folders, tracked or not, in a checkout or an unpacked archive."""
    names = (path.relative_to(TOP) for folder in OWN_FOLDERS for path in (TOP / folder).rglob("*") if path.is_file())
    return sorted(str(name) for name in names if "__pycache__" not in name.parts and name.suffix != ".swp")


def check_layers(name, lines):
    parts = name.split("/")
    if parts[0] != "core" or len(parts) < 3 or parts[1] == "test":
        return
    if parts[1] not in RANK:
        yield f"{name}:1: folder core/{parts[1]} is not in the layer order"
        return
    test = name.endswith("_test.cc")
    for number, line in enumerate(lines, 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not found:
            continue
        target = found.group(2)
        if target in FREESTANDING or (name, target) in ALLOWED:
            continue
        if target.startswith("core/"):
            folder = target.split("/")[1]
            if target == "core/test/breakage.h":
                continue
            if folder == "test":
                if not test:
                    yield f"{name}:{number}: only tests include core/test"
            elif folder not in RANK:
                yield f"{name}:{number}: no layer {folder}"
            elif target == "core/api/core.h" and RANK[parts[1]] >= RANK["pool"]:
                continue  # the plain types and constants of the outer boundary, filled in by the layers just below it
            elif RANK[folder] > RANK[parts[1]]:
                yield f"{name}:{number}: layer {parts[1]} includes {folder}, which is above it"
        else:
            yield f"{name}:{number}: core may not include {target} (our own headers as core/FOLDER/NAME.h)"


def check_size(name, lines):
    if not name.endswith((".h", ".cc", ".c", ".py", ".sh")):
        return
    if len(lines) > 800:
        yield f"{name}:800: {len(lines)} lines; 800 is the limit"
    elif len(lines) > 600 and not any("long because" in line for line in lines):
        yield f"{name}:600: {len(lines)} lines; past 600 a file says `long because ...`"


def check_constructs(name, lines):
    if not name.startswith("core/") or not name.endswith((".h", ".cc")):
        return
    for number, line in enumerate(blank("\n".join(lines)).split("\n"), 1):
        # The one place that defines what the language itself asks for.
        runtime = name.startswith("core/base/")
        for pattern, text in FORBIDDEN:
            if not pattern.search(line) or line.lstrip().startswith("#"):
                continue
            if runtime and re.search(r"operator\s+(new|delete)|::new\b|\bnew\s*\(", line):
                continue
            yield f"{name}:{number}: {text}: {lines[number - 1].strip()}"
        if name.endswith(".cc") and STATIC_LOCAL.search(line):
            yield f"{name}:{number}: a static local that may need a destructor: {lines[number - 1].strip()}"


def check_form(name, lines):
    base = name.rsplit("/", 1)[-1]
    if name.endswith((".h", ".cc", ".c")):
        if not re.fullmatch(r"[a-z0-9_]+\.(h|cc|c)", base):
            yield f"{name}:1: file names are snake_case"
        if not lines or "SPDX-License-Identifier: GPL-2.0-only" not in "\n".join(lines[:2]):
            yield f"{name}:1: the first line is SPDX-License-Identifier: GPL-2.0-only"
        if name.endswith(".h") and not any("#pragma once" in line or re.match(r"#ifndef \w+_H\b|#if !defined\(\w+_H\b", line)
                                           for line in lines):
            yield f"{name}:1: no include guard"
    if name.endswith((".h", ".cc", ".c", ".py", ".sh")):
        for number, line in enumerate(lines, 1):
            if line != line.rstrip():
                yield f"{name}:{number}: space at the end of the line"
            if len(line.expandtabs(8)) > 140:
                yield f"{name}:{number}: {len(line.expandtabs(8))} columns"


CORE_FLAGS = "-std=c++20 -fno-exceptions -fno-rtti -ffreestanding -Iuserspace/host/include -I.".split()
THREAD_SAFETY = "-fsyntax-only -Wall -Wextra -Werror -Wthread-safety -Wthread-safety-beta -Werror=thread-safety".split()


def clang(cxx, clang_tidy, tidy):
    """Every file of the core under clang's thread-safety analysis, then under clang-tidy (.clang-tidy)."""
    for program in (cxx, clang_tidy):
        if not shutil.which(program):
            tidy.result([f"tidy: {program} is not installed (make deps)"])
            return
    sources = sorted(str(path.relative_to(TOP)) for path in (TOP / "core").rglob("*.cc"))
    commands = [[cxx, *CORE_FLAGS, *THREAD_SAFETY, source] for source in sources]
    commands += [[clang_tidy, "--quiet", source, "--", *CORE_FLAGS] for source in sources]

    def one(command):
        done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip().split("\n") if done.returncode else []

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for complaints in pool.map(one, commands):
            tidy.result(complaints)


def sparse(make, tidy):
    """Every C file, against whatever kernel `make` builds for by itself."""
    if not shutil.which("sparse"):
        tidy.result(["tidy: sparse is not installed (make deps)"])
        return
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run([*shlex.split(make), "sparse"], cwd=TOP, capture_output=True, text=True, check=False,
                          env=environment)
    words = [line for line in (done.stdout + done.stderr).splitlines()
             if re.search(r"warning|error|no kernel headers", line, re.I)]
    tidy.result(["sparse:"] + (words or done.stderr.splitlines()[-5:]) if done.returncode else [])


# In the cases words are split on purpose, and variables come from qemu/guest/lib.sh or go to it; the guest's shell knows RANDOM.
SHELL_EXCEPTIONS = "SC1007,SC2010,SC2034,SC2046,SC2048,SC2154,SC2164,SC2238,SC3028"


def check_by(tool, arguments, name, tidy):
    """One file by a checker that prints what is wrong and says nothing else."""
    if not shutil.which(tool):
        tidy.result([f"tidy: {tool} is not installed (make deps)"])
        return
    done = subprocess.run([tool, *arguments, name], cwd=TOP, capture_output=True, text=True, check=False)
    tidy.result((done.stdout + done.stderr).splitlines() if done.returncode or done.stdout else [])


def texts(tidy):
    """Shell scripts, manual pages and Python's examples."""
    for name in source_files():
        if name.endswith(".py") and "\n>>> " in (TOP / name).read_text(encoding="utf-8"):
            check_by("python3", ["-m", "doctest"], name, tidy)
        if name.endswith((".sh", ".bash")) or name == "qemu/guest/init":
            shell = "bash" if name.endswith(".bash") else "sh"
            check_by("shellcheck", ["-s", shell, "-S", "warning", "-f", "gcc", "-e", SHELL_EXCEPTIONS], name, tidy)
        elif name.startswith("userspace/man/"):
            check_by("mandoc", ["-T", "lint", "-W", "warning"], name, tidy)


# What no case can bring about: ioctls that fail for want of memory, devices that fail in the middle of a tool's work.
MESSAGES_WITHOUT_CASE = {
    "the check could not be finished",
    "the pool needed the space of what was being checked and went on",
    "cannot be opened after the repair",
    "cannot say what is lost by its name",
    "cannot read the decisions",
    "the module does not take it",
    "the new pool cannot be opened",
    "what was copied cannot be written",
    "an attribute of a kind that lcpfs does not keep",
    "what the intent log holds does not fit what is left",
    "nothing is wrong with what was committed",
}


def check_messages(tidy):
    """Of each complain("..."), the longest piece without a number or a name in it stands in a case."""
    cases = "".join((TOP / name).read_text(encoding="utf-8") for name in source_files() if name.startswith("qemu/cases/"))
    for name in source_files():
        if not re.match(r"userspace/(common|lcpfs|mkfs|fsck|mount)/.*\.cc$", name):
            continue
        text = (TOP / name).read_text(encoding="utf-8")
        for call in re.finditer(r'complain\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', text):
            words = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', call.group(1))).split(";")[0]
            piece = max((part.strip(" :,=()\\\"") for part in re.split(r"\{[^}]*\}", words)), key=len)
            known = len(piece) < 6 or piece in cases or any(piece.startswith(other) for other in MESSAGES_WITHOUT_CASE)
            line = text.count("\n", 0, call.start()) + 1
            tidy.result([] if known else [f'{name}:{line}: no guest case has the message "{piece}"'])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cxx", default="clang++-14")
    parser.add_argument("--clang-tidy", default="clang-tidy-14")
    parser.add_argument("--make", default="make")
    parser.add_argument("--quick", action="store_true", help="only what needs no compiler")
    options = parser.parse_args()
    tidy = Tidy()
    for name in source_files():
        if not name.endswith((".h", ".cc", ".c", ".py", ".sh")):
            continue
        lines = (TOP / name).read_text(encoding="utf-8").split("\n")
        if lines and not lines[-1]:
            lines.pop()
        for check in (check_layers, check_size, check_constructs, check_form):
            tidy.result(list(check(name, lines)))
    texts(tidy)
    check_messages(tidy)
    if not options.quick:
        clang(options.cxx, options.clang_tidy, tidy)
        sparse(options.make, tidy)
    print(f"lcpfs-result: tidy {tidy.passed} passed, {tidy.failed} failed")
    return 1 if tidy.failed else 0


if __name__ == "__main__":
    sys.exit(main())
