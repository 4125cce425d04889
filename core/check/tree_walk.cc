// SPDX-License-Identifier: GPL-2.0-only
#include "core/check/tree_walk.h"

#include "core/codec/checksum.h"

namespace lcpfs {

Result<Box<TreeWalk>> TreeWalk::create(VdevSet& vdevs, u32 node_bytes)
{
    Box<TreeWalk> walk = TRY(make_box<TreeWalk>(vdevs, node_bytes));
    walk->m_pool = host_pool_create("lcpfs_check_node", node_bytes, 0);
    if (!walk->m_pool)
        return Error::no_memory;
    walk->m_scratch = static_cast<u8*>(host_pool_alloc(walk->m_pool, 0));
    if (!walk->m_scratch)
        return Error::no_memory;
    return walk;
}

TreeWalk::~TreeWalk()
{
    for (Level& level : m_levels)
        if (level.buffer)
            host_pool_free(m_pool, level.buffer);
    if (m_scratch)
        host_pool_free(m_pool, m_scratch);
    host_pool_destroy(m_pool);
}

Status TreeWalk::read_copy(const NodePointer& pointer, u32 copy, const TreeOwner& owner, u8* buffer)
{
    VERIFY_DISK(pointer.size_bytes == m_node_bytes, node_damaged);
    const core_segment segment { buffer, m_node_bytes };
    IoBatch batch;
    batch.begin();
    m_vdevs.read(pointer.dva[copy], Span<const core_segment>(&segment, 1), HOST_IO_META | HOST_IO_SYNC, IoBatch::done, &batch);
    TRY(batch.wait());
    VERIFY_DISK(checksum_of(pointer.checksum_kind, { buffer, m_node_bytes }) == pointer.checksum, node_checksum);
    return NodePage(buffer, m_node_bytes).verify(owner, pointer.level, pointer.birth.value());
}

static bool is_within(const NodePage& page, Bytes lower, Bytes upper)
{
    if (page.count() == 0)
        return true;
    const u32 first = page.level() > 0 ? 1 : 0; // the first key above the leaves is empty
    if (first < page.count() && compare(page.key(first), lower) < 0)
        return false;
    return upper.is_empty() || compare(page.key(page.count() - 1), upper) < 0;
}

Result<bool> TreeWalk::enter(const NodePointer& pointer, const TreeOwner& owner, Bytes lower, Bytes upper, TreeVisitor& visitor)
{
    if (pointer.level >= k_max_tree_height) {
        visitor.damage(pointer, owner, k_max_copies, Error::node_damaged);
        return false;
    }
    if (!visitor.node(pointer, owner))
        return false;
    Level& level = m_levels[pointer.level];
    if (!level.buffer)
        level.buffer = static_cast<u8*>(host_pool_alloc(m_pool, 0));
    if (!level.buffer)
        return Error::no_memory;
    bool found = false;
    u32 bad_copies = 0;
    Error last = Error::none;
    for (u32 copy = 0; copy < pointer.copies; copy++) {
        const Status status = read_copy(pointer, copy, owner, found ? m_scratch : level.buffer);
        if (status.is_ok()) {
            found = true;
        } else {
            last = status.error();
            bad_copies |= 1u << copy;
            visitor.damage(pointer, owner, copy, last);
        }
    }
    if (!found) {
        visitor.damage(pointer, owner, k_max_copies, last);
        return false;
    }
    for (u32 copy = 0; copy < pointer.copies; copy++)
        if (bad_copies >> copy & 1)
            visitor.bad_copy(pointer, copy, { level.buffer, m_node_bytes });
    level.page = NodePage(level.buffer, m_node_bytes);
    level.birth = pointer.birth;
    level.index = 0;
    level.lower = lower;
    level.upper = upper;
    if (!is_within(level.page, lower, upper))
        visitor.damage(pointer, owner, k_max_copies, Error::node_damaged);
    return true;
}

Result<bool> TreeWalk::enter_child(Level& parent, u32 parent_level, const TreeOwner& owner, TreeVisitor& visitor)
{
    const u32 i = parent.index++;
    DiskNodePointer disk;
    copy_bytes(&disk, parent.page.value(i).data(), sizeof(disk));
    Result<NodePointer> decoded = NodePointer::decode(disk);
    NodePointer self;
    self.level = static_cast<u8>(parent_level);
    if (decoded.is_error() || decoded.value().is_null() || decoded.value().level + 1u != parent_level
        || decoded.value().birth > parent.birth) {
        visitor.damage(decoded.is_ok() ? decoded.value() : self, owner, k_max_copies, Error::node_damaged);
        return false;
    }
    const Bytes lower = i == 0 ? parent.lower : parent.page.key(i);
    const Bytes upper = i + 1 < parent.page.count() ? parent.page.key(i + 1) : parent.upper;
    return enter(decoded.value(), owner, lower, upper, visitor);
}

Status TreeWalk::walk(const NodePointer& root, const TreeOwner& owner, TreeVisitor& visitor)
{
    if (root.is_null() || !TRY(enter(root, owner, {}, {}, visitor)))
        return {};
    u32 level = root.level;
    for (;;) {
        Level& here = m_levels[level];
        if (level == 0) {
            for (u32 i = 0; i < here.page.count(); i++)
                TRY(visitor.item(here.page.key(i), here.page.value(i)));
        } else if (here.index < here.page.count()) {
            if (TRY(enter_child(here, level, owner, visitor)))
                level--;
            continue;
        }
        if (level == root.level)
            return {};
        level++;
    }
}

}
