// SPDX-License-Identifier: GPL-2.0-only
// LogPool: what cases of the intent log in the filesystem begin with.
#pragma once

#include "core/test/pool.h"

namespace lcpfs {

constexpr u32 k_file = 0100644, k_directory = 0040755;

// A pool whose groups commit only when asked to, with some files, committed.
struct LogPool {
    TestPool pool;
    host_pool* memory { nullptr };
    u8* data { nullptr }; // k_max_log_data_bytes
    core_object* file { nullptr };
    core_object* directory { nullptr };

    ~LogPool()
    {
        drop();
        if (data)
            host_pool_free(memory, data);
        host_pool_destroy(memory);
    }
    void drop()
    {
        core_object** const held[] = { &file, &directory };
        for (core_object** object : held) {
            if (*object)
                core_object_put(*object);
            *object = nullptr;
        }
    }
    int find()
    {
        const int found = pool.find(pool.root(), "file", &file);
        return found ? found : pool.find(pool.root(), "directory", &directory);
    }
    Status start()
    {
        memory = host_pool_create("test_log_data", k_max_log_data_bytes, 0);
        data = memory ? static_cast<u8*>(host_pool_alloc(memory, 0)) : nullptr;
        if (!data)
            return Error::no_memory;
        TRY(pool.start());
        core_pool_set_options(pool.handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO);
        core_object* root = pool.root();
        int result = pool.create(root, "file", k_file, &file);
        result = result ? result : pool.create(root, "directory", k_directory, &directory);
        result = result ? result : pool.write(file, 0, 8, 100, 8 * k_block_size - 50);
        result = result ? result : pool.make(root, "a", k_file);
        result = result ? result : pool.make(root, "b", k_file);
        result = result ? result : pool.make(root, "empty", k_directory);
        result = result ? result : pool.make(directory, "inside", k_file);
        result = result ? result : pool.settle();
        return result ? Status(Error::io_error) : Status();
    }
    // Blocks full of a tag, through the log.
    int log_write(core_object* object, u64 block, u32 count, u32 tag, u64 size_bytes)
    {
        u32* words = reinterpret_cast<u32*>(data);
        for (u32 i = 0; i < count * k_block_size / 4; i++)
            words[i] = tag + i / (k_block_size / 4);
        bool backed;
        if (int error = core_reserve_for(object, block, count, count, &backed))
            return error;
        const core_segment segment { data, count * k_block_size };
        const int error = core_log_write(object, block, &segment, 1, size_bytes, false);
        if (error)
            core_unreserve(object, count);
        return error;
    }
    u64 committed()
    {
        core_pool_status status;
        core_pool_get_status(pool.handle(), &status);
        return status.committed_txg;
    }
    int crash_and_open()
    {
        drop();
        (void)pool.crash();
        if (int error = pool.open(false))
            return error;
        core_pool_set_options(pool.handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO);
        return find();
    }
};

}
