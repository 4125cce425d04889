// SPDX-License-Identifier: GPL-2.0-only
// CheckGround: a pool with a small tree of everything in it, and what is done to that tree behind the back of core/fs, to be written by an
// ordinary commit: for the checker and the repair.
#pragma once

#include "core/check/checker.h"
#include "core/object/extent.h"
#include "core/object/name.h"
#include "core/test/pool.h"

namespace lcpfs {

constexpr u32 k_file_blocks = 20;

// One part of the tree of names for each thing that is made wrong:
// top (directory) / sub (directory) / inner (directory); top / file (20 blocks); top / other (3 blocks); top / small; top / link -> file
struct Place {
    core_object *m_top { nullptr }, *m_sub { nullptr }, *m_inner { nullptr }, *m_file { nullptr }, *m_other { nullptr },
        *m_small { nullptr };

    Object& top() { return object_of(m_top); }
    Object& sub() { return object_of(m_sub); }
    Object& inner() { return object_of(m_inner); }
    Object& file() { return object_of(m_file); }
    Object& other() { return object_of(m_other); }
    Object& small() { return object_of(m_small); }
    void release()
    {
        core_object** const objects[] = { &m_top, &m_sub, &m_inner, &m_file, &m_other, &m_small };
        for (core_object** object : objects) {
            if (*object)
                core_object_put(*object);
            *object = nullptr;
        }
    }
};

class CheckGround {
public:
    static constexpr u32 k_most_words = 32;

    ~CheckGround() { release(); }
    bool make_place(Place& place, const char* name)
    {
        const u32 directory = k_mode_directory | 0755, regular = k_mode_regular | 0644;
        return pool.create(pool.root(), name, directory, &place.m_top) == 0 && pool.create(place.m_top, "sub", directory, &place.m_sub) == 0
            && pool.create(place.m_sub, "inner", directory, &place.m_inner) == 0 && pool.create(place.m_top, "file", regular,
                &place.m_file) == 0
            && pool.create(place.m_top, "other", regular, &place.m_other) == 0 && pool.create(place.m_top, "small", regular,
                &place.m_small) == 0
            && pool.write(place.m_file, 0, k_file_blocks, 1, k_file_blocks * k_block_size) == 0
            && pool.write(place.m_other, 0, 3, 1, 3 * k_block_size) == 0 && pool.link(place.m_top, "link", place.m_file) == 0;
    }
    bool start()
    {
        return pool.start().is_ok() && make_place(place, "place") && pool.sync() == 0;
    }
    void release() { place.release(); }
    bool reopen()
    {
        release();
        return pool.close() == 0 && pool.open(true) == 0;
    }
    // The number of findings; which words occur in how many of them is in `said`.
    u64 check(bool data, Span<const char* const> all_words)
    {
        words = all_words;
        zero_bytes(said, sizeof(said));
        core_check_report report;
        const int error = core_check(pool.handle(), data, told, nullptr, this, &report);
        return error ? ~0ull : report.problems;
    }
    u64 check(bool data, const char* one)
    {
        m_one = one;
        return check(data, Span<const char* const>(&m_one, 1));
    }
    Dva first_run(Object& object) // of its first extent
    {
        ReadGuard guard(object.m_lock);
        TreeCursor cursor;
        BigEndianKey zero(0);
        auto found = object.m_tree.find({ zero.data(), 8 }, cursor);
        if (found.is_error() || !found.value())
            return {};
        auto extent = Extent::decode(cursor.key(), cursor.value());
        return extent.is_ok() ? extent.value().dva : Dva {};
    }

    TestPool pool;
    Place place;
    Span<const char* const> words;
    u32 said[k_most_words] {};

private:
    static bool contains(const char* text, const char* words)
    {
        const size_t bytes = __builtin_strlen(words), length = __builtin_strlen(text);
        for (size_t at = 0; at + bytes <= length; at++)
            if (compare_bytes(text + at, words, bytes) == 0)
                return true;
        return false;
    }
    static void told(void* context, const char* text)
    {
        CheckGround& self = *static_cast<CheckGround*>(context);
        for (u32 i = 0; i < self.words.size(); i++)
            self.said[i] += contains(text, self.words[i]);
    }
    const char* m_one { nullptr };
};

// Changes the attributes of an object as no operation would.
template <typename Body>
Status spoil(CheckGround& ground, Object& object, Body body)
{
    WriteGuard guard(object.m_lock);
    TxgHold hold(ground.pool.pool().engine());
    TRY(object.prepare_change(hold.txg()));
    body(object.m_attributes);
    return {};
}

inline Status remove_name(CheckGround& ground, Object& directory, StringView text)
{
    BigEndianKey key(name_cookie(text.bytes(), directory.dataset().hash_seed()));
    WriteGuard guard(directory.m_lock);
    TxgHold hold(ground.pool.pool().engine());
    TRY(directory.prepare_change(hold.txg()));
    TRY(directory.m_tree.prepare_change(hold.txg(), { key.data(), 8 }));
    directory.m_tree.remove(hold.txg(), { key.data(), 8 });
    return {};
}

inline Status add_name(CheckGround& ground, Object& directory, StringView text, u64 object, u8 type, u64 cookie_shift)
{
    u8 value[k_max_name_value_bytes];
    const u32 bytes = encode_name(object, type, text.bytes(), value);
    BigEndianKey key(name_cookie(text.bytes(), directory.dataset().hash_seed()) + cookie_shift);
    WriteGuard guard(directory.m_lock);
    TxgHold hold(ground.pool.pool().engine());
    TRY(directory.prepare_change(hold.txg()));
    TRY(directory.m_tree.prepare_insert(hold.txg(), { key.data(), 8 }, bytes));
    directory.m_tree.insert({ key.data(), 8 }, { value, bytes });
    directory.m_attributes.size_bytes += name_cost(text.size());
    return {};
}

inline Status add_extent(CheckGround& ground, Object& file, u64 file_block, const Dva& dva)
{
    u8 sums[64] {};
    u8 value[sizeof(DiskExtent) + sizeof(sums)];
    Extent extent;
    extent.file_block = file_block;
    extent.length_blocks = dva.length_blocks;
    extent.dva = dva;
    extent.checksum_kind = ChecksumKind::crc32c;
    extent.payload = { sums, size_t(dva.length_blocks) * 4 };
    WriteGuard guard(file.m_lock);
    TxgHold hold(ground.pool.pool().engine());
    TRY(file.prepare_change(hold.txg()));
    extent.birth = hold.txg();
    const u32 bytes = extent.encode({ value, sizeof(value) });
    BigEndianKey key(file_block);
    TRY(file.m_tree.prepare_insert(hold.txg(), { key.data(), 8 }, bytes));
    file.m_tree.insert({ key.data(), 8 }, { value, bytes });
    file.m_attributes.blocks += dva.length_blocks;
    file.m_attributes.size_bytes = max(file.m_attributes.size_bytes, (file_block + dva.length_blocks) * k_block_size);
    return {};
}

// Down one or two names.
inline bool has_path(TestPool& pool, const char* path)
{
    char name[32] {};
    size_t length = 0;
    while (path[length] && path[length] != '/')
        length++;
    copy_bytes(name, path, length);
    if (!path[length])
        return pool.id_of(pool.root(), name) != 0;
    core_object* directory = nullptr;
    if (pool.find(pool.root(), name, &directory) != 0)
        return false;
    const bool found = pool.id_of(directory, path + length + 1) != 0;
    core_object_put(directory);
    return found;
}

}
