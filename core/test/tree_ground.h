// SPDX-License-Identifier: GPL-2.0-only
// What tests of trees stand on: two devices, an allocator, a cache, one tree, and an array that says what it should hold.
#pragma once

#include "core/codec/checksum.h"
#include "core/test/device.h"
#include "core/test/failure.h"
#include "core/test/test.h"
#include "core/tree/tree.h"

namespace lcpfs {

// Names of several tests' grounds are alike.
namespace tree_test {

constexpr u32 k_node_bytes = 16384;
constexpr u32 k_keys = 1200;
constexpr u64 k_device_bytes = 24ull << 20;
constexpr DiskGuid k_pool { { 9, 8, 7 } };
constexpr TreeOwner k_owner { TreeKind::directory, 1, 77 };

enum class Keys : u8 { numbers, texts, long_texts };

// What key `k` holds.
struct Model {
    u16 size_plus_1[k_keys] {}; // 0: no such item
    u32 seed[k_keys] {};

    bool has(u32 k) const { return size_plus_1[k] != 0; }
    u32 size(u32 k) const { return size_plus_1[k] - 1u; }
    u32 count() const
    {
        u32 items = 0;
        for (u16 size : size_plus_1)
            items += size != 0;
        return items;
    }
    u32 at_least(u32 k) const // k_keys: none
    {
        while (k < k_keys && !has(k))
            k++;
        return k;
    }
    u32 at_most(u32 k) const // k_keys: none
    {
        while (k < k_keys && !has(k))
            k--;
        return k < k_keys ? k : k_keys;
    }
};

class Ground {
public:
    Ground() : m_a(k_device_bytes), m_b(k_device_bytes) {}
    ~Ground()
    {
        while (Node* node = written.pop_front())
            node->unreference();
    }

    Status start(Keys which)
    {
        if (!m_a || !m_b)
            return Error::no_memory;
        keys = which;
        host_bdev* const bdevs[] = { m_a.get(), m_b.get() };
        Vector<Box<Vdev>> made;
        for (u16 i = 0; i < 2; i++) {
            Box<Vdev> vdev = TRY(make_box<Vdev>());
            vdev->id = VdevId(i);
            vdev->bdev = bdevs[i];
            vdev->capacity_blocks = k_device_bytes / k_block_size;
            vdev->metaslab_blocks = 1024;
            vdev->metaslab_count = 5;
            TRY(made.push_back(lcpfs::move(vdev)));
        }
        vdevs = TRY(VdevSet::create(lcpfs::move(made)));
        allocator = TRY(Allocator::create(*vdevs, k_pool, k_node_bytes / k_block_size));
        allocator->format_all();
        cache = TRY(NodeCache::create(*vdevs, k_node_bytes, 1u << 20));
        TRY(allocator->reserve());
        TRY(cache->reserve());
        context = TRY(make_box<TreeContext>(*cache, *allocator, 2u, ChecksumKind::xxh64));
        return reload(NodePointer());
    }
    Status reload(const NodePointer& pointer)
    {
        tree.reset();
        cache->evict(~0ull);
        tree = TRY(make_box<Tree>(*context, k_owner, Must::may_fail));
        tree->start_from(pointer);
        return {};
    }

    u32 random(u32 below)
    {
        m_seed = m_seed * 6364136223846793005ull + 1442695040888963407ull;
        return static_cast<u32>(m_seed >> 33) % below;
    }

    // Key `k` in order of k.
    Bytes key(u32 k)
    {
        BigEndianKey number(keys == Keys::numbers ? u64(k) * 977 + 3 : u64(k) << 48);
        copy_bytes(m_key, number.data(), 8);
        if (keys == Keys::numbers)
            return { m_key, 8 };
        u32 bytes = k % 50 == 7 ? k_max_key_bytes : 2 + k * 7 % 60;
        if (keys == Keys::long_texts)
            bytes = k_max_key_bytes - k % 14;
        __builtin_memset(m_key + 2, 0x55, bytes - 2);
        return { m_key, bytes };
    }
    Bytes value(u32 seed, u32 bytes)
    {
        for (u32 i = 0; i < bytes; i++)
            m_value[i] = static_cast<u8>(seed + i * (1 + seed % 3));
        return { m_value, bytes };
    }
    u32 random_size(u32 k)
    {
        if (random(40) == 0)
            return max_item_bytes(k_node_bytes) - static_cast<u32>(key(k).size());
        if (keys == Keys::long_texts)
            return random(2000);
        return random(3) ? random(60) : random(500);
    }

    // Item `k` gives way to a smaller one and one under the next key. False, nothing changed: that belongs to another leaf.
    Result<bool> divide(TxgId txg, u32 k)
    {
        const u32 sizes[] = { random(model.size(k) + 1), random_size(k + 1) };
        NodeItem items[2];
        i32 more_bytes = -static_cast<i32>(NodePage::item_cost(0, model.size(k)) + key(k).size());
        for (u32 i = 0; i < 2; i++) {
            const Bytes name = key(k + i);
            copy_bytes(m_both_keys[i], name.data(), name.size());
            copy_bytes(m_both_values[i], value(k + i, sizes[i]).data(), sizes[i]);
            items[i] = { { m_both_keys[i], name.size() }, { m_both_values[i], sizes[i] } };
            more_bytes += NodePage::item_cost(name.size(), sizes[i]);
        }
        if (!TRY(tree->prepare_divide(txg, items[0].key, items[1].key, static_cast<u32>(max(more_bytes, 0)))))
            return false;
        if (!tree->divide(items[0].key, items))
            return Error::contradiction;
        for (u32 i = 0; i < 2; i++) {
            model.size_plus_1[k + i] = static_cast<u16>(sizes[i] + 1);
            model.seed[k + i] = k + i;
        }
        divisions++;
        return true;
    }

    // One change, of which the first try may run out of memory.
    Status change(TxgId txg, u32 k, bool removes)
    {
        if (removes && !model.has(k))
            return {};
        if (!removes && model.has(k) && k + 1 < k_keys && !model.has(k + 1) && random(2) && TRY(divide(txg, k)))
            return {};
        const u32 bytes = removes ? 0 : random_size(k);
        const u32 seed = random(1000);
        auto prepare = [&]() -> Status { return removes ? tree->prepare_change(txg, key(k)) : tree->prepare_insert(txg, key(k), bytes); };
        if (random(6) == 0) {
            lcpfs_test_fail_allocation(1 + random(4));
            Status status = prepare();
            lcpfs_test_fail_allocation(0);
            if (status.is_error() && status.error() != Error::no_memory)
                return status;
            failures += status.is_error();
            if (status.is_error() && failures % 8 == 0 && !is_model())
                return Error::contradiction;
        }
        TRY(prepare());
        if (removes)
            tree->remove(txg, key(k));
        else if (model.has(k))
            tree->update(key(k), value(seed, bytes));
        else
            tree->insert(key(k), value(seed, bytes));
        model.size_plus_1[k] = static_cast<u16>(removes ? 0 : bytes + 1);
        model.seed[k] = seed;
        return {};
    }

    bool is_item(const Model& wanted, u32 k, Bytes found_key, Bytes found_value)
    {
        return k < k_keys && wanted.has(k) && equal(found_key, key(k)) && equal(found_value, value(wanted.seed[k], wanted.size(k)));
    }
    // The tree as it is now, by cursor from end to end.
    bool is_model()
    {
        auto cursor = make_box<TreeCursor>();
        if (cursor.is_error())
            return false;
        u8 zero = 0;
        auto found = tree->seek({ &zero, 1 }, *cursor.value());
        u32 k = model.at_least(0);
        while (found.is_ok() && found.value()) {
            if (!is_item(model, k, cursor.value()->key(), cursor.value()->value()))
                return false;
            k = model.at_least(k + 1);
            // Result is not assignable.
            auto more = tree->next(*cursor.value());
            if (more.is_error())
                return false;
            if (!more.value())
                return k == k_keys;
        }
        return found.is_ok() && k == k_keys;
    }

    // A version, without the tree's help. `next`: the key that has to come.
    bool walk(Node& node, const Model& wanted, u32& next)
    {
        for (u32 i = 0; i < node.page().count(); i++) {
            if (node.level() == 0) {
                next = wanted.at_least(next);
                if (!is_item(wanted, next, node.page().key(i), node.page().value(i)))
                    return false;
                next++;
                continue;
            }
            if (Node* child = node.child(i)) {
                if (child->level() + 1 != node.level() || !walk(*child, wanted, next))
                    return false;
                continue;
            }
            DiskNodePointer disk;
            copy_bytes(&disk, node.page().value(i).data(), sizeof(disk));
            auto pointer = NodePointer::decode(disk);
            if (pointer.is_error())
                return false;
            auto child = cache->get(pointer.value(), k_owner);
            if (child.is_error() || !walk(*child.value(), wanted, next))
                return false;
        }
        return true;
    }
    bool is_version(const TreeVersion& version, const Model& wanted)
    {
        u32 next = 0;
        if (version.root) {
            if (!walk(*version.root, wanted, next))
                return false;
        } else if (!version.pointer.is_null()) {
            auto root = cache->get(version.pointer, k_owner);
            if (root.is_error() || !walk(*root.value(), wanted, next))
                return false;
        }
        return wanted.at_least(next) == k_keys;
    }

    // Writes what `txg` closed with.
    Status write(TxgId txg, const TreeVersion& version)
    {
        IoBatch batch;
        TreeWriter writer(*context, batch);
        auto root = writer.write(version, 0, written);
        Status freed = tree->free_dead(txg);
        Status done = batch.wait();
        pointer = TRY(lcpfs::move(root));
        TRY(freed);
        TRY(done);
        TRY(allocator->visit_changed([](VdevId, u32) { return Status(); }));
        TRY(allocator->write_changed(txg, batch, [](VdevId, u32, const DiskMetaslabEntry&) { return Status(); }));
        TRY(batch.wait());
        allocator->after_commit(txg);
        return {};
    }

    u64 used_blocks() const
    {
        AllocatorCounts counts = allocator->counts();
        return counts.total_blocks - counts.free_blocks - counts.deferred_blocks;
    }
    void poke(const Dva& dva, const u8* bytes, u32 count)
    {
        lcpfs_test_device_poke(dva.vdev.value() ? m_b.get() : m_a.get(), dva.block * k_block_size, bytes, count);
    }

    // Seals `page` into a place and gives the pointer.
    Status put_node(NodePage& page, NodePointer& pointer)
    {
        pointer = NodePointer();
        pointer.dva[0] = TRY(allocator->allocate(AllocClass::metadata, 4, 4));
        pointer.copies = 1;
        pointer.birth = TxgId(page.header().birth_txg.get());
        pointer.size_bytes = k_node_bytes;
        pointer.level = page.level();
        pointer.checksum_kind = ChecksumKind::xxh64;
        pointer.checksum = checksum_of(pointer.checksum_kind, { page.buffer(), k_node_bytes });
        poke(pointer.dva[0], page.buffer(), k_node_bytes);
        return {};
    }

    Keys keys { Keys::numbers };
    Model model, closed; // now, and of the version being written
    Box<VdevSet> vdevs;
    Box<Allocator> allocator;
    Box<NodeCache> cache;
    Box<TreeContext> context;
    bool is_focused { false }; // changes stand near each other, and the tree knows
    Box<Tree> tree;
    WrittenList written;
    NodePointer pointer; // of the last version written
    u32 failures { 0 };
    u32 divisions { 0 };

private:
    TestDevice m_a, m_b;
    u64 m_seed { 12345 };
    u8 m_key[k_max_key_bytes];
    u8 m_value[k_node_bytes / 4];
    u8 m_both_keys[2][k_max_key_bytes];
    u8 m_both_values[2][k_node_bytes / 4];
};

}

}
