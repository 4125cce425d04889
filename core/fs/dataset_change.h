// SPDX-License-Identifier: GPL-2.0-only
// Making, changing and destroying datasets.
//
// Each is one operation in one group, with a record in the log like any other, so that replay knows a dataset when it comes to
// the records of its files, even after falling back to an older group. It returns when its group has committed.
//
// A dataset is destroyed at once, as to its name, and freed in the background (erase.h).
#pragma once

#include "core/pool/pool.h"

namespace lcpfs {

struct NewDataset {
    DatasetHead head;
    u32 mode { 0755 }, uid { 0 }, gid { 0 }; // of its root directory
    Time time;
    // Made again from a log record, which says who it was; 0: new.
    DatasetId id;
    u64 generation { 0 };
    DiskGuid hash_seed {};
};

// invalid: no such name can be; exists; no_space: there are as many as can be, or no space.
Status create_dataset(Pool& pool, const NewDataset& how);

// not_found; not_permitted: the first one's name, or destroying it; exists; busy: to be destroyed, but in use; dataset_damaged.
Status rename_dataset(Pool& pool, StringView from, StringView to);
Status destroy_dataset(Pool& pool, StringView name);
Status set_dataset_sync(Pool& pool, StringView name, SyncMode sync);
Status set_dataset_log_bias(Pool& pool, StringView name, LogBias bias);
// not_supported: this host cannot compress so.
Status set_dataset_compression(Pool& pool, StringView name, CompressionChoice choice);
Status set_dataset_checksum(Pool& pool, StringView name, ChecksumKind kind); // none: the pool's

// What a log record says that the head of this dataset became.
Status replay_dataset_head(Pool& pool, DatasetId id, const DatasetHead& head);

}
