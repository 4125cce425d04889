// SPDX-License-Identifier: GPL-2.0-only
#include "core/format/address.h"

#include "core/format/node_format.h"

namespace lcpfs {

Result<NodePointer> NodePointer::decode(const DiskNodePointer& disk)
{
    NodePointer pointer;
    TRY(decode(disk, pointer));
    return pointer;
}

Status NodePointer::decode(const DiskNodePointer& disk, NodePointer& pointer)
{
    pointer.copies = disk.copies;
    if (pointer.copies == 0)
        return {};
    VERIFY_DISK(pointer.copies <= k_max_copies, node_damaged);
    pointer.size_bytes = disk.size_bytes.get();
    VERIFY_DISK(pointer.size_bytes >= k_min_node_bytes && pointer.size_bytes <= k_max_node_bytes, node_damaged);
    VERIFY_DISK(is_power_of_two(pointer.size_bytes), node_damaged);
    VERIFY_DISK(disk.checksum_kind >= 1 && disk.checksum_kind <= 3, node_damaged);
    VERIFY_DISK(disk.encoding == 0, node_damaged); // nodes are stored as they are
    VERIFY_DISK(disk.level < k_max_tree_height, node_damaged);
    pointer.checksum_kind = static_cast<ChecksumKind>(disk.checksum_kind);
    pointer.encoding = static_cast<Encoding>(disk.encoding);
    pointer.level = disk.level;
    pointer.birth = TxgId(disk.birth_txg.get());
    VERIFY_DISK(pointer.birth.value() != 0, node_damaged);
    for (u32 i = 0; i < k_max_copies; i++) {
        pointer.dva[i] = Dva::decode(disk.dva[i]);
        if (i < pointer.copies)
            VERIFY_DISK(u64(pointer.dva[i].length_blocks) * k_block_size == pointer.size_bytes, node_damaged);
        else
            VERIFY_DISK(pointer.dva[i].length_blocks == 0, node_damaged);
    }
    copy_bytes(pointer.checksum.bytes, disk.checksum, k_checksum_bytes);
    return {};
}

}
