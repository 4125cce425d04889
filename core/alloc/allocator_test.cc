// SPDX-License-Identifier: GPL-2.0-only
// long because all cases stand on one ground, a small pool without trees.
#include "core/alloc/allocator.h"

#include "core/test/device.h"
#include "core/test/test.h"

namespace lcpfs {

constexpr u32 k_metaslab_blocks = 1024;
constexpr u32 k_node_blocks = 4;
constexpr u32 k_devices = 2;
constexpr u32 k_metaslabs = 3;
constexpr u64 k_device_bytes = 16ull << 20;
constexpr DiskGuid k_pool { { 1, 2, 3, 4 } };

static Result<Box<VdevSet>> make_vdevs(Span<host_bdev*> bdevs, u32 metaslab_blocks, u32 metaslab_count)
{
    Vector<Box<Vdev>> vdevs;
    for (size_t i = 0; i < bdevs.size(); i++) {
        Box<Vdev> vdev = TRY(make_box<Vdev>());
        vdev->id = VdevId(static_cast<u16>(i));
        vdev->bdev = bdevs[i];
        host_bdev_info info;
        host_bdev_get_info(bdevs[i], &info);
        vdev->capacity_blocks = info.capacity_bytes / k_block_size;
        vdev->metaslab_blocks = metaslab_blocks;
        vdev->metaslab_count = metaslab_count;
        TRY(vdevs.push_back(lcpfs::move(vdev)));
    }
    return VdevSet::create(lcpfs::move(vdevs));
}

// A pool without trees: the table is an array, and a plain model says of each block what it is.
class Ground {
public:
    enum Use : u8 { k_free, k_held, k_used, k_deferred };
    static constexpr u32 k_blocks = k_metaslabs * k_metaslab_blocks;

    Ground() : m_a(k_device_bytes), m_b(k_device_bytes) {}
    Status start()
    {
        if (!m_a || !m_b)
            return Error::no_memory;
        host_bdev* bdevs[] = { m_a.get(), m_b.get() };
        vdevs = TRY(make_vdevs(Span<host_bdev*>(bdevs), k_metaslab_blocks, k_metaslabs));
        allocator = TRY(Allocator::create(*vdevs, k_pool, k_node_blocks));
        allocator->format_all();
        for (u32 v = 0; v < k_devices; v++)
            for (u32 m = 0; m < k_metaslabs; m++)
                table[v][m] = previous_table[v][m] = allocator->entry(VdevId(static_cast<u16>(v)), m);
        return {};
    }

    host_bdev* bdev(VdevId vdev) { return vdev.value() ? m_b.get() : m_a.get(); }
    u32 random(u32 below)
    {
        m_seed = m_seed * 6364136223846793005ull + 1442695040888963407ull;
        return static_cast<u32>(m_seed >> 33) % below;
    }
    u8& use(const Dva& dva, u32 i) { return uses[dva.vdev.value()][dva.block + i - k_first_metaslab_block]; }
    bool all(const Dva& dva, u8 wanted)
    {
        for (u32 i = 0; i < dva.length_blocks; i++)
            if (use(dva, i) != wanted)
                return false;
        return true;
    }
    void set(const Dva& dva, u8 to)
    {
        for (u32 i = 0; i < dva.length_blocks; i++)
            use(dva, i) = to;
    }
    u64 count(u8 wanted) const
    {
        u64 found = 0;
        for (const auto& vdev : uses)
            for (u32 i = 0; i < k_blocks; i++)
                found += vdev[i] == wanted && i % k_metaslab_blocks >= 2;
        return found;
    }

    // One group: enters and frees what the lists say, writes, commits.
    Status commit()
    {
        for (size_t i = 0; i < held.size(); i++) {
            TRY(allocator->mark_used(held[i]));
            set(held[i], k_used);
            TRY(used.push_back(held[i]));
        }
        held.clear();
        for (Dva& dva : freed) {
            TRY(allocator->mark_free(dva, txg));
            set(dva, k_deferred);
        }
        u32 visits = 0;
        TRY(allocator->visit_changed([&](VdevId, u32) { visits++; return Status(); }));
        copy_bytes(previous_table, table, sizeof(table));
        IoBatch batch;
        TRY(allocator->write_changed(txg, batch, [&](VdevId vdev, u32 metaslab, const DiskMetaslabEntry& entry) {
            visits--;
            if (entry.flags.get() == 0 && table[vdev.value()][metaslab].txg.get() && table[vdev.value()][metaslab].copy == entry.copy)
                return Status(Error::contradiction);
            table[vdev.value()][metaslab] = entry;
            return Status();
        }));
        TRY(batch.wait());
        if (visits != 0)
            return Error::contradiction;
        const u64 released = allocator->after_commit(txg);
        u64 expected = 0;
        for (Dva& dva : waiting) {
            set(dva, k_free);
            expected += dva.length_blocks;
        }
        if (released != expected)
            return Error::contradiction;
        waiting = lcpfs::move(freed);
        freed.clear();
        txg = txg.next();
        return {};
    }

    Result<Box<Allocator>> loaded_as_far_as_can_be()
    {
        Box<Allocator> again = TRY(Allocator::create(*vdevs, k_pool, k_node_blocks));
        for (u16 v = 0; v < k_devices; v++)
            for (u32 m = 0; m < k_metaslabs; m++)
                TRY(again->load_entry(VdevId(v), m, table[v][m]));
        (void)again->load_all().is_ok();
        return again;
    }

    // What a mount would do now.
    Status reload()
    {
        Box<Allocator> again = TRY(loaded_as_far_as_can_be());
        TRY(again->load_all());
        const TxgId newest = txg.previous();
        for (u16 v = 0; v < k_devices; v++)
            for (u32 m = 0; m < k_metaslabs; m++)
                if (compare_bytes(&table[v][m], &previous_table[v][m], sizeof(table[v][m])) != 0)
                    TRY(again->protect_previous(VdevId(v), m, previous_table[v][m], newest));
        allocator = lcpfs::move(again);
        return {};
    }

    // The committed bits on disk against the model.
    bool committed_as_modelled()
    {
        u64 words[k_metaslab_blocks / 64];
        for (u16 v = 0; v < k_devices; v++) {
            for (u32 m = 0; m < k_metaslabs; m++) {
                if (!allocator->copy_committed(VdevId(v), m, Span<u64>(words)))
                    return false;
                for (u32 i = 0; i < k_metaslab_blocks; i++) {
                    const bool expected = i < 2 || uses[v][m * k_metaslab_blocks + i] == k_used;
                    if (expected != ((words[i / 64] >> i % 64 & 1) != 0))
                        return false;
                }
            }
        }
        return true;
    }

    Box<VdevSet> vdevs;
    Box<Allocator> allocator;
    TxgId txg { 1 };
    u8 uses[k_devices][k_blocks] {};
    Vector<Dva> held, used, freed, waiting;
    DiskMetaslabEntry table[k_devices][k_metaslabs], previous_table[k_devices][k_metaslabs];
    TestDevice m_a, m_b;
    u64 m_seed { 20 };
};

static void random_operations(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    for (u32 round = 0; round < 60; round++) {
        for (u32 i = 0; i < 40; i++) {
            const bool metadata = ground->random(3) == 0;
            const u32 want = metadata ? k_node_blocks : 1 + ground->random(100);
            const u32 minimum = metadata ? want : 1 + ground->random(want);
            Result<Dva> dva = ground->allocator->allocate(metadata ? AllocClass::metadata : AllocClass::data, want, minimum);
            if (dva.is_error()) {
                CHECK_ERROR(dva, no_space);
                continue;
            }
            REQUIRE(dva.value().length_blocks >= minimum && dva.value().length_blocks <= want);
            REQUIRE(ground->vdevs->is_valid(dva.value()));
            REQUIRE(ground->all(dva.value(), Ground::k_free));
            if (ground->random(8) == 0) {
                ground->allocator->cancel(dva.value());
                continue;
            }
            ground->set(dva.value(), Ground::k_held);
            REQUIRE_OK(ground->held.push_back(dva.value()));
        }
        for (u32 i = 0; i < 30 && !ground->used.is_empty(); i++) {
            const size_t which = ground->random(static_cast<u32>(ground->used.size()));
            const Dva dva = ground->used[which];
            ground->used[which] = ground->used.last();
            ground->used.pop_back();
            REQUIRE_OK(ground->allocator->prepare_free(dva));
            REQUIRE_OK(ground->freed.push_back(dva));
        }
        REQUIRE_OK(ground->commit());
        if (round % 3 == 0)
            REQUIRE_OK(ground->reload());
        REQUIRE(ground->committed_as_modelled());
        REQUIRE_EQ(ground->allocator->counts().free_blocks, ground->count(Ground::k_free));
        REQUIRE_EQ(ground->allocator->counts().deferred_blocks, ground->count(Ground::k_deferred));
    }
    CHECK_EQ(ground->allocator->counts().total_blocks, k_devices * k_metaslabs * (k_metaslab_blocks - 2));
}

// What group 2 frees is free once group 3 has committed, not before.
static void deferred_reuse(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    const u64 total = ground->allocator->counts().total_blocks;
    for (;;) {
        Result<Dva> dva = ground->allocator->allocate(AllocClass::data, 256, 1);
        if (dva.is_error())
            break;
        REQUIRE_OK(ground->held.push_back(dva.value()));
    }
    CHECK_EQ(ground->allocator->counts().free_blocks, 0);
    REQUIRE_OK(ground->commit());
    const Dva victim = ground->used[5];
    ground->used[5] = ground->used.last();
    ground->used.pop_back();
    REQUIRE_OK(ground->allocator->prepare_free(victim));
    REQUIRE_OK(ground->freed.push_back(victim));
    REQUIRE_OK(ground->commit());
    CHECK_ERROR(ground->allocator->allocate(AllocClass::data, 1, 1), no_space);
    CHECK_EQ(ground->allocator->counts().deferred_blocks, victim.length_blocks);
    REQUIRE_OK(ground->reload());
    CHECK_ERROR(ground->allocator->allocate(AllocClass::data, 1, 1), no_space);
    REQUIRE_OK(ground->commit());
    CHECK_EQ(ground->allocator->counts().free_blocks, victim.length_blocks);
    Result<Dva> again = ground->allocator->allocate(AllocClass::data, 256, victim.length_blocks);
    REQUIRE_OK(again);
    CHECK(again.value() == victim);
    CHECK_EQ(total, ground->allocator->counts().total_blocks);
}

// With every free group of blocks kept for metadata, data gets only what metadata cannot use.
// Pages for what is deferred come with the first announcement and go with the last release.
static void idle_pages(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    for (u32 i = 0; i < 2; i++) {
        const Dva dva = REQUIRE_VALUE(ground->allocator->allocate(AllocClass::data, 100, 100));
        ground->set(dva, Ground::k_held);
        REQUIRE_OK(ground->held.push_back(dva));
    }
    REQUIRE_OK(ground->commit());
    const u64 before = ground->allocator->counts().bytes_in_memory;
    for (u32 round = 0; round < 2; round++) {
        const Dva dva = ground->used.last();
        ground->used.pop_back();
        REQUIRE_OK(ground->allocator->prepare_free(dva));
        const u64 prepared = ground->allocator->counts().bytes_in_memory;
        CHECK(prepared > before);
        REQUIRE_OK(ground->freed.push_back(dva));
        REQUIRE_OK(ground->commit());
        CHECK_EQ(ground->allocator->counts().bytes_in_memory, prepared);
        REQUIRE_OK(ground->commit());
        CHECK_EQ(ground->allocator->counts().bytes_in_memory, before);
    }
    // Announced, then gone with the release of another's: marking it free does without.
    const Dva first = REQUIRE_VALUE(ground->allocator->allocate(AllocClass::data, 10, 10));
    const Dva second = REQUIRE_VALUE(ground->allocator->allocate(AllocClass::data, 10, 10));
    const Dva both[] = { first, second };
    for (const Dva& dva : both) {
        ground->set(dva, Ground::k_held);
        REQUIRE_OK(ground->held.push_back(dva));
    }
    REQUIRE_OK(ground->commit());
    ground->used.clear();
    REQUIRE_OK(ground->allocator->prepare_free(first));
    REQUIRE_OK(ground->freed.push_back(first));
    REQUIRE_OK(ground->commit());
    REQUIRE_OK(ground->allocator->prepare_free(second));
    REQUIRE_OK(ground->commit());
    REQUIRE_OK(ground->freed.push_back(second));
    REQUIRE_OK(ground->commit());
    REQUIRE_OK(ground->commit());
    REQUIRE_OK(ground->reload());
    CHECK(ground->committed_as_modelled());
}

static void quad_scarcity(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    REQUIRE_OK(ground->allocator->load_all());
    Allocator& allocator = *ground->allocator;
    const Dva first = REQUIRE_VALUE(allocator.allocate(AllocClass::data, 7, 7));
    CHECK_EQ(first.length_blocks, 7);
    const u64 quads = allocator.counts().free_quads;
    const u64 broken = allocator.counts().free_blocks - quads * k_node_blocks;
    allocator.set_quad_reserve(quads, quads);
    u64 given = 0;
    for (;;) {
        Result<Dva> dva = allocator.allocate(AllocClass::data, 1 + ground->random(3), 1);
        if (dva.is_error())
            break;
        given += dva.value().length_blocks;
    }
    CHECK_EQ(given, broken);
    CHECK_EQ(allocator.counts().free_quads, quads);
    u64 nodes = 0;
    while (allocator.allocate(AllocClass::metadata, k_node_blocks, k_node_blocks).is_ok())
        nodes++;
    CHECK_EQ(nodes, quads);
    CHECK_EQ(allocator.counts().free_blocks, 0);
}

// A reserve that leaves a little is used to its end and no further.
static void quad_reserve_partly(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    REQUIRE_OK(ground->allocator->load_all());
    ground->allocator->set_quad_reserve(100, 100);
    while (ground->allocator->allocate(AllocClass::data, 64, 1).is_ok()) { }
    CHECK_EQ(ground->allocator->counts().free_quads, 100);
    CHECK_EQ(ground->allocator->counts().free_blocks, 100 * k_node_blocks);
    // Nothing is broken: what was promised is there down to the floor, and breaks no more than it needs.
    ground->allocator->set_quad_reserve(100, 40);
    u64 given = 0;
    for (;;) {
        Result<Dva> dva = ground->allocator->allocate(AllocClass::data, 1, 1);
        if (dva.is_error())
            break;
        CHECK(++given % k_node_blocks != 0 || ground->allocator->counts().free_quads == 100 - given / k_node_blocks);
    }
    CHECK_EQ(given, 60 * k_node_blocks);
    CHECK_EQ(ground->allocator->counts().free_quads, 40);
}

static void sequential_runs(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    Dva last[k_devices] {};
    u32 joined = 0;
    for (u32 i = 0; i < 6; i++) {
        const Dva dva = REQUIRE_VALUE(ground->allocator->allocate(AllocClass::data, 256, 1));
        CHECK_EQ(dva.length_blocks, 256);
        Dva& before = last[dva.vdev.value()];
        joined += before.block + before.length_blocks == dva.block;
        before = dva;
    }
    CHECK(joined >= 4);
    const Dva one = REQUIRE_VALUE(ground->allocator->allocate(AllocClass::metadata, 4, 4));
    const Dva two = REQUIRE_VALUE(ground->allocator->allocate(AllocClass::metadata, 4, 4, one.vdev));
    CHECK(one.vdev.value() != two.vdev.value());
    CHECK_EQ(one.block % 4, two.block % 4);
}

static void contradictions(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    const Dva dva = REQUIRE_VALUE(ground->allocator->allocate(AllocClass::data, 10, 10));
    CHECK_ERROR(ground->allocator->mark_free(dva, TxgId(1)), contradiction);
    CHECK_OK(ground->allocator->mark_used(dva));
    CHECK_ERROR(ground->allocator->mark_used(dva), contradiction);
    ground->allocator->cancel(dva); // refused, logged
    CHECK_OK(ground->allocator->mark_free(dva, TxgId(1)));
    CHECK_ERROR(ground->allocator->mark_free(dva, TxgId(1)), contradiction);
    CHECK_ERROR(ground->allocator->prepare_free({ 3, 1, VdevId(0) }), address_out_of_range);
    CHECK_ERROR(ground->allocator->prepare_free({ k_first_metaslab_block + 1, 1, VdevId(0) }), address_out_of_range);
    CHECK_ERROR(ground->allocator->prepare_free({ dva.block, 1, VdevId(7) }), address_out_of_range);
    CHECK_ERROR(ground->allocator->prepare_free({ ~0ull, 1, VdevId(0) }), address_out_of_range);
    CHECK_ERROR(ground->allocator->prepare_free({ dva.block, ~0u, VdevId(0) }), address_out_of_range);
    CHECK_ERROR(ground->allocator->allocate(AllocClass::data, 0, 0), invalid);
}

static void rebuild(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    for (u32 i = 0; i < 50; i++) {
        const Dva dva = REQUIRE_VALUE(ground->allocator->allocate(AllocClass::data, 1 + ground->random(20), 1));
        REQUIRE_OK(ground->held.push_back(dva));
    }
    REQUIRE_OK(ground->commit());
    const u64 free = ground->allocator->counts().free_blocks;
    ground->allocator = REQUIRE_VALUE(Allocator::create(*ground->vdevs, k_pool, k_node_blocks));
    REQUIRE_OK(ground->allocator->start_rebuild());
    for (const Dva& dva : ground->used)
        REQUIRE_OK(ground->allocator->mark_reached(dva));
    CHECK_ERROR(ground->allocator->mark_reached(ground->used[3]), contradiction);
    ground->allocator->end_rebuild(true);
    CHECK_EQ(ground->allocator->counts().free_blocks, free);
    CHECK(ground->committed_as_modelled());
}

// One bitmap is gone: that one alone is made anew, the others are held against what the walk says. A walk that was not whole
// leaves it as it was.
static void rebuild_one(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    for (u32 i = 0; i < 200; i++) {
        const Dva dva = REQUIRE_VALUE(ground->allocator->allocate(AllocClass::data, 1 + ground->random(20), 1));
        REQUIRE_OK(ground->held.push_back(dva));
    }
    REQUIRE_OK(ground->commit());
    const u64 free = ground->allocator->counts().free_blocks;
    const Dva lost = ground->used.last(); // in one that is not full
    const u32 metaslab = static_cast<u32>((lost.block - k_first_metaslab_block) / k_metaslab_blocks);
    const u64 copy = ground->table[lost.vdev.value()][metaslab].copy;
    const u64 offset = (k_first_metaslab_block + u64(metaslab) * k_metaslab_blocks + copy) * k_block_size + 100;
    u8 byte;
    lcpfs_test_device_peek(ground->bdev(lost.vdev), offset, &byte, 1);
    byte ^= 1;
    lcpfs_test_device_poke(ground->bdev(lost.vdev), offset, &byte, 1);
    CHECK_ERROR(ground->reload(), bitmap_damaged);
    ground->allocator = REQUIRE_VALUE(ground->loaded_as_far_as_can_be());
    CHECK(ground->allocator->counts().free_blocks < free);
    REQUIRE_OK(ground->allocator->start_rebuild());
    REQUIRE_OK(ground->allocator->mark_reached(lost));
    ground->allocator->end_rebuild(false);
    CHECK_ERROR(ground->allocator->load(lost.vdev, metaslab), bitmap_damaged);
    REQUIRE_OK(ground->allocator->start_rebuild());
    for (const Dva& dva : ground->used)
        REQUIRE_OK(ground->allocator->mark_reached(dva));
    CHECK_ERROR(ground->allocator->mark_reached(lost), contradiction);
    Dva other {};
    for (const Dva& dva : ground->used)
        if (dva.vdev != lost.vdev)
            other = dva;
    CHECK_OK(ground->allocator->mark_reached(other));
    const Dva unused = REQUIRE_VALUE(ground->allocator->allocate(AllocClass::data, 1, 1, lost.vdev));
    CHECK_ERROR(ground->allocator->mark_reached(unused), contradiction);
    ground->allocator->cancel(unused);
    ground->allocator->end_rebuild(true);
    CHECK_EQ(ground->allocator->counts().free_blocks, free);
    CHECK(ground->committed_as_modelled());
    // It is written with the next group, whatever else that has.
    REQUIRE_OK(ground->commit());
    REQUIRE_OK(ground->commit());
    CHECK_OK(ground->reload());
    CHECK(ground->committed_as_modelled());
}

// A group that did not commit is done again: never over the copy that the committed table names.
static void group_tried_again(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    REQUIRE_OK(ground->held.push_back(REQUIRE_VALUE(ground->allocator->allocate(AllocClass::data, 8, 8))));
    REQUIRE_OK(ground->commit());
    REQUIRE_OK(ground->held.push_back(REQUIRE_VALUE(ground->allocator->allocate(AllocClass::data, 8, 8))));
    REQUIRE_OK(ground->allocator->mark_used(ground->held[0]));
    u32 rows = 0;
    for (u32 i = 0; i < 3; i++) {
        IoBatch batch;
        REQUIRE_OK(ground->allocator->visit_changed([&](VdevId, u32) { return Status(); }));
        REQUIRE_OK(ground->allocator->write_changed(TxgId(2 + i), batch, [&](VdevId vdev, u32 index, const DiskMetaslabEntry& entry) {
            rows++;
            const DiskMetaslabEntry& committed = ground->table[vdev.value()][index];
            return committed.txg.get() && committed.copy == entry.copy ? Status(Error::contradiction) : Status();
        }));
        REQUIRE_OK(batch.wait());
    }
    CHECK_EQ(rows, 3);
}

// A metaslab whose bits take more than one page; a run that its owner joined over the seam.
static void two_zones(Test& test)
{
    constexpr u32 k_blocks = 32768;
    TestDevice device((u64(k_blocks) + 512) * k_block_size);
    REQUIRE(device);
    host_bdev* bdevs[] = { device.get() };
    Box<VdevSet> vdevs = REQUIRE_VALUE(make_vdevs(Span<host_bdev*>(bdevs), k_blocks, 1));
    Box<Allocator> allocator = REQUIRE_VALUE(Allocator::create(*vdevs, k_pool, k_node_blocks));
    allocator->format_all();
    const u64 total = allocator->counts().total_blocks;
    CHECK_EQ(total, k_blocks - 4);
    u64 given = 0;
    for (;;) {
        Result<Dva> dva = allocator->allocate(AllocClass::data, 256, 1);
        if (dva.is_error())
            break;
        given += dva.value().length_blocks;
        REQUIRE_OK(allocator->mark_used(dva.value()));
    }
    CHECK_EQ(given, total);
    const Dva seam { k_first_metaslab_block + k_blocks - 512 - 100, 200, VdevId(0) };
    REQUIRE_OK(allocator->prepare_free(seam));
    REQUIRE_OK(allocator->mark_free(seam, TxgId(1)));
    DiskMetaslabEntry row {};
    IoBatch batch;
    REQUIRE_OK(allocator->write_changed(TxgId(1), batch, [&](VdevId, u32, const DiskMetaslabEntry& entry) {
        row = entry;
        return Status();
    }));
    REQUIRE_OK(batch.wait());
    CHECK_EQ(allocator->after_commit(TxgId(1)), 0);
    CHECK_EQ(allocator->after_commit(TxgId(2)), 200);
    CHECK_EQ(allocator->counts().free_blocks, 200);
    Box<Allocator> again = REQUIRE_VALUE(Allocator::create(*vdevs, k_pool, k_node_blocks));
    REQUIRE_OK(again->load_entry(VdevId(0), 0, row));
    REQUIRE_OK(again->load_all());
    CHECK_EQ(again->counts().free_blocks, 200);
    CHECK_EQ(REQUIRE_VALUE(again->allocate(AllocClass::data, 256, 64)).length_blocks, 100);
}

// Damage of a bitmap copy or its row: (offset in the copy, or in the row from 8192 on), what load says.
struct Damage {
    const char* name;
    u32 offset;
    bool in_row;
    Error expected;
};
constexpr Damage k_damages[] = {
    { "magic", 0, false, Error::bitmap_damaged },
    { "vdev", 4, false, Error::bitmap_damaged },
    { "metaslab", 8, false, Error::bitmap_damaged },
    { "block_count", 12, false, Error::bitmap_damaged },
    { "txg", 16, false, Error::bitmap_damaged },
    { "guid", 24, false, Error::bitmap_damaged },
    { "used", 40, false, Error::bitmap_damaged },
    { "padding", 44, false, Error::bitmap_damaged },
    { "checksum", 56, false, Error::bitmap_damaged },
    { "own_bits", 64, false, Error::bitmap_damaged },
    { "bits", 100, false, Error::bitmap_damaged },
    { "tail", 4095, false, Error::bitmap_damaged },
    { "row_txg", 0, true, Error::bitmap_damaged },
    { "row_checksum", 8, true, Error::bitmap_damaged },
    { "row_free", 16, true, Error::bitmap_damaged },
    { "row_free_high", 19, true, Error::metaslab_entry_damaged },
    { "row_copy", 20, true, Error::metaslab_entry_damaged },
    { "row_class", 21, true, Error::metaslab_entry_damaged },
    { "row_flags", 22, true, Error::metaslab_entry_damaged },
    { "row_partition_high", 31, true, Error::metaslab_entry_damaged },
};

static void damage_one(Test& test, Ground& ground, const Dva& dva, const Damage& damage)
{
    const u16 vdev = dva.vdev.value();
    const u32 index = static_cast<u32>((dva.block - k_first_metaslab_block) / k_metaslab_blocks);
    const DiskMetaslabEntry sound = ground.table[vdev][index];
    DiskMetaslabEntry row = sound;
    host_bdev* const bdev = ground.vdevs->vdev(dva.vdev).bdev;
    const u64 at = (k_first_metaslab_block + u64(index) * k_metaslab_blocks + sound.copy) * k_block_size + damage.offset;
    u8 byte = 0;
    if (damage.in_row) {
        reinterpret_cast<u8*>(&row)[damage.offset] ^= 0x84;
    } else {
        lcpfs_test_device_peek(bdev, at, &byte, 1);
        const u8 wrong = byte ^ 1;
        lcpfs_test_device_poke(bdev, at, &wrong, 1);
    }
    Box<Allocator> again = REQUIRE_VALUE(Allocator::create(*ground.vdevs, k_pool, k_node_blocks));
    Status status;
    for (u16 v = 0; v < k_devices; v++) {
        for (u32 m = 0; m < k_metaslabs; m++) {
            const Status loaded = again->load_entry(VdevId(v), m, v == vdev && m == index ? row : ground.table[v][m]);
            if (loaded.is_error())
                status = loaded.error();
        }
    }
    if (status.is_ok())
        status = again->load_all().error();
    CHECK_EQ(status.error(), damage.expected);
    // The others serve on.
    CHECK_OK(again->allocate(AllocClass::data, 8, 8));
    if (status.error() == Error::bitmap_damaged) {
        CHECK_ERROR(again->claim(dva), bitmap_damaged);
        // What is freed there is given up, and said so in the row.
        CHECK_OK(again->prepare_free(dva));
        CHECK_OK(again->mark_free(dva, TxgId(9)));
        CHECK_EQ(again->entry(dva.vdev, index).flags.get(), k_metaslab_is_stale);
    }
    if (!damage.in_row)
        lcpfs_test_device_poke(bdev, at, &byte, 1);
}

static void damaged_bitmaps(Test& test)
{
    Box<Ground> ground = REQUIRE_VALUE(make_box<Ground>());
    REQUIRE_OK(ground->start());
    const Dva dva = REQUIRE_VALUE(ground->allocator->allocate(AllocClass::data, 8, 8));
    REQUIRE_OK(ground->held.push_back(dva));
    REQUIRE_OK(ground->commit());
    for (const Damage& damage : k_damages)
        damage_one(test, *ground, dva, damage);
    REQUIRE_OK(ground->reload());
}

constexpr TestCase k_cases[] = {
    { "random_operations", random_operations },
    { "deferred_reuse", deferred_reuse },
    { "idle_pages", idle_pages },
    { "quad_scarcity", quad_scarcity },
    { "quad_reserve_partly", quad_reserve_partly },
    { "sequential_runs", sequential_runs },
    { "contradictions", contradictions },
    { "rebuild", rebuild },
    { "rebuild_one", rebuild_one },
    { "group_tried_again", group_tried_again },
    { "two_zones", two_zones },
    { "damaged_bitmaps", damaged_bitmaps },
};
LCPFS_SUITE(allocator, k_cases);

}
