// SPDX-License-Identifier: GPL-2.0-only
// Dva and NodePointer in memory, and their conversion. Decoding checks form; whether an address lies on a
// device is the vdev layer's check (Pool geometry), made before every use.
#pragma once

#include "core/base/result.h"
#include "core/base/span.h"
#include "core/format/address_format.h"

namespace lcpfs {

struct Dva {
    u64 block { 0 };
    u32 length_blocks { 0 };
    VdevId vdev {};

    bool is_used() const { return length_blocks != 0; }
    friend bool operator==(const Dva&, const Dva&) = default;

    void encode(DiskDva& disk) const
    {
        disk.block.set(block);
        disk.length_blocks.set(length_blocks);
        disk.vdev.set(vdev.value());
        disk.reserved.set(0);
    }
    static Dva decode(const DiskDva& disk) { return { disk.block.get(), disk.length_blocks.get(), VdevId(disk.vdev.get()) }; }
};

struct Checksum {
    u8 bytes[k_checksum_bytes] {};
    friend bool operator==(const Checksum& a, const Checksum& b) { return compare_bytes(a.bytes, b.bytes, k_checksum_bytes) == 0; }
};

struct NodePointer {
    Dva dva[k_max_copies];
    TxgId birth {};
    u32 size_bytes { 0 };
    ChecksumKind checksum_kind { ChecksumKind::none };
    Encoding encoding { Encoding::none };
    u8 level { 0 };
    u8 copies { 0 };
    Checksum checksum;

    bool is_null() const { return copies == 0; }

    void encode(DiskNodePointer& disk) const
    {
        for (u32 i = 0; i < k_max_copies; i++)
            dva[i].encode(disk.dva[i]);
        disk.birth_txg.set(birth.value());
        disk.size_bytes.set(size_bytes);
        disk.checksum_kind = static_cast<u8>(checksum_kind);
        disk.encoding = static_cast<u8>(encoding);
        disk.level = level;
        disk.copies = copies;
        copy_bytes(disk.checksum, checksum.bytes, k_checksum_bytes);
    }

    // node_damaged when a field is out of range. A null pointer (all zero) decodes to is_null().
    static Result<NodePointer> decode(const DiskNodePointer& disk);
    // The same in place, which is a hundred bytes: `pointer` is a new one, and of no use after an error.
    static Status decode(const DiskNodePointer& disk, NodePointer& pointer);
};

}
