// SPDX-License-Identifier: GPL-2.0-only
// Partitions that come and go beside the workers, some of which live in such: made with a minimum or without, their limits
// changed so that metaslabs go back and forth, ticks of the controller at odd moments, metaslabs of any partition emptied, removed.
// What a crash may leave of each follows from when each step was begun and when it had returned, since all are durable then; whose each
// metaslab is the checker looks at.
#pragma once

#include <string>
#include <vector>

#include "core/format/address.h"
#include "userspace/sim/random.h"
#include "userspace/sim/run.h"

namespace lcpfs::sim {

struct Fiber;

// Before the run. Limits in metaslabs; a maximum of 0 is none. A pool that has no room for a minimum makes it without.
void make_partition(Run& run, const std::string& name, u64 minimum = 0, u64 maximum = 0);

// Of one of the first few partitions, in the background.
void ask_for_evacuation(core_pool* pool, Random& random);

class PartitionChurn {
public:
    PartitionChurn(Run& run, u64 seed, u64 count) : m_run(run), m_random(seed), m_count(count) {}
    // In a thread of its own, beside what `body` does.
    template <typename Body>
    void beside(Body body)
    {
        Fiber* fiber = m_count ? start() : nullptr;
        body();
        if (fiber)
            join(fiber);
    }
    // Fails unless an open pool has the partitions that there may be after a crash at `position`.
    void judge(core_pool* pool, u64 position) const;

private:
    struct Life {
        std::string name;
        u64 create_issued, created { k_never }, destroy_issued { k_never }, destroyed { k_never };
    };
    Fiber* start();
    void join(Fiber* fiber);
    void live();
    void live_once(u64 number);
    int change(core_partition_operation operation, const std::string& name, u64 minimum, u64 maximum);

    void take_ballast();
    void drop_ballast();

    Run& m_run;
    Random m_random;
    u64 m_count;
    std::vector<Life> m_lives;
    std::vector<Dva> m_ballast;
};

}
