// SPDX-License-Identifier: GPL-2.0-only
// Extended attributes as the core's callers see them: values of every size, over commits, crashes and full pools.
#include "core/fs/xattrs.h"

#include "core/test/log_pool.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

int minus(Error error) { return -errno_of(error); }

// A value of `bytes` bytes that says which it is.
struct Values {
    u8 wanted[k_max_xattr_value_bytes + 1];
    u8 found[k_max_xattr_value_bytes + 1];

    core_xattr make(const char* name, u32 seed, u32 bytes)
    {
        for (u32 i = 0; i < bytes; i++)
            wanted[i] = static_cast<u8>(seed * 31 + i * 7 + (i >> 8));
        return { name, static_cast<u32>(StringView(name).size()), wanted, bytes };
    }
    int set(core_object* object, const char* name, u32 seed, u32 bytes, unsigned flags = 0)
    {
        const core_xattr xattr = make(name, seed, bytes);
        return core_xattr_set(object, &xattr, flags, nullptr, 0);
    }
    static int remove(core_object* object, const char* name, unsigned flags = 0)
    {
        const core_xattr xattr { name, static_cast<u32>(StringView(name).size()), nullptr, 0 };
        return core_xattr_set(object, &xattr, flags, nullptr, 0);
    }
    // 0: it has just this value.
    int check(core_object* object, const char* name, u32 seed, u32 bytes)
    {
        (void)make(name, seed, bytes);
        u32 length = ~0u;
        const u32 name_bytes = static_cast<u32>(StringView(name).size());
        if (int error = core_xattr_get(object, name, name_bytes, found, sizeof(found), &length))
            return error;
        return length == bytes && compare_bytes(wanted, found, bytes) == 0 ? 0 : -1;
    }
};

u32 length_of_list(core_object* object)
{
    u32 length = ~0u;
    (void)core_xattr_list(object, [](void*, const char*, u32) { return true; }, nullptr, nullptr, 0, &length);
    return length;
}

constexpr u32 k_sizes[] = { 0, 1, 100, 900, 1100, k_xattr_part_bytes - 1, k_xattr_part_bytes, k_xattr_part_bytes + 1, 20000,
                            k_max_xattr_value_bytes };

// From every size to every other, in one group and over a commit, on a file, in the record and in nodes.
void sizes(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    Box<Values> values = REQUIRE_VALUE(make_box<Values>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->settle(), 0);
    const u64 empty = pool->used_blocks();
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    REQUIRE_EQ(pool->write(file, 0, 3, 5, 3 * k_block_size), 0);
    REQUIRE_EQ(values->set(file, "user.neighbour", 3, 40), 0);
    REQUIRE_EQ(values->set(file, "user.zzz", 4, 4000), 0);
    u32 seed = 1;
    for (u32 from : k_sizes)
        for (u32 to : k_sizes) {
            REQUIRE_EQ(values->set(file, "user.value", ++seed, from), 0);
            REQUIRE_EQ(values->check(file, "user.value", seed, from), 0);
            if (seed % 3 == 0)
                REQUIRE_EQ(pool->settle(), 0);
            REQUIRE_EQ(values->set(file, "user.value", ++seed, to), 0);
            REQUIRE_EQ(values->check(file, "user.value", seed, to), 0);
            if (seed % 7 == 0)
                REQUIRE_EQ(values->remove(file, "user.value"), 0);
            REQUIRE_EQ(values->check(file, "user.neighbour", 3, 40), 0);
            REQUIRE_EQ(values->check(file, "user.zzz", 4, 4000), 0);
        }
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(pool->blocks(file), 3u);
    CHECK_EQ(pool->dirty_bytes(), 0u);
    core_object_put(file);
    // Read anew, by whatever form it has on disk.
    REQUIRE_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    REQUIRE_EQ(pool->find(pool->root(), "file", &file), 0);
    CHECK_EQ(values->check(file, "user.neighbour", 3, 40), 0);
    CHECK_EQ(values->check(file, "user.zzz", 4, 4000), 0);
    core_object_put(file);
    CHECK_EQ(pool->unlink(pool->root(), "file"), 0);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->used_blocks(), empty);
    CHECK_EQ(pool->check(), 0u);
}

void refused(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    Box<Values> values = REQUIRE_VALUE(make_box<Values>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    CHECK_EQ(length_of_list(file), 0u);
    CHECK_EQ(values->check(file, "user.a", 1, 1), minus(Error::no_data));
    CHECK_EQ(values->remove(file, "user.a"), minus(Error::no_data));
    CHECK_EQ(values->remove(file, "user.a", CORE_XATTR_IF_ANY), 0);
    CHECK_EQ(values->set(file, "user.a", 1, 1, CORE_XATTR_REPLACE), minus(Error::no_data));
    CHECK_EQ(values->set(file, "user.a", 1, 5, CORE_XATTR_CREATE), 0);
    CHECK_EQ(values->set(file, "user.a", 2, 1, CORE_XATTR_CREATE), minus(Error::exists));
    CHECK_EQ(values->set(file, "user.a", 2, k_max_xattr_value_bytes + 1), minus(Error::xattr_too_large));
    CHECK_EQ(values->set(file, "user.", 2, 1), minus(Error::not_supported));
    CHECK_EQ(values->set(file, "other.a", 2, 1), minus(Error::not_supported));
    CHECK_EQ(values->set(file, "", 2, 1), minus(Error::invalid));
    CHECK_EQ(values->set(file, "system.posix_acl_access", 2, 28), minus(Error::invalid));
    char name[k_max_xattr_name_bytes + 2];
    __builtin_memset(name, 'n', sizeof(name));
    copy_bytes(name, "user.", 5);
    name[k_max_xattr_name_bytes + 1] = 0;
    CHECK_EQ(values->set(file, name, 2, 1), minus(Error::name_too_long));
    name[k_max_xattr_name_bytes] = 0;
    CHECK_EQ(values->set(file, name, 2, 1), 0);
    CHECK_EQ(values->check(file, name, 2, 1), 0);
    CHECK_EQ(values->check(file, "user.a", 1, 5), 0);
    u32 length = 0;
    u8 small[4];
    CHECK_EQ(core_xattr_get(file, "user.a", 6, small, 4, &length), minus(Error::range));
    CHECK_EQ(core_xattr_get(file, "user.a", 6, nullptr, 0, &length), 0);
    CHECK_EQ(length, 5u);
    CHECK_EQ(length_of_list(file), 7u + k_max_xattr_name_bytes + 1);
    REQUIRE_EQ(pool->settle(), 0);
    REQUIRE_EQ(core_pool_set_read_only(pool->handle(), true), 0);
    CHECK_EQ(values->set(file, "user.a", 2, 1), minus(Error::read_only));
    core_object_put(file);
}

// Thousands on one object, and the object removed with them.
void many(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    Box<Values> values = REQUIRE_VALUE(make_box<Values>());
    REQUIRE_OK(pool->start());
    REQUIRE_EQ(pool->settle(), 0);
    const u64 empty = pool->used_blocks();
    core_object* directory;
    REQUIRE_EQ(pool->create(pool->root(), "directory", k_directory, &directory), 0);
    char name[] = "user.0000";
    for (u32 i = 0; i < 2000; i++) {
        for (u32 digit = 0, left = i * 7 % 2000; digit < 4; digit++, left /= 10)
            name[8 - digit] = static_cast<char>('0' + left % 10);
        REQUIRE_EQ(values->set(directory, name, i * 7 % 2000, i % 300, CORE_XATTR_CREATE), 0);
    }
    CHECK_EQ(length_of_list(directory), 20000u);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(values->check(directory, "user.0007", 7, 1), 0);
    CHECK_EQ(values->check(directory, "user.1993", 1993, 1999 % 300), 0);
    core_object_put(directory);
    CHECK_EQ(pool->unlink(pool->root(), "directory"), 0);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->used_blocks(), empty);
    CHECK_EQ(pool->check(), 0u);
}

constexpr u8 k_list[] = { 2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 9, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
                          16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255 };
constexpr const char* k_list_name = "system.posix_acl_access";

// Acknowledged by fsync, lost by none: each of the opcodes, the largest values, and what an object begins with.
void crashes(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    Box<Values> values = REQUIRE_VALUE(make_box<Values>());
    REQUIRE_OK(log->start());
    REQUIRE_EQ(values->set(log->file, "user.old", 1, 9000), 0);
    REQUIRE_EQ(values->set(log->file, "user.gone", 1, 9000), 0);
    const core_xattr list { k_list_name, static_cast<u32>(StringView(k_list_name).size()), k_list, sizeof(k_list) };
    REQUIRE_EQ(core_xattr_set(log->directory, &list, 0, nullptr, 0), 0);
    REQUIRE_EQ(log->pool.settle(), 0);
    const u64 committed = log->committed();
    REQUIRE_EQ(values->set(log->file, "user.old", 2, k_max_xattr_value_bytes), 0);
    REQUIRE_EQ(values->set(log->file, "trusted.new", 3, 10), 0);
    REQUIRE_EQ(values->remove(log->file, "user.gone"), 0);
    REQUIRE_EQ(values->remove(log->directory, k_list_name), 0);
    core_attr attr {};
    attr.mode = 0640;
    attr.ctime = { 77, 78 };
    REQUIRE_EQ(core_xattr_set(log->file, &list, 0, &attr, CORE_SET_MODE | CORE_SET_CTIME), 0);
    core_new how {};
    how.mode = k_file;
    const core_xattr begins[2] = { { "security.label", 14, "a label", 7 }, list };
    how.xattrs = begins;
    how.xattr_count = 2;
    core_object* made;
    REQUIRE_EQ(core_create(log->directory, "made", 4, &how, &made), 0);
    core_object_put(made);
    REQUIRE_EQ(core_object_sync(log->file), 0);
    CHECK_EQ(log->committed(), committed);
    for (u32 again = 0; again < 2; again++) {
        REQUIRE_EQ(log->crash_and_open(), 0);
        CHECK_EQ(values->check(log->file, "user.old", 2, k_max_xattr_value_bytes), 0);
        CHECK_EQ(values->check(log->file, "trusted.new", 3, 10), 0);
        CHECK_EQ(values->check(log->file, "user.gone", 1, 9000), minus(Error::no_data));
        u32 length = 0;
        CHECK_EQ(core_xattr_get(log->directory, list.name, list.name_length, values->found, 1000, &length), minus(Error::no_data));
        CHECK_EQ(core_xattr_get(log->file, list.name, list.name_length, values->found, 1000, &length), 0);
        CHECK(length == sizeof(k_list) && compare_bytes(values->found, k_list, length) == 0);
        core_object_attr(log->file, &attr);
        CHECK(attr.mode == (0100000u | 0640) && attr.ctime.seconds == 77 && attr.ctime.nanoseconds == 78 && attr.has_xattrs);
        REQUIRE_EQ(log->pool.find(log->directory, "made", &made), 0);
        CHECK_EQ(core_xattr_get(made, "security.label", 14, values->found, 1000, &length), 0);
        CHECK(length == 7 && compare_bytes(values->found, "a label", 7) == 0);
        CHECK_EQ(core_xattr_get(made, list.name, list.name_length, values->found, 1000, &length), 0);
        core_object_put(made);
        CHECK_EQ(log->pool.settle(), 0);
        CHECK_EQ(log->pool.check(), 0u);
    }
}

// What is too long for any frame makes a barrier: what follows is durable by a commit.
void beyond_a_frame(Test& test)
{
    Box<LogPool> log = REQUIRE_VALUE(make_box<LogPool>());
    Box<Values> values = REQUIRE_VALUE(make_box<Values>());
    REQUIRE_OK(log->start());
    (void)values->make("user.a", 5, k_max_xattr_value_bytes);
    const core_xattr begins[2] = { { "user.a", 6, values->wanted, k_max_xattr_value_bytes },
                                   { "user.b", 6, values->wanted, k_max_xattr_value_bytes } };
    core_new how {};
    how.mode = k_file;
    how.xattrs = begins;
    how.xattr_count = 2;
    const u64 committed = log->committed();
    core_object* made;
    REQUIRE_EQ(core_create(log->directory, "made", 4, &how, &made), 0);
    core_object_put(made);
    REQUIRE_EQ(core_object_sync(log->directory), 0);
    CHECK(log->committed() > committed);
    REQUIRE_EQ(log->crash_and_open(), 0);
    REQUIRE_EQ(log->pool.find(log->directory, "made", &made), 0);
    CHECK_EQ(values->check(made, "user.b", 5, k_max_xattr_value_bytes), 0);
    core_object_put(made);
    how.xattrs = begins;
    const core_xattr twice[2] = { begins[0], begins[0] };
    how.xattrs = twice;
    CHECK_EQ(core_create(log->directory, "twice", 5, &how, &made), minus(Error::exists));
    CHECK_EQ(log->pool.settle(), 0);
    CHECK_EQ(log->pool.check(), 0u);
}

// Refused before anything changes; removing and changing in place go on.
void full(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    Box<Values> values = REQUIRE_VALUE(make_box<Values>());
    REQUIRE_OK(pool->start());
    core_object* file;
    REQUIRE_EQ(pool->create(pool->root(), "file", k_file, &file), 0);
    const core_xattr list { k_list_name, static_cast<u32>(StringView(k_list_name).size()), k_list, sizeof(k_list) };
    REQUIRE_EQ(core_xattr_set(file, &list, 0, nullptr, 0), 0);
    REQUIRE_EQ(values->set(file, "user.large", 7, 30000), 0);
    int result = 0;
    for (u32 i = 0; result == 0; i++)
        result = pool->write(file, u64(i) * 64, 64, 1, u64(i + 1) * 64 * k_block_size);
    CHECK_EQ(result, minus(Error::no_space));
    CHECK_EQ(values->set(file, "user.large", 8, k_max_xattr_value_bytes), minus(Error::no_space));
    CHECK_EQ(values->check(file, "user.large", 7, 30000), 0);
    core_attr attr {};
    attr.mode = 0600;
    CHECK_EQ(core_xattr_set(file, &list, CORE_XATTR_SAME_SIZE, &attr, CORE_SET_MODE), 0);
    CHECK_EQ(values->remove(file, "user.large"), 0);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(false), 0u);
    core_object_put(file);
    CHECK_EQ(pool->unlink(pool->root(), "file"), 0);
    CHECK_EQ(pool->settle(), 0);
}

constexpr TestCase k_cases[] = { { "sizes", sizes },     { "refused", refused },               { "many", many },
                                 { "crashes", crashes }, { "beyond_a_frame", beyond_a_frame }, { "full", full } };
}
LCPFS_SUITE(xattrs, k_cases);

}
