// SPDX-License-Identifier: GPL-2.0-only
// Space promised before anything is written (core_reserve).
#include "core/fs/extents.h"
#include "core/fs/file_write.h"
#include "core/fs/in_place.h"

namespace lcpfs {

Status reserve_blocks(Object& object, u64 blocks)
{
    Pool& pool = *object.dataset().host().pool;
    TRY(pool.admit_change());
    if (blocks > k_max_file_blocks)
        return Error::no_space;
    pool.space().throttle();
    return pool.space().promise_data(object.dataset().owner(), blocks);
}

Result<bool> is_backed(Object& object, u64 first, u64 count)
{
    if (!object.has_unwritten_now() || !is_in_file(first, count))
        return false;
    ReadGuard guard(object.m_lock);
    return is_preallocated(object, first, count);
}

Status reserve_blocks_for(Object& object, u64 first, u64 count, u64 blocks, bool& backed)
{
    Pool& pool = *object.dataset().host().pool;
    backed = object.has_unwritten_now() && blocks <= count && TRY(is_backed(object, first, count));
    if (!backed)
        return reserve_blocks(object, blocks);
    TRY(pool.admit_change());
    pool.space().throttle();
    pool.space().promise_backed(object.dataset().owner(), blocks);
    return {};
}

void unreserve_blocks(Object& object, u64 blocks)
{
    object.dataset().host().space.release_data(object.dataset().owner(), blocks);
}

}
