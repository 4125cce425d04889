// SPDX-License-Identifier: GPL-2.0-only
// Labels: reading, checking and writing who a device is. Format and reasons in format/label_format.h.
#pragma once

#include "core/format/label_format.h"
#include "core/format/uberblock_format.h"
#include "core/host/vector.h"
#include "core/vdev/device_io.h"
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

// The same in two steps, so that something else can be done while the device reads. Of each of the four labels the header is read, of
// the first the vdev table too. One with the first's header says what the first says; of any other the table is read as well.
class LabelReader {
public:
    explicit LabelReader(DeviceIo& io) : m_io(io) {}
    ~LabelReader();
    LabelReader(const LabelReader&) = delete;
    Status start();
    Result<Box<Label>> finish(u64* in_all); // once, when it was started

private:
    u64 offset(u32 index) const;
    bool is_as_first(u32 index) const;
    Error verify(u32 index, Label& label);
    DeviceIo& m_io;
    bool m_is_reading { false };
    DeviceIo::Piece m_pieces[k_label_count];
    u8 m_bytes[k_label_count][k_block_size + sizeof(DiskVdevTable)];
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
