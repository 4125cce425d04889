// SPDX-License-Identifier: GPL-2.0-only
// Every pair of what can be renamed over what, in one directory and across.
#include "core/fs/names.h"
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {
enum class Kind : u8 { none, file, empty, full };
struct Row {
    const char* name;
    Kind from, to;
    bool across;
    unsigned flags;
    Error expected;
};
constexpr unsigned k_noreplace = CORE_RENAME_NOREPLACE;
constexpr unsigned k_exchange = CORE_RENAME_EXCHANGE;
constexpr Row k_rows[] = {
    { "file_to_free_name", Kind::file, Kind::none, false, 0, Error::none },
    { "file_to_free_name_across", Kind::file, Kind::none, true, 0, Error::none },
    { "directory_to_free_name", Kind::full, Kind::none, false, 0, Error::none },
    { "directory_to_free_name_across", Kind::full, Kind::none, true, 0, Error::none },
    { "noreplace_to_free_name", Kind::file, Kind::none, true, k_noreplace, Error::none },
    { "noreplace_over_file", Kind::file, Kind::file, false, k_noreplace, Error::exists },
    { "file_over_file", Kind::file, Kind::file, false, 0, Error::none },
    { "file_over_file_across", Kind::file, Kind::file, true, 0, Error::none },
    { "file_over_empty_directory", Kind::file, Kind::empty, true, 0, Error::is_directory },
    { "file_over_full_directory", Kind::file, Kind::full, false, 0, Error::is_directory },
    { "directory_over_file", Kind::empty, Kind::file, true, 0, Error::not_directory },
    { "directory_over_empty", Kind::full, Kind::empty, false, 0, Error::none },
    { "directory_over_empty_across", Kind::full, Kind::empty, true, 0, Error::none },
    { "directory_over_full", Kind::empty, Kind::full, false, 0, Error::not_empty },
    { "directory_over_full_across", Kind::full, Kind::full, true, 0, Error::not_empty },
    { "exchange_files", Kind::file, Kind::file, false, k_exchange, Error::none },
    { "exchange_files_across", Kind::file, Kind::file, true, k_exchange, Error::none },
    { "exchange_file_and_directory", Kind::file, Kind::full, false, k_exchange, Error::none },
    { "exchange_file_and_directory_across", Kind::file, Kind::full, true, k_exchange, Error::none },
    { "exchange_directory_and_file_across", Kind::full, Kind::file, true, k_exchange, Error::none },
    { "exchange_directories_across", Kind::full, Kind::empty, true, k_exchange, Error::none },
    { "exchange_with_nothing", Kind::file, Kind::none, false, k_exchange, Error::not_found },
    { "nothing_over_file", Kind::none, Kind::file, false, 0, Error::not_found },
};

int put_in_place(TestPool& pool, core_object* directory, const char* name, Kind kind, u64* id)
{
    *id = 0;
    if (kind == Kind::none)
        return 0;
    core_object* object;
    int result = pool.create(directory, name, kind == Kind::file ? k_mode_regular | 0600u : k_mode_directory | 0700u, &object);
    if (result != 0)
        return result;
    *id = pool.id(object);
    if (kind == Kind::full)
        result = pool.make(object, "inside", k_mode_regular | 0600);
    core_object_put(object);
    return result;
}

bool is_directory(Kind kind) { return kind == Kind::empty || kind == Kind::full; }
}

static u64 parent_of(TestPool& pool, u64 id)
{
    core_object* object;
    if (pool.get(id, &object) != 0)
        return 0;
    u64 parent = 0;
    if (core_parent(object, &parent) != 0)
        parent = 0;
    core_object_put(object);
    return parent;
}

static void check_after(Test& test, TestPool& pool, const Row& row, u64 from_id, u64 to_id)
{
    core_object* a;
    core_object* b;
    REQUIRE_EQ(pool.find(pool.root(), "a", &a), 0);
    if (pool.find(pool.root(), "b", &b) != 0)
        b = nullptr;
    if (CHECK(b)) {
        core_object* to = row.across ? b : a;
        const bool done = row.expected == Error::none;
        const bool swapped = done && row.flags == k_exchange;
        CHECK_EQ(pool.id_of(a, "from"), done ? (swapped ? to_id : 0) : from_id);
        CHECK_EQ(pool.id_of(to, "to"), done ? from_id : to_id);
        const bool from_stays = !done && is_directory(row.from);
        const bool to_stays = (!done || swapped) && is_directory(row.to);
        u32 in_a = 2 + from_stays, in_to = to_stays;
        if (done && is_directory(row.from))
            in_to++;
        if (swapped && to_stays) {
            in_to--;
            in_a++;
        }
        CHECK_EQ(pool.links(a), in_a + (row.across ? 0 : in_to));
        CHECK_EQ(pool.links(b), 2 + (row.across ? in_to : 0));
        if (is_directory(row.from))
            CHECK_EQ(parent_of(pool, from_id), done ? pool.id(to) : pool.id(a));
        if (to_stays)
            CHECK_EQ(parent_of(pool, to_id), swapped ? pool.id(a) : pool.id(to));
        core_object_put(b);
    }
    core_object_put(a);
}

static void rename_row(Test& test, TestPool* pool, const Row& row)
{
    core_object* a;
    core_object* b;
    u64 from_id = 0, to_id = 0;
    REQUIRE_EQ(pool->create(pool->root(), "a", k_mode_directory | 0755u, &a), 0);
    if (pool->create(pool->root(), "b", k_mode_directory | 0755u, &b) != 0)
        b = nullptr;
    if (CHECK(b)) {
        core_object* to = row.across ? b : a;
        CHECK_EQ(put_in_place(*pool, a, "from", row.from, &from_id), 0);
        CHECK_EQ(put_in_place(*pool, to, "to", row.to, &to_id), 0);
        CHECK_EQ(pool->sync(), 0);
        CHECK_EQ(pool->rename(a, "from", to, "to", row.flags), -errno_of(row.expected));
        core_object_put(b);
    }
    core_object_put(a);
    check_after(test, *pool, row, from_id, to_id);
    REQUIRE_EQ(pool->settle(), 0);
    check_after(test, *pool, row, from_id, to_id); // as it is on disk
    CHECK_EQ(pool->check(), 0u);
}

static void matrix(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    for (const Row& row : k_rows) {
        rename_row(test, pool.get(), row);
        REQUIRE_EQ(pool->empty(pool->root()), 0);
        if (!test.check(!test.failed(), __FILE__, __LINE__, row.name))
            return;
    }
}

static void same_object(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "one", k_mode_regular | 0644u, &file), 0);
    CHECK_EQ(pool->link(pool->root(), "two", file), 0);
    CHECK_EQ(pool->rename(pool->root(), "one", pool->root(), "two", 0), 0); // both stay
    CHECK_EQ(pool->links(file), 2u);
    CHECK_EQ(pool->rename(pool->root(), "one", pool->root(), "one", 0), 0);
    CHECK_EQ(pool->id_of(pool->root(), "one"), pool->id(file));
    core_object_put(file);
    CHECK_EQ(pool->sync(), 0);
    CHECK_EQ(pool->check(), 0u);
}

// The caller's look-ups may be out of date by the time the locks are taken.
static void stale_look_ups(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* root = pool->root();
    core_object* file;
    core_object* other;
    REQUIRE_EQ(pool->create(root, "file", k_mode_regular | 0644u, &file), 0);
    if (CHECK_EQ(pool->create(root, "other", k_mode_regular | 0644u, &other), 0)) {
        struct core_rename how {};
        how.from_directory = how.to_directory = root;
        how.from_name = "file";
        how.from_length = 4;
        how.to_name = "other";
        how.to_length = 5;
        how.object = file;
        CHECK_EQ(core_rename(&how), -errno_of(Error::exists)); // "other" was thought to be free
        how.victim = other;
        how.object = root;
        CHECK_EQ(core_rename(&how), -errno_of(Error::not_found));
        how.object = file;
        how.to_name = "free";
        how.to_length = 4;
        CHECK_EQ(core_rename(&how), -errno_of(Error::not_found)); // the victim has gone
        how.to_length = 0;
        CHECK_EQ(core_rename(&how), -errno_of(Error::invalid));
        how.to_length = 256;
        CHECK_EQ(core_rename(&how), -errno_of(Error::name_too_long));
        core_object_put(other);
    }
    core_object_put(file);
    CHECK(pool->id_of(root, "file") && pool->id_of(root, "other"));
    CHECK_EQ(pool->sync(), 0);
    CHECK_EQ(pool->check(), 0u);
}

namespace {
constexpr TestCase k_cases[] = { { "matrix", matrix }, { "same_object", same_object }, { "stale_look_ups", stale_look_ups } };
}
LCPFS_SUITE(rename, k_cases);

}
