// SPDX-License-Identifier: GPL-2.0-only
#include "core/alloc/bitmap_image.h"

#include "core/host/host.h"

namespace lcpfs {

u32 BitmapImage::count_used() const
{
    u32 used = 0;
    for (u32 page = 0; page < page_count; page++)
        used += count_set(*pages[page], begin(page), end(page));
    return used;
}

// Block by block, each seeded with the sum so far, as the pages need not lie together in memory.
u64 BitmapImage::checksum() const
{
    const le64 held = header().checksum;
    header().checksum.set(0);
    u64 sum = 0;
    for (u32 page = 0; page < page_count; page++)
        sum = host_xxh64(pages[page], k_block_size, sum);
    header().checksum = held;
    return sum;
}

void seal_bitmap(const BitmapImage& image, const BitmapIdentity& identity, u64 txg, u32 used_blocks)
{
    DiskBitmapHeader& header = image.header();
    zero_bytes(&header, sizeof(header));
    header.magic.set(k_bitmap_magic);
    header.vdev.set(identity.vdev.value());
    header.metaslab.set(identity.metaslab);
    header.block_count.set(image.block_count);
    header.txg.set(txg);
    header.pool_guid = identity.pool_guid;
    header.used_blocks.set(used_blocks);
    header.checksum.set(image.checksum());
}

Status verify_bitmap(const BitmapImage& image, const BitmapIdentity& identity, const DiskMetaslabEntry& entry)
{
    const DiskBitmapHeader& header = image.header();
    VERIFY_DISK(header.magic.get() == k_bitmap_magic, bitmap_damaged);
    VERIFY_DISK(header.vdev.get() == identity.vdev.value() && header.metaslab.get() == identity.metaslab, bitmap_damaged);
    VERIFY_DISK(header.block_count.get() == image.block_count, bitmap_damaged);
    VERIFY_DISK(header.txg.get() == entry.txg.get(), bitmap_damaged);
    VERIFY_DISK(compare_bytes(header.pool_guid.bytes, identity.pool_guid.bytes, sizeof(DiskGuid)) == 0, bitmap_damaged);
    VERIFY_DISK(header.checksum.get() == entry.checksum.get(), bitmap_damaged);
    VERIFY_DISK(header.checksum.get() == image.checksum(), bitmap_damaged);
    const u32 used = image.count_used();
    VERIFY_DISK(header.used_blocks.get() == used, bitmap_damaged);
    VERIFY_DISK(image.block_count - used == entry.free_blocks.get(), bitmap_damaged);
    VERIFY_DISK(all_set(*image.pages[0], { k_header_bits, 2 * image.page_count }), bitmap_damaged);
    return {};
}

}
