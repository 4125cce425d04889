// SPDX-License-Identifier: GPL-2.0-only
// Datasets that come and go beside the workers: made, filled a little, destroyed, some of them with the next one's name. What a crash
// may leave of each follows from when each step was begun and when it had returned, since both are durable then.
#pragma once

#include <string>
#include <vector>

#include "userspace/sim/random.h"
#include "userspace/sim/run.h"

namespace lcpfs::sim {

struct Fiber;

class Churn {
public:
    Churn(Run& run, u64 seed, u64 count) : m_run(run), m_random(seed), m_count(count) {}
    // In a thread of its own, beside what `body` does.
    template <typename Body>
    void beside(Body body)
    {
        Fiber* fiber = m_count ? start() : nullptr;
        body();
        if (fiber)
            join(fiber);
    }
    // Fails unless an open pool has the datasets that there may be after a crash at `position`.
    void judge(core_pool* pool, u64 position) const;

private:
    struct Life {
        std::string name;
        u64 id { 0 }; // 0: not known
        u64 create_issued, created { k_never }, destroy_issued { k_never }, destroyed { k_never };
    };
    Fiber* start();
    void join(Fiber* fiber);
    void live();
    void live_once(u64 number);

    Run& m_run;
    Random m_random;
    u64 m_count;
    std::vector<Life> m_lives;
};

}
