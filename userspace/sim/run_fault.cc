// SPDX-License-Identifier: GPL-2.0-only
// Fault runs: what a device says or keeps is wrong. Whatever happens, a read gives the right bytes or an
// error, nothing crashes or hangs, and what was not damaged is still there.
#include "userspace/sim/failure.h"
#include "userspace/sim/prepare.h"
#include "userspace/sim/run.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {

constexpr u64 k_label_bytes = 512u << 10; // two labels at each end
constexpr int k_eio = 5;

// A finished workload: where it is, what it left, how it came there.
struct Built {
    PoolShape shape;
    Images base;     // the empty pool
    Images finished; // over it
    std::unique_ptr<Run> run; // closed; its log and worker stay
    WorkerOptions who;
};

void build(Built& built, u64 seed, const Options& options, Random& choice)
{
    built.shape = random_shape(choice, true);
    built.base = empty_images(built.shape);
    {
        Run setup(pointers(built.base), 1000, false);
        setup.format(built.shape.format);
        setup.open(false);
        built.who.root = make_directory(setup, "worker");
        if (int error = setup.close())
            fail("closing the new pool gave %d", error);
    }
    built.finished = layers_over(built.base);
    built.run = std::make_unique<Run>(pointers(built.finished), 20000);
    built.run->txg_interval_ms = 1000;
    built.run->open(false);
    Worker& worker = add_worker(*built.run, built.who, mix(seed, 10));
    worker.operate(options.operations ? options.operations : choice.between(80, 200));
    worker.close_all();
    if (int error = built.run->close())
        fail("core_pool_close gave %d", error);
}

bool in_label(const Built& built, u64 offset)
{
    return offset < k_label_bytes || offset >= built.shape.disk_bytes - k_label_bytes;
}

// Opens a damaged pool for reading and looks at all of it. What can be read must be right: the last state, or
// an earlier one when the newest uberblock does not lead anywhere any more.
void look(const Built& built, const Images& images, bool read_data)
{
    Run run(pointers(images), 1000, false);
    if (run.try_open(true) != 0)
        return;
    Worker& worker = *built.run->workers[0];
    WalkOptions options = worker.walk_options();
    options.tolerant = true;
    Tree found = walk(run.dataset(), built.who.root, options);
    const std::vector<Tree>& states = worker.history().states;
    std::string first;
    bool right = false;
    for (size_t i = states.size(); i-- > 0 && !right;) {
        std::string difference = states[i].difference(found, true);
        right = difference.empty();
        if (first.empty())
            first = difference;
    }
    if (!right)
        fail("a damaged pool gave wrong data instead of an error:%s", first.c_str());
    run.check(read_data, true);
    run.close();
}

u64 flip_bits(const Built& built, Random& random, u64 rounds)
{
    std::string command = reproduce();
    const std::vector<LoggedWrite>& writes = built.run->log().writes;
    for (u64 i = 0; i < rounds; i++) {
        forget_log();
        // Half of the rounds look for metadata: most of what is written is data.
        bool want_meta = random.one_in(2);
        const LoggedWrite* write = nullptr;
        for (int tries = 0; tries < 50 && !write; tries++) {
            // The later, the more likely it is still in use.
            size_t back = random.one_in(2) ? random.below(writes.size()) : random.below(min<u64>(writes.size(), 60));
            const LoggedWrite& candidate = writes[writes.size() - 1 - back];
            if (!candidate.data.empty() && (candidate.meta == want_meta || tries > 30))
                write = &candidate;
        }
        if (!write)
            continue;
        Images damaged = layers_over(built.finished);
        u64 flips = random.one_in(4) ? random.between(2, 20) : 1;
        for (u64 flip = 0; flip < flips; flip++)
            damaged[write->disk]->flip_bit(write->offset + random.below(write->data.size()), static_cast<u32>(random.below(8)));
        look(built, damaged, random.one_in(4));
    }
    return rounds;
}

struct Place {
    u64 id, block;
    u32 device;
    u64 device_block;
};

std::vector<Place> data_blocks(const Built& built)
{
    std::vector<Place> places;
    Images layer = layers_over(built.finished);
    Run run(pointers(layer), 1000, false);
    run.open(true);
    // The pool numbers its devices as it likes.
    std::map<u32, u32> disk_of;
    for (u32 i = 0; i < run.disks().size(); i++) {
        core_label label {};
        if (int error = core_read_label(run.disks()[i].get(), &label, false))
            fail("core_read_label of %s gave %d", run.disks()[i]->name, error);
        disk_of[label.device_index] = i;
    }
    for (const auto& [id, state] : built.run->workers[0]->tree().objects()) {
        if (!state->is_file() || state->attr.links == 0)
            continue;
        core_object* object = get_object(run, id);
        for (u64 block = 0; block < blocks_for_bytes(state->attr.size_bytes); block++) {
            core_extent extent {};
            if (int error = core_map(object, block, &extent))
                fail("core_map gave %d", error);
            if (!extent.hole && !extent.inlined && !extent.unwritten) {
                if (!disk_of.count(extent.device))
                    fail("core_map of object %llu names device %u", static_cast<unsigned long long>(id), extent.device);
                places.push_back({ id, block, disk_of[extent.device], extent.device_block });
            }
        }
        core_object_put(object);
    }
    run.close();
    return places;
}

// The blocks of the same file that stand where this one does, with the error that reading them is to give.
std::map<u64, int> blocks_at(const std::vector<Place>& places, const Place& place)
{
    std::map<u64, int> blocks;
    for (const Place& other : places)
        if (other.id == place.id && other.device == place.device && other.device_block == place.device_block)
            blocks[other.block] = -k_eio;
    return blocks;
}

// A flipped bit in one block of data is EIO for that block, for all that share it, and for no other.
u64 flip_data(const Built& built, Random& random, u64 rounds)
{
    std::vector<Place> places = data_blocks(built);
    if (places.empty())
        return 0;
    for (u64 i = 0; i < rounds; i++) {
        forget_log();
        const Place& place = places[random.below(places.size())];
        Images damaged = layers_over(built.finished);
        if (place.device >= damaged.size() || (place.device_block + 1) * CORE_BLOCK_SIZE > built.shape.disk_bytes)
            fail("core_map of object %llu block %llu names block %llu of device %u", static_cast<unsigned long long>(place.id),
                 static_cast<unsigned long long>(place.block), static_cast<unsigned long long>(place.device_block), place.device);
        u64 offset = place.device_block * CORE_BLOCK_SIZE + random.below(CORE_BLOCK_SIZE);
        damaged[place.device]->flip_bit(offset, static_cast<u32>(random.below(8)));
        Run run(pointers(damaged), 1000, false);
        run.open(true);
        Worker& worker = *built.run->workers[0];
        WalkOptions options = worker.walk_options();
        options.tolerant = true;
        ObjectState found;
        if (int error = read_object(run.dataset(), place.id, found, options))
            fail("object %llu with one bad block gave %d", static_cast<unsigned long long>(place.id), error);
        if (found.bad_blocks != blocks_at(places, place))
            fail("object %llu with block %llu damaged: damage found is \"%s\"", static_cast<unsigned long long>(place.id),
                 static_cast<unsigned long long>(place.block), found.damage.c_str());
        Tree expected, got;
        expected.update(place.id, [&](ObjectState& state) { state = worker.tree().at(place.id); });
        got.update(place.id, [&](ObjectState& state) { state = found; });
        if (std::string difference = expected.difference(got, true); !difference.empty())
            fail("one bad block took others along:%s", difference.c_str());
        if (random.one_in(3) && run.check(true, true) == 0)
            fail("core_check with read_data does not see the damaged block %llu of object %llu",
                 static_cast<unsigned long long>(place.block), static_cast<unsigned long long>(place.id));
        run.close();
    }
    return rounds;
}

// The newest uberblock gone in every copy: the one before is used, and everything it needs is still there.
u64 lose_uberblocks(const Built& built, Random& random)
{
    const IoLog& log = built.run->log();
    // Label writes since the last flush that completed before them: the last commit's uberblocks.
    std::vector<u32> newest;
    for (size_t i = log.events.size(); i-- > 0;) {
        const LoggedWrite& write = log.writes[log.events[i].write];
        if (log.events[i].completion)
            continue;
        if (!write.data.empty() && in_label(built, write.offset))
            newest.push_back(log.events[i].write);
        else if (!newest.empty())
            break;
    }
    if (newest.empty())
        return 0;
    Images damaged = layers_over(built.finished);
    for (u32 index : newest) {
        const LoggedWrite& write = log.writes[index];
        std::vector<u8> garbage(write.data.size());
        for (u8& byte : garbage)
            byte = static_cast<u8>(random.next());
        damaged[write.disk]->write(write.offset, garbage.data(), garbage.size());
    }
    Run run(pointers(damaged), 1000, false);
    run.open(random.one_in(2));
    Worker& worker = *built.run->workers[0];
    Tree found = walk(run.dataset(), built.who.root, worker.walk_options());
    const std::vector<Tree>& states = worker.history().states;
    size_t i = states.size();
    while (i > 0 && states[i - 1].hash() != found.hash())
        i--;
    if (i == 0)
        fail("without the newest uberblocks the pool is in no state it ever was in:%s", worker.tree().difference(found, false).c_str());
    run.check(false);
    if (int error = run.close())
        fail("core_pool_close gave %d", error);
    return 1;
}

enum class Failing { anything, one_flush };

// Devices that fail requests while the workload runs; then a power cut, and devices that work again. One flush that fails drops
// what it should have covered: nothing that comes later makes up for it.
u64 fail_requests(const Built& built, u64 seed, Random& random, Failing failing)
{
    Images layers = layers_over(built.base);
    Run run(pointers(layers), 60000);
    run.txg_interval_ms = 1000;
    run.open(false);
    WorkerOptions who = built.who;
    who.expect_errors = true;
    Worker& worker = add_worker(run, who, mix(seed, 20));
    const bool is_flush = failing == Failing::one_flush, goes_on = is_flush || random.one_in(2);
    if (goes_on)
        core_pool_set_options(run.pool(), 1000, CORE_ERRORS_CONTINUE);
    const bool stall_only = !is_flush && random.one_in(4);
    for (u64 i = 0; i < (is_flush ? 1 : random.between(1, 3)); i++) {
        Fault fault { FaultKind::error, is_flush ? HOST_IO_FLUSH : static_cast<host_io_op>(random.below(3)) };
        static constexpr host_io_status k_statuses[]
            = { HOST_IO_MEDIUM, HOST_IO_ERROR, HOST_IO_TIMEOUT, HOST_IO_TRANSPORT, HOST_IO_OFFLINE };
        fault.status = k_statuses[random.below(is_flush ? 2 : 5)];
        if (stall_only)
            fault.kind = FaultKind::stall;
        fault.skip = random.below(fault.op == HOST_IO_FLUSH ? 12 : 120);
        fault.count = is_flush ? 1 : stall_only ? random.between(1, 3) : random.one_in(3) ? k_never : random.between(1, 4);
        run.disks()[random.below(run.disks().size())]->faults.push_back(fault);
    }
    worker.operate(120);
    if (stall_only && worker.stopped())
        fail("a device that only stalled made an operation fail");
    // What failed once must not be taken for done by what succeeds later.
    for (u64 i = 0; goes_on && i < (is_flush ? 3 : random.between(0, 3)); i++)
        (void)core_pool_sync(run.pool(), true);
    u64 end = run.log().position();
    run.abandon();
    CrashCursor cursor(run.log(), pointers(built.base));
    cursor.advance_to(end);
    Images images = cursor.crash(random);
    Run after(pointers(images), 1000, false);
    after.open(random.one_in(2));
    Tree found = walk(after.dataset(), who.root, worker.walk_options());
    History::Range range = worker.history().allowed(end);
    bool right = false;
    for (u64 i = range.first; i <= range.last; i++)
        right |= worker.history().states[i].hash() == found.hash();
    if (!right)
        fail("after failed requests and a crash the pool is in none of the states %llu to %llu: against the first:%s",
             static_cast<unsigned long long>(range.first), static_cast<unsigned long long>(range.last),
             worker.history().states[range.first].difference(found, false).c_str());
    after.check(false);
    if (int error = after.close())
        fail("core_pool_close gave %d", error);
    return 1;
}

// Writes that are lost, land elsewhere or change on their way, without a word from the device.
u64 mislead_writes(const Built& built, u64 seed, Random& random)
{
    Images layers = layers_over(built.base);
    Run run(pointers(layers), 60000);
    run.txg_interval_ms = 1000;
    run.open(false);
    WorkerOptions who = built.who;
    who.expect_errors = true;
    Worker& worker = add_worker(run, who, mix(seed, 30));
    static constexpr FaultKind k_kinds[]
        = { FaultKind::lost_write, FaultKind::misdirected_write, FaultKind::flip_on_write, FaultKind::flip_on_read };
    Fault fault { k_kinds[random.below(4)], HOST_IO_WRITE };
    if (fault.kind == FaultKind::flip_on_read)
        fault.op = HOST_IO_READ;
    fault.skip = random.below(150);
    fault.count = random.between(1, 5);
    run.disks()[random.below(run.disks().size())]->faults.push_back(fault);
    worker.operate(120);
    worker.close_all(!worker.stopped());
    run.close();
    Run reader(pointers(layers), 1000, false);
    if (reader.try_open(true) != 0)
        return 1;
    WalkOptions options = worker.walk_options();
    options.tolerant = true;
    Tree found = walk(reader.dataset(), who.root, options);
    bool right = false;
    std::string first;
    for (size_t i = worker.history().states.size(); i-- > 0 && !right;) {
        std::string difference = worker.history().states[i].difference(found, true);
        right = difference.empty();
        if (first.empty())
            first = difference;
    }
    if (!right)
        fail("misled writes gave wrong data instead of an error:%s", first.c_str());
    reader.check(true, true);
    reader.close();
    return 1;
}

// Things that are not this pool.
u64 open_wrong(const Built& built, Random& random)
{
    auto refuse = [&](const char* what, const std::vector<Image*>& images, bool may_read) {
        Run run(images, 1000, false);
        if (run.try_open(may_read && random.one_in(2)) == 0) {
            run.close();
            fail("a pool opened from %s", what);
        }
    };
    Image zeros(32u << 20), noise(32u << 20), tiny(64u << 10);
    std::vector<u8> garbage(1u << 20);
    for (u8& byte : garbage)
        byte = static_cast<u8>(random.next());
    for (u64 at = 0; at < noise.bytes(); at += garbage.size())
        noise.write(at, garbage.data(), garbage.size());
    Images copy = layers_over(built.finished);
    refuse("zeros", { &zeros }, true);
    refuse("random bytes", { &noise }, true);
    refuse("a tiny device", { &tiny }, true);
    refuse("a device and zeros", { copy[0].get(), &zeros }, true);
    // A pool that is only read takes one of the two and ignores the other: both hold the same.
    const Images twins = layers_over(built.finished);
    refuse("a device and its copy", { copy[0].get(), twins[0].get() }, false);
    if (copy.size() > 1)
        refuse("half of its devices", { copy[random.below(2)].get() }, true);
    std::vector<Image*> with_foreign = pointers(copy);
    PoolShape other_shape = built.shape;
    Images other = empty_images(other_shape);
    {
        Run format(pointers(other), 1000, false);
        format.format(other_shape.format);
    }
    with_foreign.back() = other.back().get();
    if (copy.size() > 1)
        refuse("devices of two pools", with_foreign, true);
    return 6;
}

}

u64 run_fault(u64 seed, const Options& options)
{
    Random choice(mix(seed, 3));
    Scheduler::get().reset(mix(seed, 4), 20);
    Built built;
    build(built, seed, options, choice);
    u64 rounds = options.points ? options.points : 60;
    u64 done = flip_bits(built, choice, rounds);
    done += flip_data(built, choice, rounds / 3);
    done += lose_uberblocks(built, choice);
    for (u64 i = 0; i < rounds / 6; i++) {
        done += fail_requests(built, mix(seed, i), choice, Failing::anything);
        done += fail_requests(built, mix(seed, i), choice, Failing::one_flush);
        done += mislead_writes(built, mix(seed, i), choice);
    }
    done += open_wrong(built, choice);
    return done;
}

}
