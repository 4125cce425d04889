// SPDX-License-Identifier: GPL-2.0-only
// BlockMap: which blocks of the pool the walk has reached. One bit per block, made per metaslab when first needed.
#pragma once

#include "core/host/vector.h"
#include "core/vdev/vdev_set.h"

namespace lcpfs {

class BlockMap {
public:
    static Result<Box<BlockMap>> create(VdevSet& vdevs);

    // Enters a run that is_valid. Gives how many of its blocks had been entered before, the first of them in `first_block`.
    Result<u32> enter(const Dva& dva, u64& first_block);
    // Whether any of the run's blocks has been entered. The run is_valid.
    bool overlaps(const Dva& dva) const;
    // Enters what is set in `words`, bit i for block i of the metaslab.
    Status merge(VdevId vdev, u32 metaslab, Span<const u64> words);
    // Bits of a metaslab: null when nothing in it was reached.
    const u64* words(VdevId vdev, u32 metaslab) const;

private:
    explicit BlockMap(VdevSet& vdevs) : m_vdevs(vdevs) {}
    template <typename T, typename... Arguments>
    friend Result<Box<T>> make_box(Arguments&&...);

    VdevSet& m_vdevs;
    Vector<Vector<u64>> m_maps;  // of all metaslabs of all vdevs
    Vector<size_t> m_first;      // of each vdev
};

}
