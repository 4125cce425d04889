// SPDX-License-Identifier: GPL-2.0-only
// Pools that are opened by what was read of their device before.
#include "core/test/pool.h"
#include "core/test/test.h"
#include "core/vdev/label.h"

namespace lcpfs {

namespace {

struct AheadGround {
    TestDevice device { 16ull << 20 };
    core_label label {};
    core_labels* labels { nullptr };
    core_pool* pool { nullptr };
    ~AheadGround() { forget(); }
    void forget()
    {
        core_labels_free(labels);
        labels = nullptr;
    }
    int look()
    {
        forget();
        return core_read_labels_ahead(device.get(), &label, &labels);
    }
    int open()
    {
        host_bdev* const bdevs[] = { device.get() };
        core_pool_options options {};
        options.cache_limit_bytes = 1u << 20;
        options.labels = &labels;
        return core_pool_open(bdevs, 1, &options, &pool);
    }
    u64 newest()
    {
        core_pool_status status;
        core_pool_get_status(pool, &status);
        return status.committed_txg;
    }
};

void opened(Test& test)
{
    Box<AheadGround> ground = REQUIRE_VALUE(make_box<AheadGround>());
    REQUIRE(ground->device);
    host_bdev* const bdevs[] = { ground->device.get() };
    CHECK_EQ(ground->look(), -errno_of(Error::label_not_lcpfs));
    core_format_options format {};
    format.name = "pool";
    REQUIRE_EQ(core_pool_format(bdevs, 1, &format), 0);

    // Not opened after all: what is under way is waited for.
    REQUIRE_EQ(ground->look(), 0);
    ground->forget();

    REQUIRE_EQ(ground->look(), 0);
    CHECK_EQ(ground->label.device_count, 1u);
    REQUIRE_EQ(ground->open(), 0);
    const core_new_dataset how { "second", "", 0750, 3, 4, TestPool::k_time };
    CHECK_EQ(core_dataset_create(ground->pool, &how), 0);
    u64 newest = ground->newest();
    REQUIRE_EQ(core_pool_close(ground->pool), 0);

    // Its rings are used up: the newest group is found all the same.
    REQUIRE_EQ(ground->open(), 0);
    CHECK(ground->newest() >= newest);
    newest = ground->newest();
    core_dataset* dataset;
    REQUIRE_EQ(core_dataset_get(ground->pool, "second", &dataset), 0);
    core_dataset_put(dataset);
    REQUIRE_EQ(core_pool_close(ground->pool), 0);

    REQUIRE_EQ(ground->look(), 0);
    REQUIRE_EQ(ground->open(), 0);
    CHECK(ground->newest() >= newest);
    REQUIRE_EQ(core_pool_close(ground->pool), 0);
}

constexpr TestCase k_cases[] = { { "opened", opened } };
}
LCPFS_SUITE(labels_ahead, k_cases);

}
