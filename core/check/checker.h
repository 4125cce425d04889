// SPDX-License-Identifier: GPL-2.0-only
// Checker: every pass of fsck over a pool in which nothing changes.
//
//   labels      each copy on each device against its own checksum and the pool's
//   trees       from the newest uberblock: pool tree, metaslab table, object tables, orphans, every object's tree; all copies
//               of every node; order of keys, records, extents, addresses; each block owned once
//   partitions  their entries; that each metaslab's owner is one of them; data in metaslabs of its own partition, of nobody, or in
//               such as are marked mixed
//   datasets    their names, and each for itself (of one that is being destroyed neither names nor links):
//   names       each name against what it names: existence, type, hash, duplicates, a directory's parent
//   objects     link counts, objects without a name, orphans, directories that the root does not reach
//   shares      how often blocks of file data are reached, against the share table
//   counters    datasets' and uberblock's
//   bitmaps     every metaslab's bitmap against the blocks reached
//
// It walks by itself: neither the node cache nor Tree takes part, so that a mistake there does not hide itself. One bit
// of memory per block, 48 bytes per object and 40 per entry of the share table. Damage cuts off what is below it; the passes go on
// with the rest and do not report what is only missing for that reason.
#pragma once

#include "core/check/block_map.h"
#include "core/check/findings.h"
#include "core/check/seen_shares.h"
#include "core/check/tree_walk.h"
#include "core/object/extent.h"
#include "core/object/record.h"
#include "core/pool/pool.h"

namespace lcpfs {

struct SeenObject {
    u64 id;
    u64 parent;
    u32 links;
    u32 names;          // found
    u32 subdirectories; // found
    u16 type;           // k_mode_*, shifted as in a name
    bool listed;        // in the orphan tree
    bool truncating;
    u8 reach;           // from the root: Reach
};
enum Reach : u8 { k_reach_unknown, k_reach_climbing, k_reach_root, k_reach_none };

class Checker {
public:
    static Result<Box<Checker>> create(Pool& pool, Findings& findings, bool read_data);
    ~Checker();
    Status run();

private:
    class Accounting;      // visitor: blocks and damage of every tree
    class PoolTree;
    class MetaslabTable;
    class ShareTree;
    class ObjectTable;
    class OrphanTree;
    class FileTree;
    class DirectoryTree;
    class XattrTree;
    class Names;           // second walk
    class NameTable;

    Checker(Pool& pool, Findings& findings, bool read_data);
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);

    void check_labels();
    Status check_dataset_head(Bytes key, Bytes value);
    void check_dataset_names();
    void find_share_root(Bytes value);
    Status check_share_table();
    struct SeenMetaslab {
        u64 partition { 0 };
        bool is_mixed { false };
    };
    void check_partition(u64 key, Bytes value);
    bool has_partition(u64 id) const;
    SeenMetaslab* metaslab_at(VdevId vdev, u64 index);
    void check_metaslab_owner(u64 vdev, u64 index, const DiskMetaslabEntry& entry);
    void check_home(u64 object, u64 file_block, const Dva& dva);
    Status check_datasets();
    void check_log(u64 ring, Bytes value);
    Status check_dataset();
    Status check_object(u64 id, Bytes record);
    Status check_body(u64 id, const ObjectAttributes& attributes, const RecordRoot& root);
    Status check_xattrs(u64 id, const ObjectAttributes& attributes, const RecordRoot& root);
    Status check_names(const NodePointer& objects);
    Status check_names_of(u64 id, Bytes record);
    void check_links();
    void check_link(SeenObject& object);
    void check_reach();
    void climb(SeenObject& start);
    void check_dataset_counters();
    void check_counters();
    Status check_bitmaps();
    Status check_bitmap(VdevId vdev, u32 metaslab, Span<u64> words);
    void compare_words(VdevId vdev, u32 metaslab, Span<const u64> committed, const u64* reached);
    void say_run(VdevId vdev, u64 block, u64 length, bool reached);
    // Enters a run into the map; says what is wrong with it. False: leave it alone.
    bool claim(const Dva& dva, const TreeOwner& owner, const char* what);
    bool claim_extent(Dva dva, const TreeOwner& owner, bool may_be_shared);
    Status read_piece(u64 id, u64 file_block, const Dva& dva, ChecksumKind kind, Bytes checksums);
    Status read_extent(u64 id, u64 file_block, const Dva& dva, ChecksumKind kind, Bytes checksums);
    Status read_unit(u64 id, const Extent& extent);
    SeenObject* find(u64 id);
    template <typename Visitor, typename Body>
    Status walk_root(TreeWalk& walk, const RecordRoot& root, const TreeOwner& owner, Visitor& visitor, Body item);

    static constexpr u32 k_data_pages = 32;
    Pool& m_pool;
    Findings& m_findings;
    const bool m_read_data;
    const TxgId m_txg;
    Box<BlockMap> m_map;
    Box<TreeWalk> m_tables;  // walks tables
    Box<TreeWalk> m_bodies;  // walks objects' trees meanwhile
    host_pool* m_page_pool { nullptr };
    u8* m_pages[k_data_pages] {};
    Error m_failure { Error::none }; // what ended a pass early, from where no error can be returned
    bool m_incomplete { false };     // something could not be read
    u64 m_nodes_walked { 0 };        // first walk
    u64 m_nodes_walked_again { 0 };  // second walk
    u64 m_metaslabs { 0 };
    u64 m_leaked { 0 };
    NodePointer m_share_root;
    bool m_lacks_shares { false };   // some of the share table cannot be read
    SeenShares m_shares;

    Vector<u64> m_partitions;        // by rising id
    u64 m_next_partition { k_default_partition.value() + 1 };
    Vector<SeenMetaslab> m_metaslab_owners;

    struct SeenDataset {
        u64 id { 0 };
        DiskDataset record {};
    };
    Vector<SeenDataset> m_datasets;  // by rising id
    u64 m_dataset_id { 0 };          // of the dataset being checked, as all below
    DiskDataset m_dataset {};
    bool m_is_destroying { false };
    u64 m_data_blocks { 0 };
    Vector<SeenObject> m_objects;    // by rising id
};

}
