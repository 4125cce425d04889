// SPDX-License-Identifier: GPL-2.0-only
// One target reached by two devices over one memory, with requests to it and ways to break, hold and heal each device.
#pragma once

#include "core/mpio/path_manager.h"
#include "core/test/device.h"
#include "core/test/test.h"

namespace lcpfs {

class Paths {
public:
    static constexpr u64 k_device_bytes = 16ull << 20;
    static constexpr u64 k_place = 1 << 20;
    static constexpr TargetId k_target { 0 };
    static constexpr u64 k_always = ~0ull >> 1;

    Paths() : b(TestDevice::PathTo { a }), c(TestDevice::PathTo { a }) {}
    ~Paths()
    {
        manager.reset();
        for (u8* page : pages)
            if (page)
                host_pool_free(page_pool, page);
        host_pool_destroy(page_pool);
        if (requests)
            host_io_pool_destroy(requests);
    }
    Status start(bool adds_second = true)
    {
        if (!a || !b || !c)
            return Error::no_memory;
        page_pool = host_pool_create("test_page", k_block_size, 0);
        requests = host_io_pool_create("test_io", 4);
        if (!page_pool || !requests)
            return Error::no_memory;
        for (u8*& page : pages)
            if (!(page = static_cast<u8*>(host_pool_alloc(page_pool, HOST_ALLOC_ZERO))))
                return Error::no_memory;
        manager = TRY(PathManager::create(DiskGuid { { 1, 2, 3 } }));
        group = TRY(manager->add_group(k_target, DiskGuid { { 4 } }, a.get()));
        first = group->table().slot(0).id;
        if (adds_second)
            second = TRY(manager->add_path(k_target, b.get(), 0));
        return {};
    }
    Path& path(PathId id) { return *group->table().find(id); }

    struct Pending {
        host_io* io { nullptr };
        Atomic<u32> ended { 0 };
        host_io_status status { HOST_IO_OK };
        Event event;
        SpinLock lock { LCPFS_RANK_io };
        bool wait(u64 timeout_ns = 20 * k_ns_per_s)
        {
            const bool in_time = event.wait_timeout(timeout_ns, [&] { return ended.load() != 0; });
            SpinGuard guard(lock);
            return in_time;
        }
    };
    // Over page `page`; several blocks take the same page again.
    void begin(Pending& pending, host_io_op op, u64 offset_bytes, u32 page = 0, unsigned flags = 0, u32 blocks = 1)
    {
        pending.ended.store(0);
        pending.io = host_io_alloc(requests, nullptr, op, flags, blocks);
        pending.io->offset_bytes = offset_bytes;
        if (op == HOST_IO_READ || op == HOST_IO_WRITE)
            for (u32 i = 0; i < blocks; i++) {
                segments[i] = { pages[page], k_block_size };
                host_io_add(pending.io, pages[page], k_block_size);
            }
        pending.io->core[0] = reinterpret_cast<u64>(&pending);
        pending.io->core[1] = reinterpret_cast<u64>(group);
        pending.io->done = [](host_io* io) {
            Pending& its = *reinterpret_cast<Pending*>(io->core[0]);
            PathGroup& group = *reinterpret_cast<PathGroup*>(io->core[1]);
            group.ended(io);
            if (io->op == HOST_IO_WRITE && !(io->flags & HOST_IO_FUA))
                group.note_written(io);
            SpinGuard guard(its.lock);
            its.status = io->status;
            host_io_free(io);
            its.ended.store(1);
            its.event.wake();
        };
        const bool has_memory = pending.io->length_bytes != 0;
        group->submit(pending.io, { segments, has_memory ? blocks : 0u });
    }
    host_io_status run(host_io_op op, u64 offset_bytes = k_place, u32 page = 0, unsigned flags = 0, u32 blocks = 1)
    {
        begin(one, op, offset_bytes, page, flags, blocks);
        one.wait();
        return one.status;
    }
    host_io_status write(u8 tag, u64 offset_bytes = k_place)
    {
        __builtin_memset(pages[0], tag, k_block_size);
        return run(HOST_IO_WRITE, offset_bytes);
    }
    u8 on_disk(u64 offset_bytes = k_place)
    {
        u8 byte;
        lcpfs_test_device_peek(a.get(), offset_bytes + 5, &byte, 1);
        return byte;
    }
    bool await_state(PathId id, PathState state)
    {
        for (u32 i = 0; i < 2000 && path(id).get_state() != state; i++)
            pause();
        return path(id).get_state() == state;
    }
    void pause() { (void)never.wait_timeout(10 * k_ns_per_ms, [] { return false; }); }
    // Everything the device is asked fails, or nothing.
    void break_device(TestDevice& device, bool is_broken, host_io_status status = HOST_IO_ERROR)
    {
        constexpr host_io_op k_ops[] = { HOST_IO_READ, HOST_IO_WRITE, HOST_IO_FLUSH };
        for (host_io_op op : k_ops)
            lcpfs_test_device_fail_as(device.get(), op, 0, is_broken ? k_always : 0, status);
    }
    void hold_device(TestDevice& device, bool is_held)
    {
        constexpr host_io_op k_ops[] = { HOST_IO_READ, HOST_IO_WRITE, HOST_IO_FLUSH };
        for (host_io_op op : k_ops)
            lcpfs_test_device_hold(device.get(), op, is_held);
    }
    // The next request goes down the first path.
    void prefer_first()
    {
        path(first).priority.store(0);
        path(second).priority.store(1);
    }

    TestDevice a { k_device_bytes };
    TestDevice b, c; // c is no path yet
    Box<PathManager> manager;
    PathGroup* group { nullptr };
    PathId first, second;
    host_io_pool* requests { nullptr };
    host_pool* page_pool { nullptr };
    u8* pages[3] {};
    core_segment segments[32];
    Pending one, other;
    Event never;
};

// The paths, started; the case ends when that fails.
#define START_PATHS(paths, ...)                          \
    Box<Paths> owner = REQUIRE_VALUE(make_box<Paths>()); \
    Paths& paths = *owner;                               \
    REQUIRE_OK(paths.start(__VA_ARGS__))

}
