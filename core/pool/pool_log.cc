// SPDX-License-Identifier: GPL-2.0-only
// Pool: where its intent log is, and what becomes of it when a log device is missing or fails.
#include "core/base/format_text.h"
#include "core/pool/pool.h"

namespace lcpfs {

void Pool::name_log_device(TextLine& line, VdevId id) const
{
    const Vdev& vdev = m_vdevs->vdev(id);
    line.add("log device ").add(u64(id.value())).add(" of ").add(u64(m_vdevs->count()));
    if (vdev.is_there())
        line.add(" (").add(vdev.name).add(")");
    else
        line.add(" (guid ").add_hex({ vdev.guid.bytes, sizeof(vdev.guid.bytes) }).add(")");
}

Status Pool::load_log_ring(u32 id)
{
    ReadGuard guard(m_pool_tree_lock);
    TreeCursor cursor;
    if (!TRY(m_pool_tree->find(PoolTreeKey(PoolKey::log, id).bytes(), cursor)))
        return {};
    LogRing ring = TRY(LogRing::decode(*m_vdevs, cursor.value()));
    VERIFY_DISK(ring.is_on_log_device() == (id == k_device_ring), log_damaged);
    m_log->set_ring(lcpfs::move(ring), id);
    return {};
}

// The pool tree has a ring on a log device that is not there.
Status Pool::miss_log_device(VdevId id, const core_pool_options& options)
{
    m_log_device.store(CORE_LOG_DEVICE_MISSING);
    const bool holds_log = m_uberblock.log_ring == k_device_ring;
    TextLine line;
    if (options.read_only && options.no_recovery) {
        name_log_device(line, id);
        line.add(" is missing; only what was committed is shown");
        log(HOST_LOG_WARNING, StringView(line.text(), line.size()));
        return {};
    }
    if (!options.discard_log) {
        line.add("cannot open pool: ");
        name_log_device(line, id);
        line.add(" is missing; name it with -o device= or lcpfs scan; -o recover=discard-log goes on without it");
        line.add(holds_log ? " and what only its log holds" : ", which loses nothing: it does not hold the log");
        log(HOST_LOG_FATAL, StringView(line.text(), line.size()));
        return Error::device_missing;
    }
    name_log_device(line, id);
    line.add(" is missing and given up as asked for; the log is in the pool from now on");
    if (holds_log)
        line.add(", what only that device held is lost");
    log(HOST_LOG_WARNING, StringView(line.text(), line.size()));
    m_drops_log_device = true;
    return {};
}

// Every pool has a ring of its own, and may have one on a log device. Labels go on naming a device that was given up.
Status Pool::load_log(const core_pool_options& options)
{
    VERIFY_DISK(m_uberblock.log_ring < k_log_ring_ids, log_damaged);
    for (u32 id = 0; id < k_log_ring_ids; id++)
        TRY(load_log_ring(id));
    const LogRing& on_device = m_log->ring(k_device_ring);
    VERIFY_DISK(m_uberblock.log_ring == k_pool_ring || on_device.is_there(), log_damaged);
    VERIFY_DISK(!on_device.is_there() || m_log->ring(k_pool_ring).is_there(), log_damaged);
    for (u16 i = 0; i < m_vdevs->count(); i++) {
        const Vdev& vdev = m_vdevs->vdev(VdevId(i));
        if (vdev.role != VdevRole::log)
            continue;
        if (on_device.is_there() && on_device.segments()[0].vdev == vdev.id) {
            m_log_device.store(CORE_LOG_DEVICE_ACTIVE);
            if (!vdev.is_there())
                TRY(miss_log_device(vdev.id, options));
        } else if (vdev.is_there()) {
            TextLine line;
            name_log_device(line, vdev.id);
            line.add(" is not used: the pool was mounted without it and has gone on");
            log(HOST_LOG_WARNING, StringView(line.text(), line.size()));
            if (m_log_device.load() == CORE_LOG_DEVICE_NONE)
                m_log_device.store(CORE_LOG_DEVICE_UNUSED);
        }
    }
    return {};
}

Status Pool::start_log()
{
    if (!m_log->ring().is_there())
        return {};
    TRY(m_engine->force_commit());
    if (lacks_log_device())
        m_log_device.store(CORE_LOG_DEVICE_NONE); // the commit has taken it out of the pool
    m_log->turn_on();
    return {};
}

// A log write failed. Where the pool's ring takes over nobody is failed. Else whoever waits for it has been told, and with
// errors=continue commits take over for a while; without, nothing goes on.
void Pool::log_failed(void* self, Error error, bool takes_over)
{
    Pool& pool = *static_cast<Pool*>(self);
    TextLine line;
    if (takes_over) {
        pool.m_log_device.store(CORE_LOG_DEVICE_FAILED);
        pool.name_log_device(line, pool.m_log->ring(k_device_ring).segments()[0].vdev);
        line.add(" failed: ").add(text_of(error)).add("; the log goes on in the pool, nothing is lost");
        return pool.log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
    }
    // With writes lost no group can commit any more, so there is nothing to go on with.
    if (pool.m_errors.load_relaxed() != CORE_ERRORS_CONTINUE || pool.m_vdevs->has_lost_writes())
        return pool.freeze(error, "writing the intent log");
    line.add("writing the intent log failed: ").add(text_of(error)).add("; group commits take over until the next one is through");
    pool.log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
}

}
