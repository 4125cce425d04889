// SPDX-License-Identifier: GPL-2.0-only
// Tree: writing a closed version, and what follows it.
#include "core/codec/checksum.h"
#include "core/tree/tree.h"

namespace lcpfs {

namespace {

// One node on its way to its copies.
struct NodeWrite {
    NodeCache* cache;
    IoBatch* batch;
    u8* buffer;
    Atomic<u32> remaining { 0 };
    Atomic<u16> error { 0 };
};
static_assert(sizeof(NodeWrite) <= NodeCache::k_write_state_bytes);

void node_write_done(void* context, Error error)
{
    NodeWrite* write = static_cast<NodeWrite*>(context);
    if (error != Error::none)
        write->error.store(static_cast<u16>(error));
    if (write->remaining.sub(1) != 0)
        return;
    IoBatch* batch = write->batch;
    Error first = static_cast<Error>(write->error.load());
    write->cache->release_write(write->buffer, write);
    batch->finish(first);
}

}

u32 TreeWriter::inline_bytes(const NodePage& page)
{
    return 2 + page.used_bytes() + page.count() * static_cast<u32>(4 - sizeof(DiskNodeSlot));
}

bool TreeWriter::is_inline(const TreeVersion& version, u32 inline_limit)
{
    if (!version.root || version.root->level() > 0)
        return false;
    return version.root->page().count() == 0 || inline_bytes(version.root->page()) <= inline_limit;
}

u32 TreeWriter::encode_inline(const NodePage& page, MutableBytes out)
{
    u32 at = 0;
    auto put16 = [&](size_t value) {
        out[at++] = static_cast<u8>(value);
        out[at++] = static_cast<u8>(value >> 8);
    };
    put16(page.count());
    for (u32 i = 0; i < page.count(); i++) {
        Bytes key = page.key(i);
        Bytes value = page.value(i);
        put16(key.size());
        put16(value.size());
        copy_bytes(out.data() + at, key.data(), key.size());
        copy_bytes(out.data() + at + key.size(), value.data(), value.size());
        at += static_cast<u32>(key.size() + value.size());
    }
    return at;
}

Status TreeWriter::assign_node(Node& node)
{
    if (!node.pointer().is_null())
        return {};
    u32 blocks = m_context.cache.node_blocks();
    NodePointer pointer;
    pointer.birth = node.birth();
    pointer.size_bytes = m_context.cache.node_bytes();
    pointer.checksum_kind = m_context.checksum_kind;
    pointer.level = node.level();
    for (u32 copy = 0; copy < m_context.copies; copy++) {
        VdevId avoid = copy ? pointer.dva[copy - 1].vdev : VdevId(0xffff);
        auto place = m_context.allocator.allocate(AllocClass::metadata, blocks, blocks, avoid);
        if (place.is_error()) {
            // A further copy is worth having, not worth failing for.
            if (copy > 0 && place.error() == Error::no_space)
                break;
            return place.error();
        }
        TRY(m_context.allocator.mark_used(place.value()));
        pointer.dva[copy] = place.value();
        pointer.copies = static_cast<u8>(copy + 1);
    }
    node.set_place(pointer);
    return {};
}

Status TreeWriter::assign_below(Node& node)
{
    if (node.state() != Node::State::dirty)
        return {};
    if (node.level() > 0)
        for (u32 i = 0; i < node.page().count(); i++)
            if (Node* child = node.child(i))
                TRY(assign_below(*child));
    return assign_node(node);
}

Status TreeWriter::assign(const TreeVersion& version)
{
    return version.root && version.root->page().count() ? assign_below(*version.root) : Status();
}

// The page as it goes to disk: full size, children's pointers filled in, checksum into the node's pointer.
void TreeWriter::emit(Node& node, WrittenList& written)
{
    NodeCache& cache = m_context.cache;
    u32 bytes = cache.node_bytes();
    u8* buffer = cache.write_buffer();
    NodePage image(buffer, bytes);
    zero_bytes(buffer, bytes);
    node.page().copy_to(image);
    if (node.level() > 0) {
        for (u32 i = 0; i < image.count(); i++) {
            if (Node* child = node.child(i)) {
                DiskNodePointer disk;
                child->pointer().encode(disk);
                copy_bytes(image.mutable_value(i).data(), &disk, sizeof(disk));
            }
        }
    }
    NodePointer pointer = node.pointer();
    pointer.checksum = checksum_of(pointer.checksum_kind, { buffer, bytes });
    node.mark_written(pointer);
    m_context.dirty_bytes.sub(m_context.disk_bytes(node));
    m_context.node_writes.add_relaxed(1);
    node.reference();
    written.push_back(node);

    NodeWrite* write = ::new (cache.write_state()) NodeWrite { &cache, &m_batch, buffer };
    write->remaining.store(pointer.copies);
    m_batch.begin();
    core_segment segment { buffer, bytes };
    for (u32 copy = 0; copy < pointer.copies; copy++)
        cache.vdevs().write(pointer.dva[copy], { &segment, 1 }, HOST_IO_META, node_write_done, write);
    host_yield();
}

Status TreeWriter::write_below(Node& node, WrittenList& written)
{
    if (node.state() != Node::State::dirty)
        return {};
    if (node.level() > 0)
        for (u32 i = 0; i < node.page().count(); i++)
            if (Node* child = node.child(i))
                TRY(write_below(*child, written));
    TRY(assign_node(node));
    emit(node, written);
    return {};
}

Result<NodePointer> TreeWriter::write(const TreeVersion& version, u32 inline_limit, WrittenList& written)
{
    if (!version.root)
        return version.pointer;
    Node& root = *version.root;
    if (root.page().count() == 0 || is_inline(version, inline_limit)) {
        if (root.state() == Node::State::dirty) {
            m_context.dirty_bytes.sub(m_context.disk_bytes(root));
            root.mark_written(NodePointer());
            root.reference();
            written.push_back(root);
        }
        return NodePointer();
    }
    if (root.state() == Node::State::clean && root.pointer().is_null()) {
        // An inline root that no longer may be (limits differ): cannot happen within one version of the format.
        return Error::contradiction;
    }
    TRY(write_below(root, written));
    return root.pointer();
}

Status Tree::free_dead(TxgId txg)
{
    DeadList& dead = m_dead[txg.value() & 3];
    Status result;
    while (Node* node = dead.pop_front()) {
        const NodePointer& pointer = node->pointer();
        for (u32 i = 0; i < pointer.copies; i++) {
            Status status = m_context.allocator.mark_free(pointer.dva[i], txg);
            if (status.is_error() && result.is_ok())
                result = status.error();
        }
        if (!pointer.is_null())
            m_context.cache.forget(*node);
        node->unreference();
    }
    return result;
}

void Tree::settle(WrittenList& written)
{
    while (Node* node = written.pop_front()) {
        Ref<Node> held = Ref<Node>::adopt(*node);
        if (node->level() > 0) {
            for (u32 i = 0; i < node->page().count(); i++) {
                Node* child = node->child(i);
                if (!child || child->state() == Node::State::dirty)
                    continue;
                DiskNodePointer disk;
                child->pointer().encode(disk);
                copy_bytes(node->page().mutable_value(i).data(), &disk, sizeof(disk));
                node->set_child(i, Ref<Node>());
            }
        }
        node->mark_clean();
        if (!node->pointer().is_null() && !node->m_dead_link.is_linked())
            m_context.cache.insert(*node);
    }
    if (m_root && m_root->state() == Node::State::clean && !m_root->pointer().is_null()) {
        m_pointer = m_root->pointer();
        m_root.reset();
    }
}

}
