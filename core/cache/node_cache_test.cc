// SPDX-License-Identifier: GPL-2.0-only
#include "core/cache/node_cache.h"

#include "core/codec/checksum.h"
#include "core/host/vector.h"
#include "core/test/device.h"
#include "core/test/failure.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr u32 k_node_bytes = 16384;
constexpr u32 k_node_blocks = k_node_bytes / k_block_size;
constexpr u64 k_device_bytes = 16ull << 20;
constexpr TreeOwner k_owner { TreeKind::objects, 1, 0 };

struct Ground {
    Ground() : a(k_device_bytes), b(k_device_bytes) {}
    Status start(u64 limit_bytes)
    {
        if (!a || !b)
            return Error::no_memory;
        host_bdev* const bdevs[] = { a.get(), b.get() };
        Vector<Box<Vdev>> made;
        for (u16 i = 0; i < 2; i++) {
            Box<Vdev> vdev = TRY(make_box<Vdev>());
            vdev->id = VdevId(i);
            vdev->bdev = bdevs[i];
            vdev->capacity_blocks = k_device_bytes / k_block_size;
            vdev->metaslab_blocks = 1024;
            vdev->metaslab_count = 3;
            TRY(made.push_back(lcpfs::move(vdev)));
        }
        vdevs = TRY(VdevSet::create(lcpfs::move(made)));
        cache = TRY(NodeCache::create(*vdevs, k_node_bytes, limit_bytes));
        return image.resize(k_node_bytes);
    }
    host_bdev* device(u32 copy) { return copy ? b.get() : a.get(); }

    // A leaf with `number` in it, in both its places on the devices.
    NodePointer put(u32 number)
    {
        zero_bytes(image.begin(), k_node_bytes);
        NodePage page(image.begin(), k_node_bytes);
        page.initialise(k_owner, 0, 5);
        const BigEndianKey key(number);
        page.insert(0, { key.data(), 8 }, bytes_of(number));
        NodePointer pointer;
        pointer.copies = 2;
        for (u16 i = 0; i < 2; i++)
            pointer.dva[i] = { k_first_metaslab_block + 2 + u64(number) * k_node_blocks, k_node_blocks, VdevId(i) };
        pointer.birth = TxgId(5);
        pointer.size_bytes = k_node_bytes;
        pointer.checksum_kind = ChecksumKind::xxh64;
        pointer.checksum = checksum_of(ChecksumKind::xxh64, { image.begin(), k_node_bytes });
        for (u32 i = 0; i < 2; i++)
            lcpfs_test_device_poke(device(i), pointer.dva[i].block * k_block_size, image.begin(), k_node_bytes);
        return pointer;
    }
    void flip(const NodePointer& pointer, u32 copy, u32 at)
    {
        u8 byte;
        lcpfs_test_device_peek(device(copy), pointer.dva[copy].block * k_block_size + at, &byte, 1);
        byte ^= 0x10;
        lcpfs_test_device_poke(device(copy), pointer.dva[copy].block * k_block_size + at, &byte, 1);
    }
    bool is_on_device(const NodePointer& pointer, u32 copy)
    {
        lcpfs_test_device_peek(device(copy), pointer.dva[copy].block * k_block_size, image.begin(), k_node_bytes);
        return checksum_of(pointer.checksum_kind, { image.begin(), k_node_bytes }) == pointer.checksum;
    }
    // From the cache or a device.
    bool is_node(const NodePointer& pointer, u32 number)
    {
        auto node = cache->get(pointer, k_owner);
        return node.is_ok() && node.value()->page().count() == 1 && equal(node.value()->page().value(0), bytes_of(number))
            && node.value()->state() == Node::State::clean && node.value()->birth() == TxgId(5);
    }

    TestDevice a, b;
    Box<VdevSet> vdevs;
    Box<NodeCache> cache;
    Vector<u8> image;
};

}

static void hits_and_eviction(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(64u << 20));
    NodeCache& cache = *ground->cache;
    constexpr u32 k_nodes = 100;
    Vector<NodePointer> pointers;
    for (u32 i = 0; i < k_nodes; i++)
        REQUIRE_OK(pointers.push_back(ground->put(i)));
    for (u32 round = 0; round < 3; round++)
        for (u32 i = 0; i < k_nodes; i++)
            REQUIRE(ground->is_node(pointers[i], i));
    CHECK_EQ(cache.counters().reads.load(), k_nodes);
    CHECK_EQ(cache.counters().nodes.load(), k_nodes);
    CHECK_EQ(cache.counters().bytes.load(), k_nodes * k_node_bytes);
    {
        // Twice the same, and not to be evicted meanwhile.
        auto first = cache.get(pointers[7], k_owner);
        auto second = cache.get(pointers[7], k_owner);
        REQUIRE_OK(first);
        REQUIRE_OK(second);
        CHECK(first.value().get() == second.value().get());
        for (u32 i = 0; i < 20; i++)
            cache.evict(1000); // second chances
        CHECK_EQ(cache.counters().nodes.load(), 1u);
        CHECK_EQ(cache.counters().bytes.load(), k_node_bytes);
        CHECK(ground->is_node(pointers[7], 7));
        CHECK_EQ(cache.counters().reads.load(), k_nodes);
        // Forgotten, but still somebody's.
        cache.forget(*first.value());
        cache.forget(*first.value());
        CHECK_EQ(cache.counters().nodes.load(), 0u);
        CHECK_EQ(first.value()->page().count(), 1u);
    }
    CHECK(ground->is_node(pointers[7], 7));
    CHECK_EQ(cache.counters().reads.load(), k_nodes + 1);
    // The same place in another group is another node.
    NodePointer later = pointers[7];
    later.birth = TxgId(6);
    CHECK_ERROR(cache.get(later, k_owner), node_identity);
    // A cached node under another owner's pointer.
    CHECK_ERROR(cache.get(pointers[7], (TreeOwner { TreeKind::objects, 1, 9 })), node_identity);
    CHECK_ERROR(cache.get(pointers[7], (TreeOwner { TreeKind::orphans, 1, 0 })), node_identity);
    later = pointers[7];
    later.level = 1;
    CHECK_ERROR(cache.get(later, k_owner), node_identity);
    CHECK_ERROR(cache.get(NodePointer(), k_owner), node_damaged);
    later = pointers[8];
    later.size_bytes = 32768;
    CHECK_ERROR(cache.get(later, k_owner), node_damaged);
}

static void another_limit(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(64u << 20));
    NodeCache& cache = *ground->cache;
    constexpr u32 k_nodes = 100;
    Vector<NodePointer> pointers;
    for (u32 i = 0; i < k_nodes; i++) {
        REQUIRE_OK(pointers.push_back(ground->put(i)));
        REQUIRE(ground->is_node(pointers[i], i));
    }
    auto used = cache.get(pointers[3], k_owner);
    REQUIRE_OK(used);
    cache.set_limit(10 * k_node_bytes);
    CHECK_EQ(cache.limit_bytes(), 10 * k_node_bytes);
    CHECK(cache.counters().bytes.load() <= 10 * k_node_bytes);
    CHECK(used.value()->page().count() == 1);
    // It stays below while others are read, but for the shards' rests.
    for (u32 i = 0; i < k_nodes; i++)
        REQUIRE(ground->is_node(pointers[i], i));
    CHECK(cache.counters().bytes.load() <= 20 * k_node_bytes);
    // What is in use is not dropped for any limit.
    cache.set_limit(1);
    CHECK_EQ(cache.counters().nodes.load(), 1u);
    cache.set_limit(64u << 20);
    for (u32 i = 0; i < k_nodes; i++)
        REQUIRE(ground->is_node(pointers[i], i));
    CHECK_EQ(cache.counters().nodes.load(), k_nodes);
}

static void bounded(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(20 * k_node_bytes));
    for (u32 i = 0; i < 200; i++) {
        const NodePointer pointer = ground->put(i);
        REQUIRE(ground->is_node(pointer, i));
        REQUIRE(ground->cache->counters().bytes.load() <= 22 * k_node_bytes);
    }
    CHECK(ground->cache->counters().nodes.load() >= 5);
}

static void repairing(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(1u << 20));
    NodeCache& cache = *ground->cache;
    const NodePointer pointer = ground->put(3);
    ground->flip(pointer, 0, 100);
    CHECK(ground->is_node(pointer, 3)); // from the other copy
    CHECK_EQ(cache.counters().checksum_errors.load(), 1u);
    CHECK(!ground->is_on_device(pointer, 0)); // a read-only pool is left as it is
    cache.evict(~0ull);
    cache.set_repair(true);
    CHECK(ground->is_node(pointer, 3));
    CHECK_EQ(cache.counters().repairs.load(), 1u);
    CHECK(ground->is_on_device(pointer, 0));
    CHECK(ground->is_on_device(pointer, 1));
    cache.evict(~0ull);
    // One that cannot be read at all is written again too.
    lcpfs_test_device_fail(ground->device(0), HOST_IO_READ, 0, 1);
    CHECK(ground->is_node(pointer, 3));
    CHECK_EQ(cache.counters().repairs.load(), 2u);
    cache.evict(~0ull);
    // A repair that fails does no harm.
    ground->flip(pointer, 0, 16000);
    lcpfs_test_device_fail(ground->device(0), HOST_IO_WRITE, 0, 1);
    CHECK(ground->is_node(pointer, 3));
    CHECK_EQ(cache.counters().repairs.load(), 2u);
    cache.evict(~0ull);
    // Nothing left to read: what the last copy said.
    ground->flip(pointer, 1, 5);
    CHECK_ERROR(cache.get(pointer, k_owner), node_checksum);
    lcpfs_test_device_fail(ground->device(1), HOST_IO_READ, 0, 1);
    CHECK_ERROR(cache.get(pointer, k_owner), io_error);
    CHECK_EQ(cache.counters().nodes.load(), 0u);
    ground->flip(pointer, 1, 5);
    CHECK(ground->is_node(pointer, 3));
}

static void no_memory(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(1u << 20));
    const NodePointer pointer = ground->put(1);
    for (u32 n = 1; n < 6; n++) {
        const bool fails = lcpfs_test_fail_allocation(n);
        auto node = ground->cache->get(pointer, k_owner);
        lcpfs_test_fail_allocation(0);
        if (node.is_error())
            CHECK(fails && node.error() == Error::no_memory);
        if (node.is_ok())
            ground->cache->forget(*node.value());
    }
    // The sync thread's are never refused.
    for (u32 n = 1; n < 4; n++) {
        lcpfs_test_fail_allocation(n);
        auto node = ground->cache->make(k_owner, 1, TxgId(9), 0, Must::succeed);
        lcpfs_test_fail_allocation(0);
        CHECK_OK(node);
    }
}

// A page that grows through the sizes there are, and a copy that shares children.
static void sizes(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(1u << 20));
    NodeCache& cache = *ground->cache;
    auto made = cache.make(k_owner, 0, TxgId(9), 0, Must::may_fail);
    REQUIRE_OK(made);
    Node& leaf = *made.value();
    CHECK(leaf.state() == Node::State::dirty && leaf.page().capacity() == 1024);
    u8 value[100] = { 1, 2, 3 };
    for (u32 i = 0; i < 100; i++) {
        const BigEndianKey key(i);
        const u32 cost = NodePage::item_cost(8, sizeof(value));
        REQUIRE_OK(cache.grow(leaf, cost, Must::may_fail));
        REQUIRE(leaf.page().can_hold(cost));
        leaf.page().insert(i, { key.data(), 8 }, { value, sizeof(value) });
    }
    CHECK_EQ(leaf.page().capacity(), k_node_bytes);
    CHECK_OK(leaf.page().verify(k_owner, 0, 9));
    auto inner = cache.make(k_owner, 1, TxgId(9), 0, Must::may_fail);
    REQUIRE_OK(inner);
    DiskNodePointer unresolved {};
    inner.value()->insert_child(0, made.value());
    inner.value()->page().insert(0, Bytes(), bytes_of(unresolved));
    CHECK_EQ(leaf.reference_count(), 2u);
    {
        auto copy = cache.copy(*inner.value(), TxgId(10), Must::may_fail);
        REQUIRE_OK(copy);
        CHECK(copy.value()->child(0) == &leaf && copy.value()->birth() == TxgId(10));
        CHECK_EQ(copy.value()->page().header().birth_txg.get(), 10u);
        CHECK_EQ(leaf.reference_count(), 3u);
    }
    CHECK_EQ(leaf.reference_count(), 2u);
    inner.value()->set_child(0, Ref<Node>());
    CHECK_EQ(leaf.reference_count(), 1u);
}

// More than the first table of a shard is for: all are found again, and go again.
static void crowded(Test& test)
{
    constexpr u32 k_nodes = 9000, k_bytes = 200;
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(1u << 30));
    NodeCache& cache = *ground->cache;
    NodePointer pointer;
    pointer.copies = 1;
    pointer.size_bytes = k_node_bytes;
    pointer.birth = TxgId(5);
    for (u32 i = 0; i < k_nodes; i++) {
        Ref<Node> node = REQUIRE_VALUE(cache.make(k_owner, 0, TxgId(5), k_bytes, Must::may_fail));
        pointer.dva[0] = { 1000 + u64(i) * k_node_blocks, k_node_blocks, VdevId(0) };
        node->set_place(pointer);
        node->mark_clean();
        cache.insert(*node);
    }
    CHECK_EQ(cache.counters().nodes.load(), k_nodes);
    u32 found = 0;
    for (u32 i = 0; i < k_nodes; i++) {
        pointer.dva[0].block = 1000 + u64(i) * k_node_blocks;
        const Ref<Node> node = REQUIRE_VALUE(cache.find(pointer, k_owner));
        found += node && node->pointer().dva[0] == pointer.dva[0];
    }
    CHECK_EQ(found, k_nodes);
    CHECK_EQ(cache.evict(~0ull), k_nodes);
    CHECK_EQ(cache.counters().nodes.load(), 0u);
}

// Several at once: those that are whole are there, any number of them, and the others are read as ever.
static void ahead(Test& test)
{
    constexpr u32 k_nodes = 20;
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start(64u << 20));
    NodeCache& cache = *ground->cache;
    Vector<NodeCache::Wanted> wanted;
    for (u32 i = 0; i < k_nodes; i++)
        REQUIRE_OK(wanted.push_back({ ground->put(i), k_owner }));
    ground->flip(wanted[3].pointer, 0, 100);
    REQUIRE_OK(wanted.push_back({ NodePointer(), k_owner }));
    REQUIRE_OK(wanted.push_back({ wanted[5].pointer, { TreeKind::orphans, 1, 0 } }));
    cache.read_ahead(wanted.span());
    CHECK_EQ(cache.counters().nodes.load(), k_nodes - 1);
    for (u32 i = 0; i < k_nodes; i++)
        CHECK_EQ(REQUIRE_VALUE(cache.find(wanted[i].pointer, k_owner)).get() != nullptr, i != 3);
    cache.read_ahead(wanted.span());
    CHECK_EQ(cache.counters().nodes.load(), k_nodes - 1);
    CHECK(ground->is_node(wanted[3].pointer, 3)); // its other copy
    CHECK_EQ(cache.counters().nodes.load(), k_nodes);
    // A device that fails, and no memory: nothing is there, and nobody is told.
    cache.evict(~0ull);
    lcpfs_test_device_fail(ground->device(0), HOST_IO_READ, 0, 1000);
    cache.read_ahead(wanted.span());
    lcpfs_test_device_fail(ground->device(0), HOST_IO_READ, 0, 0);
    CHECK_EQ(cache.counters().nodes.load(), 0u);
    if (lcpfs_test_fail_allocation(3))
        cache.read_ahead(wanted.span().slice(0, 4));
    lcpfs_test_fail_allocation(0);
    CHECK(cache.counters().nodes.load() < 4);
    for (u32 i = 0; i < k_nodes; i++)
        CHECK(ground->is_node(wanted[i].pointer, i));
}

namespace {
constexpr TestCase k_cases[] = { { "hits_and_eviction", hits_and_eviction },
                                 { "crowded", crowded },
                                 { "ahead", ahead },
                                 { "another_limit", another_limit },
                                 { "bounded", bounded },
                                 { "repairing", repairing },
                                 { "no_memory", no_memory },
                                 { "sizes", sizes } };
}
LCPFS_SUITE(node_cache, k_cases);

}
