// SPDX-License-Identifier: GPL-2.0-only
// Crash runs: a workload, then for many positions of its I/O log: cut the power there, open, check, walk,
// compare; for a share of them go on working on what was recovered, and cut the power in that once more.
//
// Kind evacuate: the workers live in partitions that are emptied all the while, and most crashes come while data moves.
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>

#include "userspace/sim/churn.h"
#include "userspace/sim/partition_churn.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/judge.h"
#include "userspace/sim/pieces.h"
#include "userspace/sim/prepare.h"
#include "userspace/sim/run.h"
#include "userspace/sim/scheduler.h"
#include "userspace/sim/uberblocks.h"

namespace lcpfs::sim {

namespace {

constexpr u64 k_default_points = 100;

// What a crash is judged by: the workers' histories, and what belongs to nobody.
struct Subject {
    const IoLog* log;
    std::vector<Image*> base;
    std::vector<Worker*> workers;
    const Churn* churn { nullptr };
    const PartitionChurn* partitions { nullptr };
    u64 first_group { 0 }; // the base is this one; what came before the histories know nothing of
    bool evacuates { false }; // goes on with that, too
    bool fell_back { false }; // the base lacks its newest group, so its bitmaps may be gone: one finding, after they are rebuilt
};

struct Setup {
    std::vector<std::string> datasets; // of the workers
    std::vector<u64> roots;
    u64 shared { 0 };
};

void check_point(const Subject& subject, Images images, u64 position, Random& random, unsigned depth);

// Goes on working on a recovered image, then checks what that made of it, and what a crash inside makes.
void go_on(const Subject& subject, const Images& images, std::vector<Tree> trees, Random& random, unsigned depth, bool fell_back)
{
    // The recovered image stays as it is, for the second crash to begin from.
    Images layers = layers_over(images);
    Run run(pointers(layers), 60000, true);
    run.txg_interval_ms = 1000;
    run.open(false);
    for (size_t i = 0; i < subject.workers.size(); i++) {
        WorkerOptions options = subject.workers[i]->options();
        run.workers.push_back(std::make_unique<Worker>(run, run.dataset(options.dataset), options, trees[i], random.next()));
        // The state before is durable already.
        run.workers.back()->acknowledge(0, 0);
    }
    Evacuations evacuations(run, subject.evacuates ? random.next() : 0, subject.evacuates);
    evacuations.beside([&] { run.operate(random.between(4, 16)); });
    run.workers[0]->sync_pool();
    for (auto& worker : run.workers)
        worker->check_live();
    u64 last = run.log().position();
    bool clean = random.one_in(2);
    if (clean) {
        for (auto& worker : run.workers)
            worker->close_all();
        if (int error = run.close())
            fail("core_pool_close gave %d", error);
        last = run.log().position();
    } else {
        run.abandon();
    }
    Subject again { &run.log(), pointers(images), {}, nullptr, nullptr, committed_groups(images)[0], subject.evacuates,
                    fell_back || subject.fell_back };
    for (auto& worker : run.workers)
        again.workers.push_back(worker.get());
    CrashCursor cursor(run.log(), pointers(images));
    u64 position = depth == 0 && random.one_in(2) ? random.below(last + 1) : last;
    cursor.advance_to(position);
    check_point(again, cursor.crash(random), position, random, depth + 1);
}

// The crash, and the newest group's uberblocks are damaged on top of it: the group before serves, whole, bitmaps and all, and
// can be worked on.
void fall_back(const Subject& subject, const Images& images, u64 position, Random& random, unsigned depth)
{
    std::vector<u64> groups = committed_groups(images);
    if (groups.size() < 2 || groups[1] != group_before(images, groups[0]) || groups[1] < subject.first_group)
        return;
    Images damaged = layers_over(images);
    destroy_uberblocks(damaged, groups[0], random);
    Run run(pointers(damaged), 1000, false);
    run.open(random.one_in(2));
    std::vector<Tree> trees = walk_all(run, subject.workers);
    for (size_t i = 0; i < trees.size(); i++) {
        // What the lost group acknowledged is gone with it.
        const History& history = subject.workers[i]->history();
        u64 last = history.allowed(position).last;
        bool found = false;
        for (u64 state = 0; state <= last && !found; state++)
            found = history.states[state].hash() == trees[i].hash();
        if (!found)
            fail("worker %zu: after a crash at position %llu and with the newest uberblocks (group %llu) damaged, the group before "
                 "is no state that ever was: against the last:%s",
                 i, static_cast<unsigned long long>(position), static_cast<unsigned long long>(groups[0]),
                 history.states[last].difference(trees[i], false).c_str());
    }
    // One finding may be that the bitmaps had to be rebuilt: a group after the lost one has written over them.
    if (u64 problems = run.check(false, true); problems > 1)
        fail("core_check finds %llu problems", static_cast<unsigned long long>(problems));
    if (int error = run.close())
        fail("core_pool_close gave %d", error);
    if (depth < 2 && random.one_in(3))
        go_on(subject, damaged, std::move(trees), random, depth, true);
}

void check_point(const Subject& subject, Images images, u64 position, Random& random, unsigned depth)
{
    std::vector<Tree> trees;
    // What opening for reading only writes (nothing) or for writing replays must not change the verdict.
    bool read_only = random.one_in(2);
    Images layers = layers_over(images);
    {
        Run run(pointers(layers), 1000, false);
        run.open(read_only);
        trees = walk_all(run, subject.workers);
        match_all(subject.workers, trees, position);
        if (subject.churn)
            subject.churn->judge(run.pool(), position);
        if (subject.partitions)
            subject.partitions->judge(run.pool(), position);
        if (!run.opened_read_only() && random.one_in(2) && core_pool_sync(run.pool(), true))
            fail("core_pool_sync after the crash failed");
        if (u64 problems = run.check(random.one_in(8), subject.fell_back); problems > 1)
            fail("core_check finds %llu problems", static_cast<unsigned long long>(problems));
        if (int error = run.close())
            fail("core_pool_close after the crash gave %d", error);
    }
    if (random.one_in(5))
        fall_back(subject, images, position, random, depth);
    if (depth < 2 && random.one_in(depth ? 8 : 3))
        go_on(subject, images, std::move(trees), random, depth, false);
}

}

static u64 run_one(u64 seed, const Options& options, bool evacuates)
{
    Scheduler& scheduler = Scheduler::get();
    static constexpr u32 k_switch[] = { 2, 5, 20, 100 };
    Random choice(mix(seed, 1));
    scheduler.reset(mix(seed, 2), k_switch[choice.below(4)]);
    PoolShape shape = random_shape(choice, true);
    if (evacuates) { // room for two partitions in pieces
        shape.disks = 2;
        shape.disk_bytes = 64ull << 20;
    }
    u64 threads = options.threads ? options.threads : choice.one_in(2) ? 1 : choice.between(2, 4);
    u64 operations = options.operations ? options.operations : choice.between(60, 240) / threads;

    Images images = empty_images(shape);
    Run setup(pointers(images), shape.latency_ns, false);
    setup.format(shape.format);
    setup.open(false);
    if (evacuates)
        setup.compression = choice.one_in(5) ? CORE_COMPRESSION_OFF : CORE_COMPRESSION_LZ4;
    Setup made;
    const bool has_datasets = choice.one_in(2) || evacuates;
    const bool has_partitions = has_datasets && (mix(seed, 30) % 2 || evacuates);
    for (u64 i = 0; i < 3 && has_datasets; i++) {
        const std::string partition = has_partitions && i ? "q" + std::to_string(i) : "";
        if (!partition.empty())
            make_partition(setup, partition);
        make_dataset(setup, "d" + std::to_string(i), partition);
    }
    for (u64 i = 0; i < threads; i++) {
        made.datasets.push_back(evacuates ? "d" + std::to_string(1 + i % 2) : has_datasets ? worker_dataset(choice, i) : "");
        made.roots.push_back(make_directory(setup, "worker" + std::to_string(i), made.datasets[i]));
        if (evacuates && i < 2) {
            WorkerOptions how;
            how.dataset = made.datasets[i];
            how.root = made.roots[i];
            make_pieces(add_worker(setup, how, mix(seed, 50 + i)), choice);
        }
    }
    if (threads > 1 && choice.one_in(2))
        made.shared = make_directory(setup, "shared");
    if (int error = setup.close())
        fail("closing the new pool gave %d", error);

    static constexpr u64 k_percent[] = { 0, 2, 10, 30 };
    const u64 sync_percent = k_percent[choice.below(4)];
    const u64 logged_percent = choice.one_in(4) ? 100 : choice.below(60);
    // The base stays as it is; the run writes over layers of it.
    Images layers = layers_over(images);
    Run run(pointers(layers), shape.latency_ns);
    run.txg_interval_ms = choice.one_in(2) ? 1000 : 5000;
    run.cache_limit_bytes = choice.one_in(3) ? 1u << 20 : 0;
    run.open(false);
    for (u64 i = 0; i < threads; i++) {
        WorkerOptions how;
        how.number = static_cast<u32>(i);
        how.dataset = made.datasets[i];
        how.root = made.roots[i];
        how.shared_directory = how.dataset.empty() ? made.shared : 0;
        how.mix = static_cast<Mix>(choice.below(3));
        how.sync_percent = sync_percent;
        how.logged_percent = logged_percent;
        add_worker(run, how, mix(seed, 10 + i));
    }
    Churn churn(run, mix(seed, 20), has_datasets ? choice.below(6) : 0);
    PartitionChurn partitions(run, mix(seed, 31), has_partitions ? 1 + mix(seed, 32) % 5 : 0);
    Evacuations evacuations(run, mix(seed, 33), evacuates);
    partitions.beside([&] { churn.beside([&] { evacuations.beside([&] { run.operate(operations); }); }); });
    for (auto& worker : run.workers)
        worker->check_live();
    u64 end = run.log().position();
    if (choice.one_in(2)) {
        // Cleanly: then the last state is the only one.
        for (auto& worker : run.workers)
            worker->close_all();
        if (int error = run.close())
            fail("core_pool_close gave %d", error);
        end = run.log().position();
        for (auto& worker : run.workers)
            worker->acknowledge(worker->completed(), end);
    } else {
        run.abandon();
    }

    // Which positions: a seeded choice, rising, so that the cursor only moves forward.
    std::vector<std::pair<u64, u64>> points; // position, variant
    if (!options.point.empty()) {
        char* rest = nullptr;
        u64 position = strtoull(options.point.c_str(), &rest, 10);
        points.push_back({ position, *rest == '.' ? strtoull(rest + 1, nullptr, 10) : 0 });
    } else {
        u64 wanted = options.points ? options.points : k_default_points;
        for (u64 i = 0; i < wanted; i++)
            points.push_back({ i == 0                          ? end
                                   : evacuates && choice.below(4) ? min(end, evacuations.random_position(choice, end))
                                                                  : choice.below(end + 1),
                               i });
        std::sort(points.begin(), points.end());
    }
    std::string command = reproduce();
    Subject subject { &run.log(), pointers(images), {}, &churn, &partitions, committed_groups(images)[0], evacuates };
    for (auto& worker : run.workers)
        subject.workers.push_back(worker.get());
    CrashCursor cursor(run.log(), subject.base);
    for (auto [position, variant] : points) {
        if (position > end)
            position = end;
        if (options.point.empty())
            set_reproduce(command + " --point " + std::to_string(position) + "." + std::to_string(variant));
        forget_log();
        cursor.advance_to(position);
        Random random(mix(mix(seed, position), variant));
        scheduler.reset(random.next(), 50);
        check_point(subject, cursor.crash(random), position, random, 0);
    }
    set_reproduce(command);
    if (is_verbose())
        fprintf(stderr, "lcpfs: %llu blocks were moved\n", static_cast<unsigned long long>(evacuations.moved_blocks()));
    return points.size();
}

u64 run_crash(u64 seed, const Options& options) { return run_one(seed, options, false); }
u64 run_evacuate(u64 seed, const Options& options) { return run_one(seed, options, true); }

}
