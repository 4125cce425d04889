// SPDX-License-Identifier: GPL-2.0-only
#include "core/object/extent.h"

namespace lcpfs {

Extent Extent::part(u32 first, u32 count) const
{
    Extent part = *this;
    part.file_block += first;
    part.length_blocks = count;
    part.dva.block += first;
    part.dva.length_blocks = count;
    part.payload = checksums(first, count);
    return part;
}

u32 Extent::encode(MutableBytes out) const
{
    DiskExtent disk {};
    disk.kind = static_cast<u8>(kind);
    disk.birth_txg.set(birth.value());
    if (kind == ExtentKind::mapped) {
        disk.device_block.set(dva.block);
        disk.length_blocks.set(length_blocks);
        disk.vdev.set(dva.vdev.value());
        disk.checksum_kind = static_cast<u8>(checksum_kind);
    } else {
        disk.length_blocks.set(1);
        disk.inline_bytes.set(static_cast<u32>(payload.size()));
    }
    if (out.data() + sizeof(disk) != payload.data())
        move_bytes(out.data() + sizeof(disk), payload.data(), payload.size());
    copy_bytes(out.data(), &disk, sizeof(disk));
    return encoded_bytes();
}

Result<Extent> Extent::decode(Bytes key, Bytes value)
{
    VERIFY_DISK(key.size() == 8 && value.size() >= sizeof(DiskExtent), extent_damaged);
    BigEndianKey number;
    copy_bytes(&number, key.data(), 8);
    DiskExtent disk;
    copy_bytes(&disk, value.data(), sizeof(disk));
    Extent extent;
    extent.file_block = number.get();
    extent.length_blocks = disk.length_blocks.get();
    extent.birth = TxgId(disk.birth_txg.get());
    extent.payload = value.slice(sizeof(disk), value.size() - sizeof(disk));
    VERIFY_DISK(extent.file_block < k_max_file_blocks, extent_damaged);
    VERIFY_DISK(disk.encoding == 0, extent_damaged);
    if (disk.kind == static_cast<u8>(ExtentKind::inlined)) {
        extent.kind = ExtentKind::inlined;
        VERIFY_DISK(extent.file_block <= 1 && extent.length_blocks == 1, extent_damaged);
        VERIFY_DISK(disk.inline_bytes.get() == extent.payload.size(), extent_damaged);
        VERIFY_DISK(extent.payload.size() > 0 && extent.payload.size() <= k_max_inline_data_bytes, extent_damaged);
        return extent;
    }
    VERIFY_DISK(disk.kind == static_cast<u8>(ExtentKind::mapped), extent_damaged);
    VERIFY_DISK(disk.checksum_kind >= 1 && disk.checksum_kind <= 3, extent_damaged);
    extent.checksum_kind = static_cast<ChecksumKind>(disk.checksum_kind);
    VERIFY_DISK(extent.length_blocks > 0 && extent.length_blocks <= max_extent_blocks(extent.checksum_kind), extent_damaged);
    VERIFY_DISK(extent.end() <= k_max_file_blocks, extent_damaged);
    VERIFY_DISK(extent.payload.size() == size_t(extent.length_blocks) * checksum_bytes_of(extent.checksum_kind), extent_damaged);
    extent.dva = Dva { disk.device_block.get(), extent.length_blocks, VdevId(disk.vdev.get()) };
    return extent;
}

}
