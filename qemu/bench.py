#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""make bench: the comparison bench. Runs the guest case `bench` (qemu/cases/bench.sh says on what) once without and once with a
volatile write cache, prints one table, and writes it to build/bench/compare.json.

    qemu/bench.py [--work NAME]... [--cache 0|1] [--filesystems lcpfs,ext4,xfs,btrfs] [--set NAME=VALUE]...

NAME is a line of the table or the beginning of its name; what runs in one go with it (create, stat, list, rename, unlink) runs too
and is not shown. Columns: each filesystem's figure; lcpfs's ratio to the best of the others, above 1 being better whatever the
unit; the share of what the device alone allows, where that is a limit; instructions per operation of lcpfs and of the best other.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent
DEVICE_US = 80
FILESYSTEMS = ["lcpfs", "ext4", "xfs", "btrfs"]


def lines():
    """Every line of the table: its name, the guest's work that gives it, and what the device allows in its unit."""
    one = 1e6 / DEVICE_US
    for callers in (1, 8, 32):
        for kind in ("overwrite", "append", "create"):
            yield f"fsync-{kind}-{callers}", f"fsync-{kind}-{callers}", one if callers == 1 else None
    yield "direct-dsync", "direct-dsync", one
    for directories in (1, 100):
        for kind in ("create", "stat", "list", "rename", "unlink"):
            yield f"{kind}-{directories}", f"names-{directories}", None
    for kind in ("buffered", "direct"):
        for way in ("write", "read"):
            yield f"{way}-{kind}", f"sequential-{kind}", None
    for kind in ("read", "overwrite"):
        for depth in (1, 32):
            yield f"random-{kind}-{depth}", f"random-{kind}-{depth}", one * depth
    yield "mapped-msync", "mapped", None
    for kind in ("unpack", "copy", "grep", "remove"):
        yield kind, "tree", None
    yield "sqlite", "sqlite", None
    yield "mount", "mounts", None
    yield "unmount", "mounts", None
    yield "mount-after-crash", "crash", None


def run(works, cache, options):
    """What one boot says, up to where it failed if it did: {line: {filesystem: (figure, unit, instructions)}}."""
    command = [str(HERE / "run"), "--kernel", "6.12", "--case", "bench", "--jobs", "1", "--patience", str(options.patience),
               "--set", f"WORKS={','.join(works)}", "--set", f"CACHE={cache}",
               "--set", f"FILESYSTEMS={','.join(options.filesystems)}"]
    for word in options.set:
        command += ["--set", word]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    found = {}
    for line in (TOP / "build" / "guest" / "6.12" / "bench" / "serial.log").read_text(errors="replace").splitlines():
        match = re.search(r"@bench (\S+) \d (\S+) (\S+) (\S+) (\S+)", line)
        if match:
            filesystem, name, figure, unit, instructions = match.groups()
            found.setdefault(name, {})[filesystem] = (
                float(figure), unit, None if instructions == "-" else int(instructions))
    return found


def row(name, limit, cache, figures):
    """One line as JSON has it."""
    unit = next(iter(figures.values()))[1]
    less_is_better = unit == "ms"
    entry = {"work": name, "cache": cache, "unit": unit, "figures": {fs: value[0] for fs, value in figures.items()},
             "instructions": {fs: value[2] for fs, value in figures.items()}}
    others = {fs: value for fs, value in entry["figures"].items() if fs != "lcpfs"}
    ours = entry["figures"].get("lcpfs")
    if others:
        entry["best"] = (min if less_is_better else max)(others, key=others.get)
        if ours:
            best = others[entry["best"]]
            entry["ratio"] = round(best / ours if less_is_better else ours / best, 3)
    if limit and ours:
        entry["of_limit"] = round(ours / limit, 3)
    return entry


def short(figure):
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}"


def show(entries):
    print(f"{'work':<20} {'cache':>5} {'unit':<9}" + "".join(f"{fs:>10}" for fs in FILESYSTEMS)
          + f"{'ratio':>7} {'of':<5} {'of limit':>8} {'instr.':>10} {'other':>10}")
    for entry in entries:
        best = entry.get("best")
        figures = "".join(f"{short(entry['figures'][fs]) if fs in entry['figures'] else '':>10}" for fs in FILESYSTEMS)
        instructions = [entry["instructions"].get(fs) for fs in ("lcpfs", best)]
        ratio = f"{entry['ratio']:.2f}" if "ratio" in entry else ""
        share = f"{entry['of_limit'] * 100:.0f} %" if "of_limit" in entry else ""
        print(f"{entry['work']:<20} {'yes' if entry['cache'] else 'no':>5} {entry['unit']:<9}{figures}{ratio:>7} {best or '':<5} "
              f"{share:>8}" + "".join(f" {'' if count is None else format(count, ','):>10}" for count in instructions))


def main():
    parser = argparse.ArgumentParser(description="the comparison bench (see the head of this file)")
    parser.add_argument("--work", action="append", help="only lines whose name begins so")
    parser.add_argument("--cache", action="append", type=int, choices=[0, 1], help="only with or without a volatile cache")
    parser.add_argument("--filesystems", type=lambda text: text.split(","), default=FILESYSTEMS)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment of the guest case")
    parser.add_argument("--patience", type=float, default=1.0, help="factor on the guest's timeout")
    options = parser.parse_args()
    chosen = [line for line in lines() if not options.work or any(line[0].startswith(work) for work in options.work)]
    if not chosen:
        raise SystemExit("qemu/bench.py: no such work; there are: " + " ".join(name for name, _, _ in lines()))
    works = list(dict.fromkeys(work for _, work, _ in chosen))
    entries, missing = [], []
    for cache in options.cache or (0, 1):
        found = run(works, cache, options)
        for name, _, limit in chosen:
            if name in found:
                entries.append(row(name, limit, cache, found[name]))
            missing += [f"{name} on {fs}" for fs in options.filesystems
                        if fs not in found.get(name, {}) and (name, fs) != ("mount-after-crash", "btrfs")]
    show(entries)
    target = TOP / "build" / "bench" / "compare.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"device_us": DEVICE_US, "lines": entries}, indent=1) + "\n", encoding="utf-8")
    if missing:
        raise SystemExit("qemu/bench.py: no figure of " + ", ".join(missing))
    return 0


if __name__ == "__main__":
    sys.exit(main())
