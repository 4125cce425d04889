// SPDX-License-Identifier: GPL-2.0-only
// Repair: a pool is damaged, in single bits, blocks, whole kinds of metadata, the first or the last megabytes of a device, and repaired.
//
// What has to be: the repair ends; the pool then opens for writing, and the checker finds nothing; every object that the damage
// cannot have reached (image_map.h) is there, with its content, and every name in such a directory of such an object; files are found
// under a name still. Half of the images are opened for writing before, as fsck does to have the log replayed. A third of the pools
// were never closed: what their log holds is replayed after the repair, or dropped where it fits nothing any more; of these only
// soundness is asked.
#include "core/repair/repair.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/image_map.h"
#include "userspace/sim/run.h"
#include "userspace/sim/scheduler.h"
#include "userspace/sim/walk.h"

namespace lcpfs::sim {

namespace {

constexpr u64 k_default_images = 50;

struct Original {
    Images base, finished;
    ImageMap map;
    std::map<u64, ObjectState> objects;
    bool is_closed { true };
};

void make(Original& original, u64 seed, Random& choice)
{
    PoolShape shape = random_shape(choice, true);
    shape.disk_bytes = 32u << 20;
    original.base = empty_images(shape);
    original.finished = layers_over(original.base);
    Run run(pointers(original.finished), 1000);
    run.format(shape.format);
    run.open(false);
    WorkerOptions who;
    who.root = make_directory(run, "worker");
    Worker& worker = add_worker(run, who, seed);
    worker.operate(choice.between(60, 500));
    original.is_closed = !choice.one_in(3);
    if (!original.is_closed) {
        run.abandon();
        original.map.read(run);
        return;
    }
    worker.close_all();
    if (int error = run.close())
        fail("core_pool_close gave %d", error);
    original.map.read(run);
    run.open(true);
    for (const u64 id : original.map.objects()) {
        ObjectState state;
        if (int error = read_object(run.dataset(), id, state, {}))
            fail("reading object %llu of a sound pool gave %d", static_cast<unsigned long long>(id), error);
        original.objects[id] = state;
    }
    run.close();
}

void spoil_block(Image& image, u64 block, Random& random)
{
    std::vector<u8> bytes(4096);
    switch (random.below(3)) {
    case 0:
        for (u8& byte : bytes)
            byte = static_cast<u8>(random.next());
        break;
    case 1:
        break; // zeros
    default:
        image.read(block * 4096, bytes.data(), 4096);
        bytes[random.below(4096)] ^= static_cast<u8>(1u << random.below(8));
    }
    image.write(block * 4096, bytes.data(), 4096);
}

const char* damage(Images& images, const ImageMap& map, Random& random)
{
    const std::vector<ImageMap::Node>& nodes = map.nodes();
    const auto spoil = [&](const ImageMap::Place& place) {
        spoil_block(*images[place.disk], place.block + random.below(place.blocks), random);
    };
    switch (random.below(6)) {
    case 0:
        for (u64 count = random.between(1, 20); count; count--) {
            Image& image = *images[random.below(images.size())];
            spoil_block(image, random.below(image.bytes() / 4096), random);
        }
        return "blocks anywhere";
    case 1: { // one kind of node, whole or in part
        const TreeKind kind = nodes[random.below(nodes.size())].kind;
        const u64 one_in = random.one_in(2) ? 1 : random.between(2, 6);
        const bool all_copies = random.one_in(2);
        for (const ImageMap::Node& node : nodes) {
            if (node.kind != kind || kind == TreeKind::pool || !random.one_in(one_in))
                continue;
            const size_t one = random.below(node.copies.size());
            for (size_t i = 0; i < node.copies.size(); i++)
                if (all_copies || i == one)
                    spoil(node.copies[i]);
        }
        return "one kind of node";
    }
    case 2: // the front of a device, or its end
    case 3: {
        Image& image = *images[random.below(images.size())];
        const u64 bytes = align_down(random.between(4096, 2u << 20), 4096);
        const u64 from = random.one_in(2) ? 0 : image.bytes() - bytes;
        const std::vector<u8> zeros(4096);
        for (u64 at = 0; at < bytes; at += 4096)
            image.write(from + at, zeros.data(), 4096);
        return "an end of a device";
    }
    default: // nodes in all their copies
        for (u64 count = random.between(1, 4); count; count--) {
            const ImageMap::Node& node = nodes[random.below(nodes.size())];
            for (const ImageMap::Place& place : node.copies)
                if (node.kind != TreeKind::pool || random.one_in(8))
                    spoil(place);
        }
        return "whole nodes";
    }
}

struct Told {
    std::vector<std::string> lines;
    static void take(void* self, const char* text)
    {
        static_cast<Told*>(self)->lines.push_back(text);
        if (is_verbose())
            printf("  %s\n", text);
    }
};

// False: there is nothing to repair it from, which has to be so.
bool repair(Run& run, bool may_be_hopeless)
{
    Told told;
    core_check_report report {};
    Findings findings(Told::take, nullptr, &told, report);
    const std::vector<host_bdev*> devices = run.bdevs();
    const Result<RepairOutcome> outcome = repair_pool({ devices.data(), devices.size() }, 0, findings);
    if (outcome.is_ok())
        return true;
    if (!may_be_hopeless)
        fail("the repair gave: %s", text_of(outcome.error()));
    return false;
}

void compare(Run& run, const Original& original, const std::set<u64>& at_risk)
{
    for (const auto& [id, expected] : original.objects) {
        if (at_risk.count(id) || expected.attr.links == 0)
            continue;
        const auto number = static_cast<unsigned long long>(id);
        ObjectState found;
        if (int error = read_object(run.dataset(), id, found, {}))
            fail("object %llu was not damaged; reading it gives %d", number, error);
        if (!found.damage.empty())
            fail("object %llu was not damaged: %s", number, found.damage.c_str());
        if (found.attr.mode != expected.attr.mode || found.attr.uid != expected.attr.uid || found.xattrs != expected.xattrs
            || found.target != expected.target || found.content != expected.content
            || (!expected.is_directory() && found.attr.size_bytes != expected.attr.size_bytes))
            fail("object %llu was not damaged and is not what it was:\n%s\n%s", number, expected.describe().c_str(),
                 found.describe().c_str());
        if (found.attr.links == 0)
            fail("object %llu was not damaged and has no name any more", number);
        for (const auto& [name, entry] : expected.entries) {
            const auto there = found.entries.find(name);
            if (!at_risk.count(entry.id) && (there == found.entries.end() || !(there->second == entry)))
                fail("directory %llu was not damaged and has lost the name \"%s\"", number, name.c_str());
        }
    }
}

void look(Images& images, const Original& original, const char* what, Random& random)
{
    const std::set<u64> at_risk = original.map.at_risk(original.finished, images);
    const bool lacks_pool_tree = original.map.lacks_pool_tree(original.finished, images);
    if (is_verbose())
        printf("%s: %zu of %zu objects at risk%s\n", what, at_risk.size(), original.objects.size(),
               lacks_pool_tree ? ", no pool tree" : "");
    Run run(pointers(images), 1000, false);
    if (random.one_in(2) && run.try_open(false) == 0)
        run.close();
    if (!repair(run, lacks_pool_tree))
        return;
    int error = run.try_open(false);
    if (error && !original.is_closed) {
        run.discard_log = true;
        error = run.try_open(false);
    }
    if (error)
        fail("the repaired pool cannot be opened: %d", error);
    compare(run, original, at_risk);
    run.close();
    run.open(true);
    run.check(false);
    run.close();
}

}

u64 run_repair(u64 seed, const Options& options)
{
    Random choice(mix(seed, 31));
    Scheduler::get().reset(mix(seed, 32), 100);
    Original original;
    make(original, seed, choice);
    const std::string command = reproduce();
    const u64 count = options.points ? options.points : k_default_images;
    const u64 only = options.point.empty() ? ~0ull : strtoull(options.point.c_str(), nullptr, 0);
    for (u64 i = 0; i < count; i++) {
        if (only != ~0ull && i != only)
            continue;
        set_reproduce(command + " --point " + std::to_string(i));
        forget_log();
        Random random(mix(seed, 1000 + i));
        Scheduler::get().reset(random.next(), 100);
        Images images = layers_over(original.finished);
        const char* const what = damage(images, original.map, random);
        look(images, original, what, random);
    }
    set_reproduce(command);
    return only == ~0ull ? count : 1;
}

}
