// SPDX-License-Identifier: GPL-2.0-only
// Whole images: a small pool, changed where the input says, opened, walked and checked. With constant
// checksums (userspace/host/common/checksum.h), so that every change gets past them; the simulator's
// `mutate` runs do the same from seeds, with and without.
//
// An input is a list of changes of 12 bytes each: which written block, offset in it, how, and a value.
#include <stdlib.h>
#include <string.h>

#include "core/api/core.h"
#include "userspace/fuzz/input.h"
#include "userspace/host/common/checksum.h"
#include "userspace/host/common/log.h"
#include "userspace/host/posix_bdev.h"

using namespace lcpfs;

namespace {

constexpr u64 k_bytes = 16u << 20;
u8* s_original;          // the pool as it should be
u8* s_memory;            // what the device is over
std::vector<u32> s_used; // blocks of 4 KiB that are not zeros
host_bdev* s_bdev;

struct Wait {
    bool done { false };
    host_event event;
    Wait() { host_event_init(&event); }
    ~Wait() { host_event_destroy(&event); }
    void wait()
    {
        host_event_wait(&event, [](void* self) { return __atomic_load_n(&static_cast<Wait*>(self)->done, __ATOMIC_ACQUIRE); }, this);
    }
    void wake()
    {
        __atomic_store_n(&done, true, __ATOMIC_RELEASE);
        host_event_wake(&event);
    }
};

u8* s_pages;

void read_some(core_object* object)
{
    core_segment segment { s_pages, 8 * 4096 };
    Wait wait;
    core_read(object, 0, &segment, 1, [](void* context, int, const uint64_t*) { static_cast<Wait*>(context)->wake(); }, &wait);
    wait.wait();
}

void fill(core_dataset* dataset)
{
    core_object* root = nullptr;
    FUZZ_CHECK(core_object_get(dataset, CORE_ROOT_OBJECT, 0, &root) == 0);
    core_new how {};
    how.target = "target";
    for (int i = 0; i < 200; i++) {
        char name[32];
        int length = snprintf(name, sizeof(name), "name%d", i);
        how.mode = i % 7 == 0 ? 0040755 : i % 7 == 1 ? 0120777 : 0100644;
        how.target_length = i % 7 == 1 ? 6 : 0;
        core_object* made = nullptr;
        FUZZ_CHECK(core_create(root, name, static_cast<u32>(length), &how, &made) == 0);
        if (i % 7 > 2 && core_reserve(made, 4) == 0) {
            memset(s_pages, i, 4 * 4096);
            core_segment segment { s_pages, 4 * 4096 };
            Wait wait;
            core_write(
                made, static_cast<u64>(i % 3), &segment, 1, 7 * 4096,
                [](void* context, int) { static_cast<Wait*>(context)->wake(); }, &wait);
            wait.wait();
        }
        core_object_put(made);
    }
    core_object_put(root);
}

void walk(core_dataset* dataset)
{
    core_object* root = nullptr;
    if (core_object_get(dataset, CORE_ROOT_OBJECT, 0, &root))
        return;
    std::vector<u64> ids;
    u64 cookie = 0;
    core_readdir(
        root, &cookie,
        [](void* context, const char*, uint32_t, uint64_t id, uint8_t, uint64_t) {
            std::vector<u64>& ids = *static_cast<std::vector<u64>*>(context);
            ids.push_back(id);
            return ids.size() < 1000;
        },
        &ids);
    core_object_put(root);
    for (u64 id : ids) {
        core_object* object = nullptr;
        if (core_object_get(dataset, id, 0, &object))
            continue;
        core_attr attr;
        core_object_attr(object, &attr);
        u32 length = CORE_SYMLINK_MAX;
        static char s_target[CORE_SYMLINK_MAX + 1];
        if ((attr.mode & 0170000) == 0120000)
            core_read_link(object, s_target, &length);
        else if ((attr.mode & 0170000) == 0100000)
            read_some(object);
        core_object_put(object);
    }
}

void silence(void*, host_log_level, const char*) {}

}

extern "C" int LLVMFuzzerInitialize(int*, char***)
{
    host_checksum_is_constant = true;
    host_log_set_sink(silence, nullptr);
    s_memory = static_cast<u8*>(aligned_alloc(4096, k_bytes));
    s_pages = static_cast<u8*>(aligned_alloc(4096, 8 * 4096));
    memset(s_memory, 0, k_bytes);
    s_bdev = memory_bdev_over(s_memory, k_bytes);
    core_format_options format {};
    format.name = "fuzz";
    format.metadata_copies = 1;
    FUZZ_CHECK(core_pool_format(&s_bdev, 1, &format) == 0);
    core_pool* pool = nullptr;
    core_pool_options options {};
    FUZZ_CHECK(core_pool_open(&s_bdev, 1, &options, &pool) == 0);
    core_dataset* dataset = nullptr;
    FUZZ_CHECK(core_dataset_get(pool, "", &dataset) == 0);
    fill(dataset);
    core_dataset_put(dataset);
    FUZZ_CHECK(core_pool_close(pool) == 0);
    s_original = static_cast<u8*>(malloc(k_bytes));
    memcpy(s_original, s_memory, k_bytes);
    static const u8 s_zeros[4096] = {};
    for (u32 block = 0; block < k_bytes / 4096; block++)
        if (memcmp(s_original + block * 4096ull, s_zeros, 4096) != 0)
            s_used.push_back(block);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzInput input(data, size);
    bool read_only = input.take<u8>() % 2;
    std::vector<u32> changed;
    while (input.left() >= 4 && changed.size() < 64) {
        u32 block = s_used[input.take<u16>() % s_used.size()];
        u32 offset = input.take<u16>() % 4096;
        u8 how = input.take<u8>();
        u64 value = how & 8 ? input.take<u64>() : input.take<u8>();
        u32 width = 1u << (how & 3);
        if (offset + width > 4096)
            offset = 4096 - width;
        u8* at = s_memory + block * 4096ull + offset;
        if (how & 4) {
            u64 old = 0;
            memcpy(&old, at, width);
            value += old;
        }
        memcpy(at, &value, width);
        changed.push_back(block);
    }
    core_pool* pool = nullptr;
    core_pool_options options {};
    options.read_only = read_only;
    if (core_pool_open(&s_bdev, 1, &options, &pool) == 0) {
        core_dataset* dataset = nullptr;
        if (core_dataset_get(pool, "", &dataset) == 0) {
            walk(dataset);
            core_dataset_put(dataset);
        }
        core_check_report report;
        core_check(pool, true, [](void*, const char*) {}, nullptr, nullptr, &report);
        core_pool_close(pool);
    }
    if (read_only)
        for (u32 block : changed)
            memcpy(s_memory + block * 4096ull, s_original + block * 4096ull, 4096);
    else
        memcpy(s_memory, s_original, k_bytes);
    return 0;
}
