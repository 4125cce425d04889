// SPDX-License-Identifier: GPL-2.0-only
// load: the works of the comparison bench (qemu/cases/bench.sh), the same calls on whatever filesystem is mounted. Static, without
// a library. Each work prints one line for each figure:
//     @ NAME VALUE UNIT INSTRUCTIONS
// where INSTRUCTIONS is what the processor ran per operation, the kernel's threads included: on the clock that counts instructions
// one nanosecond that is not idle is one instruction. The kernel tells idle time by hundredths of a second, so that this
// figure is as good as the work is long; VALUE is to the nanosecond.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <string>
#include <vector>

namespace load {

[[noreturn]] void fail(const std::string& what);
// Ends with errno's name when not `good`.
void must(bool good, const std::string& what);

uint64_t now_ns();

// From its construction to `report`.
class Meter {
public:
    Meter();
    // The clock stands still from here on: what follows is cleaning up.
    void stop();
    // So many operations of `scale` units each, for a figure of units per second.
    void report(const std::string& name, const char* unit, uint64_t operations, double scale = 1) const;
    // Milliseconds for each of so many operations.
    void report_each_ms(const std::string& name, uint64_t operations) const;

private:
    uint64_t m_began_ns, m_idle_ns, m_elapsed_ns = 0, m_busy_ns = 0;
};

class Random {
public:
    explicit Random(uint64_t seed) : m_state(seed * 0x9e3779b97f4a7c15ull + 1) {}
    uint64_t below(uint64_t limit)
    {
        m_state ^= m_state << 13;
        m_state ^= m_state >> 7;
        m_state ^= m_state << 17;
        return (m_state >> 16) % limit;
    }

private:
    uint64_t m_state;
};

// Memory that O_DIRECT takes, full of bytes that do not compress.
class Buffer {
public:
    explicit Buffer(size_t bytes);
    ~Buffer() { free(m_data); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    char* data() { return static_cast<char*>(m_data); }

private:
    void* m_data = nullptr;
};

int open_file(const std::string& path, int flags);
// The page cache and the caches of names and inodes, emptied; what was dirty is on the disk before.
void drop_caches();
void sync_all(const std::string& path);

// Each takes the words behind the work's name.
using Words = std::vector<std::string>;
void sync_calls(const Words& words);
void direct_sync(const Words& words);
void names(const Words& words);
void sequential(const Words& words);
void random_blocks(const Words& words);
void mapped(const Words& words);
void mounts(const Words& words);
void shutdown(const Words& words);
void first_mount(const Words& words);
void program(const Words& words);

}
