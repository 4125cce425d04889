// SPDX-License-Identifier: GPL-2.0-only
// Worker: blocks taken out of files and holes put into them.
#include "core/format/extent_format.h"
#include "userspace/host/common/memory.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/worker.h"

namespace lcpfs::sim {

namespace {

constexpr int k_enomem = 12;
// As many extents as one group moves: beyond it a crash may leave a part.
constexpr unsigned k_most_extents = 60;

// Whether the extents from `block` on are few. False as well when that cannot be told.
bool has_few_extents(core_object* object, u64 block, u64 end)
{
    unsigned count = 0;
    while (block < end && count <= k_most_extents) {
        core_extent extent {};
        if (core_map(object, block, &extent))
            return false;
        count += !extent.hole;
        block = extent.blocks > end - block ? end : block + extent.blocks;
    }
    return count <= k_most_extents;
}

}

int Worker::shift(u64 id, u64 block, u64 count, bool collapses)
{
    core_object* object = get(id);
    if (!object)
        return m_stopped ? -5 : -k_enomem;
    const u64 size = tree().at(id).attr.size_bytes;
    if (!has_few_extents(object, block, blocks_for_bytes(size) + 1))
        return 0;
    begin((collapses ? "collapse " : "insert ") + std::to_string(count) + " blocks of " + std::to_string(id) + " at "
          + std::to_string(block));
    const int error = collapses ? core_collapse(object, block, count, now()) : core_insert(object, block, count, now());
    if (error == -k_enomem && m_options.expect_no_memory) {
        // A part may have moved: what is there is what has to survive, and be all of it somewhere.
        ObjectState found;
        WalkOptions options = walk_options();
        options.tolerant = true;
        const AllocationFailures::Pause pause;
        if (read_object(m_dataset, id, found, options) || !found.damage.empty()) {
            m_stopped = true;
            return end(error);
        }
        edit().update(id, [&](ObjectState& state) { state.content = found.content; });
        absorb(id, object);
        return end(0);
    }
    if (error)
        return end(error);
    edit().update(id, [&](ObjectState& state) {
        std::map<u64, u64> content;
        for (const auto& [at, hash] : state.content) {
            if (at < block)
                content[at] = hash;
            else if (!collapses)
                content[at + count] = hash;
            else if (at >= block + count)
                content[at - count] = hash;
        }
        state.content = content;
    });
    const u64 bytes = count * CORE_BLOCK_SIZE;
    predict(edit(), id, object, tree().at(id).attr.links, collapses ? size - bytes : size + bytes);
    end(0);
    put(object);
    return 0;
}

void Worker::random_shift()
{
    const u64 id = random_object([](const ObjectState& state) { return state.is_file() && state.attr.size_bytes > CORE_BLOCK_SIZE; });
    // What a fault leaves of it is not one of the states.
    if (!id || m_options.expect_errors)
        return;
    const u64 size = tree().at(id).attr.size_bytes;
    const u64 blocks = blocks_for_bytes(size);
    const u64 block = m_random.below(blocks);
    const u64 count = m_random.between(1, m_random.one_in(3) ? blocks : 3);
    if (m_random.one_in(2)) {
        if ((block + count) * CORE_BLOCK_SIZE < size)
            shift(id, block, count, true);
    } else if (blocks + count <= m_options.largest_file_blocks) {
        shift(id, block, count, false);
    }
}

}
