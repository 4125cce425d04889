// SPDX-License-Identifier: GPL-2.0-only
#include "core/txg/txg_engine.h"

namespace lcpfs {

Result<Box<TxgEngine>> TxgEngine::create(const Hooks& hooks)
{
    void* memory = host_alloc(sizeof(TxgEngine), 0);
    if (!memory)
        return Error::no_memory;
    return Box<TxgEngine>(::new (memory) TxgEngine(hooks));
}

TxgEngine::~TxgEngine() { stop(true); }

void TxgEngine::set_committed(TxgId committed)
{
    m_committed.store(committed.value());
    m_quiesced.store(committed.value());
    m_requested.store(committed.value());
    m_open.store(committed.value() + 1);
}

Status TxgEngine::start(u64 interval_ns)
{
    m_interval_ns.store(interval_ns);
    // Who makes synchronous changes may keep it from its processor, and what they did would have to be done again after a crash.
    m_sync_thread = host_thread_start_urgent("lcpfs-sync", [](void* self) { static_cast<TxgEngine*>(self)->run_sync(); }, this);
    if (!m_sync_thread)
        return Error::no_memory;
    m_quiesce_thread = host_thread_start("lcpfs-txg", [](void* self) { static_cast<TxgEngine*>(self)->run_quiesce(); }, this);
    if (!m_quiesce_thread) {
        end_threads();
        return Error::no_memory;
    }
    m_started.store(1);
    return {};
}

void TxgEngine::stop(bool discard)
{
    if (!m_sync_thread)
        return;
    if (discard)
        fail(Error::shut_down);
    else if (m_error.load() == 0)
        (void)wait_committed(newest_changed()).is_ok();
    end_threads();
}

void TxgEngine::end_threads()
{
    m_stopping.store(1);
    m_event.wake();
    if (m_quiesce_thread)
        host_thread_join(m_quiesce_thread);
    host_thread_join(m_sync_thread);
    m_sync_thread = m_quiesce_thread = nullptr;
    m_stopping.store(0);
}

void TxgEngine::set_interval(u64 interval_ns)
{
    m_interval_ns.store(interval_ns);
    m_event.wake();
}

TxgEngine::Hold TxgEngine::hold()
{
    u32 stripe = host_cpu_index() % k_stripes;
    for (;;) {
        u64 txg = m_open.load();
        m_holds[stripe].holds[txg & 3].add(1);
        if (m_open.load() == txg) {
            if (m_touched[txg & 3].load_relaxed() == 0) {
                // The time first: who sees the group touched with an older one's time would close it at once.
                m_opened_ns.store(host_monotonic_ns());
                if (m_touched[txg & 3].exchange(1) == 0)
                    m_event.wake();
            }
            return { TxgId(txg), stripe };
        }
        // It closed in between: this was no hold.
        m_holds[stripe].holds[txg & 3].sub(1);
        m_event.wake();
    }
}

void TxgEngine::release(const Hold& hold)
{
    u64 txg = hold.txg.value();
    u32 left = m_holds[hold.stripe].holds[txg & 3].sub(1);
    if (left == 0 && m_open.load() != txg)
        m_event.wake();
}

u32 TxgEngine::holds_of(u64 txg) const
{
    u32 total = 0;
    for (const Stripe& stripe : m_holds)
        total += stripe.holds[txg & 3].load();
    return total;
}

TxgId TxgEngine::newest_changed() const
{
    u64 open = m_open.load();
    return TxgId(is_changed(open) ? open : open - 1);
}

void TxgEngine::request(TxgId txg)
{
    u64 seen = m_requested.load();
    while (seen < txg.value())
        if (m_requested.compare_exchange(seen, txg.value()))
            break;
    m_event.wake();
}

Status TxgEngine::wait_committed(TxgId txg)
{
    if (m_committed.load() >= txg.value())
        return {};
    if (!m_started.load() && m_error.load() == 0)
        return Error::busy;
    request(txg);
    m_event.wait([&] { return m_committed.load() >= txg.value() || m_error.load() != 0 || is_sealed(); });
    if (m_committed.load() >= txg.value())
        return {};
    return error() != Error::none ? error() : Error::read_only;
}

Status TxgEngine::force_commit() { return wait_committed(open_txg()); }

// Either it is seen in the gate before the open group closes, or that is seen here.
void TxgEngine::seal()
{
    m_gate.store(k_sealed);
    m_event.wake();
    m_event.wait([&] { return m_error.load() != 0 || (!m_is_closing.load() && m_committed.load() + 1 == m_open.load()); });
}

void TxgEngine::fail(Error error)
{
    u16 none = 0;
    m_error.compare_exchange(none, static_cast<u16>(error));
    m_event.wake();
}

bool TxgEngine::should_close() const
{
    if (!can_close() || is_sealed())
        return false;
    const u64 open = m_open.load();
    if (m_requested.load() >= open)
        return true;
    if (!is_changed(open))
        return false;
    return host_monotonic_ns() - m_opened_ns.load() >= m_interval_ns.load() || m_hooks.is_full(m_hooks.context);
}

// Until something says that the open group is to close, or the time to look at its age has come. That time is reckoned
// anew whenever one of the things it follows from changes: its first change, the interval, the groups in front of it.
void TxgEngine::wait_until_closable()
{
    const u64 open = m_open.load();
    const u64 interval = m_interval_ns.load();
    const bool was_changed = is_changed(open);
    const bool was_blocked = is_blocked();
    u64 wait_ns = 1000ull * 1000 * 1000 * 3600; // for a wake
    if (was_changed && !was_blocked) {
        const u64 age = host_monotonic_ns() - m_opened_ns.load();
        wait_ns = age < interval ? interval - age : 1;
    }
    m_event.wait_timeout(wait_ns, [&] {
        return should_close() || m_stopping.load() || m_error.load() || is_changed(open) != was_changed
            || is_blocked() != was_blocked || m_interval_ns.load() != interval;
    });
}

void TxgEngine::run_quiesce()
{
    while (!m_stopping.load()) {
        if (m_error.load()) {
            m_event.wait([&] { return m_stopping.load() != 0; });
            return;
        }
        if (!should_close()) {
            wait_until_closable();
            continue;
        }
        u64 closing = m_open.load();
        m_is_closing.store(1);
        const bool closes = !is_sealed();
        if (closes) {
            m_touched[(closing + 1) & 3].store(0);
            m_open.store(closing + 1);
        }
        m_is_closing.store(0);
        m_event.wake();
        if (!closes)
            continue;
        m_event.wait([&] { return holds_of(closing) == 0; });
        m_quiesced.store(closing);
        m_event.wake();
    }
}

void TxgEngine::run_sync()
{
    for (;;) {
        m_event.wait([&] { return m_quiesced.load() > m_committed.load() || m_stopping.load(); });
        if (m_stopping.load() && (m_quiesced.load() <= m_committed.load() || m_error.load()))
            return;
        if (m_error.load()) {
            m_event.wait([&] { return m_stopping.load() != 0; });
            return;
        }
        TxgId txg(m_committed.load() + 1);
        Status status = m_hooks.sync(m_hooks.context, txg);
        if (status.is_error()) {
            fail(status.error());
            continue;
        }
        m_committed.store(txg.value());
        m_event.wake();
    }
}

}
