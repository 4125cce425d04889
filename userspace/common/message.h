// SPDX-License-Identifier: GPL-2.0-only
// What the tools say: errors to stderr as `lcpfs: what: why`, and the words for an error of the core.
#pragma once

#include <fmt/format.h>

#include <string>

namespace lcpfs::tool {

constexpr const char* k_version = "0.1";

void put_error(const std::string& text);
template <typename... Parts>
void complain(fmt::format_string<Parts...> format, Parts&&... parts)
{
    put_error(fmt::format(format, std::forward<Parts>(parts)...));
}

// While there is one nothing is said, by the core neither: for a question to which failing is an answer.
class Silence {
public:
    Silence();
    ~Silence();
    Silence(const Silence&) = delete;
};

// For a negative errno that the core gave.
std::string reason(int error);

// 1536 -> "1.5 KiB".
std::string human_bytes(uint64_t bytes);

// "16K", "4096", "1G" as bytes. False: not a size.
bool parse_bytes(const char* text, uint64_t& bytes);

void print_version(const char* program);

// A line that is written over, on a terminal, for what takes longer than a second.
class Progress {
public:
    explicit Progress(const char* what);
    ~Progress();
    void update(uint64_t done, uint64_t total);

private:
    const char* m_what;
    bool m_terminal;
    bool m_shown { false };
    uint64_t m_started_ns;
};

}
