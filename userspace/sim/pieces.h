// SPDX-License-Identifier: GPL-2.0-only
// Data for evacuation to move while workers use it and crashes come: what is left in metaslabs of which most was removed, stored block by
// block and as compressed units, some of it reached by clones of all or of parts, overwritten in the middle, punched, cut short.
#pragma once

#include <string>
#include <vector>

#include "userspace/sim/run.h"

namespace lcpfs::sim {

struct Fiber;

// By a worker, in its directory, before the run: its partition then has several metaslabs that hold little.
void make_pieces(Worker& worker, Random& random);

// Asks for evacuation all the time, and remembers where in the I/O log there was one.
class Evacuations {
public:
    Evacuations(Run& run, u64 seed, bool any) : m_run(run), m_random(seed), m_any(any) {}
    // In a thread of its own, beside what `body` does.
    template <typename Body>
    void beside(Body body)
    {
        Fiber* fiber = m_any ? start() : nullptr;
        body();
        if (fiber)
            join(fiber);
    }
    // A crash in the middle of one; anywhere before `end` when there was none.
    u64 random_position(Random& random, u64 end) const;
    // Blocks of files that were moved, in all.
    u64 moved_blocks() const { return m_moved; }

private:
    struct Span {
        u64 from, to;
    };
    Fiber* start();
    void join(Fiber* fiber);
    void live();

    Run& m_run;
    Random m_random;
    bool m_any;
    bool m_is_over { false };
    u64 m_moved { 0 }, m_moved_in_this { 0 };
    std::vector<Span> m_spans;
};

}
