// SPDX-License-Identifier: GPL-2.0-only
// Labels: reading, checking and writing who a device is. Format and reasons in format/label_format.h.
#pragma once

#include "core/format/label_format.h"
#include "core/format/uberblock_format.h"
#include "core/host/vector.h"
#include "core/vdev/vdev_set.h"

namespace lcpfs {

struct Label {
    DiskLabelHeader header;
    DiskVdevTable vdevs;
};

// Checks magic, version, checksum, feature flags, counts, geometry (metaslabs inside the capacity, powers of two,
// name printable and terminated, index < count, every entry's kind and role known, a data device among them). Codes label_*,
// feature_unknown.
Status verify_label(const Label& label);
void seal_label(Label& label);

// The best label of a device: of those that verify the one with the highest generation. `bdev` need not
// belong to a pool. label_not_lcpfs when no label has our magic; label_damaged when one has and none verifies;
// feature_unknown also when a newer one says something that this version does not know; device_too_small when the device is shorter
// than its label says. `in_all`: the incompatible features that all labels that verify have.
Result<Box<Label>> read_label(host_bdev* bdev, u64* in_all = nullptr);
struct FoundLabel {
    Box<Label> label;
    u64 in_all { 0 }; // as read_label tells it
};

// Whether labels that were read before their device was held are still what it says: whoever writes labels begins with the first and
// ends with the last.
class LabelGlance {
public:
    LabelGlance() = default;
    ~LabelGlance();
    LabelGlance(const LabelGlance&) = delete;
    Status start(VdevSet& vdevs, const host_bdev* bdev); // one of theirs
    bool shows(const DiskLabelHeader& header);           // waits

private:
    static constexpr u32 k_labels = 2;
    host_pool* m_pool { nullptr };
    u8* m_pages[k_labels] {};
    IoBatch m_batch;
};

// One label of a device of `capacity_blocks` as it stands there, not verified. For the checker and for dumps.
Status read_label_copy(host_bdev* bdev, u32 index, u64 capacity_blocks, Label& label);

// Writes all four labels of one device (front pair, flush, end pair, flush), and zeros in their rings
// and reserved areas when `fresh`. Sleepable.
Status write_labels(host_bdev* bdev, const Label& label, bool fresh);

// The head of label `index` anew: a damaged one. Its ring stays. Flushes.
Status write_label_copy(host_bdev* bdev, u32 index, const Label& label);

// Whether two devices show the same bytes in their first label, uberblocks included.
Result<bool> have_same_front(host_bdev* a, host_bdev* b);

// Chooses metaslab_blocks and metaslab_count for a device (0 wanted: about 256 metaslabs within the limits).
// device_too_small below 16 MiB.
Status choose_geometry(u64 capacity_bytes, u64 wanted_metaslab_bytes, DiskVdevEntry& entry);

// The entry of a log device. device_too_small below k_min_log_device_bytes.
Status choose_log_geometry(u64 capacity_bytes, DiskVdevEntry& entry);

}
