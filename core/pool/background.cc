// SPDX-License-Identifier: GPL-2.0-only
#include "core/pool/background.h"

namespace lcpfs {

Status Background::wake(void (*body)(void*), void* context)
{
    m_wanted.store(1);
    if (!m_thread) {
        m_body = body;
        m_context = context;
        m_thread = host_thread_start("lcpfs-background", [](void* self) { static_cast<Background*>(self)->run(); }, this);
        if (!m_thread)
            return Error::no_memory;
    }
    m_event.wake();
    return {};
}

void Background::stop()
{
    if (!m_thread)
        return;
    m_stopping.store(1);
    m_event.wake();
    host_thread_join(m_thread);
    m_thread = nullptr;
}

// The thread says that it runs before it looks for a pause, and the other way round here: one of the two sees the other.
void Background::pause()
{
    m_pauses.add(1);
    m_event.wait([&] { return m_running.load() == 0; });
}

void Background::resume()
{
    m_pauses.sub(1);
    m_event.wake();
}

void Background::run()
{
    while (!m_stopping.load()) {
        m_running.store(1);
        if (m_wanted.load() && !is_interrupted()) {
            m_wanted.store(0);
            m_body(m_context);
            if (is_interrupted())
                m_wanted.store(1);
        }
        m_running.store(0);
        m_event.wake();
        if (m_is_delayed.exchange(0)) {
            m_event.wait_timeout(k_delay_ns, [&] { return m_stopping.load() != 0; });
            m_wanted.store(1);
        }
        const auto may_run = [&] { return m_stopping.load() || (m_wanted.load() && !m_pauses.load()); };
        if (const u64 period_ns = m_period_ns.load()) {
            if (!m_event.wait_timeout(period_ns, may_run))
                m_wanted.store(1);
        } else {
            m_event.wait(may_run);
        }
    }
}

}
