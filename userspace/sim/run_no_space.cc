// SPDX-License-Identifier: GPL-2.0-only
// Full pools: with small files, with one large one. Everything refused is ENOSPC and changes nothing, what
// was written stays, removing works, and the space comes back.
//
// Half of them fill a partition, with a minimum or without, up to its maximum or as far as the pool goes, beside another that is
// guaranteed some and has used none of it: that it gets then. Nothing is refused that statfs says there is room for.
#include "core/api/handles.h"
#include "core/fs/xattrs.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/partition_churn.h"
#include "userspace/sim/prepare.h"
#include "userspace/sim/run.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {

constexpr int k_enospc = 28;

void expect(int error, const char* what)
{
    if (error && error != -k_enospc)
        fail("on a full pool %s gave %d, not ENOSPC", what, error);
}

// What refused `blocks` of data, or what takes none, had no room: it takes as much again at most, and what an operation may.
void expect_full(Run& run, const Worker& worker, u64 blocks)
{
    core_dataset_space space;
    core_dataset_get_space(run.dataset(worker.options().dataset), &space);
    Pool& pool = pool_of(run.pool());
    const u64 margin = (xattr_units(pool, worker.new_parts()) + pool.space().write_units()) / k_promise_unit;
    if (space.available_blocks > 2 * blocks + margin)
        fail("%llu blocks were refused with %llu available", static_cast<unsigned long long>(blocks),
             static_cast<unsigned long long>(space.available_blocks));
}

// Half of a minimum that nobody has used yet, however full the rest is; and gives it back.
void use_guaranteed(Run& run)
{
    constexpr u64 k_blocks = 32;
    core_object* root = get_object(run, CORE_ROOT_OBJECT, "guaranteed");
    core_new how {};
    how.mode = 0100600;
    core_object* object = nullptr;
    int error = core_create(root, "own", 3, &how, &object);
    if (error)
        fail("what is guaranteed space refuses a file with %d", error);
    Blocks data(k_blocks);
    for (u64 i = 0; i < k_blocks * CORE_BLOCK_SIZE; i++)
        data.at(0)[i] = static_cast<u8>(i * i >> 7);
    for (u64 block = 0; block < 512; block += k_blocks)
        if ((error = write_blocks(object, block, data, k_blocks, (block + k_blocks) * CORE_BLOCK_SIZE)))
            fail("block %llu of what is guaranteed gave %d", static_cast<unsigned long long>(block), error);
    error = core_unlink(root, "own", 3, object, {});
    error = error ? error : core_object_delete(object);
    if (error)
        fail("removing it gave %d", error);
    core_object_put(object);
    core_object_put(root);
}

// Gives the number of refusals. Ends when `in_a_row` operations one after the other were refused.
u64 fill_with_small_files(Run& run, Worker& worker, Random& random, u64 in_a_row)
{
    u64 root = worker.options().root, refused = 0, row = 0, directory = root;
    for (u64 i = 0; row < in_a_row; i++) {
        if (i > 60000)
            fail("the pool takes small files without end");
        u64 id = 0;
        std::string name = "small" + std::to_string(worker.completed()) + std::string(random.below(60), 'x');
        int error = i % 200 == 0 ? worker.create(root, name, 0040755, "", &directory) : 0;
        expect(error, "mkdir");
        if (error) {
            expect_full(run, worker, 0);
            directory = root;
        }
        error = worker.create(directory, name + "f", 0100644, "", &id);
        expect(error, "create");
        u64 count = 0;
        if (!error) {
            count = random.between(1, 4);
            error = worker.write(id, 0, count, count * CORE_BLOCK_SIZE - random.below(CORE_BLOCK_SIZE));
            expect(error, "write");
        }
        if (error)
            expect_full(run, worker, count);
        row = error ? row + 1 : 0;
        refused += error != 0;
        if (random.one_in(300))
            worker.sync_pool();
    }
    return refused;
}

u64 fill_with_one_file(Run& run, Worker& worker, u64* id)
{
    u64 refused = 0, block = 0;
    int error = worker.create(worker.options().root, "large", 0100644, "", id);
    expect(error, "create");
    if (error)
        fail("an empty pool refuses a file");
    for (u64 count = 128; refused < 20;) {
        error = worker.write(*id, block, count, (block + count) * CORE_BLOCK_SIZE);
        expect(error, "write");
        if (error) {
            expect_full(run, worker, count);
            refused++;
            count = count > 1 ? count / 2 : 1;
        } else {
            block += count;
        }
    }
    return refused;
}

void remove_all(Worker& worker, u64 directory, u64 percent, Random& random)
{
    std::vector<std::pair<std::string, u64>> names;
    for (const auto& [name, entry] : worker.tree().at(directory).entries)
        names.push_back({ name, entry.id });
    for (auto& [name, id] : names) {
        if (worker.tree().at(id).is_directory()) {
            remove_all(worker, id, percent, random);
            if (!worker.tree().at(id).entries.empty())
                continue;
        } else if (random.below(100) >= percent) {
            continue;
        }
        if (int error = worker.unlink(directory, name))
            fail("removing on a full pool gave %d", error);
    }
}

void reopen_and_compare(const Images& images, Worker& worker)
{
    Images layer = layers_over(images);
    Run run(pointers(layer), 1000, false);
    run.open(true);
    Tree found = walk(run.dataset(worker.options().dataset), worker.options().root, worker.walk_options());
    if (found.hash() != worker.tree().hash())
        fail("what is on the full pool is not what was written:%s", worker.tree().difference(found, false).c_str());
    run.check(false);
    if (int error = run.close())
        fail("core_pool_close gave %d", error);
}

}

u64 run_no_space(u64 seed, const Options&)
{
    Random choice(mix(seed, 5));
    Scheduler& scheduler = Scheduler::get();
    scheduler.reset(mix(seed, 6), 100);
    PoolShape shape = random_shape(choice);
    shape.disks = choice.one_in(2) ? 1 : 2;
    shape.disk_bytes = (24ull << 20) / shape.disks + (8ull << 20);
    Images images = empty_images(shape);
    u64 root;
    const bool has_partitions = mix(seed, 40) % 2;
    const std::string dataset = has_partitions ? "in" : "";
    {
        Run setup(pointers(images), 1000, false);
        setup.format(shape.format);
        setup.open(false);
        if (has_partitions) {
            make_partition(setup, "guaranteed", 1);
            make_dataset(setup, "guaranteed", "guaranteed");
            make_partition(setup, dataset, mix(seed, 41) % 2, mix(seed, 42) % 3 ? 1 + mix(seed, 43) % 3 : 0);
            make_dataset(setup, dataset, dataset);
        }
        root = make_directory(setup, "worker", dataset);
        setup.close();
    }
    Run run(pointers(images), 5000, false);
    run.txg_interval_ms = choice.one_in(2) ? 1000 : 5000;
    run.open(false);
    WorkerOptions who;
    who.root = root;
    who.dataset = dataset;
    who.expect_no_space = true;
    add_worker(run, who, mix(seed, 7)).sync_pool();
    u64 available = run.status().available_blocks;
    u64 refused = 0;
    for (u64 round = 0; round < 3; round++) {
        u64 large = 0;
        refused += round == 1 ? fill_with_one_file(run, *run.workers[0], &large)
                              : fill_with_small_files(run, *run.workers[0], choice, 12);
        {
            Worker& worker = *run.workers[0];
            worker.sync_pool();
            worker.check_live();
            // Anything at all, on the full pool: refused cleanly or done.
            worker.operate(60);
            worker.check_live();
            if (has_partitions)
                use_guaranteed(run);
            worker.sync_pool(); // the check is for a pool in which no group is about to commit
            run.check(false);
            worker.close_all();
            if (int error = run.close())
                fail("closing a full pool gave %d", error);
            reopen_and_compare(images, worker);
        }
        run.open(false);
        Tree now = run.workers[0]->tree();
        run.workers.clear();
        run.workers.push_back(std::make_unique<Worker>(run, run.dataset(dataset), who, std::move(now), mix(seed, 100 + round)));
        Worker& worker = *run.workers[0];
        worker.sync_pool();
        remove_all(worker, root, 50, choice);
        worker.operate(40);
        worker.check_live();
        remove_all(worker, root, 100, choice);
        worker.close_all();
        for (int i = 0; i < 4; i++)
            worker.sync_pool();
        run.check(false);
        u64 again = run.status().available_blocks;
        if (again + 64 < available)
            fail("after removing everything %llu blocks are available, before it were %llu", static_cast<unsigned long long>(again),
                 static_cast<unsigned long long>(available));
    }
    if (int error = run.close())
        fail("core_pool_close gave %d", error);
    return refused;
}

}
