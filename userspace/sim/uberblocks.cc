// SPDX-License-Identifier: GPL-2.0-only
#include "userspace/sim/uberblocks.h"

#include <algorithm>

#include "core/format/uberblock_format.h"

namespace lcpfs::sim {

namespace {

// Calls `visit(offset, uberblock)` for each slot of each label that holds a sound one.
template <typename Visit>
void for_uberblocks(const Image& image, Visit visit)
{
    u64 capacity = image.bytes() / k_block_size;
    for (u32 label = 0; label < k_label_count; label++) {
        std::vector<u8> ring(k_uberblock_slots * k_uberblock_slot_bytes);
        u64 start = label_offset(label, capacity) + k_label_ring_offset;
        image.read(start, ring.data(), ring.size());
        for (u32 slot = 0; slot < k_uberblock_slots; slot++) {
            const DiskUberblock& uberblock = *reinterpret_cast<const DiskUberblock*>(ring.data() + slot * k_uberblock_slot_bytes);
            if (uberblock.magic.get() == k_uberblock_magic
                && uberblock.checksum.get() == host_xxh64(&uberblock, offsetof(DiskUberblock, checksum), uberblock.txg.get()))
                visit(start + slot * k_uberblock_slot_bytes, uberblock);
        }
    }
}

}

std::vector<u64> committed_groups(const Images& images)
{
    std::vector<u64> groups;
    for (auto& image : images)
        for_uberblocks(*image, [&](u64, const DiskUberblock& uberblock) { groups.push_back(uberblock.txg.get()); });
    std::sort(groups.begin(), groups.end(), std::greater<>());
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    return groups;
}

u64 group_before(const Images& images, u64 txg)
{
    u64 before = 0;
    for (auto& image : images)
        for_uberblocks(*image, [&](u64, const DiskUberblock& uberblock) {
            if (uberblock.txg.get() == txg)
                before = uberblock.previous_txg.get();
        });
    return before;
}

u64 destroy_uberblocks(Images& images, u64 txg, Random& random)
{
    u64 destroyed = 0;
    for (auto& image : images)
        for_uberblocks(*image, [&](u64 offset, const DiskUberblock& uberblock) {
            if (uberblock.txg.get() != txg)
                return;
            // A sector of it is enough.
            std::vector<u8> garbage(512);
            for (u8& byte : garbage)
                byte = static_cast<u8>(random.next());
            image->write(offset + 512 * random.below(k_uberblock_slot_bytes / 512), garbage.data(), garbage.size());
            destroyed++;
        });
    return destroyed;
}

}
