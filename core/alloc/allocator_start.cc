// SPDX-License-Identifier: GPL-2.0-only
// Starting: table rows, loading, rebuilding; and what the checker looks at.
#include "core/alloc/allocator.h"

namespace lcpfs {

Status Allocator::load_entry(VdevId vdev, u32 index, const DiskMetaslabEntry& entry)
{
    Metaslab* const metaslab = find(vdev, index);
    return metaslab ? metaslab->set_entry(entry) : Status(Error::metaslab_entry_damaged);
}

void Allocator::format_all()
{
    for (Metaslab* metaslab : m_metaslabs)
        metaslab->format();
}

Status Allocator::protect_previous(VdevId vdev, u32 index, const DiskMetaslabEntry& entry, TxgId newest)
{
    Metaslab* const metaslab = find(vdev, index);
    if (!metaslab)
        return Error::metaslab_entry_damaged;
    TRY(metaslab->protect_previous(entry, newest));
    if (metaslab->has_deferred() && !metaslab->m_deferred_link.is_linked())
        m_deferred.push_back(*metaslab);
    return {};
}

Status Allocator::load_all()
{
    Error first = Error::none;
    for (Metaslab* metaslab : m_metaslabs) {
        const Status status = metaslab->load();
        if (status.is_error() && first == Error::none)
            first = status.error();
    }
    return first;
}

Status Allocator::load(VdevId vdev, u32 index)
{
    Metaslab* const metaslab = find(vdev, index);
    return metaslab ? metaslab->load() : Status(Error::invalid);
}

Status Allocator::start_rebuild()
{
    for (Metaslab* metaslab : m_metaslabs) {
        if (metaslab->is_loaded() || metaslab->is_unread())
            continue;
        TRY(metaslab->start_rebuild());
        note_changed(*metaslab);
    }
    return {};
}

Status Allocator::mark_reached(const Dva& dva)
{
    Metaslab* const metaslab = find(dva);
    return metaslab ? metaslab->mark_reached(dva) : Status(Error::address_out_of_range);
}

void Allocator::end_rebuild(bool is_whole)
{
    for (Metaslab* metaslab : m_metaslabs) {
        metaslab->end_rebuild(is_whole);
        if (!is_whole && !metaslab->is_loaded() && metaslab->m_changed_link.is_linked())
            m_changed.remove(*metaslab);
    }
}

bool Allocator::copy_committed(VdevId vdev, u32 index, Span<u64> words) const
{
    Metaslab* const metaslab = find(vdev, index);
    return metaslab && metaslab->copy_committed(words);
}

DiskMetaslabEntry Allocator::entry(VdevId vdev, u32 index) const
{
    Metaslab* const metaslab = find(vdev, index);
    return metaslab ? metaslab->entry() : DiskMetaslabEntry {};
}

}
