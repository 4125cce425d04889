// SPDX-License-Identifier: GPL-2.0-only
// Decision: one thing the controller did or advised, why, and what came of it. DecisionRing keeps the last of them for
// `lcpfs partition log`.
#pragma once

#include "core/host/vector.h"
#include "core/partition/outcome_history.h"
#include "core/partition/space.h"

namespace lcpfs {

enum class DecisionReason : u8 {
    full = 1,       // a write found the partition full: it was grown at once
    pressure = 2,   // the pressure passed its threshold
    idle = 3,       // more than was used for long, at a pressure below the dead band
    guarantee = 4,  // it had less than its minimum
    evacuate = 5,   // idle, but in pieces: metaslabs are to be emptied first
    refused_maximum = 6,  // a write found the partition full and at its maximum
    refused_pool = 7,     // ... and the pool full above everyone's minimum
};
constexpr const char* text_of(DecisionReason reason)
{
    switch (reason) {
    case DecisionReason::full: return "a write found it full";
    case DecisionReason::pressure: return "pressure above threshold";
    case DecisionReason::idle: return "idle below the dead band";
    case DecisionReason::guarantee: return "less than its minimum";
    case DecisionReason::evacuate: return "idle in pieces, to be emptied first";
    case DecisionReason::refused_maximum: return "a write was refused, it is at its maximum";
    case DecisionReason::refused_pool: return "a write was refused, the pool is full above the minimums";
    }
    return "unknown";
}

enum class DecisionResult : u8 {
    none = 0,       // nothing to measure: a refusal, a request to evacuate
    advised = 1,    // mode advise: nothing was done
    open = 2,       // its settling time has not passed
    measured = 3,
    unknowable = 4, // partitions came or went meanwhile, or nobody accessed anything
};

struct Decision {
    u64 number { 0 };          // rises by one
    u64 time_s { 0 };          // realtime
    PartitionId partition;
    PartitionId other;         // where the space came from or went to; k_unassigned
    ActionKind action { ActionKind::grow };
    DecisionReason reason { DecisionReason::full };
    DecisionResult result { DecisionResult::none };
    u64 size_before { 0 }, size_after { 0 }, used { 0 }; // blocks
    u32 metaslabs { 0 };
    Fixed pressure, threshold, benefit, uncertainty;
    Fixed epsilon_before;      // of the pool
    Fixed epsilon_expected;    // what it would have been at the loads of the end, had nothing been done
    Fixed epsilon_after;
    Fixed improvement;         // percent, controller_outcome.cc
};

class DecisionRing {
public:
    static constexpr u32 k_capacity = 256;

    Status reserve() { return m_decisions.resize(k_capacity); }
    // Gives its number.
    u64 add(Decision decision)
    {
        decision.number = ++m_last;
        m_decisions[m_last % k_capacity] = decision;
        return m_last;
    }
    u64 last() const { return m_last; }
    // Null when it is not there any more or not yet.
    Decision* find(u64 number) { return holds(number) ? &m_decisions[number % k_capacity] : nullptr; }
    const Decision* find(u64 number) const { return holds(number) ? &m_decisions[number % k_capacity] : nullptr; }

private:
    bool holds(u64 number) const { return number != 0 && number <= m_last && m_last - number < k_capacity; }

    Vector<Decision> m_decisions;
    u64 m_last { 0 };
};

}
