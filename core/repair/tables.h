// SPDX-License-Identifier: GPL-2.0-only
// PoolTables: what the pool tree and the metaslab table of a damaged group still say, and the same tables of the repaired one.
#pragma once

#include "core/repair/context.h"
#include "core/zil/reader.h"

namespace lcpfs {

class PoolTables {
public:
    explicit PoolTables(RepairContext& context) : m_context(context) {}

    // node_damaged: the pool tree cannot be read at all.
    Status read();
    struct Seen {
        u64 id { 0 };
        DiskDataset record {};
    };
    Vector<Seen>& datasets() { return m_datasets; } // by rising id
    // All that `datasets` and the claims are by then. The uberblock is complete after it but for its number.
    Status write(Uberblock& next);

private:
    class PoolTree;
    class MetaslabTable;
    class Kept;

    Status take_item(Bytes key, Bytes value);
    Status take_partition(u64 key, Bytes value);
    Status take_ring(u64 id, Bytes value);
    Status take_row(Bytes key, Bytes value);
    Status put_right_datasets();
    Status make_default_dataset();
    Status read_rows();
    Status keep_all();
    Status claim_ring();
    Status keep_logged();
    Status take_logged(LogReader& reader);
    Status make_ring();
    Status write_rows(Uberblock& next);
    Status write_pool_tree(Uberblock& next, const NodePointer& shares);
    Status write_partition_table();

    // Items as they are, in order.
    struct Items {
        Vector<u8> bytes;
        struct Size {
            u32 key, value;
        };
        Vector<Size> sizes;
        Status add(Bytes key, Bytes value);
    };
    RepairContext& m_context;
    Vector<Seen> m_datasets;
    Items m_partitions;
    Items m_rings;
    u64 m_next_partition { 0 };  // 0: there is no table
    LogRing m_ring;              // the pool's own
    LogRing m_active_ring;       // the one that the log is in, if that is another
    bool m_has_new_ring { false };
    bool m_has_active_ring { false };
    u64 m_rows { 0 };
    NodePointer m_old_shares;
};

}
