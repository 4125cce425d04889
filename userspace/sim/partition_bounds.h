// SPDX-License-Identifier: GPL-2.0-only
// What no policy can do better on a set of traces, whatever it knows of the future, if it turns no write away that there is room
// for. Such policies all store the same (Ground::had_room does not depend on who has how much), so the only question is how
// much room each tenant has beyond it, and when.
//
//   moves and idle   Take one tenant's metaslabs by their rank: the k-th is in use while it stores more than k - 1. Between two
//                    times of use it is either kept, which is idle for so long, or given away and fetched again, which is a
//                    move. So the least idle for so many moves is that of all such pauses but the longest, one for each move.
//   idle and epsilon What an access costs falls with the room of its tenant, by less and less. So the least epsilon for so much
//                    idle is had where a block more is worth the same to all tenants at all times, and more where the pool
//                    has no more to give.
// Both leave the third column out of account, the first the size of the pool as well: they are bounds from below. Where two
// columns' figures lie below one, no policy has both.
#pragma once

#include <vector>

#include "userspace/sim/partition_trace.h"

namespace lcpfs::sim {

class Bounds {
public:
    explicit Bounds(const std::vector<Trace>& traces);
    // GiB h, of any policy with so many moves per hour.
    double least_idle(double moves_per_hour) const;
    // Seconds per second, of any policy with so much idle.
    double least_epsilon(double idle) const;

private:
    struct Moment { // one tenant at one time, for all the times around it
        const TraceTenant* tenant;
        double used, frequency;
        double weight; // of the time in the mean over its trace
        double scarce; // what a GiB h is worth at least, as the pool has no more to give
    };
    void add_pauses(const std::vector<double>& used);
    void add_moments(const Trace& trace, const std::vector<std::vector<double>>& used);
    static double room_worth(const Moment& moment, double worth);

    std::vector<double> m_pauses; // hours, the longest first
    std::vector<Moment> m_moments;
    double m_hours { 0 };
    double m_rounding { 0 };      // GiB h: metaslabs are whole
};

}
