// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "userspace/bench/load/load.h"

namespace load {

namespace {

// What the processor has been idle since the boot: the fifth word of the first line, in hundredths of a second.
uint64_t idle_ns()
{
    char text[256] {};
    const int fd = open_file("/proc/stat", O_RDONLY);
    must(read(fd, text, sizeof(text) - 1) > 0, "/proc/stat");
    close(fd);
    unsigned long long user, nice, system, idle, waiting;
    must(sscanf(text, "cpu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &waiting) == 5, "/proc/stat");
    return (idle + waiting) * 10000000ull;
}

}

void fail(const std::string& what)
{
    printf("load: %s\n", what.c_str());
    fflush(stdout);
    _Exit(1);
}

void must(bool good, const std::string& what)
{
    if (!good)
        fail(what + ": " + strerror(errno));
}

uint64_t now_ns()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

Meter::Meter() : m_idle_ns(idle_ns())
{
    m_began_ns = now_ns();
}

void Meter::stop()
{
    m_elapsed_ns = now_ns() - m_began_ns;
    const uint64_t idle = idle_ns() - m_idle_ns;
    m_busy_ns = idle < m_elapsed_ns ? m_elapsed_ns - idle : 0;
}

void Meter::report(const std::string& name, const char* unit, uint64_t operations, double scale) const
{
    const double count = static_cast<double>(operations) * scale;
    printf("@ %s %.2f %s %.0f\n", name.c_str(), count * 1e9 / static_cast<double>(m_elapsed_ns), unit,
           static_cast<double>(m_busy_ns) / count);
    fflush(stdout);
}

void Meter::report_each_ms(const std::string& name, uint64_t operations) const
{
    const double count = static_cast<double>(operations);
    printf("@ %s %.3f ms %.0f\n", name.c_str(), static_cast<double>(m_elapsed_ns) / count / 1e6,
           static_cast<double>(m_busy_ns) / count);
    fflush(stdout);
}

Buffer::Buffer(size_t bytes)
{
    must(posix_memalign(&m_data, 4096, bytes) == 0, "memory");
    uint64_t state = 1;
    for (size_t at = 0; at < bytes; at += 8) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        memcpy(data() + at, &state, 8);
    }
}

int open_file(const std::string& path, int flags)
{
    const int fd = open(path.c_str(), flags, 0644);
    must(fd >= 0, path);
    return fd;
}

void sync_all(const std::string& path)
{
    const int fd = open_file(path, O_RDONLY);
    must(syncfs(fd) == 0, "syncfs");
    close(fd);
}

void drop_caches()
{
    sync();
    const int fd = open_file("/proc/sys/vm/drop_caches", O_WRONLY);
    must(write(fd, "3", 1) == 1, "drop_caches");
    close(fd);
}

}

int main(int count, char** arguments)
{
    static const struct {
        const char* name;
        void (*run)(const load::Words&);
    } works[] = { { "sync", load::sync_calls },      { "direct-sync", load::direct_sync },
                  { "names", load::names },          { "sequential", load::sequential },
                  { "random", load::random_blocks }, { "mapped", load::mapped },
                  { "mounts", load::mounts },        { "first-mount", load::first_mount },
                  { "program", load::program },      { "shutdown", load::shutdown } };
    for (const auto& work : works)
        if (count > 1 && !strcmp(arguments[1], work.name)) {
            work.run(load::Words(arguments + 2, arguments + count));
            return 0;
        }
    fputs("load: works:", stdout);
    for (const auto& work : works)
        printf(" %s", work.name);
    putchar('\n');
    return 2;
}
