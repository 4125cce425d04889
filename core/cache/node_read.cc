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

constexpr size_t k_read_together = 8;

void NodeCache::read_ahead(Span<const Wanted> wanted)
{
    for (size_t at = 0; at < wanted.size(); at += k_read_together)
        read_together(wanted.slice(at, min(wanted.size() - at, k_read_together)));
}

void NodeCache::read_together(Span<const Wanted> wanted)
{
    IoBatch batch;
    Ref<Node> nodes[k_read_together];
    core_segment segments[k_read_together];
    for (size_t i = 0; i < wanted.size(); i++) {
        const NodePointer& pointer = wanted[i].pointer;
        if (pointer.is_null() || pointer.size_bytes != m_node_bytes)
            continue;
        const Result<Ref<Node>> found = find(pointer, wanted[i].owner);
        if (found.is_error() || found.value())
            continue;
        Result<Ref<Node>> made = make_node(m_node_bytes, pointer.level > 0, pointer.birth, Node::State::clean, Must::may_fail);
        if (made.is_error())
            break;
        nodes[i] = made.release_value();
        nodes[i]->m_page.initialise(wanted[i].owner, pointer.level, 0);
        nodes[i]->m_pointer = pointer;
        segments[i] = { nodes[i]->m_page.buffer(), m_node_bytes };
        batch.begin();
        m_vdevs.read(pointer.dva[0], { &segments[i], 1 }, HOST_IO_META | HOST_IO_SYNC, IoBatch::done, &batch);
    }
    const bool is_read = batch.wait().is_ok();
    for (size_t i = 0; i < wanted.size(); i++) {
        if (!nodes[i])
            continue;
        const NodePointer& pointer = wanted[i].pointer;
        const Bytes bytes { nodes[i]->m_page.buffer(), m_node_bytes };
        if (is_read && checksum_of(pointer.checksum_kind, bytes) == pointer.checksum
            && nodes[i]->m_page.verify(wanted[i].owner, pointer.level, pointer.birth.value()).is_ok()) {
            m_counters.reads.add_relaxed(1);
            nodes[i]->m_page.recount();
            insert_unless_present(nodes[i]);
        } else {
            nodes[i]->m_page.initialise(wanted[i].owner, pointer.level, 0); // names no children that could be let go of
        }
    }
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
