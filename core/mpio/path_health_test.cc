// SPDX-License-Identifier: GPL-2.0-only
#include "core/mpio/path_health.h"

#include "core/mpio/path_latency.h"
#include "core/test/test.h"

namespace lcpfs {

namespace {

struct WindowRow {
    const char* name;
    u32 successes, errors;
    HealthWindow::Verdict verdict;
};
using enum HealthWindow::Verdict;
constexpr WindowRow k_windows[] = {
    { "nothing", 0, 0, undecided },
    { "94_and_16", 94, 16, failed },            // case 4
    { "100_decide_nothing", 0, 100, undecided }, // case 12
    { "the_101st_does", 0, 101, failed },
    { "ten_and_nine_tenths", 90, 11, failed },  // 11 of 101: 10.9 %
    { "ten_exactly", 99, 11, degraded },        // 11 of 110
    { "five_exactly", 190, 10, active },        // 10 of 200
    { "over_five", 189, 11, degraded },
    { "few", 197, 3, active },
};

void check_window(Test& test, const WindowRow& row)
{
    HealthWindow window;
    for (u32 i = 0; i < row.successes; i++)
        window.note(false);
    for (u32 i = 0; i < row.errors; i++)
        window.note(true);
    CHECK_EQ(window.verdict(), row.verdict);
}

// Old sins expire: half of them with every decay.
void decay(Test& test)
{
    HealthWindow window;
    for (u32 i = 0; i < 400; i++)
        window.note(i < 80);
    CHECK_EQ(window.verdict(), failed);
    window.decay();
    CHECK_EQ(window.completions(), 200);
    CHECK_EQ(window.verdict(), failed);
    for (u32 i = 0; i < 700; i++)
        window.note(false);
    CHECK_EQ(window.verdict(), active);
    for (u32 i = 0; i < 7; i++)
        window.decay();
    CHECK(!window.has_errors());
    CHECK_EQ(window.verdict(), undecided);
}

// 1 s, doubling to 30 s; five good probes; longer after each relapse.
void probing(Test& test)
{
    ProbeTimer timer;
    u64 now_ns = 5 * k_ns_per_s;
    timer.failed(now_ns);
    constexpr u64 k_waits_s[] = { 1, 2, 4, 8, 16, 30, 30 };
    for (u64 wait_s : k_waits_s) {
        CHECK_EQ(timer.due_ns() - now_ns, wait_s * k_ns_per_s);
        now_ns = timer.due_ns();
        timer.bad(now_ns);
    }
    for (u32 i = 1; i <= 5; i++) {
        now_ns = timer.due_ns();
        CHECK_EQ(timer.is_last_of_run(), i == 5);
        CHECK_EQ(timer.good(now_ns), i == 5);
    }
    // A bad one in between begins the run anew.
    timer.failed(now_ns);
    for (u32 i = 0; i < 4; i++)
        CHECK(!timer.good(now_ns));
    timer.bad(now_ns);
    for (u32 i = 0; i < 4; i++)
        CHECK(!timer.good(now_ns));
    CHECK(timer.good(now_ns));
}

void flapping(Test& test)
{
    ProbeTimer timer;
    u64 now_ns = 1000 * k_ns_per_s;
    constexpr u64 k_waits_s[] = { 1, 2, 4, 8, 16, 30, 30 };
    for (u64 wait_s : k_waits_s) {
        timer.failed(now_ns);
        CHECK_EQ(timer.due_ns() - now_ns, wait_s * k_ns_per_s);
        for (u32 i = 0; i < 5; i++) {
            now_ns = timer.due_ns();
            (void)timer.good(now_ns);
        }
        timer.repaired(now_ns);
        now_ns += 60 * k_ns_per_s;
    }
    now_ns += ProbeTimer::k_calm_ns;
    timer.failed(now_ns);
    CHECK_EQ(timer.due_ns() - now_ns, k_ns_per_s);
    // Nobody can wait when there is no other path.
    timer.bad(now_ns);
    timer.bad(now_ns);
    CHECK_EQ(timer.due_ns() - now_ns, 4 * k_ns_per_s);
    timer.set_urgent(true, now_ns);
    CHECK_EQ(timer.due_ns() - now_ns, k_ns_per_s);
    (void)timer.good(now_ns);
    CHECK(timer.due_ns() - now_ns < k_ns_per_s);
    for (u32 i = 0; i < 9; i++) {
        timer.bad(now_ns);
        CHECK_EQ(timer.due_ns() - now_ns, k_ns_per_s);
    }
    timer.set_urgent(false, now_ns);
    timer.bad(now_ns);
    CHECK_EQ(timer.due_ns() - now_ns, ProbeTimer::k_longest_ns);
}

void latency_average(Test& test)
{
    PathLatency latency;
    CHECK(!latency.has_samples());
    latency.note(SizeClass::small, 0);
    CHECK(latency.has_samples());
    CHECK_EQ(latency.average_us(), 0);
    latency.note(SizeClass::small, 100);
    CHECK_EQ(latency.average_us(), 20);
    latency.note(SizeClass::large, 7);
    CHECK_EQ(latency.average_us(), 17); // 87 / 5
    latency.forget_average();
    CHECK(!latency.has_samples());
    latency.note(SizeClass::huge, 500);
    CHECK_EQ(latency.average_us(), 500);
    latency.note(SizeClass::huge, ~0u);
    CHECK_EQ(latency.average_us(), (4 * 500 + u64(~0u)) / 5);
}

void size_classes(Test& test)
{
    constexpr struct {
        u64 bytes;
        SizeClass size;
    } k_rows[] = { { 0, SizeClass::small }, { 8192, SizeClass::small }, { 8193, SizeClass::medium }, { 65536, SizeClass::medium },
        { 65537, SizeClass::large }, { 262144, SizeClass::large }, { 262145, SizeClass::huge }, { ~0ull, SizeClass::huge } };
    for (const auto& row : k_rows)
        CHECK_EQ(size_class_of(row.bytes), row.size);
}

// Every latency lies in its bucket, and buckets do not overlap.
void buckets(Test& test)
{
    u32 last = 0;
    for (u32 latency_us = 1; latency_us < 1u << 24; latency_us += 1 + latency_us / 7) {
        const u32 bucket = PathLatency::bucket_of(latency_us);
        CHECK(bucket < PathLatency::k_buckets && bucket >= last);
        if (bucket + 1 < PathLatency::k_buckets) {
            CHECK(latency_us <= PathLatency::bucket_end_us(bucket));
            CHECK_EQ(PathLatency::bucket_of(PathLatency::bucket_end_us(bucket)), bucket);
            CHECK_EQ(PathLatency::bucket_of(PathLatency::bucket_end_us(bucket) + 1), bucket + 1);
        }
        last = bucket;
    }
    CHECK_EQ(PathLatency::bucket_of(~0u), PathLatency::k_buckets - 1);
}

void percentiles(Test& test)
{
    PathLatency latency;
    CHECK_EQ(latency.percentile_us(SizeClass::small, 990), 0);
    for (u32 i = 0; i < 1000; i++)
        latency.note(SizeClass::small, i < 985 ? 100 : 5000);
    CHECK(latency.percentile_us(SizeClass::small, 500) >= 100 && latency.percentile_us(SizeClass::small, 500) < 150);
    CHECK(latency.percentile_us(SizeClass::small, 990) >= 5000 && latency.percentile_us(SizeClass::small, 990) < 8000);
    CHECK_EQ(latency.percentile_us(SizeClass::medium, 990), 0);
    CHECK_EQ(latency.tail_us(SizeClass::small), 0);
    latency.refresh();
    CHECK(latency.tail_us(SizeClass::small) >= 5000);
    CHECK(latency.samples(SizeClass::small) >= 490 && latency.samples(SizeClass::small) <= 500);
    // Too few samples leave the tail as it is known.
    for (u32 i = 0; i < 12; i++)
        latency.refresh();
    CHECK_EQ(latency.samples(SizeClass::small), 0);
    CHECK(latency.tail_us(SizeClass::small) >= 5000);
}

void learned_cost(Test& test)
{
    PathLatency latency;
    CHECK_EQ(latency.cost_us(SizeClass::medium), k_default_cost_us);
    latency.note(SizeClass::medium, 1000);
    for (u32 i = 0; i < PathLatency::k_samples_for_cost; i++) {
        CHECK_EQ(latency.cost_us(SizeClass::medium), 1000); // one after the other, until it is known better
        latency.note_among(SizeClass::medium, 5000, 100 + i * 200);
    }
    CHECK_EQ(latency.cost_us(SizeClass::medium), 400);
    CHECK_EQ(latency.cost_us(SizeClass::small), k_default_cost_us);
    // Those that shared the path are no samples of the path alone.
    CHECK_EQ(latency.idle_us(SizeClass::medium), 1000);
    CHECK_EQ(latency.base_us(), 1000);
    for (u32 i = 0; i < 200; i++)
        latency.note_among(SizeClass::medium, 1100, i % 4 ? 0 : 240); // four at once, all in turns
    CHECK(latency.cost_us(SizeClass::medium) > 45 && latency.cost_us(SizeClass::medium) < 80);
    for (u32 i = 0; i < 200; i++)
        latency.note_among(SizeClass::medium, 1100, 3);
    CHECK(latency.cost_us(SizeClass::medium) < 12);
    CHECK(!latency.knows_idle(SizeClass::huge) && !latency.knows_cost(SizeClass::huge));
    for (u32 i = 0; i < PathLatency::k_samples_for_cost; i++)
        latency.note_among(SizeClass::huge, 9000, 2000);
    CHECK(!latency.knows_idle(SizeClass::huge));
    CHECK_EQ(latency.cost_us(SizeClass::huge), 2000);
    latency.note(SizeClass::huge, 5000);
    CHECK_EQ(latency.idle_us(SizeClass::huge), 5000);
    latency.note(SizeClass::small, 70);
    CHECK_EQ(latency.base_us(), 70);
    latency.forget_average();
    CHECK(!latency.knows_idle(SizeClass::huge) && !latency.knows_idle(SizeClass::medium));
}

constexpr TestCase k_cases[] = {
    { "decay", decay },
    { "probing", probing },
    { "flapping", flapping },
    { "latency_average", latency_average },
    { "size_classes", size_classes },
    { "buckets", buckets },
    { "percentiles", percentiles },
    { "learned_cost", learned_cost },
};

}

LCPFS_TABLE_SUITE(path_window, k_windows, check_window);
LCPFS_SUITE(path_health, k_cases);

}
