// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/common/message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/format/label_format.h"
#include "userspace/host/common/log.h"

namespace lcpfs::tool {

static bool s_silent;

void put_error(const std::string& text)
{
    if (!s_silent)
        fmt::print(stderr, "lcpfs: {}\n", text);
}

Silence::Silence()
{
    s_silent = true;
    host_log_set_sink([](void*, host_log_level, const char*) {}, nullptr);
}

Silence::~Silence()
{
    s_silent = false;
    host_log_set_sink(nullptr, nullptr);
}

std::string reason(int error)
{
    switch (-error) {
    case EUCLEAN:
        return "damaged";
    case ENXIO:
        return "a device of the pool is missing";
    case EROFS:
        return "read-only";
    }
    return strerror(-error);
}

std::string human_bytes(uint64_t bytes)
{
    static const char* const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    unsigned unit = 0;
    uint64_t tenths = 0;
    while (bytes >= 1024 && unit < 6) {
        tenths = (bytes % 1024) * 10 / 1024;
        bytes /= 1024;
        unit++;
    }
    return tenths ? fmt::format("{}.{} {}", bytes, tenths, units[unit]) : fmt::format("{} {}", bytes, units[unit]);
}

bool parse_bytes(const char* text, uint64_t& bytes)
{
    char* end = nullptr;
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    bytes = strtoull(text, &end, 10);
    if (errno)
        return false;
    static const char letters[] = "kmgt";
    unsigned shift = 0;
    if (*end) {
        const char* letter = strchr(letters, *end | 32);
        if (!letter || !*letter)
            return false;
        shift = 10 * (static_cast<unsigned>(letter - letters) + 1);
        end++;
        if ((*end | 32) == 'i')
            end++;
        if ((*end | 32) == 'b')
            end++;
    }
    if (*end || bytes > UINT64_MAX >> shift)
        return false;
    bytes <<= shift;
    return true;
}

void print_version(const char* program)
{
    fmt::print("{} {}, on-disk format {}\n", program, k_version, k_label_version);
}

static uint64_t now_ns()
{
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1000000000u + static_cast<uint64_t>(time.tv_nsec);
}

Progress::Progress(const char* what) : m_what(what), m_terminal(isatty(2)), m_started_ns(now_ns()) {}

Progress::~Progress()
{
    if (m_shown)
        fmt::print(stderr, "\r{:40}\r", "");
}

void Progress::update(uint64_t done, uint64_t total)
{
    if (!m_terminal || total == 0 || now_ns() - m_started_ns < 1000000000u)
        return;
    m_shown = true;
    fmt::print(stderr, "\r{}: {:3} %", m_what, done * 100 / total);
    fflush(stderr);
}

}
