// SPDX-License-Identifier: GPL-2.0-only
#include "core/repair/node_builder.h"

#include "core/codec/checksum.h"

namespace lcpfs {

Result<Box<NodeBuilder>> NodeBuilder::create(Pool& pool, RepairRoom& room, TxgId txg)
{
    Box<NodeBuilder> builder = TRY(make_box<NodeBuilder>(pool, room, txg));
    builder->m_buffers = host_pool_create("lcpfs_repair_node", pool.cache().node_bytes(), 0);
    if (!builder->m_buffers)
        return Error::no_memory;
    TRY(builder->m_inline.resize(max(k_inline_root_bytes, k_inline_xattr_bytes)));
    return builder;
}

NodeBuilder::~NodeBuilder()
{
    for (Level& level : m_levels)
        if (level.buffer)
            host_pool_free(m_buffers, level.buffer);
    host_pool_destroy(m_buffers);
}

void NodeBuilder::begin(const TreeOwner& owner)
{
    m_owner = owner;
    m_count = 0;
    m_last_bytes = 0;
    for (Level& level : m_levels)
        level.is_open = false;
}

Result<NodePointer> NodeBuilder::write(u32 index)
{
    const u32 bytes = m_pool.cache().node_bytes();
    Level& level = m_levels[index];
    NodePointer pointer;
    pointer.birth = m_txg;
    pointer.size_bytes = bytes;
    pointer.checksum_kind = m_pool.trees().checksum_kind;
    pointer.level = static_cast<u8>(index);
    pointer.copies = static_cast<u8>(m_pool.trees().copies);
    VdevId avoid(0xffff);
    for (u32 copy = 0; copy < pointer.copies; copy++) {
        pointer.dva[copy] = TRY(m_room.take(bytes / k_block_size, avoid));
        avoid = pointer.dva[copy].vdev;
    }
    pointer.checksum = checksum_of(pointer.checksum_kind, { level.buffer, bytes });
    const core_segment segment { level.buffer, bytes };
    IoBatch batch;
    for (u32 copy = 0; copy < pointer.copies; copy++) {
        batch.begin();
        m_pool.vdevs().write(pointer.dva[copy], { &segment, 1 }, HOST_IO_META, IoBatch::done, &batch);
    }
    TRY(batch.wait());
    level.is_open = false;
    return pointer;
}

Status NodeBuilder::close(u32 index)
{
    const NodePointer pointer = TRY(write(index));
    DiskNodePointer disk;
    pointer.encode(disk);
    const Level& level = m_levels[index];
    return put(index + 1, { level.low, level.low_bytes }, bytes_of(disk));
}

Status NodeBuilder::put(u32 index, Bytes key, Bytes value)
{
    if (index >= k_max_tree_height)
        return Error::contradiction;
    Level& level = m_levels[index];
    if (level.is_open && !level.page.can_hold(NodePage::item_cost(key.size(), value.size())))
        TRY(close(index));
    const bool is_first = !level.is_open;
    if (is_first) {
        if (!level.buffer)
            level.buffer = static_cast<u8*>(host_pool_alloc(m_buffers, 0));
        if (!level.buffer)
            return Error::no_memory;
        zero_bytes(level.buffer, m_pool.cache().node_bytes());
        level.page = NodePage(level.buffer, m_pool.cache().node_bytes());
        level.page.initialise(m_owner, static_cast<u8>(index), m_txg.value());
        level.is_open = true;
        level.low_bytes = static_cast<u32>(key.size());
        copy_bytes(level.low, key.data(), key.size());
    }
    level.page.insert(level.page.count(), index > 0 && is_first ? Bytes() : key, value);
    return {};
}

Result<bool> NodeBuilder::add(Bytes key, Bytes value)
{
    const bool is_item = !key.is_empty() && key.size() <= k_max_key_bytes
        && key.size() + value.size() <= max_item_bytes(m_pool.cache().node_bytes());
    if (!is_item || (m_count && compare(key, { m_last, m_last_bytes }) <= 0))
        return false;
    TRY(put(0, key, value));
    m_last_bytes = static_cast<u32>(key.size());
    copy_bytes(m_last, key.data(), key.size());
    m_count++;
    return true;
}

// A level that has been written to has another above it, so the first one that has not is the root.
Result<NodePointer> NodeBuilder::finish()
{
    if (m_count == 0)
        return NodePointer();
    for (u32 level = 0;; level++) {
        if (level + 1 == k_max_tree_height || !m_levels[level + 1].is_open)
            return write(level);
        TRY(close(level));
    }
}

Result<RecordRoot> NodeBuilder::finish_root()
{
    RecordRoot root;
    root.kind = m_owner.kind;
    if (m_count == 0)
        return root;
    const u32 limit = m_owner.kind == TreeKind::xattrs ? k_inline_xattr_bytes : k_inline_root_bytes;
    const NodePage& page = m_levels[0].page;
    if (!m_levels[1].is_open && TreeWriter::inline_bytes(page) <= limit) {
        root.form = RootForm::inlined;
        root.items = { m_inline.begin(), TreeWriter::encode_inline(page, m_inline.span()) };
        return root;
    }
    root.form = RootForm::node;
    root.pointer = TRY(finish());
    return root;
}

}
