// SPDX-License-Identifier: GPL-2.0-only
// Path runs: every disk is reached by two to four paths, which break, hang, slow down, corrupt, flap and come back while a worker
// works, and are failed, removed and added by an administrator. While one path to each disk lives, or all come back
// within the time, the worker sees no error; whatever is lost for longer ends in a clean refusal.
//
// Time is simulated: hangs last for minutes, probing and repairs run their course.
#include <algorithm>

#include "core/api/handles.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/prepare.h"
#include "userspace/sim/run.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {

constexpr u64 k_ms = 1000000;
constexpr u64 k_s = 1000 * k_ms;

// From the smallest to the largest, every order of magnitude alike.
u64 spread(Random& random, u64 least, u64 most)
{
    u64 value = least;
    while (value < most && !random.one_in(4))
        value *= 2;
    return min(most, value + random.below(value));
}

struct Paths {
    Run& run;
    Random& random;
    u32 each;                    // paths of one disk; paths of disk d are [d * each, (d + 1) * each)
    std::vector<bool> removed;   // by the administrator; their disks do not count as alive
    u64 broken { 0 }, repaired_by_hand { 0 }, removals { 0 };

    Disk& disk(size_t i) { return *run.disks()[i]; }
    static void heal(void* context, u64)
    {
        Disk& disk = *static_cast<Disk*>(context);
        disk.refuses = HOST_IO_OK;
        disk.hangs = false;
        disk.fails_one_in = disk.flips_one_in = disk.slower_ns = 0;
    }
    bool is_well(size_t i)
    {
        const Disk& it = disk(i);
        return !removed[i] && it.refuses == HOST_IO_OK && !it.hangs && !it.fails_one_in && !it.flips_one_in;
    }
    bool has_another(size_t i)
    {
        for (size_t other = i / each * each; other < (i / each + 1) * each; other++)
            if (other != i && is_well(other))
                return true;
        return false;
    }
    void break_path(size_t i, u64 duration_ns)
    {
        static constexpr host_io_status k_refusals[] = { HOST_IO_ERROR, HOST_IO_TRANSPORT, HOST_IO_OFFLINE, HOST_IO_TIMEOUT };
        Disk& it = disk(i);
        switch (random.below(5)) {
        case 0:
            it.hangs = true;
            break;
        case 1:
            it.fails_one_in = random.between(2, 30);
            break;
        case 2:
            it.slower_ns = spread(random, k_ms, 200 * k_ms);
            break;
        case 3:
            it.flips_one_in = random.between(1, 20);
            break;
        default:
            it.refuses = k_refusals[random.below(4)];
            break;
        }
        broken++;
        Scheduler& scheduler = Scheduler::get();
        scheduler.at(scheduler.now_ns() + duration_ns, heal, &it, 0);
    }
    // Every path of one disk refuses, for less than the time that requests wait.
    void break_all(size_t any)
    {
        const u64 duration_ns = spread(random, 10 * k_ms, 20 * k_s);
        Scheduler& scheduler = Scheduler::get();
        for (size_t i = any / each * each; i < (any / each + 1) * each; i++) {
            disk(i).refuses = random.one_in(2) ? HOST_IO_ERROR : HOST_IO_TRANSPORT;
            scheduler.at(scheduler.now_ns() + duration_ns, heal, &disk(i), 0);
        }
        broken += each;
        // Not again before its probes had time to bring a path back.
        scheduler.sleep_ns(duration_ns + 15 * k_s);
    }

    // The path by way of this disk, 0 when it is none now.
    u32 id_of(size_t i)
    {
        core_path path;
        for (u32 n = 0; core_path_get(run.pool(), n, &path) == 0; n++)
            if (disk(i).name == std::string(path.name))
                return path.id;
        return 0;
    }
    void remove_and_add(size_t i)
    {
        const u32 id = id_of(i);
        if (!id)
            return;
        host_bdev* bdev = nullptr;
        const int error = core_path_remove(run.pool(), id, &bdev);
        if (error == -16)
            return;
        if (error || bdev != &disk(i))
            fail("core_path_remove gave %d", error);
        removed[i] = true;
        removals++;
        const u64 busy = disk(i).in_flight();
        if (busy)
            fail("a path was removed with %llu requests under way", static_cast<unsigned long long>(busy));
        Scheduler::get().sleep_ns(spread(random, k_ms, 5 * k_s));
        u32 fresh = 0;
        // The path that proves it may fail in between.
        for (int tries = 0; tries < 200; tries++) {
            if (core_path_add(run.pool(), bdev, static_cast<u32>(random.below(2)), &fresh) == 0) {
                removed[i] = false;
                return;
            }
            Scheduler::get().sleep_ns(k_s);
        }
        fail("a removed path cannot be added again");
    }
    void administrate(size_t i)
    {
        const u32 id = id_of(i);
        if (!id)
            return;
        switch (random.below(5)) {
        case 0:
            if (core_path_fail(run.pool(), id) == 0) {
                Scheduler::get().sleep_ns(spread(random, k_ms, 5 * k_s));
                while (core_path_reinstate(run.pool(), id) != 0)
                    Scheduler::get().sleep_ns(k_s);
                repaired_by_hand++;
            }
            break;
        case 1:
            // The pool may not know yet of a path that is broken; without this one it would have none.
            if (has_another(i))
                remove_and_add(i);
            break;
        case 2:
            core_path_set(run.pool(), id, CORE_PATH_SET_POLICY, static_cast<i64>(random.below(4)));
            break;
        case 3:
            core_path_set(run.pool(), id, CORE_PATH_SET_PRIORITY, static_cast<i64>(random.below(3)));
            break;
        case 4:
            core_path_set(run.pool(), id, CORE_PATH_SET_HEDGED_READS, random.one_in(2));
            break;
        }
    }
};

struct Trouble {
    Paths& paths;
    bool stop { false };

    static void run(void* context)
    {
        Trouble& self = *static_cast<Trouble*>(context);
        Paths& paths = self.paths;
        while (!self.stop) {
            Scheduler::get().sleep_ns(spread(paths.random, k_ms, 4 * k_s));
            const size_t i = paths.random.below(paths.run.disks().size());
            if (paths.random.one_in(12))
                paths.break_all(i);
            else if (paths.random.one_in(5))
                paths.administrate(i);
            else if (paths.is_well(i) && paths.has_another(i))
                paths.break_path(i, spread(paths.random, k_ms, 60 * k_s));
        }
    }
};

void await_repairs(Run& run)
{
    for (u32 second = 0; second < 600; second++) {
        bool all = true;
        core_path path;
        for (u32 n = 0; core_path_get(run.pool(), n, &path) == 0; n++)
            all = all && (path.state == CORE_PATH_ACTIVE || path.state == CORE_PATH_DEGRADED);
        if (all)
            return;
        Scheduler::get().sleep_ns(k_s);
    }
    fail("a path that is well again did not come back in ten minutes");
}

struct Pool {
    PoolShape shape;
    Images images;
    u64 root { 0 };
    std::vector<Image*> by_path; // the image that each path leads to
    u32 each;
};

void build(Pool& pool, Random& random)
{
    pool.shape = random_shape(random);
    pool.images = empty_images(pool.shape);
    pool.each = static_cast<u32>(random.between(2, 4));
    Run setup(pointers(pool.images), 1000, false);
    setup.format(pool.shape.format);
    setup.open(false);
    pool.root = make_directory(setup, "worker");
    if (int error = setup.close())
        fail("closing the new pool gave %d", error);
    for (auto& image : pool.images)
        pool.by_path.insert(pool.by_path.end(), pool.each, image.get());
}

void set_all(Run& run, core_path_setting setting, i64 value)
{
    core_path path;
    for (u32 n = 0; core_path_get(run.pool(), n, &path) == 0; n++)
        if (int error = core_path_set(run.pool(), path.id, setting, value))
            fail("core_path_set gave %d", error);
}

// What stands on the disks, by one path, is what the worker left.
void compare(Pool& pool, Worker& worker)
{
    Run run(pointers(pool.images), 1000, false);
    run.open(true);
    Tree found = walk(run.dataset(), worker.options().root, worker.walk_options());
    if (found.hash() != worker.tree().hash())
        fail("what is on the disks is not what was written:%s", worker.tree().difference(found, false).c_str());
    run.check(true);
    if (int error = run.close())
        fail("core_pool_close gave %d", error);
}

// Writes held back on a hanging path go down another, their blocks are given up and written anew, then they land. Nothing
// is written after that, so what they spoil would show.
void land_late(Pool& pool, Random& random, u64 seed)
{
    Run run(pool.by_path, 20000, false);
    run.txg_interval_ms = 30000;
    run.open(false);
    set_all(run, CORE_PATH_SET_TIME_LIMIT_MS, static_cast<i64>(random.between(20, 500)));
    set_all(run, CORE_PATH_SET_POLICY, CORE_PATH_ROUND_ROBIN);
    WorkerOptions who;
    who.root = pool.root;
    Worker& worker = add_worker(run, who, mix(seed, 4));
    worker.operate(random.between(5, 20));
    worker.sync_pool();
    const u64 hang_ns = random.between(5, 40) * k_s;
    Scheduler& scheduler = Scheduler::get();
    const u64 end_ns = scheduler.now_ns() + hang_ns;
    for (size_t first = 0; first < run.disks().size(); first += pool.each) {
        Disk& disk = *run.disks()[first + random.below(pool.each)];
        disk.hangs = true;
        scheduler.at(end_ns, Paths::heal, &disk, 0);
    }
    for (u64 round = random.between(3, 8); round-- > 0;) {
        worker.operate(random.between(1, 8));
        worker.sync_pool();
    }
    worker.close_all();
    worker.sync_pool();
    if (scheduler.now_ns() < end_ns + k_s)
        scheduler.sleep_ns(end_ns + k_s - scheduler.now_ns());
    run.abandon();
    compare(pool, worker);
}

// All paths of a disk are gone for good: requests wait, then fail; what was committed before is whole.
void lose_all_paths(Pool& pool, Random& random, u64 seed)
{
    Run run(pool.by_path, 20000, false);
    run.txg_interval_ms = 1000;
    run.open(false);
    core_pool_set_no_path_timeout(run.pool(), static_cast<i64>(random.one_in(3) ? 0 : random.between(1, 40) * 1000));
    WorkerOptions who;
    who.root = pool.root;
    who.expect_errors = true;
    Worker& worker = add_worker(run, who, mix(seed, 3));
    worker.operate(random.between(5, 40));
    const size_t first = random.below(pool.images.size()) * pool.each;
    for (size_t i = first; i < first + pool.each; i++)
        run.disks()[i]->refuses = random.one_in(2) ? HOST_IO_ERROR : HOST_IO_OFFLINE;
    worker.operate(100);
    worker.close_all(false);
    // With two disks a group may fit on the other one, where its uberblock is as good; and where the first thing to fail was a
    // read, there may be nothing to commit.
    const TxgEngine& engine = pool_of(run.pool()).engine();
    const bool is_dirty = engine.newest_changed() > engine.committed_txg();
    if (run.sync() == 0 && is_dirty && pool.images.size() == 1)
        fail("a sync succeeded with no path to a disk");
    for (auto& disk : run.disks())
        Paths::heal(disk.get(), 0);
    run.close();
    Run reader(pointers(pool.images), 1000, false);
    reader.open(true);
    Tree found = walk(reader.dataset(), who.root, worker.walk_options());
    const std::vector<Tree>& states = worker.history().states;
    bool right = false;
    for (size_t i = states.size(); i-- > 0 && !right;)
        right = states[i].difference(found, false).empty();
    if (!right)
        fail("after losing all paths the disks hold no state that ever was:%s", states.back().difference(found, false).c_str());
    reader.check(true);
    reader.close();
}

}

u64 run_path(u64 seed, const Options& options)
{
    Random random(mix(seed, 80));
    Scheduler& scheduler = Scheduler::get();
    scheduler.reset(mix(seed, 81), 20);
    Pool pool;
    build(pool, random);
    u64 broken;
    {
        Run run(pool.by_path, spread(random, 20000, 2 * k_ms), false);
        run.txg_interval_ms = random.one_in(2) ? 1000 : 5000;
        run.cache_limit_bytes = random.one_in(2) ? 1 << 20 : 0; // little is kept: nodes are read again and again
        run.open(false);
        core_path path;
        u32 count = 0;
        while (core_path_get(run.pool(), count, &path) == 0)
            count++;
        if (count != pool.by_path.size())
            fail("the pool has %u paths, not %zu", count, pool.by_path.size());
        set_all(run, CORE_PATH_SET_TIME_LIMIT_MS, static_cast<i64>(spread(random, 50, 10000)));
        if (random.one_in(3))
            set_all(run, CORE_PATH_SET_COPY_BYTES, static_cast<i64>(random.below(3) * 16384));
        WorkerOptions who;
        who.root = pool.root;
        Worker& worker = add_worker(run, who, mix(seed, 82));
        Paths paths { run, random, pool.each, std::vector<bool>(pool.by_path.size()) };
        Trouble trouble { paths };
        Fiber* fiber = scheduler.start("trouble", Trouble::run, &trouble);
        const u64 rounds = options.operations ? options.operations / 5 + 1 : 40;
        for (u64 round = 0; round < rounds; round++) {
            worker.operate(5);
            scheduler.sleep_ns(spread(random, k_ms, 10 * k_s));
            if (random.one_in(4))
                worker.sync_pool();
            if (random.one_in(6))
                worker.check_live();
            scheduler.note_progress();
        }
        trouble.stop = true;
        scheduler.join(fiber);
        scheduler.note_progress();
        // Whatever was broken heals within its time; then every path comes back by its probes.
        scheduler.sleep_ns(130 * k_s);
        await_repairs(run);
        scheduler.note_progress();
        worker.sync_pool();
        worker.check_live();
        worker.close_all();
        if (int error = run.close())
            fail("core_pool_close gave %d", error);
        compare(pool, worker);
        broken = paths.broken + paths.removals + paths.repaired_by_hand;
    }
    land_late(pool, random, seed);
    lose_all_paths(pool, random, seed);
    return broken + 2;
}

}
