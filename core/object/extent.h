// SPDX-License-Identifier: GPL-2.0-only
// Extent: one item of a file's tree, decoded, and its coding (extent_format.h).
#pragma once

#include "core/base/result.h"
#include "core/base/span.h"
#include "core/format/address.h"
#include "core/format/extent_format.h"

namespace lcpfs {

constexpr u32 k_max_extent_bytes = sizeof(DiskExtent) + k_max_extent_checksum_bytes;
constexpr u32 k_max_inline_data_bytes = 2048;
static_assert(k_max_inline_data_bytes <= k_max_extent_checksum_bytes);

struct Extent {
    u64 file_block { 0 };
    u32 length_blocks { 0 };      // of an inlined one: 1
    ExtentKind kind { ExtentKind::mapped };
    Dva dva;                      // mapped, unwritten; compressed: of the whole unit, as long as it is stored
    TxgId birth;
    ChecksumKind checksum_kind { ChecksumKind::none };
    Encoding encoding { Encoding::none };
    u8 unit_blocks { 0 };         // compressed
    u8 unit_offset { 0 };         // compressed
    u32 stored_bytes { 0 };       // compressed
    Bytes payload;                // checksums of what is stored, or the inlined bytes

    bool is_compressed() const { return encoding != Encoding::none; }
    // What the file counts for it, of a unit its share; the parts of one add up to what is stored.
    u32 counted_blocks() const
    {
        if (!is_compressed())
            return length_blocks;
        return (unit_offset + length_blocks) * dva.length_blocks / unit_blocks - unit_offset * dva.length_blocks / unit_blocks;
    }

    u64 end() const { return file_block + length_blocks; }
    bool has_blocks() const { return kind != ExtentKind::inlined; }
    bool is_unwritten() const { return kind == ExtentKind::unwritten; }
    bool covers(u64 block) const { return block >= file_block && block < end(); }
    // Checksums of blocks [first, first + count) of what is stored.
    Bytes checksums(u32 first, u32 count) const
    {
        u32 each = checksum_bytes_of(checksum_kind);
        return payload.slice(size_t(first) * each, size_t(count) * each);
    }
    // The part [first, first + count), payload still pointing at the original's.
    Extent part(u32 first, u32 count) const;
    void keep_part(u32 first, u32 count); // becomes it

    u32 encoded_bytes() const { return static_cast<u32>(sizeof(DiskExtent) + payload.size()); }
    // Into `out` of at least encoded_bytes(); the payload may already stand in place there.
    u32 encode(MutableBytes out) const;
    // The head of a mapped one that is stored as it is and has no birth yet: its checksums stand behind it.
    static void encode_mapped(const Dva& dva, ChecksumKind kind, u8* out);
    // part(first, count).encode(out) of one that is not compressed, from the value it was decoded from.
    static u32 encode_part(Bytes value, u32 first, u32 count, MutableBytes out);
    // extent_damaged for anything out of form. The payload points into `value`.
    // `known_flags`: that may be set; none in a file's tree.
    static Result<Extent> decode(Bytes key, Bytes value, u8 known_flags = 0);
    // The same in place; `extent` is of no use after an error.
    static Status decode_into(Extent& extent, Bytes key, Bytes value, u8 known_flags = 0);
};

}
