// SPDX-License-Identifier: GPL-2.0-only
// What a power cut leaves of a run: images for any position of its I/O log.
//
// Certain at a position: every write that a flush or FUA made durable by then. Of each other write submitted
// by then, chance keeps all, nothing, or some of its 512-byte sectors. A later write of the same
// sectors that became durable supersedes an earlier one that had not.
//
// The cursor moves forward only and keeps the durable state of its position, so a crash image costs no
// more than the writes that are in doubt.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "userspace/sim/disk.h"

namespace lcpfs::sim {

class CrashCursor {
public:
    // `base`: the disks when the log began. Both outlive the cursor.
    CrashCursor(const IoLog& log, const std::vector<Image*>& base);
    u64 position() const { return m_position; }
    void advance_to(u64 position);
    // Images over this cursor's durable ones: use them before it advances.
    std::vector<std::unique_ptr<Image>> crash(Random& random);
    // The same with the choice made by the caller: whether sector `sector` of the n-th write in doubt is kept.
    using Keep = std::function<bool(size_t n, u64 sector)>;
    std::vector<std::unique_ptr<Image>> crash(const Keep& keep) const;
    // The writes in doubt, in order of submission.
    size_t in_doubt() const { return m_pending.size(); }
    u32 write_in_doubt(size_t n) const { return m_pending[n].write; }

private:
    struct Pending {
        u32 write;
        std::vector<bool> superseded; // by sector; empty: none
        bool dropped { false };       // by a flush that failed: no flush makes it durable
    };
    void make_durable(u32 write);
    void flush(u32 disk, u64 before);
    void drop(u32 disk, u64 before);

    const IoLog& m_log;
    std::vector<std::unique_ptr<Image>> m_durable;
    std::vector<Pending> m_pending; // in order of submission
    u64 m_position { 0 };
};

}
