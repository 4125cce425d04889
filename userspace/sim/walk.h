// SPDX-License-Identifier: GPL-2.0-only
// Reading a filesystem through core.h: synchronous wrappers, and the walk that makes a Tree of it.
#pragma once

#include <string>
#include <vector>

#include "userspace/sim/model.h"

namespace lcpfs::sim {

// Page-aligned memory for core_read and core_write.
class Blocks {
public:
    explicit Blocks(u64 count);
    ~Blocks();
    Blocks(const Blocks&) = delete;
    u8* at(u64 index) { return m_data + index * CORE_BLOCK_SIZE; }
    u64 count() const { return m_count; }
    // As a few segments, cut at random places when `pieces` > 1.
    std::vector<core_segment> segments(u64 count, unsigned pieces = 1);

private:
    u8* m_data;
    u64 m_count;
};

// Waits for the completion. `bad` (may be null) gets the numbers of the blocks that failed, from 0.
int read_blocks(core_object* object, u64 block, Blocks& blocks, u64 count, std::vector<u64>* bad = nullptr);
// Only this may find no memory; what has been reserved is written, whether there is any or not.
int reserve_blocks(core_object* object, u64 block, u64 count);
int write_reserved(core_object* object, u64 block, Blocks& blocks, u64 count, u64 size_bytes, unsigned pieces = 1);
// The same by core_log_write, or as above when that is refused.
int log_reserved(core_object* object, u64 block, Blocks& blocks, u64 count, u64 size_bytes, unsigned pieces = 1);
// Reserves and writes.
int write_blocks(core_object* object, u64 block, Blocks& blocks, u64 count, u64 size_bytes);

u64 xattr_hash(const std::string& value);

// 0 for a block of zeros.
u64 block_hash(const u8* data);

struct WalkOptions {
    bool tolerant { false };     // an error becomes damage of its object; else the run fails
    u64 shared_directory { 0 };  // only its entries that begin with `prefix` are followed
    std::string prefix {};
    bool any { false };           // whatever it finds: an image that was changed behind its checksums
};
// Everything reachable from directory `root`.
Tree walk(core_dataset* dataset, u64 root, const WalkOptions& options);
// One object, read fully.
int read_object(core_dataset* dataset, u64 id, ObjectState& state, const WalkOptions& options);

}
