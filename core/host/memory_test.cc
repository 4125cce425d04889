// SPDX-License-Identifier: GPL-2.0-only
// The host's memory and the owners built on it.
#include "core/host/memory.h"

#include "core/test/test.h"

namespace lcpfs {

static void general(Test& test)
{
    constexpr size_t k_sizes[] = { 1, 24, 4096, 5000, 16384, 3u << 20 };
    for (size_t bytes : k_sizes) {
        u8* memory = static_cast<u8*>(host_alloc(bytes, HOST_ALLOC_ZERO));
        REQUIRE(memory);
        CHECK(memory[0] == 0 && memory[bytes / 2] == 0 && memory[bytes - 1] == 0);
        memory[bytes - 1] = 1;
        host_free(memory);
    }
    void* atomic = host_alloc(64, HOST_ALLOC_ATOMIC);
    host_free(atomic);
    host_free(nullptr);
    CHECK(host_memory_bytes() > 1u << 20);
}

static void pools(Test& test)
{
    host_pool* pool = host_pool_create("test_pool", 4096, 4);
    REQUIRE(pool);
    void* objects[8];
    for (void*& object : objects) {
        object = host_pool_alloc_reserved(pool);
        CHECK(object && (reinterpret_cast<size_t>(object) & 4095) == 0);
        __builtin_memset(object, 1, 4096);
    }
    CHECK_EQ(host_pool_live(pool), 8u);
    for (void* object : objects)
        host_pool_free(pool, object);
    host_pool_prime(pool);
    host_pool_prime(pool);
    CHECK_EQ(host_pool_live(pool), 0u); // what is at hand is nobody's
    u8* zeroed = static_cast<u8*>(host_pool_alloc(pool, HOST_ALLOC_ZERO));
    if (CHECK(zeroed))
        CHECK(zeroed[0] == 0 && zeroed[4095] == 0);
    host_pool_free(pool, zeroed);
    CHECK_EQ(host_pool_live(pool), 0u);
    host_pool_destroy(pool);
    host_pool_destroy(nullptr);
}

namespace {
struct Shared : RefCounted<Shared> {
    explicit Shared(bool& gone) : m_gone(gone) {}
    void last_reference_dropped()
    {
        m_gone = true;
        this->~Shared();
        host_free(this);
    }
    bool& m_gone;
};
}

static void references(Test& test)
{
    bool gone = false;
    Box<Shared> box = REQUIRE_VALUE(make_box<Shared>(gone));
    Ref<Shared> first = Ref<Shared>::adopt(*box.release());
    {
        Ref<Shared> second = first;
        CHECK_EQ(first->reference_count(), 2u);
        first.reset();
        CHECK(!gone);
        CHECK(second->reference_unless_zero());
        second->unreference();
    }
    CHECK(gone);
}

static void boxes(Test& test)
{
    Box<u64> a = REQUIRE_VALUE(make_box<u64>(5u));
    Box<u64> b = lcpfs::move(a);
    CHECK(!a);
    CHECK_EQ(*b, 5u);
    a = lcpfs::move(b);
    CHECK(a && !b);
}

namespace {
constexpr TestCase k_cases[]
    = { { "general", general }, { "pools", pools }, { "references", references }, { "boxes", boxes } };
}
LCPFS_SUITE(memory, k_cases);

}
