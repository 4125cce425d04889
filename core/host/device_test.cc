// SPDX-License-Identifier: GPL-2.0-only
// host_io against a device in memory: data, ranges, errors, flushes.
#include "core/base/atomic.h"
#include "core/host/locks.h"
#include "core/host/memory.h"
#include "core/test/device.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {
constexpr u64 k_device_bytes = 8u << 20;

// A device, a request pool, two pages and a way to wait for one request.
struct Bench {
    TestDevice device { k_device_bytes };
    host_io_pool* pool { host_io_pool_create("test_io", 4) };
    host_pool* pages { host_pool_create("test_pages", 4096, 4) };
    u8* page[2] {};
    Event event;
    Atomic<bool> done { false };
    host_io_status status { HOST_IO_OK };

    ~Bench()
    {
        for (u8* memory : page)
            if (memory)
                host_pool_free(pages, memory);
        host_pool_destroy(pages);
        host_io_pool_destroy(pool);
    }
    bool is_ready()
    {
        if (!device || !pool || !pages)
            return false;
        for (u8*& memory : page)
            memory = static_cast<u8*>(host_pool_alloc_reserved(pages));
        return true;
    }
    // Both pages from or to `offset`; flushes carry none.
    host_io_status run(host_io_op op, unsigned flags, u64 offset)
    {
        host_io* io = host_io_alloc(pool, device.get(), op, flags, 2);
        io->offset_bytes = offset;
        io->context = this;
        io->done = [](host_io* io) {
            Bench& bench = *static_cast<Bench*>(io->context);
            bench.status = io->status;
            host_io_free(io);
            bench.done.store(true);
            bench.event.wake();
        };
        if (op == HOST_IO_READ || op == HOST_IO_WRITE)
            for (u8* memory : page)
                host_io_add(io, memory, 4096);
        else if (op == HOST_IO_DISCARD)
            io->length_bytes = 8192;
        done.store(false);
        host_io_submit(io);
        event.wait([&] { return done.load(); });
        return status;
    }
};

void fill(u8* page, u8 seed)
{
    for (u32 i = 0; i < 4096; i++)
        page[i] = static_cast<u8>(seed + i * 7 + (i >> 8));
}
}

static void write_then_read(Test& test)
{
    Box<Bench> bench = REQUIRE_VALUE(make_box<Bench>());
    REQUIRE(bench->is_ready());
    host_bdev_info info;
    host_bdev_get_info(bench->device.get(), &info);
    CHECK_EQ(info.capacity_bytes, k_device_bytes);
    CHECK_EQ(info.logical_block_bytes, 512u);
    CHECK(host_bdev_name(bench->device.get())[0]);
    u64 offsets[] = { 0, 4096, 512, k_device_bytes - 8192 };
    u8 seed = 1;
    for (u64 offset : offsets) {
        fill(bench->page[0], ++seed);
        fill(bench->page[1], ++seed);
        CHECK_EQ(bench->run(HOST_IO_WRITE, seed & 2 ? static_cast<unsigned>(HOST_IO_FUA) : 0u, offset), HOST_IO_OK);
        zero_bytes(bench->page[0], 4096);
        zero_bytes(bench->page[1], 4096);
        CHECK_EQ(bench->run(HOST_IO_READ, HOST_IO_SYNC, offset), HOST_IO_OK);
        u8* memory = static_cast<u8*>(host_alloc(4096, 0));
        REQUIRE(memory);
        fill(memory, seed);
        CHECK(compare_bytes(bench->page[1], memory, 4096) == 0);
        lcpfs_test_device_peek(bench->device.get(), offset + 4096, bench->page[0], 4096);
        CHECK(compare_bytes(bench->page[0], memory, 4096) == 0);
        host_free(memory);
    }
    CHECK_EQ(bench->run(HOST_IO_FLUSH, 0, 0), HOST_IO_OK);
}

static void errors_arrive(Test& test)
{
    Box<Bench> bench = REQUIRE_VALUE(make_box<Bench>());
    REQUIRE(bench->is_ready());
    fill(bench->page[0], 3);
    fill(bench->page[1], 4);
    CHECK_EQ(bench->run(HOST_IO_WRITE, 0, 8192), HOST_IO_OK);
    lcpfs_test_device_fail(bench->device.get(), HOST_IO_READ, 1, 1);
    CHECK_EQ(bench->run(HOST_IO_READ, 0, 8192), HOST_IO_OK);
    CHECK(bench->run(HOST_IO_READ, 0, 8192) != HOST_IO_OK);
    CHECK_EQ(bench->run(HOST_IO_READ, 0, 8192), HOST_IO_OK);
    lcpfs_test_device_fail(bench->device.get(), HOST_IO_WRITE, 0, 1);
    fill(bench->page[0], 9);
    CHECK(bench->run(HOST_IO_WRITE, 0, 8192) != HOST_IO_OK);
    fill(bench->page[1], 3);
    lcpfs_test_device_peek(bench->device.get(), 8192, bench->page[0], 4096);
    CHECK(compare_bytes(bench->page[0], bench->page[1], 4096) == 0);
    lcpfs_test_device_fail(bench->device.get(), HOST_IO_FLUSH, 0, 1);
    CHECK(bench->run(HOST_IO_FLUSH, 0, 0) != HOST_IO_OK);
    CHECK_EQ(bench->run(HOST_IO_FLUSH, 0, 0), HOST_IO_OK);
}

static void segments_fill_up(Test& test)
{
    Box<Bench> bench = REQUIRE_VALUE(make_box<Bench>());
    REQUIRE(bench->is_ready());
    host_io* io = host_io_alloc(bench->pool, bench->device.get(), HOST_IO_WRITE, 0, 1);
    for (u64 word : io->core)
        CHECK_EQ(word, 0u);
    CHECK(host_io_add(io, bench->page[0], 4096));
    CHECK_EQ(io->length_bytes, 4096u);
    host_io_free(io);
}

namespace {
constexpr TestCase k_cases[] = { { "write_then_read", write_then_read },
                                 { "errors_arrive", errors_arrive },
                                 { "segments_fill_up", segments_fill_up } };
}
LCPFS_SUITE(device, k_cases);

}
