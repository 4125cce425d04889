// SPDX-License-Identifier: GPL-2.0-only
// Heapsort: in place, no worse on hostile input.
#pragma once

#include "core/base/move.h"
#include "core/base/span.h"

namespace lcpfs {

// `is_below(a, b)`: a comes before b.
template <typename T, typename IsBelow>
void sort(Span<T> items, IsBelow is_below)
{
    auto sift = [&](size_t at, size_t count) {
        for (size_t child; (child = 2 * at + 1) < count; at = child) {
            if (child + 1 < count && is_below(items[child], items[child + 1]))
                child++;
            if (!is_below(items[at], items[child]))
                return;
            lcpfs::swap(items[at], items[child]);
        }
    };
    for (size_t at = items.size() / 2; at-- > 0;)
        sift(at, items.size());
    for (size_t count = items.size(); count-- > 1;) {
        lcpfs::swap(items[0], items[count]);
        sift(0, count);
    }
}

}
