// SPDX-License-Identifier: GPL-2.0-only
// A pool with log devices, for tests of what they save and of what their failing and their absence cost.
#pragma once

#include "core/test/failure.h"
#include "core/test/pool.h"

namespace lcpfs {


// A pool with a log device and a file, committed; groups commit only when asked to.
struct LogDeviceGround {
    static constexpr u32 k_file = 0100644;
    static constexpr u64 k_log_bytes = 6ull << 20;
    static constexpr u32 k_data_devices = 2, k_log_device = 2, k_log_mirror = 3;
    TestPool pool;
    host_pool* memory { nullptr };
    u8* data { nullptr }; // of one block
    core_object* file { nullptr };
    u32 made { 0 };

    ~LogDeviceGround()
    {
        drop();
        if (data)
            host_pool_free(memory, data);
        host_pool_destroy(memory);
    }
    void drop()
    {
        if (file)
            core_object_put(file);
        file = nullptr;
    }
    Status start(u32 log_devices = 1)
    {
        memory = host_pool_create("test_log_data", k_block_size, 0);
        data = memory ? static_cast<u8*>(host_pool_alloc(memory, 0)) : nullptr;
        if (!data)
            return Error::no_memory;
        TRY(pool.start_with_log_device(k_log_bytes, log_devices));
        rest();
        int result = pool.create(pool.root(), "file", k_file, &file);
        result = result ? result : pool.write(file, 0, 8, 100, 8 * k_block_size);
        result = result ? result : pool.settle();
        return result ? Status(Error::io_error) : Status();
    }
    void rest() { core_pool_set_options(pool.handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO); }
    // One more file in the root, durable by the log.
    int make_one(bool syncs = true)
    {
        char name[] = "made-00";
        name[5] = static_cast<char>('0' + made / 10);
        name[6] = static_cast<char>('0' + made++ % 10);
        const int result = pool.make(pool.root(), name, k_file);
        return result || !syncs ? result : sync();
    }
    int sync() { return core_object_sync(pool.root()); }
    int log_write(u64 block, u8 tag)
    {
        __builtin_memset(data, tag, k_block_size);
        if (int error = core_reserve(file, 1))
            return error;
        const core_segment segment { data, k_block_size };
        // Some by a frame of their own.
        const int error = core_log_write(file, block, &segment, 1, 8 * k_block_size, block % 2 != 0);
        if (error)
            core_unreserve(file, 1);
        return error;
    }
    void crash()
    {
        drop();
        (void)pool.crash();
    }
    int close()
    {
        drop();
        return pool.close();
    }
    int open(bool discards = false, bool read_only = false)
    {
        core_pool_options options {};
        options.discard_log = discards;
        options.read_only = read_only;
        if (int error = pool.open_with(options))
            return error;
        rest();
        const int error = pool.find(pool.root(), "file", &file);
        if (error)
            (void)pool.close();
        return error;
    }
    u64 requests(u32 device, host_io_op op) { return lcpfs_test_device_requests(pool.device(device), op); }
    u64 data_writes() { return requests(0, HOST_IO_WRITE) + requests(1, HOST_IO_WRITE); }
    void fail(u32 device, host_io_op op, u64 count) { lcpfs_test_device_fail(pool.device(device), op, 0, count); }
    // Out of line: a status is large.
    [[gnu::noinline]] static core_pool_status status_of(core_pool* pool)
    {
        core_pool_status status;
        core_pool_get_status(pool, &status);
        return status;
    }
    [[gnu::noinline]] u64 committed() { return status_of(pool.handle()).committed_txg; }
    [[gnu::noinline]] u64 position() { return status_of(pool.handle()).log_position; }
    [[gnu::noinline]] bool is_frozen() { return status_of(pool.handle()).frozen; }
    [[gnu::noinline]] core_log_device log_device() { return status_of(pool.handle()).log_device; }
    // Destroys every copy of the newest group's uberblock.
    void forget_newest(u64 txg)
    {
        u8 zeros[512] = {};
        for (u32 device = 0; device < k_data_devices; device++)
            for (u32 label = 0; label < k_label_count; label++)
                lcpfs_test_device_poke(pool.device(device),
                                       label_offset(label, TestPool::k_device_bytes / k_block_size) + k_label_ring_offset
                                           + u64(uberblock_slot_of(txg)) * k_uberblock_slot_bytes,
                                       zeros, sizeof(zeros));
    }
};

}
