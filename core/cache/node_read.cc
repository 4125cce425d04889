// SPDX-License-Identifier: GPL-2.0-only
// Reading a node: every copy in turn, verified, bad copies rewritten from the good one.
#include "core/base/format_text.h"
#include "core/cache/node_cache.h"
#include "core/codec/checksum.h"
#include "core/test/breakage.h"

namespace lcpfs {

Status NodeCache::read_copy(Node& node, const NodePointer& pointer, u32 copy, const TreeOwner& owner)
{
    IoBatch batch;
    core_segment segment { node.m_page.buffer(), m_node_bytes };
    u8 served_by = 0;
    batch.begin();
    m_vdevs.read(pointer.dva[copy], { &segment, 1 }, HOST_IO_META | HOST_IO_SYNC, IoBatch::done, &batch, &served_by);
    TRY(batch.wait());
    auto matches = [&] {
        return checksum_of(pointer.checksum_kind, { node.m_page.buffer(), m_node_bytes }) == pointer.checksum || breakage::skip_checksum;
    };
    VERIFY_DISK(matches() || m_vdevs.reread(pointer.dva[copy], { &segment, 1 }, served_by, matches), node_checksum);
    return node.m_page.verify(owner, pointer.level, pointer.birth.value());
}

void NodeCache::read_ahead(Span<const Wanted> wanted)
{
    Ahead ahead(*this);
    for (size_t at = 0; at < wanted.size(); at += Ahead::k_most) {
        ahead.start(wanted.slice(at, wanted.size() - at));
        ahead.finish();
    }
}

void NodeCache::Ahead::start(Span<const Wanted> wanted)
{
    for (size_t i = 0; i < min(wanted.size(), k_most); i++) {
        const NodePointer& pointer = wanted[i].pointer;
        if (pointer.is_null() || pointer.size_bytes != m_cache.m_node_bytes)
            continue;
        const Result<Ref<Node>> found = m_cache.find(pointer, wanted[i].owner);
        if (found.is_error() || found.value())
            continue;
        Result<Ref<Node>> made
            = m_cache.make_node(m_cache.m_node_bytes, pointer.level > 0, pointer.birth, Node::State::clean, Must::may_fail);
        if (made.is_error())
            break;
        m_nodes[i] = made.release_value();
        m_nodes[i]->m_page.initialise(wanted[i].owner, pointer.level, 0);
        m_nodes[i]->m_pointer = pointer;
        m_owners[i] = wanted[i].owner;
        m_segments[i] = { m_nodes[i]->m_page.buffer(), m_cache.m_node_bytes };
        m_batch.begin();
        m_cache.m_vdevs.read(pointer.dva[0], { &m_segments[i], 1 }, HOST_IO_META | HOST_IO_SYNC, IoBatch::done, &m_batch);
    }
}

void NodeCache::Ahead::finish()
{
    const bool is_read = m_batch.wait().is_ok();
    for (size_t i = 0; i < k_most; i++) {
        if (!m_nodes[i])
            continue;
        Ref<Node> node = lcpfs::move(m_nodes[i]);
        const NodePointer& pointer = node->m_pointer;
        const Bytes bytes { node->m_page.buffer(), m_cache.m_node_bytes };
        if (is_read && checksum_of(pointer.checksum_kind, bytes) == pointer.checksum
            && node->m_page.verify(m_owners[i], pointer.level, pointer.birth.value()).is_ok()) {
            m_cache.m_counters.reads.add_relaxed(1);
            node->m_page.recount();
            m_cache.insert_unless_present(node);
        } else {
            node->m_page.initialise(m_owners[i], pointer.level, 0); // names no children that could be let go of
        }
    }
}

Status NodeCache::add_edge(const NodePointer& root, const TreeOwner& owner, bool last, Vector<Wanted>& wanted)
{
    NodePointer pointer = root;
    while (!pointer.is_null()) {
        const Ref<Node> node = TRY(find(pointer, owner));
        if (!node)
            return wanted.push_back({ pointer, owner });
        const NodePage& page = node->page();
        if (page.level() == 0 || page.count() == 0)
            break;
        const Bytes value = page.value(last ? page.count() - 1 : 0);
        VERIFY_DISK(value.size() == sizeof(DiskNodePointer), node_damaged);
        DiskNodePointer disk;
        copy_bytes(&disk, value.data(), sizeof(disk));
        pointer = TRY(NodePointer::decode(disk));
        VERIFY_DISK(pointer.level + 1 == page.level(), node_damaged);
    }
    return {};
}

void NodeCache::trace_bad_copy(const Dva& place, const TreeOwner& owner) const
{
    const host_checksum_trace what { m_vdevs.pool_name(), owner.object, ~0ull, place.block, place.vdev.value(),
                                     static_cast<u32>(owner.dataset) };
    host_trace_checksum(&what);
}

Result<Ref<Node>> NodeCache::read(const NodePointer& pointer, const TreeOwner& owner, Must must)
{
    VERIFY_DISK(!pointer.is_null() && pointer.size_bytes == m_node_bytes, node_damaged);
    Ref<Node> node = TRY(make_node(m_node_bytes, pointer.level > 0, pointer.birth, Node::State::clean, must));
    // Until verified the page claims no items, so that dropping the node follows nothing.
    node->m_page.initialise(owner, pointer.level, 0);
    node->m_pointer = pointer;
    Error last = Error::node_damaged;
    u32 bad_copies = 0;
    for (u32 copy = 0; copy < pointer.copies; copy++) {
        Status status = read_copy(*node, pointer, copy, owner);
        if (status.is_ok()) {
            m_counters.reads.add_relaxed(1);
            node->m_page.recount();
            if (bad_copies)
                repair(*node, pointer, bad_copies);
            return node;
        }
        last = status.error();
        bad_copies |= 1u << copy;
        m_counters.checksum_errors.add_relaxed(1);
        if (host_tracing & HOST_TRACE_CHECKSUM)
            trace_bad_copy(pointer.dva[copy], owner);
        TextLine line;
        line.add("metadata node of object ").add(owner.object).add(" in dataset ").add(owner.dataset);
        line.add(", tree ").add(u64(owner.kind)).add(" level ").add(u64(pointer.level));
        line.add(", copy ").add(u64(copy + 1)).add(" of ").add(u64(pointer.copies));
        line.add(" at device ").add(u64(pointer.dva[copy].vdev.value())).add(" block ").add(pointer.dva[copy].block);
        line.add(": ").add(text_of(last));
        m_vdevs.log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
        node->m_page.initialise(owner, pointer.level, 0);
    }
    return last;
}

void NodeCache::repair(Node& node, const NodePointer& pointer, u32 bad_copies)
{
    if (!m_repair.load_relaxed())
        return;
    core_segment segment { node.m_page.buffer(), m_node_bytes };
    for (u32 copy = 0; copy < pointer.copies; copy++) {
        if (!(bad_copies & 1u << copy))
            continue;
        IoBatch batch;
        batch.begin();
        m_vdevs.write(pointer.dva[copy], { &segment, 1 }, HOST_IO_META, IoBatch::done, &batch);
        if (batch.wait().is_ok())
            m_counters.repairs.add_relaxed(1);
    }
}

}
