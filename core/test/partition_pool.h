// SPDX-License-Identifier: GPL-2.0-only
// Partitions of a test pool, and datasets in them: 14 metaslabs of 4 MiB, of which the log and metadata keep some.
#pragma once

#include "core/test/pool.h"

namespace lcpfs {

namespace partition_test {

constexpr u32 k_file = k_mode_regular | 0644;
constexpr u64 k_metaslab = 1024; // blocks

inline int minus(Error error) { return -errno_of(error); }

inline int change(TestPool& pool, core_partition_change wanted, char* message = nullptr)
{
    char unused[CORE_PARTITION_MESSAGE_BYTES];
    return core_partition_do(pool.handle(), &wanted, message ? message : unused);
}

inline int create(TestPool& pool, const char* name, u64 minimum, u64 maximum)
{
    return change(pool, { CORE_PARTITION_CREATE, CORE_PARTITION_SET_MINIMUM | CORE_PARTITION_SET_MAXIMUM, name, "", minimum, maximum });
}

inline int destroy(TestPool& pool, const char* name) { return change(pool, { CORE_PARTITION_DESTROY, 0, name, "", 0, 0 }); }

inline int create_dataset(TestPool& pool, const char* name, const char* partition)
{
    core_new_dataset how { name, partition, 0755, 0, 0, TestPool::k_time };
    return core_dataset_create(pool.handle(), &how);
}

struct Opened {
    core_dataset* dataset { nullptr };
    core_object* root { nullptr };
    int find(const char* name, core_object** object)
    {
        u64 id;
        u8 type;
        const int error = core_lookup(root, name, static_cast<u32>(__builtin_strlen(name)), &id, &type);
        return error ? error : core_object_get(dataset, id, 0, object);
    }
    int remove(const char* name)
    {
        core_object* object;
        if (int error = find(name, &object))
            return error;
        int error = core_unlink(root, name, static_cast<u32>(__builtin_strlen(name)), object, TestPool::k_time);
        error = error ? error : core_object_delete(object);
        core_object_put(object);
        return error;
    }
    int open(TestPool& pool, const char* name)
    {
        const int error = core_dataset_get(pool.handle(), name, &dataset);
        return error ? error : core_object_get(dataset, CORE_ROOT_OBJECT, 0, &root);
    }
    void close()
    {
        if (root)
            core_object_put(root);
        if (dataset)
            core_dataset_put(dataset);
        root = nullptr;
        dataset = nullptr;
    }
    ~Opened() { close(); }
};

// False: there is none.
inline bool find(TestPool& pool, const char* name, core_partition_info& info)
{
    for (u64 id = 0; core_partition_next(pool.handle(), id, &info) == 0; id = info.id + 1)
        if (StringView(info.name) == StringView(name))
            return true;
    return false;
}

inline u64 size_of(TestPool& pool, const char* name)
{
    core_partition_info info;
    return find(pool, name, info) ? info.size_blocks : ~0ull;
}

// A new file of up to `most` blocks: until there is no room. Gives how many, or the error that was another.
inline i64 fill(TestPool& pool, core_object* root, const char* name, u32 most)
{
    core_object* file;
    if (int error = pool.create(root, name, k_file, &file))
        return error;
    u32 at = 0;
    int error = 0;
    while (at < most && !error) {
        const u32 count = min(32u, most - at);
        error = pool.write(file, at, count, at + 1, u64(at + count) * k_block_size);
        at += error ? 0 : count;
    }
    core_object_put(file);
    return error && error != minus(Error::no_space) ? error : at;
}

}

}
