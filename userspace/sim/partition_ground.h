// SPDX-License-Identifier: GPL-2.0-only
// The pool as the trace simulator has it: who owns how many metaslabs and uses how much of them. And what is compared: a policy
// that moves metaslabs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "userspace/sim/partition_trace.h"

namespace lcpfs::sim {

constexpr double k_gib_blocks = 262144;

struct Share {
    u64 size { 0 };      // metaslabs
    double used { 0 };   // blocks
    double size_blocks() const { return static_cast<double>(size * k_trace_metaslab_blocks); }
    u64 used_metaslabs() const;
    u64 empty() const { return size - used_metaslabs(); }
    double utilisation() const { return size ? used / size_blocks() : 1; }
};

class Ground {
public:
    explicit Ground(const Trace& trace);

    const Trace& trace;
    std::vector<Share> shares;
    u64 unassigned;
    u64 moved { 0 };             // metaslabs that changed their owner
    u64 minimum(size_t tenant) const; // metaslabs, rounded up
    u64 maximum(size_t tenant) const; // rounded down

    // Blocks: what a demand is, to the next whole one below. Half a block would be one more here than what the controller counts.
    double wanted(size_t tenant, u64 tick) const;

    // As many as there are, and the tenant may have; counted.
    u64 grow(size_t tenant, u64 metaslabs);
    u64 shrink(size_t tenant, u64 metaslabs);
    u64 hand_over(size_t from, size_t to, u64 metaslabs);
    // That a write of so many blocks more could have been taken: below its maximum, with what is unassigned and what others do
    // not use above their minimum.
    bool had_room(size_t tenant, double blocks) const;
    // Nothing is lost, nobody is below his minimum or what he uses, or above his maximum.
    void check() const;
};

class Policy {
public:
    virtual ~Policy() = default;
    virtual const char* name() const = 0;
    // Before the first tick: the shares that everybody begins with. Not counted as moves.
    virtual void begin(Ground&) {}
    // A write finds its partition full.
    virtual void full(Ground&, size_t /*tenant*/, double /*blocks*/, u64 /*tick*/) {}
    virtual void note(size_t /*tenant*/, double /*accesses*/, double /*latency_us*/) {}
    virtual void tick(Ground&, u64 /*tick*/) {}
};

std::unique_ptr<Policy> make_fixed_split();
std::unique_ptr<Policy> make_autoextend();
std::unique_ptr<Policy> make_doubling();
std::unique_ptr<Policy> make_percentile();
std::unique_ptr<Policy> make_in_time(std::unique_ptr<Policy> policy);
std::unique_ptr<Policy> make_controller(bool learning);

}
