// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/walk.h"

#include <stdlib.h>
#include <string.h>

#include <deque>

#include "userspace/sim/failure.h"
#include "userspace/sim/scheduler.h"

namespace lcpfs::sim {

Blocks::Blocks(u64 count)
    : m_data(static_cast<u8*>(aligned_alloc(4096, count * CORE_BLOCK_SIZE)))
    , m_count(count)
{
}
Blocks::~Blocks() { free(m_data); }

std::vector<core_segment> Blocks::segments(u64 count, unsigned pieces)
{
    std::vector<core_segment> result;
    for (u64 done = 0; done < count;) {
        u64 left = count - done;
        u64 part = pieces <= 1 ? left : Scheduler::get().random().between(1, left);
        if (pieces > 1)
            pieces--;
        result.push_back({ at(done), static_cast<u32>(part * CORE_BLOCK_SIZE) });
        done += part;
    }
    return result;
}

namespace {

struct Completion {
    bool done { false };
    int error { 0 };
    std::vector<u64>* bad { nullptr };
    u64 count { 0 };

    void finish(int result)
    {
        if (done)
            fail("a completion ran twice");
        error = result;
        done = true;
        Scheduler::get().wake(this);
    }
    int wait(const char* what)
    {
        while (!done)
            Scheduler::get().block(this, what);
        return error;
    }
};

}

int read_blocks(core_object* object, u64 block, Blocks& blocks, u64 count, std::vector<u64>* bad)
{
    for (u64 done = 0; done < count; done++)
        memset(blocks.at(done), 0xee, CORE_BLOCK_SIZE);
    Completion completion;
    completion.bad = bad;
    completion.count = count;
    std::vector<core_segment> segments = blocks.segments(count);
    const auto read = block / 64 % 2 ? core_read_wait : core_read; // one as good as the other
    read(
        object, block, segments.data(), static_cast<unsigned>(segments.size()),
        [](void* context, int error, const uint64_t* bad_bits) {
            Completion& completion = *static_cast<Completion*>(context);
            if (completion.bad && bad_bits)
                for (u64 i = 0; i < completion.count; i++)
                    if (bad_bits[i / 64] >> (i % 64) & 1)
                        completion.bad->push_back(i);
            completion.finish(error);
        },
        &completion);
    return completion.wait("a core_read");
}

int reserve_blocks(core_object* object, u64 block, u64 count)
{
    bool backed;
    return core_reserve_for(object, block, count, count, &backed);
}

int write_reserved(core_object* object, u64 block, Blocks& blocks, u64 count, u64 size_bytes, unsigned pieces)
{
    Completion completion;
    std::vector<core_segment> segments = blocks.segments(count, pieces);
    core_write(
        object, block, segments.data(), static_cast<unsigned>(segments.size()), size_bytes,
        [](void* context, int error) { static_cast<Completion*>(context)->finish(error); }, &completion);
    return completion.wait("a core_write");
}

int log_reserved(core_object* object, u64 block, Blocks& blocks, u64 count, u64 size_bytes, unsigned pieces)
{
    std::vector<core_segment> segments = blocks.segments(count, pieces);
    if (core_log_write(object, block, segments.data(), static_cast<unsigned>(segments.size()), size_bytes, block % 3 != 0) == 0)
        return 0;
    return write_reserved(object, block, blocks, count, size_bytes, pieces);
}

int write_blocks(core_object* object, u64 block, Blocks& blocks, u64 count, u64 size_bytes)
{
    const int error = reserve_blocks(object, block, count);
    return error ? error : write_reserved(object, block, blocks, count, size_bytes);
}

u64 block_hash(const u8* data)
{
    static const u8 s_zeros[CORE_BLOCK_SIZE] = {};
    return memcmp(data, s_zeros, CORE_BLOCK_SIZE) == 0 ? 0 : host_xxh64(data, CORE_BLOCK_SIZE, 3) | 1;
}

u64 xattr_hash(const std::string& value) { return host_xxh64(value.data(), value.size(), 5) ^ value.size(); }

namespace {

void read_xattrs(core_object* object, ObjectState& state, const WalkOptions& options)
{
    auto any = [](void*, const char*, uint32_t) { return true; };
    uint32_t bytes = 0, listed = 0;
    int error = core_xattr_list(object, any, nullptr, nullptr, 0, &bytes);
    std::string names(bytes, '\0');
    if (!error && bytes)
        error = core_xattr_list(object, any, nullptr, names.data(), bytes, &listed);
    if (!error && listed != bytes)
        fail("core_xattr_list of object %llu gave %u bytes, then %u", static_cast<unsigned long long>(state.attr.id), bytes, listed);
    if (!error && state.attr.has_xattrs != (bytes != 0) && !options.any)
        fail("object %llu is said to have attributes, or not, and is otherwise", static_cast<unsigned long long>(state.attr.id));
    for (size_t at = 0; !error && at < names.size();) {
        const std::string name(names.c_str() + at);
        at += name.size() + 1;
        uint32_t length = 0, copied = 0;
        const u32 name_length = static_cast<u32>(name.size());
        error = core_xattr_get(object, name.data(), name_length, nullptr, 0, &length);
        std::string value(length, 0);
        if (!error && length)
            error = core_xattr_get(object, name.data(), name_length, value.data(), length, &copied);
        if (!error)
            state.xattrs[name] = xattr_hash(value);
    }
    if (!error)
        return;
    if (!options.tolerant)
        fail("reading the attributes of object %llu gave %d", static_cast<unsigned long long>(state.attr.id), error);
    state.damage += " attributes: error " + std::to_string(error);
}

constexpr u64 k_read_at_once = 192;

void read_range(core_object* object, u64 first, u64 end, ObjectState& state, const WalkOptions& options)
{
    Blocks blocks(k_read_at_once);
    u64 size = state.attr.size_bytes;
    for (u64 block = first; block < end;) {
        u64 count = min(end - block, k_read_at_once);
        std::vector<u64> bad;
        int error = read_blocks(object, block, blocks, count, &bad);
        if (error && !options.tolerant)
            fail("reading blocks %llu+%llu of object %llu gave %d", static_cast<unsigned long long>(block),
                 static_cast<unsigned long long>(count), static_cast<unsigned long long>(state.attr.id), error);
        if (error && bad.empty() && options.any) {
            state.damage += " error " + std::to_string(error);
            return;
        }
        if (error && bad.empty())
            fail("reading object %llu gave %d without saying which block", static_cast<unsigned long long>(state.attr.id), error);
        for (u64 i : bad) {
            state.bad_blocks[block + i] = error;
            state.damage += " block " + std::to_string(block + i) + ": error " + std::to_string(error);
        }
        for (u64 i = 0; i < count; i++) {
            if (state.bad_blocks.count(block + i))
                continue;
            u64 start = (block + i) * CORE_BLOCK_SIZE;
            if (start + CORE_BLOCK_SIZE > size)
                memset(blocks.at(i) + (size - start), 0, CORE_BLOCK_SIZE - (size - start));
            if (u64 hash = block_hash(blocks.at(i)))
                state.content[block + i] = hash;
        }
        block += count;
    }
}

void read_content(core_object* object, ObjectState& state, const WalkOptions& options)
{
    u64 end = blocks_for_bytes(state.attr.size_bytes);
    if (options.any) // a size out of nowhere is not a reason to read for years
        end = min<u64>(end, 4096);
    if (end <= 2 * k_read_at_once) {
        read_range(object, 0, end, state, options);
        return;
    }
    for (u64 block = 0; block < end;) {
        core_extent extent {};
        int error = core_map(object, block, &extent);
        if (error) {
            if (!options.tolerant)
                fail("core_map of object %llu block %llu gave %d", static_cast<unsigned long long>(state.attr.id),
                     static_cast<unsigned long long>(block), error);
            state.damage += " map: error " + std::to_string(error);
            return;
        }
        if (extent.blocks == 0 || extent.block != block)
            fail("core_map of object %llu block %llu gave %llu+%llu", static_cast<unsigned long long>(state.attr.id),
                 static_cast<unsigned long long>(block), static_cast<unsigned long long>(extent.block),
                 static_cast<unsigned long long>(extent.blocks));
        u64 stop = extent.blocks > end - block ? end : block + extent.blocks;
        if (!extent.hole)
            read_range(object, block, stop, state, options);
        else // one block of each hole, to see that it reads as zeros
            read_range(object, block, block + 1, state, options);
        block = stop;
    }
}

struct Names {
    std::map<std::string, Entry>* entries;
    std::map<u64, int> cookies;
    const WalkOptions* options;
    u64 directory;
};

bool take_name(void* context, const char* name, uint32_t length, uint64_t id, uint8_t type, uint64_t cookie)
{
    Names& names = *static_cast<Names*>(context);
    std::string text(name, length);
    if (names.options->any && names.cookies[cookie])
        return true;
    if (cookie <= 2 || cookie >> 63)
        fail("readdir of %llu gave %s the cookie %llu", static_cast<unsigned long long>(names.directory), text.c_str(),
             static_cast<unsigned long long>(cookie));
    if (names.cookies[cookie]++)
        fail("readdir of %llu gave the cookie %llu twice", static_cast<unsigned long long>(names.directory),
             static_cast<unsigned long long>(cookie));
    if (names.options->shared_directory == names.directory && text.compare(0, names.options->prefix.size(), names.options->prefix) != 0)
        return true;
    if (!names.entries->emplace(text, Entry { id, type }).second && !names.options->any)
        fail("readdir of %llu gave %s twice", static_cast<unsigned long long>(names.directory), text.c_str());
    return true;
}

}

int read_object(core_dataset* dataset, u64 id, ObjectState& state, const WalkOptions& options)
{
    core_object* object = nullptr;
    int error = core_object_get(dataset, id, 0, &object);
    if (error)
        return error;
    core_object_attr(object, &state.attr);
    state.partial = options.shared_directory == id;
    if (state.is_directory()) {
        Names names { &state.entries, {}, &options, id };
        u64 cookie = 0;
        error = core_readdir(object, &cookie, take_name, &names);
        if (error)
            state.damage += " readdir: error " + std::to_string(error);
    } else if (state.is_symlink()) {
        char buffer[CORE_SYMLINK_MAX + 1];
        u32 length = CORE_SYMLINK_MAX;
        error = core_read_link(object, buffer, &length);
        if (error)
            state.damage += " readlink: error " + std::to_string(error);
        else
            state.target.assign(buffer, length);
    } else if (state.is_file()) {
        read_content(object, state, options);
    }
    if (!state.partial)
        read_xattrs(object, state, options);
    core_object_put(object);
    return 0;
}

Tree walk(core_dataset* dataset, u64 root, const WalkOptions& options)
{
    Tree tree;
    tree.root = root;
    std::deque<u64> left { root };
    if (options.shared_directory)
        left.push_back(options.shared_directory);
    while (!left.empty()) {
        u64 id = left.front();
        left.pop_front();
        if (tree.find(id))
            continue;
        Scheduler::get().note_progress();
        if (options.any && tree.objects().size() > 5000)
            break;
        ObjectState state;
        if (int error = read_object(dataset, id, state, options)) {
            if (!options.tolerant)
                fail("object %llu, which a directory names, gave error %d", static_cast<unsigned long long>(id), error);
            state.damage = "error " + std::to_string(error);
        }
        if (!state.damage.empty() && !options.tolerant)
            fail("object %llu:%s", static_cast<unsigned long long>(id), state.damage.c_str());
        for (const auto& [name, entry] : state.entries)
            left.push_back(entry.id);
        tree.update(id, [&](ObjectState& stored) { stored = std::move(state); });
    }
    return tree;
}

}
