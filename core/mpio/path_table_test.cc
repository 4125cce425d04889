// SPDX-License-Identifier: GPL-2.0-only
// The numbers of the specification of multipath I/O, case by case, and choosing among paths.
#include "core/mpio/path_table.h"

#include "core/test/test.h"

namespace lcpfs {

namespace {

constexpr TargetId k_target(100);

struct Options {
    u8 priority { 0 };
    u32 average_us { 0 }; // 0: never sampled
    u32 depth { 0 };
    PathState state { PathState::active };
};

Path* add(PathTable& table, u32 id, const Options& options = {})
{
    auto path = table.prepare(PathId(id), nullptr, options.priority);
    if (path.is_error())
        return nullptr;
    Path& added = *path.value();
    table.make_present(added, options.state, 0);
    if (options.average_us)
        added.latency.note(SizeClass::small, options.average_us);
    added.depth.store(options.depth);
    added.queued[static_cast<u32>(SizeClass::small)].store(options.depth);
    return &added;
}

// The id chosen, 0 when there is none. `ends` at once, without a sample.
u32 choose(PathTable& table, const PathChoice& choice = {}, bool ends = true)
{
    PathTicket ticket;
    auto path = table.begin(choice, ticket);
    if (path.is_error())
        return 0;
    if (ends) {
        path.value()->queued[ticket.size].sub(1);
        path.value()->depth.sub(1);
    }
    return path.value()->id.value();
}

Status complete(PathTable& table, PathTicket& ticket, u64 bytes, u64 latency_us, Blame blame = Blame::none)
{
    return table.complete(ticket, { ticket.started_ns + latency_us * k_ns_per_us, bytes, blame }).error();
}

// Cases 1, 2: states and a new path.
void states(Test& test)
{
    CHECK(is_usable(PathState::active));
    CHECK(is_usable(PathState::degraded));
    CHECK(!is_usable(PathState::failed));
    CHECK(!is_usable(PathState::repairing));
    PathTable table(k_target);
    Path* path = add(table, 1);
    REQUIRE(path);
    CHECK_EQ(path->id, PathId(1));
    CHECK_EQ(table.target(), k_target);
    CHECK_EQ(path->priority.load(), 0);
    CHECK_EQ(path->get_state(), PathState::active);
    CHECK_EQ(path->depth.load(), 0);
    CHECK(!path->latency.has_samples());
    CHECK_EQ(path->latency.average_us(), 0);
    CHECK_EQ(path->counts().ios, 0);
}

// Cases 3, 9: what a completed request counts.
void accounting(Test& test)
{
    PathTable table(k_target);
    Path* path = add(table, 1);
    REQUIRE(path);
    PathTicket ticket;
    CHECK_OK(table.begin({ 1000 }, ticket));
    CHECK_EQ(path->depth.load(), 1);
    CHECK_OK(complete(table, ticket, 4096, 100));
    CHECK_EQ(path->depth.load(), 0);
    CHECK_EQ(path->counts().ios, 1);
    CHECK_EQ(path->counts().bytes, 4096);
    CHECK_EQ(path->latency.average_us(), 100);
    CHECK_OK(table.begin({ 2000 }, ticket));
    CHECK_OK(complete(table, ticket, 4096, 200));
    CHECK_EQ(path->latency.average_us(), 120);
    // A failed one is an I/O without bytes, and its time says nothing.
    CHECK_OK(table.begin({ 3000 }, ticket));
    CHECK_OK(complete(table, ticket, 4096, 9000, Blame::path));
    CHECK_EQ(path->counts().ios, 3);
    CHECK_EQ(path->counts().bytes, 8192);
    CHECK_EQ(path->counts().errors, 1);
    CHECK_EQ(path->latency.average_us(), 120);
    // What is the disk's fault is not the path's.
    CHECK_OK(table.begin({ 3000 }, ticket));
    CHECK_OK(complete(table, ticket, 4096, 9000, Blame::target));
    CHECK_EQ(path->counts().errors, 1);
    CHECK_EQ(path->window.completions(), 3);
}

// Case 14: ended twice, unknown path, unknown target: errors that count nothing.
void wrong_ends(Test& test)
{
    PathTable table(k_target);
    Path* path = add(table, 1);
    REQUIRE(path);
    PathTicket ticket;
    CHECK_OK(table.begin({}, ticket));
    PathTicket other = ticket;
    other.target++;
    CHECK_ERROR(complete(table, other, 4096, 1), not_found);
    other = ticket;
    other.id = 7;
    CHECK_ERROR(complete(table, other, 4096, 1), not_found);
    other = ticket;
    other.slot = 5;
    CHECK_ERROR(complete(table, other, 4096, 1), not_found);
    CHECK_EQ(path->depth.load(), 1);
    CHECK_OK(complete(table, ticket, 4096, 1));
    CHECK_ERROR(complete(table, ticket, 4096, 1), stale_handle);
    CHECK_EQ(path->depth.load(), 0);
    CHECK_EQ(path->counts().ios, 1);
    CHECK_EQ(path->counts().bytes, 4096);
}

struct PolicyRow {
    const char* name;
    PathPolicy policy;
    Options first, second;
    u32 chosen;
};
constexpr PolicyRow k_policies[] = {
    // Case 6 and its counterparts.
    { "least_queue", PathPolicy::least_queue, { 0, 0, 10 }, { 0, 0, 5 }, 2 },
    { "least_queue_first", PathPolicy::least_queue, { 0, 900, 4 }, { 0, 100, 5 }, 1 },
    { "least_latency", PathPolicy::least_latency, { 0, 200 }, { 0, 100 }, 2 },
    { "least_latency_deep", PathPolicy::least_latency, { 0, 100, 50 }, { 0, 200, 0 }, 1 },
    { "service_time", PathPolicy::service_time, { 0, 50, 20 }, { 0, 100, 5 }, 2 },
    { "service_time_first", PathPolicy::service_time, { 0, 50, 3 }, { 0, 100, 3 }, 1 },
    { "never_sampled_early", PathPolicy::service_time, { 0, 50, 1 }, { 0, 0, 0 }, 2 },
    { "never_sampled_once", PathPolicy::service_time, { 0, 50, 9 }, { 0, 0, 1 }, 1 },
    { "none_sampled", PathPolicy::service_time, { 0, 0, 3 }, { 0, 0, 2 }, 2 },
    { "none_sampled_least_latency", PathPolicy::least_latency, { 0, 0, 3 }, { 0, 0, 2 }, 2 },
    { "never_sampled_once_least_latency", PathPolicy::least_latency, { 0, 50, 9 }, { 0, 0, 1 }, 1 },
    { "priority_first", PathPolicy::service_time, { 1, 50, 0 }, { 0, 30000, 20 }, 2 },
    { "active_before_degraded", PathPolicy::service_time, { 0, 1, 0, PathState::degraded }, { 0, 9000, 30 }, 2 },
    { "degraded_of_better_group", PathPolicy::service_time, { 0, 900, 0, PathState::degraded }, { 1, 1, 0 }, 1 },
    { "failed_is_out", PathPolicy::service_time, { 0, 1, 0, PathState::failed }, { 1, 9000, 30 }, 2 },
    { "repairing_is_out", PathPolicy::round_robin, { 0, 1, 0, PathState::repairing }, { 0, 9000, 30 }, 2 },
};

void check_policy(Test& test, const PolicyRow& row)
{
    PathTable table(k_target);
    table.set_policy(row.policy);
    REQUIRE(add(table, 1, row.first) && add(table, 2, row.second));
    // Twice: the rotation must not matter where one is better.
    CHECK_EQ(choose(table, { 0, 4096 }), row.chosen);
    CHECK_EQ(choose(table, { 0, 4096 }), row.chosen);
}

// Case 5 and 6: the formula.
void service_time(Test& test)
{
    PathTable table(k_target);
    Path* a = add(table, 1, { 0, 50, 10 });
    Path* b = add(table, 2, { 0, 50, 20 });
    Path* c = add(table, 3, { 0, 100, 5 });
    REQUIRE(a && b && c);
    CHECK_EQ(table.service_us(*a, 4096), 1050);
    CHECK_EQ(table.service_us(*b, 4096), 2050);
    CHECK_EQ(table.service_us(*c, 4096), 600);
}

// Cases 7, 8: order and rotation.
void rotation(Test& test)
{
    PathTable equal(k_target);
    equal.set_policy(PathPolicy::round_robin);
    REQUIRE(add(equal, 1) && add(equal, 2));
    const u32 first = choose(equal);
    for (u32 i = 1; i < 9; i++)
        CHECK_EQ(choose(equal), i % 2 ? 3 - first : first);

    PathTable ordered(k_target);
    ordered.set_policy(PathPolicy::round_robin);
    REQUIRE(add(ordered, 1, { 2 }) && add(ordered, 2, { 0 }) && add(ordered, 3, { 1 }) && add(ordered, 4, { 0 }));
    constexpr u32 k_order[] = { 2, 4, 3, 1 };
    for (u32 i = 0; i < 4; i++) {
        REQUIRE(ordered.in_order(i));
        CHECK_EQ(ordered.in_order(i)->id, PathId(k_order[i]));
    }
    CHECK(!ordered.in_order(4));
    u32 seen[5] {};
    for (u32 i = 0; i < 10; i++)
        seen[choose(ordered)]++;
    CHECK_EQ(seen[2], 5);
    CHECK_EQ(seen[4], 5);

    // Ties of every other policy rotate too.
    PathTable ties(k_target);
    REQUIRE(add(ties, 1, { 0, 100 }) && add(ties, 2, { 0, 100 }));
    CHECK(choose(ties) != choose(ties));
}

void failback(Test& test)
{
    PathTable table(k_target);
    Path* good = add(table, 1, { 0, 10 });
    REQUIRE(good && add(table, 2, { 1, 9000 }));
    table.set_failback_delay(100);
    good->usable_since_ns.store(1000);
    CHECK_EQ(choose(table, { 1050 }), 2);
    CHECK_EQ(choose(table, { 1100 }), 1);
    table.set_failback_delay(0);
    CHECK_EQ(choose(table, { 1050 }), 1);
    // Nobody waits for a delay when there is no other.
    table.set_failback_delay(100);
    table.find(PathId(2))->set_state(PathState::failed);
    CHECK_EQ(choose(table, { 1050 }), 1);
    good->set_state(PathState::failed);
    CHECK_EQ(choose(table, { 5000 }), 0);
}

void pinned_and_avoided(Test& test)
{
    PathTable table(k_target);
    Path* a = add(table, 1, { 0, 10 });
    Path* b = add(table, 2, { 0, 9000 });
    REQUIRE(a && b);
    PathChoice pinned { 0, 4096, false, b->slot };
    CHECK_EQ(choose(table, pinned), 2);
    b->set_state(PathState::failed);
    CHECK_EQ(choose(table, pinned), 1);
    b->set_state(PathState::active);
    PathChoice avoided { 0, 4096, false, k_max_paths, a->slot };
    CHECK_EQ(choose(table, avoided), 2);
    b->set_state(PathState::failed);
    CHECK_EQ(choose(table, avoided), 1);
}

// Metadata takes the lower tail, bulk the lower service time.
void tails(Test& test)
{
    PathTable table(k_target);
    Path* steady = add(table, 1);
    Path* jumpy = add(table, 2);
    REQUIRE(steady && jumpy);
    for (u32 i = 0; i < 200; i++) {
        steady->latency.note(SizeClass::small, 300);
        jumpy->latency.note(SizeClass::small, i % 20 == 0 && i < 190 ? 20000 : 100);
    }
    steady->latency.refresh();
    jumpy->latency.refresh();
    CHECK(jumpy->latency.average_us() < steady->latency.average_us());
    CHECK_EQ(choose(table, { 0, 4096, true }), 1);
    CHECK_EQ(choose(table, { 0, 4096, false }), 2);
}

void slots(Test& test)
{
    PathTable table(k_target);
    for (u32 i = 1; i <= k_max_paths; i++)
        REQUIRE(add(table, i));
    CHECK_ERROR(table.prepare(PathId(3), nullptr, 0), exists);
    CHECK_ERROR(table.prepare(PathId(99), nullptr, 0), too_many_devices);
    Path* path = table.find(PathId(3));
    REQUIRE(path);
    path->writes_completed.store(8);
    path->info.volatile_cache = true;
    path->ios.store(5);
    path->latency.note(SizeClass::small, 77);
    const u32 slot = path->slot;
    table.make_absent(*path);
    CHECK(!table.find(PathId(3)));
    CHECK_EQ(table.present_count(), k_max_paths - 1);
    path->id = PathId();
    Path* next = add(table, 99);
    REQUIRE(next);
    CHECK_EQ(next->slot, slot);
    CHECK_EQ(next->counts().ios, 0);
    CHECK(!next->latency.has_samples());
    // What the slot's last path wrote has still to be flushed.
    CHECK(next->owes_flush(next->writes_completed.load()));
    next->cover_writes(8);
    CHECK(!next->owes_flush(next->writes_completed.load()));
    next->cover_writes(3);
    CHECK_EQ(next->writes_flushed.load(), 8);
}

constexpr TestCase k_cases[] = {
    { "states", states },
    { "accounting", accounting },
    { "wrong_ends", wrong_ends },
    { "service_time", service_time },
    { "rotation", rotation },
    { "failback", failback },
    { "pinned_and_avoided", pinned_and_avoided },
    { "tails", tails },
    { "slots", slots },
};

}

LCPFS_SUITE(path_table, k_cases);
LCPFS_TABLE_SUITE(path_policy, k_policies, check_policy);

}
