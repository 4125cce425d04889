// SPDX-License-Identifier: GPL-2.0-only
// A pool filled to the last block while thousands of its files wait to be changed, written back and removed, in any order, by
// several threads at once. Nothing of that may be refused, and no commit may fail: the pool would freeze.
#include <string.h>

#include <algorithm>
#include <string>

#include "core/host/locks.h"
#include "core/base/atomic.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/partition_churn.h"
#include "userspace/sim/prepare.h"
#include "userspace/sim/run.h"
#include "userspace/sim/scheduler.h"
#include "userspace/sim/walk.h"

namespace lcpfs::sim {

namespace {

constexpr int k_enospc = 28;

struct File {
    u64 id;
    std::string name;
    u32 mode;
    u64 blocks; // it takes; 0: its data is in its record
    bool promised; // a block of it, before the pool was full
    bool is_unit { false }; // written as one, from 0 on: with compression a block of it that is written again cuts a unit

    u64 random_block(Random& random) const { return is_unit ? random.below(k_unit) : 2 * random.below(blocks); }
    static constexpr u64 k_unit = 32;
};

struct Thread {
    std::string in; // the dataset; empty: the first one
    core_dataset* dataset;
    core_object* directory;
    u64 directory_id;
    u64 seed;
    std::vector<File> files;
    std::vector<File> removed;
    u64 done { 0 };
};

core_object* get(Thread& thread, u64 id)
{
    core_object* object = nullptr;
    if (int error = core_object_get(thread.dataset, id, 0, &object))
        fail("object %llu gave %d", static_cast<unsigned long long>(id), error);
    return object;
}

void expect_done(int error, const char* what, const File& file)
{
    if (error)
        fail("on a full pool %s of %s gave %d", what, file.name.c_str(), error);
}

struct Waiting {
    Event event;
    Atomic<u32> done { 0 };
    int error { 0 };
};

// One block that was promised before.
int write_back(core_object* object, u64 block)
{
    Blocks data(1);
    memset(data.at(0), 7, CORE_BLOCK_SIZE);
    std::vector<core_segment> segments = data.segments(1);
    Waiting waiting;
    core_write(
        object, block, segments.data(), static_cast<unsigned>(segments.size()), 0,
        [](void* context, int error) {
            Waiting& waiting = *static_cast<Waiting*>(context);
            waiting.error = error;
            waiting.done.store(1);
            waiting.event.wake();
        },
        &waiting);
    waiting.event.wait([&] { return waiting.done.load() != 0; });
    return waiting.error;
}

// False: no room for it.
bool make_file(Thread& thread, Random& random, u32 number)
{
    File file { 0, "file" + std::to_string(number) + std::string(random.below(40), 'n'), 0100644, 0, false };
    core_new how {};
    how.mode = file.mode;
    core_object* object = nullptr;
    int error = core_create(thread.directory, file.name.data(), static_cast<u32>(file.name.size()), &how, &object);
    if (error == -k_enospc)
        return false;
    expect_done(error, "creation", file);
    core_attr attr;
    core_object_attr(object, &attr);
    file.id = attr.id;
    // In the record, in a few extents there, or in a tree with nodes of its own.
    const u64 kind = random.below(12);
    file.is_unit = kind >= 10;
    file.blocks = kind < 6 ? 0 : kind < 9 ? random.between(1, 3) : 30;
    Blocks data(File::k_unit);
    memset(data.at(0), 1, File::k_unit * CORE_BLOCK_SIZE);
    if (file.is_unit)
        error = write_blocks(object, 0, data, File::k_unit, File::k_unit * CORE_BLOCK_SIZE);
    for (u64 block = 0; block < std::max<u64>(file.blocks, 1) && error == 0 && !file.is_unit; block++)
        error = write_blocks(object, 2 * block, data, 1,
                             file.blocks ? (2 * block + 1) * CORE_BLOCK_SIZE : random.between(1, CORE_INLINE_MAX));
    if (error && error != -k_enospc)
        expect_done(error, "a write", file);
    if (file.is_unit) {
        core_object_attr(object, &attr);
        file.blocks = attr.blocks;
    }
    if (error == 0 && file.blocks && random.one_in(2))
        file.promised = core_reserve(object, 1) == 0;
    core_object_put(object);
    thread.files.push_back(file);
    return error == 0;
}

void fill(Thread& thread)
{
    core_new how {};
    how.mode = 0100600;
    core_object* object = nullptr;
    int error = core_create(thread.directory, "big", 3, &how, &object);
    if (error)
        return;
    Blocks data(128);
    u64 block = 0;
    for (u64 count = 128; count > 0;) {
        error = write_blocks(object, block, data, count, (block + count) * CORE_BLOCK_SIZE);
        if (error && error != -k_enospc)
            fail("filling the pool gave %d", error);
        block += error ? 0 : count;
        count = error ? count / 2 : count;
    }
    core_object_put(object);
}

void change(Thread& thread, File& file, Random& random)
{
    core_object* object = get(thread, file.id);
    core_attr attr {};
    attr.mode = static_cast<u32>(random.below(0777));
    expect_done(core_object_set_attr(object, &attr, CORE_SET_MODE), "chmod", file);
    file.mode = 0100000 | attr.mode;
    core_object_put(object);
}

void remove(Thread& thread, size_t index)
{
    File file = thread.files[index];
    core_object* object = get(thread, file.id);
    if (file.promised)
        core_unreserve(object, 1);
    expect_done(core_unlink(thread.directory, file.name.data(), static_cast<u32>(file.name.size()), object, {}), "unlink", file);
    expect_done(core_object_delete(object), "deletion", file);
    core_object_put(object);
    thread.files.erase(thread.files.begin() + static_cast<long>(index));
    thread.removed.push_back(file);
}

// Each file changed once, then what was promised written, then most removed; everything in an order of its own.
void use_full(void* context)
{
    Thread& thread = *static_cast<Thread*>(context);
    Random random(thread.seed);
    auto shuffled = [&] {
        for (size_t i = thread.files.size(); i > 1; i--)
            std::swap(thread.files[i - 1], thread.files[random.below(i)]);
    };
    shuffled();
    for (File& file : thread.files) {
        change(thread, file, random);
        thread.done++;
    }
    shuffled();
    for (File& file : thread.files) {
        if (!file.promised)
            continue;
        core_object* object = get(thread, file.id);
        expect_done(write_back(object, file.random_block(random)), "writeback", file);
        core_attr attr;
        core_object_attr(object, &attr);
        if (file.is_unit)
            file.blocks = attr.blocks;
        core_object_put(object);
        file.promised = false;
        thread.done++;
    }
    const u64 leave = random.below(20);
    while (thread.files.size() > leave) {
        remove(thread, random.below(thread.files.size()));
        thread.done++;
        Scheduler::get().note_progress();
    }
}

void compare(Run& run, const std::vector<Thread>& threads)
{
    for (const Thread& thread : threads) {
        for (const File& file : thread.files) {
            core_object* object = get_object(run, file.id, thread.in);
            core_attr attr;
            core_object_attr(object, &attr);
            if (attr.mode != file.mode || attr.blocks != file.blocks)
                fail("%s has mode %o and %llu blocks, not %o and %llu", file.name.c_str(), attr.mode,
                     static_cast<unsigned long long>(attr.blocks), file.mode, static_cast<unsigned long long>(file.blocks));
            core_object_put(object);
        }
        for (const File& file : thread.removed) {
            core_object* object = nullptr;
            if (core_object_get(run.dataset(thread.in), file.id, 0, &object) == 0)
                fail("%s was removed and is still there", file.name.c_str());
        }
    }
}

}

u64 run_full(u64 seed, const Options& options)
{
    Random choice(mix(seed, 51));
    Scheduler& scheduler = Scheduler::get();
    scheduler.reset(mix(seed, 52), 100);
    PoolShape shape = random_shape(choice);
    shape.disks = choice.one_in(2) ? 1 : 2;
    shape.disk_bytes = (choice.between(24, 64) << 20) / shape.disks + (8ull << 20);
    Images images = empty_images(shape);
    const u64 count = options.threads ? options.threads : choice.between(1, 6);
    const u64 wanted = options.operations ? options.operations : choice.between(300, 2500);
    Run run(pointers(images), 5000, false);
    run.txg_interval_ms = choice.one_in(2) ? 1000 : 5000;
    run.cache_limit_bytes = choice.one_in(2) ? 1u << 20 : 0;
    run.format(shape.format);
    run.open(false);
    std::vector<Thread> threads(count);
    for (u64 i = 0; i < count; i++) {
        Thread& thread = threads[i];
        // Half of them each in a partition of its own, some with a maximum, some with a minimum that has to be there.
        if (mix(seed, 70) % 2 && i % 2) {
            thread.in = "in" + std::to_string(i);
            make_partition(run, thread.in, mix(seed, 80 + i) % 2, mix(seed, 90 + i) % 2 * 3);
            make_dataset(run, thread.in, thread.in);
        }
        thread.dataset = run.dataset(thread.in);
        thread.directory_id = make_directory(run, "thread" + std::to_string(i), thread.in);
        thread.directory = get_object(run, thread.directory_id, thread.in);
        thread.seed = mix(seed, 60 + i);
    }
    for (u64 i = 0; i < wanted && make_file(threads[i % count], choice, static_cast<u32>(i)); i++)
        scheduler.note_progress();
    if (core_pool_sync(run.pool(), true))
        fail("core_pool_sync gave an error");
    fill(threads[0]);
    scheduler.note_progress();
    std::vector<Fiber*> fibers;
    for (Thread& thread : threads)
        fibers.push_back(scheduler.start("full", use_full, &thread));
    for (Fiber* fiber : fibers)
        scheduler.join(fiber);
    if (run.frozen())
        fail("the pool froze");
    if (core_pool_sync(run.pool(), true))
        fail("core_pool_sync gave an error");
    run.check(false);
    for (Thread& thread : threads)
        core_object_put(thread.directory);
    if (int error = run.close())
        fail("closing the pool gave %d", error);
    run.open(true);
    compare(run, threads);
    run.check(false);
    if (int error = run.close())
        fail("core_pool_close gave %d", error);
    u64 done = 0;
    for (const Thread& thread : threads)
        done += thread.done;
    return done;
}

}
