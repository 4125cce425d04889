// SPDX-License-Identifier: GPL-2.0-only
#include "core/object/extent.h"

namespace lcpfs {

Extent Extent::part(u32 first, u32 count) const
{
    Extent part = *this;
    part.keep_part(first, count);
    return part;
}

void Extent::keep_part(u32 first, u32 count)
{
    file_block += first;
    length_blocks = count;
    if (is_compressed()) {
        unit_offset = static_cast<u8>(unit_offset + first);
        return;
    }
    dva.block += first;
    dva.length_blocks = count;
    payload = checksums(first, count);
}

u32 Extent::encode(MutableBytes out) const
{
    DiskExtent disk {};
    disk.kind = static_cast<u8>(kind);
    disk.birth_txg.set(birth.value());
    if (has_blocks()) {
        disk.device_block.set(dva.block);
        disk.length_blocks.set(length_blocks);
        disk.vdev.set(dva.vdev.value());
        disk.checksum_kind = static_cast<u8>(checksum_kind);
        disk.encoding = static_cast<u8>(encoding);
        disk.unit_blocks = unit_blocks;
        disk.unit_offset = unit_offset;
        disk.stored_bytes.set(stored_bytes);
    } else {
        disk.length_blocks.set(1);
        disk.stored_bytes.set(static_cast<u32>(payload.size()));
    }
    if (payload.size() && out.data() + sizeof(disk) != payload.data())
        move_bytes(out.data() + sizeof(disk), payload.data(), payload.size());
    copy_bytes(out.data(), &disk, sizeof(disk));
    return encoded_bytes();
}

void Extent::encode_mapped(const Dva& dva, ChecksumKind kind, u8* out)
{
    DiskExtent disk {};
    disk.device_block.set(dva.block);
    disk.length_blocks.set(dva.length_blocks);
    disk.vdev.set(dva.vdev.value());
    disk.kind = static_cast<u8>(ExtentKind::mapped);
    disk.checksum_kind = static_cast<u8>(kind);
    copy_bytes(out, &disk, sizeof(disk));
}

u32 Extent::encode_part(Bytes value, u32 first, u32 count, MutableBytes out)
{
    DiskExtent disk;
    copy_bytes(&disk, value.data(), sizeof(disk));
    disk.device_block.set(disk.device_block.get() + first);
    disk.length_blocks.set(count);
    copy_bytes(out.data(), &disk, sizeof(disk));
    const u32 each = checksum_bytes_of(static_cast<ChecksumKind>(disk.checksum_kind));
    copy_bytes(out.data() + sizeof(disk), value.data() + sizeof(disk) + size_t(first) * each, size_t(count) * each);
    return static_cast<u32>(sizeof(disk)) + count * each;
}

static Status decode_unit(const DiskExtent& disk, Extent& extent)
{
    VERIFY_DISK(disk.encoding <= static_cast<u8>(Encoding::zstd), extent_damaged);
    extent.encoding = static_cast<Encoding>(disk.encoding);
    extent.unit_blocks = disk.unit_blocks;
    extent.unit_offset = disk.unit_offset;
    extent.stored_bytes = disk.stored_bytes.get();
    if (!extent.is_compressed()) {
        VERIFY_DISK(extent.unit_blocks == 0 && extent.unit_offset == 0 && extent.stored_bytes == 0, extent_damaged);
        return {};
    }
    VERIFY_DISK(extent.unit_blocks <= k_max_unit_blocks, extent_damaged);
    VERIFY_DISK(extent.length_blocks <= extent.unit_blocks, extent_damaged);
    VERIFY_DISK(extent.unit_offset <= extent.unit_blocks - extent.length_blocks, extent_damaged);
    // At least a block less than the data: this bounds the count of blocks, too.
    const u64 unit_bytes = u64(extent.unit_blocks) << k_block_shift;
    VERIFY_DISK(extent.stored_bytes > 0 && u64(extent.stored_bytes) + k_block_size <= unit_bytes, extent_damaged);
    extent.dva.length_blocks = static_cast<u32>(blocks_for_bytes(extent.stored_bytes));
    return {};
}

Result<Extent> Extent::decode(Bytes key, Bytes value, u8 known_flags)
{
    Extent extent;
    TRY(decode_into(extent, key, value, known_flags));
    return extent;
}

Status Extent::decode_into(Extent& extent, Bytes key, Bytes value, u8 known_flags)
{
    VERIFY_DISK(key.size() == 8 && value.size() >= sizeof(DiskExtent), extent_damaged);
    BigEndianKey number;
    copy_bytes(&number, key.data(), 8);
    const DiskExtent& disk = *reinterpret_cast<const DiskExtent*>(value.data());
    extent = Extent();
    extent.file_block = number.get();
    extent.length_blocks = disk.length_blocks.get();
    extent.birth = TxgId(disk.birth_txg.get());
    extent.payload = value.slice(sizeof(disk), value.size() - sizeof(disk));
    VERIFY_DISK(extent.file_block < k_max_file_blocks, extent_damaged);
    VERIFY_DISK((disk.flags & ~known_flags) == 0, extent_damaged);
    if (disk.kind == static_cast<u8>(ExtentKind::inlined)) {
        extent.kind = ExtentKind::inlined;
        VERIFY_DISK(disk.encoding == 0 && disk.unit_blocks == 0 && disk.unit_offset == 0, extent_damaged);
        VERIFY_DISK(extent.file_block <= 1 && extent.length_blocks == 1, extent_damaged);
        VERIFY_DISK(disk.stored_bytes.get() == extent.payload.size(), extent_damaged);
        VERIFY_DISK(extent.payload.size() > 0 && extent.payload.size() <= k_max_inline_data_bytes, extent_damaged);
        return {};
    }
    extent.dva = Dva { disk.device_block.get(), extent.length_blocks, VdevId(disk.vdev.get()) };
    if (disk.kind == static_cast<u8>(ExtentKind::unwritten)) {
        extent.kind = ExtentKind::unwritten;
        VERIFY_DISK(disk.checksum_kind == 0 && extent.payload.is_empty(), extent_damaged);
        VERIFY_DISK(disk.encoding == 0 && disk.unit_blocks == 0 && disk.unit_offset == 0 && disk.stored_bytes.get() == 0, extent_damaged);
        VERIFY_DISK(extent.length_blocks > 0 && extent.length_blocks <= k_max_unwritten_blocks, extent_damaged);
        VERIFY_DISK(extent.end() <= k_max_file_blocks, extent_damaged);
        return {};
    }
    VERIFY_DISK(disk.kind == static_cast<u8>(ExtentKind::mapped), extent_damaged);
    VERIFY_DISK(disk.checksum_kind >= 1 && disk.checksum_kind <= 3, extent_damaged);
    extent.checksum_kind = static_cast<ChecksumKind>(disk.checksum_kind);
    VERIFY_DISK(extent.length_blocks > 0 && extent.length_blocks <= max_extent_blocks(extent.checksum_kind), extent_damaged);
    VERIFY_DISK(extent.end() <= k_max_file_blocks, extent_damaged);
    TRY(decode_unit(disk, extent));
    VERIFY_DISK(extent.payload.size() == size_t(extent.dva.length_blocks) * checksum_bytes_of(extent.checksum_kind), extent_damaged);
    return {};
}

}
