// SPDX-License-Identifier: GPL-2.0-only
// Worker: preallocation. What a file reads does not change by it; what is written there later has to fit on a full pool.
#include "core/format/extent_format.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/worker.h"

namespace lcpfs::sim {

namespace {
constexpr int k_enomem = 12;
}

bool has_only_unwritten(core_object* object, u64 block, u64 count)
{
    const u64 end = block + count;
    while (block < end) {
        core_extent extent {};
        if (core_map(object, block, &extent) || !extent.unwritten)
            return false;
        block += extent.blocks;
    }
    return true;
}

int Worker::allocate(u64 id, u64 block, u64 count)
{
    core_object* object = get(id);
    if (!object)
        return m_stopped ? -5 : -k_enomem;
    begin("allocate " + std::to_string(count) + " blocks of " + std::to_string(id) + " from " + std::to_string(block));
    const int error = core_allocate(object, block, count);
    // Some of it may be there, which only the number of blocks tells.
    const bool is_part = error == -k_enomem && m_options.expect_no_memory;
    if (error && !is_part)
        return end(error);
    predict(edit(), id, object, tree().at(id).attr.links, tree().at(id).attr.size_bytes);
    edit().update(id, [&](ObjectState& state) { state.allocates = true; });
    end(0);
    put(object);
    return 0;
}

void Worker::random_allocate()
{
    const u64 id = random_object([](const ObjectState& state) { return state.is_file(); });
    if (!id)
        return;
    const u64 blocks = blocks_for_bytes(tree().at(id).attr.size_bytes);
    const u64 block = m_random.below(blocks + 8);
    allocate(id, block, m_random.between(1, m_random.one_in(3) ? 64 : 6));
}

}
