// SPDX-License-Identifier: GPL-2.0-only
// The first walk over a dataset: its object table, and with each record the object's tree.
#include "core/check/checker.h"
#include "core/check/visitors.h"
#include "core/codec/checksum.h"
#include "core/object/extent.h"
#include "core/object/name.h"

namespace lcpfs {

class Checker::ObjectTable : public Accounting {
public:
    using Accounting::Accounting;
    Status item(Bytes key, Bytes value) override
    {
        if (m_checker.m_failure != Error::none)
            return m_checker.m_failure;
        BigEndianKey id;
        if (key.size() != 8) {
            m_checker.m_findings.say("object table of dataset ", m_checker.m_dataset_id, ": a key that is no object id");
            return {};
        }
        copy_bytes(&id, key.data(), 8);
        return m_checker.check_object(id.get(), value);
    }
};

class Checker::OrphanTree : public Accounting {
public:
    using Accounting::Accounting;
    Status item(Bytes key, Bytes) override
    {
        BigEndianKey id;
        if (key.size() == 8)
            copy_bytes(&id, key.data(), 8);
        SeenObject* const object = key.size() == 8 ? m_checker.find(id.get()) : nullptr;
        if (object)
            object->listed = true;
        else if (!m_checker.m_incomplete)
            m_checker.m_findings.say("orphan tree of dataset ", m_checker.m_dataset_id, ": lists object ", id.get(),
                                     ", which does not exist");
        return {};
    }
};

class Checker::FileTree : public Accounting {
public:
    FileTree(Checker& checker, u64 id, const ObjectAttributes& attributes) : Accounting(checker), m_id(id), m_attributes(attributes) {}

    Status item(Bytes key, Bytes value) override
    {
        Findings& findings = m_checker.m_findings;
        findings.report().extents++;
        Result<Extent> decoded = Extent::decode(key, value);
        if (decoded.is_error()) {
            m_checker.m_incomplete = true;
            findings.say("object ", m_id, ": extent after file block ", m_next_block, ": ", text_of(decoded.error()));
            return {};
        }
        const Extent& extent = decoded.value();
        if (extent.file_block < m_next_block)
            findings.say("object ", m_id, ": extent at file block ", extent.file_block, " overlaps the one before, which ends at ",
                         m_next_block);
        m_next_block = max(m_next_block, extent.end());
        // The second part of a symlink's target has key 1, whatever block its bytes would be in.
        const bool may_be_behind = m_attributes.is_truncating() || m_attributes.is_symlink() || extent.is_unwritten();
        if (!may_be_behind && extent.end() > blocks_for_bytes(m_attributes.size_bytes))
            findings.say("object ", m_id, ": extent at file block ", extent.file_block, " length ", u64(extent.length_blocks),
                         " is past the end of the file (",
                         m_attributes.size_bytes, " bytes)");
        if (!m_attributes.is_regular() && !m_attributes.is_symlink())
            findings.say("object ", m_id, ": has data, but is neither a file nor a symbolic link");
        if (extent.kind == ExtentKind::inlined) {
            m_inline_bytes += extent.payload.size();
            m_inlined++;
            if (m_attributes.is_regular() && extent.file_block != 0)
                findings.say("object ", m_id, ": data in its record for file block ", extent.file_block);
            return {};
        }
        m_mapped_blocks += extent.counted_blocks();
        // Whoever frees a part of a unit has to ask the share table.
        if (extent.is_compressed() && !m_attributes.has_shares())
            findings.say("object ", m_id, ": extent at file block ", extent.file_block,
                         " is compressed, but the object is not marked as one that has shares");
        if (extent.birth > m_checker.m_txg || extent.birth.value() == 0)
            findings.say("object ", m_id, ": extent at file block ", extent.file_block, " claims group ", extent.birth.value());
        const TreeOwner owner { TreeKind::extents, m_checker.m_dataset_id, m_id };
        if (!m_checker.claim_extent(extent.dva, owner, m_attributes.has_shares() || extent.is_compressed()))
            return {};
        if (!m_attributes.has_shares()) // what is shared stands where who wrote it lives
            m_checker.check_home(m_id, extent.file_block, extent.dva);
        if (extent.is_unwritten() && !m_attributes.has_unwritten())
            findings.say("object ", m_id, ": unwritten extent at file block ", extent.file_block, " of a file that claims to have none");
        if (m_checker.m_read_data && !extent.is_unwritten())
            return extent.is_compressed()
                ? m_checker.read_unit(m_id, extent)
                : m_checker.read_extent(m_id, extent.file_block, extent.dva, extent.checksum_kind, extent.payload);
        return {};
    }

    void finish()
    {
        Findings& findings = m_checker.m_findings;
        if (m_mapped_blocks != m_attributes.blocks)
            findings.say("object ", m_id, ": its record counts ", m_attributes.blocks, " blocks, its extents ", m_mapped_blocks);
        if (m_inlined > 1 && m_attributes.is_regular())
            findings.say("object ", m_id, ": has ", u64(m_inlined), " pieces of data in its record");
        if (m_inline_bytes > m_attributes.size_bytes && !m_attributes.is_truncating())
            findings.say("object ", m_id, ": ", m_inline_bytes, " bytes in its record for a size of ", m_attributes.size_bytes);
        // One that is being removed has lost its target first.
        if (m_attributes.is_symlink() && m_attributes.links != 0 && m_inline_bytes != m_attributes.size_bytes)
            findings.say("object ", m_id, ": a symbolic link of ", m_attributes.size_bytes, " bytes with ", m_inline_bytes,
                         " bytes of target");
    }

private:
    u64 m_id;
    const ObjectAttributes& m_attributes;
    u64 m_next_block { 0 };
    u64 m_mapped_blocks { 0 };
    u64 m_inline_bytes { 0 };
    u32 m_inlined { 0 };
};

// A directory's own matters; what its names lead to is for the second walk.
class Checker::DirectoryTree : public Accounting {
public:
    DirectoryTree(Checker& checker, u64 id, const ObjectAttributes& attributes) : Accounting(checker), m_id(id), m_attributes(attributes) {}

    Status item(Bytes key, Bytes value) override
    {
        Findings& findings = m_checker.m_findings;
        findings.report().names++;
        Result<Name> decoded = Name::decode(key, value);
        if (decoded.is_error()) {
            m_checker.m_incomplete = true;
            findings.say("object ", m_id, ": a name after cookie ", m_last_cookie, ": ", text_of(decoded.error()));
            return {};
        }
        m_last_cookie = decoded.value().cookie;
        m_size_bytes += name_cost(decoded.value().text.size());
        return {};
    }
    void finish()
    {
        if (m_size_bytes != m_attributes.size_bytes)
            m_checker.m_findings.say("object ", m_id, ": a directory of ", m_attributes.size_bytes, " bytes, whose names take ",
                                     m_size_bytes);
    }

private:
    u64 m_id;
    const ObjectAttributes& m_attributes;
    u64 m_last_cookie { 0 };
    u64 m_size_bytes { 0 };
};

Status Checker::check_object(u64 id, Bytes record)
{
    ObjectAttributes attributes;
    RecordRoots roots;
    m_findings.report().objects++;
    const Status decoded = decode_record(record, attributes, roots);
    if (decoded.is_error()) {
        m_incomplete = true;
        m_findings.say("object ", id, " in dataset ", m_dataset_id, ": ", text_of(decoded.error()));
        return {};
    }
    if (id < k_root_object || (id > k_root_object && id < k_first_free_object))
        m_findings.say("object ", id, ": an id that is never given out");
    const u8 type = static_cast<u8>(attributes.entry_type());
    TRY(m_objects.push_back({ id, attributes.parent, attributes.links, 0, 0, type, false, attributes.is_truncating(), k_reach_unknown }));
    m_data_blocks += attributes.blocks;
    TRY(check_body(id, attributes, roots.body));
    return roots.xattrs.form == RootForm::empty ? Status() : check_xattrs(id, attributes, roots.xattrs);
}

Status Checker::check_body(u64 id, const ObjectAttributes& attributes, const RecordRoot& root)
{
    const TreeOwner owner { root.kind, m_dataset_id, id };
    if (attributes.is_directory()) {
        m_findings.report().directories++;
        DirectoryTree names(*this, id, attributes);
        TRY(walk_root(*m_bodies, root, owner, names, [&](Bytes key, Bytes value) { return names.item(key, value); }));
        if (!m_incomplete)
            names.finish();
        return {};
    }
    FileTree file(*this, id, attributes);
    TRY(walk_root(*m_bodies, root, owner, file, [&](Bytes key, Bytes value) { return file.item(key, value); }));
    if (!m_incomplete)
        file.finish();
    return {};
}

// In one piece if it can be read so, else block by block.
Status Checker::read_piece(u64 id, u64 file_block, const Dva& dva, ChecksumKind kind, Bytes checksums)
{
    core_segment segments[k_data_pages];
    for (u32 i = 0; i < dva.length_blocks; i++)
        segments[i] = { m_pages[i], k_block_size };
    IoBatch batch;
    batch.begin();
    m_pool.vdevs().read(dva, Span<const core_segment>(segments, dva.length_blocks), 0, IoBatch::done, &batch);
    const Status status = batch.wait();
    const u32 each = checksum_bytes_of(kind);
    for (u32 i = 0; i < dva.length_blocks; i++) {
        if (status.is_error() && dva.length_blocks > 1) {
            TRY(read_piece(id, file_block + i, { dva.block + i, 1, dva.vdev }, kind, checksums.slice(size_t(i) * each, each)));
            continue;
        }
        const bool matches = status.is_ok() && block_checksum_matches(kind, m_pages[i], checksums.data() + size_t(i) * each);
        if (!matches)
            m_findings.say("object ", id, ": file block ", file_block + i, " at device ", u64(dva.vdev.value()), " block ", dva.block + i,
                           ": ",
                           text_of(status.is_ok() ? Error::data_checksum : status.error()));
    }
    return {};
}

Status Checker::read_extent(u64 id, u64 file_block, const Dva& dva, ChecksumKind kind, Bytes checksums)
{
    const u32 each = checksum_bytes_of(kind);
    for (u32 at = 0; at < dva.length_blocks; at += k_data_pages) {
        const u32 count = min(dva.length_blocks - at, k_data_pages);
        TRY(read_piece(id, file_block + at, { dva.block + at, count, dva.vdev }, kind, checksums.slice(size_t(at) * each,
            size_t(count) * each)));
    }
    return {};
}

// All that is stored of it, and that it comes to as many blocks as it says.
Status Checker::read_unit(u64 id, const Extent& extent)
{
    static_assert(k_max_unit_blocks <= k_data_pages);
    const u64 problems = m_findings.report().problems;
    TRY(read_piece(id, extent.file_block, extent.dva, extent.checksum_kind, extent.payload));
    if (m_findings.report().problems != problems)
        return {};
    if (!m_pool.compression()) {
        m_findings.say("object ", id, ": extent at file block ", extent.file_block, " is compressed, and no label says that any is");
        return {};
    }
    Compression::Turn turn(*m_pool.compression());
    for (u32 i = 0; i < extent.dva.length_blocks; i++)
        copy_bytes(turn.stored() + (size_t(i) << k_block_shift), m_pages[i], k_block_size);
    if (turn.decompress(extent.encoding, turn.stored(), extent.stored_bytes, extent.unit_blocks).is_error())
        m_findings.say("object ", id, ": extent at file block ", extent.file_block, ": the unit at device ", u64(extent.dva.vdev.value()),
                       " block ", extent.dva.block, " does not come to ", u64(extent.unit_blocks), " blocks");
    return {};
}

Status Checker::check_dataset()
{
    Result<NodePointer> objects = NodePointer::decode(m_dataset.objects);
    Result<NodePointer> orphans = NodePointer::decode(m_dataset.orphans);
    if (objects.is_error() || orphans.is_error()) {
        m_incomplete = true;
        m_findings.say("dataset ", m_dataset_id, ": its record points nowhere");
        return {};
    }
    ObjectTable table(*this);
    TRY(m_tables->walk(objects.value(), { TreeKind::objects, m_dataset_id, 0 }, table));
    OrphanTree orphan_tree(*this);
    TRY(m_tables->walk(orphans.value(), { TreeKind::orphans, m_dataset_id, 0 }, orphan_tree));
    if (m_is_destroying)
        return {};
    TRY(check_names(objects.value()));
    check_links();
    check_reach();
    return {};
}

}
