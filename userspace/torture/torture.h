// SPDX-License-Identifier: GPL-2.0-only
// torture: programs for guest cases: a file against a model of it, and many processes on a few names. Static, without a
// library, so that they run in a guest that has nothing.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

namespace torture {

[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));
// Ends with errno's name when `bad`.
void must(bool good, const char* what);

class Random {
public:
    explicit Random(uint64_t seed) : m_state(seed * 0x9e3779b97f4a7c15ull + 1) {}
    uint64_t next()
    {
        m_state ^= m_state << 13;
        m_state ^= m_state >> 7;
        m_state ^= m_state << 17;
        return m_state;
    }
    uint64_t below(uint64_t limit) { return limit ? (next() >> 16) % limit : 0; }
    bool one_in(uint64_t n) { return below(n) == 0; }

private:
    uint64_t m_state;
};

// torture model FILE OPERATIONS SEED [LARGEST]
int model(int count, char** words);
// torture race DIRECTORY PROCESSES SECONDS SEED [full] [no-memory|no-memory-for-all]
// torture words DIRECTORY: every file of a race holds nothing but what a race writes.
int race(int count, char** words);
int check_words(int count, char** words);
// torture differ DIRECTORY OTHER OPERATIONS SEED; torture same DIRECTORY OTHER
int differ(int count, char** words);
int same_trees(int count, char** words);
// torture fsx FILE THREADS OPERATIONS SEED
int fsx(int count, char** words);
// torture queued FILE OPERATIONS SEED; torture queued FILE bad BLOCK; torture queued FILE mapped OTHER ROUNDS;
// torture queued FILE scribbled ROUNDS
int queued(int count, char** words);
// torture handle FILE OUT; torture by-handle DIRECTORY IN
int save_handle(int count, char** words);
int open_handle(int count, char** words);
// torture idmap DIRECTORY TARGET FIRST; torture make-as ID FILE
int idmap(int count, char** words);
int make_as(int count, char** words);
// torture faults DIRECTORY OPERATION FIRST MOST
int faults(int count, char** words);
// torture errors FILE [ready]: what fsync says once, and to whom. With `ready` it begins at a line on the standard input.
int sync_status(int count, char** words);
// torture reconfigure DIRECTORY OPTION VALUE
int reconfigure(int count, char** words);
// torture tails DIRECTORY write|check
int tails(int count, char** words);
// torture times DIRECTORY FILES write|check
int times(int count, char** words);
// torture acknowledged DIRECTORY WITNESS THREADS check|SEED [SECONDS]
int acknowledged(int count, char** words);
// torture sync-load DIRECTORY overwrite|append|create THREADS SECONDS [histogram]
int sync_load(int count, char** words);
// torture sync-cost DIRECTORY DISK GROUP-FILE FLUSHES prepare|one|asking|always|names|placed|disabled
int sync_cost(int count, char** words);

}
