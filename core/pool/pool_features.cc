// SPDX-License-Identifier: GPL-2.0-only
// Pool: features that come into use while it runs.
#include "core/pool/pool.h"
#include "core/pool/requests.h"
#include "core/vdev/label.h"

namespace lcpfs {

Status Pool::start_compression()
{
    if (m_compression)
        return {};
    if (!m_requests.units)
        m_requests.units = host_pool_create("lcpfs_unit", k_stored_unit_bytes, k_stored_unit_reserve);
    if (!m_requests.units)
        return Error::no_memory;
    m_compression = TRY(Compression::create());
    m_compressing.store(m_compression.get());
    return {};
}

namespace {

// The head of a label in whole pages, as devices take them.
class LabelPages {
public:
    static constexpr u32 k_pages = 1 + (sizeof(DiskVdevTable) + k_block_size - 1) / k_block_size;
    LabelPages() : m_pool(host_pool_create("lcpfs_label", k_block_size, 0)) {}
    ~LabelPages()
    {
        for (const core_segment& page : m_pages)
            if (page.data)
                host_pool_free(m_pool, page.data);
        host_pool_destroy(m_pool);
    }
    LabelPages(const LabelPages&) = delete;
    Status fill(const Label& label)
    {
        for (core_segment& page : m_pages) {
            if (!page.data)
                page = { m_pool ? host_pool_alloc(m_pool, 0) : nullptr, k_block_size };
            if (!page.data)
                return Error::no_memory;
            zero_bytes(page.data, k_block_size);
        }
        copy_bytes(m_pages[0].data, &label.header, sizeof(label.header));
        const u8* const table = reinterpret_cast<const u8*>(&label.vdevs);
        for (size_t at = 0; at < sizeof(label.vdevs); at += k_block_size)
            copy_bytes(m_pages[1 + at / k_block_size].data, table + at, min<size_t>(k_block_size, sizeof(label.vdevs) - at));
        return {};
    }
    Span<const core_segment> span() const { return { m_pages, k_pages }; }

private:
    host_pool* m_pool;
    core_segment m_pages[k_pages] {};
};

}

// The front pair, then the end pair. By the pool's own paths, and its own flushes: when one of those fails, what was written before it by
// anybody may be lost, and the pool has to know.
Status Pool::write_label_heads(const Vdev& vdev, const Label& label)
{
    LabelPages pages;
    TRY(pages.fill(label));
    IoBatch batch;
    for (u32 i = 0; i < k_label_count; i++) {
        batch.begin();
        m_vdevs->transfer(HOST_IO_WRITE, vdev.id, label_offset(i, vdev.capacity_blocks) + k_label_header_offset, pages.span(),
                          HOST_IO_META | HOST_IO_SYNC, IoBatch::done, &batch);
        if (i % 2 == 0)
            continue;
        TRY(batch.wait());
        TRY(m_vdevs->flush_written(vdev.id));
    }
    return {};
}

// Data device by data device: one of whose labels all have it is enough for a version that does not know it to refuse the pool, and a
// failure leaves nothing that needs it.
Status Pool::write_feature(u64 incompat)
{
    // Labels differ in whose they are and in nothing else. A device is not asked for its own: what it was opened by may be closed by now.
    Box<Label> label = TRY(make_box<Label>());
    copy_bytes(label.get(), m_label.get(), sizeof(Label));
    label->header.incompat.set(m_label->header.incompat.get() | incompat);
    label->header.label_generation.set(m_label->header.label_generation.get() + 1);
    bool is_any_written = false;
    for (u16 i = 0; i < m_vdevs->count(); i++) {
        const Vdev& vdev = m_vdevs->vdev(VdevId(i));
        if (!vdev.is_there() || vdev.role == VdevRole::log) // these have no extents, and may have failed
            continue;
        label->header.vdev_index.set(i);
        label->header.vdev_guid = vdev.guid;
        seal_label(*label);
        // Should a damaged device's say something else all the same, one made for it would not verify. It keeps its own: others have it.
        if (verify_label(*label).is_error())
            continue;
        TRY(write_label_heads(vdev, *label));
        is_any_written = true;
    }
    if (!is_any_written)
        return Error::label_damaged;
    m_label->header.incompat.set(label->header.incompat.get());
    m_label->header.label_generation.set(label->header.label_generation.get());
    m_features_written = label->header.incompat.get();
    return {};
}

// Whoever wrote one before may have been interrupted: what some labels say is used when all do.
Status Pool::need_features(u64 incompat)
{
    const u64 wanted = m_label->header.incompat.get() | incompat;
    return (m_features_written & wanted) == wanted ? Status() : write_feature(incompat);
}

Status Pool::enable_compression(const CompressionChoice& choice)
{
    if (!choice.is_on())
        return {};
    if (!host_codec_compresses(static_cast<host_codec>(choice.encoding)))
        return Error::not_supported;
    MutexGuard guard(m_state_lock);
    TRY(check_writable());
    return enable_compression_locked(choice);
}

Status Pool::enable_compression_locked(const CompressionChoice& choice)
{
    if (!host_codec_compresses(static_cast<host_codec>(choice.encoding)))
        return Error::not_supported;
    TRY(need_features(k_incompat_compression));
    TRY(start_compression());
    return m_compression->enable(choice);
}

void Pool::equip_locked()
{
    // Files may ask for it by themselves; where that is not to be had, nobody is told at each mount.
    if (m_compression && host_codec_compresses(static_cast<host_codec>(k_choice_by_flag.encoding)))
        (void)m_compression->enable(k_choice_by_flag).is_ok();
    ReadGuard list(m_datasets->lock());
    for (Dataset* dataset = m_datasets->next(DatasetId(0)); dataset; dataset = m_datasets->next(dataset->id().next())) {
        const CompressionChoice choice = dataset->data_ways().compression;
        if (!choice.is_on() || dataset->head().is_destroying())
            continue;
        const Status equipped = enable_compression_locked(choice);
        if (equipped.is_ok())
            continue;
        TextLine line;
        line.add("dataset ").add(dataset->head().text()).add(" is to be compressed, but cannot be here: ").add(text_of(equipped.error()));
        line.add("; new data is stored as it is");
        log(HOST_LOG_WARNING, StringView(line.text(), line.size()));
    }
}

}
