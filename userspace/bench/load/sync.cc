// SPDX-License-Identifier: GPL-2.0-only
// Callers that wait for their data: fsync after 4 KiB over old data, at the end, or in a new file; and O_DSYNC past the cache.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <barrier>
#include <deque>
#include <thread>

#include "userspace/bench/load/load.h"

namespace load {

namespace {

constexpr size_t k_block = 4096;
constexpr uint64_t k_blocks = 256;
// Before the measure begins; the first calls after a mount grow what the following find.
constexpr uint64_t k_warm_ns = 100000000;

void write_block(int fd, Buffer& buffer, uint64_t block)
{
    must(pwrite(fd, buffer.data(), k_block, static_cast<off_t>(block * k_block)) == static_cast<ssize_t>(k_block), "pwrite");
}

void fill(int fd, Buffer& buffer, uint64_t blocks)
{
    for (uint64_t block = 0; block < blocks; block++)
        write_block(fd, buffer, block);
    must(fsync(fd) == 0, "fsync");
}

class Caller {
public:
    Caller(std::string kind, std::string path) : m_kind(std::move(kind)), m_path(std::move(path)), m_buffer(k_block) {}
    void prepare()
    {
        m_fd = open_file(m_path, O_RDWR | O_CREAT);
        if (m_kind == "overwrite")
            fill(m_fd, m_buffer, k_blocks);
    }
    // Gives the number of calls.
    uint64_t run_until(uint64_t end_ns)
    {
        const uint64_t first = m_count;
        while (now_ns() < end_ns)
            once(m_count++);
        return m_count - first;
    }
    void end() { must(close(m_fd) == 0, "close"); }

private:
    void once(uint64_t count)
    {
        if (m_kind == "create") {
            must(close(m_fd) == 0, "close");
            m_fd = open_file(m_path + "." + std::to_string(count), O_RDWR | O_CREAT | O_EXCL);
        }
        write_block(m_fd, m_buffer, m_kind == "overwrite" ? count * 7 % k_blocks : m_kind == "append" ? count : 0);
        must(fsync(m_fd) == 0, "fsync");
    }
    std::string m_kind, m_path;
    Buffer m_buffer;
    int m_fd = -1;
    uint64_t m_count = 0;
};

}

// sync DIRECTORY overwrite|append|create CALLERS SECONDS
void sync_calls(const Words& words)
{
    const size_t callers = std::stoul(words.at(2));
    const uint64_t length_ns = static_cast<uint64_t>(std::stod(words.at(3)) * 1e9);
    std::deque<Caller> all;
    for (size_t number = 0; number < callers; number++)
        all.emplace_back(words[1], words[0] + "/" + std::to_string(number));
    for (Caller& caller : all)
        caller.prepare();
    sync_all(words[0]);
    std::barrier together(static_cast<ptrdiff_t>(callers) + 1);
    std::vector<uint64_t> counts(callers);
    std::vector<std::thread> threads;
    const uint64_t begin_ns = now_ns() + k_warm_ns;
    for (size_t number = 0; number < callers; number++)
        threads.emplace_back([&, number] {
            all[number].run_until(begin_ns);
            together.arrive_and_wait();
            counts[number] = all[number].run_until(begin_ns + length_ns);
            together.arrive_and_wait();
        });
    together.arrive_and_wait();
    Meter meter;
    together.arrive_and_wait();
    meter.stop();
    uint64_t sum = 0;
    for (uint64_t count : counts)
        sum += count;
    for (std::thread& thread : threads)
        thread.join();
    for (Caller& caller : all)
        caller.end();
    meter.report("fsync-" + words[1] + "-" + words[2], "calls/s", sum);
}

// direct-sync DIRECTORY SECONDS: 4 KiB over old data at random.
void direct_sync(const Words& words)
{
    constexpr uint64_t k_file_blocks = 4096;
    Buffer buffer(k_block);
    const int plain = open_file(words.at(0) + "/file", O_RDWR | O_CREAT);
    fill(plain, buffer, k_file_blocks);
    close(plain);
    sync_all(words[0]);
    const int fd = open_file(words[0] + "/file", O_RDWR | O_DIRECT | O_DSYNC);
    Random random(1);
    for (int warm = 0; warm < 100; warm++)
        write_block(fd, buffer, random.below(k_file_blocks));
    const uint64_t end_ns = now_ns() + static_cast<uint64_t>(std::stod(words.at(1)) * 1e9);
    uint64_t count = 0;
    Meter meter;
    for (; now_ns() < end_ns; count++)
        write_block(fd, buffer, random.below(k_file_blocks));
    meter.stop();
    meter.report("direct-dsync", "calls/s", count);
    close(fd);
}

}
