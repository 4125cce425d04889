// SPDX-License-Identifier: GPL-2.0-only
// EventRing: the last lines that a pool has told the log, for `lcpfs events` and for who waits for a change of its state. The log of the
// host limits their rate and forgets them among others'; this one keeps the last 128.
#pragma once

#include "core/base/span.h"
#include "core/host/locks.h"
#include "core/host/memory.h"

namespace lcpfs {

class EventRing {
public:
    static constexpr u32 k_events = 128;
    static constexpr u32 k_text_bytes = 240; // with the ending zero; longer ones are cut
    struct Event {
        u64 number { 0 };  // from 1 on
        i64 time_ns { 0 }; // realtime
        u8 level { 0 };    // host_log_level
        char text[k_text_bytes] {};
    };

    // Any context. Who listens is told after it is in the ring.
    void add(host_log_level level, StringView text);
    // The first whose number is at least `from`, of those still here. False: there is none. Any context.
    bool next(u64 from, Event& event) const;
    // At opening, before there is anything to tell. `listener` runs in any context.
    void set_listener(void (*listener)(void* context, u8 level), void* context)
    {
        m_listener = listener;
        m_context = context;
    }

private:
    mutable SpinLock m_lock { LCPFS_RANK_event };
    u64 m_last GUARDED_BY(m_lock) { 0 };
    Event m_ring[k_events] GUARDED_BY(m_lock);
    void (*m_listener)(void*, u8) { nullptr };
    void* m_context { nullptr };
};

}
