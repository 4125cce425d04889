// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/run.h"

#include <string.h>

#include <algorithm>

#include "core/api/handles.h"

#include "userspace/host/common/memory.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

constexpr u64 k_small_bytes = 1 << 20; // of a cache, or of what is dirty

void PoolShape::add_log_device(Random& random)
{
    log_disk_bytes = random.between(4, 8) << 20;
    format.log_devices = 1;
    // Small rings fill.
    format.log_bytes = random.one_in(2) ? 256u << 10 : 0;
}

PoolShape random_shape(Random& random, bool may_have_log)
{
    PoolShape shape;
    shape.disks = random.one_in(3) ? 1 : 2;
    shape.disk_bytes = (random.one_in(2) ? 32ull : 48ull) << 20;
    shape.format.name = "simulated";
    static constexpr u32 k_nodes[] = { 0, 16384, 16384, 32768 };
    shape.format.node_bytes = k_nodes[random.below(4)];
    shape.format.metadata_copies = static_cast<u32>(random.between(1, 2));
    shape.format.data_checksum = static_cast<u32>(random.between(1, 3));
    shape.format.root_mode = 0755;
    shape.latency_ns = random.one_in(4) ? 2000000 : 60000;
    if (may_have_log && random.one_in(4))
        shape.add_log_device(random);
    return shape;
}

Run::Run(const std::vector<Image*>& images, u64 latency_ns, bool keep_log)
    : m_keep_log(keep_log)
    , m_memory_before(host_memory_live_objects())
{
    for (u32 i = 0; i < images.size(); i++)
        m_disks.push_back(std::make_unique<Disk>(i, *images[i], keep_log ? &m_log : nullptr, latency_ns));
}

Run::~Run()
{
    if (m_pool)
        fail("a run ended with its pool open");
}

std::vector<host_bdev*> Run::bdevs() const
{
    std::vector<host_bdev*> result;
    for (auto& disk : m_disks)
        result.push_back(disk.get());
    // Any order will do.
    Random& random = Scheduler::get().random();
    for (size_t i = result.size(); i > 1; i--)
        std::swap(result[i - 1], result[random.below(i)]);
    return result;
}

void Run::format(const core_format_options& options)
{
    std::vector<host_bdev*> devices = bdevs();
    for (size_t i = 1; i <= options.log_devices; i++) // the last
        std::swap(devices[devices.size() - i], *std::find(devices.begin(), devices.end(), m_disks[m_disks.size() - i].get()));
    if (int error = core_pool_format(devices.data(), static_cast<unsigned>(devices.size()), &options))
        fail("core_pool_format gave %d", error);
}

int Run::try_open(bool read_only, bool no_recovery)
{
    std::vector<host_bdev*> devices = bdevs();
    core_pool_options options {};
    options.read_only = m_read_only = read_only;
    options.no_recovery = no_recovery;
    options.discard_log = discard_log;
    options.txg_interval_ms = static_cast<u32>(txg_interval_ms);
    // A machine so small that it keeps little of a log in memory while it does it again, or nothing.
    Random& random = Scheduler::get().random();
    static constexpr u64 k_memory[] = { 1 << 20, 4 << 20, 7 << 20 };
    const u64 memory_bytes = random.one_in(3) ? k_memory[random.below(3)] : 0;
    host_set_memory_bytes(memory_bytes);
    options.cache_limit_bytes = cache_limit_bytes || !memory_bytes ? cache_limit_bytes : k_small_bytes;
    options.dirty_limit_bytes = memory_bytes ? k_small_bytes : 0;
    options.discard = random.one_in(3);
    options.notify = [](void* context, int event) {
        if (event == CORE_EVENT_FROZEN)
            static_cast<Run*>(context)->m_frozen = true;
    };
    options.notify_context = this;
    static constexpr int k_ways[] = { CORE_COMPRESSION_OFF, CORE_COMPRESSION_OFF, CORE_COMPRESSION_LZ4, CORE_COMPRESSION_ZSTD(1) };
    compression = read_only ? CORE_COMPRESSION_OFF : k_ways[random.below(4)];
    m_frozen = false;
    int error = core_pool_open(devices.data(), static_cast<unsigned>(devices.size()), &options, &m_pool);
    if (error) {
        m_pool = nullptr;
        u64 left = host_memory_live_objects() - m_memory_before;
        if (left)
            fail("core_pool_open gave %d and left %lld objects of memory", error, static_cast<long long>(left));
        return error;
    }
    Scheduler::get().note_progress();
    return error;
}

core_dataset* Run::dataset(const std::string& name)
{
    core_dataset*& dataset = m_datasets[name];
    if (dataset)
        return dataset;
    if (int error = core_dataset_get(m_pool, name.c_str(), &dataset))
        fail("dataset \"%s\" gave %d", name.c_str(), error);
    // Turning it on writes labels, which a device that is broken by now may refuse: then it is off.
    constexpr int k_eio = 5;
    if (compression != CORE_COMPRESSION_OFF)
        if (int error = core_dataset_use(dataset, compression, -1); error && error != -k_eio)
            fail("compression %d for dataset \"%s\" gave %d", compression, name.c_str(), error);
    return dataset;
}

void Run::open(bool read_only, bool no_recovery)
{
    constexpr int k_erofs = 30;
    int error = try_open(read_only, no_recovery);
    if (error == -k_erofs && read_only)
        error = try_open(false);
    if (error)
        fail("opening the pool gave %d", error);
}

int Run::close()
{
    for (auto& worker : workers)
        worker->close_all();
    for (auto& [name, dataset] : m_datasets)
        core_dataset_put(dataset);
    m_datasets.clear();
    int error = core_pool_close(m_pool);
    m_pool = nullptr;
    for (auto& disk : m_disks)
        if (disk->in_flight())
            fail("core_pool_close came back with %u requests to %s in flight", disk->in_flight(), disk->name);
    if (u64 left = host_memory_live_objects() - m_memory_before)
        fail("core_pool_close left %lld objects of memory behind", static_cast<long long>(left));
    if (Scheduler::get().fiber_count() != 1)
        fail("core_pool_close left threads behind");
    Scheduler::get().note_progress();
    return error;
}

void Run::abandon()
{
    core_pool_shutdown(m_pool);
    for (auto& worker : workers)
        worker->close_all(false);
    for (auto& disk : m_disks)
        disk->offline = true;
    close();
    for (auto& disk : m_disks)
        disk->offline = false;
}

// The check is for a pool that does not change: a group that is being committed, as the first one after a replay may be, comes to its end
// before, and one that commits meanwhile makes it be done again.
u64 Run::check(bool read_data, bool tolerant)
{
    Scheduler::get().note_progress();
    TxgEngine& engine = pool_of(m_pool).engine();
    for (;;) {
        if (!opened_read_only()) {
            pool_of(m_pool).background().wait_idle();
            (void)engine.wait_committed(TxgId(engine.open_txg().value() - 1));
        }
        const TxgId open = engine.open_txg();
        Checked checked;
        check_once(read_data, checked);
        if (engine.open_txg() != open)
            continue;
        if (tolerant)
            return checked.count + (checked.error != 0);
        if (checked.error)
            fail("core_check gave %d%s", checked.error, checked.text.c_str());
        if (checked.count)
            fail("core_check finds %llu problems:%s", static_cast<unsigned long long>(checked.count), checked.text.c_str());
        return 0;
    }
}

void Run::check_once(bool read_data, Checked& checked)
{
    core_check_report report {};
    Scheduler::get().note_progress();
    checked.error = core_check(
        m_pool, read_data,
        [](void* context, const char* text) {
            Checked& checked = *static_cast<Checked*>(context);
            if (checked.count++ < 10)
                checked.text += std::string("\nlcpfs:     ") + text;
        },
        nullptr, &checked, &report);
    Scheduler::get().note_progress();
    if (report.problems != checked.count)
        fail("core_check counts %llu problems but told of %llu:%s", static_cast<unsigned long long>(report.problems),
             static_cast<unsigned long long>(checked.count), checked.text.c_str());
}

int Run::sync() { return sync_by([this] { return core_pool_sync(m_pool, true); }); }
// fsync of one file makes durable whatever was done before it, by anybody.
int Run::sync_object(core_object* object) { return sync_by([object] { return core_object_sync(object); }); }

int Run::sync_by(const std::function<int()>& sync)
{
    std::vector<u64> states;
    for (auto& worker : workers)
        states.push_back(worker->completed());
    int error = sync();
    if (!error)
        for (size_t i = 0; i < states.size(); i++)
            workers[i]->acknowledge(states[i], m_log.position());
    return error;
}

core_pool_status Run::status()
{
    core_pool_status status {};
    core_pool_get_status(m_pool, &status);
    return status;
}

void Run::operate(u64 operations_each)
{
    struct Task {
        Worker* worker;
        u64 operations;
    };
    if (workers.size() == 1) {
        workers[0]->operate(operations_each);
        return;
    }
    std::vector<Task> tasks;
    for (auto& worker : workers)
        tasks.push_back({ worker.get(), operations_each });
    std::vector<Fiber*> fibers;
    for (Task& task : tasks)
        fibers.push_back(Scheduler::get().start(
            ("worker" + std::to_string(task.worker->options().number)).c_str(),
            [](void* context) {
                Task& task = *static_cast<Task*>(context);
                task.worker->operate(task.operations);
            },
            &task));
    for (Fiber* fiber : fibers)
        Scheduler::get().join(fiber);
}

}
