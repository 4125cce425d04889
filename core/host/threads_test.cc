// SPDX-License-Identifier: GPL-2.0-only
#include "core/base/atomic.h"
#include "core/host/host.h"
#include "core/host/memory.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {
// `work` first: the body gets back to the item from it.
struct Item {
    host_work work;
    host_workqueue* queue { nullptr };
    Atomic<u32> runs { 0 };
    u32 requeue { 0 };
};

// In allocated memory: the kernel wants work on a stack to be marked as such.
struct Items {
    Item item[5];
};

void run_item(host_work* work)
{
    Item& item = *reinterpret_cast<Item*>(work);
    if (item.runs.add(1) <= item.requeue)
        host_work_queue(item.queue, work);
}
}

static void work_runs(Test& test)
{
    host_workqueue* queue = host_workqueue_create("test_queue");
    REQUIRE(queue);
    Result<Box<Items>> made = make_box<Items>();
    if (CHECK_OK(made)) {
        Items& items = *made.value();
        for (Item& item : items.item) {
            item.queue = queue;
            host_work_init(&item.work, run_item);
            host_work_queue(queue, &item.work);
        }
        host_workqueue_drain(queue);
        for (Item& item : items.item)
            CHECK_EQ(item.runs.load(), 1u);
        host_work_queue(queue, &items.item[2].work);
        host_workqueue_drain(queue);
        CHECK_EQ(items.item[2].runs.load(), 2u);
    }
    host_workqueue_destroy(queue);
}

static void work_requeues_itself(Test& test)
{
    host_workqueue* queue = host_workqueue_create("test_queue");
    REQUIRE(queue);
    Result<Box<Item>> made = make_box<Item>();
    if (CHECK_OK(made)) {
        Item& item = *made.value();
        item.queue = queue;
        item.requeue = 10;
        host_work_init(&item.work, run_item);
        host_work_queue(queue, &item.work);
        while (item.runs.load() < 11)
            host_yield();
        host_workqueue_drain(queue);
        CHECK_EQ(item.runs.load(), 11u);
    }
    host_workqueue_destroy(queue);
}

static void clock_and_cpus(Test& test)
{
    u64 first = host_monotonic_ns();
    CHECK(host_monotonic_ns() >= first);
    CHECK(host_realtime_ns() > 0);
    CHECK(host_realtime_coarse_ns() > 0);
    CHECK(host_cpu_count() >= 1);
    CHECK(host_cpu_index() < host_cpu_count());
    u8 a[16] = {}, b[16] = {};
    host_random_bytes(a, sizeof(a));
    host_random_bytes(b, sizeof(b));
    CHECK(compare_bytes(a, b, sizeof(a)) != 0);
}

namespace {
constexpr TestCase k_cases[] = { { "work_runs", work_runs },
                                 { "work_requeues_itself", work_requeues_itself },
                                 { "clock_and_cpus", clock_and_cpus } };
}
LCPFS_SUITE(threads, k_cases);

}
