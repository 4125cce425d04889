// SPDX-License-Identifier: GPL-2.0-only
// SeenShares: the share table against the extents that the walk finds.
//
// Each entry adds up the blocks by which it was reached, as a count and as the sum of a number mixed from each block's address. Both
// sums are known beforehand when every block is reached as often as the entry says. So no memory is needed per block or extent: 40
// bytes per entry. One block reached too often and another too rarely go unseen only by a coincidence of 64-bit numbers.
#pragma once

#include "core/check/findings.h"
#include "core/host/vector.h"
#include "core/object/shared_run.h"

namespace lcpfs {

class SeenShares {
public:
    // In the order of the table. False: it lies in or before the one that was added last.
    Result<bool> add(const SharedRun& run);
    // The front of `dva`, which an extent reaches, as far as one entry or none has it. True: an entry has, and has noted it.
    bool note(const Dva& dva, u32& length_blocks);
    u64 count() const { return m_entries.size(); }
    // Says of which entries the count is not what was found.
    void compare(Findings& findings) const;

private:
    struct Entry {
        SharedRun run;
        u64 found { 0 };     // blocks, each as often as it was reached
        u64 mixed { 0 };
    };
    Vector<Entry> m_entries;
};

}
