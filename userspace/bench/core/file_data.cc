// SPDX-License-Identifier: GPL-2.0-only
// What the core costs per read and write of file data: processor time of all its threads and instructions, on a device in
// memory. Instructions need performance counters, which a virtual machine may not have; under callgrind (`make bench-core`) they
// are counted anywhere, and exactly: each measure is a dump of its own, which callgrind.py divides by the rounds in its name.
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/api/core.h"
#include "core/base/atomic.h"
#include "core/host/locks.h"
#include "userspace/host/posix_bdev.h"

namespace {

using namespace lcpfs;

constexpr u64 k_device_bytes = 512ull << 20;
constexpr u32 k_file_blocks = 1024;

void must(int error, const char* what)
{
    if (!error)
        return;
    printf("%s: error %d\n", what, error);
    exit(1);
}

struct Waiter {
    Event event;
    Atomic<u32> done { 0 };
    static void ended(void* self, int error)
    {
        must(error, "an operation");
        Waiter& waiter = *static_cast<Waiter*>(self);
        waiter.done.store(1);
        waiter.event.wake();
    }
    static void was_read(void* self, int error, const uint64_t*) { ended(self, error); }
    void wait()
    {
        event.wait([this] { return done.load() != 0; });
        done.store(0);
    }
};

class Counter {
public:
    Counter()
    {
        perf_event_attr attributes {};
        attributes.type = PERF_TYPE_HARDWARE;
        attributes.size = sizeof(attributes);
        attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
        attributes.inherit = 1;
        attributes.exclude_kernel = 1;
        m_fd = static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
    }
    // -1: no counter.
    double instructions() const
    {
        u64 value = 0;
        return m_fd >= 0 && read(m_fd, &value, sizeof(value)) == sizeof(value) ? static_cast<double>(value) : -1;
    }
    static double cpu_ns()
    {
        timespec now;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
    }

private:
    int m_fd;
};

struct Ground {
    host_bdev* device { memory_bdev_create(k_device_bytes) };
    core_pool* pool { nullptr };
    core_dataset* dataset { nullptr };
    core_object* root { nullptr };
    core_object* file { nullptr };
    core_object* hole { nullptr };
    u8* memory { static_cast<u8*>(aligned_alloc(4096, k_file_blocks * 4096)) };
    std::vector<core_segment> pages;
    Waiter waiter;

    Ground()
    {
        core_format_options format {};
        format.name = "bench";
        must(core_pool_format(&device, 1, &format), "format");
        core_pool_options options {};
        options.txg_interval_ms = 30000;
        must(core_pool_open(&device, 1, &options, &pool), "open");
        must(core_dataset_get(pool, "", &dataset), "dataset");
        must(core_object_get(dataset, CORE_ROOT_OBJECT, 0, &root), "root");
        core_new how {};
        how.mode = 0100644;
        must(core_create(root, "file", 4, &how, &file), "create");
        must(core_create(root, "hole", 4, &how, &hole), "create");
        memset(memory, 7, k_file_blocks * 4096);
        for (u32 i = 0; i < k_file_blocks; i++)
            pages.push_back({ memory + u64(i) * 4096, 4096 });
        for (u32 at = 0; at < k_file_blocks; at += CORE_WRITE_MAX_BLOCKS)
            write(at, CORE_WRITE_MAX_BLOCKS);
        must(core_truncate(hole, u64(k_file_blocks) * 4096, {}), "truncate");
    }
    void write(u64 block, u32 count)
    {
        must(core_reserve(file, count), "reserve");
        core_write(file, block, pages.data(), count, u64(k_file_blocks) * 4096, Waiter::ended, &waiter);
        waiter.wait();
    }
    // What fsync of a changed block is to the core.
    void log_write(u64 block)
    {
        must(core_reserve(file, 1), "reserve");
        must(core_log_write(file, block, pages.data(), 1, u64(k_file_blocks) * 4096, true), "log_write");
        must(core_object_sync(file), "sync");
    }
    void read(core_object* object, u64 block, u32 count)
    {
        core_read(object, block, pages.data(), count, Waiter::was_read, &waiter);
        waiter.wait();
    }
    ~Ground()
    {
        core_object* const objects[] = { file, hole, root };
        for (core_object* object : objects)
            core_object_put(object);
        core_dataset_put(dataset);
        must(core_pool_close(pool), "close");
        memory_bdev_destroy(device);
        free(memory);
    }
};

const char* s_only = ""; // of the measures, those whose names hold this

template <typename Body>
void measure(const Counter& counter, const char* name, u32 rounds, Body body)
{
    if (!strstr(name, s_only))
        return;
    if (RUNNING_ON_VALGRIND)
        rounds /= 10; // it is fifty times slower, and needs no more to be exact
    for (u32 i = 0; i < rounds / 10; i++)
        body(i);
    const double ns = Counter::cpu_ns(), instructions = counter.instructions();
    CALLGRIND_ZERO_STATS;
    for (u32 i = 0; i < rounds; i++)
        body(i);
    char label[64];
    snprintf(label, sizeof(label), "%s/%u", name, rounds);
    CALLGRIND_DUMP_STATS_AT(label);
    if (RUNNING_ON_VALGRIND)
        return;
    printf("%-28s %10.0f ns", name, (Counter::cpu_ns() - ns) / rounds);
    if (instructions >= 0)
        printf(" %12.0f instructions", (counter.instructions() - instructions) / rounds);
    printf("\n");
}

}

int main(int count, char** words)
{
    if (count > 1)
        s_only = words[1];
    Counter counter; // before the threads, which inherit it
    Ground ground;
    if (!RUNNING_ON_VALGRIND)
        printf("file data, per operation:\n");
    measure(counter, "write 4 KiB", 20000, [&](u32 i) { ground.write(i * 37 % k_file_blocks, 1); });
    measure(counter, "write 1 MiB", 400, [&](u32 i) { ground.write(i % 4 * 256, 256); });
    measure(counter, "fsync 4 KiB", 50000, [&](u32 i) { ground.log_write(i * 37 % k_file_blocks); });
    measure(counter, "read 4 KiB", 50000, [&](u32 i) { ground.read(ground.file, i * 37 % k_file_blocks, 1); });
    measure(counter, "read 16 KiB", 50000, [&](u32 i) { ground.read(ground.file, i * 36 % k_file_blocks, 4); });
    measure(counter, "read 1 MiB", 1000, [&](u32 i) { ground.read(ground.file, i % 4 * 256, 256); });
    measure(counter, "read a hole of 4 KiB", 50000, [&](u32 i) { ground.read(ground.hole, i % k_file_blocks, 1); });
    measure(counter, "read a hole of 4 MiB", 400, [&](u32) { ground.read(ground.hole, 0, k_file_blocks); });
    return 0;
}
