// SPDX-License-Identifier: GPL-2.0-only
// Pools that are opened by labels read before their device was held.
#include "core/pool/pool.h"

#include "core/test/pool.h"
#include "core/test/test.h"
#include "core/vdev/label.h"

namespace lcpfs {

namespace {

struct EarlyGround {
    TestDevice device { 16ull << 20 };
    core_label label {};
    core_labels* labels { nullptr };
    bool changed { false };
    ~EarlyGround() { core_labels_free(labels); }
    int look()
    {
        core_labels_free(labels);
        labels = nullptr;
        return core_read_labels(device.get(), &label, false, &labels);
    }
    int open_and_close()
    {
        host_bdev* const bdevs[] = { device.get() };
        core_pool_options options {};
        options.cache_limit_bytes = 1u << 20;
        options.labels = &labels;
        options.early_changed = &changed;
        core_pool* pool;
        const int result = core_pool_open(bdevs, 1, &options, &pool);
        return result ? result : core_pool_close(pool);
    }
    // As somebody does who comes between.
    Status rewrite(u32 first, u32 end)
    {
        Box<Label> written = TRY(read_label(device.get()));
        written->header.label_generation.set(written->header.label_generation.get() + 1);
        seal_label(*written);
        for (u32 index = first; index < end; index++)
            TRY(write_label_copy(device.get(), index, *written));
        return {};
    }
};

void changed_between(Test& test)
{
    Box<EarlyGround> ground = REQUIRE_VALUE(make_box<EarlyGround>());
    REQUIRE(ground->device);
    host_bdev* const bdevs[] = { ground->device.get() };
    core_format_options format {};
    format.name = "pool";
    REQUIRE_EQ(core_pool_format(bdevs, 1, &format), 0);
    REQUIRE_EQ(ground->look(), 0);
    CHECK_EQ(ground->open_and_close(), 0);
    CHECK(!ground->changed);
    struct Part {
        u32 first, end;
    };
    const Part parts[] = { { 0, 4 }, { 0, 1 }, { 1, 4 } }; // all of it, what began after the look, what ended after it
    for (const Part& part : parts) {
        REQUIRE_OK(ground->rewrite(0, 4));
        REQUIRE_EQ(ground->look(), 0);
        REQUIRE_OK(ground->rewrite(part.first, part.end));
        CHECK_EQ(ground->open_and_close(), -errno_of(Error::busy));
        CHECK(ground->changed);
        REQUIRE_OK(ground->rewrite(0, 4));
        REQUIRE_EQ(ground->look(), 0);
        CHECK_EQ(ground->open_and_close(), 0);
        CHECK(!ground->changed);
    }
}

constexpr TestCase k_cases[] = { { "changed_between", changed_between } };
}
LCPFS_SUITE(early_label, k_cases);

}
