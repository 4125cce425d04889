// SPDX-License-Identifier: GPL-2.0-only
// Pool: running one: freezing, options, status, closing. Opening is in pool_open.cc, committing in pool_sync.cc.
#include "core/pool/pool.h"

#include "core/base/format_text.h"

namespace lcpfs {

Pool::~Pool() { (void)close().is_ok(); }

void Pool::log(host_log_level level, StringView text) const
{
    m_vdevs->log(level, text);
}

Error Pool::why_stopped() const
{
    if (m_shut_down.load_relaxed())
        return Error::shut_down;
    return !m_read_only.load_relaxed() && m_engine->error() != Error::none ? Error::frozen : Error::read_only;
}

void Pool::freeze(Error error, const char* what)
{
    if (m_engine->error() != Error::none)
        return;
    m_engine->fail(error);
    m_log->note_freeze();
    TextLine line;
    line.add(what).add(" failed: ").add(text_of(error)).add("; no further change is accepted, what was committed is whole");
    log(HOST_LOG_FATAL, StringView(line.text(), line.size()));
    if (m_errors.load_relaxed() == CORE_ERRORS_PANIC)
        host_panic("lcpfs: errors=panic");
    if (m_notify)
        m_notify(m_notify_context, CORE_EVENT_FROZEN);
}

// Background work comes by the lock, too: it is paused before the lock is taken, for as long as the pool is read-only.
Status Pool::set_read_only(bool read_only)
{
    if (read_only)
        m_background.pause();
    MutexGuard guard(m_state_lock);
    if (!read_only)
        return turn_writable();
    const bool was_read_only = m_read_only.load(); // then whoever turned it has paused it
    const Status turned = was_read_only ? Status() : turn_read_only();
    if (was_read_only || turned.is_error())
        m_background.resume();
    return turned;
}

// Operations under way either get into the groups that are waited for, or are refused at their first change: when this returns,
// nothing is written any more.
Status Pool::turn_read_only()
{
    m_read_only.store(1);
    m_cache->set_repair(false);
    m_engine->refuse();
    Status committed = frozen() == Error::none ? m_engine->wait_committed(m_engine->newest_changed()) : Status();
    if (committed.is_ok())
        committed = end_log();
    if (committed.is_error()) {
        m_engine->admit();
        m_cache->set_repair(true);
        m_read_only.store(0);
        return committed.error();
    }
    m_log->turn_off(); // of a frozen one, too
    m_engine->seal();
    return {};
}

Status Pool::turn_writable()
{
    if (m_shut_down.load())
        return Error::shut_down;
    if (frozen() != Error::none)
        return Error::frozen;
    if (!m_read_only.load())
        return {};
    if (has_lost_bitmaps())
        return Error::bitmap_damaged;
    for (size_t i = 0; i < m_vdevs->count(); i++) // one that is not there is not read-only
        if (m_vdevs->vdev(VdevId(static_cast<u16>(i))).info.read_only)
            return Error::read_only;
    if (m_label->header.ro_compat.get() & ~k_known_ro_compat)
        return Error::feature_unknown;
    if (m_log->ring().is_there() && !m_log->has_begun())
        return Error::log_pending;
    m_closing_txg.store(0);
    m_engine->admit();
    const Status ready = get_ready_locked();
    if (ready.is_error()) {
        m_engine->seal();
        return ready.error();
    }
    m_read_only.store(0);
    m_cache->set_repair(true);
    m_background.resume();
    start_background_locked();
    equip_locked();
    return {};
}

Status Pool::wake_background()
{
    MutexGuard guard(m_state_lock);
    return m_waits.load() ? Status() : wake_background_locked();
}

Status Pool::wake_background_locked()
{
    if (!m_background_body)
        return {};
    return m_background.wake([](void* self) {
        Pool& pool = *static_cast<Pool*>(self);
        pool.m_background_body(pool);
    }, this);
}

void Pool::start_background_locked()
{
    m_waits.store_release(0);
    if (wake_background_locked().is_error())
        log(HOST_LOG_WARNING, "no thread can be had to go on freeing destroyed datasets and to move partitions");
}

void Pool::set_options(u32 interval_ms, core_errors_policy errors)
{
    m_errors.store(static_cast<u8>(errors));
    m_allocator->set_tolerant(errors == CORE_ERRORS_CONTINUE);
    m_interval_ns.store(u64(interval_ms ? interval_ms : 5000) * 1000000);
    m_engine->set_interval(m_interval_ns.load());
}

Status Pool::sync(bool wait)
{
    if (m_read_only.load())
        return {};
    if (m_shut_down.load())
        return Error::shut_down;
    TxgId newest = m_engine->newest_changed();
    if (!wait) {
        m_engine->request(newest);
        return {};
    }
    return m_engine->wait_committed(newest);
}

void Pool::shutdown()
{
    if (m_shut_down.exchange(1))
        return;
    m_engine->fail(Error::shut_down);
    m_log->note_freeze();
    log(HOST_LOG_WARNING, "shut down by request; what was not committed is dropped");
}

void Pool::get_status(core_pool_status& status)
{
    zero_bytes(&status, sizeof(status));
    copy_bytes(status.guid, m_label->header.pool_guid.bytes, 16);
    copy_bytes(status.name, m_name, sizeof(m_name));
    status.device_count = static_cast<u32>(m_vdevs->count());
    status.node_bytes = m_cache->node_bytes();
    status.metadata_copies = m_trees->copies;
    status.read_only = is_read_only();
    status.frozen = frozen() != Error::none;
    status.committed_txg = m_engine->committed_txg().value();
    status.open_seconds = (host_monotonic_ns() - m_opened_ns) / 1000000000;
    status.discarded_bytes = m_vdevs->counters().discarded_bytes.load();
    status.open_txg = m_engine->open_txg().value();
    AllocatorCounts counts = m_allocator->counts();
    status.total_blocks = counts.total_blocks;
    status.free_blocks = min(counts.free_blocks + counts.deferred_blocks, counts.total_blocks);
    status.reserved_blocks = m_space->promised_blocks();
    u64 taken = status.reserved_blocks + m_space->slop_blocks();
    status.available_blocks = status.free_blocks > taken ? status.free_blocks - taken : 0;
    status.objects = m_datasets->object_count();
    status.txg_commits = m_commits.load_relaxed();
    status.node_writes = m_trees->node_writes.load_relaxed();
    NodeCacheCounters& nodes = m_cache->counters();
    status.node_reads = nodes.reads.load_relaxed();
    status.cached_nodes = nodes.nodes.load_relaxed();
    status.cached_bytes = nodes.bytes.load_relaxed();
    status.dirty_nodes = m_trees->dirty_bytes.load_relaxed() / m_cache->node_bytes();
    status.repaired_blocks = nodes.repairs.load_relaxed() * m_cache->node_blocks();
    status.checksum_errors = nodes.checksum_errors.load_relaxed() + m_checksum_errors.load_relaxed();
    status.data_reads_blocks = m_data_reads.load_relaxed();
    status.data_writes_blocks = m_data_writes.load_relaxed();
    IoCounters& io = m_vdevs->counters();
    status.device_reads = io.reads.load_relaxed();
    status.device_writes = io.writes.load_relaxed();
    status.device_flushes = io.flushes.load_relaxed();
    status.io_errors = io.errors.load_relaxed();
    LogStatistics log {};
    m_log->get_statistics(log);
    status.log_bytes = m_log->ring().bytes();
    status.log_device = log_device();
    status.log_position = log.position;
    status.log_frames = log.frames;
    status.log_records = log.records;
    status.log_written_bytes = log.bytes;
    status.log_flushes = log.flushes;
    status.log_errors = log.errors;
    status.log_pending_frames = log.pending_frames;
}

Result<TxgId> Pool::keep_group()
{
    if (m_has_group_keeper.exchange(1))
        return Error::busy;
    for (;;) {
        const TxgId group = m_engine->committed_txg();
        m_allocator->keep_readable(group);
        // Settling the next group releases nothing that this one reaches, and the one after that finds the word.
        if (m_engine->committed_txg() == group)
            return group;
    }
}

void Pool::release_group()
{
    m_allocator->end_keeping();
    m_has_group_keeper.store(0);
}

// Nobody is there any more who may change anything, so the group open now is the last one. It says that the log has nothing for whoever
// opens the pool next, who need not look for what may be missing (LogReader).
Status Pool::end_log()
{
    if (!m_log || !m_log->is_on() || m_engine->error() != Error::none)
        return {};
    m_log->turn_off();
    m_closing_txg.store(m_engine->open_txg().value());
    return m_engine->force_commit();
}

Status Pool::close()
{
    Status result;
    m_background.stop();
    if (m_completions)
        host_workqueue_drain(m_completions);
    if (m_engine) {
        if (!m_read_only.load())
            (void)end_log().is_ok(); // the engine tells
        Error before = m_engine->error();
        m_engine->stop(before != Error::none);
        if (before != Error::none)
            result = before;
        else if (m_engine->error() != Error::none)
            result = m_engine->error();
    }
    if (m_completions)
        host_workqueue_destroy(m_completions);
    m_completions = nullptr;
    WrittenList* const lists[] = { &m_pool_tree_written, &m_metaslabs_written };
    for (WrittenList* list : lists)
        while (Node* node = list->pop_front())
            node->unreference();
    m_log.reset();
    m_delayed_writes.reset();
    m_partitions.reset();
    m_datasets.reset();
    m_share_table.reset();
    m_pool_tree.reset();
    m_metaslab_table.reset();
    m_space.reset();
    m_engine.reset();
    m_space_log.reset();
    m_trees.reset();
    m_cache.reset();
    m_allocator.reset();
    m_uberblock_writer.reset();
    m_vdevs.reset();
    m_compressing.store(nullptr);
    m_compression.reset();
    release_request_pools();
    return result;
}

}
