// SPDX-License-Identifier: GPL-2.0-only
// Worker: which operation comes next, and on what.
#include "core/format/extent_format.h"
#include "userspace/sim/scheduler.h"
#include "userspace/sim/worker.h"

namespace lcpfs::sim {

namespace {
constexpr u32 k_directory = 0040000, k_file = 0100000, k_symlink = 0120000, k_fifo = 0010000, k_device = 0060000;
}

u64 Worker::random_object(bool (*wanted)(const ObjectState&))
{
    std::vector<u64> candidates;
    for (const auto& [id, state] : tree().objects())
        if (state->attr.links && !state->partial && wanted(*state))
            candidates.push_back(id);
    return candidates.empty() ? 0 : candidates[m_random.below(candidates.size())];
}

u64 Worker::random_directory()
{
    if (m_options.shared_directory && m_random.one_in(4))
        return m_options.shared_directory;
    return random_object([](const ObjectState& state) { return state.is_directory(); });
}

std::string Worker::fresh_name(u64 directory)
{
    std::string name;
    do
        name = new_name(directory);
    while (tree().at(directory).entries.count(name)); // one found there may be called so already
    return name;
}

std::string Worker::new_name(u64 directory)
{
    std::string name = directory == m_options.shared_directory ? walk_options().prefix : "";
    name += (m_random.one_in(2) ? "f" : "name") + std::to_string(m_names++);
    if (m_random.one_in(12))
        name += std::string(m_random.between(50, 240 - name.size()), static_cast<char>('a' + m_random.below(26)));
    if (m_random.one_in(40))
        name += "\x01\xff\n";
    return name;
}

bool Worker::random_entry(u64& directory, std::string& name, Entry& entry)
{
    for (int tries = 0; tries < 4; tries++) {
        directory = random_directory();
        const auto& entries = tree().at(directory).entries;
        if (entries.empty())
            continue;
        auto chosen = entries.begin();
        std::advance(chosen, static_cast<long>(m_random.below(entries.size())));
        name = chosen->first;
        entry = chosen->second;
        return true;
    }
    return false;
}

bool Worker::is_within(u64 directory, u64 ancestor) const
{
    if (directory == ancestor)
        return true;
    for (const auto& [name, entry] : tree().at(ancestor).entries)
        if (const ObjectState* state = tree().find(entry.id); state && state->is_directory() && is_within(directory, entry.id))
            return true;
    return false;
}

void Worker::random_create()
{
    u64 directory = random_directory();
    std::string name = fresh_name(directory);
    u64 kind = m_random.below(20);
    u32 permissions = static_cast<u32>(m_random.below(01000));
    u64 id = 0;
    if (kind == 6) {
        // What gets no name is deleted by a later step, or a crash.
        if (create_unnamed(directory, k_file | permissions, id) || (m_random.one_in(2) && write(id, 0, 2, m_random.between(5000, 8192)))
            || m_random.one_in(4))
            return;
        link(directory, name, id);
    } else if (kind < 4 && directory != m_options.shared_directory) {
        create(directory, name, k_directory | permissions);
    } else if (kind == 4) {
        u64 length = m_random.one_in(8) ? m_random.between(500, CORE_SYMLINK_MAX) : m_random.between(1, 80);
        create(directory, name, k_symlink | 0777, std::string(length, 't'));
    } else if (kind == 5) {
        create(directory, name, (m_random.one_in(2) ? k_fifo : k_device) | permissions);
    } else if (create(directory, name, k_file | permissions, "", &id) == 0 && !m_random.one_in(4)) {
        u64 count = m_random.one_in(3) ? m_random.between(1, 12) : 1;
        write(id, 0, count, (count - 1) * CORE_BLOCK_SIZE + m_random.between(1, m_random.one_in(2) ? CORE_INLINE_MAX : CORE_BLOCK_SIZE));
    }
}

void Worker::random_write()
{
    u64 id = random_object([](const ObjectState& state) { return state.is_file(); });
    if (!id)
        return random_create();
    u64 size = tree().at(id).attr.size_bytes;
    u64 blocks = blocks_for_bytes(size);
    u64 limit = m_options.largest_file_blocks;
    u64 first = m_random.one_in(3) ? size / CORE_BLOCK_SIZE : m_random.below(blocks + 2); // append or anywhere
    if (m_random.one_in(15))
        first = m_random.below(limit);
    if (first >= limit)
        first = m_random.below(limit);
    // The block that the old size ends in goes out again whenever the file grows past it: its tail is zeros already.
    u64 count = m_random.one_in(10) ? m_random.between(1, 64) : m_random.between(1, 4);
    u64 end = (first + count) * CORE_BLOCK_SIZE;
    if (m_random.one_in(2))
        end -= m_random.below(CORE_BLOCK_SIZE);
    write(id, first, count, end);
}

void Worker::random_truncate()
{
    u64 id = random_object([](const ObjectState& state) { return state.is_file(); });
    if (!id)
        return;
    u64 size = tree().at(id).attr.size_bytes;
    u64 to = m_random.one_in(4) ? 0 : m_random.one_in(4) ? size + m_random.below(100000) : m_random.below(size + 1);
    if (to > m_options.largest_file_blocks * CORE_BLOCK_SIZE)
        to = size;
    if (m_options.expect_no_space) // the write of the zeroed rest could fail
        to = to > size ? size : align_down(to, CORE_BLOCK_SIZE);
    truncate(id, to);
}

void Worker::random_punch()
{
    u64 id = random_object([](const ObjectState& state) { return state.is_file(); });
    if (!id)
        return;
    const u64 blocks = blocks_for_bytes(tree().at(id).attr.size_bytes);
    const u64 first = m_random.below(blocks + 1);
    punch(id, first, m_random.one_in(8) ? k_max_file_blocks - first : m_random.between(1, m_random.one_in(3) ? blocks + 2 : 4));
}

void Worker::random_rename()
{
    u64 from, to = random_directory();
    std::string from_name, to_name;
    Entry moved, target {};
    if (!random_entry(from, from_name, moved))
        return;
    bool directory = tree().at(moved.id).is_directory();
    if (directory && (to == m_options.shared_directory || is_within(to, moved.id)))
        return;
    unsigned flags = m_random.one_in(4) ? CORE_RENAME_NOREPLACE : 0;
    to_name = fresh_name(to);
    u64 other;
    std::string other_name;
    if (m_random.one_in(2) && random_entry(other, other_name, target) && target.id != moved.id) {
        bool other_directory = tree().at(target.id).is_directory();
        // Exchanging with something above or below oneself is the VFS's to refuse.
        bool tangled = (directory && is_within(other, moved.id)) || (other_directory && is_within(from, target.id));
        if (m_random.one_in(2) && !tangled && !(other == m_options.shared_directory && directory)
            && !(from == m_options.shared_directory && other_directory)
            && (other != m_options.shared_directory || from == m_options.shared_directory)
            && (from != m_options.shared_directory || other == from)) {
            to = other;
            to_name = other_name;
            flags = CORE_RENAME_EXCHANGE;
        } else if (directory == other_directory && !(directory && is_within(other, moved.id))
                   && (!other_directory || tree().at(target.id).entries.empty())) {
            to = other;
            to_name = other_name;
            flags = 0;
        }
    }
    if (!(flags & CORE_RENAME_EXCHANGE) && m_random.one_in(6))
        flags |= CORE_RENAME_WHITEOUT;
    // A name in the shared directory carries its owner's mark, so it may not leave with another's.
    rename(from, from_name, to, to_name, flags);
}

void Worker::step()
{
    // As far as the shares of the mix go: names, data, or both.
    if (m_random.below(100) < m_options.sync_percent)
        return sync_object(random_object([](const ObjectState&) { return true; }));
    u64 choice = m_random.below(100);
    u64 living = tree().objects().size();
    if (living > m_options.objects && m_random.one_in(2))
        choice = 60;
    if (m_options.mix == Mix::names && choice >= 25 && choice < 50)
        choice = m_random.below(25);
    if (m_options.mix == Mix::data && choice < 25)
        choice = 25 + m_random.below(25);
    u64 directory;
    std::string name;
    Entry entry;
    if (choice < 25) {
        random_create();
    } else if (choice < 46) {
        random_write();
    } else if (choice < 50) {
        random_clone();
    } else if (choice < 54) {
        random_truncate();
    } else if (choice < 57) {
        const u64 which = m_random.below(5);
        which < 2 ? random_punch() : which < 4 ? random_shift() : random_allocate();
    } else if (choice < 68) {
        if (random_entry(directory, name, entry) && (!tree().at(entry.id).is_directory() || tree().at(entry.id).entries.empty()))
            unlink(directory, name);
    } else if (choice < 77) {
        random_rename();
    } else if (choice < 81) {
        u64 id = random_object([](const ObjectState& state) { return !state.is_directory(); });
        if (id) {
            directory = random_directory();
            link(directory, fresh_name(directory), id);
        }
    } else if (choice < 83) {
        random_xattr();
    } else if (choice < 86) {
        set_attr(random_object([](const ObjectState&) { return true; }));
    } else if (choice < 89) {
        sync_pool();
    } else if (choice < 91) {
        sync_object(random_object([](const ObjectState&) { return true; }));
    } else if (choice < 96) {
        check_object(random_object([](const ObjectState&) { return true; }));
    } else if (choice < 98) {
        // The last user of a removed file goes.
        for (auto& [id, object] : m_open)
            if (const ObjectState* state = tree().find(id); state && state->attr.links == 0) {
                dispose(id, object);
                break;
            }
    } else {
        // Now and then longer than a group stays open.
        Scheduler::get().sleep_ns(m_random.below(m_random.one_in(4) ? 3000000000ull : 50000000ull));
    }
}

void Worker::operate(u64 count)
{
    for (u64 i = 0; i < count && !m_stopped; i++)
        step();
}

}
