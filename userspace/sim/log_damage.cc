// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/log_damage.h"

#include <algorithm>

#include "core/api/handles.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/judge.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {

constexpr int k_euclean = 117, k_eio = 5;
constexpr u64 k_positions = 6;

struct Frame {
    const LoggedWrite* write;
    u64 sequence, acknowledged;
};

// The frames that a mount would read, oldest first: from the tail of the committed group on,
// without a gap. `vouched` becomes the newest that any frame, also one behind a gap, says to have
// been acknowledged.
std::vector<Frame> frames_to_read(const IoLog& log, const Images& images, const Uberblock& uberblock, u64& vouched)
{
    std::vector<Frame> frames;
    u64 next = uberblock.log_sequence;
    for (const LoggedWrite& write : log.writes) {
        const DiskLogFrame* frame = frame_of(write);
        if (!frame || frame->generation.get() != uberblock.log_generation || frame->sequence.get() < next)
            continue;
        // There, and not only in a cache that has been lost.
        std::vector<u8> found(write.data.size());
        images[write.disk]->read(write.offset, found.data(), found.size());
        if (found == write.data)
            frames.push_back({ &write, frame->sequence.get(), frame->acknowledged.get() });
    }
    std::sort(frames.begin(), frames.end(), [](const Frame& one, const Frame& other) { return one.sequence < other.sequence; });
    vouched = 0;
    for (const Frame& frame : frames)
        vouched = max(vouched, frame.acknowledged);
    for (size_t i = 0; i < frames.size(); i++)
        if (frames[i].sequence != next + i) {
            frames.resize(i);
            break;
        }
    return frames;
}

// A block of the ring, where it is. Its run ends at that position.
struct RingBlock {
    u32 disk;
    u64 offset, run_end;
};

std::vector<RingBlock> blocks_of(const LogRing& ring)
{
    std::vector<RingBlock> blocks;
    for (u64 position = 0; position < ring.bytes(); position += k_block_size) {
        const LogRing::Place place = ring.place(position);
        blocks.push_back({ place.vdev.value(), place.offset_bytes, position + ring.left_in_run(position) });
    }
    return blocks;
}

// The committed state, and what its uberblock says of the log.
std::vector<Tree> committed_state(const LogShape& shape, const Images& images, const std::vector<Worker*>& workers,
                                  Uberblock& uberblock, std::vector<RingBlock>& ring)
{
    Images layers = layers_over(images);
    Run run(pointers(layers), 1000, false);
    shape.apply(run);
    run.open(true, true);
    uberblock = pool_of(run.pool()).uberblock();
    ring = blocks_of(pool_of(run.pool()).intent_log().ring(static_cast<u32>(uberblock.log_ring)));
    std::vector<Tree> trees = walk_all(run, workers);
    if (int error = run.close())
        fail("core_pool_close of a pool read without its log gave %d", error);
    return trees;
}

void flip_in(Images& images, const LoggedWrite& write, Random& random)
{
    const DiskLogFrame* frame = frame_of(write);
    images[write.disk]->flip_bit(write.offset + random.below(frame->used_bytes.get()), static_cast<u32>(random.below(8)));
}

// No further from it than a reader takes in at once.
bool is_near(const RingBlock& bad, u32 disk, u64 from, u64 bytes)
{
    return bad.disk == disk && bad.offset < from + bytes + k_block_size && from < bad.offset + k_block_size;
}

// Whether a frame is there, or the next one would be.
bool is_needed(const RingBlock& bad, const std::vector<RingBlock>& ring, const std::vector<Frame>& frames, const Uberblock& uberblock)
{
    u64 next = uberblock.log_tail;
    for (const Frame& frame : frames) {
        if (is_near(bad, frame.write->disk, frame.write->offset, frame.write->data.size()))
            return true;
        next = frame_of(*frame.write)->position.get() + frame.write->data.size();
    }
    const u64 bytes = ring.size() * k_block_size;
    const RingBlock& at = ring[next % bytes / k_block_size];
    const RingBlock& run = ring[at.run_end % bytes / k_block_size];
    return is_near(bad, at.disk, at.offset + next % k_block_size, 0) || is_near(bad, run.disk, run.offset, 0);
}

// A sector of the ring cannot be read. The pool opens with all that the log has, or, where it may have a frame there, is refused
// until it can.
void spoil_sector(const LogShape& shape, Images& images, const std::vector<RingBlock>& ring, const std::vector<Frame>& frames,
                  const Uberblock& uberblock, const std::vector<Worker*>& workers, u64 position, Random& random)
{
    const bool in_frame = !frames.empty() && random.one_in(3);
    RingBlock bad = ring[random.below(ring.size())];
    if (in_frame) {
        const LoggedWrite& write = *frames[random.below(frames.size())].write;
        bad = { write.disk, write.offset + random.below(write.data.size()), 0 };
    } else if (random.one_in(2)) { // not far behind the last one
        const u64 last = frames.empty() ? uberblock.log_tail : frame_of(*frames.back().write)->position.get();
        bad = ring[(last / k_block_size + random.below(64)) % ring.size()];
    }
    bad.offset = align_down(bad.offset + random.below(k_block_size), u64(shape.block_bytes));
    const bool may_need = is_needed(bad, ring, frames, uberblock);
    Run run(pointers(images), 1000, false);
    shape.apply(run);
    run.disks()[bad.disk]->faults.push_back({ FaultKind::error, HOST_IO_READ, 0, k_never, bad.offset, bad.offset + shape.block_bytes });
    const int error = run.try_open(false);
    if (error && error != -k_eio)
        fail("a sector of the intent log cannot be read, and opening gave %d", error);
    if (error && !may_need)
        fail("a sector of the intent log where no frame was, at %llu of disk %u, kept it from being read",
             static_cast<unsigned long long>(bad.offset), bad.disk);
    run.disks()[bad.disk]->faults.clear();
    if (error)
        run.open(false);
    const std::vector<Tree> trees = walk_all(run, workers);
    run.check(false);
    run.abandon();
    match_all(workers, trees, position);
}

void expect_refusal(const LogShape& shape, const Images& images, const std::vector<Worker*>& workers, const Frame& frame,
                    const std::vector<Tree>& committed)
{
    Images layers = layers_over(images);
    Run run(pointers(layers), 1000, false);
    shape.apply(run);
    forget_log();
    if (int error = run.try_open(false); error != -k_euclean)
        fail("frame %llu of the intent log was damaged after its acknowledgement, and "
             "opening gave %d",
             static_cast<unsigned long long>(frame.sequence), error);
    if (!log_contains("frame " + std::to_string(frame.sequence) + " at position "))
        fail("opening was refused without naming the damaged frame %llu", static_cast<unsigned long long>(frame.sequence));
    if (!log_contains(" of missing frames and behind them can still be told") || log_contains("reading for more failed"))
        fail("opening was refused without telling what is lost");
    run.discard_log = true;
    run.open(false);
    std::vector<Tree> trees = walk_all(run, workers);
    for (size_t i = 0; i < trees.size(); i++)
        if (trees[i].hash() != committed[i].hash())
            fail("worker %zu: with the log discarded there is not the committed "
                 "state:%s",
                 i, committed[i].difference(trees[i], false).c_str());
    run.check(false);
    if (int error = run.close())
        fail("core_pool_close gave %d", error);
}

}

void damage_frames(const LogShape& shape, const IoLog& log, const std::vector<Image*>& base, u64 end,
                   const std::vector<Worker*>& workers, u64 seed)
{
    Random random(seed);
    CrashCursor cursor(log, base);
    for (u64 i = 0; i < k_positions; i++) {
        cursor.advance_to(end * (i + 1) / k_positions);
        Images images = cursor.crash([](size_t, u64) { return false; });
        Scheduler::get().reset(random.next(), 50);
        Uberblock uberblock;
        std::vector<RingBlock> ring;
        const std::vector<Tree> committed = committed_state(shape, images, workers, uberblock, ring);
        u64 vouched = 0;
        const std::vector<Frame> frames = frames_to_read(log, images, uberblock, vouched);
        if (uberblock.log_generation) {
            Images spoilt = layers_over(images);
            count_state(StateClass::damaged);
            spoil_sector(shape, spoilt, ring, frames, uberblock, workers, cursor.position(), random);
        }
        if (frames.empty())
            continue;
        const Frame& newest = frames.back();
        const u64 victims = vouched < frames[0].sequence ? 0 : min(vouched - frames[0].sequence + 1, u64(frames.size()));
        if (victims) {
            const Frame& victim = frames[random.below(victims)];
            Images damaged = layers_over(images);
            flip_in(damaged, *victim.write, random);
            count_state(StateClass::damaged);
            expect_refusal(shape, damaged, workers, victim, committed);
        }
        if (newest.sequence <= vouched)
            continue;
        Images damaged = layers_over(images);
        flip_in(damaged, *newest.write, random);
        count_state(StateClass::damaged);
        // What was acknowledged by that frame is gone; nothing can tell that it had been.
        match_all(workers, open_and_walk(shape, damaged, workers, random), cursor.position(), newest.write->submitted);
    }
}

}
