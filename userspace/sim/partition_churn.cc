// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/partition_churn.h"

#include "core/api/handles.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {

constexpr u64 k_metaslab = 1024; // blocks: the pools are small

int do_change(core_pool* pool, const core_partition_change& wanted)
{
    char message[CORE_PARTITION_MESSAGE_BYTES];
    return core_partition_do(pool, &wanted, message);
}

constexpr unsigned k_both = CORE_PARTITION_SET_MINIMUM | CORE_PARTITION_SET_MAXIMUM;

}

void make_partition(Run& run, const std::string& name, u64 minimum, u64 maximum)
{
    int error = do_change(run.pool(),
                          { CORE_PARTITION_CREATE, k_both, name.c_str(), "", minimum * k_metaslab, maximum * k_metaslab });
    if (error == -ENOSPC || error == -EINVAL) // more than the pool has
        error = do_change(run.pool(), { CORE_PARTITION_CREATE, 0, name.c_str(), "", 0, 0 });
    if (error)
        fail("creating partition %s gave %d", name.c_str(), error);
}

Fiber* PartitionChurn::start()
{
    return Scheduler::get().start("partitions", [](void* self) { static_cast<PartitionChurn*>(self)->live(); }, this);
}

void PartitionChurn::join(Fiber* fiber) { Scheduler::get().join(fiber); }

void PartitionChurn::live()
{
    for (u64 i = 0; i < m_count; i++) {
        live_once(i);
        Scheduler::get().note_progress();
    }
    drop_ballast();
    for (u8 i = 0; i < 4; i++)
        ask_for_evacuation(m_run.pool(), m_random);
}

int PartitionChurn::change(core_partition_operation operation, const std::string& name, u64 minimum, u64 maximum)
{
    return do_change(m_run.pool(), { operation, k_both, name.c_str(), "", minimum, maximum });
}

// Of any partition, the workers' too. What it moves nobody is to notice.
void ask_for_evacuation(core_pool* handle, Random& random)
{
    Pool& pool = pool_of(handle);
    const OwnerSlot slot(static_cast<u8>(1 + random.below(4)));
    pool.partitions().evacuation().ask(slot, 1000 * k_metaslab);
    if (pool.wake_background().is_error())
        fail("the background thread cannot be had");
}

// Takes most of a metaslab away for a while, so that what is written meanwhile goes to another one, and both hold little then.
void PartitionChurn::take_ballast()
{
    core_partitions all;
    core_partitions_get(m_run.pool(), &all);
    Pool& pool = pool_of(m_run.pool());
    const OwnerSlot slot(static_cast<u8>(1 + m_random.below(3)));
    if (all.unassigned_blocks < 6 * k_metaslab || pool.allocator().owners()[slot].id.load() == 0)
        return;
    for (u32 i = 0; i < 8; i++) {
        if (pool.space().promise_data(slot, 120).is_error())
            return;
        const auto dva = pool.allocator().allocate_data(slot, 120, 1);
        pool.space().release_data(slot, 120);
        if (dva.is_ok())
            m_ballast.push_back(dva.value());
    }
}

void PartitionChurn::drop_ballast()
{
    for (const Dva& dva : m_ballast)
        pool_of(m_run.pool()).allocator().cancel(dva);
    m_ballast.clear();
}

void PartitionChurn::live_once(u64 number)
{
    drop_ballast();
    for (u64 i = m_random.below(4); i > 0; i--)
        ask_for_evacuation(m_run.pool(), m_random);
    take_ballast();
    Life life {};
    life.name = "p" + std::to_string(number);
    core_partitions all;
    core_partitions_get(m_run.pool(), &all);
    // The workers are not to run out of space for it.
    const u64 minimum = all.unassigned_blocks >= 3 * k_metaslab ? m_random.below(2) * k_metaslab : 0;
    life.create_issued = m_run.log().position();
    if (int error = change(CORE_PARTITION_CREATE, life.name, minimum, 0))
        fail("creating partition %s gave %d", life.name.c_str(), error);
    life.created = m_run.log().position();
    for (u64 i = m_random.below(4); i > 0; i--) {
        core_partitions_get(m_run.pool(), &all);
        const bool grows = all.unassigned_blocks >= 3 * k_metaslab && m_random.one_in(2);
        if (int error = change(CORE_PARTITION_SET, life.name, grows ? k_metaslab : 0, grows ? 2 * k_metaslab : k_metaslab))
            if (error != -EBUSY && error != -ENOSPC)
                fail("setting partition %s gave %d", life.name.c_str(), error);
        if (m_random.one_in(2))
            pool_of(m_run.pool()).partitions().tick();
    }
    if (!m_random.one_in(3)) {
        life.destroy_issued = m_run.log().position();
        const int error = do_change(m_run.pool(), { CORE_PARTITION_DESTROY, 0, life.name.c_str(), "", 0, 0 });
        if (error && error != -EBUSY) // metadata may have come into a metaslab of its
            fail("destroying partition %s gave %d", life.name.c_str(), error);
        (error ? life.destroy_issued : life.destroyed) = error ? k_never : m_run.log().position();
    }
    m_lives.push_back(life);
}

void PartitionChurn::judge(core_pool* pool, u64 position) const
{
    for (const Life& life : m_lives) {
        bool is_there = false;
        core_partition_info info;
        for (u64 id = 0; core_partition_next(pool, id, &info) == 0; id = info.id + 1)
            is_there = is_there || life.name == info.name;
        if (life.created <= position && life.destroy_issued > position && !is_there)
            fail("partition %s had been made before the crash at position %llu and is not there", life.name.c_str(),
                 static_cast<unsigned long long>(position));
        if ((life.create_issued > position || life.destroyed <= position) && is_there)
            fail("partition %s is there after a crash at position %llu, but had been removed or was yet to be made", life.name.c_str(),
                 static_cast<unsigned long long>(position));
    }
}

}
