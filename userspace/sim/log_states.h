// SPDX-License-Identifier: GPL-2.0-only
// The crash states of a recorded run that the intent log is judged by, each as images, in rising
// order of position.
//
// Where a log frame is submitted: the frame torn behind every one of its logical blocks (none of it
// and all of it included) and with single blocks missing; where one completes: what is certain and
// what is possible at that boundary; at both, every subset of the frames in doubt (16 of them by
// chance when there are more than four). Everything else in doubt is kept by chance: none, all, or
// block by block. Between frames: a crash by chance at some of the other positions. A frame of more
// than 32 blocks is torn everywhere in one run of three, else in 16 places.
#pragma once

#include <functional>

#include "core/format/zil_format.h"
#include "userspace/sim/prepare.h"

namespace lcpfs::sim {

enum class StateClass : u32 { boundary, torn, subset, elsewhere, recovery, twice, damaged };
constexpr u32 k_state_classes = 7;
constexpr const char* k_state_class_names[k_state_classes]
    = { "at a frame's boundary", "inside a frame",      "subsets of frames in flight", "elsewhere",
        "during replay",         "during replay twice", "with frames damaged" };

// How many states of each class this process has judged.
u64& states_of(StateClass kind);
inline void count_state(StateClass kind) { states_of(kind)++; }

// The frame of the intent log that a write carries; null: none.
const DiskLogFrame* frame_of(const LoggedWrite& write);

class LogStates {
public:
    struct State {
        u64 number; // from 0, the same in every run of the seed
        u64 position;
        StateClass kind;
        Images images;
        Random* random; // of this state
    };
    using Visit = std::function<void(State& state)>;

    // `block_bytes`: of the disks. The log and the base outlive this.
    LogStates(const IoLog& log, const std::vector<Image*>& base, u64 block_bytes, u64 seed);
    // All states, or with `only` the one of that number.
    void visit(u64 end, u64 only, const Visit& visit);
    u64 count() const { return m_number; }

private:
    using KeepFrames = std::function<bool(size_t n, u64 block)>;
    void make(StateClass kind, const KeepFrames& keep);
    void tear();
    void subsets();
    bool is_frame_in_doubt(size_t n) const { return frame_of(m_log.writes[m_cursor.write_in_doubt(n)]) != nullptr; }

    const IoLog& m_log;
    CrashCursor m_cursor;
    u64 m_block_bytes;
    u64 m_seed;
    Random m_random;
    bool m_tears_all;
    u64 m_number { 0 };
    u64 m_only { 0 };
    const Visit* m_visit { nullptr };
};

}
