// SPDX-License-Identifier: GPL-2.0-only
// The parts of a repair, and what only a mistake of ours could have written. Damaged devices are the simulator's (--kind repair).
#include "core/repair/claims.h"
#include "core/repair/repair.h"
#include "core/repair/sort.h"
#include "core/check/tree_walk.h"
#include "core/object/shared_run.h"
#include "core/test/check_ground.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

// A pool whose devices a repair has, and nobody else.
struct Bench {
    TestPool pool;
    Box<Pool> bare;
    Box<RepairRoom> room;
    Box<NodeBuilder> builder;
    Status start()
    {
        TRY(pool.start());
        if (pool.close() != 0)
            return Error::io_error;
        host_bdev* const devices[] = { pool.device(0), pool.device(1) };
        bare = TRY(Pool::open_bare({ devices, 2 }, TxgId()));
        room = TRY(RepairRoom::create(*bare));
        builder = TRY(NodeBuilder::create(*bare, *room, TxgId(bare->uberblock().txg.value() + 1)));
        return {};
    }
};

struct Counter final : TreeVisitor {
    u64 items { 0 }, sum { 0 }, damaged { 0 }, nodes { 0 };
    bool node(const NodePointer&, const TreeOwner&) override
    {
        nodes++;
        return true;
    }
    void damage(const NodePointer&, const TreeOwner&, u32, Error) override { damaged++; }
    Status item(Bytes key, Bytes value) override
    {
        BigEndianKey number;
        copy_bytes(&number, key.data(), 8);
        items++;
        sum += number.get() * value.size();
        return {};
    }
};

}

static void sorts(Test& test)
{
    TestRandom random(7);
    for (u32 count = 0; count < 60; count++) {
        Vector<u32> numbers;
        u64 sum = 0;
        for (u32 i = 0; i < count; i++) {
            REQUIRE_OK(numbers.push_back(random.below(count)));
            sum += numbers.last();
        }
        sort(numbers.span(), [](u32 a, u32 b) { return a < b; });
        for (u32 i = 0; i < count; i++) {
            sum -= numbers[i];
            CHECK(i == 0 || numbers[i - 1] <= numbers[i]);
        }
        CHECK_EQ(sum, 0u);
    }
}

// Trees of every size around where a node is full and another level begins, read back by the walk, which trusts nothing.
static void builds_trees(Test& test)
{
    Box<Bench> bench = REQUIRE_VALUE(make_box<Bench>());
    REQUIRE_OK(bench->start());
    Box<TreeWalk> walk = REQUIRE_VALUE(TreeWalk::create(bench->bare->vdevs(), bench->bare->cache().node_bytes()));
    const TreeOwner owner { TreeKind::objects, 9, 0 };
    u8 value[1200] {};
    constexpr u32 k_counts[] = { 0, 1, 2, 12, 13, 14, 15, 27, 28, 400, 3000 };
    for (const u32 count : k_counts) {
        bench->builder->begin(owner);
        u64 sum = 0;
        for (u32 i = 1; i <= count; i++) {
            const BigEndianKey key(i * 3);
            const u32 bytes = 1100 + i % 100;
            REQUIRE(REQUIRE_VALUE(bench->builder->add({ key.data(), 8 }, { value, bytes })));
            CHECK(!REQUIRE_VALUE(bench->builder->add({ key.data(), 8 }, { value, bytes })));
            sum += u64(i) * 3 * bytes;
        }
        const NodePointer root = REQUIRE_VALUE(bench->builder->finish());
        CHECK_EQ(root.is_null(), count == 0);
        Counter counter;
        REQUIRE_OK(walk->walk(root, owner, counter));
        CHECK(counter.items == count && counter.sum == sum && counter.damaged == 0);
        CHECK(counter.nodes <= count / 12 + 3);
    }
}

// Runs that lie over each other in every way, against a count per block.
static void counts_shares(Test& test)
{
    Box<Bench> bench = REQUIRE_VALUE(make_box<Bench>());
    REQUIRE_OK(bench->start());
    Box<Claims> claims = REQUIRE_VALUE(Claims::create(*bench->bare, *bench->room));
    constexpr u32 k_blocks = 300;
    u8 counts[k_blocks] {};
    TestRandom random(11);
    const u64 first = k_first_metaslab_block + 600;
    CHECK(REQUIRE_VALUE(claims->take({ first + k_blocks, 10, VdevId(0) })));
    CHECK(!REQUIRE_VALUE(claims->share({ first + k_blocks + 5, 10, VdevId(0) })));
    for (u32 i = 0; i < 80; i++) {
        const u32 at = random.below(k_blocks - 40), length = 1 + random.below(40);
        CHECK(REQUIRE_VALUE(claims->share({ first + at, length, VdevId(0) })));
        for (u32 block = at; block < at + length; block++)
            counts[block]++;
    }
    CHECK(!REQUIRE_VALUE(claims->take({ first, k_blocks, VdevId(0) })));
    CHECK(!REQUIRE_VALUE(claims->take({ 5, 1, VdevId(0) })));
    struct Runs final : TreeVisitor {
        u8* counts { nullptr };
        u64 first { 0 }, wrong { 0 };
        Status item(Bytes key, Bytes value) override
        {
            const SharedRun run = TRY(SharedRun::decode(key, value));
            for (u32 i = 0; i < run.dva.length_blocks; i++) {
                u8& count = counts[run.dva.block + i - first];
                wrong += count != run.references;
                count = 0;
            }
            return {};
        }
    } runs;
    runs.counts = counts;
    runs.first = first;
    const NodePointer root = REQUIRE_VALUE(claims->build_share_table(*bench->builder));
    Box<TreeWalk> walk = REQUIRE_VALUE(TreeWalk::create(bench->bare->vdevs(), bench->bare->cache().node_bytes()));
    REQUIRE_OK(walk->walk(root, { TreeKind::shares, 0, 0 }, runs));
    CHECK_EQ(runs.wrong, 0u);
    for (const u8 count : counts)
        CHECK(count <= 1);
}

namespace {

struct Row {
    const char* name;
    Status (*spoil)(CheckGround& ground);
    const char* path; // then: where something has to be, from the root; null: nowhere special
};

Status sound(CheckGround&) { return {}; }
Status no_name(CheckGround& ground) { return remove_name(ground, ground.place.top(), StringView("other")); }
Status no_directory_name(CheckGround& ground) { return remove_name(ground, ground.place.top(), StringView("sub")); }
Status circle(CheckGround& ground)
{
    TRY(remove_name(ground, ground.place.top(), StringView("sub")));
    const u64 id = ground.place.sub().id().value();
    TRY(spoil(ground, ground.place.sub(), [&](ObjectAttributes& attributes) { attributes.parent = ground.place.inner().id().value(); }));
    return add_name(ground, ground.place.inner(), StringView("back"), id, 4, 0);
}
Status second_name(CheckGround& ground)
{
    return add_name(ground, ground.place.top(), StringView("again"), ground.place.inner().id().value(), 4, 0);
}
Status name_of_nothing(CheckGround& ground) { return add_name(ground, ground.place.top(), StringView("none"), 999999, 8, 0); }
Status misplaced(CheckGround& ground)
{
    return add_name(ground, ground.place.top(), StringView("elsewhere"), ground.place.small().id().value(), 8, 1ull << 40);
}
Status wrong_type(CheckGround& ground)
{
    return add_name(ground, ground.place.top(), StringView("pipe"), ground.place.small().id().value(), 1, 0);
}
Status wrong_numbers(CheckGround& ground)
{
    TRY(spoil(ground, ground.place.file(), [](ObjectAttributes& attributes) { attributes.links = 7, attributes.blocks += 5; }));
    TRY(spoil(ground, ground.place.top(), [](ObjectAttributes& attributes) { attributes.size_bytes += 9, attributes.links = 40; }));
    return spoil(ground, ground.place.sub(), [](ObjectAttributes& attributes) { attributes.parent = 12345; });
}
Status two_owners(CheckGround& ground)
{
    Dva dva = ground.first_run(ground.place.file());
    dva.length_blocks = 2;
    return add_extent(ground, ground.place.other(), 10, dva);
}
Status lost_root(CheckGround& ground)
{
    return spoil(ground, object_of(ground.pool.root()), [](ObjectAttributes& attributes) { attributes.mode = k_mode_regular | 0644; });
}

constexpr Row k_rows[] = {
    { "sound", sound, "place/file" },
    { "no_name", no_name, "lost+found" },
    { "no_directory_name", no_directory_name, "lost+found" },
    { "circle", circle, "lost+found" },
    { "second_name", second_name, "place/sub" },
    { "name_of_nothing", name_of_nothing, "place/file" },
    { "misplaced", misplaced, "place/small" },
    { "wrong_type", wrong_type, "place/pipe" },
    { "wrong_numbers", wrong_numbers, "place/sub" },
    { "two_owners", two_owners, "place/file" },
    { "lost_root", lost_root, "lost+found" },
};

void check_row(Test& test, const Row& row)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->start());
    REQUIRE_OK(row.spoil(*ground));
    REQUIRE_EQ(ground->pool.sync(), 0);
    ground->release();
    (void)ground->pool.crash(); // an orderly end would free what has become an orphan
    host_bdev* const devices[] = { ground->pool.device(0), ground->pool.device(1) };
    core_check_report report {};
    Findings findings(nullptr, nullptr, nullptr, report);
    const RepairOutcome outcome = REQUIRE_VALUE(repair_pool({ devices, 2 }, 0, findings));
    CHECK(outcome.new_group > outcome.group);
    CHECK_EQ(report.problems != 0, row.spoil != sound);
    REQUIRE_EQ(ground->pool.open(false), 0);
    CHECK(has_path(ground->pool, row.path));
    REQUIRE_EQ(ground->pool.close(), 0);
    REQUIRE_EQ(ground->pool.open(true), 0);
    CHECK_EQ(ground->pool.check(false), 0u);
}

constexpr TestCase k_cases[] = { { "sorts", sorts }, { "builds_trees", builds_trees }, { "counts_shares", counts_shares } };

}

LCPFS_SUITE(repair_parts, k_cases);
LCPFS_TABLE_SUITE(repair, k_rows, check_row);

}
