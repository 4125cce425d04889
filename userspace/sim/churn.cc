// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/churn.h"

#include "userspace/sim/failure.h"
#include "userspace/sim/scheduler.h"
#include "userspace/sim/walk.h"

namespace lcpfs::sim {

Fiber* Churn::start()
{
    return Scheduler::get().start("churn", [](void* self) { static_cast<Churn*>(self)->live(); }, this);
}

void Churn::join(Fiber* fiber) { Scheduler::get().join(fiber); }

void Churn::live()
{
    for (u64 i = 0; i < m_count; i++) {
        live_once(i);
        Scheduler::get().note_progress();
    }
}

// A file of some blocks, or a directory with one in it.
static void fill(core_object* directory, u64 number, Random& random, bool may_nest)
{
    const std::string name = "f" + std::to_string(number);
    core_new how {};
    const bool nests = may_nest && random.one_in(4);
    how.mode = nests ? 0040755 : 0100644;
    core_object* made = nullptr;
    if (int error = core_create(directory, name.data(), static_cast<u32>(name.size()), &how, &made))
        fail("creating %s in a dataset gave %d", name.c_str(), error);
    if (nests) {
        fill(made, number, random, false);
    } else {
        const u64 count = random.between(1, 8);
        Blocks blocks(count);
        const u64 at = random.below(64);
        const u64 size = (at + count) * CORE_BLOCK_SIZE;
        int error = reserve_blocks(made, at, count);
        if (!error)
            error = random.one_in(2) ? log_reserved(made, at, blocks, count, size) : write_reserved(made, at, blocks, count, size);
        if (error)
            fail("writing to %s in a dataset gave %d", name.c_str(), error);
    }
    core_object_put(made);
}

void Churn::live_once(u64 number)
{
    Life life {};
    life.name = "churn" + std::to_string(m_random.below(3));
    for (const Life& other : m_lives)
        if (other.name == life.name && other.destroyed == k_never)
            life.name += "-" + std::to_string(number);
    life.create_issued = m_run.log().position();
    core_new_dataset how { life.name.c_str(), "", 0755, 0, 0, { 5, 0 } };
    if (int error = core_dataset_create(m_run.pool(), &how))
        fail("creating dataset %s gave %d", life.name.c_str(), error);
    life.created = m_run.log().position();
    core_dataset* dataset = nullptr;
    core_object* root = nullptr;
    if (core_dataset_get(m_run.pool(), life.name.c_str(), &dataset) || core_object_get(dataset, CORE_ROOT_OBJECT, 0, &root))
        fail("dataset %s is not there", life.name.c_str());
    core_dataset_info info;
    core_dataset_get_info(dataset, &info);
    life.id = info.id;
    for (u64 i = m_random.below(12); i > 0; i--)
        fill(root, i, m_random, true);
    if (m_random.one_in(3))
        if (int error = core_object_sync(root))
            fail("core_object_sync in dataset %s gave %d", life.name.c_str(), error);
    core_object_put(root);
    if (core_dataset_destroy(m_run.pool(), life.name.c_str()) == 0)
        fail("dataset %s could be destroyed while it was in use", life.name.c_str());
    core_dataset_put(dataset);
    if (!m_random.one_in(3)) {
        life.destroy_issued = m_run.log().position();
        if (int error = core_dataset_destroy(m_run.pool(), life.name.c_str()))
            fail("destroying dataset %s gave %d", life.name.c_str(), error);
        life.destroyed = m_run.log().position();
    }
    m_lives.push_back(life);
}

void Churn::judge(core_pool* pool, u64 position) const
{
    for (const Life& life : m_lives) {
        bool is_there = false;
        core_dataset_info info;
        for (u64 id = 0; core_dataset_next(pool, id, &info) == 0; id = info.id + 1)
            is_there = is_there || (info.id == life.id && !info.is_destroying && life.name == info.name);
        if (life.created <= position && life.destroy_issued > position && !is_there)
            fail("dataset %llu (%s) had been made before the crash at position %llu and is not there",
                 static_cast<unsigned long long>(life.id), life.name.c_str(), static_cast<unsigned long long>(position));
        if ((life.create_issued > position || life.destroyed <= position) && is_there)
            fail("dataset %llu (%s) is there after a crash at position %llu, but had been destroyed or was yet to be made",
                 static_cast<unsigned long long>(life.id), life.name.c_str(), static_cast<unsigned long long>(position));
    }
}

}
