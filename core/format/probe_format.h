// SPDX-License-Identifier: GPL-2.0-only
// The probe block: 4 KiB at k_label_probe_offset of a device's first label, zeros until the device first has a second
// path. Not part of the pool's state: it is overwritten at any time, torn or lost without harm.
//
// A path is the same disk as another when a nonce written through one is read back through the other
// (core/mpio/path_probe.h). Later probes of a path expect the last nonce, so that a disk swapped behind the same
// device node does not pass for it.
#pragma once

#include "core/format/label_format.h"

namespace lcpfs {

constexpr u64 k_probe_magic = 0x31425250'53465043ull; // "CPFSPRB1"
constexpr u32 k_probe_version = 1;
constexpr u32 k_probe_bytes = 4096;

struct DiskProbe {
    le64 magic;
    le32 version;
    u8 reserved[4];
    DiskGuid pool_guid;
    DiskGuid vdev_guid;
    le64 nonce[2];
    le64 written_ns;     // realtime
    u8 padding[k_probe_bytes - 80];
    le64 checksum;       // xxh64 of all before, seed = version
};
static_assert(sizeof(DiskProbe) == k_probe_bytes);
static_assert(offsetof(DiskProbe, vdev_guid) == 32);
static_assert(offsetof(DiskProbe, nonce) == 48);
static_assert(offsetof(DiskProbe, checksum) == k_probe_bytes - 8);

}
