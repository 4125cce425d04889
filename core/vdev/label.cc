// SPDX-License-Identifier: GPL-2.0-only
#include "core/vdev/label.h"

#include "core/format/metaslab_format.h"
#include "core/host/host.h"

namespace lcpfs {

constexpr u64 k_min_device_bytes = 16ull << 20;
constexpr u64 k_wanted_metaslabs = 256;
constexpr u64 k_max_capacity_blocks = 1ull << 50; // addresses in bytes stay far from wrapping
constexpr u16 k_no_parent = 0xffff;

static u64 header_checksum(const DiskLabelHeader& header)
{
    return host_xxh64(&header, offsetof(DiskLabelHeader, checksum), header.version.get());
}

static bool same_guid(const DiskGuid& a, const DiskGuid& b) { return compare_bytes(a.bytes, b.bytes, sizeof(a.bytes)) == 0; }

static Status verify_name(const u8* name)
{
    VERIFY_DISK(name[0] != 0, label_damaged);
    u32 length = 0;
    while (length < k_pool_name_bytes && name[length]) {
        VERIFY_DISK(name[length] > ' ' - 1 && name[length] < 0x7f && name[length] != '/', label_damaged);
        length++;
    }
    VERIFY_DISK(length < k_pool_name_bytes, label_damaged);
    return {};
}

static bool is_log(const DiskVdevEntry& entry) { return entry.role == static_cast<u8>(VdevRole::log); }

static Status verify_entry(const DiskVdevEntry& entry)
{
    VERIFY_DISK(entry.kind >= 1 && entry.kind <= 5 && entry.role >= 1 && entry.role <= 2, label_damaged);
    VERIFY_DISK(entry.kind == static_cast<u8>(VdevKind::device), feature_unknown);
    VERIFY_DISK(entry.parent.get() == k_no_parent, label_damaged);
    const u64 capacity = entry.capacity_blocks.get();
    const u64 metaslab = entry.metaslab_blocks.get();
    if (is_log(entry)) {
        VERIFY_DISK(capacity >= k_min_log_device_bytes / k_block_size && capacity <= k_max_capacity_blocks, label_damaged);
        VERIFY_DISK(metaslab == 0 && entry.metaslab_count.get() == 0, label_damaged);
        return {};
    }
    VERIFY_DISK(capacity >= k_min_device_bytes / k_block_size && capacity <= k_max_capacity_blocks, label_damaged);
    VERIFY_DISK(metaslab >= k_min_metaslab_blocks && metaslab <= k_max_metaslab_blocks && is_power_of_two(metaslab), label_damaged);
    VERIFY_DISK(entry.metaslab_count.get() >= 1, label_damaged);
    VERIFY_DISK(entry.metaslab_count.get() * metaslab <= capacity - k_label_count * k_label_blocks, label_damaged);
    return {};
}

Status verify_label(const Label& label)
{
    const DiskLabelHeader& header = label.header;
    VERIFY_DISK(header.magic.get() == k_label_magic, label_not_lcpfs);
    VERIFY_DISK(header.version.get() == k_label_version, label_version);
    VERIFY_DISK(header.checksum.get() == header_checksum(header), label_damaged);
    VERIFY_DISK(header.header_bytes.get() == sizeof(DiskLabelHeader), label_damaged);
    VERIFY_DISK(header.vdevs_checksum.get() == host_xxh64(&label.vdevs, sizeof(label.vdevs), 0), label_damaged);
    VERIFY_DISK((header.incompat.get() & ~k_known_incompat) == 0, feature_unknown);
    TRY(verify_name(header.name));
    VERIFY_DISK(header.vdev_count.get() >= 1 && header.vdev_count.get() <= k_max_vdevs, label_damaged);
    VERIFY_DISK(header.vdev_index.get() < header.vdev_count.get(), label_damaged);
    VERIFY_DISK(header.block_shift == k_block_shift, label_damaged);
    VERIFY_DISK(header.node_shift < 32 && 1u << header.node_shift >= k_min_node_bytes && 1u << header.node_shift <= k_max_node_bytes,
                label_damaged);
    VERIFY_DISK(header.metadata_copies >= 1 && header.metadata_copies <= k_max_copies, label_damaged);
    VERIFY_DISK(header.data_checksum >= 1 && header.data_checksum <= 3, label_damaged);
    VERIFY_DISK(header.node_checksum >= 1 && header.node_checksum <= 3, label_damaged);
    const Span<const DiskVdevEntry> entries(label.vdevs.entries, header.vdev_count.get());
    const bool may_have_logs = (header.incompat.get() & k_incompat_log_device) != 0;
    size_t logs = 0;
    for (size_t i = 0; i < entries.size(); i++) {
        TRY(verify_entry(entries[i]));
        logs += is_log(entries[i]);
        for (size_t j = 0; j < i; j++)
            VERIFY_DISK(!same_guid(entries[i].guid, entries[j].guid), label_damaged);
    }
    VERIFY_DISK(logs < entries.size() && (logs == 0 || may_have_logs), label_damaged);
    VERIFY_DISK(same_guid(entries[header.vdev_index.get()].guid, header.vdev_guid), label_damaged);
    return {};
}

void seal_label(Label& label)
{
    DiskLabelHeader& header = label.header;
    header.magic.set(k_label_magic);
    header.version.set(k_label_version);
    header.header_bytes.set(sizeof(DiskLabelHeader));
    header.vdevs_checksum.set(host_xxh64(&label.vdevs, sizeof(label.vdevs), 0));
    header.checksum.set(header_checksum(header));
}

static void take_label(Bytes bytes, Label& label)
{
    copy_bytes(&label.header, bytes.data(), sizeof(label.header));
    copy_bytes(&label.vdevs, bytes.data() + k_block_size, sizeof(label.vdevs));
}

// Header and vdev table of one label, with no look at what they say.
static Status read_one(DeviceIo& io, u64 offset_bytes, MutableBytes scratch, Label& label)
{
    TRY(io.read(offset_bytes + k_label_header_offset, scratch));
    take_label(scratch, label);
    return {};
}

LabelReader::~LabelReader()
{
    if (m_is_reading)
        m_io.finish_at_once({ m_pieces, k_label_count });
}

u64 LabelReader::offset(u32 index) const { return label_offset(index, m_io.capacity_blocks()) + k_label_header_offset; }

Status LabelReader::start()
{
    static_assert(k_label_vdevs_offset == k_label_header_offset + k_block_size);
    static_assert(k_label_count <= DeviceIo::k_most_at_once);
    static_assert(k_label_count * k_block_size + sizeof(DiskVdevTable) <= DeviceIo::k_window_pages * k_block_size);
    if (m_io.capacity_blocks() < 2 * k_label_count * k_label_blocks)
        return Error::label_not_lcpfs;
    for (u32 i = 0; i < k_label_count; i++) {
        m_pieces[i].offset_bytes = offset(i);
        m_pieces[i].into = { m_bytes[i], i ? k_block_size : sizeof(m_bytes[i]) };
    }
    TRY(m_io.start_at_once({ m_pieces, k_label_count }));
    m_is_reading = true;
    return {};
}

bool LabelReader::is_as_first(u32 index) const
{
    return index && m_pieces[0].error == Error::none && m_pieces[index].error == Error::none
        && compare_bytes(m_bytes[0], m_bytes[index], sizeof(DiskLabelHeader)) == 0;
}

Error LabelReader::verify(u32 index, Label& label)
{
    Error& error = m_pieces[index].error;
    if (index && error == Error::none)
        error = m_io.read(offset(index) + k_block_size, { m_bytes[index] + k_block_size, sizeof(DiskVdevTable) }).error();
    take_label({ m_bytes[index], sizeof(m_bytes[index]) }, label);
    return error == Error::none ? verify_label(label).error() : error;
}

Result<Box<Label>> LabelReader::finish(u64* in_all)
{
    m_io.finish_at_once({ m_pieces, k_label_count });
    m_is_reading = false;
    Box<Label> best = TRY(make_box<Label>());
    Box<Label> label = TRY(make_box<Label>());
    bool found = false, is_first_good = false, is_named = false;
    DiskGuid pool_guid {}, vdev_guid {};
    u32 foreign = 0;
    u64 common = ~0ull, unknown_generation = 0;
    Error refusal = Error::label_not_lcpfs;
    for (u32 i = 0; i < k_label_count; i++) {
        if (is_first_good && is_as_first(i))
            continue;
        Error error = verify(i, *label);
        // The first whole one says whose device it is. At the end of one that was smaller for a while stand those of a former pool.
        if (error == Error::none || error == Error::feature_unknown) {
            const DiskLabelHeader& header = label->header;
            if (is_named && !(same_guid(header.pool_guid, pool_guid) && same_guid(header.vdev_guid, vdev_guid)))
                error = Error::label_not_lcpfs;
            if (!is_named) {
                pool_guid = header.pool_guid;
                vdev_guid = header.vdev_guid;
            }
            is_named = true;
        }
        is_first_good = is_first_good || (i == 0 && error == Error::none);
        if (error == Error::none) {
            common &= label->header.incompat.get();
            if (!found || label->header.label_generation.get() > best->header.label_generation.get())
                lcpfs::swap(best, label);
            found = true;
        } else if (error == Error::label_not_lcpfs) {
            foreign++;
        } else if (refusal == Error::label_not_lcpfs || refusal == Error::label_damaged) {
            refusal = error;
        }
        if (error == Error::feature_unknown)
            unknown_generation = max(unknown_generation, label->header.label_generation.get());
    }
    if (!found)
        return foreign == k_label_count ? Error::label_not_lcpfs : refusal;
    // Who wrote a feature to some of them was interrupted, or has put it to use since.
    if (unknown_generation > best->header.label_generation.get())
        return Error::feature_unknown;
    if (in_all)
        *in_all = common;
    const DiskVdevEntry& self = best->vdevs.entries[best->header.vdev_index.get()];
    VERIFY_DISK(self.capacity_blocks.get() <= m_io.capacity_blocks(), device_too_small);
    return best;
}

Result<Box<Label>> read_label(host_bdev* bdev, u64* in_all)
{
    Box<DeviceIo> io = TRY(DeviceIo::create(bdev));
    Box<LabelReader> reader = TRY(make_box<LabelReader>(*io));
    TRY(reader->start());
    return reader->finish(in_all);
}

Status read_label_copy(host_bdev* bdev, u32 index, u64 capacity_blocks, Label& label)
{
    Box<DeviceIo> io = TRY(DeviceIo::create(bdev));
    Vector<u8> scratch;
    TRY(scratch.resize(k_block_size + sizeof(DiskVdevTable)));
    return read_one(*io, label_offset(index, capacity_blocks), scratch.span(), label);
}

Result<bool> have_same_front(host_bdev* a, host_bdev* b)
{
    Box<DeviceIo> first = TRY(DeviceIo::create(a));
    Box<DeviceIo> second = TRY(DeviceIo::create(b));
    Vector<u8> bytes;
    TRY(bytes.resize(2 * k_block_size));
    const MutableBytes one = bytes.span().slice(0, k_block_size), other = bytes.span().slice(k_block_size, k_block_size);
    for (u64 at = k_label_header_offset; at < k_label_bytes; at += k_block_size) {
        if (at == k_label_probe_offset)
            continue;
        TRY(first->read(at, one));
        TRY(second->read(at, other));
        if (!equal(one, other))
            return false;
    }
    return true;
}

static Status write_one(DeviceIo& io, u64 offset_bytes, const Label& label, MutableBytes scratch, bool fresh)
{
    zero_bytes(scratch.data(), scratch.size());
    copy_bytes(scratch.data(), &label.header, sizeof(label.header));
    copy_bytes(scratch.data() + k_block_size, &label.vdevs, sizeof(label.vdevs));
    if (fresh) {
        TRY(io.write_zeros(offset_bytes, k_label_header_offset));
        TRY(io.write_zeros(offset_bytes + k_label_probe_offset, k_label_bytes - k_label_probe_offset));
    }
    return io.write(offset_bytes + k_label_header_offset, scratch);
}

Status write_labels(host_bdev* bdev, const Label& label, bool fresh)
{
    TRY(verify_label(label));
    const u64 capacity = label.vdevs.entries[label.header.vdev_index.get()].capacity_blocks.get();
    Box<DeviceIo> io = TRY(DeviceIo::create(bdev));
    VERIFY_DISK(capacity <= io->capacity_blocks(), device_too_small);
    Vector<u8> scratch;
    TRY(scratch.resize(k_block_size + sizeof(DiskVdevTable)));
    for (u32 i = 0; i < k_label_count; i++) {
        TRY(write_one(*io, label_offset(i, capacity), label, scratch.span(), fresh));
        if (i % 2)
            TRY(io->flush());
    }
    return {};
}

Status write_label_copy(host_bdev* bdev, u32 index, const Label& label)
{
    TRY(verify_label(label));
    Box<DeviceIo> io = TRY(DeviceIo::create(bdev));
    Vector<u8> scratch;
    TRY(scratch.resize(k_block_size + sizeof(DiskVdevTable)));
    const u64 capacity = label.vdevs.entries[label.header.vdev_index.get()].capacity_blocks.get();
    TRY(write_one(*io, label_offset(index, capacity), label, scratch.span(), false));
    return io->flush();
}

Status choose_geometry(u64 capacity_bytes, u64 wanted_metaslab_bytes, DiskVdevEntry& entry)
{
    const u64 capacity = min(capacity_bytes / k_block_size, k_max_capacity_blocks);
    if (capacity < k_min_device_bytes / k_block_size)
        return Error::device_too_small;
    const u64 usable = capacity - k_label_count * k_label_blocks;
    const u64 wanted = wanted_metaslab_bytes ? wanted_metaslab_bytes / k_block_size : usable / k_wanted_metaslabs;
    u64 metaslab = k_min_metaslab_blocks;
    while (metaslab < k_max_metaslab_blocks && metaslab * 2 <= wanted)
        metaslab *= 2;
    const u64 count = usable / metaslab;
    if (count == 0)
        return Error::device_too_small;
    if (count > 0xffffffffull)
        return Error::not_supported;
    entry.capacity_blocks.set(capacity);
    entry.metaslab_blocks.set(static_cast<u32>(metaslab));
    entry.metaslab_count.set(static_cast<u32>(count));
    return {};
}

Status choose_log_geometry(u64 capacity_bytes, DiskVdevEntry& entry)
{
    if (capacity_bytes < k_min_log_device_bytes)
        return Error::device_too_small;
    entry.capacity_blocks.set(min(capacity_bytes / k_block_size, k_max_capacity_blocks));
    entry.metaslab_blocks.set(0);
    entry.metaslab_count.set(0);
    return {};
}

}
