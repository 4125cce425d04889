// SPDX-License-Identifier: GPL-2.0-only
#include "core/fs/names.h"

#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

constexpr u32 k_file = k_mode_regular | 0644;
constexpr u32 k_directory = k_mode_directory | 0755;

static int minus(Error error) { return -errno_of(error); }

// Name `n` of many: "prefix-number".
namespace {
struct NumberedName {
    NumberedName(const char* prefix, u32 number)
    {
        u32 at = 0;
        while (*prefix)
            text[at++] = *prefix++;
        text[at++] = '-';
        for (u32 digit = 10000; digit; digit /= 10)
            text[at++] = static_cast<char>('0' + number / digit % 10);
        text[at] = 0;
    }
    char text[48];
};

struct Listing {
    u32 limit { ~0u }; // stop before this many
    u32 seen { 0 };
    u32 numbers { 0 };
    u64 sum { 0 };     // of the ids
    u64 last { 0 };
    bool rises { true };
    static bool emit(void* context, const char*, u32, u64 id, u8, u64 cookie)
    {
        Listing& listing = *static_cast<Listing*>(context);
        if (listing.seen == listing.limit)
            return false;
        listing.seen++;
        listing.sum += id;
        listing.rises = listing.rises && cookie > listing.last && cookie >= 3 && cookie >> 63 == 0;
        listing.last = cookie;
        return true;
    }
};
}

static void creating(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* root = pool->root();
    CHECK_EQ(pool->links(root), 2u);
    core_object* object;
    REQUIRE_EQ(pool->create(root, "file", k_file, &object), 0);
    CHECK_EQ(pool->links(object), 1u);
    CHECK(pool->id(object) >= k_first_free_object);
    CHECK_EQ(pool->id_of(root, "file"), pool->id(object));
    u64 parent;
    CHECK_EQ(core_parent(object, &parent), minus(Error::not_directory));
    u64 id;
    u8 type;
    CHECK_EQ(core_lookup(object, "x", 1, &id, &type), minus(Error::not_directory));
    CHECK_EQ(pool->make(object, "x", k_file), minus(Error::not_directory));
    core_object_put(object);
    CHECK_EQ(pool->make(root, "file", k_file), minus(Error::exists));
    CHECK_EQ(pool->make(root, "file", k_directory), minus(Error::exists));
    CHECK_EQ(pool->links(root), 2u);
    CHECK_EQ(pool->make(root, "", k_file), minus(Error::invalid));
    REQUIRE_EQ(pool->create(root, "directory", k_directory, &object), 0);
    CHECK_EQ(pool->links(object), 2u);
    CHECK_EQ(pool->links(root), 3u);
    CHECK(core_parent(object, &parent) == 0 && parent == k_root_object);
    CHECK_EQ(pool->make(object, "inner", k_mode_fifo | 0600), 0);
    CHECK_EQ(pool->unlink(root, "directory"), minus(Error::not_empty));
    CHECK_EQ(pool->unlink(object, "inner"), 0);
    CHECK_EQ(pool->unlink(root, "directory", false), 0);
    CHECK_EQ(pool->links(object), 0u);
    CHECK_EQ(pool->links(root), 2u);
    CHECK_EQ(pool->make(object, "late", k_file), minus(Error::not_found));
    CHECK_EQ(core_object_delete(object), 0);
    CHECK_EQ(core_object_delete(object), 0);
    core_object_put(object);
    CHECK_EQ(pool->unlink(root, "directory"), minus(Error::not_found));
    CHECK_EQ(pool->sync(), 0);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(pool->dirty_bytes(), 0u);
    CHECK_EQ(pool->promised(), 0u);
    REQUIRE_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(true), 0);
    CHECK(pool->id_of(pool->root(), "file") != 0);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(pool->close(), 0);
}

static void long_names(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    char text[k_max_name_bytes + 2];
    __builtin_memset(text, 'n', sizeof(text));
    text[k_max_name_bytes + 1] = 0;
    CHECK_EQ(pool->make(pool->root(), text, k_file), minus(Error::name_too_long));
    text[k_max_name_bytes] = 0;
    CHECK_EQ(pool->make(pool->root(), text, k_file), 0);
    CHECK(pool->id_of(pool->root(), text) != 0);
    text[0] = 'm';
    CHECK_EQ(pool->id_of(pool->root(), text), 0u);
    CHECK_EQ(pool->sync(), 0);
    CHECK_EQ(pool->size(pool->root()), name_cost(k_max_name_bytes));
    CHECK_EQ(pool->check(), 0u);
}

static void linking(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* root = pool->root();
    core_object* file;
    core_object* directory;
    REQUIRE_EQ(pool->create(root, "a", k_file, &file), 0);
    if (CHECK_EQ(pool->create(root, "d", k_directory, &directory), 0)) {
        CHECK_EQ(pool->link(root, "a", file), minus(Error::exists));
        CHECK_EQ(pool->link(directory, "b", file), 0);
        CHECK_EQ(pool->links(file), 2u);
        CHECK_EQ(pool->link(root, "e", directory), minus(Error::not_permitted));
        CHECK_EQ(pool->unlink(root, "a"), 0);
        CHECK_EQ(pool->links(file), 1u);
        CHECK_EQ(pool->id_of(directory, "b"), pool->id(file));
        // Another object under the name than the caller thinks.
        CHECK_EQ(core_unlink(directory, "b", 1, directory, TestPool::k_time), minus(Error::not_found));
        CHECK_EQ(pool->unlink(directory, "b"), 0);
        CHECK_EQ(pool->link(root, "again", file), minus(Error::not_found));
        core_object_put(directory);
    }
    core_object_put(file);
    core_new how {};
    how.mode = k_file;
    if (CHECK_EQ(core_create_unnamed(root, &how, &file), 0)) {
        CHECK_EQ(pool->links(file), 0u);
        CHECK_EQ(pool->sync(), 0);
        CHECK_EQ(pool->check(), 0u); // an orphan that is in use
        CHECK_EQ(pool->link(root, "named", file), 0);
        core_object_put(file);
    }
    CHECK_EQ(pool->sync(), 0);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    CHECK(pool->id_of(pool->root(), "named") != 0);
    CHECK_EQ(pool->check(), 0u);
}

static void symlinks(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    constexpr u32 k_lengths[] = { 1, 100, 2047, 2048, 2049, 4094, 4095 };
    char* target = reinterpret_cast<char*>(pool->page());
    for (u32 i = 0; i < CORE_BLOCK_SIZE; i++)
        target[i] = static_cast<char>('a' + i % 26);
    CHECK_EQ(pool->symlink(pool->root(), "zero", target, 0), minus(Error::invalid));
    CHECK_EQ(pool->symlink(pool->root(), "more", target, 4096), minus(Error::name_too_long));
    for (u32 length : k_lengths)
        CHECK_EQ(pool->symlink(pool->root(), NumberedName("link", length).text, target, length), 0);
    CHECK_EQ(pool->close(), 0);
    REQUIRE_EQ(pool->open(false), 0);
    Vector<char> read;
    REQUIRE_OK(read.resize(CORE_SYMLINK_MAX));
    for (u32 length : k_lengths) {
        core_object* link;
        REQUIRE_EQ(pool->find(pool->root(), NumberedName("link", length).text, &link), 0);
        u32 got = 0;
        CHECK_EQ(core_read_link(link, read.begin(), &got), 0);
        CHECK_EQ(got, length);
        CHECK_EQ(pool->size(link), length);
        CHECK(compare_bytes(read.begin(), target, min(length, got)) == 0);
        core_object_put(link);
    }
    u32 got;
    CHECK_EQ(core_read_link(pool->root(), read.begin(), &got), minus(Error::invalid));
    CHECK_EQ(pool->check(), 0u);
    for (u32 length : k_lengths)
        CHECK_EQ(pool->unlink(pool->root(), NumberedName("link", length).text), 0);
    CHECK_EQ(pool->sync(), 0);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(pool->dirty_bytes(), 0u);
}

// A directory of several nodes, listed in pieces while names come and go.
static void listing(Test& test)
{
    constexpr u32 k_names = 420;
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* root = pool->root();
    for (u32 i = 0; i < k_names; i++) {
        REQUIRE_EQ(pool->make(root, NumberedName("a name of some length", i).text, k_file), 0);
        if (i % 300 == 299)
            REQUIRE_EQ(pool->sync(), 0);
    }
    Listing all;
    u64 cookie = 0;
    CHECK_EQ(core_readdir(root, &cookie, Listing::emit, &all), 0);
    CHECK_EQ(all.seen, k_names);
    CHECK(all.rises);
    // Half of the way; then names of both halves go and others come: every one that stays is listed once.
    Listing half;
    half.limit = k_names / 2;
    cookie = 0;
    CHECK_EQ(core_readdir(root, &cookie, Listing::emit, &half), 0);
    CHECK_EQ(half.seen, k_names / 2);
    const u64 at = cookie;
    CHECK(at > half.last);
    u64 removed_before = 0, removed_after = 0;
    for (u32 i = 0; i < k_names; i += 3) {
        NumberedName name("a name of some length", i);
        u64 place = name_cookie(StringView(name.text).bytes(), pool->pool().dataset().hash_seed());
        (place < at ? removed_before : removed_after)++;
        REQUIRE_EQ(pool->unlink(root, name.text), 0);
    }
    u64 added_after = 0;
    for (u32 i = 0; i < 50; i++) {
        NumberedName name("another", i);
        added_after += name_cookie(StringView(name.text).bytes(), pool->pool().dataset().hash_seed()) >= at;
        REQUIRE_EQ(pool->make(root, name.text, k_file), 0);
    }
    REQUIRE_EQ(pool->settle(), 0);
    Listing rest;
    CHECK_EQ(core_readdir(root, &cookie, Listing::emit, &rest), 0);
    CHECK_EQ(rest.seen, k_names - k_names / 2 - removed_after + added_after);
    CHECK(rest.rises);
    CHECK_EQ(pool->check(), 0u);
    for (u32 i = 0; i < k_names; i++)
        if (i % 3)
            REQUIRE_EQ(pool->unlink(root, NumberedName("a name of some length", i).text), 0);
    for (u32 i = 0; i < 50; i++)
        REQUIRE_EQ(pool->unlink(root, NumberedName("another", i).text), 0);
    Listing none;
    cookie = 0;
    CHECK_EQ(core_readdir(root, &cookie, Listing::emit, &none), 0);
    CHECK_EQ(none.seen, 0u);
    CHECK_EQ(pool->size(root), 0u);
    CHECK_EQ(pool->settle(), 0);
    CHECK_EQ(pool->check(), 0u);
    CHECK_EQ(pool->dirty_bytes(), 0u);
    CHECK_EQ(pool->promised(), 0u);
}

// Names whose hashes are made equal by hand: an entry put where another name of the same hash would stand.
static void collisions(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    core_object* root = pool->root();
    Object& directory = object_of(root);
    u64 other;
    REQUIRE_EQ(pool->make(root, "other", k_file, &other), 0);
    const u64 place = name_cookie(StringView("wanted").bytes(), pool->pool().dataset().hash_seed());
    {
        WriteGuard guard(directory.m_lock);
        TxgHold hold(pool->pool().engine());
        REQUIRE_OK(directory.prepare_change(hold.txg()));
        constexpr u64 k_taken[] = { 0, 1, 3 };
        u8 value[16];
        u32 bytes = encode_name(other, k_mode_regular >> 12, StringView("xy").bytes(), value);
        for (u64 taken : k_taken) {
            BigEndianKey key(place + taken);
            REQUIRE_OK(directory.m_tree.prepare_insert(hold.txg(), { key.data(), 8 }, bytes));
            directory.m_tree.insert({ key.data(), 8 }, { value, bytes });
        }
    }
    CHECK_EQ(pool->id_of(root, "wanted"), 0u);
    u64 made;
    REQUIRE_EQ(pool->make(root, "wanted", k_file, &made), 0); // in the gap
    CHECK_EQ(pool->id_of(root, "wanted"), made);
    CHECK_EQ(pool->make(root, "wanted", k_file), minus(Error::exists));
    Listing after;
    u64 cookie = place + 2;
    CHECK_EQ(core_readdir(root, &cookie, Listing::emit, &after), 0);
    cookie = place + 3;
    Listing behind;
    CHECK_EQ(core_readdir(root, &cookie, Listing::emit, &behind), 0);
    CHECK_EQ(after.seen, behind.seen + 1);
    CHECK_EQ(after.sum, behind.sum + made);
    CHECK_EQ(pool->rename(root, "wanted", root, "elsewhere", 0), 0);
    CHECK_EQ(pool->id_of(root, "wanted"), 0u);
    CHECK_EQ(pool->rename(root, "elsewhere", root, "wanted", 0), 0);
    CHECK_EQ(pool->unlink(root, "wanted"), 0);
    CHECK_EQ(pool->sync(), 0);
    CHECK(pool->check() != 0); // the entries made by hand stand where they cannot be found
}

static void identifiers(Test& test)
{
    Box<TestPool> pool = REQUIRE_VALUE(make_box<TestPool>());
    REQUIRE_OK(pool->start());
    u64 last = 0;
    for (u32 round = 0; round < 4; round++) {
        for (u32 i = 0; i < 3; i++) {
            u64 id;
            REQUIRE_EQ(pool->make(pool->root(), "x", k_file, &id), 0);
            CHECK(id > last);
            last = id;
            REQUIRE_EQ(pool->unlink(pool->root(), "x"), 0);
            core_object* object;
            CHECK_EQ(pool->get(id, &object), minus(Error::not_found));
        }
        REQUIRE_EQ(pool->close(), 0);
        REQUIRE_EQ(pool->open(false), 0);
    }
    core_object* object;
    CHECK_EQ(pool->get(0, &object), minus(Error::not_found));
    CHECK_EQ(pool->get(~0ull, &object), minus(Error::not_found));
    core_dataset* dataset;
    REQUIRE_EQ(core_dataset_get(pool->handle(), "default", &dataset), 0);
    CHECK_EQ(core_object_get(dataset, k_root_object, 77, &object), minus(Error::stale_handle));
    core_dataset_put(dataset);
    CHECK_EQ(core_dataset_get(pool->handle(), "none", &dataset), minus(Error::not_found));
    CHECK_EQ(pool->check(), 0u);
}

namespace {
constexpr TestCase k_cases[] = { { "creating", creating }, { "long_names", long_names }, { "linking", linking },
                                 { "symlinks", symlinks }, { "listing", listing },       { "collisions", collisions },
                                 { "identifiers", identifiers } };
}
LCPFS_SUITE(names, k_cases);

}
