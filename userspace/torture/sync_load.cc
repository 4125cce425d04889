// SPDX-License-Identifier: GPL-2.0-only
// How long callers of fsync wait: so many threads, each with a file of its own, for so many seconds; the distribution of
// what each call took, to the nanosecond and over all calls.
#include "userspace/torture/torture.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <string>
#include <thread>
#include <vector>

namespace torture {

namespace {

constexpr size_t k_block = 4096;
constexpr off_t k_file_blocks = 256;

uint64_t now_ns()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

enum class Mode { overwrite, append, create };

struct Caller {
    Mode mode;
    std::string name;
    std::vector<uint64_t> waits_ns;
    uint64_t bytes[k_block / 8];

    int open_file(const std::string& path)
    {
        const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0644);
        must(fd >= 0, path.c_str());
        return fd;
    }
    void fill(int fd)
    {
        for (off_t block = 0; mode == Mode::overwrite && block < k_file_blocks; block++)
            must(pwrite(fd, bytes, k_block, block * static_cast<off_t>(k_block)) == static_cast<ssize_t>(k_block), "pwrite");
        must(fsync(fd) == 0, "fsync");
    }
    void once(int& fd, uint64_t count)
    {
        const off_t block = static_cast<off_t>(mode == Mode::create ? 0 : mode == Mode::append ? count : count * 7 % k_file_blocks);
        bytes[0] = count;
        if (mode == Mode::create) {
            must(close(fd) == 0, "close");
            fd = open_file(name + "." + std::to_string(count));
        }
        if (mode == Mode::append && count % 4096 == 0)
            must(ftruncate(fd, 0) == 0, "ftruncate");
        must(pwrite(fd, bytes, k_block, (block % 4096) * static_cast<off_t>(k_block)) == static_cast<ssize_t>(k_block), "pwrite");
        must(fsync(fd) == 0, "fsync");
    }
    void run(double seconds, std::barrier<>& all)
    {
        int fd = open_file(name);
        memset(bytes, 'x', sizeof(bytes));
        fill(fd);
        all.arrive_and_wait(); // what filling costs is not what is measured
        uint64_t before = now_ns();
        const uint64_t end = before + static_cast<uint64_t>(seconds * 1e9);
        for (uint64_t count = 1; before < end; count++) {
            once(fd, count);
            const uint64_t after = now_ns();
            waits_ns.push_back(after - before);
            before = after;
        }
        must(close(fd) == 0, "close");
    }
};

void print_histogram(const std::vector<uint64_t>& waits)
{
    // Bounds rise by a quarter of a power of two.
    size_t at = 0;
    for (double bound = 1024; at < waits.size(); bound *= 1.189207115) {
        const size_t next
            = static_cast<size_t>(std::upper_bound(waits.begin(), waits.end(), static_cast<uint64_t>(bound)) - waits.begin());
        if (next > at)
            printf("  up to %9.1f us  %9zu\n", bound / 1000, next - at);
        at = next;
    }
}

}

int sync_load(int count, char** words)
{
    if (count < 4)
        fail("sync-load DIRECTORY overwrite|append|create THREADS SECONDS [histogram]");
    const Mode mode = !strcmp(words[1], "append") ? Mode::append : !strcmp(words[1], "create") ? Mode::create : Mode::overwrite;
    std::vector<Caller> callers(static_cast<size_t>(atoi(words[2])));
    std::vector<std::thread> threads;
    std::barrier all(static_cast<ptrdiff_t>(callers.size()));
    const double seconds = atof(words[3]);
    for (Caller& caller : callers) {
        caller.mode = mode;
        caller.name = std::string(words[0]) + "/" + words[1] + std::to_string(&caller - callers.data());
        threads.emplace_back(&Caller::run, &caller, seconds, std::ref(all));
    }
    for (std::thread& thread : threads)
        thread.join();
    std::vector<uint64_t> waits;
    for (const Caller& caller : callers)
        waits.insert(waits.end(), caller.waits_ns.begin(), caller.waits_ns.end());
    if (waits.empty())
        fail("no call came back within %s seconds", words[3]);
    std::sort(waits.begin(), waits.end());
    const auto part = [&](double share) { return waits[static_cast<size_t>(static_cast<double>(waits.size() - 1) * share)] / 1000.0; };
    printf("%s callers %s: %zu calls, %.0f a second; median %.1f us, 99%% %.1f, 99.9%% %.1f, longest %.1f\n", words[2], words[1],
           waits.size(), static_cast<double>(waits.size()) / seconds, part(0.5), part(0.99), part(0.999), part(1));
    if (count > 4)
        print_histogram(waits);
    return 0;
}

}
