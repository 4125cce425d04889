// SPDX-License-Identifier: GPL-2.0-only
// Runs with a log device that fails while the pool is in use, for a moment or for good, in some before the first frame and in
// most somewhere in between: no operation may fail for it. Then the power is cut, and the pool is opened
//   with the device, whatever it holds: what had been acknowledged is there;
//   without: refused, until the log is discarded. That gives what was committed, and all that was acknowledged when the log had
//   gone on in the pool. From then on nobody misses the device, and when it comes back nobody listens to it.
#include <errno.h>

#include "core/api/handles.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/judge.h"
#include "userspace/sim/log_devices.h"
#include "userspace/sim/prepare.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {

constexpr u64 k_default_points = 24;

struct Recorded {
    std::vector<Worker*> workers;
    u64 latency_ns { 0 };
    LogDiskKind log;
};

Images without_log(const Images& images)
{
    Images result = layers_over(images);
    result.pop_back();
    return result;
}

void check_and_close(Run& run)
{
    run.check(false);
    if (int error = run.close())
        fail("core_pool_close gave %d", error);
}

// With the device. Half of the time twice, for what the first opening made of it.
void open_with(const Recorded& recorded, const Images& images, u64 position, Random& random)
{
    Images layers = layers_over(images);
    u64 hash = 0;
    for (u32 round = 0; round <= random.below(2); round++) {
        Run run(pointers(layers), 1000);
        recorded.log.apply(*run.disks().back());
        run.open(random.one_in(4));
        if (!run.opened_read_only() && run.status().log_device != CORE_LOG_DEVICE_ACTIVE)
            fail("a log device that works again is not used");
        const std::vector<Tree> trees = walk_all(run, recorded.workers);
        if (round == 0)
            match_all(recorded.workers, trees, position);
        else if (trees[0].hash() != hash)
            fail("a second opening gives something else");
        hash = trees[0].hash();
        run.check(false);
        if (random.one_in(2))
            run.abandon();
        else if (int error = run.close())
            fail("core_pool_close gave %d", error);
    }
}

void refuse_without(const Images& images)
{
    Images layers = without_log(images);
    Run run(pointers(layers), 1000, false);
    if (int error = run.try_open(false); error != -ENXIO)
        fail("a pool whose log device is missing: opening gave %d", error);
    if (int error = run.try_open(true); error != -ENXIO)
        fail("a pool whose log device is missing: opening read-only gave %d", error);
}

// What was committed; `holds_log`: whether the device held the log then.
std::vector<Tree> look_without(const Recorded& recorded, const Images& images, bool& holds_log)
{
    Images layers = without_log(images);
    Run run(pointers(layers), 1000, false);
    run.open(true, true);
    holds_log = pool_of(run.pool()).uberblock().log_ring == k_device_ring;
    std::vector<Tree> trees = walk_all(run, recorded.workers);
    if (const u64 problems = run.check(false, true); problems != 1)
        fail("core_check finds %llu problems, not the one device that is missing", static_cast<unsigned long long>(problems));
    if (int error = run.close())
        fail("core_pool_close gave %d", error);
    return trees;
}

// It is given up, and the power is cut somewhere in that: before, it is still missed; behind, never again.
void open_without(const Recorded& recorded, const Images& images, u64 position, Random& random)
{
    refuse_without(images);
    bool holds_log = false;
    const std::vector<Tree> committed = look_without(recorded, images, holds_log);
    Images base = without_log(images);
    Images layers = layers_over(base);
    std::vector<Tree> trees;
    Run run(pointers(layers), recorded.latency_ns);
    run.discard_log = true;
    run.open(false);
    trees = walk_all(run, recorded.workers);
    if (holds_log)
        same_trees("without its log device the pool is not what was committed", committed, trees);
    else
        match_all(recorded.workers, trees, position);
    if (random.one_in(2))
        run.abandon();
    else
        check_and_close(run);

    CrashCursor cursor(run.log(), pointers(base));
    const u64 end = run.log().position();
    const u64 cut = random.one_in(2) ? end : random.below(end + 1);
    cursor.advance_to(cut);
    Images after = cursor.crash(random);
    Images kept = layers_over(after);
    Run again(pointers(kept), 1000, false);
    const int error = again.try_open(false);
    if (error && (error != -ENXIO || cut == end))
        fail("after the log device was given up opening gave %d", error);
    if (error) {
        again.discard_log = true;
        again.open(false);
    }
    same_trees("given up, opened again", trees, walk_all(again, recorded.workers));
    if (again.status().log_device != CORE_LOG_DEVICE_NONE)
        fail("a log device that was given up is still there");
    check_and_close(again);

    // It comes back.
    kept.push_back(std::make_unique<Image>(images.back()->bytes(), images.back().get()));
    Run stale(pointers(kept), 1000, false);
    recorded.log.apply(*stale.disks().back());
    stale.open(random.one_in(2));
    if (stale.status().log_device != CORE_LOG_DEVICE_UNUSED)
        fail("a log device that was given up is used again");
    same_trees("with the device that was given up", trees, walk_all(stale, recorded.workers));
    check_and_close(stale);
}

void operate(Run& run, const std::vector<u64>& roots, Random& choice, const Options& options)
{
    add_syncing_workers(run, roots, choice);
    fail_writes_now_and_then(*run.disks().back(), choice);
    run.operate(options.operations ? options.operations : choice.between(60, 160) / roots.size() + 1);
}

}

u64 run_log_device(u64 seed, const Options& options)
{
    static constexpr u32 k_switch[] = { 2, 5, 20, 100 };
    Random choice(mix(seed, 1));
    Scheduler& scheduler = Scheduler::get();
    scheduler.reset(mix(seed, 2), k_switch[choice.below(4)]);
    PoolShape shape = random_shape(choice);
    shape.add_log_device(choice);
    const LogDiskKind kind { choice.one_in(3) ? 4096u : 512u, !choice.one_in(3) };
    const u64 threads = options.threads ? options.threads : choice.one_in(2) ? 1 : choice.between(2, 4);
    Images base = empty_images(shape);
    std::vector<u64> roots;
    {
        Run setup(pointers(base), shape.latency_ns, false);
        kind.apply(*setup.disks().back());
        setup.format(shape.format);
        setup.open(false);
        for (u64 i = 0; i < threads; i++)
            roots.push_back(make_directory(setup, "worker" + std::to_string(i)));
        if (int error = setup.close())
            fail("closing the new pool gave %d", error);
    }
    Images layers = layers_over(base);
    Run run(pointers(layers), shape.latency_ns);
    kind.apply(*run.disks().back());
    operate(run, roots, choice, options);
    // No worker expects errors, so none was given one.
    for (auto& worker : run.workers)
        worker->check_live();
    const core_pool_status status = run.status();
    const bool has_failed = run.disks().back()->faults_fired != 0;
    if (status.frozen || status.log_device != (has_failed ? CORE_LOG_DEVICE_FAILED : CORE_LOG_DEVICE_ACTIVE))
        fail("the log device %s, and its state is %d, the pool's %d", has_failed ? "failed" : "worked", status.log_device, status.frozen);
    const u64 end = run.log().position();
    run.abandon();

    Recorded recorded { {}, shape.latency_ns, kind };
    for (auto& worker : run.workers)
        recorded.workers.push_back(worker.get());
    const u64 wanted = options.points ? options.points : k_default_points;
    const std::vector<u64> points = points_of(options, wanted, end, choice);
    const std::string command = reproduce();
    CrashCursor cursor(run.log(), pointers(base));
    for (u64 position : points) {
        set_reproduce(command + " --point " + std::to_string(position));
        forget_log();
        cursor.advance_to(min(position, end));
        Random random(mix(mix(seed, position), 5));
        scheduler.reset(random.next(), 50);
        const Images images = cursor.crash(random);
        open_with(recorded, images, position, random);
        open_without(recorded, images, position, random);
    }
    set_reproduce(command);
    return points.size();
}

}
