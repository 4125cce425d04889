// SPDX-License-Identifier: GPL-2.0-only
// Writing a little file data by way of the intent log: in the file at once, durable with the log, at its place later.
//
// Cost: one allocation of blocks (none when the same blocks were written so before in this group and wait for their
// place still), a copy of the data, a checksum per block, one tree insertion, no I/O but, when it `hastens`, the start of the log
// write: from then on, with checksums and tree, the device works at the same time. That write is IntentLog::commit's otherwise; the
// one to its place is the group's (DelayedWrites).
#pragma once

#include "core/fs/extents.h"
#include "core/fs/log_records.h"
#include "core/pool/pool.h"

namespace lcpfs {

// See core_log_write. not_supported: no log; no_space: no run of that length; busy: a cut of the
// file is not finished; no_memory.
Status log_write(Pool& pool, Object& object, u64 block, Span<const core_segment> segments, u64 file_bytes, bool hastens);

enum class DelayedWrite : u8 {
    logged,
    hastened, // its log write is started
    replayed, // the log has it already
};
// The same with data that has been copied, and is not for the file's record.
Status write_delayed(Pool& pool, Object& object, const LoggedWrite& write, const Ref<LogData>& data, DelayedWrite how);
// Whether the data goes into the file's record.
bool is_for_record(Object& object, const LoggedWrite& write);

// What may have to be written before the blocks of `extent` can be read from their place: nothing when its group has committed, for which
// all of the group's data was written, or when nothing of the file waits. Otherwise everything that waits in the pool is: by the
// caller, without the lock, who is told `busy` (the others go on meanwhile); or under it, after which nothing new of the file can
// wait. The second is for who has done the first and finds the blocks written anew; so nobody looks a third time.
enum class Delayed : u8 { told, written };
Status see_to_waiting(Pool& pool, const Extent& extent, Delayed how);
inline Status see_to_delayed(Pool& pool, const Object& object, const Extent& extent, Delayed how) REQUIRES_SHARED(object.m_lock)
{
    return object.m_delayed_writes.load() ? see_to_waiting(pool, extent, how) : Status();
}

}
