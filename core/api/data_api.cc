// SPDX-License-Identifier: GPL-2.0-only
#include "core/api/handles.h"
#include "core/fs/allocate.h"
#include "core/fs/clone.h"
#include "core/fs/extents.h"
#include "core/fs/file_read.h"
#include "core/fs/file_write.h"
#include "core/fs/log_write.h"
#include "core/fs/punch.h"
#include "core/fs/shift.h"
#include "core/fs/shrink.h"
#include "core/object/name.h"

using namespace lcpfs;

static_assert(CORE_READ_MAX_BLOCKS == k_read_max_blocks && CORE_WRITE_MAX_BLOCKS == k_write_max_blocks);
static_assert(CORE_LOG_MAX_BLOCKS * k_block_size == k_max_log_data_bytes);
static_assert(CORE_INLINE_MAX == k_max_inline_data_bytes && CORE_BLOCK_SIZE == k_block_size);
static_assert(CORE_NAME_MAX == k_max_name_bytes && CORE_ROOT_OBJECT == k_root_object && CORE_MAX_DEVICES == k_max_vdevs);
static_assert(CORE_LABEL_NAME_BYTES == k_pool_name_bytes);

void core_read(core_object* handle, uint64_t block, const core_segment* segments, unsigned count,
    void (*done)(void* context, int error, const uint64_t* bad), void* context)
{
    Object& object = object_of(handle);
    read_blocks(pool_of(object), object, block, { segments, count }, done, context);
}

void core_read_once(core_object* handle, uint64_t block, const core_segment* segments, unsigned count,
    void (*done)(void* context, int error, const uint64_t* bad), void* context)
{
    Object& object = object_of(handle);
    read_blocks_once(pool_of(object), object, block, { segments, count }, done, context);
}

void core_read_wait(core_object* handle, uint64_t block, const core_segment* segments, unsigned count,
    void (*done)(void* context, int error, const uint64_t* bad), void* context)
{
    Object& object = object_of(handle);
    read_blocks_and_wait(pool_of(object), object, block, { segments, count }, done, context);
}

bool core_read_waits(core_object* handle, uint64_t block, uint64_t blocks) { return read_waits(object_of(handle), block, blocks); }

void core_write(core_object* handle, uint64_t block, const core_segment* segments, unsigned count, uint64_t size_bytes,
    void (*done)(void* context, int error), void* context)
{
    Object& object = object_of(handle);
    write_blocks(pool_of(object), object, block, { segments, count }, size_bytes, done, context);
}

int core_log_write(core_object* handle, uint64_t block, const core_segment* segments, unsigned count, uint64_t size_bytes,
    bool hastens)
{
    Object& object = object_of(handle);
    return to_errno(log_write(pool_of(object), object, block, { segments, count }, size_bytes, hastens));
}

int core_reserve(core_object* handle, uint64_t blocks) { return to_errno(reserve_blocks(object_of(handle), blocks)); }
int core_reserve_for(core_object* handle, uint64_t block, uint64_t count, uint64_t blocks, bool* backed)
{
    return to_errno(reserve_blocks_for(object_of(handle), block, count, blocks, *backed));
}
bool core_is_backed(core_object* handle, uint64_t block, uint64_t count)
{
    const auto backed = is_backed(object_of(handle), block, count);
    return backed.is_ok() && backed.value();
}
void core_unreserve(core_object* handle, uint64_t blocks) { unreserve_blocks(object_of(handle), blocks); }

int core_allocate(core_object* handle, uint64_t block, uint64_t blocks)
{
    Object& object = object_of(handle);
    return to_errno(allocate_object(pool_of(object), object, block, blocks));
}

int core_truncate(core_object* handle, uint64_t size_bytes, core_time time)
{
    Object& object = object_of(handle);
    return to_errno(truncate_object(pool_of(object), object, size_bytes, time_of(time)));
}

int core_collapse(core_object* handle, uint64_t block, uint64_t blocks, core_time time)
{
    Object& object = object_of(handle);
    return to_errno(collapse_object(pool_of(object), object, block, blocks, time_of(time)));
}

int core_insert(core_object* handle, uint64_t block, uint64_t blocks, core_time time)
{
    Object& object = object_of(handle);
    return to_errno(insert_object(pool_of(object), object, block, blocks, time_of(time)));
}

int core_punch(core_object* handle, uint64_t block, uint64_t blocks, core_time time)
{
    Object& object = object_of(handle);
    return to_errno(punch_object(pool_of(object), object, block, blocks, time_of(time)));
}

int core_clone_range(const core_clone* clone)
{
    Object& source = object_of(clone->source);
    const CloneRange range { source, clone->block, object_of(clone->target), clone->to, clone->blocks, clone->size_bytes,
                             time_of(clone->time), clone->keeps_times };
    return to_errno(clone_range(pool_of(source), range));
}

int core_settle_shares(core_object* handle)
{
    Object& object = object_of(handle);
    {
        ReadGuard guard(object.m_lock);
        if (!object.m_attributes.has_shares())
            return 0;
    }
    Pool& pool = pool_of(object);
    const Status settled = pool.engine().wait_committed(pool.engine().newest_changed());
    // One that commits no more has nothing newer to tell.
    return pool.frozen() == Error::none ? to_errno(settled) : 0;
}

int core_map(core_object* handle, uint64_t block, core_extent* out)
{
    Object& object = object_of(handle);
    if (!is_in_file(block, 1))
        return to_errno(Error::invalid);
    ReadGuard guard(object.m_lock);
    TreeCursor cursor;
    Extent extent;
    auto found = find_extent(object.m_tree, block, cursor, extent);
    if (found.is_error())
        return to_errno(found);
    zero_bytes(out, sizeof(*out));
    out->block = block;
    if (!found.value() || extent.file_block > block) {
        out->hole = true;
        out->blocks = (found.value() ? extent.file_block : k_max_file_blocks) - block;
        return 0;
    }
    out->inlined = extent.kind == ExtentKind::inlined;
    out->unwritten = extent.is_unwritten();
    out->blocks = extent.end() - block;
    if (!out->inlined) {
        out->device = extent.dva.vdev.value();
        out->compressed = extent.is_compressed();
        out->device_block = extent.dva.block + (out->compressed ? 0 : block - extent.file_block);
        if (object.m_attributes.has_shares() && !out->unwritten) {
            const u32 length = out->compressed ? extent.dva.length_blocks : static_cast<u32>(out->blocks);
            const auto part = pool_of(object).share_table().read({ out->device_block, length, extent.dva.vdev });
            // Where the data is does not depend on the table: when that cannot be read, it may be shared.
            out->shared = part.is_error() || part.value().references > 1;
            if (part.is_ok() && !out->compressed)
                out->blocks = part.value().length_blocks;
        }
    }
    return 0;
}
