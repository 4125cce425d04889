// SPDX-License-Identifier: GPL-2.0-only
#include "core/test/pool.h"

#include "core/fs/dataset_change.h"

namespace lcpfs {

TestPool::TestPool() : m_a(k_device_bytes), m_b(k_device_bytes)
{
    finding[0] = 0;
}

TestPool::~TestPool()
{
    if (m_pool)
        (void)crash();
    for (u8* page : m_pages)
        if (page)
            host_pool_free(m_page_pool, page);
    host_pool_destroy(m_page_pool);
}

Status TestPool::start_with_log_device(u64 log_device_bytes, u32 count)
{
    for (m_log_count = 0; m_log_count < count; m_log_count++) {
        m_logs[m_log_count] = TRY(make_box<TestDevice>(log_device_bytes));
        if (!*m_logs[m_log_count])
            return Error::no_memory;
    }
    return start();
}

Status TestPool::start(u32 data_checksum, u32 node_bytes)
{
    if (!m_a || !m_b)
        return Error::no_memory;
    m_page_pool = host_pool_create("lcpfs_test_page", k_block_size, 0);
    if (!m_page_pool)
        return Error::no_memory;
    for (u8*& page : m_pages) {
        page = static_cast<u8*>(host_pool_alloc(m_page_pool, HOST_ALLOC_ZERO));
        if (!page)
            return Error::no_memory;
    }
    core_format_options options {};
    options.name = "test";
    options.node_bytes = node_bytes;
    options.data_checksum = data_checksum;
    options.log_devices = m_log_count;
    host_bdev* bdevs[2 + k_most_logs] = { m_a.get(), m_b.get() };
    for (u32 i = 0; i < m_log_count; i++)
        bdevs[2 + i] = m_logs[i]->get();
    if (core_pool_format(bdevs, 2 + m_log_count, &options) != 0 || open(false) != 0)
        return Error::contradiction;
    return pool().admit_change();
}

int TestPool::open(bool read_only)
{
    core_pool_options options {};
    options.read_only = read_only;
    return open_with(options);
}

int TestPool::open_with(core_pool_options options)
{
    options.txg_interval_ms = 30000; // commits are the test's
    options.cache_limit_bytes = 8u << 20;
    host_bdev* bdevs[2 + k_most_logs] = { m_b.get(), m_a.get() };
    u32 count = 2;
    for (u32 i = 0; i < m_log_count; i++)
        if (!(i ? lacks_log_mirror : lacks_log_device))
            bdevs[count++] = m_logs[i]->get();
    int result = core_pool_open(bdevs, count, &options, &m_pool);
    if (result != 0)
        return result;
    result = get(CORE_ROOT_OBJECT, &m_root);
    if (result != 0)
        (void)core_pool_close(m_pool);
    if (result != 0)
        m_pool = nullptr;
    return result;
}

int TestPool::compress(Encoding encoding, u8 level)
{
    return to_errno(set_dataset_compression(pool(), pool().dataset().head().text(), { encoding, level }));
}

int TestPool::close()
{
    core_object_put(m_root);
    m_root = nullptr;
    int result = core_pool_close(m_pool);
    m_pool = nullptr;
    return result;
}

int TestPool::crash()
{
    core_pool_shutdown(m_pool);
    return close();
}

int TestPool::settle()
{
    if (!pool().is_read_only() && pool().admit_change().is_error())
        return -1;
    for (u32 i = 0; i < 2; i++)
        if (pool().engine().force_commit().is_error())
            return -1;
    pool().cache().evict(~0ull);
    return 0;
}

void TestPool::found(void* self, const char* text)
{
    TestPool& pool = *static_cast<TestPool*>(self);
    size_t bytes = min(__builtin_strlen(text), sizeof(pool.finding) - 1);
    copy_bytes(pool.finding, text, bytes);
    pool.finding[bytes] = 0;
    host_log(HOST_LOG_INFO, text);
}

u64 TestPool::check(bool read_data)
{
    core_check_report report;
    if (core_check(m_pool, read_data, found, nullptr, this, &report) != 0)
        return ~0ull;
    return report.problems;
}

u64 TestPool::used_blocks()
{
    AllocatorCounts counts = pool().allocator().counts();
    return counts.total_blocks - counts.free_blocks - counts.deferred_blocks;
}

bool TestPool::print_name(void* self, const char* name, u32 length, u64 id, u8 type, u64)
{
    TestPool& pool = *static_cast<TestPool*>(self);
    pool.print(host_xxh64(name, length, id));
    pool.print(type);
    pool.print_object(id);
    return true;
}

void TestPool::print_object(u64 id)
{
    core_object* object;
    int result = get(id, &object);
    print(static_cast<u64>(result));
    if (result != 0)
        return;
    core_attr attr;
    core_object_attr(object, &attr);
    const u64 numbers[] = { attr.size_bytes, attr.blocks, attr.change, attr.mode, attr.links, attr.uid };
    for (u64 number : numbers)
        print(number);
    if ((attr.mode & k_mode_type) == k_mode_regular) {
        const u32 count = static_cast<u32>(min<u64>(blocks_for_bytes(attr.size_bytes), k_most_blocks));
        set_segments(count);
        m_waiting.begin();
        core_read(object, 0, m_segments, count, was_read, this);
        (void)m_waiting.wait().is_ok();
        print(static_cast<u64>(m_result));
        for (u32 i = 0; i < count; i++)
            print(host_xxh64(m_pages[i], k_block_size, i));
    } else if ((attr.mode & k_mode_type) == k_mode_directory && m_print_depth < 2) {
        m_print_depth++;
        u64 cookie = 0;
        print(static_cast<u64>(core_readdir(object, &cookie, print_name, this)));
        m_print_depth--;
    }
    core_object_put(object);
}

u64 TestPool::fingerprint()
{
    m_print = m_print_depth = 0;
    print_object(CORE_ROOT_OBJECT);
    return m_print;
}

// ---- names

static u32 length_of(const char* text) { return static_cast<u32>(__builtin_strlen(text)); }

int TestPool::create(core_object* directory, const char* name, u32 mode, core_object** object)
{
    core_new how {};
    how.mode = mode;
    how.time = k_time;
    return core_create(directory, name, length_of(name), &how, object);
}

int TestPool::make(core_object* directory, const char* name, u32 mode, u64* id_out)
{
    core_object* object;
    int result = create(directory, name, mode, &object);
    if (result != 0)
        return result;
    if (id_out)
        *id_out = id(object);
    core_object_put(object);
    return 0;
}

int TestPool::symlink(core_object* directory, const char* name, const char* target, u32 length)
{
    core_new how {};
    how.mode = k_mode_symlink | 0777;
    how.time = k_time;
    how.target = target;
    how.target_length = length;
    core_object* object;
    int result = core_create(directory, name, length_of(name), &how, &object);
    if (result == 0)
        core_object_put(object);
    return result;
}

int TestPool::get(u64 id, core_object** object)
{
    core_dataset* dataset;
    int result = core_dataset_get(m_pool, "", &dataset);
    if (result != 0)
        return result;
    result = core_object_get(dataset, id, 0, object);
    core_dataset_put(dataset);
    return result;
}

int TestPool::find(core_object* directory, const char* name, core_object** object)
{
    u64 id;
    u8 type;
    int result = core_lookup(directory, name, length_of(name), &id, &type);
    return result == 0 ? get(id, object) : result;
}

u64 TestPool::id_of(core_object* directory, const char* name)
{
    u64 id;
    u8 type;
    return core_lookup(directory, name, length_of(name), &id, &type) == 0 ? id : 0;
}

int TestPool::link(core_object* directory, const char* name, core_object* object)
{
    return core_link(directory, name, length_of(name), object, k_time);
}

int TestPool::unlink(core_object* directory, const char* name, bool deletes)
{
    core_object* object;
    int result = find(directory, name, &object);
    if (result != 0)
        return result;
    result = core_unlink(directory, name, length_of(name), object, k_time);
    if (result == 0 && deletes && links(object) == 0)
        result = core_object_delete(object);
    core_object_put(object);
    return result;
}

int TestPool::rename(core_object* from, const char* from_name, core_object* to, const char* to_name, unsigned flags, bool deletes)
{
    struct core_rename how {};
    how.from_directory = from;
    how.to_directory = to;
    how.from_name = from_name;
    how.from_length = length_of(from_name);
    how.to_name = to_name;
    how.to_length = length_of(to_name);
    how.flags = flags;
    how.time = k_time;
    int result = find(from, from_name, &how.object);
    if (result != 0)
        return result;
    result = find(to, to_name, &how.victim);
    if (result == -errno_of(Error::not_found)) {
        how.victim = nullptr;
        result = 0;
    }
    if (result == 0)
        result = core_rename(&how);
    if (result == 0 && deletes && how.victim && links(how.victim) == 0)
        result = core_object_delete(how.victim);
    if (how.victim)
        core_object_put(how.victim);
    core_object_put(how.object);
    return result;
}

u32 TestPool::links(core_object* object)
{
    core_attr attr;
    core_object_attr(object, &attr);
    return attr.links;
}

u64 TestPool::size(core_object* object)
{
    core_attr attr;
    core_object_attr(object, &attr);
    return attr.size_bytes;
}

u64 TestPool::blocks(core_object* object)
{
    core_attr attr;
    core_object_attr(object, &attr);
    return attr.blocks;
}

u64 TestPool::id(core_object* object)
{
    core_attr attr;
    core_object_attr(object, &attr);
    return attr.id;
}

namespace {
struct FirstName {
    char text[CORE_NAME_MAX + 1];
    static bool take(void* context, const char* name, u32 length, u64, u8, u64)
    {
        FirstName& first = *static_cast<FirstName*>(context);
        copy_bytes(first.text, name, length);
        first.text[length] = 0;
        return false;
    }
};
}

int TestPool::empty(core_object* directory)
{
    for (;;) {
        FirstName first;
        first.text[0] = 0;
        u64 cookie = 0;
        int result = core_readdir(directory, &cookie, FirstName::take, &first);
        if (result != 0 || first.text[0] == 0)
            return result;
        core_object* object;
        result = find(directory, first.text, &object);
        if (result != 0)
            return result;
        u64 parent;
        if (core_parent(object, &parent) == 0)
            result = empty(object);
        core_object_put(object);
        if (result == 0)
            result = unlink(directory, first.text);
        if (result != 0)
            return result;
    }
}

// ---- data

void TestPool::set_segments(u32 count)
{
    for (u32 i = 0; i < count; i++)
        m_segments[i] = { m_pages[i], k_block_size };
}

void TestPool::written(void* self, int error)
{
    TestPool& pool = *static_cast<TestPool*>(self);
    pool.m_result = error;
    pool.m_waiting.finish(Error::none);
}

void TestPool::was_read(void* self, int error, const u64*) { written(self, error); }

int TestPool::write(core_object* object, u64 block, u32 count, u32 first_tag, u64 size_bytes)
{
    for (u32 i = 0; i < count; i++) {
        const u32 tag = first_tag + i;
        copy_bytes(m_pages[i], &tag, sizeof(tag));
        for (u32 done = sizeof(tag); done < k_block_size; done *= 2)
            copy_bytes(m_pages[i] + done, m_pages[i], done);
    }
    bool backed;
    int result = core_reserve_for(object, block, count, count, &backed);
    if (result != 0)
        return result;
    set_segments(count);
    m_waiting.begin();
    core_write(object, block, m_segments, count, size_bytes, written, this);
    (void)m_waiting.wait().is_ok();
    return m_result;
}

int TestPool::write_page(core_object* object, u64 block, u64 size_bytes)
{
    int result = core_reserve(object, 1);
    if (result != 0)
        return result;
    set_segments(1);
    m_waiting.begin();
    core_write(object, block, m_segments, 1, size_bytes, written, this);
    (void)m_waiting.wait().is_ok();
    return m_result;
}

int TestPool::read_page(core_object* object, u64 block)
{
    set_segments(1);
    m_waiting.begin();
    core_read(object, block, m_segments, 1, was_read, this);
    (void)m_waiting.wait().is_ok();
    return m_result;
}

int TestPool::read(core_object* object, u64 block, u32 count, u32* tags)
{
    set_segments(count);
    m_waiting.begin();
    (m_reads++ % 2 ? core_read_wait : core_read)(object, block, m_segments, count, was_read, this);
    (void)m_waiting.wait().is_ok();
    find_tags(count, tags);
    return m_result;
}

int TestPool::read_once(core_object* object, u64 block, u32 count, u32* tags)
{
    set_segments(count);
    m_waiting.begin();
    core_read_once(object, block, m_segments, count, was_read, this);
    (void)m_waiting.wait().is_ok();
    find_tags(count, tags);
    return m_result;
}

void TestPool::find_tags(u32 count, u32* tags) const
{
    for (u32 i = 0; i < count; i++) {
        copy_bytes(&tags[i], m_pages[i], sizeof(u32));
        if (compare_bytes(m_pages[i], m_pages[i] + sizeof(u32), k_block_size - sizeof(u32)) != 0)
            tags[i] = ~0u;
    }
}

}
