// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/worker.h"

#include <string.h>

#include "core/fs/xattrs.h"
#include "userspace/host/common/thread_context.h"
#include "userspace/sim/failure.h"
#include "userspace/sim/run.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

namespace {
constexpr u32 k_directory = 0040000, k_device = 0060000;
constexpr int k_enospc = 28, k_enomem = 12;

u8 dirent_type(u32 mode) { return static_cast<u8>(mode >> 12 & 15); }
u32 length_of(const std::string& name) { return static_cast<u32>(name.size()); }
}

History::Range History::allowed(u64 position) const
{
    Range range { 0, 0 };
    for (const Acknowledgement& ack : acknowledged)
        if (ack.position <= position && ack.state > range.first)
            range.first = ack.state;
    for (u64 i = 0; i < states.size(); i++)
        if (i == 0 || issued[i] <= position)
            range.last = i;
    return range;
}

Worker::Worker(Run& run, core_dataset* dataset, const WorkerOptions& options, Tree start, u64 seed)
    : m_run(run)
    , m_dataset(dataset)
    , m_options(options)
    , m_random(seed)
    , m_names(seed & 0xffff)
{
    m_history.states.push_back(std::move(start));
    m_history.issued.push_back(0);
    m_history.descriptions.push_back("start");
    m_history.began.push_back(0);
    m_history.ended.push_back(0);
}

Worker::~Worker() = default;

WalkOptions Worker::walk_options() const
{
    return { false, m_options.shared_directory, "w" + std::to_string(m_options.number) + "_" };
}

core_object* Worker::get(u64 id)
{
    auto open = m_open.find(id);
    if (open != m_open.end())
        return open->second;
    core_object* object = nullptr;
    int error = core_object_get(m_dataset, id, 0, &object);
    if (error) {
        if (error == -k_enomem && m_options.expect_no_memory)
            return nullptr;
        if (m_options.expect_errors) {
            m_stopped = true;
            return nullptr;
        }
        fail("object %llu, which exists, gave error %d", static_cast<unsigned long long>(id), error);
    }
    // Some stay open for long, as files of running programs do.
    m_open[id] = object;
    return object;
}

void Worker::put(core_object*)
{
    // Inodes leave memory in no particular order.
    if (m_open.size() < 4 || !m_random.one_in(3))
        return;
    auto victim = m_open.begin();
    std::advance(victim, static_cast<long>(m_random.below(m_open.size())));
    const ObjectState* state = tree().find(victim->first);
    if (!state || state->attr.links == 0)
        return; // goes by `dispose`
    core_object_put(victim->second);
    m_open.erase(victim);
}

core_time Worker::now() const
{
    i64 ns = host_realtime_ns();
    return { ns / 1000000000, static_cast<u32>(ns % 1000000000) };
}

void Worker::begin(const std::string& what)
{
    if (m_operating)
        fail("a worker began an operation inside another");
    m_operating = true;
    m_next = tree();
    m_history.issued.push_back(m_run.log().position());
    m_history.descriptions.push_back(what);
    m_history.began.push_back(m_run.next_moment());
}

int Worker::end(int error)
{
    m_operating = false;
    const std::string& what = m_history.descriptions.back();
    if (error) {
        m_refused++;
        m_next = tree();
        if (error == -k_enospc && m_options.expect_no_space) {
        } else if (error == -k_enomem && m_options.expect_no_memory) {
        } else if (m_options.expect_errors) {
            m_stopped = true;
        } else {
            fail("%s gave error %d", what.c_str(), error);
        }
    }
    if (is_verbose())
        fprintf(stderr, "lcpfs: w%u #%zu at %llu..%llu: %s%s\n", m_options.number, m_history.states.size(),
                static_cast<unsigned long long>(m_history.issued.back()), static_cast<unsigned long long>(m_run.log().position()),
                what.c_str(), error ? " (refused)" : "");
    m_history.states.push_back(std::move(m_next));
    m_history.ended.push_back(m_run.next_moment());
    Scheduler::get().note_progress();
    return error;
}

void Worker::absorb(u64 id, core_object* object)
{
    core_attr attr;
    core_object_attr(object, &attr);
    edit().update(id, [&](ObjectState& state) {
        if (!state.partial)
            state.attr = attr;
        state.allocates = false;
    });
}

// What must be as the model says; the rest (times, counters) is taken as the core gives it, and must then survive.
void Worker::predict(Tree& tree, u64 id, core_object* object, u32 links, u64 size_bytes)
{
    core_attr attr;
    core_object_attr(object, &attr);
    if (attr.id != id)
        fail("%s: object %llu says it is %llu", m_history.descriptions.back().c_str(), static_cast<unsigned long long>(id),
             static_cast<unsigned long long>(attr.id));
    if (attr.links != links)
        fail("%s: object %llu has %u links, should have %u", m_history.descriptions.back().c_str(),
             static_cast<unsigned long long>(id), attr.links, links);
    if ((attr.mode & 0170000) != k_directory && attr.size_bytes != size_bytes)
        fail("%s: object %llu has size %llu, should have %llu", m_history.descriptions.back().c_str(),
             static_cast<unsigned long long>(id), static_cast<unsigned long long>(attr.size_bytes),
             static_cast<unsigned long long>(size_bytes));
    const ObjectState* old = tree.find(id);
    if (old && !old->partial && attr.change < old->attr.change)
        fail("%s: the change counter of object %llu fell", m_history.descriptions.back().c_str(), static_cast<unsigned long long>(id));
    absorb(id, object);
}

void Worker::acknowledge(u64 state, u64 position)
{
    if (is_verbose())
        fprintf(stderr, "lcpfs: w%u #%llu acknowledged at %llu\n", m_options.number, static_cast<unsigned long long>(state),
                static_cast<unsigned long long>(position));
    m_history.acknowledged.push_back({ position, state });
}

int Worker::create(u64 directory, const std::string& name, u32 mode, const std::string& target, u64* id)
{
    core_object* parent = get(directory);
    if (!parent)
        return m_stopped ? -5 : -k_enomem;
    core_new how {};
    how.mode = mode;
    how.uid = static_cast<u32>(m_random.below(3) * 1000);
    how.gid = static_cast<u32>(m_random.below(3) * 100);
    how.project = static_cast<u32>(m_random.below(2));
    how.time = now();
    if ((mode & 0170000) == k_device)
        how.rdev = static_cast<u32>(m_random.below(1000) + 1);
    how.target = target.data();
    how.target_length = length_of(target);
    // Some begin with attributes: a label, a list.
    std::map<std::string, std::string> begins;
    for (u64 left = m_random.one_in(6) ? m_random.between(1, 3) : 0; left; left--) {
        const std::string xattr = random_xattr_name();
        if (xattr != "system.posix_acl_default" && (mode & 0170000) != 0120000)
            begins[xattr] = random_xattr_value(xattr);
    }
    std::vector<core_xattr> xattrs;
    m_new_parts = 0;
    for (const auto& [xattr, value] : begins) {
        m_new_parts += xattr_parts(length_of(value));
        xattrs.push_back({ xattr.data(), length_of(xattr), value.data(), length_of(value) });
    }
    how.xattrs = xattrs.data();
    how.xattr_count = static_cast<u32>(xattrs.size());
    begin("create " + name.substr(0, 16) + " mode " + std::to_string(mode >> 12) + " in " + std::to_string(directory));
    core_object* object = nullptr;
    int error = core_create(parent, name.data(), length_of(name), &how, &object);
    if (error)
        return end(error);
    core_attr attr;
    core_object_attr(object, &attr);
    bool is_directory = (mode & 0170000) == k_directory;
    if (attr.mode != mode || attr.uid != how.uid || attr.gid != how.gid || attr.rdev != how.rdev || attr.project != how.project)
        fail("create %s: the new object has other attributes than asked for", name.c_str());
    if (tree().find(attr.id) && tree().at(attr.id).attr.links)
        fail("create %s: gave the id %llu of a living object", name.c_str(), static_cast<unsigned long long>(attr.id));
    Tree& next = edit();
    next.forget(attr.id);
    m_open[attr.id] = object;
    u64 new_id = attr.id;
    next.update(directory, [&](ObjectState& state) { state.entries[name] = { new_id, dirent_type(mode) }; });
    next.update(new_id, [&](ObjectState& state) {
        state.target = target;
        for (const auto& [xattr, value] : begins)
            state.xattrs[xattr] = xattr_hash(value);
    });
    predict(next, new_id, object, is_directory ? 2 : 1, target.size());
    if (!next.at(directory).partial)
        predict(next, directory, parent, next.at(directory).attr.links + (is_directory ? 1 : 0), 0);
    if (id)
        *id = new_id;
    end(0);
    put(object);
    return 0;
}

int Worker::create_unnamed(u64 directory, u32 mode, u64& id)
{
    core_object* parent = get(directory);
    if (!parent)
        return m_stopped ? -5 : -k_enomem;
    core_new how {};
    how.mode = mode;
    how.time = now();
    begin("create unnamed in " + std::to_string(directory));
    core_object* object = nullptr;
    if (int error = core_create_unnamed(parent, &how, &object))
        return end(error);
    core_attr attr;
    core_object_attr(object, &attr);
    id = attr.id;
    edit().forget(id);
    m_open[id] = object;
    edit().update(id, [](ObjectState&) {});
    predict(edit(), id, object, 0, 0);
    return end(0);
}

int Worker::write(u64 id, u64 block, u64 count, u64 end_bytes)
{
    core_object* object = get(id);
    if (!object)
        return m_stopped ? -5 : -k_enomem;
    u64 old_size = tree().at(id).attr.size_bytes;
    u64 written_end = min(end_bytes, (block + count) * CORE_BLOCK_SIZE);
    u64 size = max(old_size, written_end);
    Blocks blocks(count);
    const bool packs = m_random.below(100) < m_options.packing_percent;
    for (u64 i = 0; i < count; i++) {
        u64* words = reinterpret_cast<u64*>(blocks.at(i));
        u64 tag = m_random.one_in(20) ? 0 : m_random.next() | 1; // some blocks are zeros
        const u64 repeats = packs && !m_random.one_in(8) ? 64 : 1;
        for (u64 w = 0; w < CORE_BLOCK_SIZE / 8; w++)
            words[w] = tag ? tag * (w / repeats + 1) ^ tag >> 7 : 0;
        u64 start = (block + i) * CORE_BLOCK_SIZE;
        u64 valid = size <= start ? 0 : min<u64>(size - start, CORE_BLOCK_SIZE);
        memset(blocks.at(i) + valid, 0, CORE_BLOCK_SIZE - valid);
    }
    begin("write " + std::to_string(id) + " blocks " + std::to_string(block) + "+" + std::to_string(count) + " size "
          + std::to_string(size));
    const unsigned pieces = static_cast<unsigned>(m_random.between(1, 3));
    const bool is_backed = has_only_unwritten(object, block, count);
    const bool is_logged = count <= CORE_LOG_MAX_BLOCKS && m_random.below(100) < m_options.logged_percent;
    int error = reserve_blocks(object, block, count);
    const bool is_reserved = error == 0;
    if (is_reserved)
        error = is_logged ? log_reserved(object, block, blocks, count, size, pieces)
                          : write_reserved(object, block, blocks, count, size, pieces);
    if (error == -k_enospc && is_backed)
        fail("writing %llu preallocated blocks from %llu of object %llu on failed for lack of space",
             static_cast<unsigned long long>(count), static_cast<unsigned long long>(block), static_cast<unsigned long long>(id));
    // What was promised room is written, whether there is memory or not.
    if (error == -k_enomem && is_reserved)
        fail("writing %llu blocks from %llu of object %llu on failed for lack of memory", static_cast<unsigned long long>(count),
             static_cast<unsigned long long>(block), static_cast<unsigned long long>(id));
    if (error)
        return end(error);
    Tree& next = edit();
    next.update(id, [&](ObjectState& state) {
        for (u64 i = 0; i < count; i++) {
            u64 hash = block_hash(blocks.at(i));
            if (hash)
                state.content[block + i] = hash;
            else
                state.content.erase(block + i);
        }
    });
    predict(next, id, object, next.at(id).attr.links, size);
    end(0);
    put(object);
    return 0;
}

// Nobody writes the rest of the last block: that it is zeros, and stays so when the file grows, is the core's.
int Worker::punch(u64 id, u64 block, u64 count)
{
    core_object* object = get(id);
    if (!object)
        return m_stopped ? -5 : -k_enomem;
    begin("punch " + std::to_string(count) + " blocks of " + std::to_string(id) + " from " + std::to_string(block));
    if (int error = core_punch(object, block, count, now()))
        return end(error);
    edit().update(id, [&](ObjectState& state) {
        state.content.erase(state.content.lower_bound(block), state.content.lower_bound(block + count));
    });
    predict(edit(), id, object, tree().at(id).attr.links, tree().at(id).attr.size_bytes);
    end(0);
    put(object);
    return 0;
}

int Worker::truncate(u64 id, u64 size_bytes)
{
    core_object* object = get(id);
    if (!object)
        return m_stopped ? -5 : -k_enomem;
    u64 old_size = tree().at(id).attr.size_bytes;
    u64 last = size_bytes / CORE_BLOCK_SIZE, rest = size_bytes % CORE_BLOCK_SIZE;
    bool cut_inside = size_bytes < old_size && rest && tree().at(id).content.count(last);
    Blocks tail(1);
    if (cut_inside) {
        if (int error = read_blocks(object, last, tail, 1)) {
            if (error == -k_enomem && m_options.expect_no_memory)
                return error;
            if (m_options.expect_errors) {
                m_stopped = true;
                return error;
            }
            fail("reading block %llu of object %llu gave %d", static_cast<unsigned long long>(last),
                 static_cast<unsigned long long>(id), error);
        }
        memset(tail.at(0) + rest, 0, CORE_BLOCK_SIZE - rest);
    }
    begin("truncate " + std::to_string(id) + " to " + std::to_string(size_bytes));
    int error = core_truncate(object, size_bytes, now());
    const bool has_failed = error != 0;
    if (error && (m_options.expect_errors || (error == -k_enomem && m_options.expect_no_memory))) {
        // The cut may stand with blocks behind it still to be freed: then nothing of them may ever be seen again.
        core_attr attr;
        core_object_attr(object, &attr);
        if (attr.size_bytes == size_bytes && attr.change != tree().at(id).attr.change)
            error = 0;
    }
    if (error)
        return end(error);
    Tree& next = edit();
    next.update(id, [&](ObjectState& state) {
        state.frees_later |= has_failed;
        if (size_bytes >= old_size)
            return;
        state.content.erase(state.content.lower_bound(blocks_for_bytes(size_bytes)), state.content.end());
        if (cut_inside) {
            state.content.erase(last);
            if (u64 hash = block_hash(tail.at(0)))
                state.content[last] = hash;
        }
    });
    predict(next, id, object, next.at(id).attr.links, size_bytes);
    end(0);
    put(object);
    return 0;
}

void Worker::dispose(u64 id, core_object* object)
{
    const ObjectState* state = tree().find(id);
    if (!state || state->attr.links)
        return;
    m_open.erase(id);
    begin("delete " + std::to_string(id));
    int error = core_object_delete(object);
    core_object_put(object);
    edit().forget(id);
    if (error && m_options.expect_no_space)
        fail("deleting object %llu on a full pool gave %d", static_cast<unsigned long long>(id), error);
    end(error);
}

int Worker::unlink(u64 directory, const std::string& name)
{
    core_object* parent = get(directory);
    u64 id = tree().at(directory).entries.at(name).id;
    core_object* object = parent ? get(id) : nullptr;
    if (!object)
        return m_stopped ? -5 : -k_enomem;
    bool is_directory = tree().at(id).is_directory();
    begin("unlink " + name.substr(0, 16) + " (" + std::to_string(id) + ") in " + std::to_string(directory));
    int error = core_unlink(parent, name.data(), length_of(name), object, now());
    if (error == -k_enospc)
        fail("removing %s gave ENOSPC", name.c_str());
    if (error)
        return end(error);
    Tree& next = edit();
    next.update(directory, [&](ObjectState& state) { state.entries.erase(name); });
    predict(next, id, object, is_directory ? 0 : next.at(id).attr.links - 1, next.at(id).attr.size_bytes);
    if (!next.at(directory).partial)
        predict(next, directory, parent, next.at(directory).attr.links - (is_directory ? 1 : 0), 0);
    end(0);
    // Some files are still in use when their last name goes.
    if (!m_random.one_in(4))
        dispose(id, object);
    return 0;
}

int Worker::link(u64 directory, const std::string& name, u64 id)
{
    core_object* parent = get(directory);
    core_object* object = parent ? get(id) : nullptr;
    if (!object)
        return m_stopped ? -5 : -k_enomem;
    begin("link " + name.substr(0, 16) + " to " + std::to_string(id) + " in " + std::to_string(directory));
    int error = core_link(parent, name.data(), length_of(name), object, now());
    if (error)
        return end(error);
    Tree& next = edit();
    next.update(directory, [&](ObjectState& state) { state.entries[name] = { id, dirent_type(next.at(id).attr.mode) }; });
    predict(next, id, object, next.at(id).attr.links + 1, next.at(id).attr.size_bytes);
    if (!next.at(directory).partial)
        predict(next, directory, parent, next.at(directory).attr.links, 0);
    return end(0);
}

int Worker::rename(u64 from, const std::string& from_name, u64 to, const std::string& to_name, unsigned flags)
{
    const Entry moved = tree().at(from).entries.at(from_name);
    auto occupied = tree().at(to).entries.find(to_name);
    u64 victim = occupied == tree().at(to).entries.end() ? 0 : occupied->second.id;
    struct core_rename request {};
    request.from_directory = get(from);
    request.to_directory = request.from_directory ? get(to) : nullptr;
    request.object = request.to_directory ? get(moved.id) : nullptr;
    if (!request.object)
        return m_stopped ? -5 : -k_enomem;
    request.victim = victim ? get(victim) : nullptr;
    if (victim && !request.victim)
        return m_stopped ? -5 : -k_enomem;
    request.from_name = from_name.data();
    request.from_length = length_of(from_name);
    request.to_name = to_name.data();
    request.to_length = length_of(to_name);
    request.flags = flags;
    request.time = now();
    bool exchange = flags & CORE_RENAME_EXCHANGE;
    core_new whiteout {};
    whiteout.mode = 0020000;
    whiteout.time = now();
    request.whiteout = &whiteout;
    bool moved_directory = tree().at(moved.id).is_directory();
    bool victim_directory = victim && tree().at(victim).is_directory();
    begin("rename " + from_name.substr(0, 16) + " (" + std::to_string(moved.id) + ") from " + std::to_string(from) + " to "
          + to_name.substr(0, 16) + " in " + std::to_string(to) + (victim ? " over " + std::to_string(victim) : "")
          + (exchange ? " exchange" : flags & CORE_RENAME_WHITEOUT ? " whiteout" : ""));
    int error = core_rename(&request);
    if (error)
        return end(error);
    Tree& next = edit();
    Entry replaced = victim ? next.at(to).entries.at(to_name) : Entry {};
    next.update(from, [&](ObjectState& state) { state.entries.erase(from_name); });
    next.update(to, [&](ObjectState& state) { state.entries[to_name] = moved; });
    if (exchange)
        next.update(from, [&](ObjectState& state) { state.entries[from_name] = replaced; });
    if (flags & CORE_RENAME_WHITEOUT) {
        u64 left;
        u8 type;
        core_object* made = nullptr;
        if (core_lookup(request.from_directory, from_name.data(), length_of(from_name), &left, &type) || type != 2)
            fail("%s left no whiteout", m_history.descriptions.back().c_str());
        next.forget(left);
        next.update(from, [&](ObjectState& state) { state.entries[from_name] = { left, type }; });
        next.update(left, [](ObjectState&) {});
        if (int gone = core_object_get(m_dataset, left, 0, &made))
            fail("a whiteout gave error %d", gone);
        m_open[left] = made;
        predict(next, left, made, 1, 0);
    }
    i32 from_links = 0, to_links = 0;
    if (from != to && moved_directory)
        from_links--, to_links++;
    if (exchange && from != to && victim_directory)
        from_links++, to_links--;
    if (!exchange && victim_directory)
        to_links--;
    if (from == to)
        from_links += to_links;
    predict(next, moved.id, request.object, next.at(moved.id).attr.links, next.at(moved.id).attr.size_bytes);
    if (victim) {
        u32 links = next.at(victim).attr.links;
        predict(next, victim, request.victim, exchange ? links : victim_directory ? 0 : links - 1, next.at(victim).attr.size_bytes);
    }
    if (!next.at(from).partial)
        predict(next, from, request.from_directory, next.at(from).attr.links + static_cast<u32>(from_links), 0);
    if (from != to && !next.at(to).partial)
        predict(next, to, request.to_directory, next.at(to).attr.links + static_cast<u32>(to_links), 0);
    end(0);
    if (victim && !exchange && !m_random.one_in(4))
        dispose(victim, request.victim);
    return 0;
}

void Worker::sync_pool()
{
    if (int error = m_run.sync()) {
        if (error == -k_enomem && m_options.expect_no_memory)
            return;
        if (!m_options.expect_errors)
            fail("core_pool_sync gave %d", error);
        m_stopped = true;
    }
}

void Worker::sync_object(u64 id)
{
    core_object* object = get(id);
    if (!object)
        return;
    int error = m_run.sync_object(object);
    if (error == -k_enomem && m_options.expect_no_memory)
        return;
    if (error && !m_options.expect_errors)
        fail("core_object_sync gave %d", error);
    if (error)
        m_stopped = true;
}

void Worker::check_object(u64 id)
{
    const ObjectState& expected = tree().at(id);
    if (expected.partial)
        return;
    ObjectState found;
    WalkOptions options = walk_options();
    options.tolerant = m_options.expect_errors || m_options.expect_no_memory;
    int error = read_object(m_dataset, id, found, options);
    if (error || !found.damage.empty()) {
        if (m_options.expect_errors || m_options.expect_no_memory)
            return;
        fail("reading object %llu gave %d%s", static_cast<unsigned long long>(id), error, found.damage.c_str());
    }
    if (found.hash() == expected.hash())
        return;
    Tree one, other;
    one.update(id, [&](ObjectState& state) { state = expected; });
    other.update(id, [&](ObjectState& state) { state = found; });
    fail("a read during the run found other than what was written:%s", one.difference(other, false).c_str());
}

void Worker::check_live()
{
    Tree found = walk(m_dataset, m_options.root, walk_options());
    if (found.hash() != tree().hash())
        fail("the live filesystem is not what was made:%s", tree().difference(found, false).c_str());
}

void Worker::close_all(bool delete_unnamed)
{
    while (!m_open.empty()) {
        auto [id, object] = *m_open.begin();
        const ObjectState* state = tree().find(id);
        if (delete_unnamed && state && state->attr.links == 0 && !m_stopped) {
            dispose(id, object);
            continue;
        }
        m_open.erase(id);
        core_object_put(object);
    }
}

}
