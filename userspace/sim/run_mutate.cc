// SPDX-License-Identifier: GPL-2.0-only
// Mutated images: a pool with everything in it, changed at random, opened, walked and checked, or repaired. Anything may be
// refused or found; nothing may crash, hang or leak; what could be repaired is sound after it.
//
// Every second image was made with constant checksums (userspace/host/common/checksum.h), so that its changes
// reach what lies behind them.
#include "core/repair/repair.h"
#include "userspace/host/common/checksum.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/prepare.h"
#include "userspace/sim/run.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {

constexpr u64 k_default_images = 250;

struct Original {
    Images base, finished;
    std::unique_ptr<Run> run; // its log says where anything is
    u64 root;
};

void make(Original& original, u64 seed, Random& choice)
{
    PoolShape shape = random_shape(choice, true);
    shape.disk_bytes = 32u << 20;
    original.base = empty_images(shape);
    original.finished = layers_over(original.base);
    original.run = std::make_unique<Run>(pointers(original.finished), 1000);
    original.run->format(shape.format);
    original.run->open(false);
    WorkerOptions who;
    who.root = original.root = make_directory(*original.run, "worker");
    Worker& worker = add_worker(*original.run, who, seed);
    worker.operate(150);
    worker.close_all();
    if (int error = original.run->close())
        fail("core_pool_close gave %d", error);
}

// One change within [offset, offset + bytes) of an image.
void mutate(Image& image, u64 offset, u64 bytes, const Original& original, Random& random)
{
    static constexpr u64 k_numbers[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
                                         0x7fffffffffffffff, 0x8000000000000000, ~0ull };
    u64 at = offset + random.below(bytes);
    // Heads of structures hold most of what is decoded.
    if (random.one_in(2))
        at = align_down(at, 4096) + random.below(256);
    if (at >= image.bytes() - 8)
        at = image.bytes() - 8;
    u64 value = k_numbers[random.below(sizeof(k_numbers) / sizeof(k_numbers[0]))];
    u64 old = 0;
    u32 width = 1u << random.below(4);
    std::vector<u8> block(4096);
    switch (random.below(7)) {
    case 0:
        image.flip_bit(at, static_cast<u32>(random.below(8)));
        break;
    case 1:
        image.write(at, reinterpret_cast<u8*>(&value), width);
        break;
    case 2: // a number a little off
        image.read(at, reinterpret_cast<u8*>(&old), width);
        old += random.below(17) - 8;
        image.write(at, reinterpret_cast<u8*>(&old), width);
        break;
    case 3:
        value = random.next();
        image.write(at, reinterpret_cast<u8*>(&value), width);
        break;
    case 4: // a block from somewhere else, an older one mostly
    case 5: {
        const std::vector<LoggedWrite>& writes = original.run->log().writes;
        const LoggedWrite& other = writes[random.below(writes.size())];
        if (!other.data.empty())
            image.write(align_down(at, 4096), other.data.data(), min<u64>(other.data.size(), 4096));
        break;
    }
    default: // zeros
        image.write(align_down(at, 512), block.data(), random.one_in(2) ? 512 : min<u64>(4096, image.bytes() - align_down(at, 512)));
        break;
    }
}

void look(Images& images, const Original& original, Random& random)
{
    Run run(pointers(images), 1000, false);
    bool read_only = random.one_in(2);
    core_label label;
    core_read_label(run.disks()[0].get(), &label, false);
    if (run.try_open(read_only) != 0)
        return;
    WalkOptions options;
    options.tolerant = true;
    options.any = true;
    walk(run.dataset(), original.root, options);
    walk(run.dataset(), CORE_ROOT_OBJECT, options);
    run.check(random.one_in(4), true);
    if (!read_only) {
        // What was not found by looking may be found by changing.
        core_object* root = nullptr;
        if (core_object_get(run.dataset(), original.root, 0, &root) == 0) {
            core_new how {};
            how.mode = 0100644;
            core_object* made = nullptr;
            if (core_create(root, "after", 5, &how, &made) == 0) {
                Blocks blocks(3);
                write_blocks(made, 0, blocks, 3, 3 * CORE_BLOCK_SIZE);
                core_truncate(made, 100, how.time);
                core_object_put(made);
            }
            core_object_put(root);
        }
        core_pool_sync(run.pool(), true);
    }
    run.close();
}

// Where there is anything to repair from, the checker finds nothing afterwards.
void mend(Images& images)
{
    Run run(pointers(images), 1000, false);
    core_check_report report {};
    Findings findings(
        [](void*, const char* text) {
            if (is_verbose())
                printf("  %s\n", text);
        },
        nullptr, nullptr, report);
    const std::vector<host_bdev*> devices = run.bdevs();
    if (repair_pool({ devices.data(), devices.size() }, 0, findings).is_error())
        return;
    run.discard_log = true; // what it holds may fit nothing any more
    if (int error = run.try_open(false))
        fail("the repaired pool cannot be opened: %d", error);
    run.close();
    run.open(true);
    run.check(false);
    run.close();
}

}

u64 run_mutate(u64 seed, const Options& options)
{
    Random choice(mix(seed, 11));
    host_checksum_is_constant = seed % 2 == 0;
    Scheduler::get().reset(mix(seed, 12), 100);
    Original original;
    make(original, seed, choice);
    std::string command = reproduce();
    u64 count = options.points ? options.points : k_default_images;
    u64 only = options.point.empty() ? ~0ull : strtoull(options.point.c_str(), nullptr, 0);
    for (u64 i = 0; i < count; i++) {
        if (only != ~0ull && i != only)
            continue;
        set_reproduce(command + " --point " + std::to_string(i));
        forget_log();
        Random random(mix(seed, i));
        Scheduler::get().reset(random.next(), 100);
        Images images = layers_over(original.finished);
        const std::vector<LoggedWrite>& writes = original.run->log().writes;
        for (u64 changes = random.between(1, random.one_in(3) ? 40 : 4); changes; changes--) {
            // Metadata mostly, and labels.
            const LoggedWrite* write = nullptr;
            for (int tries = 0; tries < 8 && (!write || write->data.empty() || !write->meta); tries++)
                write = &writes[writes.size() - 1 - random.below(random.one_in(2) ? writes.size() : min<u64>(writes.size(), 50))];
            if (write->data.empty())
                continue;
            if (random.one_in(12))
                mutate(*images[random.below(images.size())], random.below(2) * 262144, 262144, original, random);
            else
                mutate(*images[write->disk], write->offset, write->data.size(), original, random);
        }
        if (random.one_in(2))
            look(images, original, random);
        else
            mend(images);
    }
    set_reproduce(command);
    return only == ~0ull ? count : 1;
}

}
