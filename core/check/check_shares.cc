// SPDX-License-Identifier: GPL-2.0-only
// The share table, and the blocks of extents with its help.
#include "core/check/checker.h"
#include "core/check/visitors.h"

namespace lcpfs {

class Checker::ShareTree : public Accounting {
public:
    using Accounting::Accounting;
    Status item(Bytes key, Bytes value) override
    {
        Result<SharedRun> run = SharedRun::decode(key, value);
        if (run.is_error() || !m_checker.m_pool.vdevs().is_valid(run.value().dva)) {
            m_checker.m_lacks_shares = m_checker.m_incomplete = true;
            m_checker.m_findings.say("share table: entry ", m_checker.m_shares.count(), ": ", text_of(Error::share_damaged));
            return {};
        }
        const Dva& dva = run.value().dva;
        if (TRY(m_checker.m_shares.add(run.value())))
            (void)m_checker.claim(dva, { TreeKind::shares, 0, 0 }, "an entry");
        else
            m_checker.m_findings.say("share table: the entry at device ", u64(dva.vdev.value()), " block ", dva.block,
                                     " overlaps the one before");
        return {};
    }
    void damage(const NodePointer& pointer, const TreeOwner& owner, u32 copy, Error error) override
    {
        m_checker.m_lacks_shares = m_checker.m_lacks_shares || copy >= k_max_copies;
        Accounting::damage(pointer, owner, copy, error);
    }
};

void Checker::find_share_root(Bytes value)
{
    DiskNodePointer disk;
    if (value.size() == sizeof(disk)) {
        copy_bytes(&disk, value.data(), sizeof(disk));
        Result<NodePointer> root = NodePointer::decode(disk);
        if (root.is_ok() && !root.value().is_null()) {
            m_share_root = root.value();
            return;
        }
    }
    m_lacks_shares = m_incomplete = true;
    m_findings.say("pool tree: where the share table is, is malformed");
}

Status Checker::check_share_table()
{
    ShareTree table(*this);
    return m_tables->walk(m_share_root, { TreeKind::shares, 0, 0 }, table);
}

// Blocks that the share table has are entered by that. False: some of it lies where no data can be, or is something else's.
bool Checker::claim_extent(Dva dva, const TreeOwner& owner, bool may_be_shared)
{
    if (!may_be_shared || !m_pool.vdevs().is_valid(dva))
        return claim(dva, owner, "an extent");
    bool sound = true;
    while (dva.length_blocks) {
        u32 here = 0;
        const bool is_noted = m_shares.note(dva, here);
        const Dva part { dva.block, here, dva.vdev };
        u64 first = 0;
        if (is_noted)
            m_findings.advance(here);
        else if (!m_lacks_shares)
            sound = claim(part, owner, "an extent") && sound;
        else if (const Result<u32> again = m_map->enter(part, first); again.is_error())
            m_failure = again.error();
        else
            m_findings.report().blocks_used += here - again.value();
        dva.block += here;
        dva.length_blocks -= here;
    }
    return sound;
}

}
