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

// The pool tree has a ring on log devices, and none of them is there that could tell the whole log.
Status Pool::miss_log_device(VdevId id, const core_pool_options& options)
{
    m_log_device_missing.store(1);
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
    m_log->give_up_device_ring();
    return {};
}

Status Pool::look_at_log_devices(const core_pool_options& options)
{
    const LogRing& ring = m_log->ring(k_device_ring);
    const bool holds_log = m_uberblock.log_ring == k_device_ring;
    const u32 stale = ring.members().stale, absent = ring.named() & ~ring.present();
    // Where the pool's ring holds the log, anybody's is as good.
    const u32 wanted = holds_log ? ring.named() & ~stale : ring.named();
    if (!(wanted & ring.present()))
        return miss_log_device(ring.device_of(static_cast<u32>(__builtin_ctz(wanted))), options);
    for (u32 member = 0; member < ring.member_count(); member++) {
        const bool is_absent = absent >> member & 1;
        if (!is_absent && options.read_only)
            continue;
        if (!is_absent && !(stale >> member & 1))
            continue;
        TextLine line;
        name_log_device(line, ring.device_of(member));
        line.add(is_absent ? " is missing; the log is on the others, which have all of it"
                           : " had failed or was missing; it is used again");
        log(is_absent ? HOST_LOG_WARNING : HOST_LOG_INFO, StringView(line.text(), line.size()));
    }
    return {};
}

// Labels go on naming a device that was given up. It could be taken again.
Status Pool::load_unused_log_devices()
{
    LogRing ring = m_log->take_ring(k_device_ring);
    const u32 named = ring.named();
    for (u16 i = 0; i < m_vdevs->count(); i++) {
        const Vdev& vdev = m_vdevs->vdev(VdevId(i));
        bool is_member = false;
        for (u32 member = 0; member < ring.member_count(); member++)
            is_member = is_member || ((named >> member & 1) && ring.device_of(member) == vdev.id);
        if (vdev.role != VdevRole::log || is_member || !vdev.is_there())
            continue;
        TextLine line;
        name_log_device(line, vdev.id);
        line.add(" is not used: the pool was mounted without it and has gone on");
        log(HOST_LOG_WARNING, StringView(line.text(), line.size()));
        const u64 usable = vdev.capacity_blocks - k_label_count * k_label_blocks;
        TRY(ring.offer(*m_vdevs, vdev.id, static_cast<u32>(min(usable, k_max_log_ring_bytes / k_block_size))));
    }
    TRY(m_log_item.resize(ring.encoded_bytes()));
    m_log_members = ring.members();
    m_log->set_ring(lcpfs::move(ring), k_device_ring);
    return {};
}

// Every pool has a ring of its own, and may have one on log devices.
Status Pool::load_log(const core_pool_options& options)
{
    VERIFY_DISK(m_uberblock.log_ring < k_log_ring_ids, log_damaged);
    for (u32 id = 0; id < k_log_ring_ids; id++)
        TRY(load_log_ring(id));
    const LogRing& on_device = m_log->ring(k_device_ring);
    VERIFY_DISK(m_uberblock.log_ring == k_pool_ring || on_device.is_there(), log_damaged);
    VERIFY_DISK(!on_device.is_there() || m_log->ring(k_pool_ring).is_there(), log_damaged);
    TRY(load_unused_log_devices());
    return on_device.is_there() ? look_at_log_devices(options) : Status();
}

// What the pool tree says of the ring on log devices from this group on.
Status Pool::write_log_members(TxgId txg, const LogMembers& members)
{
    const PoolTreeKey key(PoolKey::log, k_device_ring);
    const LogRing& ring = m_log->ring(k_device_ring);
    if (members.gone != ring.all()) {
        const u32 bytes = ring.encode(m_log_item.span(), members);
        TRY(m_pool_tree->prepare_insert(txg, key.bytes(), bytes));
        (void)m_pool_tree->insert(key.bytes(), { m_log_item.begin(), bytes });
    } else if (m_log_members.gone != ring.all()) {
        TRY(m_pool_tree->prepare_change(txg, key.bytes()));
        (void)m_pool_tree->remove(txg, key.bytes());
    }
    m_log_members = members; // a commit that fails from here on is the last
    return {};
}

core_log_device Pool::log_device() const
{
    if (lacks_log_device())
        return CORE_LOG_DEVICE_MISSING;
    const LogMembers members = m_log->members();
    const LogRing& ring = m_log->ring(k_device_ring);
    const u32 named = ring.all() & ~members.gone;
    if (!named)
        return ring.attached() ? CORE_LOG_DEVICE_UNUSED : CORE_LOG_DEVICE_NONE;
    const u32 works = members.in_use & ~m_log->failed_members();
    if (!works)
        return CORE_LOG_DEVICE_FAILED;
    return works == named ? CORE_LOG_DEVICE_ACTIVE : CORE_LOG_DEVICE_DEGRADED;
}

core_log_member_state Pool::state_of_log_device(VdevId id) const
{
    const LogMembers members = m_log->members();
    const LogRing& ring = m_log->ring(k_device_ring);
    for (u32 member = 0; member < ring.member_count(); member++) {
        if (ring.device_of(member) != id || (members.gone >> member & 1))
            continue;
        if (!m_vdevs->vdev(id).is_there())
            return CORE_LOG_MEMBER_MISSING;
        const bool works = (members.in_use & ~m_log->failed_members()) >> member & 1;
        return works ? CORE_LOG_MEMBER_ACTIVE : CORE_LOG_MEMBER_FAILED;
    }
    return CORE_LOG_MEMBER_UNUSED;
}

bool Pool::is_log_on(VdevId id) const
{
    const LogMembers members = m_log->members();
    const LogRing& ring = m_log->ring(k_device_ring);
    for (u32 member = 0; member < ring.member_count(); member++)
        if (ring.device_of(member) == id)
            return !((members.gone | members.stale) >> member & 1);
    return false;
}

Status Pool::change_log_device(VdevId id, bool joins)
{
    TRY(admit_change());
    const LogRing& ring = m_log->ring(k_device_ring);
    if (id.value() >= m_vdevs->count() || m_vdevs->vdev(id).role != VdevRole::log)
        return Error::not_found;
    if (joins && !m_vdevs->vdev(id).is_there())
        return Error::io_offline;
    u32 member = 0;
    while (member < ring.member_count() && ring.device_of(member) != id)
        member++;
    const u32 bit = 1u << member;
    const LogMembers members = m_log->members();
    if (member == ring.member_count())
        return joins ? Error::invalid : Error::not_found;
    if (!joins && (members.gone & bit))
        return Error::not_found;
    if (joins && (members.in_use & ~m_log->failed_members() & bit))
        return Error::busy;
    // With the last that works go those that failed or are not there: no mount is to wait for what has nothing of the log.
    u32 leaving = joins ? 0 : bit;
    if (!joins && !(members.in_use & ~m_log->failed_members() & ~bit))
        leaving = ring.all() & ~members.gone;
    TRY(m_log->change_members(leaving, joins ? bit : 0));
    // So that falling back by a group finds what it expects, too. If the pool was turned read-only meanwhile, it is done all the same.
    const Status again = m_engine->force_commit();
    if (again.is_error() && again.error() != Error::read_only)
        return again.error();
    TextLine line;
    name_log_device(line, id);
    if (joins)
        line.add(" has the log from now on");
    else
        line.add(" was taken out; the log is ").add(m_log->members().in_use ? "on the others" : "in the pool");
    if (leaving & ~bit)
        line.add("; those that failed or are missing were taken out with it");
    log(HOST_LOG_INFO, StringView(line.text(), line.size()));
    return {};
}

Status Pool::start_log_locked()
{
    const bool has_ring = m_log->ring().is_there();
    TRY(need_features(has_ring ? k_incompat_log_data : 0));
    if (!has_ring)
        return {};
    // Two, where the one before says that the log has nothing: falling back by a group finds what is logged from now on.
    const bool was_ended = m_uberblock.log_generation == 0;
    TRY(m_engine->force_commit());
    if (was_ended)
        TRY(m_engine->force_commit());
    if (lacks_log_device())
        m_log_device_missing.store(0); // the commit has taken it out of the pool
    m_log->turn_on();
    return {};
}

void Pool::tell_log_member(u32 member, const IntentLog::Failure& failure)
{
    TextLine line;
    name_log_device(line, m_log->ring(k_device_ring).device_of(member));
    line.add(" failed: ").add(text_of(failure.error)).add("; the log goes on ");
    line.add(failure.left ? "on the others" : "in the pool").add(", nothing is lost");
    log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
}

// A log write failed. Where others take over nobody is failed. Else whoever waits for it has been told, and with
// errors=continue commits take over for a while; without, nothing goes on.
void Pool::log_failed(void* self, const IntentLog::Failure& failure)
{
    Pool& pool = *static_cast<Pool*>(self);
    if (failure.takes_over) {
        for (u32 members = failure.members; members; members &= members - 1)
            pool.tell_log_member(static_cast<u32>(__builtin_ctz(members)), failure);
        return;
    }
    // With writes lost no group can commit any more, so there is nothing to go on with.
    if (pool.m_errors.load_relaxed() != CORE_ERRORS_CONTINUE || pool.m_vdevs->has_lost_writes())
        return pool.freeze(failure.error, "writing the intent log");
    TextLine line;
    line.add("writing the intent log failed: ").add(text_of(failure.error)).add("; group commits take over until the next one is through");
    pool.log(HOST_LOG_ERROR, StringView(line.text(), line.size()));
}

}
