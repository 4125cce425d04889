// SPDX-License-Identifier: GPL-2.0-only
// A repair, when a device has trouble with the log for a moment. In a process only: it needs a machine of hardly any memory.
#include "core/repair/repair.h"
#include "core/test/check_ground.h"
#include "core/test/test.h"

#include "userspace/host/common/memory.h"

namespace lcpfs {

namespace {

Result<RepairOutcome> repair(TestPool& pool)
{
    host_bdev* const devices[] = { pool.device(0), pool.device(1) };
    core_check_report report {};
    Findings findings(nullptr, nullptr, nullptr, report);
    return repair_pool({ devices, 2 }, 0, findings);
}

// A pool that needs lost+found, and a log longer than what is read of it at once, at whose end something is made.
bool leave_long_log(Test& test, CheckGround& ground)
{
    TestPool& pool = ground.pool;
    constexpr u32 k_writes = 5;
    bool is_good = CHECK_OK(remove_name(ground, ground.place.top(), StringView("other"))) && pool.sync() == 0;
    core_pool_set_options(pool.handle(), 3600u * 1000, CORE_ERRORS_REMOUNT_RO);
    core_object* file = nullptr;
    host_pool* memory = host_pool_create("lcpfs_long_log", k_max_log_data_bytes, 0);
    void* data = host_pool_alloc(memory, HOST_ALLOC_ZERO);
    is_good = is_good && pool.create(pool.root(), "long", k_mode_regular | 0644, &file) == 0;
    for (u32 i = 0; i < k_writes && is_good; i++) {
        constexpr u32 k_blocks = k_max_log_data_bytes / k_block_size;
        bool is_backed;
        const core_segment segment { data, k_max_log_data_bytes };
        is_good = core_reserve_for(file, i * k_blocks, k_blocks, k_blocks, &is_backed) == 0
            && core_log_write(file, i * k_blocks, &segment, 1, u64(i + 1) * k_max_log_data_bytes, false) == 0
            && core_object_sync(file) == 0;
    }
    core_object_put(file);
    file = nullptr;
    is_good = is_good && pool.create(pool.root(), "fsynced", k_mode_regular | 0644, &file) == 0
        && pool.write(file, 0, 3, 77, 3 * k_block_size) == 0 && core_object_sync(file) == 0;
    core_object_put(file);
    host_pool_free(memory, data);
    host_pool_destroy(memory);
    ground.release();
    (void)pool.crash();
    return CHECK(is_good);
}

// With one read of each device failing, whichever it is: what only the log has is there afterwards. `ended`: there was no such read.
void log_read_with_trouble(Test& test, u64 read, bool& ended)
{
    Box<CheckGround> ground = REQUIRE_VALUE(make_box<CheckGround>());
    REQUIRE(ground->start());
    TestPool& pool = ground->pool;
    REQUIRE(leave_long_log(test, *ground));
    u64 before[2];
    for (u32 device = 0; device < 2; device++) {
        before[device] = lcpfs_test_device_requests(pool.device(device), HOST_IO_READ);
        lcpfs_test_device_fail(pool.device(device), HOST_IO_READ, read, 1);
    }
    host_set_memory_bytes(1 << 20); // nothing of the log is kept
    const auto repaired = repair(pool);
    host_set_memory_bytes(0);
    ended = true;
    for (u32 device = 0; device < 2; device++) {
        lcpfs_test_device_fail(pool.device(device), HOST_IO_READ, 0, 0);
        ended = ended && lcpfs_test_device_requests(pool.device(device), HOST_IO_READ) - before[device] <= read;
    }
    if (repaired.is_error())
        REQUIRE_OK(repair(pool));
    else
        CHECK(!repaired.value().lacks_log);
    REQUIRE_EQ(pool.open(false), 0);
    CHECK(has_path(pool, "fsynced"));
}

void log_troubles(Test& test)
{
    bool ended = false;
    for (u64 read = 0; !ended && !test.failed(); read++)
        log_read_with_trouble(test, read, ended);
}

constexpr TestCase k_cases[] = { { "log_troubles", log_troubles } };

}

LCPFS_SUITE(repair_log, k_cases);

}
