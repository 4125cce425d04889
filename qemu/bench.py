#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""make bench: the comparison bench. Runs the guest cases whose names begin so (qemu/cases/bench.sh says on what) once without and once
with a volatile write cache, prints one table, and writes it to build/bench/compare.json.

    qemu/bench.py [--mode compare|growth|disk] [--work NAME]... [--cache 0|1] [--filesystems lcpfs,ext4,xfs,btrfs] [--repeat N]
                  [--set NAME=VALUE]...

NAME is a line of the table or the beginning of its name; what runs in one go with it (create, stat, list, rename, unlink) runs too
and is not shown. Columns: each filesystem's figure; lcpfs's ratio to the best of the others, above 1 being better whatever the
unit; the share of what the device alone allows, where that is a limit; instructions per operation of lcpfs and of the best other.
With --repeat, figures are means, and `spread` says how far the runs of one filesystem lie apart at most.

Mode growth: lcpfs alone, with ten times the files, and on a sparse device of 64 GiB instead of 3; the ratio of the costs per operation.
Mode disk: an emulated disk and two processors (qemu/cases/benchdisk.sh); beside each line of several callers what they do together as a
multiple of one caller.
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
CALLERS = (1, 8, 32)
# The columns of the case pathspeed, for its two paths of which one is slower.
PATHS = (("paths-write", "MB/s"), ("paths-read", "MB/s"), ("paths-fsync", "calls/s"))


def lines():
    """Every line of the table: its name, the guest's work that gives it, and what the device allows in its unit."""
    one = 1e6 / DEVICE_US
    for callers in CALLERS:
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
    yield "pgbench", "pgbench", None
    yield "mount", "mounts", None
    yield "unmount", "mounts", None
    yield "mount-after-crash", "crash", None
    for name, _ in PATHS:
        yield name, "paths", None


def boot(case, options, **environment):
    """The lines of a guest's log, up to where it failed if it did."""
    command = [str(HERE / "run"), "--kernel", "6.12", "--case", case, "--jobs", "1", "--patience", str(options.patience)]
    for name, value in environment.items():
        command += ["--set", f"{name}={value}"]
    for word in options.set:
        command += ["--set", word]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    return (TOP / "build" / "guest" / "6.12" / case / "serial.log").read_text(errors="replace").splitlines()


def of_paths(log):
    """The case pathspeed's figures; of the ways to XFS over dm-multipath, the better one for each."""
    found = {name: {} for name, _ in PATHS}
    for line in log:
        match = re.search(r"@ (lcpfs, two|xfs on dm-multipath), \S+ +(\S+) +(\S+) +(\S+)", line)
        if match:
            filesystem = match[1].partition(",")[0].split()[0]
            for (name, unit), text in zip(PATHS, match.groups()[1:]):
                before = found[name].get(filesystem, (0, unit, None))
                found[name][filesystem] = max(before, (float(text), unit, None), key=lambda value: value[0])
    return {name: figures for name, figures in found.items() if figures}


def run(works, cache, options, **environment):
    """What the guests say of these works: {line: {filesystem: (figure, unit, instructions)}}."""
    found, logs = {}, []
    plain = [work for work in works if work not in ("pgbench", "paths")]
    environment = {"CACHE": cache, "FILESYSTEMS": ",".join(options.filesystems), **environment}
    if plain:
        logs += boot("benchdisk" if options.mode == "disk" else "bench", options, WORKS=",".join(plain), **environment)
    if "pgbench" in works:
        logs += boot("benchsql", options, **environment)
    if "paths" in works:
        found |= of_paths(boot("pathspeed", options, EQUAL=0, POLICIES="service-time"))
    for line in logs:
        match = re.search(r"@bench (\S+) \d (\S+) (\S+) (\S+) (\S+)", line)
        if match:
            filesystem, name, figure, unit, instructions = match.groups()
            found.setdefault(name, {})[filesystem] = (
                float(figure), unit, None if instructions == "-" else int(instructions))
    return found


def repeated(works, cache, options):
    """The means of so many runs, and {line: spread}: how far a filesystem's figures lie apart, as a part of their mean."""
    runs = [run(works, cache, options) for _ in range(options.repeat)]
    means, spreads = {}, {}
    for name in runs[0]:
        means[name] = {}
        for filesystem in runs[0][name]:
            values = [one[name][filesystem] for one in runs if filesystem in one.get(name, {})]
            mean = sum(value[0] for value in values) / len(values)
            means[name][filesystem] = (mean, *values[0][1:])
            apart = (max(values)[0] - min(values)[0]) / mean if mean else 0
            spreads[name] = max(spreads.get(name, 0), apart)
    return means, spreads


def less_is_better(unit):
    return unit == "ms"


def row(name, limit, cache, figures):
    """One line as JSON has it."""
    unit = next(iter(figures.values()))[1]
    entry = {"work": name, "cache": cache, "unit": unit, "figures": {fs: value[0] for fs, value in figures.items()},
             "instructions": {fs: value[2] for fs, value in figures.items()}}
    others = {fs: value for fs, value in entry["figures"].items() if fs != "lcpfs"}
    ours = entry["figures"].get("lcpfs")
    if others:
        entry["best"] = (min if less_is_better(unit) else max)(others, key=others.get)
        if ours:
            best = others[entry["best"]]
            entry["ratio"] = round(best / ours if less_is_better(unit) else ours / best, 3)
    if limit and ours:
        entry["of_limit"] = round(ours / limit, 3)
    return entry


def short(figure):
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}"


def show(entries, last=None):
    """The table; `last` is one more column, a key of entries and how it is written."""
    print(f"{'work':<20} {'cache':>5} {'unit':<14}" + "".join(f"{fs:>10}" for fs in FILESYSTEMS)
          + f"{'ratio':>7} {'of':<5} {'of limit':>8} {'instr.':>10} {'other':>10}" + (f" {last[0]:>8}" if last else ""))
    for entry in entries:
        best = entry.get("best")
        figures = "".join(f"{short(entry['figures'][fs]) if fs in entry['figures'] else '':>10}" for fs in FILESYSTEMS)
        instructions = [entry["instructions"].get(fs) for fs in ("lcpfs", best)]
        ratio = f"{entry['ratio']:.2f}" if "ratio" in entry else ""
        share = f"{entry['of_limit'] * 100:.0f} %" if "of_limit" in entry else ""
        print(f"{entry['work']:<20} {'yes' if entry['cache'] else 'no':>5} {entry['unit']:<14}{figures}{ratio:>7} {best or '':<5} "
              f"{share:>8}" + "".join(f" {'' if count is None else format(count, ','):>10}" for count in instructions)
              + (f" {format(entry[last[0]], last[1]) if last[0] in entry else '':>8}" if last else ""))


def write(what, entries):
    target = TOP / "build" / "bench" / f"{what}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"device_us": DEVICE_US, "lines": entries}, indent=1) + "\n", encoding="utf-8")


def compare(chosen, options):
    """Every filesystem; returns what has no figure."""
    works = list(dict.fromkeys(work for _, work, _ in chosen))
    entries, missing = [], []
    for cache in options.cache or ((1,) if options.mode == "disk" else (0, 1)):
        # Two SCSI hosts with a cache in memory are the same either way.
        now = [work for work in works if work != "paths" or not cache]
        found, spreads = repeated(now, cache, options)
        for name, work, limit in chosen:
            if work not in now:
                continue
            if name in found:
                entries.append(row(name, None if options.mode == "disk" else limit, cache, found[name]))
                if options.repeat > 1:
                    entries[-1]["spread"] = round(spreads[name], 5)
            missing += [f"{name} on {fs}" for fs in options.filesystems if fs not in found.get(name, {})
                        and (name, fs) != ("mount-after-crash", "btrfs") and (work != "paths" or fs in ("lcpfs", "xfs"))]
    if options.mode == "disk":
        ones = {entry["work"]: entry["figures"].get("lcpfs") for entry in entries}
        for entry in entries:
            alone = re.sub(r"-(8|32)$", "-1", entry["work"])
            if alone != entry["work"] and ones.get(alone) and "lcpfs" in entry["figures"]:
                entry["scaling"] = entry["figures"]["lcpfs"] / ones[alone]
    show(entries, ("spread", ".2%") if options.repeat > 1 else ("scaling", ".2f") if options.mode == "disk" else None)
    write("compare" if options.mode == "compare" else options.mode, entries)
    return missing


def growth(chosen, options):
    """lcpfs beside itself; returns what has no figure."""
    options.filesystems = ["lcpfs"]
    works = list(dict.fromkeys(work for _, work, _ in chosen))
    cache = (options.cache or [0])[0]
    # A sparse device, so all of them.
    measures = {"small": run(works, cache, options, FILES=20000, GB=3, WRITTEN=0),
                "files": run(works, cache, options, FILES=200000, GB=3, WRITTEN=0)
                if any(work.startswith("names") for work in works) else {},
                "pool": run(works, cache, options, FILES=20000, GB=64, WRITTEN=0)}
    entries, missing = [], []
    print(f"{'work':<20} {'unit':<14}{'20,000, 3 GiB':>14}{'200,000':>12}{'cost':>7}{'64 GiB':>12}{'cost':>7}")
    for name, work, _ in chosen:
        figure = {what: found[name]["lcpfs"] for what, found in measures.items() if name in found}
        wanted = ("small", "files", "pool") if work.startswith("names") else ("small", "pool")
        missing += [f"{name}, {what}" for what in wanted if what not in figure]
        if "small" not in figure:
            continue
        unit, entry = figure["small"][1], {"work": name, "unit": figure["small"][1]}
        for what in ("small", "files", "pool"):
            if what in figure:
                entry[what] = figure[what][0]
                entry[f"{what}_cost"] = round((entry[what] / entry["small"]) ** (1 if less_is_better(unit) else -1), 3)
        entries.append(entry)
        shown = "".join(f"{short(entry[what]) if what in entry else '':>12}{entry.get(f'{what}_cost', ''):>7}"
                        for what in ("files", "pool"))
        print(f"{name:<20} {unit:<14}{short(entry['small']):>14}{shown}")
    write("growth", entries)
    return missing


def main():
    parser = argparse.ArgumentParser(description="the comparison bench (see the head of this file)")
    parser.add_argument("--mode", choices=["compare", "growth", "disk"], default="compare")
    parser.add_argument("--work", action="append", help="only lines whose name begins so")
    parser.add_argument("--cache", action="append", type=int, choices=[0, 1], help="only with or without a volatile cache")
    parser.add_argument("--filesystems", type=lambda text: text.split(","), default=FILESYSTEMS)
    parser.add_argument("--repeat", type=int, default=1, help="so many runs, and how far they lie apart")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="environment of the guest case")
    parser.add_argument("--patience", type=float, default=1.0, help="factor on the guest's timeout")
    options = parser.parse_args()
    # Neither two SCSI hosts nor a database of its own size grow with anything, or are of an emulated disk.
    every = [line for line in lines() if options.mode == "compare" or line[1] not in ("pgbench", "paths")]
    chosen = [line for line in every if not options.work or any(line[0].startswith(work) for work in options.work)]
    if not chosen:
        raise SystemExit("qemu/bench.py: no such work; there are: " + " ".join(name for name, _, _ in every))
    missing = growth(chosen, options) if options.mode == "growth" else compare(chosen, options)
    if missing:
        raise SystemExit("qemu/bench.py: no figure of " + ", ".join(missing))
    return 0


if __name__ == "__main__":
    sys.exit(main())
