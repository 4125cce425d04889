// SPDX-License-Identifier: GPL-2.0-only
// What there is to be evacuated, and evacuating it.
#pragma once

#include "core/fs/dataset_change.h"
#include "core/test/partition_pool.h"

namespace lcpfs {

namespace evacuation_test {

using namespace partition_test;

constexpr u32 k_pieces = 96; // files of half a MiB
constexpr u32 k_piece_blocks = 32;

// A partition of 3 metaslabs and some, of which one piece in four stays: none is empty, all would fit into one.
struct Ground {
    Box<TestPool> pool;
    Opened data;

    // `compressed`: those that stay, and those alone. not_supported: there is no lz4 here.
    Status start(const char* partition = "a", bool compressed = false)
    {
        pool = TRY(make_box<TestPool>());
        TRY(pool->start());
        if (create(*pool, partition, 0, 0) || create_dataset(*pool, "data", partition) || data.open(*pool, "data"))
            return Error::invalid;
        for (u32 i = 0; i < k_pieces; i++) {
            if (compressed && i % 4 < 2)
                TRY(set_dataset_compression(pool->pool(), "data", { i % 4 ? Encoding::none : Encoding::lz4, 0 }));
            if (write_piece(i))
                return Error::io_error;
        }
        for (u32 i = 0; i < k_pieces; i++)
            if (i % 4 && remove_piece(i))
                return Error::io_error;
        return pool->settle() ? Error::io_error : Error::none;
    }
    static const char* name_of(u32 i)
    {
        static char name[] = "p000";
        name[1] = static_cast<char>('0' + i / 100);
        name[2] = static_cast<char>('0' + i / 10 % 10);
        name[3] = static_cast<char>('0' + i % 10);
        return name;
    }
    int write_piece(u32 i)
    {
        core_object* file;
        if (int error = pool->create(data.root, name_of(i), k_file, &file))
            return error;
        const int error = pool->write(file, 0, k_piece_blocks, i * 100 + 1, k_piece_blocks * k_block_size);
        core_object_put(file);
        return error;
    }
    // Into the log, and to its place later.
    int log_write(core_object* file, u64 block, u32 tag)
    {
        u32* const words = reinterpret_cast<u32*>(pool->page());
        for (u32 i = 0; i < k_block_size / sizeof(u32); i++)
            words[i] = tag;
        const core_segment segment { pool->page(), k_block_size };
        return core_log_write(file, block, &segment, 1, k_piece_blocks * k_block_size, false);
    }
    int remove_piece(u32 i) { return data.remove(name_of(i)); }
    // Whether the pieces that stay have what was written.
    bool is_whole(u32 except = ~0u)
    {
        for (u32 i = 0; i < k_pieces; i += 4) {
            u32 tags[k_piece_blocks];
            core_object* file;
            if (i == except)
                continue;
            if (data.find(name_of(i), &file))
                return false;
            const int error = pool->read(file, 0, k_piece_blocks, tags);
            core_object_put(file);
            for (u32 block = 0; block < k_piece_blocks; block++)
                if (error || tags[block] != i * 100 + 1 + block)
                    return false;
        }
        return true;
    }
    OwnerSlot owner() { return pool->pool().partitions().slot_of(PartitionId(2)); }
    u64 size() { return size_of(*pool, "a"); }
    // Asks for all that is not used, as the controller does, and sees it through.
    void ask(u64 blocks = 100 * k_metaslab) { pool->pool().partitions().evacuation().ask(owner(), blocks); }
    int evacuate(u64 blocks = 100 * k_metaslab)
    {
        ask(blocks);
        if (pool->pool().wake_background().is_error())
            return -1;
        pool->pool().background().wait_idle();
        return 0;
    }
    int lower_maximum(u64 blocks)
    {
        return change(*pool, { CORE_PARTITION_SET, CORE_PARTITION_SET_MAXIMUM, "a", "", 0, blocks });
    }
    u64 wrong()
    {
        const int settled = pool->settle();
        return settled ? ~0ull : pool->check();
    }
};

}

}
