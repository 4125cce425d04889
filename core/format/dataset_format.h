// SPDX-License-Identifier: GPL-2.0-only
// The pool tree: key = PoolKey type byte, then BigEndian64 of an id. Value by type.
#pragma once

#include "core/format/address_format.h"
#include "core/format/label_format.h"

namespace lcpfs {

enum class PoolKey : u8 { dataset = 1, property = 2 /* reserved */, partition = 3 /* reserved */, log = 4 /* DiskLogRing */ };

class PoolTreeKey {
public:
    PoolTreeKey(PoolKey type, u64 id)
    {
        m_bytes[0] = static_cast<u8>(type);
        const BigEndianKey number(id);
        copy_bytes(m_bytes + 1, number.data(), 8);
    }
    Bytes bytes() const { return { m_bytes, sizeof(m_bytes) }; }

private:
    u8 m_bytes[9];
};

struct DiskDataset {
    DiskNodePointer objects;  // object table
    DiskNodePointer orphans;  // null when there are none
    le64 next_object;         // ids are never reused
    le64 object_count;
    le64 used_blocks;         // file data
    le64 created_txg;
    DiskGuid hash_seed;       // of name hashes
    u8 name[k_pool_name_bytes];
    u8 reserved[48];
};
static_assert(sizeof(DiskDataset) == 192 + 32 + 16 + 64 + 48);
static_assert(offsetof(DiskDataset, next_object) == 192);

constexpr u64 k_default_dataset = 1;
constexpr u64 k_root_object = 2;
constexpr u64 k_first_free_object = 16;

}
