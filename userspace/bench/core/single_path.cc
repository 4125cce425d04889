// SPDX-License-Identifier: GPL-2.0-only
// What core/mpio adds to a request of a device with one path, in instructions, counted exactly: a child executes one
// instruction at a time and its parent counts. The same requests go to the device by host_io alone, by PathGroup and by
// VdevSet, on memory. Fails when the difference that PathGroup makes is not below the limit; the C library's way to the
// number of the CPU is counted apart, since the kernel's is one load.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "core/vdev/vdev_set.h"
#include "userspace/host/posix_bdev.h"

namespace {

using namespace lcpfs;

constexpr u64 k_device_bytes = 16ull << 20;
constexpr u64 k_place = 1 << 20;
constexpr u32 k_bytes = 512; // copying counts, and is the same every way
constexpr u32 k_requests = 20;
constexpr double k_limit = 50;

void must(bool good, const char* what)
{
    if (good)
        return;
    printf("single_path: %s\n", what);
    exit(1);
}

enum class Way : u8 { host_io_alone, path_group, vdev_set, cpu_index };

class Bench {
public:
    Bench()
    {
        m_bdev = memory_bdev_create(k_device_bytes);
        m_requests = host_io_pool_create("bench_io", 4);
        m_pages = host_pool_create("bench_page", k_block_size, 0);
        must(m_bdev && m_requests && m_pages, "no memory");
        m_page = static_cast<u8*>(host_pool_alloc(m_pages, HOST_ALLOC_ZERO));
        must(m_page != nullptr, "no memory");
        Vector<Box<Vdev>> list;
        Result<Box<Vdev>> vdev = make_box<Vdev>();
        must(vdev.is_ok(), "no memory");
        Vdev& it = *vdev.value();
        it.bdev = m_bdev;
        it.capacity_blocks = k_device_bytes / k_block_size;
        it.metaslab_blocks = 1024;
        it.metaslab_count = 3;
        must(list.push_back(vdev.release_value()).is_ok(), "no memory");
        Result<Box<VdevSet>> set = VdevSet::create(lcpfs::move(list));
        must(set.is_ok(), "no set of devices");
        m_set = set.release_value();
        m_group = m_set->vdev(VdevId(0)).paths;
    }
    void issue(Way way, host_io_op op, u32 count)
    {
        for (u32 i = 0; i < count; i++) {
            if (way == Way::cpu_index)
                m_ended += host_cpu_index() < ~0u;
            else if (way == Way::vdev_set)
                m_set->transfer(op, VdevId(0), k_place, m_page, k_bytes, HOST_IO_SYNC, ended_by_set, this);
            else
                issue_one(op, way == Way::path_group);
        }
    }
    u32 ended() const { return m_ended; }

private:
    static void ended_by_set(void* self, Error error)
    {
        must(error == Error::none, "a request failed");
        static_cast<Bench*>(self)->m_ended++;
    }
    void issue_one(host_io_op op, bool by_group)
    {
        host_io* const io = host_io_alloc(m_requests, by_group ? nullptr : m_bdev, op, HOST_IO_SYNC, 1);
        const core_segment segment { m_page, k_bytes };
        io->offset_bytes = k_place;
        must(host_io_add(io, segment.data, segment.bytes), "a request takes no memory");
        io->core[0] = reinterpret_cast<u64>(this);
        if (by_group) {
            io->done = [](host_io* finished) {
                Bench& self = *reinterpret_cast<Bench*>(finished->core[0]);
                self.m_group->ended(finished);
                if (finished->op == HOST_IO_WRITE)
                    self.m_group->note_written(finished);
                self.m_ended++;
                host_io_free(finished);
            };
            return m_group->submit(io, Span<const core_segment>(&segment, 1));
        }
        io->done = [](host_io* finished) {
            reinterpret_cast<Bench*>(finished->core[0])->m_ended++;
            host_io_free(finished);
        };
        host_io_submit(io);
    }

    host_bdev* m_bdev;
    host_io_pool* m_requests;
    host_pool* m_pages;
    u8* m_page;
    Box<VdevSet> m_set;
    PathGroup* m_group;
    u32 m_ended { 0 };
};

// What the child does between its two stops, in instructions; -1: nothing can be traced here.
long instructions(Way way, host_io_op op, u32 count)
{
    const pid_t child = fork();
    must(child >= 0, "no child");
    if (child == 0) {
        Bench bench;
        bench.issue(way, op, 10); // whatever is only done once
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
            _exit(1);
        raise(SIGSTOP);
        bench.issue(way, op, count);
        raise(SIGSTOP);
        _exit(bench.ended() == count + 10 ? 0 : 2);
    }
    int status;
    waitpid(child, &status, 0);
    if (!WIFSTOPPED(status))
        return -1;
    long steps = 0;
    do {
        if (ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0)
            return -1;
        waitpid(child, &status, 0);
        steps++;
    } while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    ptrace(PTRACE_CONT, child, nullptr, nullptr);
    waitpid(child, &status, 0);
    must(WIFEXITED(status) && WEXITSTATUS(status) == 0, "not all requests ended");
    return steps;
}

double each(Way way, host_io_op op)
{
    const long some = instructions(way, op, k_requests), none = instructions(way, op, 0);
    return some < 0 || none < 0 ? -1 : static_cast<double>(some - none) / k_requests;
}

}

int main()
{
    bool is_good = true;
    const double cpu = each(Way::cpu_index, HOST_IO_READ);
    printf("a device with one path, %u bytes, instructions for each request:\n", k_bytes);
    for (const host_io_op op : { HOST_IO_READ, HOST_IO_WRITE }) {
        const double alone = each(Way::host_io_alone, op), group = each(Way::path_group, op), set = each(Way::vdev_set, op);
        if (cpu < 0 || alone < 0 || group < 0 || set < 0) {
            printf("  not counted: tracing is not allowed here\n");
            return 0;
        }
        printf("  %-5s  host_io alone %.1f, by PathGroup %.1f (+%.1f, and %.1f for the number of the CPU), by VdevSet %.1f\n",
               op == HOST_IO_READ ? "read" : "write", alone, group, group - alone - cpu, cpu, set);
        is_good = is_good && group - alone - cpu < k_limit;
    }
    if (!is_good)
        printf("  PathGroup is to add less than %.0f\n", k_limit);
    return is_good ? 0 : 1;
}
