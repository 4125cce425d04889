// SPDX-License-Identifier: GPL-2.0-only
// The checker on a sound pool, and on pools with one thing wrong each. What only a mistake of ours could write is made
// by changing objects behind the back of core/fs and letting an ordinary commit write it.
#include "core/check/checker.h"
#include "core/object/extent.h"
#include "core/object/name.h"
#include "core/test/device.h"
#include "core/test/pool.h"
#include "core/test/test.h"

namespace lcpfs {

constexpr u64 k_device_bytes = 64ull << 20;
constexpr u32 k_file_blocks = 20;

class CheckGround {
public:
    CheckGround() : m_a(k_device_bytes), m_b(k_device_bytes) {}
    ~CheckGround()
    {
        release_objects();
        if (m_pool)
            core_pool_close(m_pool);
        if (m_page)
            host_pool_free(m_page_pool, m_page);
        host_pool_destroy(m_page_pool);
    }

    // root / sub (directory) / inner (directory); root / file (extents); root / small; root / link -> file
    bool make()
    {
        m_page_pool = host_pool_create("test_page", k_block_size, 0);
        m_page = m_page_pool ? host_pool_alloc(m_page_pool, HOST_ALLOC_ZERO) : nullptr;
        if (!m_a || !m_b || !m_page)
            return false;
        core_format_options format {};
        format.name = "checked";
        format.root_mode = 0755;
        host_bdev* bdevs[] = { m_a.get(), m_b.get() };
        if (core_pool_format(bdevs, 2, &format) != 0 || !open(false))
            return false;
        return create(m_root, "sub", k_mode_directory | 0755, m_sub) && create(m_sub, "inner", k_mode_directory | 0700, m_inner)
            && create(m_root, "file", k_mode_regular | 0644, m_file) && create(m_root, "small", k_mode_regular | 0644, m_small)
            && create(m_root, "other", k_mode_regular | 0644, m_other) && write(m_file, k_file_blocks) && write(m_other, 3)
            && core_link(m_root, "link", 4, m_file, {}) == 0 && core_pool_sync(m_pool, true) == 0;
    }
    bool open(bool read_only)
    {
        core_pool_options options {};
        options.read_only = read_only;
        host_bdev* bdevs[] = { m_a.get(), m_b.get() };
        if (core_pool_open(bdevs, 2, &options, &m_pool) != 0)
            return false;
        return read_only || (core_dataset_get(m_pool, "", &m_dataset) == 0 && core_object_get(m_dataset, CORE_ROOT_OBJECT, 0,
            &m_root) == 0);
    }
    bool close()
    {
        release_objects();
        core_pool* const pool = m_pool;
        m_pool = nullptr;
        return core_pool_close(pool) == 0;
    }
    // The number of findings, and whether one of them has the words.
    u64 check(bool data, const char* words, bool& said)
    {
        m_words = words;
        m_said = false;
        core_check_report report;
        const int error = core_check(m_pool, data, told, nullptr, this, &report);
        said = m_said;
        return error ? ~0ull : report.problems;
    }

    Pool& pool() { return pool_of(m_pool); }
    host_bdev* device(u16 index) { return index ? m_b.get() : m_a.get(); }
    Object& root() { return object_of(m_root); }
    Object& sub() { return object_of(m_sub); }
    Object& inner() { return object_of(m_inner); }
    Object& file() { return object_of(m_file); }
    Object& other() { return object_of(m_other); }
    Object& small() { return object_of(m_small); }
    Dva first_run(Object& object) // of its first extent
    {
        ReadGuard guard(object.m_lock);
        TreeCursor cursor;
        BigEndianKey zero(0);
        auto found = object.m_tree.find({ zero.data(), 8 }, cursor);
        if (found.is_error() || !found.value())
            return {};
        auto extent = Extent::decode(cursor.key(), cursor.value());
        return extent.is_ok() ? extent.value().dva : Dva {};
    }

private:
    bool create(core_object* directory, const char* name, u32 mode, core_object*& object)
    {
        core_new how {};
        how.mode = mode;
        return core_create(directory, name, static_cast<u32>(__builtin_strlen(name)), &how, &object) == 0;
    }
    bool write(core_object* object, u32 blocks)
    {
        struct Wait {
            Event event;
            Atomic<u32> finished { 0 };
            int error { 0 };
        } wait;
        core_segment segments[k_file_blocks];
        for (u32 i = 0; i < blocks; i++)
            segments[i] = { m_page, k_block_size };
        if (core_reserve(object, blocks) != 0)
            return false;
        core_write(object, 0, segments, blocks, u64(blocks) * k_block_size, [](void* context, int error) {
            Wait& waiting = *static_cast<Wait*>(context);
            waiting.error = error;
            waiting.finished.store(1);
            waiting.event.wake();
        }, &wait);
        wait.event.wait([&] { return wait.finished.load() != 0; });
        core_pool_sync(m_pool, true); // the completion is well past the wake by now
        return wait.error == 0;
    }
    void release_objects()
    {
        core_object** const objects[] = { &m_sub, &m_inner, &m_file, &m_small, &m_other, &m_root };
        for (core_object** object : objects) {
            if (*object)
                core_object_put(*object);
            *object = nullptr;
        }
        if (m_dataset)
            core_dataset_put(m_dataset);
        m_dataset = nullptr;
    }
    static void told(void* context, const char* text)
    {
        CheckGround& self = *static_cast<CheckGround*>(context);
        const size_t bytes = __builtin_strlen(self.m_words);
        for (; *text; text++)
            if (__builtin_strncmp(text, self.m_words, bytes) == 0)
                self.m_said = true;
    }

    TestDevice m_a, m_b;
    core_pool* m_pool { nullptr };
    core_dataset* m_dataset { nullptr };
    core_object *m_root { nullptr }, *m_sub { nullptr }, *m_inner { nullptr }, *m_file { nullptr }, *m_small { nullptr },
        *m_other { nullptr };
    host_pool* m_page_pool { nullptr };
    void* m_page { nullptr };
    const char* m_words { "" };
    bool m_said { false };
};

// Changes the attributes of an object as no operation would.
template <typename Body>
static Status spoil(CheckGround& ground, Object& object, Body body)
{
    WriteGuard guard(object.m_lock);
    TxgHold hold(ground.pool().engine());
    TRY(object.prepare_change(hold.txg()));
    body(object.m_attributes);
    return {};
}

static Status remove_name(CheckGround& ground, Object& directory, StringView text)
{
    BigEndianKey key(name_cookie(text.bytes(), directory.dataset().hash_seed()));
    WriteGuard guard(directory.m_lock);
    TxgHold hold(ground.pool().engine());
    TRY(directory.prepare_change(hold.txg()));
    TRY(directory.m_tree.prepare_change(hold.txg(), { key.data(), 8 }));
    directory.m_tree.remove(hold.txg(), { key.data(), 8 });
    return {};
}

static Status add_name(CheckGround& ground, Object& directory, StringView text, u64 object, u8 type, u64 cookie_shift)
{
    u8 value[k_max_name_value_bytes];
    const u32 bytes = encode_name(object, type, text.bytes(), value);
    BigEndianKey key(name_cookie(text.bytes(), directory.dataset().hash_seed()) + cookie_shift);
    WriteGuard guard(directory.m_lock);
    TxgHold hold(ground.pool().engine());
    TRY(directory.prepare_change(hold.txg()));
    TRY(directory.m_tree.prepare_insert(hold.txg(), { key.data(), 8 }, bytes));
    directory.m_tree.insert({ key.data(), 8 }, { value, bytes });
    directory.m_attributes.size_bytes += name_cost(text.size());
    return {};
}

static Status add_extent(CheckGround& ground, Object& file, u64 file_block, const Dva& dva)
{
    u8 sums[64] {};
    u8 value[sizeof(DiskExtent) + sizeof(sums)];
    Extent extent;
    extent.file_block = file_block;
    extent.length_blocks = dva.length_blocks;
    extent.dva = dva;
    extent.checksum_kind = ChecksumKind::crc32c;
    extent.payload = { sums, size_t(dva.length_blocks) * 4 };
    WriteGuard guard(file.m_lock);
    TxgHold hold(ground.pool().engine());
    TRY(file.prepare_change(hold.txg()));
    extent.birth = hold.txg();
    const u32 bytes = extent.encode({ value, sizeof(value) });
    BigEndianKey key(file_block);
    TRY(file.m_tree.prepare_insert(hold.txg(), { key.data(), 8 }, bytes));
    file.m_tree.insert({ key.data(), 8 }, { value, bytes });
    file.m_attributes.blocks += dva.length_blocks;
    file.m_attributes.size_bytes = max(file.m_attributes.size_bytes, (file_block + dva.length_blocks) * k_block_size);
    return {};
}

// Says of a run that it is used, or free, to the bitmaps alone.
static Status log_space(CheckGround& ground, const Dva& dva, bool used)
{
    SpaceLog::Batch batch(ground.pool().space_log());
    TRY(batch.prepare(1));
    TxgHold hold(ground.pool().engine());
    batch.add(dva, used);
    batch.commit(hold.txg());
    return {};
}

// The empty change that makes a group commit what the space log has.
static Status touch(CheckGround& ground)
{
    return spoil(ground, ground.small(), [](ObjectAttributes& attributes) { attributes.uid++; });
}

static Status make_cycle(CheckGround& ground)
{
    TRY(remove_name(ground, ground.root(), "sub"));
    TRY(add_name(ground, ground.inner(), "sub", ground.sub().id().value(), 4, 0));
    const u64 inner = ground.inner().id().value();
    return spoil(ground, ground.sub(), [&](ObjectAttributes& attributes) { attributes.parent = inner; });
}

static Status share_blocks(CheckGround& ground)
{
    Dva dva = ground.first_run(ground.file());
    dva.length_blocks = 2;
    return add_extent(ground, ground.other(), 50, dva);
}

static Status leak_blocks(CheckGround& ground)
{
    const Dva dva = TRY(ground.pool().allocator().allocate(AllocClass::data, 5, 5));
    TRY(log_space(ground, dva, true));
    return touch(ground);
}

static Status free_blocks_in_use(CheckGround& ground)
{
    const Dva dva = ground.first_run(ground.other());
    TRY(ground.pool().allocator().prepare_free(dva));
    TRY(log_space(ground, dva, false));
    return touch(ground);
}

struct Spoil {
    const char* name;
    Status (*apply)(CheckGround& ground);
    const char* words;
};
using Ground = CheckGround&;
using Attributes = ObjectAttributes&;

constexpr Spoil k_spoils[] = {
    { "links", [](Ground g) { return spoil(g, g.file(), [](Attributes a) { a.links = 7; }); }, "has fewer names than links" },
    { "few_links", [](Ground g) { return spoil(g, g.file(), [](Attributes a) { a.links = 1; }); }, "1 links, but 2 names" },
    { "blocks", [](Ground g) { return spoil(g, g.file(), [](Attributes a) { a.blocks += 5; }); },
      "its record counts 25 blocks, its extents 20" },
    { "size", [](Ground g) { return spoil(g, g.file(), [](Attributes a) { a.size_bytes = 100; }); }, "is past the end of the file" },
    { "parent", [](Ground g) { return spoil(g, g.inner(), [](Attributes a) { a.parent = 99; }); },
      "is not where its directory thinks it is" },
    { "unreachable", [](Ground g) { return spoil(g, g.sub(), [](Attributes a) { a.parent = 99; }); }, "that the root does not reach" },
    { "directory_links", [](Ground g) { return spoil(g, g.sub(), [](Attributes a) { a.links = 2; }); },
      "a directory with 2 links and 1 subdirectories" },
    { "directory_size", [](Ground g) { return spoil(g, g.sub(), [](Attributes a) { a.size_bytes++; }); }, "whose names take" },
    { "orphan_with_name", [](Ground g) { return spoil(g, g.small(), [](Attributes a) { a.links = 0; }); }, "0 links, but 1 names" },
    { "pipe_with_data", [](Ground g) { return spoil(g, g.other(), [](Attributes a) { a.mode = k_mode_fifo; }); },
      "neither a file nor a symbolic link" },
    { "no_name", [](Ground g) { return remove_name(g, g.root(), "small"); }, "has no name, but links" },
    { "name_to_nothing", [](Ground g) { return add_name(g, g.root(), "ghost", 9999, 8, 0); },
      "name \"ghost\" names an object that does not exist: 9999" },
    { "other_type", [](Ground g) { return add_name(g, g.root(), "pipe", g.file().id().value(), 1, 0); }, "says another type" },
    { "misplaced", [](Ground g) { return add_name(g, g.root(), "lost", g.file().id().value(), 8, 128); }, "cannot be found" },
    { "name_twice", [](Ground g) { return add_name(g, g.root(), "file", g.file().id().value(), 8, 1); }, "stands twice" },
    { "cycle", make_cycle, "that the root does not reach" },
    { "shared_blocks", share_blocks, "which belong to something else too" },
    { "address_outside", [](Ground g) { return add_extent(g, g.other(), 50, { 3, 2, VdevId(0) }); }, "address outside the metaslabs" },
    { "address_beyond", [](Ground g) { return add_extent(g, g.other(), 50, { ~0ull - 7, 2, VdevId(1) }); },
      "address outside the metaslabs" },
    { "unallocated", [](Ground g) { return add_extent(g, g.other(), 50, { 10000, 2, VdevId(1) }); },
      "device 1 block 10000 length 2 is in use, but marked free" },
    { "overlap", [](Ground g) { return add_extent(g, g.file(), k_file_blocks - 2, { 10000, 2, VdevId(1) }); }, "overlaps the one before" },
    { "leak", leak_blocks, "length 5 is marked in use, but nothing uses it" },
    { "freed_in_use", free_blocks_in_use, "length 3 is in use, but marked free" },
};

static void spoiled(Test& test, const Spoil& row)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->make());
    REQUIRE_OK(row.apply(*ground));
    REQUIRE(ground->close());
    REQUIRE(ground->open(true));
    bool said;
    const u64 problems = ground->check(false, row.words, said);
    CHECK(problems >= 1 && problems != ~0ull);
    CHECK(said);
}
LCPFS_TABLE_SUITE(check_spoiled, k_spoils, spoiled);

static void sound(Test& test)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->make());
    REQUIRE(ground->close());
    REQUIRE(ground->open(true));
    bool said;
    CHECK_EQ(ground->check(true, "", said), 0);
    CHECK(!said);
}

static void flip(CheckGround& ground, u16 device, u64 byte_offset)
{
    u8 byte;
    lcpfs_test_device_peek(ground.device(device), byte_offset, &byte, 1);
    byte ^= 4;
    lcpfs_test_device_poke(ground.device(device), byte_offset, &byte, 1);
}

// One bit of one copy of a node: the pool opens, the checker says which copy where.
static void damaged_copy(Test& test)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->make());
    const Dva dva = ground->pool().uberblock().pool_tree.dva[1];
    REQUIRE(ground->close());
    REQUIRE(ground->open(true));
    const Dva last = ground->pool().uberblock().pool_tree.dva[1];
    flip(*ground, last.vdev.value(), last.block * k_block_size + 5000);
    bool said;
    CHECK_EQ(ground->check(false, "copy 2 of the node at device", said), 1);
    CHECK(said);
    CHECK(dva.is_used());
}

static void damaged_data(Test& test)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->make());
    const Dva dva = ground->first_run(ground->file());
    REQUIRE_EQ(dva.length_blocks, k_file_blocks);
    REQUIRE(ground->close());
    flip(*ground, dva.vdev.value(), (dva.block + 7) * k_block_size + 100);
    REQUIRE(ground->open(true));
    bool said;
    CHECK_EQ(ground->check(false, "", said), 0);
    CHECK_EQ(ground->check(true, "file block 7 at device", said), 1);
    CHECK(said);
    lcpfs_test_device_fail(ground->device(dva.vdev.value()), HOST_IO_READ, 0, 0);
}

static void damaged_label(Test& test)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->make());
    REQUIRE(ground->close());
    flip(*ground, 1, label_offset(2, k_device_bytes / k_block_size) + k_label_vdevs_offset + 77);
    REQUIRE(ground->open(true));
    bool said;
    CHECK_EQ(ground->check(false, "label 2: lcpfs label is damaged", said), 1);
    CHECK(said);
}

static void damaged_bitmap(Test& test)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->make());
    REQUIRE(ground->close());
    REQUIRE(ground->open(true));
    const DiskMetaslabEntry entry = ground->pool().allocator().entry(VdevId(0), 0);
    REQUIRE(entry.txg.get() != 0);
    REQUIRE(ground->close());
    flip(*ground, 0, (k_first_metaslab_block + entry.copy) * k_block_size + 900);
    if (!ground->open(true))
        return; // refused: as good
    bool said;
    CHECK(ground->check(false, "bitmap of metaslab 0 on device 0", said) >= 1);
    CHECK(said);
}

constexpr TestCase k_cases[] = {
    { "sound", sound },
    { "damaged_copy", damaged_copy },
    { "damaged_data", damaged_data },
    { "damaged_label", damaged_label },
    { "damaged_bitmap", damaged_bitmap },
};
LCPFS_SUITE(check, k_cases);

}
