// SPDX-License-Identifier: GPL-2.0-only
#include "core/check/checker.h"

#include "core/check/visitors.h"

namespace lcpfs {

const char* name_of(TreeKind kind)
{
    switch (kind) {
    case TreeKind::pool:
        return "pool tree";
    case TreeKind::metaslabs:
        return "metaslab table";
    case TreeKind::objects:
        return "object table";
    case TreeKind::orphans:
        return "orphan tree";
    case TreeKind::extents:
        return "extents";
    case TreeKind::directory:
        return "names";
    case TreeKind::xattrs:
        return "attributes";
    case TreeKind::shares:
        return "share table";
    }
    return "unknown tree";
}

Checker::Checker(Pool& pool, Findings& findings, bool read_data)
    : m_pool(pool), m_findings(findings), m_read_data(read_data), m_txg(pool.uberblock().txg)
{
}

Result<Box<Checker>> Checker::create(Pool& pool, Findings& findings, bool read_data)
{
    Box<Checker> checker = TRY(make_box<Checker>(pool, findings, read_data));
    checker->m_map = TRY(BlockMap::create(pool.vdevs()));
    checker->m_tables = TRY(TreeWalk::create(pool.vdevs(), pool.cache().node_bytes()));
    checker->m_bodies = TRY(TreeWalk::create(pool.vdevs(), pool.cache().node_bytes()));
    if (read_data) {
        checker->m_page_pool = host_pool_create("lcpfs_check_data", k_block_size, 0);
        if (!checker->m_page_pool)
            return Error::no_memory;
        for (u8*& page : checker->m_pages) {
            page = static_cast<u8*>(host_pool_alloc(checker->m_page_pool, 0));
            if (!page)
                return Error::no_memory;
        }
    }
    return checker;
}

Checker::~Checker()
{
    for (u8* page : m_pages)
        if (page)
            host_pool_free(m_page_pool, page);
    host_pool_destroy(m_page_pool);
}

class Checker::PoolTree : public Accounting {
public:
    using Accounting::Accounting;
    Status item(Bytes key, Bytes value) override
    {
        return m_checker.check_dataset_head(key, value);
    }
};

class Checker::MetaslabTable : public Accounting {
public:
    using Accounting::Accounting;
    Status item(Bytes key, Bytes value) override
    {
        BigEndianKey number;
        if (key.size() == 8)
            copy_bytes(&number, key.data(), 8);
        VdevSet& vdevs = m_checker.m_pool.vdevs();
        const u64 vdev = number.get() >> 32;
        const u64 metaslab = number.get() & 0xffffffff;
        if (key.size() != 8 || value.size() != sizeof(DiskMetaslabEntry) || vdev >= vdevs.count()
            || metaslab >= vdevs.vdev(VdevId(static_cast<u16>(vdev))).metaslab_count) {
            m_checker.m_findings.say("metaslab table: a row for metaslab ", metaslab, " of device ", vdev, ", which is not there");
            return {};
        }
        m_checker.m_metaslabs++;
        DiskMetaslabEntry entry;
        copy_bytes(&entry, value.data(), sizeof(entry));
        if (entry.txg.get() > m_checker.m_txg.value())
            m_checker.m_findings.say("metaslab table: metaslab ", metaslab, " of device ", vdev, " was written by group ",
                                     entry.txg.get(), ", which is yet to come");
        m_checker.check_metaslab_owner(vdev, metaslab, entry);
        return {};
    }
};

Status Checker::check_dataset_head(Bytes key, Bytes value)
{
    BigEndianKey id;
    if (key.size() == 9)
        copy_bytes(&id, key.data() + 1, 8);
    if (key.size() == 9 && key[0] == static_cast<u8>(PoolKey::log)) {
        check_log(id.get(), value);
        return {};
    }
    if (key.size() == 9 && key[0] == static_cast<u8>(PoolKey::shares) && id.get() == 0) {
        find_share_root(value);
        return {};
    }
    if (key.size() == 9 && key[0] == static_cast<u8>(PoolKey::partition)) {
        check_partition(id.get(), value);
        return {};
    }
    if (key.size() != 9 || key[0] != static_cast<u8>(PoolKey::dataset) || value.size() != sizeof(DiskDataset)) {
        m_findings.say("pool tree: an entry of an unknown kind");
        return {};
    }
    TRY(m_datasets.resize(m_datasets.size() + 1));
    m_datasets.last().id = id.get();
    copy_bytes(&m_datasets.last().record, value.data(), sizeof(DiskDataset));
    return {};
}

// Heads, and that no two have one name.
void Checker::check_dataset_names()
{
    for (size_t i = 0; i < m_datasets.size(); i++) {
        const SeenDataset& seen = m_datasets[i];
        Result<DatasetHead> head = DatasetHead::decode(seen.record);
        if (head.is_error()) {
            m_findings.say("dataset ", seen.id, ": its name or its properties are malformed");
            continue;
        }
        if (seen.id >= max<u64>(m_pool.uberblock().next_dataset, k_default_dataset + 1))
            m_findings.say("dataset ", seen.id, ": is beyond the next to be made, ", m_pool.uberblock().next_dataset);
        if (head.value().partition && !has_partition(head.value().partition))
            m_findings.say("dataset ", seen.id, ": lives in partition ", head.value().partition, ", which there is none of");
        if (seen.id == k_default_dataset && head.value().is_destroying())
            m_findings.say("dataset ", seen.id, ": is being destroyed, which it cannot be");
        for (size_t other = 0; other < i && !head.value().is_destroying(); other++) {
            Result<DatasetHead> before = DatasetHead::decode(m_datasets[other].record);
            if (before.is_ok() && !before.value().is_destroying() && before.value().text() == head.value().text())
                m_findings.say("dataset ", seen.id, ": has the name of dataset ", m_datasets[other].id);
        }
    }
}

// What cannot be read in one says nothing about the names of the others.
Status Checker::check_datasets()
{
    bool any_incomplete = m_incomplete;
    for (const SeenDataset& seen : m_datasets) {
        m_dataset_id = seen.id;
        m_dataset = seen.record;
        m_is_destroying = (seen.record.flags.get() & k_dataset_destroying) != 0;
        m_data_blocks = 0;
        m_objects.clear();
        m_incomplete = false;
        m_findings.set_dataset(seen.id == k_default_dataset ? 0 : seen.id);
        TRY(check_dataset());
        check_dataset_counters();
        any_incomplete = any_incomplete || m_incomplete;
    }
    m_findings.set_dataset(0);
    m_incomplete = any_incomplete;
    if (m_datasets.is_empty() || m_datasets[0].id != k_default_dataset)
        m_findings.say("pool tree: the dataset that every pool has is missing");
    return {};
}

// The blocks of a ring of the intent log. What it holds is replay's to judge. A log device has nothing else, and no bitmaps.
void Checker::check_log(u64 id, Bytes value)
{
    Result<LogRing> ring = LogRing::decode(m_pool.vdevs(), value);
    if (ring.is_error() || id >= k_log_ring_ids || ring.value().is_on_log_device() != (id == k_device_ring))
        return m_findings.say("pool tree: where ring ", id, " of the intent log is, is malformed");
    for (const Dva& segment : ring.value().segments())
        if (id == k_pool_ring)
            (void)claim(segment, { TreeKind::pool, 0, 0 }, "the intent log");
    const u32 wanted = ring.value().all() & ~ring.value().members().stale;
    for (u32 missing = wanted & ~ring.value().present(); missing; missing &= missing - 1) {
        const VdevId device = ring.value().device_of(static_cast<u32>(__builtin_ctz(missing)));
        m_findings.say("device ", u64(device.value()), ": the log device is missing");
    }
}

bool Checker::claim(const Dva& dva, const TreeOwner& owner, const char* what)
{
    if (!m_pool.vdevs().is_valid(dva)) {
        m_findings.say_of(owner, what, " at device ", u64(dva.vdev.value()), " block ", dva.block, " length ", u64(dva.length_blocks),
                          ": address outside the metaslabs");
        return false;
    }
    u64 first = 0;
    Result<u32> again = m_map->enter(dva, first);
    if (again.is_error()) {
        m_failure = again.error();
        return false;
    }
    m_findings.report().blocks_used += dva.length_blocks - again.value();
    m_findings.advance(dva.length_blocks);
    if (again.value() == 0)
        return true;
    m_findings.say_of(owner, what, " uses ", u64(again.value()), " blocks from block ", first, " of device ", u64(dva.vdev.value()),
                      ", which belong to something else too");
    return false;
}

void Checker::check_labels()
{
    Result<Box<Label>> label = make_box<Label>();
    if (label.is_error()) {
        m_failure = label.error();
        return;
    }
    for (u16 i = 0; i < m_pool.vdevs().count(); i++) {
        const Vdev& vdev = m_pool.vdevs().vdev(VdevId(i));
        if (!vdev.is_there()) // whether it is missed says the pool tree
            continue;
        for (u32 copy = 0; copy < k_label_count; copy++) {
            Status status = read_label_copy(vdev.bdev, copy, vdev.capacity_blocks, *label.value());
            if (status.is_ok())
                status = verify_label(*label.value()).error();
            const DiskLabelHeader& header = label.value()->header;
            if (status.is_ok() && compare_bytes(header.pool_guid.bytes, m_pool.label().header.pool_guid.bytes, sizeof(DiskGuid)) != 0)
                status = Error::device_foreign;
            if (status.is_ok() && header.vdev_index.get() != i)
                status = Error::device_foreign;
            if (status.is_error())
                m_findings.say("device ", u64(i), " (", host_bdev_name(vdev.bdev), "): label ", u64(copy), ": ", text_of(status.error()));
        }
    }
}

SeenObject* Checker::find(u64 id)
{
    size_t low = 0, high = m_objects.size();
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (m_objects[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m_objects.size() && m_objects[low].id == id ? &m_objects[low] : nullptr;
}

void Checker::check_dataset_counters()
{
    const DiskDataset& dataset = m_dataset;
    if (!m_incomplete) {
        if (dataset.object_count.get() != m_objects.size())
            m_findings.say("dataset ", m_dataset_id, ": says it has ", dataset.object_count.get(), " objects, ", u64(m_objects.size()),
                           " were found");
        if (dataset.used_blocks.get() != m_data_blocks)
            m_findings.say("dataset ", m_dataset_id, ": says its data takes ", dataset.used_blocks.get(), " blocks, ", m_data_blocks,
                           " were found");
    }
    if (!m_objects.is_empty() && m_objects.last().id >= dataset.next_object.get())
        m_findings.say("dataset ", m_dataset_id, ": object ", m_objects.last().id, " is beyond the next to be given out, ",
                       dataset.next_object.get());
}

void Checker::check_counters()
{
    const Uberblock& uberblock = m_pool.uberblock();
    if (uberblock.total_blocks != m_pool.allocator().counts().total_blocks)
        m_findings.say("uberblock: says the pool has ", uberblock.total_blocks, " blocks, its devices have ",
                       m_pool.allocator().counts().total_blocks);
    if (uberblock.used_blocks < m_findings.report().blocks_used && !m_incomplete)
        m_findings.say("uberblock: says ", uberblock.used_blocks, " blocks are in use, ", m_findings.report().blocks_used, " were found");
}

Status Checker::run()
{
    check_labels();
    const Uberblock& uberblock = m_pool.uberblock();
    m_findings.set_total(uberblock.used_blocks);
    PoolTree pool_tree(*this);
    TRY(m_tables->walk(uberblock.pool_tree, { TreeKind::pool, 0, 0 }, pool_tree));
    MetaslabTable metaslab_table(*this);
    TRY(m_tables->walk(uberblock.metaslab_table, { TreeKind::metaslabs, 0, 0 }, metaslab_table));
    u64 metaslabs = 0;
    for (u16 i = 0; i < m_pool.vdevs().count(); i++)
        metaslabs += m_pool.vdevs().vdev(VdevId(i)).metaslab_count;
    if (m_metaslabs != metaslabs)
        m_findings.say("metaslab table: ", m_metaslabs, " rows for ", metaslabs, " metaslabs");
    TRY(check_share_table());
    check_dataset_names();
    TRY(check_datasets());
    if (!m_incomplete)
        m_shares.compare(m_findings);
    check_counters();
    TRY(check_bitmaps());
    return m_failure;
}

}
