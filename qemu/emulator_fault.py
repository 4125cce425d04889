# SPDX-License-Identifier: GPL-2.0-only
"""A known fault of the emulation, told from every fault of the guest.

The kernel changes its code while others run it by putting a breakpoint (int3, byte cc) there first. QEMU before 8.1 can, with a thread
for each processor, go on running what it translated of the code with the breakpoint after the guest has replaced it: the processor
meets a breakpoint that is in no memory, which no kernel has an answer to. The kernel's own report proves it: the instruction
pointer stands behind the byte that was run, and that byte is another one.

>>> stale = ["[    1.830749] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI", "[    1.832805] RIP: 0010:sched_clock_idle_wakeup_event+0x5/0x40",
...          "[    1.832818] Code: 90 90 f3 0f 1e fa 66 <90> c3 cc cc cc cc 8b 05"]
>>> is_in(stale)
True
>>> is_in([line.replace("Oops: ", "") for line in stale])  # as 6.1 says it
True
>>> is_in([line.replace("66 <90>", "cc <90>") for line in stale])  # it is there: a breakpoint of the guest's own
False
>>> is_in([line.replace("int3", "invalid opcode") for line in stale])
False
>>> is_in(stale[:2])
False
>>> is_in(["[    1.0] Code: 66 <90> c3"] + stale[:1])  # of another report
False
"""

import re

REPORT = re.compile(r"\] (?:Oops: )?int3: 0000 \[#")
CODE = re.compile(r"\] Code: (?:[0-9a-f]{2} )*([0-9a-f]{2}) <[0-9a-f]{2}>")


def is_in(lines):
    """Whether the first report of a breakpoint in these lines of a kernel's log is of one that is not in memory."""
    is_reported = False
    for line in lines:
        is_reported = is_reported or bool(REPORT.search(line))
        found = CODE.search(line) if is_reported else None
        if found:
            return found.group(1) != "cc"
    return False
