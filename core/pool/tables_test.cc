// SPDX-License-Identifier: GPL-2.0-only
// Records and tables that contradict each other, as damage behind a good checksum would leave them: the tables are believed,
// and no group fails for it.
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {
constexpr u32 k_file = k_mode_regular | 0644;

// Changes the orphan tree behind the dataset's back, in the group that the next commit writes.
Status change_orphans(TestPool& pool, u64 id, bool add)
{
    TxgHold hold(pool.pool().engine());
    Dataset& dataset = pool.pool().dataset();
    {
        WriteGuard table(dataset.table_lock());
        BigEndianKey key(id);
        const u8 mark = 1;
        if (add) {
            TRY(dataset.orphans().prepare_insert(hold.txg(), { key.data(), 8 }, 1));
            if (!dataset.orphans().insert({ key.data(), 8 }, { &mark, 1 }))
                return Error::contradiction;
        } else {
            TRY(dataset.orphans().prepare_change(hold.txg(), { key.data(), 8 }));
            if (!dataset.orphans().remove(hold.txg(), { key.data(), 8 }))
                return Error::contradiction;
        }
    }
    // The tables are written when an object is.
    Object& root = object_of(pool.root());
    WriteGuard guard(root.m_lock);
    return root.prepare_change(hold.txg());
}

Status set_links(core_object* object, u32 links)
{
    Object& changed = object_of(object);
    Pool& pool = *changed.dataset().host().pool;
    WriteGuard guard(changed.m_lock);
    TxgHold hold(pool.engine());
    TRY(changed.prepare_change(hold.txg()));
    changed.m_attributes.links = links;
    return {};
}

bool has_orphan(TestPool& pool)
{
    ObjectId found;
    auto any = pool.pool().dataset().next_orphan(ObjectId(0), found);
    return any.is_ok() && any.value();
}
}

// Links 0 in its record, but not among the orphans: it can be deleted, with the orphan tree empty and not.
static void unlisted_orphan(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* objects[2];
    u64 ids[2];
    for (u32 i = 0; i < 2; i++) {
        core_new how {};
        how.mode = k_file;
        REQUIRE_EQ(core_create_unnamed(pool->root(), &how, &objects[i]), 0);
        ids[i] = pool->id(objects[i]);
    }
    REQUIRE_EQ(pool->sync(), 0);
    CHECK(has_orphan(*pool));
    for (u64 id : ids)
        REQUIRE_OK(change_orphans(*pool, id, false));
    REQUIRE_EQ(pool->sync(), 0);
    CHECK(!has_orphan(*pool));
    for (core_object* object : objects)
        core_object_put(object);
    REQUIRE_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    for (u64 id : ids) {
        core_object* object;
        REQUIRE_EQ(pool->get(id, &object), 0);
        CHECK_EQ(core_object_delete(object), 0);
        core_object_put(object);
        CHECK_EQ(pool->sync(), 0);
    }
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
}

// Among the orphans, but with a name: it stays, and its next change puts things right.
static void listed_though_named(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    u64 id;
    REQUIRE_EQ(pool->make(pool->root(), "file", k_file, &id), 0);
    REQUIRE_EQ(pool->sync(), 0);
    REQUIRE_OK(change_orphans(*pool, id, true));
    REQUIRE_EQ(pool->sync(), 0);
    REQUIRE_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    core_object* file;
    REQUIRE_EQ(pool->get(id, &file), 0);
    CHECK_EQ(pool->write(file, 0, 2, 7, 2 * k_block_size), 0);
    core_object_put(file);
    CHECK_EQ(pool->settle(), 0);
    CHECK(!has_orphan(*pool));
    CHECK_EQ(pool->check(), 0u);
}

// Fewer links than names, and a directory with fewer than it has subdirectories: none goes below nothing.
static void too_few_links(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object *file, *directory;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    REQUIRE_EQ(pool->create(pool->root(), "d", k_mode_directory | 0755, &directory), 0);
    REQUIRE_EQ(pool->make(directory, "sub", k_mode_directory | 0755), 0);
    REQUIRE_EQ(pool->link(directory, "second", file), 0);
    REQUIRE_OK(set_links(file, 0));
    REQUIRE_OK(set_links(directory, 2));
    CHECK_EQ(pool->unlink(pool->root(), "file", false), 0);
    CHECK_EQ(pool->links(file), 0u);
    CHECK_EQ(pool->unlink(directory, "second", false), 0);
    CHECK_EQ(pool->links(file), 0u);
    CHECK_EQ(pool->unlink(directory, "sub"), 0);
    CHECK_EQ(pool->links(directory), 2u);
    CHECK_EQ(core_object_delete(file), 0);
    core_object_put(file);
    core_object_put(directory);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
}

namespace {
constexpr TestCase k_cases[] = { { "unlisted_orphan", unlisted_orphan },
                                 { "listed_though_named", listed_though_named },
                                 { "too_few_links", too_few_links } };
}
LCPFS_SUITE(tables, k_cases);

}
