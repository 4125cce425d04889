// SPDX-License-Identifier: GPL-2.0-only
#include "core/vdev/event_ring.h"

#include "core/host/host.h"

namespace lcpfs {

void EventRing::add(host_log_level level, StringView text)
{
    const i64 now = host_realtime_ns();
    {
        SpinGuard guard(m_lock);
        Event& event = m_ring[++m_last % k_events];
        event.number = m_last;
        event.time_ns = now;
        event.level = static_cast<u8>(level);
        const size_t bytes = min<size_t>(text.size(), k_text_bytes - 1);
        copy_bytes(event.text, text.data(), bytes);
        event.text[bytes] = 0;
    }
    if (m_listener)
        m_listener(m_context, static_cast<u8>(level));
}

bool EventRing::next(u64 from, Event& event) const
{
    SpinGuard guard(m_lock);
    const u64 oldest = m_last < k_events ? 1 : m_last - k_events + 1;
    const u64 wanted = max(from, oldest);
    if (wanted > m_last)
        return false;
    event = m_ring[wanted % k_events];
    return true;
}

}
