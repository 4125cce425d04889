// SPDX-License-Identifier: GPL-2.0-only
// Worker: cloning ranges of one file into another, or into itself.
#include "userspace/sim/failure.h"
#include "userspace/sim/worker.h"

namespace lcpfs::sim {

namespace {

constexpr int k_enospc = 28, k_enomem = 12;

u64 hash_at(const ObjectState& state, u64 block)
{
    auto found = state.content.find(block);
    return found == state.content.end() ? 0 : found->second;
}

// The front of the range, which is what the source had before.
void clone_front(ObjectState& target, const ObjectState& source, u64 from, u64 to, u64 count)
{
    for (u64 i = 0; i < count; i++) {
        if (const u64 hash = hash_at(source, from + i))
            target.content[to + i] = hash;
        else
            target.content.erase(to + i);
    }
}

}

int Worker::clone(u64 source, u64 from, u64 target, u64 to, u64 count)
{
    core_clone how {};
    how.source = get(source);
    how.target = how.source ? get(target) : nullptr;
    if (!how.target)
        return m_stopped ? -5 : -k_enomem;
    how.block = from;
    how.to = to;
    how.blocks = count;
    how.size_bytes = max(tree().at(target).attr.size_bytes, (to + count) * CORE_BLOCK_SIZE);
    how.time = now();
    core_attr attr;
    core_object_attr(how.source, &attr);
    // Data in the source's record is written to the target, not shared; holes behind it follow as an operation of their own, which a crash
    // may find yet to be done.
    const bool is_in_two = from == 0 && count > 1 && attr.blocks == 0 && hash_at(tree().at(source), 0);
    const std::string what = "clone " + std::to_string(source) + " blocks " + std::to_string(from) + "+" + std::to_string(count) + " to "
        + std::to_string(target) + " block " + std::to_string(to);
    begin(what);
    int error = core_clone_range(&how);
    if (is_in_two && error == 0) {
        const u64 issued = m_history.issued.back();
        const auto began = m_history.began.back();
        const ObjectState before = tree().at(source);
        edit().update(target, [&](ObjectState& state) {
            clone_front(state, before, from, to, 1);
            state.attr.size_bytes = max(state.attr.size_bytes, (to + 1) * CORE_BLOCK_SIZE);
            state.allocates = true;
        });
        end(0);
        begin(what + ", the rest");
        m_history.issued.back() = issued;
        m_history.began.back() = began;
    }
    const ObjectState& origin = tree().at(source);
    u64 done = count;
    core_object_attr(how.target, &attr);
    if ((error == -k_enospc && m_options.expect_no_space) || (error == -k_enomem && m_options.expect_no_memory)) {
        // A front of the range is cloned, as long a one as can be: none is a refusal.
        ObjectState found;
        WalkOptions options = walk_options();
        options.tolerant = true;
        (void)read_object(m_dataset, target, found, options);
        for (; done > 0; done--) {
            ObjectState expected = tree().at(target);
            clone_front(expected, origin, from, to, done);
            if (expected.content == found.content && attr.size_bytes == max(expected.attr.size_bytes, (to + done) * CORE_BLOCK_SIZE))
                break;
        }
        error = done > 0 ? 0 : error;
    }
    if (error)
        return end(error);
    edit().update(target, [&](ObjectState& state) { clone_front(state, origin, from, to, done); });
    predict(edit(), target, how.target, tree().at(target).attr.links, done == count ? how.size_bytes : attr.size_bytes);
    end(0);
    put(how.target);
    return 0;
}

void Worker::random_clone()
{
    const auto is_file = [](const ObjectState& state) { return state.is_file(); };
    const u64 source = random_object(is_file);
    const u64 target = m_random.one_in(6) ? source : random_object(is_file);
    if (!source)
        return;
    const u64 blocks = blocks_for_bytes(tree().at(source).attr.size_bytes);
    const u64 from = m_random.below(blocks + 1);
    const u64 count = m_random.one_in(3) ? m_random.between(1, 48) : m_random.between(1, 6);
    const u64 to = m_random.one_in(3) ? from : m_random.below(blocks_for_bytes(tree().at(target).attr.size_bytes) + 3);
    const u64 limit = m_options.largest_file_blocks;
    if (from + count > limit || to + count > limit || (source == target && from < to + count && to < from + count))
        return;
    clone(source, from, target, to, count);
}

}
