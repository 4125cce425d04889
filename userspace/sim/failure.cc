// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <deque>

namespace lcpfs::sim {

namespace {
std::string s_command;
bool s_verbose;
std::deque<std::string> s_log;
constexpr size_t k_log_lines = 12;
}

bool is_verbose() { return s_verbose; }
void set_verbose(bool on) { s_verbose = on; }

void set_reproduce(const std::string& command) { s_command = command; }
const std::string& reproduce() { return s_command; }

void remember_log(const char* text)
{
    s_log.push_back(text);
    if (s_log.size() > k_log_lines)
        s_log.pop_front();
}

void forget_log() { s_log.clear(); }

bool log_contains(const std::string& part)
{
    for (const std::string& line : s_log)
        if (line.find(part) != std::string::npos)
            return true;
    return false;
}

void fail(const char* format, ...)
{
    fflush(stdout);
    fprintf(stderr, "lcpfs: sim: FAILED: ");
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    for (const std::string& line : s_log)
        fprintf(stderr, "lcpfs:   the core said: %s\n", line.c_str());
    fprintf(stderr, "lcpfs:   again: %s\n", s_command.c_str());
    fflush(stderr);
    _exit(1);
}

}
