// SPDX-License-Identifier: GPL-2.0-only
// A pool on two devices in memory, for tests of what lies above the devices: files and names through core.h,
// everything inside through Pool. The calls are core.h's own with waiting and cleaning up done.
//
// One costs seconds in the debug kernel: cases share it where they can (`empty` between them).
// Integers are negative errnos as core.h gives them. Large, so in a Box. Objects got from it must be put before it closes.
#pragma once

#include "core/api/handles.h"
#include "core/test/device.h"

namespace lcpfs {

class TestPool {
public:
    static constexpr u64 k_device_bytes = 32ull << 20;
    static constexpr u32 k_most_blocks = 64; // of one read or write
    static constexpr u32 k_hole = 0;

    TestPool();
    ~TestPool();
    TestPool(const TestPool&) = delete;

    // A new pool, open, with `root` referenced.
    Status start(u32 data_checksum = 0, u32 node_bytes = 0);
    // With a third device, for the log, and a fourth that mirrors it.
    static constexpr u32 k_most_logs = 2;
    Status start_with_log_device(u64 log_device_bytes, u32 count = 1);
    // When it is opened next.
    bool lacks_log_device { false }, lacks_log_mirror { false };
    int open(bool read_only);
    int open_with(core_pool_options options); // cache and commits are set as for every test
    // New data of the first dataset, from now on.
    int compress(Encoding encoding, u8 level);
    int close();
    // What is not committed is lost, as in a crash.
    int crash();
    Pool& pool() { return pool_of(m_pool); }
    core_pool* handle() { return m_pool; }
    core_object* root() { return m_root; }
    host_bdev* device(u32 i) { return i >= 2 ? m_logs[i - 2]->get() : i ? m_b.get() : m_a.get(); }

    int sync() { return core_pool_sync(m_pool, true); }
    // Commits twice, so that nothing is deferred; drops everything cached.
    int settle();
    // Findings of every pass over what was committed last; ~0 when the walk itself fails. The last one is in `finding`.
    u64 check(bool read_data = true);
    char finding[256];
    // A number that differs when any name, id, type, link count, size or (of up to 64 blocks) content of `root` or of a
    // directory in it differs.
    u64 fingerprint();
    // Removes everything in it.
    int empty(core_object* directory);
    // Metadata that claims to be dirty. 0 when everything is committed.
    u64 dirty_bytes() { return pool().trees().dirty_bytes.load(); }
    u64 delayed_bytes() { return pool().delayed_writes().bytes(); }
    u64 promised() { return pool().space().promised_blocks(); }
    u64 used_blocks();

    // ---- names. Give the errno; objects come referenced.
    int create(core_object* directory, const char* name, u32 mode, core_object** object);
    int make(core_object* directory, const char* name, u32 mode, u64* id = nullptr); // and puts it
    int symlink(core_object* directory, const char* name, const char* target, u32 length);
    int get(u64 id, core_object** object);
    int find(core_object* directory, const char* name, core_object** object);
    u64 id_of(core_object* directory, const char* name); // 0: none
    int link(core_object* directory, const char* name, core_object* object);
    int unlink(core_object* directory, const char* name, bool deletes = true);
    int rename(core_object* from, const char* from_name, core_object* to, const char* to_name, unsigned flags, bool deletes = true);
    u32 links(core_object* object);
    u64 size(core_object* object);
    u64 blocks(core_object* object);
    u64 id(core_object* object);

    // ---- data. A block is full of its tag; k_hole is zeros.
    int write(core_object* object, u64 block, u32 count, u32 first_tag, u64 size_bytes);
    // The tags of `count` blocks, ~0 for a block that is not all one tag. By core_read and core_read_wait in turn.
    int read(core_object* object, u64 block, u32 count, u32* tags);
    int read_once(core_object* object, u64 block, u32 count, u32* tags); // core_read_once
    int truncate(core_object* object, u64 size_bytes) { return core_truncate(object, size_bytes, k_time); }
    // The page that the next write of one block takes its bytes from, and that the last read left the first block in.
    u8* page() { return m_pages[0]; }
    int write_page(core_object* object, u64 block, u64 size_bytes);
    int read_page(core_object* object, u64 block);

    static constexpr core_time k_time = { 1000, 5 };

private:
    static void written(void* self, int error);
    static void was_read(void* self, int error, const u64* bad);
    static void found(void* self, const char* text);
    static bool print_name(void* self, const char* name, u32 length, u64 id, u8 type, u64 cookie);
    void print(u64 number) { m_print = (m_print ^ number) * 0x100000001b3ull; }
    void print_object(u64 id);
    void set_segments(u32 count);
    void find_tags(u32 count, u32* tags) const; // of what was read

    TestDevice m_a, m_b;
    Box<TestDevice> m_logs[k_most_logs];
    u32 m_log_count { 0 };
    core_pool* m_pool { nullptr };
    core_object* m_root { nullptr };
    host_pool* m_page_pool { nullptr };
    u8* m_pages[k_most_blocks] {};
    core_segment m_segments[k_most_blocks];
    IoBatch m_waiting;
    int m_result { 0 };
    u64 m_print { 0 };
    u32 m_print_depth { 0 };
    u32 m_reads { 0 };
};

// Pseudo-random numbers that repeat.
class TestRandom {
public:
    explicit TestRandom(u64 seed) : m_seed(seed) {}
    u32 below(u32 limit)
    {
        m_seed = m_seed * 6364136223846793005ull + 1442695040888963407ull;
        return static_cast<u32>(m_seed >> 33) % limit;
    }

private:
    u64 m_seed;
};

}
