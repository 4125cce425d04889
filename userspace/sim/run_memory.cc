// SPDX-License-Identifier: GPL-2.0-only
// Allocation failures: each allocation of each kind of operation fails once. The operation gives ENOMEM and
// changed nothing, or it succeeded; the pool goes on and is whole. Then the same at random in all threads at
// once, where commits must get through: what they need is reserved.
#include "userspace/host/common/memory.h"
#include "userspace/host/common/thread_context.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/prepare.h"
#include "userspace/sim/run.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {

constexpr u64 k_most = 400;

// Fails the n-th allocation of `operation` for each n until one run has none left to fail.
template <typename Operation>
u64 fail_each(Worker& worker, const char* what, Operation operation)
{
    for (u64 n = 1; n < k_most; n++) {
        u64 before = AllocationFailures::injected();
        thread_context().fail_allocation = n;
        int error = operation(n);
        thread_context().fail_allocation = 0;
        bool injected = AllocationFailures::injected() != before;
        if (error && !injected)
            fail("%s gave %d without a failed allocation", what, error);
        if (error && error != -12)
            fail("%s with its allocation %llu failed gave %d, not ENOMEM", what, static_cast<unsigned long long>(n), error);
        if (worker.stopped())
            fail("%s: the worker stopped", what);
        worker.check_live();
        if (!injected)
            return n;
    }
    fail("%s allocates without end", what);
}

}

u64 run_out_of_memory(u64 seed, const Options& options)
{
    Random choice(mix(seed, 8));
    Scheduler& scheduler = Scheduler::get();
    scheduler.reset(mix(seed, 9), 50);
    PoolShape shape = random_shape(choice, true);
    Images images = empty_images(shape);
    u64 root;
    {
        Run setup(pointers(images), 1000, false);
        setup.format(shape.format);
        setup.open(false);
        root = make_directory(setup, "worker");
        setup.close();
    }
    // Opening with each of its first allocations failed.
    u64 done = 0;
    for (u64 n = 1; n < k_most; n++, done++) {
        Images layer = layers_over(images);
        Run run(pointers(layer), 1000, false);
        u64 before = AllocationFailures::injected();
        AllocationFailures::fail_nth(n, false);
        int error = run.try_open(choice.one_in(2));
        AllocationFailures::fail_nth(0, false);
        if (error && error != -12)
            fail("opening with allocation %llu failed gave %d, not ENOMEM", static_cast<unsigned long long>(n), error);
        if (!error)
            run.close();
        if (AllocationFailures::injected() == before)
            break;
    }

    Run run(pointers(images), 5000, false);
    run.txg_interval_ms = 1000;
    run.open(false);
    WorkerOptions who;
    who.root = root;
    who.expect_no_memory = true;
    who.packing_percent = 80;
    Worker& worker = add_worker(run, who, mix(seed, 10));
    worker.operate(60);
    u64 file = 0, other = 0, directory = 0;
    auto fresh = [&](const char* name, u64 n) { return std::string(name) + std::to_string(worker.completed()) + "_" + std::to_string(n); };
    done += fail_each(worker, "create", [&](u64 n) { return worker.create(root, fresh("file", n), 0100644, "", &file); });
    done += fail_each(worker, "create", [&](u64 n) { return worker.create(root, fresh("file", n), 0100644, "", &other); });
    done += fail_each(worker, "mkdir", [&](u64 n) { return worker.create(root, fresh("directory", n), 0040755, "", &directory); });
    done += fail_each(worker, "symlink", [&](u64 n) { return worker.create(root, fresh("symlink", n), 0120777, std::string(300, 't')); });
    done += fail_each(worker, "write", [&](u64 n) { return worker.write(file, n % 7, 5, (n % 7 + 5) * CORE_BLOCK_SIZE - 100); });
    done += fail_each(worker, "write of units", [&](u64 n) { return worker.write(file, n % 5, 40, (n % 5 + 40) * CORE_BLOCK_SIZE); });
    done += fail_each(worker, "write in a unit", [&](u64 n) { return worker.write(file, 3 + n * 5 % 30, 1, 45 * CORE_BLOCK_SIZE); });
    done += fail_each(worker, "punch", [&](u64 n) { return worker.punch(file, n * 3 % 40, 1 + n % 3); });
    done += fail_each(worker, "allocate", [&](u64 n) { return worker.allocate(file, n * 3 % 40, 4); });
    done += fail_each(worker, "clone", [&](u64 n) { return worker.clone(file, n % 20, other, n * 7 % 30, 1 + n % 9); });
    done += fail_each(worker, "shift", [&](u64 n) { return worker.shift(file, n % 9, 1 + n % 4, n % 2); });
    done += fail_each(worker, "write of units", [&](u64 n) { return worker.write(file, n % 5, 40, (n % 5 + 40) * CORE_BLOCK_SIZE); });
    done += fail_each(worker, "inline write", [&](u64) { return worker.write(other, 0, 1, 900); });
    done += fail_each(worker, "truncate", [&](u64 n) { return worker.truncate(file, (11 - n % 11) * CORE_BLOCK_SIZE - 77); });
    done += fail_each(worker, "set_attr", [&](u64) { return worker.set_attr(file); });
    done += fail_each(worker, "link", [&](u64 n) { return worker.link(directory, fresh("link", n), file); });
    done += fail_each(worker, "rename", [&](u64 n) {
        const auto& entries = worker.tree().at(directory).entries;
        return worker.rename(directory, entries.begin()->first, directory, fresh("renamed", n), 0);
    });
    done += fail_each(worker, "unlink", [&](u64 n) {
        std::string name = fresh("gone", n);
        u64 id;
        thread_context().fail_allocation = 0;
        if (worker.create(directory, name, 0100644, "", &id))
            return 0;
        thread_context().fail_allocation = n;
        return worker.unlink(directory, name);
    });
    worker.sync_pool();
    run.check(true);

    // Everywhere at once, now and then; and pools that live from their reserve.
    for (int round = 0; round < 30; round++) {
        AllocationFailures::reserve_only(choice.one_in(3));
        AllocationFailures::fail_nth(choice.between(1, 300), choice.one_in(5));
        worker.operate(options.operations ? options.operations : 10);
        AllocationFailures::fail_nth(0, false);
        if (int error = run.sync(); error && error != -12)
            fail("sync under memory pressure gave %d", error);
        if (choice.one_in(4))
            host_shrink_all(choice.between(1, 1000));
        AllocationFailures::reserve_only(false);
        worker.check_live();
        done++;
    }
    worker.sync_pool();
    run.check(false);
    worker.close_all();
    if (int error = run.close())
        fail("core_pool_close gave %d", error);
    Run again(pointers(images), 1000, false);
    again.open(true);
    Tree found = walk(again.dataset(), root, worker.walk_options());
    if (found.hash() != worker.tree().hash())
        fail("after failed allocations:%s", worker.tree().difference(found, false).c_str());
    again.check(true);
    again.close();
    return done;
}

}
