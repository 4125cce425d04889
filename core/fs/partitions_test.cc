// SPDX-License-Identifier: GPL-2.0-only
// Partitions of a whole pool.
#include "core/test/partition_pool.h"
#include "core/test/test.h"

namespace lcpfs {

using namespace partition_test;

static void refusals(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(create(*pool, "a", k_metaslab, 2 * k_metaslab), 0);
    core_partitions all;
    core_partitions_get(pool->handle(), &all);
    const core_partition_operation make = CORE_PARTITION_CREATE, set = CORE_PARTITION_SET, remove = CORE_PARTITION_DESTROY;
    struct {
        core_partition_operation operation;
        const char* name;
        const char* new_name;
        u64 minimum, maximum;
        Error expected;
    } const rows[] = {
        { make, "a", "", 0, 0, Error::exists },
        { make, "default", "", 0, 0, Error::exists },
        { make, "", "", 0, 0, Error::invalid },
        { make, "x y", "", 0, 0, Error::invalid },
        { make, "b", "", 3 * k_metaslab, 2 * k_metaslab, Error::invalid },
        { make, "b", "", 0, 100, Error::invalid },
        { make, "b", "", 0, 1000 * k_metaslab, Error::invalid },
        { make, "b", "", 13 * k_metaslab, 0, Error::invalid },
        { make, "b", "", all.total_blocks, 0, Error::no_space },
        { set, "a", "", 3 * k_metaslab, 2 * k_metaslab, Error::invalid },
        { set, "b", "", 0, 0, Error::not_found },
        { set, "a", "default", 0, 0, Error::exists },
        { set, "default", "other", 0, 0, Error::not_permitted },
        { remove, "b", "", 0, 0, Error::not_found },
        { remove, "default", "", 0, 0, Error::busy },
    };
    const u64 size = size_of(*pool, "a");
    CHECK_EQ(size, k_metaslab);
    for (const auto& row : rows) {
        char message[CORE_PARTITION_MESSAGE_BYTES] {};
        const unsigned mask = CORE_PARTITION_SET_MINIMUM | CORE_PARTITION_SET_MAXIMUM;
        CHECK_EQ(change(*pool, { row.operation, mask, row.name, row.new_name, row.minimum, row.maximum }, message), minus(row.expected));
        CHECK(message[0] != 0);
        core_partition_info info;
        REQUIRE(find(*pool, "a", info));
        CHECK(info.minimum_blocks == k_metaslab && info.maximum_blocks == 2 * k_metaslab && info.size_blocks == size);
    }
    core_partitions_get(pool->handle(), &all);
    CHECK_EQ(all.count, 2u);
    CHECK_EQ(create_dataset(*pool, "data", "none"), minus(Error::not_found));
    REQUIRE_EQ(create_dataset(*pool, "data", "a"), 0);
    CHECK_EQ(destroy(*pool, "a"), minus(Error::busy));
    REQUIRE_EQ(core_dataset_destroy(pool->handle(), "data"), 0);
    pool->pool().background().wait_idle();
    CHECK_EQ(pool->settle(), 0);
    pool->pool().datasets().free_gone();
    CHECK_EQ(destroy(*pool, "a"), 0);
    CHECK_EQ(size_of(*pool, "a"), ~0ull);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
}

// One that fills its partition is stopped there, and only there.
static void runaway(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(create(*pool, "a", 0, 3 * k_metaslab), 0);
    REQUIRE_EQ(create_dataset(*pool, "data", "a"), 0);
    Opened data;
    REQUIRE_EQ(data.open(*pool, "data"), 0);
    CHECK_EQ(size_of(*pool, "a"), 0u);
    const i64 written = fill(*pool, data.root, "all", 100000);
    CHECK(written >= i64(3 * k_metaslab - 6 - 32) && written <= i64(3 * k_metaslab));
    CHECK_EQ(size_of(*pool, "a"), 3 * k_metaslab); // it was grown by its writes
    core_partition_decision decision;
    REQUIRE_EQ(core_partition_decision_get(pool->handle(), 0, &decision), 0);
    CHECK(decision.partition == 2 && decision.size_after > decision.size_before);
    core_dataset_space space;
    core_dataset_get_space(data.dataset, &space);
    CHECK(space.total_blocks == 3 * k_metaslab && space.free_blocks < 40 && space.available_blocks <= space.free_blocks);
    // Refused at once, without a commit.
    const u64 commits = pool->pool().engine().committed_txg().value();
    core_object* file;
    REQUIRE_EQ(pool->create(data.root, "more", k_file, &file), 0);
    for (u32 i = 0; i < 50; i++)
        CHECK_EQ(core_reserve(file, 64), minus(Error::no_space));
    CHECK(pool->pool().engine().committed_txg().value() <= commits + 2);
    core_object_put(file);
    CHECK_EQ(fill(*pool, pool->root(), "other", 2000), 2000);
    // What is removed can be written again.
    REQUIRE_EQ(data.remove("all"), 0);
    CHECK_EQ(fill(*pool, data.root, "again", 2000), 2000);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
    data.close();
    REQUIRE_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    core_partition_info info;
    REQUIRE(find(*pool, "a", info));
    CHECK(info.size_blocks == 3 * k_metaslab && info.maximum_blocks == 3 * k_metaslab && info.datasets == 1);
    REQUIRE_EQ(data.open(*pool, "data"), 0);
    CHECK(fill(*pool, data.root, "last", 100000) < i64(k_metaslab + 100));
}

// The rest of the pool is full: what is guaranteed is still there, for data and for the names of files.
static void minimum(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(create(*pool, "a", 2 * k_metaslab, 0), 0);
    CHECK_EQ(size_of(*pool, "a"), 2 * k_metaslab);
    REQUIRE_EQ(create_dataset(*pool, "data", "a"), 0);
    Opened data;
    REQUIRE_EQ(data.open(*pool, "data"), 0);
    REQUIRE_EQ(fill(*pool, data.root, "source", 64), 64);
    core_object* more;
    REQUIRE_EQ(pool->create(pool->root(), "more", k_file, &more), 0);
    const i64 written = fill(*pool, pool->root(), "all", 100000);
    CHECK(written > i64(5 * k_metaslab));
    CHECK_EQ(size_of(*pool, "a"), 2 * k_metaslab);
    // Others are refused at once, without a commit.
    const u64 commits = pool->pool().engine().committed_txg().value();
    for (u32 i = 0; i < 50; i++)
        CHECK_EQ(core_reserve(more, 64), minus(Error::no_space));
    CHECK(pool->pool().engine().committed_txg().value() <= commits + 2);
    core_object_put(more);
    // What a clone takes of metadata is for data of this partition.
    core_object* source;
    core_object* copy;
    REQUIRE_EQ(data.find("source", &source), 0);
    REQUIRE_EQ(pool->create(data.root, "copy", k_file, &copy), 0);
    const core_clone how { source, copy, 0, 0, 64, 64 * k_block_size, { 7, 8 }, false };
    CHECK_EQ(core_clone_range(&how), 0);
    core_object_put(source);
    core_object_put(copy);
    const i64 mine = fill(*pool, data.root, "mine", 100000);
    CHECK(mine + 64 >= i64(2 * k_metaslab - 2 * k_metaslab / 50) && mine < i64(3 * k_metaslab));
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(pool->unlink(pool->root(), "all"), 0);
    CHECK_EQ(pool->settle(), 0);
    CHECK(fill(*pool, data.root, "more", 2000) == 2000); // it has no maximum
}

// Metaslabs that went from one partition to another since the last group: the log's extents say whose they are.
static void replayed_owner(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(create(*pool, "a", 0, 0), 0);
    REQUIRE_EQ(create(*pool, "b", 0, 8 * k_metaslab), 0);
    REQUIRE_EQ(create_dataset(*pool, "in-a", "a"), 0);
    REQUIRE_EQ(create_dataset(*pool, "in-b", "b"), 0);
    Opened a, b;
    REQUIRE_EQ(a.open(*pool, "in-a"), 0);
    REQUIRE_EQ(b.open(*pool, "in-b"), 0);
    for (u32 round = 0; round < 6; round++) {
        Opened& grows = round % 2 ? a : b;
        Opened& loses = round % 2 ? b : a;
        if (round)
            REQUIRE_EQ(loses.remove("file"), 0);
        REQUIRE_EQ(pool->settle(), 0);
        REQUIRE_EQ(pool->settle(), 0);
        // More than what nobody has: it takes those of the other.
        CHECK(fill(*pool, grows.root, "file", 6 * k_metaslab) == i64(6 * k_metaslab));
        core_object* file;
        REQUIRE_EQ(grows.find("file", &file), 0);
        REQUIRE_EQ(core_object_sync(file), 0);
        core_object_put(file);
        const u64 size = size_of(*pool, round % 2 ? "a" : "b");
        a.close();
        b.close();
        (void)pool->crash();
        REQUIRE_EQ(pool->open(false), 0);
        CHECK(size >= 6 * k_metaslab && size_of(*pool, round % 2 ? "a" : "b") >= 6 * k_metaslab);
        REQUIRE_EQ(pool->settle(), 0);
        CHECK_EQ(pool->check(), 0u);
        REQUIRE_EQ(a.open(*pool, "in-a"), 0);
        REQUIRE_EQ(b.open(*pool, "in-b"), 0);
    }
    core_partitions all;
    core_partitions_get(pool->handle(), &all);
    CHECK_EQ(all.count, 3u);
}

// Many partitions come and go, with crashes between: entries and owners always fit.
static void come_and_go(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    TestRandom random(7);
    static constexpr const char* k_names[] = { "p0", "p1", "p2", "p3", "p4" };
    bool there[5] {};
    for (u32 round = 0; round < 40; round++) {
        const u32 which = random.below(5);
        const int made = there[which] ? destroy(*pool, k_names[which]) : create(*pool, k_names[which], random.below(2) * k_metaslab, 0);
        if (made == 0)
            there[which] = !there[which];
        else
            CHECK_EQ(made, minus(Error::no_space));
        if (random.below(4) == 0) {
            (void)pool->crash();
            REQUIRE_EQ(pool->open(false), 0);
            CHECK_EQ(pool->check(), 0u);
        }
        core_partition_info info;
        for (u32 i = 0; i < 5; i++)
            CHECK_EQ(find(*pool, k_names[i], info), there[i]);
    }
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
}

// What statfs shows counts what was freed as free, with a maximum and without, as soon as it is committed.
static void shown_free(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(create(*pool, "small", 0, 3 * k_metaslab), 0);
    REQUIRE_EQ(create_dataset(*pool, "limited", "small"), 0);
    constexpr const char* k_datasets[] = { "", "limited" };
    for (const char* name : k_datasets) {
        Opened opened;
        REQUIRE_EQ(opened.open(*pool, name), 0);
        REQUIRE_EQ(pool->settle(), 0);
        core_dataset_space before, full, after;
        core_dataset_get_space(opened.dataset, &before);
        core_object* file;
        REQUIRE_EQ(pool->create(opened.root, "file", k_file, &file), 0);
        for (u32 i = 0; i < 20; i++)
            REQUIRE_EQ(pool->write(file, i * 64, 64, 1, (i + 1) * 64 * k_block_size), 0);
        core_object_put(file);
        REQUIRE_EQ(pool->sync(), 0);
        core_dataset_get_space(opened.dataset, &full);
        CHECK(full.available_blocks + 20 * 64 <= before.available_blocks);
        REQUIRE_EQ(opened.remove("file"), 0);
        REQUIRE_EQ(pool->sync(), 0);
        core_dataset_get_space(opened.dataset, &after);
        CHECK(after.available_blocks + 64 >= before.available_blocks && after.free_blocks + 64 >= before.free_blocks);
        CHECK_EQ(after.total_blocks, before.total_blocks);
    }
}

namespace {
constexpr TestCase k_cases[] = {
    { "shown_free", shown_free },
    { "refusals", refusals },
    { "runaway", runaway },
    { "minimum", minimum },
    { "replayed_owner", replayed_owner },
    { "come_and_go", come_and_go },
};
}
LCPFS_SUITE(partitions, k_cases);

}
