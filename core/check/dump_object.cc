// SPDX-License-Identifier: GPL-2.0-only
#include "core/check/dump.h"

#include "core/check/tree_walk.h"
#include "core/object/extent.h"
#include "core/object/name.h"
#include "core/object/record.h"
#include "core/object/xattr.h"

namespace lcpfs {

namespace {

class ItemLines : public TreeVisitor {
public:
    ItemLines(const Lines& lines, TreeKind kind) : m_lines(lines), m_kind(kind) {}
    bool node(const NodePointer& pointer, const TreeOwner&) override
    {
        dump_pointer("node", pointer, m_lines);
        return true;
    }
    void damage(const NodePointer& pointer, const TreeOwner&, u32 copy, Error error) override
    {
        m_lines.put("  copy ", u64(copy), " of the node at ", u64(pointer.dva[0].vdev.value()), ":", pointer.dva[0].block, ": ",
                    text_of(error));
    }
    Status item(Bytes key, Bytes value) override
    {
        if (m_kind == TreeKind::directory)
            put_name(key, value);
        else if (m_kind == TreeKind::xattrs)
            put_xattr(key, value);
        else
            put_extent(key, value);
        return {};
    }

private:
    void put_name(Bytes key, Bytes value)
    {
        Result<Name> name = Name::decode(key, value);
        if (name.is_error())
            return m_lines.put("  name: ", text_of(name.error()));
        TextLine text;
        text.add("  name \"").add_name(name.value().text).add("\": object ").add(name.value().object);
        text.add(", type ").add(u64(name.value().type));
        text.add(", cookie ").add(name.value().cookie);
        m_lines.put_line(text);
    }
    void put_xattr(Bytes key, Bytes value)
    {
        Result<XattrPart> part = XattrPart::decode(key, value);
        if (part.is_error())
            return m_lines.put("  attribute: ", text_of(part.error()));
        TextLine text;
        text.add("  attribute \"").add_name(part.value().name).add("\" part ").add(u64(part.value().part));
        text.add(", generation ").add(u64(part.value().generation != 0)).add(": ").add(u64(part.value().bytes.size()));
        text.add(" of ").add(u64(part.value().value_bytes)).add(" bytes");
        m_lines.put_line(text);
    }
    void put_extent(Bytes key, Bytes value)
    {
        Result<Extent> decoded = Extent::decode(key, value);
        if (decoded.is_error())
            return m_lines.put("  extent: ", text_of(decoded.error()));
        const Extent& extent = decoded.value();
        if (extent.kind == ExtentKind::inlined)
            return m_lines.put("  file block ", extent.file_block, ": ", u64(extent.payload.size()), " bytes here");
        if (extent.is_compressed())
            return m_lines.put("  file block ", extent.file_block, " length ", u64(extent.length_blocks), ": at ",
                               u64(extent.dva.vdev.value()), ":", extent.dva.block, ", born ", extent.birth.value(), ", from block ",
                               u64(extent.unit_offset), " of ", u64(extent.unit_blocks), " that ",
                               extent.encoding == Encoding::lz4 ? "lz4" : "zstd", " made ", u64(extent.stored_bytes), " bytes of");
        m_lines.put("  file block ", extent.file_block, " length ", u64(extent.length_blocks), ": at ", u64(extent.dva.vdev.value()), ":",
                    extent.dva.block,
                    extent.is_unwritten() ? ", unwritten, born " : ", born ", extent.birth.value());
    }

    const Lines& m_lines;
    TreeKind m_kind;
};

// The record of an object, copied out of the table's committed or newer state.
Result<u32> find_record(Dataset& dataset, u64 id, MutableBytes into)
{
    ReadGuard guard(dataset.table_lock());
    const BigEndianKey key(id);
    TreeCursor cursor;
    if (!TRY(dataset.objects().find({ key.data(), 8 }, cursor)))
        return Error::not_found;
    VERIFY_DISK(cursor.value().size() <= into.size(), record_damaged);
    copy_bytes(into.data(), cursor.value().data(), cursor.value().size());
    return static_cast<u32>(cursor.value().size());
}

void put_time(const char* what, const Time& time, const Lines& lines)
{
    lines.put("  ", what, ": ", time.seconds < 0 ? "-" : "",
              time.seconds < 0 ? 0 - static_cast<u64>(time.seconds) : static_cast<u64>(time.seconds), " s ", u64(time.nanoseconds), " ns");
}

Status dump_tree(Pool& pool, const TreeOwner& owner, const RecordRoot& root, const Lines& lines)
{
    ItemLines items(lines, owner.kind);
    if (root.form == RootForm::inlined)
        return walk_inline(root.items, [&](Bytes key, Bytes value) { return items.item(key, value); });
    if (root.form == RootForm::empty)
        return {};
    Box<TreeWalk> walk = TRY(TreeWalk::create(pool.vdevs(), pool.cache().node_bytes()));
    return walk->walk(root.pointer, owner, items);
}

}

Status dump_object(Pool& pool, DatasetId of, u64 id, const Lines& lines)
{
    Dataset* dataset;
    {
        // It cannot go: a pool that is looked at by a tool is not written.
        ReadGuard list(pool.datasets().lock());
        dataset = pool.datasets().find(of);
    }
    if (!dataset || dataset->damage() != Error::none)
        return dataset ? dataset->damage() : Error::not_found;
    Vector<u8> buffer;
    TRY(buffer.resize(k_max_record_bytes));
    const u32 bytes = TRY(find_record(*dataset, id, buffer.span()));
    ObjectAttributes attributes;
    RecordRoots roots;
    lines.put("object ", id, ": a record of ", u64(bytes), " bytes");
    TRY(decode_record({ buffer.begin(), bytes }, attributes, roots));
    TextLine mode;
    mode.add("  mode: 0");
    for (u32 shift = 15; shift <= 15; shift -= 3)
        mode.add(u64(attributes.mode >> shift & 7));
    mode.add(", owner ").add(u64(attributes.uid)).add(":").add(u64(attributes.gid)).add(", project ").add(u64(attributes.project));
    lines.put_line(mode);
    lines.put("  size: ", attributes.size_bytes, " bytes, ", attributes.blocks, " blocks; links ", u64(attributes.links), ", generation ",
              attributes.generation,
              ", change ", attributes.change, attributes.is_truncating() ? ", being truncated" : "",
              attributes.has_shares() ? ", has shared blocks" : "");
    lines.put("  flags: ", u64(attributes.flags), ", device ", u64(attributes.rdev), ", parent ", attributes.parent);
    put_time("accessed", attributes.atime, lines);
    put_time("modified", attributes.mtime, lines);
    put_time("changed", attributes.ctime, lines);
    put_time("born", attributes.btime, lines);
    TRY(dump_tree(pool, { roots.body.kind, of.value(), id }, roots.body, lines));
    return dump_tree(pool, { TreeKind::xattrs, of.value(), id }, roots.xattrs, lines);
}

}
