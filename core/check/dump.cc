// SPDX-License-Identifier: GPL-2.0-only
#include "core/check/dump.h"

#include "core/check/checker.h"
#include "core/object/shared_run.h"

namespace lcpfs {

namespace {

// One line per node; the trees of objects below the object table are for "object:ID".
class NodeLines : public TreeVisitor {
public:
    explicit NodeLines(const Lines& lines) : m_lines(lines) {}
    bool node(const NodePointer& pointer, const TreeOwner&) override
    {
        TextLine what;
        for (u32 i = pointer.level; i < m_height; i++)
            what.add("  ");
        what.add("node");
        dump_pointer(what.text(), pointer, m_lines);
        return true;
    }
    void damage(const NodePointer& pointer, const TreeOwner&, u32 copy, Error error) override
    {
        if (copy < k_max_copies)
            m_lines.put("  copy ", u64(copy + 1), " at ", u64(pointer.dva[copy].vdev.value()), ":", pointer.dva[copy].block, ": ",
                        text_of(error));
        else
            m_lines.put("  node cannot be used: ", text_of(error));
    }
    Status item(Bytes, Bytes) override
    {
        m_items++;
        return {};
    }
    void start(u32 height)
    {
        m_height = height;
        m_items = 0;
    }
    u64 items() const { return m_items; }

private:
    const Lines& m_lines;
    u32 m_height { 0 };
    u64 m_items { 0 };
};

size_t name_bytes(const u8 (&name)[k_pool_name_bytes])
{
    size_t bytes = 0;
    while (bytes < sizeof(name) && name[bytes])
        bytes++;
    return bytes;
}

// The entries of the share table, one line each.
class ShareLines : public TreeVisitor {
public:
    explicit ShareLines(const Lines& lines) : m_lines(lines) {}
    Status item(Bytes key, Bytes value) override
    {
        Result<SharedRun> run = SharedRun::decode(key, value);
        if (run.is_error())
            m_lines.put("  entry: ", text_of(run.error()));
        else
            m_lines.put("  ", u64(run.value().dva.vdev.value()), ":", run.value().dva.block, " length ", u64(run.value().dva.length_blocks),
                        ": reached ", run.value().references, " times");
        return {};
    }

private:
    const Lines& m_lines;
};

// Finds the datasets' records and the share table in the pool tree.
class PoolTreeFinder : public TreeVisitor {
public:
    Status item(Bytes key, Bytes value) override
    {
        if (key.size() == 9 && key[0] == static_cast<u8>(PoolKey::shares) && value.size() == sizeof(DiskNodePointer)) {
            DiskNodePointer disk;
            copy_bytes(&disk, value.data(), sizeof(disk));
            shares = TRY(NodePointer::decode(disk));
        }
        if (key.size() != 9 || key[0] != static_cast<u8>(PoolKey::dataset) || value.size() != sizeof(DiskDataset))
            return {};
        BigEndianKey id;
        copy_bytes(&id, key.data() + 1, 8);
        TRY(found.resize(found.size() + 1));
        found.last().id = id.get();
        copy_bytes(&found.last().record, value.data(), sizeof(DiskDataset));
        return {};
    }
    struct Entry {
        u64 id { 0 };
        DiskDataset record {};
    };
    Vector<Entry> found;
    NodePointer shares;
};

Status dump_tree(TreeWalk& walk, const NodePointer& root, const TreeOwner& owner, const Lines& lines)
{
    lines.put(name_of(owner.kind), root.is_null() ? ": empty" : ":");
    NodeLines visitor(lines);
    visitor.start(root.level);
    TRY(walk.walk(root, owner, visitor));
    lines.put("  ", visitor.items(), " items");
    return {};
}

Status dump_dataset(TreeWalk& walk, const PoolTreeFinder::Entry& entry, const Lines& lines)
{
    const DiskDataset& record = entry.record;
    TextLine name;
    name.add("dataset ").add(entry.id).add(" \"").add_name({ record.name, name_bytes(record.name) }).add("\"");
    if (record.flags.get() & k_dataset_destroying)
        name.add(", being destroyed");
    lines.put(name.text(), ": ", record.object_count.get(), " objects, ", record.used_blocks.get(), " blocks of data, next object ",
              record.next_object.get(), ", created in group ", record.created_txg.get());
    TRY(dump_tree(walk, TRY(NodePointer::decode(record.objects)), { TreeKind::objects, entry.id, 0 }, lines));
    return dump_tree(walk, TRY(NodePointer::decode(record.orphans)), { TreeKind::orphans, entry.id, 0 }, lines);
}

Status dump_trees(Pool& pool, const Lines& lines)
{
    Box<TreeWalk> walk = TRY(TreeWalk::create(pool.vdevs(), pool.cache().node_bytes()));
    const Uberblock uberblock = pool.uberblock();
    TRY(dump_tree(*walk, uberblock.pool_tree, { TreeKind::pool, 0, 0 }, lines));
    TRY(dump_tree(*walk, uberblock.metaslab_table, { TreeKind::metaslabs, 0, 0 }, lines));
    PoolTreeFinder finder;
    TRY(walk->walk(uberblock.pool_tree, { TreeKind::pool, 0, 0 }, finder));
    TRY(dump_tree(*walk, finder.shares, { TreeKind::shares, 0, 0 }, lines));
    ShareLines shares(lines);
    TRY(walk->walk(finder.shares, { TreeKind::shares, 0, 0 }, shares));
    if (finder.found.is_empty())
        return Error::dataset_damaged;
    for (const PoolTreeFinder::Entry& entry : finder.found)
        TRY(dump_dataset(*walk, entry, lines));
    return {};
}

const char* name_of(MetaslabClass which)
{
    switch (which) {
    case MetaslabClass::metadata:
        return "metadata";
    case MetaslabClass::data:
        return "data";
    case MetaslabClass::log:
        return "log";
    case MetaslabClass::unassigned:
        break;
    }
    return "unassigned";
}

Status dump_metaslabs(Pool& pool, const Lines& lines)
{
    for (u16 i = 0; i < pool.vdevs().count(); i++) {
        const Vdev& vdev = pool.vdevs().vdev(VdevId(i));
        for (u32 m = 0; m < vdev.metaslab_count; m++) {
            const DiskMetaslabEntry entry = pool.allocator().entry(vdev.id, m);
            lines.put("device ", u64(i), " metaslab ", u64(m), " at block ", k_first_metaslab_block + u64(m) * vdev.metaslab_blocks, ": ",
                      u64(entry.free_blocks.get()), " of ", u64(vdev.metaslab_blocks), " blocks free, ",
                      name_of(static_cast<MetaslabClass>(entry.metaslab_class)), ", copy ", u64(entry.copy), ", written by group ",
                          entry.txg.get());
        }
    }
    return {};
}

bool number_of(StringView digits, u64& number)
{
    number = 0;
    for (size_t i = 0; i < digits.size(); i++) {
        const char digit = digits.data()[i];
        if (digit < '0' || digit > '9' || number > ~0ull / 10 - 1)
            return false;
        number = number * 10 + static_cast<u64>(digit - '0');
    }
    return digits.size() > 0;
}

// "object:ID", or "object:DATASET:ID". False: neither.
bool object_number(StringView what, u64& dataset, u64& number)
{
    constexpr size_t k_prefix = 7;
    if (what.size() <= k_prefix || !(StringView(what.data(), k_prefix) == StringView("object:")))
        return false;
    const StringView rest(what.data() + k_prefix, what.size() - k_prefix);
    size_t colon = 0;
    while (colon < rest.size() && rest.data()[colon] != ':')
        colon++;
    dataset = k_default_dataset;
    if (colon == rest.size())
        return number_of(rest, number);
    return number_of({ rest.data(), colon }, dataset) && number_of({ rest.data() + colon + 1, rest.size() - colon - 1 }, number);
}

}

Status dump_pool(Pool& pool, StringView what, const Lines& lines)
{
    u64 dataset, id;
    if (what == StringView("trees"))
        return dump_trees(pool, lines);
    if (what == StringView("metaslabs"))
        return dump_metaslabs(pool, lines);
    if (what == StringView("log"))
        return dump_log(pool, lines);
    if (object_number(what, dataset, id))
        return dump_object(pool, DatasetId(dataset), id, lines);
    if (!(what == StringView("labels")) && !(what == StringView("uberblocks")))
        return Error::invalid;
    for (u16 i = 0; i < pool.vdevs().count(); i++) {
        host_bdev* const bdev = pool.vdevs().vdev(VdevId(i)).bdev;
        if (!bdev) {
            lines.put("device ", u64(i), ": a log device that is not there");
            continue;
        }
        lines.put("device ", u64(i), ": ", host_bdev_name(bdev));
        TRY(dump_device(bdev, what, lines));
    }
    return {};
}

}
