// SPDX-License-Identifier: GPL-2.0-only
// Runs for the intent log: generated operations by 1 to 8 threads, most of them followed by a sync
// of something sooner or later, on disks with a volatile cache and without, of 512 and of 4096
// bytes a block, with 1 to 8 frames in flight and rings so small that they fill, in the pool or on a
// log device, which may fail in mid-run; then every state of log_states.h: opened, replayed, checked,
// walked, compared with the histories.
//
// A share of the replays is itself cut short at its writes, and a share of those that begin then
// once more: what is found in the end has to be the very state that the uncut replay made.
#include <stdio.h>
#include <stdlib.h>

#include "core/api/handles.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/judge.h"
#include "userspace/sim/log_damage.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {

LogShape log_shape(Random& choice)
{
    LogShape shape;
    shape.pool.disks = choice.one_in(3) ? 2 : 1;
    shape.pool.disk_bytes = (shape.pool.disks == 2 ? 16ull : 24ull) << 20;
    shape.pool.format.name = "simulated";
    shape.pool.format.metadata_copies = static_cast<u32>(choice.between(1, 2));
    shape.pool.format.data_checksum = static_cast<u32>(choice.between(1, 3));
    shape.pool.format.root_mode = 0755;
    static constexpr u64 k_ring_bytes[] = { 128 << 10, 256 << 10, 256 << 10, 1 << 20 };
    shape.pool.format.log_bytes = k_ring_bytes[choice.below(4)];
    if (choice.one_in(4)) {
        shape.pool.add_log_device(choice);
        shape.log_device_fails = choice.one_in(2);
    }
    shape.pool.latency_ns = choice.one_in(4) ? 2000000 : 60000;
    shape.volatile_cache = !choice.one_in(3);
    shape.block_bytes = choice.one_in(3) ? 4096 : 512;
    shape.frames_in_flight = static_cast<u32>(choice.between(1, 8));
    shape.flushes = choice.one_in(2);
    if (choice.one_in(4)) {
        shape.pool.log_disk_bytes = 4u << 20;
        shape.pool.format.log_devices = 1;
    }
    return shape;
}

struct Recorded {
    LogShape shape;
    std::vector<Worker*> workers;
};

// Cuts a replay of `images` short and replays again: `expected` is what there has to be in the end.
void cut_replay(const Recorded& recorded, const Images& images, const std::vector<Tree>& expected, u64 cuts, StateClass kind,
                Random& random)
{
    Images layers = layers_over(images);
    Run run(pointers(layers), recorded.shape.pool.latency_ns);
    recorded.shape.apply(run);
    run.open(false);
    run.abandon();
    const u64 end = run.log().position();
    CrashCursor cursor(run.log(), pointers(images));
    u64 position = 0;
    for (u64 i = 0; i < cuts && position < end; i++) {
        // Rising, so that the cursor only moves forward; each position when there are few.
        position = cuts >= end ? position + 1 : position + random.between(1, 2 * end / cuts);
        cursor.advance_to(min(position, end));
        Images cut = cursor.crash(random);
        count_state(kind);
        const bool again = kind == StateClass::recovery && random.one_in(4);
        std::vector<Tree> trees;
        {
            Images over = layers_over(cut);
            trees = open_and_walk(recorded.shape, over, recorded.workers, random);
        }
        for (size_t w = 0; w < trees.size(); w++)
            if (trees[w].hash() != expected[w].hash())
                fail("worker %zu: a replay cut short at position %llu of its I/O "
                     "and done again gives something else:%s",
                     w, static_cast<unsigned long long>(cursor.position()), expected[w].difference(trees[w], false).c_str());
        if (again)
            cut_replay(recorded, cut, expected, random.between(1, 4), StateClass::twice, random);
    }
}

void judge(const Recorded& recorded, LogStates::State& state)
{
    count_state(state.kind);
    std::vector<Tree> trees;
    {
        Images layers = layers_over(state.images);
        trees = open_and_walk(recorded.shape, layers, recorded.workers, *state.random);
    }
    match_all(recorded.workers, trees, state.position);
    if (state.random->one_in(24))
        cut_replay(recorded, state.images, trees, state.random->one_in(4) ? 1000 : 8, StateClass::recovery, *state.random);
}

struct Place {
    std::string dataset;
    u64 root;
};

void operate(Run& run, const LogShape& shape, const std::vector<Place>& places, u64 shared, Random& choice, const Options& options)
{
    static constexpr u64 k_percent[] = { 10, 30, 60 };
    const u64 sync_percent = k_percent[choice.below(3)];
    const u64 logged_percent = choice.one_in(3) ? 100 : choice.below(80);
    run.txg_interval_ms = choice.one_in(2) ? 1000 : 5000;
    run.open(false);
    shape.apply(run);
    if (shape.log_device_fails)
        run.disks().back()->faults.push_back({ FaultKind::error, HOST_IO_WRITE, choice.between(2, 30), k_never });
    for (size_t i = 0; i < places.size(); i++) {
        WorkerOptions how;
        how.number = static_cast<u32>(i);
        how.dataset = places[i].dataset;
        how.root = places[i].root;
        how.shared_directory = how.dataset.empty() ? shared : 0;
        how.mix = static_cast<Mix>(choice.below(3));
        how.sync_percent = sync_percent;
        how.logged_percent = logged_percent;
        how.largest_file_blocks = 60;
        how.objects = 30;
        add_worker(run, how, choice.next());
    }
    run.operate(options.operations ? options.operations : choice.between(40, 200) / places.size() + 1);
}

}

void LogShape::apply(Run& run) const
{
    for (auto& disk : run.disks()) {
        disk->info.volatile_cache = volatile_cache;
        disk->info.logical_block_bytes = block_bytes;
    }
    if (!run.is_open())
        return;
    LogWriter& writer = pool_of(run.pool()).intent_log().writer();
    writer.set_in_flight_limit(frames_in_flight);
    for (u16 vdev = 0; vdev < pool_of(run.pool()).vdevs().count(); vdev++)
        writer.durability().set(VdevId(vdev), flushes ? Durable::by_flush : Durable::by_fua);
}

std::vector<Tree> open_and_walk(const LogShape& shape, Images& images, const std::vector<Worker*>& workers, Random& random)
{
    Run run(pointers(images), 1000, false);
    shape.apply(run);
    run.open(random.one_in(8));
    std::vector<Tree> trees = walk_all(run, workers);
    run.check(false);
    if (!random.one_in(4))
        run.abandon();
    else if (int error = run.close())
        fail("core_pool_close after the crash gave %d", error);
    return trees;
}

u64 run_log(u64 seed, const Options& options)
{
    Scheduler& scheduler = Scheduler::get();
    static constexpr u32 k_switch[] = { 2, 5, 20, 100 };
    Random choice(mix(seed, 1));
    scheduler.reset(mix(seed, 2), k_switch[choice.below(4)]);
    const LogShape shape = log_shape(choice);
    static constexpr u64 k_threads[] = { 1, 1, 2, 3, 4, 8 };
    const u64 threads = options.threads ? options.threads : k_threads[choice.below(6)];

    Images base = empty_images(shape.pool);
    std::vector<Place> places;
    u64 shared = 0;
    {
        Run setup(pointers(base), shape.pool.latency_ns, false);
        shape.apply(setup);
        setup.format(shape.pool.format);
        setup.open(false);
        const bool has_datasets = choice.one_in(2);
        for (u64 i = 0; i < 3 && has_datasets; i++)
            make_dataset(setup, "d" + std::to_string(i));
        for (u64 i = 0; i < threads; i++) {
            const std::string dataset = has_datasets ? worker_dataset(choice, i) : "";
            places.push_back({ dataset, make_directory(setup, "worker" + std::to_string(i), dataset) });
        }
        if (threads > 1 && choice.one_in(2))
            shared = make_directory(setup, "shared");
        if (int error = setup.close())
            fail("closing the new pool gave %d", error);
    }
    Images layers = layers_over(base);
    Run run(pointers(layers), shape.pool.latency_ns);
    shape.apply(run);
    operate(run, shape, places, shared, choice, options);
    for (auto& worker : run.workers)
        worker->check_live();
    const u64 end = run.log().position();
    if (is_verbose()) {
        const core_pool_status status = run.status();
        fprintf(stderr,
                "lcpfs: %llu frames with %llu records, %llu bytes into a ring of %llu, "
                "%llu groups\n",
                static_cast<unsigned long long>(status.log_frames), static_cast<unsigned long long>(status.log_records),
                static_cast<unsigned long long>(status.log_position), static_cast<unsigned long long>(status.log_bytes),
                static_cast<unsigned long long>(status.txg_commits));
    }
    run.abandon();

    Recorded recorded { shape, {} };
    for (auto& worker : run.workers)
        recorded.workers.push_back(worker.get());
    const std::string command = reproduce();
    const u64 only = options.point.empty() ? k_never : strtoull(options.point.c_str(), nullptr, 10);
    LogStates states(run.log(), pointers(base), shape.block_bytes, mix(seed, 3));
    states.visit(end, only, [&](LogStates::State& state) {
        set_reproduce(command + " --point " + std::to_string(state.number));
        forget_log();
        judge(recorded, state);
    });
    set_reproduce(command);
    if (options.point.empty())
        damage_frames(shape, run.log(), pointers(base), end, recorded.workers, mix(seed, 4));
    u64 count = 0;
    for (u32 kind = 0; kind < k_state_classes; kind++)
        count += states_of(static_cast<StateClass>(kind));
    return count;
}

}
