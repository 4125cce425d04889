// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/host/common/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <vector>

#include "core/host/host.h"
#include "userspace/host/common/thread_context.h"

namespace lcpfs {

namespace {

std::atomic<u64> s_count, s_injected, s_fail_at, s_live_objects, s_live_bytes, s_memory_bytes;
std::atomic<bool> s_fail_all_later, s_reserve_only;

// In front of each object of host_alloc; 16 bytes keep malloc's alignment.
struct Header {
    u64 bytes;
    u64 magic;
};
constexpr u64 k_magic = 0x6c637066736d656d;
constexpr size_t k_largest = size_t(1) << 36; // beyond this the request itself is the mistake

bool shall_fail()
{
    ThreadContext& context = thread_context();
    context.allocations++;
    u64 n = ++s_count;
    u64 at = s_fail_at;
    bool fail = at && (n == at || (n > at && s_fail_all_later));
    if (context.fail_allocation && --context.fail_allocation == 0)
        fail = true;
    if (fail)
        s_injected++;
    return fail;
}

}

void AllocationFailures::fail_nth(u64 n, bool and_all_later)
{
    s_fail_all_later = and_all_later;
    s_fail_at = n ? s_count + n : 0;
}
u64 AllocationFailures::count() { return s_count; }
u64 AllocationFailures::injected() { return s_injected; }
void AllocationFailures::reserve_only(bool on) { s_reserve_only = on; }

AllocationFailures::Pause::Pause()
    : m_left(0), m_left_here(thread_context().fail_allocation), m_all_later(s_fail_all_later), m_reserve_only(s_reserve_only)
{
    const u64 at = s_fail_at, count = s_count;
    if (at)
        m_left = at > count ? at - count : m_all_later ? 1 : 0;
    fail_nth(0, false);
    reserve_only(false);
    thread_context().fail_allocation = 0;
}

AllocationFailures::Pause::~Pause()
{
    fail_nth(m_left, m_all_later);
    reserve_only(m_reserve_only);
    thread_context().fail_allocation = m_left_here;
}

u64 host_memory_live_objects() { return s_live_objects; }
u64 host_memory_live_bytes() { return s_live_bytes; }
void host_set_memory_bytes(u64 bytes) { s_memory_bytes = bytes; }

}

using namespace lcpfs;

void* host_alloc(size_t bytes, unsigned int flags)
{
    if (!(flags & HOST_ALLOC_ATOMIC))
        check_may_sleep("host_alloc");
    if (shall_fail() || bytes > k_largest)
        return nullptr;
    // The kernel gives pages for multiples of a page; keep that alignment visible to the core here too.
    bool whole_pages = bytes && bytes % 4096 == 0;
    size_t front = whole_pages ? 4096 : sizeof(Header);
    char* memory = static_cast<char*>(whole_pages ? aligned_alloc(4096, front + bytes) : malloc(front + bytes));
    if (!memory)
        return nullptr;
    Header* header = reinterpret_cast<Header*>(memory + front - sizeof(Header));
    *header = { bytes, k_magic };
    memset(memory + front, flags & HOST_ALLOC_ZERO ? 0 : 0xa5, bytes);
    s_live_objects++;
    s_live_bytes += bytes;
    return memory + front;
}

void host_free(void* memory)
{
    check_may_sleep("host_free");
    if (!memory)
        return;
    Header* header = static_cast<Header*>(memory) - 1;
    if (header->magic != k_magic)
        host_violation("host_free of %p, which host_alloc did not give", memory);
    header->magic = 0;
    s_live_objects--;
    s_live_bytes -= header->bytes;
    bool whole_pages = header->bytes && header->bytes % 4096 == 0;
    free(static_cast<char*>(memory) - (whole_pages ? 4096 : sizeof(Header)));
}

struct host_pool {
    const char* name;
    size_t object_bytes;
    std::atomic<u32> reserve;
    std::atomic<u64> live { 0 };
    // Of the reserve, what is there. Touched only when memory is short or something is missing: as in the kernel's
    // mempools, what is freed goes there first.
    std::atomic<u32> kept { 0 };
    host_event freed;
};

struct host_pool* host_pool_create(const char* name, size_t object_bytes, unsigned int reserve)
{
    check_may_sleep("host_pool_create");
    if (shall_fail())
        return nullptr;
    host_pool* pool = new host_pool { strdup(name), object_bytes, reserve < 1 ? 1 : reserve, {}, {}, {} };
    pool->kept = pool->reserve.load();
    host_event_init(&pool->freed);
    return pool;
}

bool host_pool_reserve(struct host_pool* pool, unsigned int reserve)
{
    check_may_sleep("host_pool_reserve");
    if (reserve <= pool->reserve)
        return true;
    if (shall_fail() || s_reserve_only)
        return false;
    pool->kept += reserve - pool->reserve;
    pool->reserve = reserve;
    return true;
}

void host_pool_destroy(struct host_pool* pool)
{
    if (!pool)
        return;
    if (pool->live)
        host_violation("pool %s destroyed with %llu live objects", pool->name, static_cast<unsigned long long>(pool->live));
    host_event_destroy(&pool->freed);
    free(const_cast<char*>(pool->name));
    delete pool;
}

static void* pool_take(host_pool* pool)
{
    size_t bytes = pool->object_bytes;
    void* object = bytes % 4096 == 0 ? aligned_alloc(4096, bytes) : malloc(bytes);
    if (!object)
        return nullptr;
    memset(object, 0xa5, bytes);
    pool->live++;
    s_live_objects++;
    s_live_bytes += bytes;
    return object;
}

void* host_pool_alloc(struct host_pool* pool, unsigned int flags)
{
    if (!(flags & HOST_ALLOC_ATOMIC))
        check_may_sleep("host_pool_alloc");
    if (shall_fail() || s_reserve_only)
        return nullptr;
    void* object = pool_take(pool);
    if (object && flags & HOST_ALLOC_ZERO)
        memset(object, 0, pool->object_bytes);
    return object;
}

static bool take_kept(host_pool* pool)
{
    u32 seen = pool->kept;
    while (seen)
        if (pool->kept.compare_exchange_weak(seen, seen - 1))
            return true;
    return false;
}

void* host_pool_alloc_reserved(struct host_pool* pool)
{
    check_may_sleep("host_pool_alloc_reserved");
    while (s_reserve_only && !take_kept(pool)) {
        auto is_there = [](void* context) { return static_cast<host_pool*>(context)->kept > 0 || !s_reserve_only; };
        host_event_wait(&pool->freed, is_there, pool);
    }
    void* object = pool_take(pool);
    if (!object)
        host_violation("the process itself has no memory for pool %s", pool->name);
    return object;
}

void host_pool_free(struct host_pool* pool, void* object)
{
    if (!object)
        return;
    if (pool->live == 0)
        host_violation("pool %s: more frees than allocations", pool->name);
    // What is used after this shall be seen to be wrong even without ASan.
    memset(object, 0x5a, pool->object_bytes);
    free(object);
    s_live_objects--;
    s_live_bytes -= pool->object_bytes;
    pool->live--;
    u32 seen = pool->kept;
    while (seen < pool->reserve && !pool->kept.compare_exchange_weak(seen, seen + 1)) {
    }
    if (s_reserve_only)
        host_event_wake(&pool->freed);
}

void host_pool_prime(struct host_pool*) {} // the process's allocator always has one at hand

uint64_t host_pool_live(const struct host_pool* pool) { return pool->live; }

struct host_shrinker {
    const char* name;
    uint64_t (*count)(void*);
    uint64_t (*scan)(void*, uint64_t);
    void* context;
};

// Recursive: a shrinker run from an allocation inside another's registration stays harmless.
static std::recursive_mutex s_shrinkers_lock;
static std::vector<host_shrinker*> s_shrinkers;

struct host_shrinker* host_shrinker_register(const char* name, uint64_t (*count)(void*), uint64_t (*scan)(void*, uint64_t),
                                             void* context)
{
    if (shall_fail())
        return nullptr;
    std::lock_guard guard(s_shrinkers_lock);
    s_shrinkers.push_back(new host_shrinker { name, count, scan, context });
    return s_shrinkers.back();
}

void host_shrinker_unregister(struct host_shrinker* shrinker)
{
    if (!shrinker)
        return;
    std::lock_guard guard(s_shrinkers_lock);
    std::erase(s_shrinkers, shrinker);
    delete shrinker;
}

namespace lcpfs {

u64 host_shrink_all(u64 wanted)
{
    std::lock_guard guard(s_shrinkers_lock);
    u64 freed = 0;
    for (size_t i = 0; i < s_shrinkers.size(); i++)
        freed += s_shrinkers[i]->scan(s_shrinkers[i]->context, wanted);
    return freed;
}

u64 host_shrinkable()
{
    std::lock_guard guard(s_shrinkers_lock);
    u64 sum = 0;
    for (host_shrinker* shrinker : s_shrinkers)
        sum += shrinker->count(shrinker->context);
    return sum;
}

}

uint64_t host_memory_bytes(void)
{
    if (s_memory_bytes)
        return s_memory_bytes;
    return static_cast<u64>(sysconf(_SC_PHYS_PAGES)) * static_cast<u64>(sysconf(_SC_PAGESIZE));
}
