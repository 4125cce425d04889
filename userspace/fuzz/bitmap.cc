// SPDX-License-Identifier: GPL-2.0-only
// Copies of a metaslab's bitmap, half of them behind a checksum that matches.
#include "core/alloc/bitmap_image.h"
#include "userspace/fuzz/input.h"

using namespace lcpfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzInput input(data, size);
    const u8 choice = input.take<u8>();
    const u32 block_count = k_min_metaslab_blocks << choice % 7;
    BitmapIdentity identity { input.take<DiskGuid>(), VdevId(input.take<u16>()), input.take<u32>() };
    DiskMetaslabEntry entry = input.take<DiskMetaslabEntry>();

    BitmapImage image;
    image.block_count = block_count;
    image.page_count = bitmap_blocks(block_count);
    std::vector<BitPage> pages(image.page_count);
    const std::vector<u8> bytes = input.rest();
    if (!bytes.empty())
        memcpy(static_cast<void*>(pages.data()), bytes.data(), min(bytes.size(), pages.size() * sizeof(BitPage)));
    for (u32 i = 0; i < image.page_count; i++)
        image.pages[i] = &pages[i];

    if (choice & 0x80) {
        DiskBitmapHeader& header = image.header();
        header.magic.set(k_bitmap_magic);
        header.vdev.set(identity.vdev.value());
        header.metaslab.set(identity.metaslab);
        header.pool_guid = identity.pool_guid;
        if (choice & 0x40)
            header.used_blocks.set(image.count_used());
        header.checksum.set(image.checksum());
        entry.checksum = header.checksum;
    }
    if (verify_bitmap(image, identity, entry).is_ok()) {
        const u32 used = image.count_used();
        FUZZ_CHECK(used >= 2 * image.page_count && used <= block_count);
        FUZZ_CHECK(entry.free_blocks.get() == block_count - used);
        // What is accepted is what would be written.
        const DiskBitmapHeader before = image.header();
        seal_bitmap(image, identity, entry.txg.get(), used);
        FUZZ_CHECK(image.header().used_blocks.get() == before.used_blocks.get());
        DiskMetaslabEntry again = entry;
        again.checksum = image.header().checksum;
        FUZZ_CHECK(verify_bitmap(image, identity, again).is_ok());
    }
    // What we seal is always accepted.
    for (u32 bit = 0; bit < 2 * image.page_count; bit++)
        pages[0].words[(k_header_bits + bit) / 64] |= to_disk(bit_range((k_header_bits + bit) % 64, 1));
    const u32 used = image.count_used();
    seal_bitmap(image, identity, entry.txg.get(), used);
    entry.checksum = image.header().checksum;
    entry.free_blocks.set(block_count - used);
    FUZZ_CHECK(verify_bitmap(image, identity, entry).is_ok());
    return 0;
}
