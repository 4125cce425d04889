// SPDX-License-Identifier: GPL-2.0-only
// One copy of a metaslab's bitmap as it stands on disk: 4 KiB blocks, the first beginning with DiskBitmapHeader.
#pragma once

#include "core/alloc/zone.h"
#include "core/base/span.h"
#include "core/format/metaslab_format.h"

namespace lcpfs {

constexpr u32 k_max_bitmap_pages = bitmap_blocks(k_max_metaslab_blocks);
constexpr u32 k_header_bits = sizeof(DiskBitmapHeader) * 8;

struct BitmapImage {
    BitPage* pages[k_max_bitmap_pages] {};
    u32 page_count { 0 };
    u32 block_count { 0 };

    DiskBitmapHeader& header() const { return *reinterpret_cast<DiskBitmapHeader*>(pages[0]); }
    u32 begin(u32 page) const { return page == 0 ? k_header_bits : 0; }
    u32 end(u32 page) const { return min(k_page_bits, block_count + k_header_bits - page * k_page_bits); }
    u32 count_used() const;
    u64 checksum() const; // what the header's field has to be
};

struct BitmapIdentity {
    DiskGuid pool_guid;
    VdevId vdev;
    u32 metaslab;
};

// Fills and seals the header.
void seal_bitmap(const BitmapImage& image, const BitmapIdentity& identity, u64 txg, u32 used_blocks);
// bitmap_damaged unless header, bits and table row say the same and the copies' own blocks are in use.
Status verify_bitmap(const BitmapImage& image, const BitmapIdentity& identity, const DiskMetaslabEntry& entry);

}
