// SPDX-License-Identifier: GPL-2.0-only
// Data of one large file: in sequence, at random past the cache with so many requests under way, at random by a mapping.
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>

#include "userspace/bench/load/load.h"

namespace load {

namespace {

constexpr size_t k_block = 4096;
constexpr size_t k_chunk = 1 << 20;

void write_file(int fd, Buffer& buffer, uint64_t mib)
{
    for (uint64_t at = 0; at < mib; at++) {
        // No two chunks are the same.
        *reinterpret_cast<uint64_t*>(buffer.data()) = at;
        must(pwrite(fd, buffer.data(), k_chunk, static_cast<off_t>(at * k_chunk)) == static_cast<ssize_t>(k_chunk), "pwrite");
    }
    must(fsync(fd) == 0, "fsync");
}

std::string filled(const std::string& directory, uint64_t mib)
{
    const std::string path = directory + "/file";
    Buffer buffer(k_chunk);
    const int fd = open_file(path, O_RDWR | O_CREAT);
    write_file(fd, buffer, mib);
    close(fd);
    drop_caches();
    return path;
}

// Requests of one block through the kernel's queue of asynchronous ones, the next as soon as one is through.
class Queue {
public:
    Queue(int fd, bool writes, unsigned depth, uint64_t blocks) : m_fd(fd), m_writes(writes), m_blocks(blocks), m_requests(depth)
    {
        must(syscall(SYS_io_setup, depth, &m_context) == 0, "io_setup");
        for (unsigned slot = 0; slot < depth; slot++)
            m_buffers.push_back(std::make_unique<Buffer>(k_block));
    }
    ~Queue() { syscall(SYS_io_destroy, m_context); }
    uint64_t run_until(uint64_t end_ns)
    {
        uint64_t ended = 0;
        unsigned under_way = 0;
        std::vector<unsigned> free;
        for (unsigned slot = 0; slot < m_requests.size(); slot++)
            free.push_back(slot);
        for (;;) {
            if (now_ns() < end_ns && !free.empty()) {
                submit(free);
                under_way += static_cast<unsigned>(free.size());
            }
            free.clear();
            if (!under_way)
                return ended;
            wait(free);
            under_way -= static_cast<unsigned>(free.size());
            ended += free.size();
        }
    }

private:
    void submit(const std::vector<unsigned>& slots)
    {
        std::vector<iocb*> list;
        for (unsigned slot : slots) {
            iocb& request = m_requests[slot];
            request = {};
            request.aio_data = slot;
            request.aio_lio_opcode = m_writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
            request.aio_fildes = static_cast<uint32_t>(m_fd);
            request.aio_buf = reinterpret_cast<uint64_t>(m_buffers[slot]->data());
            request.aio_nbytes = k_block;
            request.aio_offset = static_cast<int64_t>(m_random.below(m_blocks) * k_block);
            list.push_back(&request);
        }
        must(syscall(SYS_io_submit, m_context, list.size(), list.data()) == static_cast<long>(list.size()), "io_submit");
    }
    void wait(std::vector<unsigned>& slots)
    {
        io_event events[64];
        const long count = syscall(SYS_io_getevents, m_context, 1, 64, events, nullptr);
        must(count > 0, "io_getevents");
        for (long at = 0; at < count; at++) {
            if (events[at].res != static_cast<int64_t>(k_block))
                fail("a request gave " + std::to_string(events[at].res));
            slots.push_back(static_cast<unsigned>(events[at].data));
        }
    }
    int m_fd;
    bool m_writes;
    uint64_t m_blocks;
    aio_context_t m_context = 0;
    std::vector<iocb> m_requests;
    std::vector<std::unique_ptr<Buffer>> m_buffers;
    Random m_random { 3 };
};

}

// sequential DIRECTORY MIB buffered|direct
void sequential(const Words& words)
{
    const std::string path = words.at(0) + "/file", kind = words.at(2);
    const uint64_t mib = std::stoul(words.at(1));
    const int flags = kind == "direct" ? O_DIRECT : 0;
    Buffer buffer(k_chunk);
    int fd = open_file(path, O_RDWR | O_CREAT | flags);
    {
        Meter meter;
        write_file(fd, buffer, mib);
        meter.stop();
        meter.report("write-" + kind, "MiB/s", mib);
    }
    close(fd);
    drop_caches();
    fd = open_file(path, O_RDONLY | flags);
    Meter meter;
    for (uint64_t at = 0; at < mib; at++) {
        must(pread(fd, buffer.data(), k_chunk, static_cast<off_t>(at * k_chunk)) == static_cast<ssize_t>(k_chunk), "pread");
        if (*reinterpret_cast<uint64_t*>(buffer.data()) != at)
            fail("what was read is not what was written");
    }
    meter.stop();
    meter.report("read-" + kind, "MiB/s", mib);
    close(fd);
}

// random DIRECTORY MIB read|overwrite DEPTH SECONDS
void random_blocks(const Words& words)
{
    const uint64_t mib = std::stoul(words.at(1));
    const bool writes = words.at(2) == "overwrite";
    const int fd = open_file(filled(words.at(0), mib), O_RDWR | O_DIRECT);
    {
        Queue queue(fd, writes, static_cast<unsigned>(std::stoul(words.at(3))), mib * (k_chunk / k_block));
        queue.run_until(now_ns() + 50000000);
        Meter meter;
        const uint64_t count = queue.run_until(now_ns() + static_cast<uint64_t>(std::stod(words.at(4)) * 1e9));
        meter.stop();
        meter.report("random-" + words[2] + "-" + words[3], "calls/s", count);
    }
    close(fd);
}

// mapped DIRECTORY MIB COUNT: so many blocks at random, 64 of them at a time, then msync of all.
void mapped(const Words& words)
{
    const size_t bytes = std::stoul(words.at(1)) * k_chunk;
    const int fd = open_file(filled(words.at(0), bytes / k_chunk), O_RDWR);
    char* data = static_cast<char*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    must(data != MAP_FAILED, "mmap");
    const uint64_t count = std::stoul(words.at(2));
    Random random(5);
    Meter meter;
    for (uint64_t at = 0; at < count; at++) {
        *reinterpret_cast<uint64_t*>(data + random.below(bytes / k_block) * k_block) = at;
        if (at % 64 == 63)
            must(msync(data, bytes, MS_SYNC) == 0, "msync");
    }
    meter.stop();
    meter.report("mapped-msync", "blocks/s", count);
    munmap(data, bytes);
    close(fd);
}

}
