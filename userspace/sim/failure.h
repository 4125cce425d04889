// SPDX-License-Identifier: GPL-2.0-only
// How a simulation fails: it says what it found and how to see it again, and its process ends. Each seed
// runs in a process of its own, so a failure (or a crash of the core) costs only that seed.
#pragma once

#include <string>

namespace lcpfs::sim {

// The command that repeats what runs now, printed with every failure and with host rule violations.
void set_reproduce(const std::string& command);
const std::string& reproduce();
// Lines of the core's log since the last call, printed with a failure.
void remember_log(const char* text);
void forget_log();
bool log_contains(const std::string& part);

// -v: every operation is told as it ends.
bool is_verbose();
void set_verbose(bool on);

[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

}
