// SPDX-License-Identifier: GPL-2.0-only
// The pool tree: key = PoolKey type byte, then BigEndian64 of an id. Value by type.
#pragma once

#include "core/format/address_format.h"
#include "core/base/span.h"
#include "core/format/label_format.h"

namespace lcpfs {

enum class PoolKey : u8 { dataset = 1, property = 2 /* reserved */, partition = 3 /* partition_format.h */, log = 4 /* DiskLogRing */,
    shares = 5 /* DiskNodePointer of the share table, while there is one */ };

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
    u8 name[k_pool_name_bytes]; // NUL-padded; see is_dataset_name
    le32 flags;               // k_dataset_*
    u8 sync;                  // SyncMode
    u8 log_bias;              // LogBias
    u8 compression;           // of new data: Encoding, and the level of zstd times 16
    u8 checksum;              // of new data: ChecksumKind; 0: the pool's
    le64 partition;           // that its data is allocated in; 0: the default one
    u8 padding[32];
};
static_assert(sizeof(DiskDataset) == 352);
static_assert(offsetof(DiskDataset, orphans) == 96);
static_assert(offsetof(DiskDataset, next_object) == 192);
static_assert(offsetof(DiskDataset, hash_seed) == 224);
static_assert(offsetof(DiskDataset, name) == 240);
static_assert(offsetof(DiskDataset, flags) == 304);
static_assert(offsetof(DiskDataset, sync) == 308);
static_assert(offsetof(DiskDataset, log_bias) == 309);
static_assert(offsetof(DiskDataset, compression) == 310);
static_assert(offsetof(DiskDataset, checksum) == 311);
static_assert(offsetof(DiskDataset, partition) == 312);

// It cannot be found by name any more, and its objects are being freed, in any order: names and links no longer fit. The entry goes
// with the last of them.
constexpr u32 k_dataset_destroying = 1;
constexpr u32 k_known_dataset_flags = k_dataset_destroying;

// What a mount does that does not say otherwise.
enum class SyncMode : u8 { standard = 0, always = 1, disabled = 2 };
enum class LogBias : u8 { latency = 0, throughput = 1 };

// Flat names: letters, digits and "._:-", the first a letter or a digit, so that they stand in commands, options and paths as they are.
constexpr bool is_dataset_name(StringView name)
{
    if (name.size() == 0 || name.size() >= k_pool_name_bytes)
        return false;
    for (size_t i = 0; i < name.size(); i++) {
        const char c = name.data()[i];
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        const bool is_mark = c == '.' || c == '_' || c == ':' || c == '-';
        if (!is_plain && !(is_mark && i > 0))
            return false;
    }
    return true;
}

constexpr u64 k_default_dataset = 1; // every pool has it; "default"
constexpr u32 k_max_datasets = 256;  // each takes 128 KiB of memory while the pool is open
constexpr u64 k_root_object = 2;
constexpr u64 k_first_free_object = 16;

}
