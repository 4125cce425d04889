#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""make bench-core: runs a core bench under valgrind's callgrind and says how many instructions each of its measures takes per
operation, all threads of the core together. The bench makes one dump per measure, labelled NAME/ROUNDS.

    userspace/bench/core/callgrind.py PROGRAM [MEASURE]
"""

import re
import subprocess
import sys
from pathlib import Path


def main():
    program = Path(sys.argv[1])
    out = Path("build/bench") / f"callgrind.{program.name}"
    for old in out.parent.glob(out.name + "*"):
        old.unlink()
    done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", str(program), *sys.argv[2:]],
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stderr}\n{program} failed under callgrind")
    print(f"{program.name}: instructions per operation")
    count = 0
    for dump in sorted(out.parent.glob(out.name + ".*"), key=lambda path: int(path.suffix[1:])):
        text = dump.read_text(encoding="utf-8", errors="replace")
        label = re.search(r"^desc: Trigger: Client Request: (.*)/(\d+)$", text, re.M)
        sums = re.findall(r"^(?:summary|totals): (\d+)", text, re.M)
        if label and sums:
            print(f"  {label.group(1):<28} {int(sums[0]) / int(label.group(2)):12,.0f}")
            count += 1
    return 0 if count else 1


if __name__ == "__main__":
    sys.exit(main())
