// SPDX-License-Identifier: GPL-2.0-only
// Some files, what has to be in them, and operations on both.
#pragma once

#include "core/test/log_pool.h"

namespace lcpfs {

struct FilesGround {
    static constexpr u32 k_blocks = 60; // of a file
    static constexpr u32 k_files = 3;
    static constexpr const char* k_names[k_files] = { "x", "y", "z" };

    LogPool log;
    TestPool& pool { log.pool };
    core_object* file[k_files] {};
    u32 tags[k_files][k_blocks] {};
    u32 end[k_files] {}; // blocks
    u32 next_tag { 1000 };

    ~FilesGround() { drop(); }
    void drop()
    {
        for (core_object*& object : file) {
            if (object)
                core_object_put(object);
            object = nullptr;
        }
    }
    Status start()
    {
        TRY(log.start());
        for (u32 i = 0; i < k_files; i++)
            if (pool.create(pool.root(), k_names[i], k_file, &file[i]) != 0)
                return Error::io_error;
        return {};
    }
    int find()
    {
        int result = 0;
        for (u32 i = 0; i < k_files && !result; i++)
            result = pool.find(pool.root(), k_names[i], &file[i]);
        return result;
    }
    int crash()
    {
        drop();
        const int result = log.crash_and_open();
        return result ? result : find();
    }
    int write(u32 which, u32 first, u32 count, bool logged = false)
    {
        const u64 size = u64(max(end[which], first + count)) * k_block_size;
        const int result = logged ? log.log_write(file[which], first, count, next_tag, size)
                                  : pool.write(file[which], first, count, next_tag, size);
        for (u32 i = 0; i < count && !result; i++)
            tags[which][first + i] = next_tag + i;
        next_tag += count;
        end[which] = result ? end[which] : max(end[which], first + count);
        return result;
    }
    int clone(u32 from, u32 first, u32 to, u32 at, u32 count)
    {
        const u32 new_end = max(end[to], at + count);
        const core_clone how { file[from], file[to], first, at, count, u64(new_end) * k_block_size, { 7, 8 }, false };
        const int result = core_clone_range(&how);
        u32 taken[k_blocks];
        copy_bytes(taken, tags[from] + first, count * sizeof(u32));
        if (!result)
            copy_bytes(tags[to] + at, taken, count * sizeof(u32));
        end[to] = result ? end[to] : new_end;
        return result;
    }
    int punch(u32 which, u32 first, u32 count)
    {
        for (u32 i = first; i < first + count; i++)
            tags[which][i] = TestPool::k_hole;
        return core_punch(file[which], first, count, { 1, 1 });
    }
    int truncate(u32 which, u32 blocks)
    {
        for (u32 i = blocks; i < k_blocks; i++)
            tags[which][i] = TestPool::k_hole;
        end[which] = blocks;
        return pool.truncate(file[which], u64(blocks) * k_block_size);
    }
    // The first file and block that is not as it should be: file * 100 + block; ~0: none.
    u32 difference()
    {
        u32 found[k_blocks];
        for (u32 which = 0; which < k_files; which++) {
            if (pool.size(file[which]) != u64(end[which]) * k_block_size)
                return which * 100 + 99;
            if (end[which] && pool.read(file[which], 0, end[which], found) != 0)
                return which * 100 + 98;
            for (u32 i = 0; i < end[which]; i++)
                if (found[i] != tags[which][i])
                    return which * 100 + i;
        }
        return ~0u;
    }
    // Takes blocks out, or puts a hole in.
    int shift(u32 which, u32 first, u32 count, bool inserts)
    {
        if (first >= end[which] || (inserts ? end[which] + count > k_blocks : first + count >= end[which]))
            return 0;
        const u32 moved = end[which] - first - (inserts ? 0 : count);
        move_bytes(tags[which] + first + (inserts ? count : 0), tags[which] + first + (inserts ? 0 : count), moved * sizeof(u32));
        const u32 holes_from = inserts ? first : end[which] - count;
        for (u32 i = 0; i < count; i++)
            tags[which][holes_from + i] = TestPool::k_hole;
        end[which] = inserts ? end[which] + count : end[which] - count;
        return inserts ? core_insert(file[which], first, count, { 2, 2 }) : core_collapse(file[which], first, count, { 2, 2 });
    }
    int step(TestRandom& random)
    {
        const u32 which = random.below(k_files);
        const u32 first = random.below(k_blocks - 1);
        const u32 count = 1 + random.below(min(k_blocks - first, 1 + random.below(20)));
        switch (random.below(10)) {
        case 0:
        case 1:
            return write(which, first, count);
        case 2:
            return write(which, first, min(count, 8u), true);
        case 3:
            return truncate(which, random.below(k_blocks));
        case 4:
            return punch(which, first, count);
        default:
            break;
        }
        const u32 to = random.below(k_files);
        const u32 at = random.below(k_blocks - count + 1);
        if (to == which && at < first + count && first < at + count)
            return 0;
        return clone(which, first, to, at, count);
    }
};

}
